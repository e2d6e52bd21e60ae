"""An index that is kept fresh while it is served: a file that is dropped into the corpus is found a moment later."""

from __future__ import annotations

import logging
import threading

from watchfiles import watch

from bot.errors import WenquError
from bot.pipeline import Bot

log = logging.getLogger("wenqu")
_LOOK_MS = 500  # how often it is looked whether to stop
_GATHER_MS, _PAUSE_MS = 3_000, 100  # changes are taken together until there is such a pause


class Watch(threading.Thread):
    """Refreshes a bot's index whenever the corpus changes. What cannot be indexed is logged, and the old one serves."""

    def __init__(self, bot: Bot) -> None:
        """Nothing is watched before `start`."""
        super().__init__(name="watch", daemon=True)  # a run that is cut off leaves the old index
        self._bot = bot
        self._over = threading.Event()

    def run(self) -> None:
        """Watch until `stop`."""
        try:
            for _ in watch(
                self._bot.settings.corpus,
                watch_filter=None,
                debounce=_GATHER_MS,
                step=_PAUSE_MS,
                stop_event=self._over,
                rust_timeout=_LOOK_MS,
            ):
                self._refresh()
        except (OSError, RuntimeError) as error:  # too many folders for this system, or the corpus is gone
            log.warning("the corpus is not watched any more: %s", error)

    def _refresh(self) -> None:
        try:
            if summary := self._bot.refresh():
                log.info("%s: %d articles, %.1f s", summary.generation, summary.articles, summary.seconds)
                self._bot.generation()  # opened now, so that no question waits for it
        except WenquError as error:
            log.warning("%s", error)

    def stop(self) -> None:
        """End it; a run that is under way goes on to its end."""
        self._over.set()
