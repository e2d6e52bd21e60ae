"""WeCom 企业微信: the callback of a self-built application. Acknowledged at once, answered by message/send."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from bot.answer.meta import HELLO
from bot.channels.desk import ONLY_TEXT, Desk, Inbound
from bot.channels.message import PLAIN, pages, render
from bot.channels.tencent import Crypto, Refused, inbound, opened, parse, refusal, replay_key
from bot.channels.tencent_api import Api
from bot.pipeline import Bot
from bot.settings import Settings

LIMIT = 2048  # bytes of a text message


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """The callback at /wecom, where token, AES key, CorpID, AgentId and secret are all set."""
    token, key = settings.wecom_token.get_secret_value(), settings.wecom_aes_key.get_secret_value()
    secret = settings.wecom_secret.get_secret_value()
    if not (token and key and secret and settings.wecom_corp_id and settings.wecom_agent_id):
        return None
    crypto = Crypto.from_keys(token, key, settings.wecom_corp_id, "WENQU_WECOM_AES_KEY")
    return routes(bot, settings, crypto, Api.wecom(settings.wecom_corp_id, secret))


def routes(bot: Bot, settings: Settings, crypto: Crypto, api: Api) -> APIRouter:
    """The routes over an application. Raises JournalError."""
    application = WeComApplication(bot, settings, crypto, api)
    made = APIRouter(lifespan=lambda app: application.desk.open("wecom", application.handle))
    for path in ("/wecom", "/wecom/"):
        made.add_api_route(path, application.verify, methods=["GET"], include_in_schema=False)
        made.add_api_route(path, application.receive, methods=["POST"], include_in_schema=False)
    return made


class WeComApplication:
    """A self-built application: takes its callbacks at a desk, answers through its API."""

    def __init__(self, bot: Bot, settings: Settings, crypto: Crypto, api: Api) -> None:
        """Open the desk. Raises JournalError."""
        self.desk = Desk(bot)
        self._settings, self._crypto, self._api = settings, crypto, api

    async def verify(self, request: Request) -> Response:
        """WeCom's check of the address: the echostr, decrypted."""
        asked = request.query_params
        try:
            return PlainTextResponse(opened(self._crypto, asked, asked.get("echostr", "")))
        except Refused as refused:
            return refusal("wecom", refused)

    async def receive(self, request: Request) -> Response:
        """An empty 200 once the message is claimed: the answer goes out by message/send."""
        asked = request.query_params
        try:
            fields = parse(opened(self._crypto, asked, parse(await request.body()).get("Encrypt", "")).encode())
            message = inbound("wecom", self._crypto.receive_id, fields)
            if _is_due(message, fields):
                taken = await self.desk.take(message, self.handle, replay_key("wecom", asked))
                if not taken and not await self.desk.write(self.desk.claims.again, message.key):
                    raise Refused("replay")
        except Refused as refused:
            return refusal("wecom", refused)
        return PlainTextResponse("")

    async def handle(self, message: Inbound) -> None:
        """Answer a message. Text, not Markdown: members who read in WeChat see no Markdown."""
        if message.text:
            reply = await self.desk.answer(message)
            text = render(reply.answer, PLAIN, self._settings.public_url) if reply.answer else reply.text
        else:
            text = HELLO["zh"] if message.reply_to == "subscribe" else ONLY_TEXT
        for page in pages(text, LIMIT):
            body = {"touser": message.user, "msgtype": "text", "agentid": self._settings.wecom_agent_id}
            await self._api.post("/cgi-bin/message/send", {**body, "text": {"content": page}})


def _is_due(message: Inbound, fields: Mapping[str, str]) -> bool:
    """Whether a callback is one to answer: of the events only that of a new member."""
    return bool(message.user) and (fields.get("MsgType") != "event" or message.reply_to == "subscribe")
