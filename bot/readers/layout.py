"""Lines of pages to text: running headers and page numbers dropped, lines joined to paragraphs, headings by their size.

A line knows where it stands and how large its letters are; what it means is a guess from those.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LARGER = 1.15  # a heading's letters are so much larger than the text's; captions and tables are smaller
_MAX_HEADING = 40
_OUTER = 0.125
_MAX_RUNNING = 3  # lines of a running header, and of a footer
_MIN_PAGES = 3  # on so many pages a line at the edge is one
_FULL = 0.8  # a line that is shorter than this share of a full line ends its paragraph
_PAGE_NUMBER = re.compile(
    r"[-–—·|\s]*(?:第\s*\d+\s*页(?:\s*[,，/]?\s*共\s*\d+\s*页)?|(?:page\s*)?\d{1,4}\s*(?:(?:/|of)\s*\d+)?|[ivxl]{1,6})[-–—·|\s]*",
    re.IGNORECASE,
)
# An entry of a table of contents: dots that lead to a page number. What it names stands again where it begins.
_CONTENTS = re.compile(r"(?:[.．·]\s*){5,}\d{0,4}$|…{2,}\s*\d{1,4}$")
_SENTENCE_END = re.compile(r"[。！？!?…：:；;.][”’」』）)\"']*$")
_ITEM = re.compile(
    r"(?:[•·●○■□◆◇▪➢✓–—-]\s|[(（]?[一二三四五六七八九十\d]{1,3}[)）、]|\d{1,2}[.．]\s"
    r"|第[一二三四五六七八九十百\d]+[章节条篇])"
)
_CJK = r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
_SPACED = re.compile(rf"(?<={_CJK}) (?={_CJK})")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page: its text, how high it stands, and the size of most of its letters, both in points.

    `outer` says whether it stands in the outer eighth of the page, where running headers and footers do.
    """

    text: str
    height: float
    size: float
    outer: bool = False
    cells: int = 1


def lines_of(pieces: Iterable[tuple[str, float, float, float]], foot: float, top: float) -> list[Line]:
    """Lines of a page from pieces (text, x, y, size) in the order of the file; pieces side by side are one row."""
    margin = _OUTER * (top - foot)
    found: list[Line] = []
    edge = 0.0  # where the last line began
    begun: list[tuple[str, float, float, float]] = []

    def end() -> None:
        nonlocal edge
        text = _unspaced(" ".join("".join(piece[0] for piece in begun).split()))
        if text:
            _, x, y, size = max(begun, key=lambda piece: len(piece[0].strip()))
            before = found[-1] if found else None
            if before and abs(before.height - y) < 0.3 * size and x > edge:
                found[-1] = Line(f"{before.text} | {text}", y, before.size, before.outer, before.cells + 1)
            else:
                found.append(Line(text, y, size, not foot + margin < y < top - margin))
            edge = x
        begun.clear()

    for text, x, y, size in pieces:
        head, *rest = text.split("\n")
        begun.append((head, x, y, size))
        for part in rest:
            end()
            begun.append((part, x, y, size))
    end()
    return found


def body_size(pages: Iterable[list[Line]]) -> float:
    """The size of most letters."""
    sizes = Counter[float]()
    for page in pages:
        for line in page:
            sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def headline(page: list[Line], body: float) -> str:
    """The largest line of a page, or two of them, where it is larger than the text."""
    largest = max((line.size for line in page), default=0.0)
    lines = [line.text for line in page if line.size == largest and line.cells == 1]
    if largest < LARGER * body or not lines or len(lines) > 2:
        return ""
    return join(*lines) if len(lines) == 2 else lines[0]


def paragraphs(pages: Iterable[list[Line]], body: float) -> list[str]:
    """The paragraphs, rows and headings of all pages in the order of the file."""
    lines = [line for page in pages for line in page if not _CONTENTS.search(line.text)]
    levels = _levels(lines, body)
    widths = sorted(width(line.text) for line in lines if line.cells == 1 and line.size not in levels)
    # Nine lines in ten are no longer than a full one: the tenth may hold narrow letters.
    full = widths[int(0.9 * (len(widths) - 1))] if widths else 0
    return list(_joined(lines, levels, full))


def without_running(pages: list[list[Line]], body: float) -> list[list[Line]]:
    """The pages without page numbers, running headers and running footers, peeled from the edges inwards."""
    for _ in range(_MAX_RUNNING):
        edges = [_edges(page) for page in pages]
        keys = [{key for line in edge for key in _keys(line, number)} for number, edge in enumerate(edges)]
        seen = Counter(key for page in keys for key in page)
        running = [
            [line for line in edge if _runs(line, len(pages), max(seen[key] for key in _keys(line, number)), body)]
            for number, edge in enumerate(edges)
        ]
        if not any(running):
            break
        pages = [[line for line in page if line not in run] for page, run in zip(pages, running, strict=True)]
    return pages


def _runs(line: Line, pages: int, seen: int, body: float) -> bool:
    if line.size >= LARGER * body:  # a chapter's heading, though each chapter begins a page
        return False
    if _PAGE_NUMBER.fullmatch(line.text):
        return pages > 1 or "页" in line.text
    return seen >= _MIN_PAGES


def _edges(page: list[Line]) -> list[Line]:
    """The lines that stand highest and lowest in the margins, wherever the file has them."""
    heights = [round(line.height) for line in page]
    return [line for line in page if line.outer and round(line.height) in (min(heights), max(heights))]


def _keys(line: Line, page: int) -> Iterator[tuple[str, int, int]]:
    """What is the same on each page of a running line: where it stands, and its words, but for the page's number."""
    height = round(line.height / 10)
    yield line.text, 0, height
    for number in re.finditer(r"\d{1,4}", line.text):
        yield f"{line.text[: number.start()]}#{line.text[number.end() :]}", int(number[0]) - page, height


def _levels(lines: list[Line], body: float) -> dict[float, int]:
    """Size -> level of heading, from the sizes that are larger than the text's and mostly stand on short lines."""
    lengths: dict[float, list[int]] = {}
    for line in lines:
        lengths.setdefault(line.size, []).append(len(line.text))
    large = sorted((size for size in lengths if size >= LARGER * body), reverse=True)
    headings = [size for size in large if sum(lengths[size]) / len(lengths[size]) <= _MAX_HEADING]
    return {size: min(6, level) for level, size in enumerate(headings, start=1)}


def _joined(lines: list[Line], levels: dict[float, int], full: int) -> Iterator[str]:
    open_text = ""
    before: Line | None = None
    for line in lines:
        heading = line.size in levels and line.cells == 1
        goes_on = before is not None and _goes_on(before, line, levels, full)
        if before is not None and not goes_on:
            yield open_text
        if goes_on:
            open_text = join(open_text, line.text)
        else:
            open_text = "#" * levels[line.size] + f" {line.text}" if heading else line.text
        before = line
    if before is not None:
        yield open_text


def _goes_on(before: Line, line: Line, levels: dict[float, int], full: int) -> bool:
    """Whether a line continues the one before it."""
    if before.cells > 1 or line.cells > 1 or before.size != line.size:
        return False
    if line.size in levels:  # a heading of two lines
        return 0 < before.height - line.height < 2 * line.size and width(before.text) >= 0.5 * full
    if _SENTENCE_END.search(before.text) or _ITEM.match(line.text):
        return False
    return width(before.text) >= _FULL * full


def join(left: str, right: str) -> str:
    """Two lines as one: a blank between Latin words, none beside a Chinese character, a hyphenated word whole."""
    if re.search(r"[a-z]-$", left) and re.match(r"[a-z]", right):
        return left[:-1] + right
    chinese = re.search(f"{_CJK}$", left) or re.match(_CJK, right) or re.search("[“‘（《—]$", left)
    return left + ("" if chinese else " ") + right


def width(text: str) -> int:
    """Columns: two for a Chinese character, one for the rest."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _unspaced(text: str) -> str:
    """`茶 的 历 史` as `茶的历史`: where half of the characters or more stand apart, the blanks are the printer's."""
    blanks = len(_SPACED.findall(text))
    return _SPACED.sub("", text) if blanks * 2 >= len(re.findall(_CJK, text)) > 2 else text
