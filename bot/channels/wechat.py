"""WeChat 公众号: callbacks in plain text or AES, answered within the five seconds that WeChat waits.

WeChat delivers a message three times, five seconds apart, until it is answered. All deliveries wait for the one reply;
when even the third would be too late, the reply goes out as a customer-service message or waits for 「继续」.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from bot.answer.meta import HELLO
from bot.channels.desk import FAILED, ONLY_TEXT, Desk, Inbound
from bot.channels.message import PLAIN, pages, render
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
from bot.pipeline import Bot
from bot.settings import Settings
from bot.text.fold import fold
from bot.text.printable import printable

log = logging.getLogger("wenqu")
# Bytes of a text message: not documented, measured by users.
LIMIT = 2048
# WeChat drops the connection after 5 s. The third delivery must still have time to say that the answer comes later.
WAITS = {1: 4.5, 2: 4.5, 3: 4.0}
# An unanswered delivery is held until WeChat has dropped it: an empty reply in time would end the exchange.
_DROPPED_AFTER = 5.2
# How often the journal is asked for a reply that another process is to write.
_POLL_SECONDS = 0.25
MORE = "\n\n（回复「继续」看下文）"
PENDING = "还在找答案，请过一会儿回复「继续」查看。"
NOTHING_MORE = "没有更多内容了。直接提问就可以。"
LATE = "关于「{question}」：\n\n"
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
    crypto = Crypto.from_keys(token, key, settings.wechat_app_id, "WENQU_WECHAT_AES_KEY") if key else None
    api = Api.wechat(settings.wechat_app_id, secret) if secret else None
    return routes(bot, settings, Account(token, settings.wechat_app_id, crypto, api))


def routes(bot: Bot, settings: Settings, account: Account) -> APIRouter:
    """The routes over an account. Raises JournalError."""
    desk = Desk(bot)
    replies = WeChatReplies(desk, account, settings.public_url)
    made = APIRouter(lifespan=lambda app: desk.open("wechat", replies.handle))
    for path in ("/wechat", "/wechat/"):
        made.add_api_route(path, replies.verify, methods=["GET"], include_in_schema=False)
        made.add_api_route(path, replies.receive, methods=["POST"], include_in_schema=False)
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


class WeChatReplies:
    """Where messages are answered: one reply a message, however often it is delivered.

    Deliveries to the process that took the message wait for its reply in memory; those to another process look for it
    in the journal.
    """

    def __init__(self, desk: Desk, account: Account, public_url: str) -> None:
        self._desk, self._account, self._public_url = desk, account, public_url
        self._due: dict[str, asyncio.Future[str]] = {}  # the replies that this process is to give, by message

    async def verify(self, request: Request) -> Response:
        """WeChat's check of the address: the echostr, verbatim."""
        try:
            _check_plain(self._account.token, request)
        except Refused as refused:
            return refusal("wechat", refused)
        return PlainTextResponse(request.query_params.get("echostr", ""))

    async def receive(self, request: Request) -> Response:
        """The reply to a delivery, written and encrypted as the delivery was."""
        body = await request.body()
        try:
            fields = _opened(self._account, request, body)
            text = await self._reply(fields, replay_key("wechat", request.query_params))
        except Refused as refused:
            return refusal("wechat", refused)
        except JournalError as error:  # WeChat would tell the user that the account is out of order
            log.error("wechat: %s", error)
            text = FAILED["zh"]
        if text in ("", "success"):
            return PlainTextResponse(text)
        as_json = is_json(body)
        reply = written(_passive(fields, text), as_json=as_json)
        if self._account.crypto:
            nonce = request.query_params.get("nonce", "")
            reply = written(sealed(self._account.crypto, reply, nonce, time.time()), as_json=as_json)
        return Response(reply, media_type="application/json" if as_json else "application/xml")

    async def handle(self, message: Inbound) -> None:
        """Answer a message: for whichever of its deliveries waits, else as the account allows."""
        await self._give(None, asyncio.get_running_loop().create_future(), message)

    async def _give(self, known: str | None, due: asyncio.Future[str], message: Inbound) -> None:
        """Settle `due`, and keep the reply for other processes; `known` is what to say where nothing is asked."""
        self._due[message.key] = due
        try:
            if known is None and _CONTINUE.fullmatch(fold(message.text).strip()):
                known = await self._desk.write(self._next_words, message.conversation)
            if known is None:
                await self._answer(due, message)
            else:
                due.set_result(known)
                await self._desk.write(self._desk.claims.keep_reply, message.key, known)
        finally:
            del self._due[message.key]

    async def _answer(self, due: asyncio.Future[str], message: Inbound) -> None:
        reply = await self._desk.answer(message)
        text = render(reply.answer, PLAIN, self._public_url) if reply.answer else reply.text
        found, late_pages = _numbered(text), _numbered(LATE.format(question=printable(message.text[:50])) + text)
        due.set_result(found[0])
        api, claims = self._account.api, self._desk.claims
        # Only an account that may not send messages of its own keeps a late answer until the user asks for it.
        kept_if_late = () if api else late_pages
        late = await self._desk.write(claims.keep_pages, message.key, message.conversation, found, kept_if_late)
        if late and api and not await self._pushed(api, message, found):
            await self._desk.write(claims.keep_rest, message.conversation, late_pages, late=True)

    async def _reply(self, fields: dict[str, str], signed: str) -> str:
        """The reply's text, `success` where none is due, nothing to be asked again. Raises Refused for a replay."""
        begun = asyncio.get_running_loop().time()
        if not fields.get("FromUserName") or not fields.get("MsgType"):  # the platform's check of a container
            return "success"
        message = inbound("wechat", self._account.app_id or fields.get("ToUserName", ""), fields)
        due = asyncio.get_running_loop().create_future()
        give = partial(self._give, _known_words(message, fields["MsgType"]), due)
        if await self._desk.take(message, give, signed):
            return await self._awaited(due, message.key, 1, begun)
        delivery = await self._desk.write(self._desk.claims.again, message.key)
        if not delivery:
            raise Refused("replay")
        return await self._awaited(self._due.get(message.key), message.key, min(delivery, 3), begun)

    async def _awaited(self, due: asyncio.Future[str] | None, key: str, delivery: int, begun: float) -> str:
        """The reply as soon as it is there; past the wait, nothing, or on the last delivery that it comes later.

        `begun` is when the delivery came, in the loop's time: WeChat counts from there.
        """
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout_at(begun + WAITS[delivery]):
                return await (asyncio.shield(due) if due else self._polled(key))
        except TimeoutError:
            pass
        if delivery < 3:
            await asyncio.sleep(begun + _DROPPED_AFTER - clock())
            return ""
        text = await self._desk.write(self._desk.claims.last_call, key)
        if text is None and self._account.api:
            return "success"
        return PENDING if text is None else text

    async def _polled(self, key: str) -> str:
        """The reply to a message that another process took, once that has written it."""
        while (text := await self._desk.read(self._desk.claims.reply, key)) is None:
            await asyncio.sleep(_POLL_SECONDS)
        return text

    def _next_words(self, conversation: str) -> str:
        """What 「继续」 shows next, in the desk's thread: no late answer can come between the two questions."""
        nothing = PENDING if self._desk.claims.owes("wechat", conversation) else NOTHING_MORE
        return self._desk.claims.next_rest(conversation) or nothing

    async def _pushed(self, api: Api, message: Inbound, texts: Sequence[str]) -> bool:
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


def _known_words(message: Inbound, kind: str) -> str | None:
    """What to say where nothing is asked, `success` for nothing at all; None for a question."""
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
