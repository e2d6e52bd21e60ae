"""The live generation of an index folder: opened, replaced when a new one is published, built when necessary."""

from __future__ import annotations

import threading
from contextlib import suppress

from bot.corpus.scan import scan
from bot.errors import IndexDamaged, IndexMissing, IndexSuperseded, WenquError
from bot.index.build import Progress, Summary, build_index
from bot.index.generations import current_generation
from bot.index.opened import Index, is_stale, open_index, open_whole
from bot.index.publish import tidy
from bot.settings import Settings
from bot.types import Embedder


class LiveIndex:
    """The published index as this process has it open. Thread-safe."""

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        """Remember where the index is; `get` opens it."""
        self._settings, self._embedder = settings, embedder
        self._opening = threading.Lock()
        self._opened: Index | None = None
        self._current: str | None = None
        self.progress: tuple[int, int] | None = None  # files done and all files of the run under way in this process

    @property
    def is_open(self) -> bool:
        """Whether a generation is open."""
        return self._opened is not None

    def get(self) -> Index:
        """The live generation; opens a new one when CURRENT changes. A damaged one never replaces the one in use.

        One caller opens a new generation while the others continue with the old one; only the first opening blocks.
        Call it once per answer: a generation stays open as long as somebody holds it. Raises as open_whole does.
        """
        opened = self._opened
        if opened is None:
            with self._opening:
                return self._opened or self._open(None)
        if self._seen() != self._current and self._opening.acquire(blocking=False):
            try:
                return self._open(opened)
            finally:
                self._opening.release()
        return opened

    def refresh(self, progress: Progress = lambda done, total: None) -> Summary | None:
        """Build the index if there is none or the corpus has changed; None if there was nothing to do.

        Raises as build_index and open_index do: an index that is damaged or was made by another model is not
        overwritten.
        """

        def told(done: int, total: int) -> None:
            self.progress = done, total
            progress(done, total)

        try:
            return self._refreshed(told)
        finally:
            self.progress = None

    def _refreshed(self, progress: Progress) -> Summary | None:
        while True:
            try:
                base = self.get()
                if "index" in base.degraded:  # the previous generation serves: raise what is wrong with the live one
                    base = self._reopen()
            except IndexMissing:
                return build_index(self._settings, self._embedder, progress)
            seen = scan(self._settings.corpus)
            if not is_stale(seen, base):
                tidy(self._settings.index)
                return None
            with suppress(IndexSuperseded):
                return build_index(self._settings, self._embedder, progress, base=base, seen=seen)

    def _open(self, opened: Index | None) -> Index:
        """Open the live generation; if it cannot be used, keep `opened` and mark it as degraded."""
        current = self._seen()
        try:
            if opened:
                opened = open_index(self._settings, self._embedder, opened)
            else:
                opened = open_whole(self._settings, self._embedder)
        except WenquError as error:
            if opened is None:
                raise
            opened.degraded["index"] = str(error)
        self._opened, self._current = opened, current
        return opened

    def _reopen(self) -> Index:
        """The live generation, opened again without falling back to another. Raises what is wrong with it."""
        with self._opening:
            current = self._seen()
            index = open_index(self._settings, self._embedder)
            self._opened, self._current = index, current
        return index

    def _seen(self) -> str | None:
        """The content of CURRENT; if it is damaged, the error message, which changes when it is repaired."""
        try:
            return current_generation(self._settings.index)
        except IndexDamaged as error:
            return str(error)
