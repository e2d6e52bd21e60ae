"""Tables as rows that read by themselves: title lines, headers, sections, and cells with the names of their columns.

Everything is linear in the number of cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bot.corpus.tables.cells import Cell, Grid, Line, Row, distinct
from bot.corpus.tables.forms import fields_of, is_form
from bot.corpus.tables.headers import guessed_rows, is_new_header, is_numbered, marked_rows, names_of
from bot.corpus.tables.labels import MAX_NAME, NOTE, SENTENCE, is_label, is_short, is_value, short_of

_MAX_SECTION = 40  # letters of a row over the whole width that names the rows below it
_MAX_RECORDS = 60  # columns of a table that is read column by column
# A row is cut into several that begin with the same cells if it has more letters than a passage and many cells.
_MAX_ROW, _MANY_CELLS, _KEY_CELLS, _MAX_KEY = 450, 8, 2, 60
_TOTAL = re.compile(r"[总合小共累]\s*计.{0,12}|.{0,8}[合小总]计|平均|total|sum|average", re.IGNORECASE)
# What section rows begin with, the outermost first.
_SECTIONS = (
    re.compile(r"第[一二三四五六七八九十\d]{1,3}[部章编篇类包标]|[【\[].*[】\]]$|[A-Z]\s*[包标段区]"),
    re.compile(r"[一二三四五六七八九十]{1,3}[、.．，]"),
    re.compile(r"[（(][一二三四五六七八九十]{1,3}[）)]"),
    re.compile(r"[A-Z\d]{1,2}[、.．)）](?!\d)|[（(][A-Z\d]{1,2}[）)]"),
)


def table_rows(grid: Grid, header_rows: int | None = None) -> list[Row]:
    """The rows of a table, each with the names of its columns; without the header rows, if any row follows them.

    With `header_rows` None the headers are guessed. Several header rows become one name: 文史类 above 最低 is
    文史类最低. A form is read as fields, a table whose first column is marked as its header column by column. Every
    text of a cell is in the cells or the header of some row.
    """
    rows, marked = _trimmed(grid, header_rows)
    captions: list[Row] = []
    above = 0
    while above < len(rows) - 1 and (title := _title(rows[above], rows[above + 1 : above + 4])):
        captions += [_alone(cell.text) for cell in title]
        above += 1
    rows, marked = rows[above:], max(0, marked - above)
    if not rows:
        return captions
    marked = marked or marked_rows(rows)
    if marked >= len(rows):
        marked = 0
    if len(rows[0]) == 1 and not marked:
        return [*captions, *(Row(("",), (row[0].text,), "paragraph") for row in rows if row[0])]
    if not marked and _is_by_columns(rows):
        rows = [list(column) for column in zip(*rows, strict=True)]
        marked = 1
    count = marked or guessed_rows(rows)
    if not count and is_form(rows):
        return [*captions, *fields_of(rows)]
    found = list(captions)
    sections: list[tuple[int, str]] = []
    for start, end, names in _parts(rows, count):
        found += _part(rows[start : start + names], rows[start + names : end], sections, is_last=end == len(rows))
    return found


def has_header(grid: Grid) -> bool:
    """Whether the rows at the top look like a header, or the table like a form: it is no continuation of another."""
    rows, _ = _trimmed(grid, None)
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    return bool(_title(rows[0], rows[1:4])) or bool(guessed_rows(rows)) or (len(rows[0]) > 2 and is_form(rows))


def _trimmed(grid: Grid, header_rows: int | None) -> tuple[list[Line], int]:
    """The rows and columns that hold something, columns that only continue their neighbour left out.

    All rows have the same length and None in place of empty cells. Then how many of the rows are headers by the format.
    """
    width = max(map(len, grid), default=0)
    rows: list[list[Cell | None]] = []
    marked = 0
    for number, row in enumerate(grid):
        cells = [cell if cell is not None and cell.text else None for cell in row]
        if any(cells):
            rows.append(cells + [None] * (width - len(cells)))
            marked += number < (header_rows or 0)
    wanted = [
        column
        for column in range(width)
        if any(row[column] for row in rows) and not (column and all(row[column] is row[column - 1] for row in rows))
    ]
    if len(wanted) < width:
        return [[row[column] for column in wanted] for row in rows], marked
    return list(rows), marked


def _alone(text: str) -> Row:
    """A line over the whole width: a caption, or a paragraph if it is long."""
    long = len(text) > 2 * MAX_NAME or bool(SENTENCE.search(text)) or bool(NOTE.match(text))
    return Row(("",), (text,), "paragraph" if long else "caption")


def _title(row: Line, below: Sequence[Line]) -> list[Cell]:
    """The cells of a line above the header: its only one, or a few as `编制单位：某局`; [] if it is no such line."""
    cells = distinct(row)
    width = len(row)
    if len(cells) == 1:
        over_all = sum(cell is not None for cell in row) > 1
        return cells if width > 1 and (over_all or (width > 2 and not is_label(cells[0].text))) else []
    few = width >= 4 and 2 * len(cells) <= max(len(distinct(line)) for line in below)
    return cells if few and all(re.search(r"[：:].", cell.text) for cell in cells) else []


def _is_by_columns(rows: Sequence[Line]) -> bool:
    """Whether the first column is the header of the others, by its marks or because it holds nothing but names."""
    width = len(rows[0])
    if not 3 <= width <= _MAX_RECORDS or len(rows) < 2 or len(rows) > _MAX_RECORDS:
        return False
    first = [row[0] for row in rows]
    others = [cell for row in rows for cell in row[1:] if cell]
    if not all(first) or len({id(cell) for cell in first}) < len(first) or any(row[0] is row[1] for row in rows):
        return False
    if all(cell.is_header for cell in first if cell) and not any(cell.is_header for cell in others):
        return True
    if sum(is_label(cell.text) for cell in others) or is_numbered(rows, 1) or any(None in row for row in rows):
        return False
    return all(is_label(cell.text) for cell in first if cell) and not all(is_value(c.text) for c in rows[0][1:] if c)


def _parts(rows: Sequence[Line], count: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and header rows of each part of the table: a row of nothing but names begins a new one."""
    start = 0
    texts = {_texts(row) for row in rows[:count]}
    for number in range(count, len(rows) - 1):
        if is_new_header(rows[number]) and len(distinct(rows[number + 1])) > 1 and _texts(rows[number]) not in texts:
            if number > start:
                yield start, number, count
            start, count = number, 1
            texts = {_texts(rows[number])}
    yield start, len(rows), count


def _texts(row: Line) -> tuple[str, ...]:
    return tuple(cell.text if cell else "" for cell in row)


def _part(header: Sequence[Line], rows: Sequence[Line], sections: list[tuple[int, str]], *, is_last: bool) -> list[Row]:
    """The rows below a header; first the header itself if a name would not be in any of them in full.

    `sections` has the rank and the text of the rows over the whole width that name the rows below them; it goes on from
    part to part.
    """
    names = names_of(header) or [""] * (len(rows[0]) if rows else 0)
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # the names of rows with the same columns are one object
    repeated = {_texts(row) for row in header}
    body = [row for row in rows if _texts(row) not in repeated] if repeated else rows
    found = list(_body(body, [short_of(name) for name in names], sections, shared, is_last=is_last))
    said = {name for header_of_row in shared for name in header_of_row}
    several = " ".join(name for name in said if "/" in name)
    if all(name in said or name in several for name in names):
        return found
    return [*(_made([("", cell.text) for cell in distinct(row)], shared) for row in header), *found]


def _body(
    rows: Sequence[Line],
    names: Sequence[str],
    sections: list[tuple[int, str]],
    shared: dict[tuple[str, ...], tuple[str, ...]],
    *,
    is_last: bool,
) -> Iterator[Row]:
    last = len(rows) - is_last
    for number, row in enumerate(rows):
        found = _row(row, names)
        if len(found) == 1 and len(row) > 1:
            text = found[0][1]
            merged = row[0] is not None and row[0] is row[1]
            if NOTE.match(text) or (merged and not is_short(text)):
                yield Row(("",), (text,), "paragraph")
                continue
            if number < last and (rank := _rank(text, merged=merged, width=len(row), first=row[0] is not None)):
                sections[:] = [(outer, name) for outer, name in sections if outer < rank]
                yield _made([("", name) for _, name in sections] + [("", text)], shared)
                sections.append((rank, text))
                continue
            if merged:
                found = [("", text)]
        cells = [("", name) for _, name in sections]
        yield from _cut([*cells, *found], len(cells), shared)


def _row(row: Line, names: Sequence[str]) -> list[tuple[str, str]]:
    """The cells of a row with their columns' names; one over several columns has all their names, a total has none."""
    found: list[tuple[str, str]] = []
    before: Cell | None = None
    for cell, name in zip(row, names, strict=True):
        if cell is None:
            before = None
        elif cell is not before:
            found.append((name, cell.text))
            before = cell
        elif _TOTAL.fullmatch(cell.text):
            found[-1] = ("", cell.text)
        elif name and name not in found[-1][0].split("/") and len(found[-1][0]) + len(name) < MAX_NAME:
            found[-1] = (f"{found[-1][0]}/{name}".lstrip("/"), cell.text)
    return found


def _rank(text: str, *, merged: bool, width: int, first: bool) -> int:
    """How deep the section is that a row with a single cell begins, from 1; 0 if it begins none."""
    if len(text) > _MAX_SECTION or not is_short(text) or is_value(text) or _TOTAL.fullmatch(text) or not first:
        return 0
    for rank, pattern in enumerate(_SECTIONS, start=1):
        if pattern.match(text) and (merged or width > 2):
            return rank
    return len(_SECTIONS) + 1 if merged else 0


def _cut(cells: list[tuple[str, str]], context: int, shared: dict[tuple[str, ...], tuple[str, ...]]) -> Iterator[Row]:
    """The row, or several that begin with the same cells if it is too long for a passage."""
    if len(cells) <= _MANY_CELLS or sum(len(name) + len(text) + 4 for name, text in cells) <= _MAX_ROW:
        yield _made(cells, shared)
        return
    key = cells[: context + _KEY_CELLS]
    if sum(len(text) for _, text in key) > _MAX_KEY:
        key = key[:1] if len(key[0][1]) <= _MAX_KEY else []
    piece = list(key)
    length = 0
    for name, text in cells[len(key) :]:
        if length and length + len(name) + len(text) + 4 > _MAX_ROW:
            yield _made(piece, shared)
            piece, length = list(key), 0
        piece.append((name, text))
        length += len(name) + len(text) + 4
    yield _made(piece, shared)


def _made(cells: Sequence[tuple[str, str]], shared: dict[tuple[str, ...], tuple[str, ...]]) -> Row:
    names = tuple(name for name, _ in cells)
    return Row(shared.setdefault(names, names), tuple(text for _, text in cells))
