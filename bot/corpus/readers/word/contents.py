"""Tables of contents among the lines of a document, typed by hand or made by a program."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEAD = re.compile(r"目[录錄次]|(?:tableof)?contents", re.IGNORECASE)
# A name, then dots or a tab, then the number of a page.
_ENTRY = re.compile(
    r"(.*?\S)(?:\s*(?:(?:[.．·•_—–-]\s?){3,}|(?:[…⋯]\s?){2,})|\s*\t)\s*[（(]?\s*(?:\d{1,4}|[ivxIVX]{1,6})\s*[)）]?\s*"
)
_PAGE_ENDS = tuple("0123456789ivxIVX)）")
_SENTENCE = re.compile("[。；;！!？?]")
_LONGEST = 60  # letters of a name
_LONGEST_LINE = 200  # characters, with the dots between a name and the number of its page
_STRANGERS = 2  # lines in a row that are named otherwise in the document, between two that are not
_RUN = 4  # lines with the numbers of pages that are contents also without a heading that says so


def is_contents_head(line: str) -> bool:
    """Whether a line is what stands above a table of contents."""
    return bool(_HEAD.fullmatch("".join(line.split())))


def contents_lines(lines: Sequence[str]) -> set[int]:
    """Which of the lines are a table of contents, with the heading above it; lines keep their tabs.

    Under a heading that says so these are lines with the numbers of pages, and names that stand again further down.
    Without one, only four or more lines with the numbers of pages, of which half stand again further down.
    """
    names = [_name(line) for line in lines]
    last = {name: place for place, name in enumerate(names)}
    paged = [_entry(line) is not None and not _SENTENCE.search(line) for line in lines]
    found: set[int] = set()
    place = 0
    while place < len(lines):
        if is_contents_head(lines[place]):
            end = _end(lines, names, last, paged, place + 1)
            if end > place + 2 or (end == place + 2 and paged[place + 1]):
                found.update(range(place, end))
            place = max(end, place + 1)
        elif paged[place]:
            end = place
            while end < len(lines) and paged[end]:
                end += 1
            again = sum(last[names[one]] >= end for one in range(place, end))
            if end - place >= _RUN and 2 * again >= end - place:
                found.update(range(place, end))
            place = end
        else:
            place += 1
    return found


def _end(lines: Sequence[str], names: Sequence[str], last: dict[str, int], paged: Sequence[bool], start: int) -> int:
    """Where the entries that begin at `start` end."""
    end = place = start
    while place < len(lines) and place - end <= _STRANGERS:
        line = lines[place].strip()
        if len(line) > _LONGEST or _SENTENCE.search(line) or is_contents_head(line):
            break
        if paged[place] or (last[names[place]] > place and not line.endswith(("：", ":"))):
            end = place + 1
        place += 1
    return end


def _name(line: str) -> str:
    """A line without the number of its page and without white space."""
    entry = _entry(line)
    return "".join((entry[1] if entry else line).split())


def _entry(line: str) -> re.Match[str] | None:
    """The parts of a line with the number of a page; the pattern is slow on long lines of dots."""
    ends_so = line.rstrip()[-1:] in _PAGE_ENDS and len(line) <= _LONGEST_LINE
    return _ENTRY.fullmatch(line) if ends_so else None
