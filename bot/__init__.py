"""问渠 Wenqu: answers questions from a folder of Chinese documents and marks the sentence that proves the answer.

from bot import Bot

print(Bot(corpus="corpus").ask("合肥为什么能成功?").text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.pipeline import Bot
    from bot.settings import Settings
    from bot.types import Answer, Done, Event, Evidence, Hit, Passage, Sources, Text, Turn

__version__ = "0.2.0"
__all__ = ["Answer", "Bot", "Done", "Event", "Evidence", "Hit", "Passage", "Settings", "Sources", "Text", "Turn"]


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for: `wenqu --help` pays for none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    room = {"Bot": "pipeline", "Settings": "settings"}.get(name, "types")
    return getattr(importlib.import_module(f"bot.{room}"), name)
