"""WeCom 企业微信 AI bots (智能机器人) over a long connection: no public address, answers that appear as they come."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter

from bot.answer.meta import HELLO
from bot.channels.desk import ONLY_TEXT, Desk, Inbound, Reply
from bot.channels.message import MARKDOWN, pages, render
from bot.channels.wecom_connection import URL, Connection, Lost, Rejected, Throttle, Timing, at, text_at
from bot.errors import JournalError, SettingsError
from bot.pipeline import Bot
from bot.settings import Settings
from bot.text.fold import fold, language

log = logging.getLogger("wenqu")
PLATFORM = "wecom_bot"
SEARCHING = {"zh": "正在检索…", "en": "Searching…"}
LATE = {
    "zh": "这个问题要想得久一些，答案会另发一条消息。",
    "en": "This one takes longer: the answer will come as a message of its own.",
}
WELCOME = f"{HELLO['zh']}\n\n{HELLO['en']}"
NO_WEBSOCKETS = ("企业微信智能机器人需要 websockets", "the WeCom AI bot needs websockets", 'pip install "wenqu[wecom]"')
LIMIT = 20_480  # bytes of a message
_PUSHES = 3  # attempts at a message whose connection is lost under it
_MENTION = re.compile(r"^@\S+\s*")  # WeCom puts a space of its own behind the name
_CALLED = "你好"  # what a message that holds only our name is read as
_VERDICTS = {1: 1, 2: -1, 3: 0}


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """No routes, but a connection for as long as the server runs; None without Bot ID and Secret.

    Raises SettingsError where websockets is not installed.
    """
    if not (settings.wecom_bot_id and settings.wecom_bot_secret.get_secret_value()):
        return None
    try:
        import websockets  # noqa: F401  an extra, and imported only by those who use it
    except ImportError as error:
        raise SettingsError(*NO_WEBSOCKETS) from error
    return APIRouter(lifespan=WeComBot(bot, settings, URL).lifespan)


class WeComBot:
    """Messages and events of one bot, from the connection to the desk and back."""

    def __init__(self, bot: Bot, settings: Settings, url: str, timing: Timing | None = None) -> None:
        """Nothing connects before the lifespan begins. Raises JournalError."""
        self._desk = Desk(bot)
        self._settings, self._timing = settings, timing or Timing()
        self._connection = Connection(
            settings.wecom_bot_id, settings.wecom_bot_secret, self._message, self._event, url, self._timing
        )
        self._throttle = Throttle()
        self._stopping = False

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Connected while a server runs; the connection outlives the answers under way."""
        running = asyncio.create_task(self._connection.run())
        try:
            async with self._desk.open(PLATFORM, self._answer):
                try:
                    yield
                finally:
                    self._stopping = True
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _message(self, req_id: str, body: Mapping[str, Any]) -> None:
        """Begin to take a message. Raises ValueError where it does not say who wrote it, or which it is."""
        user, message_id = text_at(body, "from", "userid"), text_at(body, "msgid")
        if not user or not message_id:
            raise ValueError("no user or msgid")
        tenant, chat = text_at(body, "aibotid") or self._settings.wecom_bot_id, text_at(body, "chatid") or user
        inbound = Inbound(PLATFORM, tenant, chat, user, message_id, _words(body), req_id)
        if self._stopping:
            self._desk.start(_logged(self._desk.leave(inbound)))
        else:
            handle = partial(self._answer_here, self._connection.requests)
            self._desk.start(_logged(self._desk.take(inbound, handle)))

    def _event(self, req_id: str, body: Mapping[str, Any]) -> None:
        """Welcome a user, or keep what one thinks of an answer. Raises ValueError for feedback that says nothing."""
        kind = text_at(body, "event", "eventtype")
        if kind == "enter_chat":
            self._desk.start(self._welcome(req_id))
        elif kind == "feedback_event":
            answer, user = text_at(body, "event", kind, "id"), text_at(body, "from", "userid")
            number = at(body, "event", kind, "type")
            if not answer or not user or not isinstance(number, int) or number not in _VERDICTS:
                raise ValueError("no feedback")
            self._desk.start(_logged(self._desk.feedback(answer, f"{PLATFORM}:{user}", _VERDICTS[number])))

    async def _welcome(self, req_id: str) -> None:
        """WeCom takes a welcome for five seconds, so it waits for nothing."""
        body = {"msgtype": "text", "text": {"content": WELCOME}}
        try:
            await self._connection.request("aibot_respond_welcome_msg", body, req_id)
        except (Lost, Rejected) as error:
            log.warning("wecom_bot: no welcome (%s)", error)

    async def _answer_here(self, requests: set[str], inbound: Inbound) -> None:
        """Answer a message on the socket that it came on, whose requests these are, if that is still there."""
        requests.add(inbound.reply_to)
        await self._answer(inbound)

    async def _answer(self, inbound: Inbound) -> None:
        """Answer a message. Raises Lost or Rejected when neither a reply nor a push goes through."""
        stream = Stream(self._connection, self._throttle, inbound)
        work = asyncio.create_task(self._reply(inbound, stream.feedback))
        try:
            await self._wait(work, stream, language(fold(inbound.text)))
            reply = await work
            text = render(reply.answer, MARKDOWN, self._settings.public_url) if reply.answer else reply.text
            first, *rest = pages(text, LIMIT)
            if not await stream.show(first, finish=True):
                rest = [first, *rest]
            for page in rest:
                await self._push(inbound.conversation, page)
        finally:
            work.cancel()
            self._connection.requests.discard(inbound.reply_to)

    async def _reply(self, inbound: Inbound, reply_id: str) -> Reply:
        return await self._desk.answer(inbound, reply_id) if inbound.text else Reply("", ONLY_TEXT)

    async def _wait(self, work: asyncio.Task[Reply], stream: Stream, words: str) -> None:
        """Until the answer is there, or the message that shows it must be closed: then with a note."""
        began = asyncio.get_running_loop().time()
        if (await asyncio.wait([work], timeout=self._timing.quick))[0]:
            return
        await stream.show(SEARCHING[words], finish=False)
        left = began + self._timing.stream - asyncio.get_running_loop().time()
        if not (await asyncio.wait([work], timeout=max(0.0, left)))[0]:
            await stream.show(LATE[words], finish=True)

    async def _push(self, chat: str, text: str) -> None:
        """Send a message of its own, on the next connection where this one is lost. Raises Lost, Rejected."""
        body = {"chatid": chat, "msgtype": "markdown", "markdown": {"content": text}}
        for attempt in range(1, _PUSHES + 1):
            await self._connection.ready()
            await self._throttle.turn(chat)
            try:
                return await self._connection.request("aibot_send_msg", body)
            except Lost:
                if attempt == _PUSHES:
                    raise
        return None


async def _logged(work: Awaitable[Any]) -> None:
    """Do what nobody waits for; that the journal cannot be used is said in the log."""
    try:
        await work
    except JournalError as error:
        log.error("wecom_bot: %s", error)


class Stream:
    """The reply to one message: each frame holds the whole text so far, until one says that it is finished."""

    def __init__(self, connection: Connection, throttle: Throttle, inbound: Inbound) -> None:
        """`feedback`: what the reply is known by when users judge it; WeCom reads it in the first frame only."""
        self._connection, self._throttle, self._inbound = connection, throttle, inbound
        self._id = secrets.token_hex(8)
        self._begun = self._over = False
        self.feedback = secrets.token_hex(8)

    async def show(self, text: str, *, finish: bool) -> bool:
        """Whether the text is on show. False from the first failure on: the req_id is used up, or of another socket."""
        if self._over or self._inbound.reply_to not in self._connection.requests:
            return False
        stream: dict[str, Any] = {"id": self._id, "finish": finish, "content": text}
        if not self._begun:
            stream["feedback"] = {"id": self.feedback}
        self._begun, self._over = True, finish
        try:
            await self._throttle.turn(self._inbound.conversation)
            await self._connection.request(
                "aibot_respond_msg", {"msgtype": "stream", "stream": stream}, self._inbound.reply_to
            )
        except (Lost, Rejected) as error:
            log.warning("wecom_bot: a reply was not taken (%s); its answer goes out as a message", error)
            self._over = True
            return False
        return True


def _words(body: Mapping[str, Any]) -> str:
    """What a message says, empty where it has no words. In a group without the name that it begins with."""
    kind = text_at(body, "msgtype")
    if kind == "mixed":
        items = at(body, "mixed", "msg_item")
        parts = [text_at(item, "text", "content") for item in items] if isinstance(items, list) else []
        text = "\n".join(part for part in parts if part)
    else:
        text = text_at(body, kind, "content") if kind in ("text", "voice") else ""
    text = text.strip()
    if text and text_at(body, "chattype") == "group":
        return _MENTION.sub("", text) or _CALLED
    return text
