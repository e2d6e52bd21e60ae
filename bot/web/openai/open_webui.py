"""What Open WebUI sends beside questions: tasks for titles, tags and the like, and the wrapping of attached files."""

from __future__ import annotations

import re
from typing import Any

from bot.text.printable import one_line

_TASK = "### Task:"
# Each task shows the JSON that it wants; the first key of it tells which task it is.
_KEY = re.compile(r'\{\s*"(title|tags|follow_ups|queries|text)"')
_NOTHING: dict[str, Any] = {"tags": [], "follow_ups": [], "queries": [], "text": ""}
_TITLE = 20  # characters


def user_question(text: str) -> str:
    """The question without the instruction and the context that an attached file or a web search sets before it."""
    if not text.startswith(_TASK) or "</context>" not in text:
        return text
    # Older versions set tags around the question, newer ones nothing.
    return text.rpartition("</context>")[2].replace("<user_query>", "").replace("</user_query>", "").strip()


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
    """The beginning of the first question in the history, which reads `USER: ...`, `ASSISTANT: ...` by lines."""
    history = task.partition("<chat_history>")[2].partition("</chat_history>")[0]
    first = history.partition("USER:")[2].partition("\nASSISTANT:")[0]
    return one_line(first)[:_TITLE]
