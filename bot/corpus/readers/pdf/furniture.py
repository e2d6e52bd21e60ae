"""What belongs to the pages of a PDF and not to its text: running heads, page numbers, watermarks, contents tables.

Told by where it stands and how it behaves over the pages, never by what it looks like alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.corpus.readers.pdf.layout import Line, Piece, Table, line_of, rows_of
from bot.corpus.readers.pdf.pdfium import Turned

_OUTER = 0.14  # the share of a page's height, above and below, in which running heads stand
_MAX_RUNNING = 4  # lines of a running head, and of a foot
_MIN_PAGES = 3  # what is at the edge of at least this many pages is a running head or foot
_MIN_NUMBERED = 2  # the same if it counts the pages, as a head does that stands on every other page
_LARGE = 1.3  # letters so many times as large as the text are a chapter's name, which may be at the top of each page
_PAGE_NUMBER = re.compile(
    r"[-–—·•|\s_]*(?:第\s*[\d一二三四五六七八九十百]+\s*页(?:\s*[,，/]?\s*共\s*[\d一二三四五六七八九十百]+\s*页)?"
    r"|(?:page\s*)?\d{1,4}\s*(?:(?:/|of)\s*\d+)?|[ivxl]{1,6})[-–—·•|\s_]*",
    re.IGNORECASE,
)
# Dots before a page number.
_LEADERS = re.compile(r"(?:[.．·]\s*){5,}[\dⅠ-Ⅻivx（(）)\-—\s]{0,8}$|(?:…\s*){2,}[(（]?\d{1,4}[)）]?$")
_ORNAMENT = re.compile(r"([-—=*~!#＊\ue000-\uf8ff])(?:\s?\1){7,}")
_CONTENTS = re.compile(r"目\s*[录錄次]|(?:table of )?contents", re.IGNORECASE)
_ENTRY = re.compile(r"\S.*\D[\s（(]*(\d{1,4})[)）]?$")


@dataclass(frozen=True, slots=True)
class Furniture:
    """A piece of furniture: what it says, why it was left out, its page from 0."""

    text: str
    reason: str
    page: int


@dataclass(slots=True)
class _Edge:
    """A line at the edge of a page: its text, height and size, and the pieces it is made of."""

    text: str
    height: float
    size: float
    pieces: list[Piece]


def without_running(
    pages: list[list[Piece]], heights: Sequence[tuple[float, float]], body: float
) -> tuple[list[list[Piece]], list[Furniture]]:
    """The pieces of the pages without running heads and page numbers, from the edges inwards, and what these say.

    `heights` are the lower and upper edge of each page, `body` the size of most of the text.
    """
    left_out: list[Furniture] = []
    kept = list(pages)
    rows = [_rows(page, *edges) for page, edges in zip(pages, heights, strict=True)]
    for _ in range(_MAX_RUNNING):
        edges = [_edges(page) for page in rows]
        keys = [{key for edge in its for key in _keys(edge, number)} for number, its in enumerate(edges)]
        seen = Counter(key for page in keys for key in page)
        # What counts the pages needs less proof.
        seen.update({key: _MIN_PAGES - _MIN_NUMBERED for key, count in seen.items() if "#" in key[0] and count > 1})
        found = False
        for number, its in enumerate(edges):
            for edge in its:
                reason = _reason(edge, len(pages), max(seen[key] for key in _keys(edge, number)), body)
                if not reason:
                    continue
                found = True
                left_out.append(Furniture(edge.text, reason, number))
                gone = set(map(id, edge.pieces))
                kept[number] = [piece for piece in kept[number] if id(piece) not in gone]
                rows[number] = [row for row in rows[number] if row is not edge]
        if not found:
            break
    return kept, left_out


def _rows(page: list[Piece], low: float, high: float) -> list[_Edge]:
    """The lines in the margins of a page, and one without pieces for the text between them."""
    margin = _OUTER * (high - low)
    found = []
    for row in rows_of(page):
        base = row[0].base
        if base > high - margin or base < low + margin:
            line = line_of(row, 0)
            found.append(_Edge(line.text, base - low, line.size, list(row)))
        elif not found or found[-1].pieces:
            found.append(_Edge("", base - low, 0.0, []))  # the text between the margins
    return found


def _edges(rows: list[_Edge]) -> list[_Edge]:
    """The highest and the lowest line of a page, if they are in the margins."""
    ends = rows[:1] + rows[-1:] if len(rows) > 1 else rows[:1]
    return [row for row in ends if row.pieces]


def _keys(edge: _Edge, page: int) -> Iterator[tuple[str, int, int]]:
    """What a running line has in common on every page: its height and its text except for the page number."""
    text = edge.text.replace(" ", "")
    height = round(edge.height / 8)
    yield text, 0, height
    for number in re.finditer(r"\d{1,4}", text):
        yield f"{text[: number.start()]}#{text[number.end() :]}", int(number[0]) - page, height


def _reason(edge: _Edge, pages: int, seen: int, body: float) -> str:
    """Why the line is furniture; "" if it is not."""
    if (edge.size >= _LARGE * body and seen < 2 * _MIN_PAGES) or edge.text.endswith(("。", "；", "！", "？")):
        return ""
    if _PAGE_NUMBER.fullmatch(edge.text):
        return "page number" if pages > 1 or "页" in edge.text else ""
    return "running head" if seen >= _MIN_PAGES else ""


def without_ornaments(pieces: Sequence[Piece], page: int) -> tuple[list[Piece], list[Furniture]]:
    """The pieces of a page without rows of one mark over and over, which are drawn lines."""
    found = [piece for piece in pieces if _ORNAMENT.fullmatch(piece.text)]
    gone = set(map(id, found))
    kept = [piece for piece in pieces if id(piece) not in gone]
    return kept, [Furniture(piece.text, "ornament", page) for piece in found]


def watermarks(turned: Sequence[Sequence[Turned]]) -> set[tuple[str, int, int]]:
    """The texts that stand askew at one place on most pages, as `mark_of` names them."""
    seen = Counter(mark for page in turned for mark in {mark_of(one) for one in page})
    most = max(_MIN_PAGES, len(turned) / 2)
    return {mark for mark, count in seen.items() if count >= most}


def mark_of(turned: Turned) -> tuple[str, int, int]:
    """A text with its place, so that it is the same on each page."""
    text, x, y = turned
    return text, round(x / 8), round(y / 8)


def contents(items: Sequence[Line | Table]) -> set[int]:
    """The numbers of the lines that make a table of contents: entries with their page, and its heading."""
    found = {number for number, item in enumerate(items) if isinstance(item, Line) and _is_entry(item)}
    for number, item in enumerate(items):
        if isinstance(item, Line) and _CONTENTS.fullmatch(item.text.strip()):
            after = number + 1
            page = 0
            entries = []
            while after < len(items) and (after in found or (entry := _page_of(items[after])) >= page):
                page = page if after in found else entry
                entries.append(after)
                after += 1
            if len(entries) >= 3:
                found |= {number, *entries}
    return found


def _is_entry(line: Line) -> bool:
    return bool(_LEADERS.search(line.text))


def _page_of(item: Line | Table) -> int:
    """The page that an entry of a table of contents without dots names; -1 if it is none."""
    if not isinstance(item, Line) or len(item.segments) < 2:
        return -1
    match = _ENTRY.fullmatch(item.text)
    return int(match[1]) if match and item.segments[-1].text.strip("()（） ").isdigit() else -1
