"""What every messaging channel shares: a message is taken once, acknowledged, and answered in the background."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from bot.answer.followup import MAX_TURNS
from bot.answer.meta import language_of, meta, said_to
from bot.channels.claims import Claims
from bot.errors import JournalError, WenquError
from bot.journal import FILE, Journal, storable
from bot.pipeline import Bot
from bot.text.fold import fold, language
from bot.types import Answer, Turn

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger("wenqu")
# Answers wait for a model's words rather than for this machine's cores: 200 questions at 10 s each take a minute.
_THREADS = 32
# How long a stopping server waits for answers under way; what is left is taken up by the next one to start.
_DRAIN_SECONDS = 60.0
# How long a question may lean on one before, and how many conversations are remembered: some 10 MB of answers.
_FRESH_SECONDS = 600.0
_MAX_CONVERSATIONS = 2_000
# A signed request may be this old or this far ahead: a clock that is off by more is a fault of its own.
SIGNED_SECONDS = 300
ONLY_TEXT = "暂时只能读文字，请把问题打出来发给我。"
FAILED = {
    "zh": "出了点问题，没能回答。请稍后再问一次。",
    "en": "Something went wrong and there is no answer. Please ask again later.",
}


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message of a user. `conversation` is where the answer goes, `reply_to` the thread or the like within it."""

    platform: str
    tenant: str
    conversation: str
    user: str
    message_id: str
    text: str
    reply_to: str = ""

    @property
    def key(self) -> str:
        """The identity of the message, the same for each of its deliveries."""
        return storable(f"{self.platform}:{self.tenant}:{self.message_id}")


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: an answer, or words alone where nothing could be asked. `id` is for feedback."""

    id: str
    text: str
    answer: Answer | None = None


def is_current(timestamp: str, now: float) -> bool:
    """Whether a request's timestamp, seconds since the epoch in ASCII digits, is within SIGNED_SECONDS of now."""
    return re.fullmatch("[0-9]{1,12}", timestamp) is not None and abs(now - int(timestamp)) <= SIGNED_SECONDS


class Memory:
    """The last turns of each conversation, while they are fresh; in this process only.

    A turn is kept under its thread and under its user in that place: in a thread, anybody's question may lean on it.
    """

    def __init__(self) -> None:
        """An empty memory."""
        self._kept: OrderedDict[tuple[str, ...], list[tuple[float, Turn]]] = OrderedDict()

    def turns(self, inbound: Inbound) -> list[Turn]:
        """The turns that a message may lean on, the last one last."""
        oldest = time.monotonic() - _FRESH_SECONDS
        for key in _keys(inbound):
            if fresh := [turn for said, turn in self._kept.get(key, ()) if said >= oldest]:
                return fresh
        return []

    def keep(self, inbound: Inbound, turn: Turn) -> None:
        """Remember a turn; the conversation that was silent longest is forgotten where there are too many."""
        for key in _keys(inbound):
            self._kept[key] = [*self._kept.pop(key, []), (time.monotonic(), turn)][-MAX_TURNS:]
        while len(self._kept) > _MAX_CONVERSATIONS:
            self._kept.popitem(last=False)


def _keys(inbound: Inbound) -> list[tuple[str, ...]]:
    place = (inbound.platform, inbound.tenant, inbound.conversation)
    thread = [(*place, "thread", inbound.reply_to)] if inbound.reply_to else []
    return [*thread, (*place, "user", inbound.user)]


def _collections(setting: str) -> dict[str, frozenset[str]]:
    """The folders of the corpus that a platform asks, or one conversation of it: `slack=a,b; slack:C0123=b`."""
    parts = (part.partition("=") for part in setting.split(";") if part.strip())
    return {place.strip(): frozenset(name.strip() for name in names.split(",")) for place, _, names in parts}


Handler = Callable[[Inbound], Awaitable[None]]


class Desk:
    """Where one channel's messages come in: each is claimed in the journal, then handled to its end.

    The event loop never waits for the journal: claims and feedback go to a thread of the desk's own.
    """

    def __init__(self, bot: Bot) -> None:
        """Open the journal beside the index. Raises JournalError."""
        self._bot = bot
        self.claims = Claims(bot.settings.index / FILE, scrubbed=not bot.settings.journal)
        self.journal = Journal.from_settings(bot.settings)
        self._answers = ThreadPoolExecutor(_THREADS, thread_name_prefix="answer")
        self._writes = ThreadPoolExecutor(1, thread_name_prefix="claims")  # one thread, so that their order is kept
        self._reads = ThreadPoolExecutor(1, thread_name_prefix="replies")  # a read never queues behind a write
        self._memory = Memory()
        self._collections = _collections(bot.settings.channel_collections)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def take(self, inbound: Inbound, handle: Handler, *also: str) -> bool:
        """Claim a message and begin to handle it; False for one that was taken before, here or in another process.

        `also` are further keys that it may be delivered under. Raises JournalError when it cannot be claimed.
        """
        return await asyncio.shield(self.start(self._taken(inbound, handle, also)))

    async def leave(self, inbound: Inbound) -> None:
        """Claim a message for the next process, which takes it up. Raises JournalError."""
        await self.write(self.claims.claim, [inbound.key], asdict(inbound))

    async def feedback(self, answer: str, user: str, verdict: int) -> bool:
        """Keep what a user thinks of an answer: 1 good, -1 bad, 0 taken back; False where there is no such answer.

        Raises JournalError.
        """
        return await self.write(self.journal.record_feedback, answer, user, verdict)

    async def write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a call of the claims or the journal returns. Calls run one after another, even when nobody waits."""
        call = asyncio.get_running_loop().run_in_executor(self._writes, partial(work, *args, **kwargs))
        return await asyncio.shield(call)

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a call of the claims that only reads returns, whatever is being written."""
        return await asyncio.get_running_loop().run_in_executor(self._reads, partial(work, *args, **kwargs))

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something to its end in the background, even while the server stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _taken(self, inbound: Inbound, handle: Handler, also: Sequence[str]) -> bool:
        taken = await self.write(self.claims.claim, [inbound.key, *also], asdict(inbound))
        if taken:
            self.start(self._handled(inbound, handle))
        return taken

    async def _handled(self, inbound: Inbound, handle: Handler) -> None:
        try:
            await handle(inbound)
        except Exception as error:  # a platform that is down must not end the channel; what was asked is not logged
            where = log.isEnabledFor(logging.DEBUG)
            log.error("no answer could be sent: %s (%s: %s)", inbound.key, type(error).__name__, error, exc_info=where)
        # Not reached when cancelled: the next process takes the message up.
        try:
            await self.write(self.claims.finish, inbound.key)
        except JournalError as error:
            log.error("a message may be answered twice: %s (%s)", inbound.key, error)

    async def answer(self, inbound: Inbound, reply_id: str = "") -> Reply:
        """The reply to a message. Never raises: what goes wrong is said in the language of the question.

        `reply_id` is for a channel that must name the reply before there is one.
        """
        words = language(fold(inbound.text))
        if (about := meta(inbound.text)) and about.small_talk:  # nothing is asked, so nothing is recorded
            return Reply("", said_to(about, language_of(inbound.text)))
        try:
            history = self._memory.turns(inbound)
            run = asyncio.get_running_loop().run_in_executor
            answer = await run(self._answers, self._recorded, inbound, history, reply_id)
        except WenquError as error:
            return Reply("", str(error))
        except Exception:
            log.exception("no answer: %s", inbound.key)
            return Reply("", FAILED[words])
        self._memory.keep(inbound, answer.turn)
        return Reply(answer.id or reply_id or secrets.token_hex(8), answer.text, answer)

    def _recorded(self, inbound: Inbound, history: Sequence[Turn], reply_id: str) -> Answer:
        """The answer, recorded in the journal."""
        place = f"{inbound.platform}:{inbound.conversation}"
        asked = self._collections.get(place) or self._collections.get(inbound.platform)
        bot = self._bot.within(asked) if asked else self._bot
        return self.journal.keep(bot.ask(inbound.text, history), inbound.platform, reply_id)

    @asynccontextmanager
    async def open(self, platform: str, handle: Handler | None = None) -> AsyncIterator[None]:
        """While a server runs: first takes up what an earlier process left behind, at the end waits for the answers."""
        if handle:
            for message in await self.write(self.claims.left_behind, platform):
                self.start(self._handled(Inbound(**message), handle))
        yield
        clock = asyncio.get_running_loop().time
        end = clock() + _DRAIN_SECONDS
        while self._tasks and clock() < end:  # a claim under way becomes an answer under way
            await asyncio.wait(self._tasks, timeout=end - clock())
        for task in self._tasks:
            task.cancel()
        # What is not claimed by now is delivered again: a journal that stays locked must not hold up the end.
        for threads in (self._answers, self._writes, self._reads):
            threads.shutdown(wait=False, cancel_futures=True)
