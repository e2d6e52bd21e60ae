"""The lines of a page in reading order, put together from letters: pieces, rows, columns."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from bot.corpus.readers.pdf.glyphs import Glyph
from bot.corpus.readers.pdf.pdfium import Rule
from bot.corpus.tables import Cell

CJK = r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
_IS_CJK = re.compile(CJK)
_HYPHENATED = re.compile(r"[A-Za-z]-")
_IS_LETTER = re.compile(r"[\u3400-\u9fff]")
_LABEL_END = re.compile(r"[\u3400-\u9fff]\s*[：:]")
_SPACED = re.compile(rf"(?<={CJK}) (?={CJK})")
_MARKER = re.compile(r"[•·●○■□◆◇▪❖➢✓✗☑☒★▲△※–—-]|[(（]?[一二三四五六七八九十\d]{1,3}[)）、.．]")
# Marks without a blank before or after them, because half of their width is empty.
_CLOSING, _OPENING = set("，。、；：！？）】》」』”’"), set("（【《「『“‘")
# Gaps between letters, in letter sizes.
_BLANK = 0.75  # a blank next to Chinese, which justified lines do not reach
_WRITTEN_BLANK = 0.4  # the same where the file has one
_LATIN_BLANK = 0.25
_PIECE = 1.0  # more ends a piece: a gutter between columns may be as narrow
CELL = 2.0  # a cell begins
_SPREAD = 6.0  # between the letters of a label of two that is spread to the width of others
_SMALL = 0.8  # superscripts are at most this large, against the letters beside them
_UNDER = 3.5  # points between letters and a line below them
_LONGEST_SMALL = 40  # letters of a superscript
_BIN = 4.0  # points, the grain in which gutters are looked for
_MIN_GUTTER_LINES = 6.0  # lines of text side by side that show two columns
_MIN_COLUMN = 9  # letters in the width of a column of text; those of tables are narrower
_FILLED = 0.5  # the share of the width of a column that its lines fill, on average; cells of a table fill less


@dataclass(slots=True)
class Piece:
    """Letters that follow one another on a line, in one size."""

    text: str
    left: float
    right: float
    base: float
    size: float
    bold: bool


@dataclass(slots=True)
class Line:
    """A line of a column: its pieces of text, with a gap of two letters or more between them.

    `left` and `right` are its ends, `frame` those of its column; `size` is that of most of its letters. Its `pieces`
    have smaller gaps between them. `is_fixed` says that another column stands beside its own.
    """

    segments: list[Piece]
    page: int
    frame: tuple[float, float] = (0.0, 0.0)
    is_fixed: bool = False
    left: float = 0.0
    right: float = 0.0
    base: float = 0.0
    size: float = 0.0
    bold: bool = False
    text: str = ""
    pieces: Sequence[Piece] = ()


@dataclass(slots=True)
class Table:
    """A table of a page: its box (left, bottom, right, top), its rows of cells, the places of its columns.

    A new page begins at each of the rows `breaks`; `header_rows` is None where nothing shows which rows are headers.
    """

    box: tuple[float, float, float, float]
    grid: list[list[Cell | None]]
    columns: tuple[float, ...]
    page: int
    breaks: list[int] = field(default_factory=list)
    header_rows: int | None = None


def pieces_of(glyphs: Iterable[Glyph]) -> list[Piece]:
    """The pieces that letters in the order of the file make."""
    found: list[Piece] = []
    letters: list[str] = []
    last: Glyph | None = None
    start, base, size, bold = 0.0, 0.0, 0.0, False

    def end() -> None:
        if last and letters:
            found.append(Piece("".join(letters), start, last.right, base, size, bold))
            letters.clear()

    for glyph in glyphs:
        if last is not None:
            gap = glyph.left - last.right
            if (
                glyph.bold == bold
                and abs(glyph.base - base) < 0.2 * size
                and 0.85 < glyph.size / (size or 1) < 1.18
                and -0.7 * size < gap < _PIECE * size
            ):
                if _is_blank(last.text, glyph.text, gap, size, glyph.spaced):
                    letters.append(" ")
                letters.append(glyph.text)
                last = glyph
                continue
            end()
        letters.append(glyph.text)
        last, start, base, size, bold = glyph, glyph.left, glyph.base, glyph.size or 1.0, glyph.bold
    end()
    return found


def _is_blank(left: str, right: str, gap: float, size: float, spaced: bool) -> bool:
    """Whether there is a blank between two letters."""
    if right in _CLOSING or left in _OPENING:
        return False
    if _IS_CJK.match(left) or _IS_CJK.match(right) or left == "/" or (left in ".," and right.isdigit()):
        return gap >= (_WRITTEN_BLANK if spaced else _BLANK) * size
    return gap >= _LATIN_BLANK * size or (spaced and gap > 0.05 * size)


def rows_of(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces by the line on which they stand, from top to bottom, each from left to right."""
    _raise_small(pieces)
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda one: -one.base):
        if rows and rows[-1][0].base - piece.base <= 0.35 * min(rows[-1][0].size, piece.size):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    for row in rows:
        row.sort(key=lambda one: one.left)
    return rows


def _raise_small(pieces: Sequence[Piece]) -> None:
    """Put superscripts and subscripts on the line of the letters that they touch."""
    ordered = sorted(pieces, key=lambda one: one.base)
    bases = [one.base for one in ordered]
    reach = 0.9 * max((one.size for one in pieces), default=0.0)
    hosts: dict[int, Piece] = {}  # by the piece that was put on the line of another
    for piece in sorted(pieces, key=lambda one: one.left):
        if len(piece.text) > _LONGEST_SMALL:
            continue
        for other in ordered[bisect_left(bases, piece.base - reach) : bisect_right(bases, piece.base + reach)]:
            host = hosts.get(id(other), other)
            near = 0.4 * host.size
            touches = abs(piece.left - other.right) < near or abs(other.left - piece.right) < near
            if touches and host is not piece and _is_beside(piece, host):
                hosts[id(piece)] = host
                break
    for piece in pieces:
        if id(piece) in hosts:
            piece.base = hosts[id(piece)].base


def with_blanks(pieces: Sequence[Piece], across: Sequence[Rule]) -> list[Piece]:
    """The pieces of a page with those that have to be filled in: a line below nothing, beside text, is `____`."""
    found = list(pieces)
    bases = sorted({piece.base for piece in pieces})
    rows: dict[float, list[Piece]] = defaultdict(list)
    for piece in pieces:
        rows[piece.base].append(piece)
    for rule in across:
        near = bases[bisect_left(bases, rule.at - 1) : bisect_right(bases, rule.at + _UNDER)]
        beside = [piece for base in near for piece in rows[base]]
        if not beside:
            continue
        size = beside[0].size
        covered = intervals([(one.left, one.right) for one in beside], 0.0)
        start = rule.start
        for left, right in [*covered, (rule.end, rule.end)]:
            end = min(left, rule.end)
            if end - start >= 1.2 * size and any(
                abs(one.right - start) < 2 * size or abs(one.left - end) < 2 * size for one in beside
            ):
                found.append(Piece("____", start, end, beside[0].base, size, False))
            start = max(start, right)
    return found


def _is_beside(piece: Piece, host: Piece) -> bool:
    """Whether a piece is a superscript or subscript by its size, or by a height at which no line can stand."""
    offset = (piece.base - host.base) / host.size
    if piece.size < _SMALL * host.size:
        return -0.4 <= offset <= 0.85
    return 0.2 < abs(offset) <= 0.6 and len(piece.text) <= 12 and len(piece.text) < len(host.text)


def line_of(row: Sequence[Piece], page: int, frame: tuple[float, float] = (0.0, 0.0), cell: float = CELL) -> Line:
    """A line from pieces, from left to right; a piece that is less than `cell` letters away joins the one before it."""
    segments: list[Piece] = []
    larger = row[0]
    for piece in row:
        before = segments[-1] if segments else None
        size = max(before.size, piece.size) if before else piece.size
        gap = piece.left - before.right if before else 0.0
        if before and gap < _SPREAD * size and _IS_LETTER.fullmatch(before.text) and _LABEL_END.match(piece.text):
            before.text += piece.text  # 地      址：
            before.right = piece.right
            continue
        if before is None or gap >= cell * size:
            larger = piece
            segments.append(Piece(piece.text, piece.left, piece.right, piece.base, piece.size, piece.bold))
            continue
        blank = " " if _is_blank(before.text[-1], piece.text[0], gap, size, True) and gap > 0.15 * size else ""
        if piece.right - piece.left > larger.right - larger.left:
            larger = piece
        before.text += blank + piece.text
        before.right = max(before.right, piece.right)
        before.bold, before.size = larger.bold, larger.size
    if (
        len(segments) == 2 and cell == CELL and _MARKER.fullmatch(segments[0].text)
    ):  # a bullet with its text behind a tab
        first, second = segments
        if second.left - first.right < 2 * CELL * second.size:
            text = f"{first.text} {second.text}"
            segments = [Piece(text, first.left, second.right, second.base, second.size, second.bold)]
    for segment in segments:
        segment.text = _unspaced(segment.text)
    main = max(segments, key=lambda one: one.right - one.left)
    text = " ".join(one.text for one in segments)
    return Line(
        segments,
        page,
        frame,
        left=segments[0].left,
        right=max(one.right for one in segments),
        base=main.base,
        size=main.size,
        bold=main.bold,
        text=text,
        pieces=row,
    )


def _unspaced(text: str) -> str:
    """`茶 的 历 史` becomes `茶的历史`: if half of the characters are spaced, the spaces are only typographic."""
    blanks = len(_SPACED.findall(text))
    return _SPACED.sub("", text) if blanks * 2 >= len(re.findall(CJK, text)) >= 2 else text


def gutter(pieces: Sequence[Piece], known: Sequence[float] = ()) -> float | None:
    """The middle of the white strip between two columns of text, None if there is only one.

    `known` are the gutters of other pages, which need less proof.
    """
    if len(pieces) < 4:
        return None
    left, right = min(one.left for one in pieces), max(one.right for one in pieces)
    width = int((right - left) / _BIN) + 1
    masks: dict[int, int] = {}
    for piece in pieces:
        first, last = int((piece.left - left) / _BIN), int((piece.right - left - 0.5) / _BIN)
        mask = ((1 << (last - first + 1)) - 1) << first
        for y in range(int((piece.base - 0.1 * piece.size) / _BIN), int((piece.base + 0.7 * piece.size) / _BIN) + 1):
            masks[y] = masks.get(y, 0) | mask
    size = sorted(one.size for one in pieces)[len(pieces) // 2]
    best: tuple[float, int] = (0.0, 0)
    for x in range(int(0.25 * width), int(0.75 * width) + 1):
        place = left + (x + 0.5) * _BIN
        is_known = any(abs(place - one) < 2 * _BIN for one in known)
        score = _columns(masks, x, width, 0.2 if is_known else _MIN_GUTTER_LINES * 1.0 * size / _BIN)
        if score > best[0]:
            best = (score, x)
    if not best[0] or _narrowest(masks, best[1], width) < _MIN_COLUMN * size / _BIN:
        return None
    # The middle of the strip: other places beside it that are as good.
    x = best[1]
    end = x
    while _columns(masks, end + 1, width, 0.1) >= best[0]:
        end += 1
    return left + ((x + end) / 2 + 0.5) * _BIN


def _columns(masks: dict[int, int], x: int, width: int, least: float) -> float:
    """How well a strip at `x` parts the text: slices of the page with text on both sides, less those that cross it."""
    bit, before = 1 << x, (1 << x) - 1
    both = crossed = 0
    filled_left = filled_right = 0
    for mask in masks.values():
        if mask & bit:
            crossed += 1
            continue
        here, there = mask & before, mask >> (x + 1)
        if here and there:
            both += 1
            filled_left += here.bit_count()
            filled_right += there.bit_count()
    if both < max(1.0, least) or both < 0.3 * crossed:
        return 0.0
    if filled_left < _FILLED * both * x or filled_right < _FILLED * both * (width - x - 1):
        return 0.0
    return both - 0.2 * crossed


def _narrowest(masks: dict[int, int], x: int, width: int) -> int:
    """The width of the narrowest of the columns that stand side by side where the strip at `x` is white."""
    beside = [mask for mask in masks.values() if not mask >> x & 1 and mask & ((1 << x) - 1) and mask >> (x + 1)]
    covered = [sum(mask >> place & 1 for mask in beside) > 0.1 * len(beside) for place in range(width)]
    widths = [len(list(group)) for is_text, group in groupby(covered) if is_text]
    return min(widths, default=0)


def in_reading_order(
    pieces: Sequence[Piece],
    tables: Sequence[Table],
    page: int,
    known: Sequence[float] = (),
    frame: tuple[float, float] | None = None,
) -> list[Line | Table]:
    """The lines and tables of a page, column by column between what stands over the full width.

    `frame` is the column, if these are a part of one.
    """
    middle = gutter(pieces, known)
    if middle is None:
        return _one_column(pieces, tables, page, frame)
    frames = (
        _frame([one for one in pieces if one.right <= middle + 1]),
        _frame([one for one in pieces if one.left >= middle - 1]),
    )
    found: list[Line | Table] = []
    rows: list[tuple[float, list[Piece] | Table]] = [(row[0].base, row) for row in rows_of(pieces)]
    rows += [(table.box[3], table) for table in tables]
    ordered = [row for _, row in sorted(rows, key=lambda one: -one[0])]
    for crosses, band in groupby(ordered, key=lambda row: _crosses(row, middle)):
        sides: tuple[_Side, _Side] = (([], []), ([], []))
        for row in band:
            if isinstance(row, Table):
                sides[not crosses and row.box[0] > middle - _BIN][1].append(row)
                continue
            for one in row:
                sides[not crosses and one.left > middle - 1][0].append(one)
        if crosses:
            found += _one_column(*sides[0], page, frame)
            continue
        for (its, its_tables), its_frame in zip(sides, frames, strict=True):
            if its or its_tables:
                found += in_reading_order(its, its_tables, page, (), its_frame)
    return found


_Side = tuple[list[Piece], list[Table]]


def _frame(pieces: Sequence[Piece]) -> tuple[float, float]:
    """The left and the right end of pieces."""
    return min((one.left for one in pieces), default=0.0), max((one.right for one in pieces), default=0.0)


def _crosses(row: Sequence[Piece] | Table, middle: float) -> bool:
    """Whether a line or a table reaches over the strip between two columns."""
    if isinstance(row, Table):
        return row.box[0] < middle - _BIN and row.box[2] > middle + _BIN
    return any(one.left < middle - 1 and one.right > middle + 1 for one in row)


def _one_column(
    pieces: Sequence[Piece], tables: Sequence[Table], page: int, frame: tuple[float, float] | None = None
) -> list[Line | Table]:
    rows = rows_of(pieces)
    own = frame or _frame(pieces)
    placed: list[tuple[float, Line | Table]] = []
    for row in rows:
        line = line_of(row, page, own)
        line.is_fixed = frame is not None
        placed.append((row[0].base, line))
    placed += [(table.box[3], table) for table in tables]
    return [one for _, one in sorted(placed, key=lambda one: -one[0])]


def join(left: str, right: str) -> str:
    """Two lines as one: a space between Latin words, none next to Chinese; hyphenated words are put together."""
    cut, blank = seam(left, right)
    return (left[:-1] if cut else left) + blank + right


def seam(left: str, right: str) -> tuple[bool, str]:
    """How two lines are joined: whether a hyphen at the end of the first goes, and what comes between them."""
    end, start = left[-2:], right[:1]
    if _HYPHENATED.fullmatch(end) and "a" <= start <= "z":
        return True, ""
    chinese = _IS_CJK.match(end[-1:]) or _IS_CJK.match(start) or end[-1:] in "“‘（《—"
    return False, "" if chinese else " "


def intervals(spans: Iterable[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """The union of spans, those nearer than `gap` as one."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1] + gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def clusters(values: Iterable[float], within: float) -> list[float]:
    """The mean of each group of values that follow one another at most `within` apart."""
    ordered = sorted(values)
    cuts = [0, *(place for place, (a, b) in enumerate(pairwise(ordered), start=1) if b - a > within), len(ordered)]
    return [sum(ordered[a:b]) / (b - a) for a, b in pairwise(cuts) if b > a]
