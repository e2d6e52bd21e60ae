"""The long connection to WeCom 企业微信's AI bots: one WebSocket, kept up, on which every frame is acknowledged.

https://developer.work.weixin.qq.com/document/path/101463
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from pydantic import SecretStr

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

log = logging.getLogger("wenqu")
URL = "wss://openws.work.weixin.qq.com"
KICKED = (
    "wecom_bot: 同一机器人在别处建立了连接，本进程不再重连；只留一个实例 / "
    "another instance took over this bot's connection: this one stops; run only one"
)
REFUSED = (
    "wecom_bot: 连续 %d 次订阅被拒(errcode %d)，不再重试；检查 WENQU_WECOM_BOT_ID 和 WENQU_WECOM_BOT_SECRET 后重启 / "
    "subscription refused %d times: check both settings, then restart"
)
_SUBSCRIPTIONS = 5  # refused in a row before giving up
_MISSED_PINGS = 2
# Frames per chat, answers and pushes together: (frames, seconds).
_LIMITS = ((30, 60.0), (1000, 3600.0))
# At DEBUG websockets logs the ends of every frame: of the subscription with its secret, of what users ask.
_quiet = logging.getLogger("wenqu.wecom_bot.socket")
_quiet.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: between pings, to an ack, the first and the longest wait before a reconnect, and of an answer.

    `quick`: an answer that comes within it needs no placeholder. `stream`: WeCom closes a streamed message after 6
    minutes by its documentation (10 as measured by others).
    """

    ping: float = 30.0
    ack: float = 10.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    quick: float = 0.3
    stream: float = 330.0


class Lost(Exception):
    """There is no connection, or no ack came."""


class Kicked(Exception):
    """Another connection took this one's place."""


class Rejected(Exception):
    """WeCom acknowledged a frame with an error. Its errmsg is left out: it may quote what was sent."""

    def __init__(self, errcode: int) -> None:
        """Keep the number."""
        super().__init__(f"errcode {errcode}")
        self.errcode = errcode


Receiver = Callable[[str, Mapping[str, Any]], None]


class Connection:
    """Stays subscribed until it is cancelled, kicked or refused; hands messages and events on as (req_id, body)."""

    def __init__(
        self, bot_id: str, secret: SecretStr, on_message: Receiver, on_event: Receiver, url: str, timing: Timing
    ) -> None:
        """Nothing connects before `run`."""
        self._bot_id, self._secret = bot_id, secret
        self._receivers = {"aibot_msg_callback": on_message, "aibot_event_callback": on_event}
        self._url, self._timing = url, timing
        self._socket: ClientConnection | None = None
        self._ready = asyncio.Event()  # subscribed; also set when there will be no connection any more
        self._ended = False
        self._wait, self._refused = timing.first_wait, 0
        self._acks: dict[str, asyncio.Future[int | None]] = {}  # an errcode; None: the socket is gone
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # req_ids that may still be answered. They die with the socket that they came on: each socket has a set of its
        # own, so that what is added to the set of an earlier one is of no effect.
        self.requests: set[str] = set()

    async def run(self) -> None:
        """Connect, and again after any close, even a clean one. Returns when kicked, or refused too often."""
        while True:
            try:
                reason = await self._live()
            except Kicked:
                log.error(KICKED)
                break
            except Rejected as error:
                self._refused += 1
                if self._refused == _SUBSCRIPTIONS:
                    log.error(REFUSED, self._refused, error.errcode, self._refused)
                    break
                reason = f"subscription: {error}"
            pause = self._wait * random.uniform(0.5, 1.0)
            log.warning("wecom_bot: no connection (%s); next attempt in %.1f s", reason, pause)
            await asyncio.sleep(pause)
            self._wait = min(2 * self._wait, self._timing.longest_wait)
        self._ended = True
        self._ready.set()

    async def request(self, cmd: str, body: Mapping[str, Any] | None = None, req_id: str = "") -> None:
        """Send a frame and see it acknowledged; those of one req_id go one after another. Raises Lost, Rejected."""
        from websockets.exceptions import ConnectionClosed

        req_id = req_id or f"{cmd}_{secrets.token_hex(8)}"
        frame = {"cmd": cmd, "headers": {"req_id": req_id}} | ({} if body is None else {"body": body})
        async with self._locks.setdefault(req_id, asyncio.Lock()):
            if self._socket is None:
                raise Lost("not connected")
            self._acks[req_id] = ack = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._timing.ack):  # sending to a dead peer may wait as well
                    await self._socket.send(json.dumps(frame))
                    errcode = await ack
            except (ConnectionClosed, TimeoutError) as error:
                raise Lost(type(error).__name__) from error
            finally:
                del self._acks[req_id]
        if errcode is None:
            raise Lost("closed")
        if errcode:
            raise Rejected(errcode)

    async def ready(self) -> None:
        """Wait until subscribed. Raises Lost when there will be no connection any more."""
        await self._ready.wait()
        if self._ended:
            raise Lost("ended")

    async def _live(self) -> str:
        """One socket from its opening to its end, and why it ended. Raises Kicked, and Rejected by the subscription."""
        from websockets.asyncio.client import connect

        try:
            async with connect(self._url, ping_interval=None, close_timeout=2, logger=_quiet) as socket:
                self._socket = socket
                tasks = [asyncio.create_task(self._read(socket)), asyncio.create_task(self._tend())]
                try:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._hang_up()
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                for task in tasks:
                    if task in done:
                        task.result()
        except (Kicked, Rejected):
            raise
        except Exception as error:  # the next attempt may succeed; the text of the error may quote a proxy's password
            return type(error).__name__
        return "closed"

    def _hang_up(self) -> None:
        """Nothing can be answered or acknowledged on the socket any more."""
        self._socket = None
        self._ready.clear()
        self.requests = set()
        for ack in self._acks.values():
            if not ack.done():
                ack.set_result(None)

    async def _tend(self) -> None:
        """Subscribe, then ping. Raises Lost when the other side is dead, Rejected when it refuses."""
        await self.request("aibot_subscribe", {"bot_id": self._bot_id, "secret": self._secret.get_secret_value()})
        self._ready.set()
        self._wait, self._refused = self._timing.first_wait, 0
        log.info("wecom_bot: connected")
        missed = 0
        while missed < _MISSED_PINGS:
            await asyncio.sleep(self._timing.ping)
            try:
                await self.request("ping")
                missed = 0
            except Rejected:  # an answer all the same
                missed = 0
            except Lost:
                missed += 1
        raise Lost("no ack to pings")

    async def _read(self, socket: ClientConnection) -> None:
        """Hand on each frame until the socket closes. A frame that cannot be read costs a line in the log."""
        async for raw in socket:
            try:
                self._receive(json.loads(raw))
            except (ValueError, RecursionError) as error:
                log.warning("wecom_bot: a frame that cannot be read was left out (%s)", type(error).__name__)
            except Kicked:
                raise
            except Exception:  # one frame must not end the connection
                log.exception("wecom_bot: a frame could not be handled")

    def _receive(self, frame: Any) -> None:
        """Hand on one frame. Raises ValueError when it is none, Kicked."""
        req_id, cmd = text_at(frame, "headers", "req_id"), text_at(frame, "cmd")
        receiver = self._receivers.get(cmd)
        if receiver:
            body = frame.get("body")
            if text_at(body, "event", "eventtype") == "disconnected_event":
                raise Kicked
            if not req_id or not isinstance(body, dict):
                raise ValueError("no req_id or body")
            receiver(req_id, body)
        elif req_id in self._acks and not cmd:
            errcode = frame.get("errcode", 0)
            if not self._acks[req_id].done():
                self._acks[req_id].set_result(errcode if isinstance(errcode, int) else -1)
        elif not req_id:
            raise ValueError("no frame")


class Throttle:
    """Frames go out no faster than WeCom takes them: so many per chat and minute, so many per hour.

    Only the chats of the last hour are remembered: no frame before that counts.
    """

    def __init__(self, limits: tuple[tuple[int, float], ...] = _LIMITS) -> None:
        """(frames, seconds) for each window."""
        self._limits = limits
        self._longest = max(seconds for _, seconds in limits)
        self._sent: OrderedDict[str, deque[float]] = OrderedDict()  # when frames went out; the latest chat last
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def turn(self, chat: str) -> None:
        """Wait until one more frame may go to a chat; first come, first served."""
        clock = asyncio.get_running_loop().time
        async with self._locks.setdefault(chat, asyncio.Lock()):
            sent = self._sent.get(chat) or deque(maxlen=max(frames for frames, _ in self._limits))
            for frames, seconds in self._limits:
                if len(sent) >= frames:
                    await asyncio.sleep(max(0.0, sent[-frames] + seconds - clock()))
            sent.append(clock())
            self._sent[chat] = sent
            self._sent.move_to_end(chat)
        self._forget(clock() - self._longest)

    def _forget(self, before: float) -> None:
        """Drop the chats that were sent nothing since."""
        while self._sent and next(iter(self._sent.values()))[-1] < before:
            self._sent.popitem(last=False)


def at(value: Any, *path: str) -> Any:
    """What is at a path of keys; None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text_at(value: Any, *path: str) -> str:
    """The text at a path of keys; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""
