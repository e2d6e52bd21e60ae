"""WeChat 公众号: callbacks in plain text or AES, answered within the five seconds that WeChat waits.

WeChat delivers a message three times, five seconds apart, until it is answered. All deliveries wait for the one reply;
when even the third would be too late, the reply goes out as a customer-service message or waits for 「继续」.
"""

# No `from __future__ import annotations` here: FastAPI must see the annotations of functions that close over the bot.
import asyncio
import logging
import re
import time
from dataclasses import dataclass
from functools import partial

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from bot.channels.desk import FAILED, HELLO, ONLY_TEXT, Desk, Inbound
from bot.channels.tencent import (
    Crypto,
    Refused,
    check_fresh,
    check_signature,
    inbound,
    is_json,
    opened,
    parse,
    refusal,
    replay_key,
    sealed,
    written,
)
from bot.channels.tencent_api import Api, ApiError
from bot.errors import JournalError
from bot.markup import PLAIN, pages, render
from bot.pipeline import Bot
from bot.settings import Settings
from bot.text import fold

SIGNED = ("/wechat",)  # the platform signs each request, and has no key
log = logging.getLogger("wenqu")
# Bytes of a text message: not documented, measured by users.
LIMIT = 2048
# WeChat drops the connection after 5 s. The third delivery must still have time to say that the answer comes later.
WAITS = {1: 4.5, 2: 4.5, 3: 4.0}
# An unanswered delivery is held until WeChat has dropped it: an empty reply in time would end the exchange.
_DROPPED_AFTER = 5.2
MORE = "\n\n(回复「继续」看下文)"
PENDING = "还在找答案,请过一会儿回复「继续」查看。"
NOTHING_MORE = "没有更多内容了。直接提问就可以。"
LATE = "关于「{question}」:\n\n"
_CONTINUE = re.compile(r"(?:继续|下文|下一页|更多|more|continue|next)[\s。.!]*")  # of folded text: 「继续！」 too
_NOT_AUTHORISED = {48001, 45015, 45047}  # no customer-service API, or its 48 hours or five messages are used up


@dataclass(frozen=True, slots=True)
class Account:
    """A 公众号: its secrets, and its API where it may send customer-service messages."""

    token: str
    app_id: str
    crypto: Crypto | None
    api: Api | None


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """The callback at /wechat, where a token is set."""
    token, key = settings.wechat_token.get_secret_value(), settings.wechat_aes_key.get_secret_value()
    if not token:
        return None
    secret = settings.wechat_app_secret.get_secret_value()
    crypto = Crypto.of(token, key, settings.wechat_app_id, "WENQU_WECHAT_AES_KEY") if key else None
    api = Api.wechat(settings.wechat_app_id, secret) if secret else None
    return routes(bot, settings, Account(token, settings.wechat_app_id, crypto, api))


def routes(bot: Bot, settings: Settings, account: Account) -> APIRouter:
    """The routes over an account."""
    desk = Desk(bot)
    counter = Counter(desk, account, settings.public_url)
    made = APIRouter(lifespan=lambda app: desk.open("wechat", counter.handle))

    async def verify(request: Request) -> Response:
        """WeChat's check of the address: the echostr, verbatim."""
        asked = request.query_params
        try:
            _check_plain(account.token, request)
        except Refused as refused:
            return refusal("wechat", refused)
        return PlainTextResponse(asked.get("echostr", ""))

    async def receive(request: Request) -> Response:
        body = await request.body()
        try:
            fields = _opened(account, request, body)
            text = await counter.reply(fields, replay_key("wechat", request.query_params))
        except Refused as refused:
            return refusal("wechat", refused)
        except JournalError as error:  # a failing server would be shown to the user as out of order
            log.error("wechat: %s", error)
            text = FAILED["zh"]
        if text in ("", "success"):
            return PlainTextResponse(text)
        as_json = is_json(body)
        reply = written(_passive(fields, text), as_json=as_json)
        if account.crypto:
            nonce = request.query_params.get("nonce", "")
            reply = written(sealed(account.crypto, reply, nonce, time.time()), as_json=as_json)
        return Response(reply, media_type="application/json" if as_json else "application/xml")

    for path in ("/wechat", "/wechat/"):
        made.add_api_route(path, verify, methods=["GET"], include_in_schema=False)
        made.add_api_route(path, receive, methods=["POST"], include_in_schema=False)
    return made


def _check_plain(token: str, request: Request) -> None:
    asked = request.query_params
    timestamp = asked.get("timestamp", "")
    check_signature(asked.get("signature", ""), token, timestamp, asked.get("nonce", ""))
    check_fresh(timestamp, time.time())


def _opened(account: Account, request: Request, body: bytes) -> dict[str, str]:
    """The fields of a message. Raises Refused.

    An account with an AES key takes no plain message: the plain signature does not cover the body.
    """
    if not account.crypto:
        _check_plain(account.token, request)
        return parse(body)
    fields = parse(body)
    if "Encrypt" not in fields:
        raise Refused("mode: 收到明文消息,消息加解密方式应为安全模式 / a plain message, though an AES key is set")
    return parse(opened(account.crypto, request.query_params, fields["Encrypt"]).encode())


class Counter:
    """Where messages are answered: one reply a message, however often it is delivered."""

    def __init__(self, desk: Desk, account: Account, public_url: str) -> None:
        self._desk, self._account, self._public_url = desk, account, public_url

    async def reply(self, fields: dict[str, str], signed: str) -> str:
        """The reply's text, `success` where none is due, nothing to be asked again. Raises Refused for a replay."""
        if not fields.get("FromUserName") or not fields.get("MsgType"):  # the platform's check of a container
            return "success"
        message = inbound("wechat", self._account.app_id or fields.get("ToUserName", ""), fields)
        known = _known_words(message, fields["MsgType"])
        first = self._desk.take(message, self.handle if known is None else partial(self._say, known), signed)
        delivery = 1 if first else self._desk.claims.again(message.key)
        if not delivery:
            raise Refused("replay")
        return await self._awaited(message, min(delivery, 3))

    async def _say(self, words: str, message: Inbound) -> None:
        self._desk.claims.keep_reply(message.key, words)

    async def handle(self, message: Inbound) -> None:
        """Answer a message: for whichever of its deliveries waits, else as the account allows."""
        claims = self._desk.claims
        if _CONTINUE.fullmatch(fold(message.text).strip()):
            nothing = PENDING if claims.owes("wechat", message.conversation) else NOTHING_MORE
            claims.keep_reply(message.key, claims.next_rest(message.conversation) or nothing)
            return
        reply = await self._desk.answer(message)
        text = render(reply.answer, PLAIN, self._public_url) if reply.answer else reply.text
        first, *rest = _numbered(text)
        if not claims.keep_reply(message.key, first):
            claims.keep_rest(message.conversation, rest)
        elif not (self._account.api and await self._pushed(self._account.api, message, [first, *rest])):
            late = _numbered(LATE.format(question=message.text[:50]) + text)
            claims.keep_rest(message.conversation, late, late=True)

    async def _pushed(self, api: Api, message: Inbound, texts: list[str]) -> bool:
        """Whether the account may send customer-service messages, and these were sent."""
        try:
            for text in texts[:5]:
                body = {"touser": message.user, "msgtype": "text", "text": {"content": text.removesuffix(MORE)}}
                await api.post("/cgi-bin/message/custom/send", body)
        except (ApiError, httpx.HTTPError) as error:
            expected = isinstance(error, ApiError) and error.code in _NOT_AUTHORISED
            log.warning("wechat: no customer-service message%s: %s", "" if expected else " (unexpected)", error)
            return False
        return True

    async def _awaited(self, message: Inbound, delivery: int) -> str:
        """The reply as soon as it is there; past the wait, nothing, or on the last delivery that it comes later."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < WAITS[delivery]:
            if (text := self._desk.claims.reply(message.key)) is not None:
                return text
            await asyncio.sleep(min(0.05, 0.005 + passed / 10))
        if delivery < 3:
            await asyncio.sleep(_DROPPED_AFTER - WAITS[delivery])
            return ""
        text = self._desk.claims.reply(message.key, last_call=True)
        if text is None and self._account.api:
            return "success"
        return PENDING if text is None else text


def _known_words(message: Inbound, kind: str) -> str | None:
    """What to say to all that is no question, `success` for nothing; None for a question."""
    if kind == "event":
        return HELLO["zh"] if message.reply_to == "subscribe" else "success"
    return None if kind == "text" else ONLY_TEXT


def _passive(fields: dict[str, str], text: str) -> dict[str, str | int]:
    """The fields of a reply to a message."""
    return {
        "ToUserName": fields["FromUserName"],
        "FromUserName": fields.get("ToUserName", ""),
        "CreateTime": int(time.time()),
        "MsgType": "text",
        "Content": text,
    }


def _numbered(text: str) -> list[str]:
    """The text in messages that each fit; all but the last say how to read on."""
    found = pages(text, LIMIT, reserve=len(MORE.encode()))
    return [page + MORE for page in found[:-1]] + found[-1:]
