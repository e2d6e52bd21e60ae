"""Lists and what leads them in: which sentences of a passage answer together with the best one.

A passage is given as its text and the offsets of its sentences; `best` is the index of one of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from bot.text.marks import number_of

Spans = Sequence[tuple[int, int]]

# A sentence that ends so says that the answer follows: 申请人应当提交下列材料：
_LEADS_IN = re.compile("[:：]$")
_COMMENT = re.compile(r"(?:#|//|--)\s")  # of code: the lines below it do what it says
# A condition or a part of an enumeration says nothing without the sentence above its list: 有下列情形之一的，予以退学：
_PART = re.compile("[；;]$")
_MOST_ITEMS, _MOST_LETTERS, _LONGEST_ITEM, _MOST_COMMANDS = 12, 400, 60, 3
_ASKS = re.compile("流程|步骤|程序|哪些|哪几|清单|\\b(?:steps|procedure)\\b")


def is_asked_for(folded: str) -> bool:
    """Whether one item of a list is no answer to a folded question."""
    return _ASKS.search(folded) is not None


def led_in(text: str, spans: Spans, best: int) -> list[tuple[int, int]]:
    """What follows the sentence if it only leads in: the items after a colon, the command after a comment."""
    start, end = spans[best]
    following = spans[best + 1 : best + 1 + _MOST_ITEMS]
    if _COMMENT.match(text[start:end]):
        return list(takewhile(lambda span: not _COMMENT.match(text[slice(*span)]), following))[:_MOST_COMMANDS]
    return _items(text, following, start) if _LEADS_IN.search(text[start:end]) else []


def whole(text: str, spans: Spans, best: int) -> list[tuple[int, int]]:
    """The list of short items in which the sentence stands; none if it stands in no list."""
    first = _first(text, spans, best)
    if first is None:
        return []
    found = _items(text, spans[first : first + _MOST_ITEMS], spans[first][0])
    return found if len(found) > 1 and all(end - start <= _LONGEST_ITEM for start, end in found) else []


def lead(text: str, spans: Spans, best: int) -> list[tuple[int, int]]:
    """The sentence that leads in the list of which the sentence is a part; none if it stands by itself."""
    first = _first(text, spans, best)
    if not first or not _PART.search(text[slice(*spans[best])]):
        return []
    above = spans[first - 1]
    return [above] if _LEADS_IN.search(text[slice(*above)]) else []


def _first(text: str, spans: Spans, best: int) -> int | None:
    """The index of the first item of the list of a sentence; None if it is no item, or a clause of a statute."""
    style = number_of(text[slice(*spans[best])])[1]
    if style in ("", "article"):
        return None
    first = best
    while first and number_of(text[slice(*spans[first - 1])])[1] == style:
        first -= 1
    return first


def _items(text: str, spans: Sequence[tuple[int, int]], start: int) -> list[tuple[int, int]]:
    """The sentences from the first on that are items of one style, each on a new line, up to a number of letters."""
    found: list[tuple[int, int]] = []
    style, end = "", start
    for left, right in spans:
        item = number_of(text[left:right])[1]
        begins = not found or "\n" in text[end:left]
        if right - start > _MOST_LETTERS or not (item if begins else found) or (begins and style and item != style):
            break
        found.append((left, right))
        style, end = item if begins else style, right
    return found
