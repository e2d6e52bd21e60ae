"""Open WebUI's background tasks: it asks the same model for titles, tags, follow-ups, queries and completions."""

from __future__ import annotations

import re
from typing import Any

from bot.excerpt import printable

_TASK = "### Task:"
# Each task shows the JSON that it wants; the first key of it tells which task it is.
_KEY = re.compile(r'\{\s*"(title|tags|follow_ups|queries|text)"')
_NOTHING: dict[str, Any] = {"tags": [], "follow_ups": [], "queries": [], "text": ""}
_HISTORY = re.compile(r"<chat_history>\s*(.*?)\s*</chat_history>", re.DOTALL)
_FIRST_QUESTION = re.compile(r"^USER: *(.*?)\s*(?=^[A-Z]+: |\Z)", re.DOTALL | re.MULTILINE)
_TITLE = 20  # characters


def task_reply(question: str) -> dict[str, Any] | None:
    """The JSON that a background task is content with, {} for one that is not known; None for a question of a user."""
    if not question.startswith(_TASK):
        return None
    wanted = _KEY.search(question.partition("<chat_history>")[0])
    if wanted is None:
        return {}
    key = wanted[1]
    return {"title": _title(question)} if key == "title" else {key: _NOTHING[key]}


def _title(task: str) -> str:
    history = _HISTORY.search(task)
    first = _FIRST_QUESTION.search(history[1]) if history else None
    return " ".join(printable(first[1]).split())[:_TITLE] if first else ""
