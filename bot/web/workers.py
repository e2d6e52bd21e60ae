"""The workers of `wenqu serve`: processes that are started, watched, replaced when they end, and given up in the end.

A worker says through a pipe that it serves, or why it cannot. What a worker does is not known here.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from bot.errors import WenquError

log = logging.getLogger("wenqu")
SERVES = ""  # what a worker sends when it answers questions; anything else is why it cannot
# A worker that ended before it had served for so long did not hold. It is started again after a pause, each time a
# longer one; after the last of them it is given up.
_HOLDS_SECONDS = 5.0
_PAUSES = (0.5, 1.0, 2.0, 4.0)
_LOOK_SECONDS = 0.5  # how often it is looked whether a worker died


def supervise(places: Sequence[Place]) -> None:
    """Keep a worker in each place until SIGTERM or Ctrl-C, then end them all.

    Raises WenquError when one cannot be kept, with what it said last.
    """
    stopping = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stopping.set())
    with contextlib.ExitStack() as running:
        for place in places:
            running.callback(place.join)
        for place in places:
            running.callback(place.terminate)
            place.start()
        while not stopping.wait(_LOOK_SECONDS):
            for place in places:
                place.look()


class Place:
    """One of the workers, whichever process it is at present."""

    def __init__(self, start: Callable[[], tuple[SpawnProcess, Connection]], ended: Callable[[int], None]) -> None:
        """`start` gives a started process and the end of a pipe on which it speaks; `ended` is told its number."""
        self._start, self._ended = start, ended
        self._process: SpawnProcess | None = None
        self._failures = 0
        self._again = 0.0  # when to start the next one

    def start(self) -> None:
        """Begin a process."""
        self._process, self._pipe = self._start()
        self._serving: float | None = None
        self._reason = ""

    def look(self) -> None:
        """Replace a worker that has ended, at once if it served well. Raises WenquError when it never does."""
        if self._process is None:
            if time.monotonic() >= self._again:
                self.start()
            return
        alive = self._process.is_alive()  # before it is listened to: what it said last counts
        for said in self._said():
            if said == SERVES:
                self._serving = time.monotonic()
            else:
                self._reason = said
        if alive:
            return
        self._bury(self._process)
        held = self._serving is not None and time.monotonic() - self._serving >= _HOLDS_SECONDS
        self._failures = 0 if held else self._failures + 1
        if self._failures > len(_PAUSES):
            raise WenquError(
                f"工作进程连续 {self._failures} 次启动失败",
                f"a worker failed {self._failures} times in a row: {self._reason}",
            )
        pause = _PAUSES[self._failures - 1] if self._failures else 0.0
        log.error("a worker ended and is replaced in %g s: %s", pause, self._reason)
        self._again = time.monotonic() + pause
        if not pause:
            self.start()

    def _bury(self, process: SpawnProcess) -> None:
        """Take leave of a process that has ended."""
        self._reason = self._reason or f"it ended with {_named(process.exitcode)}"
        self._ended(process.pid or 0)
        self._pipe.close()
        process.close()
        self._process = None

    def _said(self) -> Iterator[str]:
        with contextlib.suppress(EOFError, OSError):  # a process that has ended says nothing more
            while self._pipe.poll():
                yield self._pipe.recv()

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process is not None:
            self._process.terminate()

    def join(self) -> None:
        """Wait until it has."""
        if self._process is not None:
            self._process.join()


def _named(code: int | None) -> str:
    """An exit code as people know it: by the name of the signal where there was one."""
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
