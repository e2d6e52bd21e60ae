"""Which rows of a table are headers, and what they call its columns.

A header is only guessed where a row looks like one, because a wrong header says something false of every row below,
while a missed one only leaves the names out. What a column holds is judged by a sample of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bot.corpus.tables.cells import Cell, Line, column_of, distinct, sample_of
from bot.corpus.tables.forms import are_fields, is_form
from bot.corpus.tables.labels import DIGIT, PERIOD, bare, is_name, is_short, is_value

_HEADER_ROWS = 3  # guessed at most
_YEAR = re.compile(r"(?:19|20)\d\d")


def marked_rows(rows: Sequence[Line]) -> int:
    """How many rows at the top the format marks as headers."""
    count = 0
    for row in rows:
        cells = distinct(row)
        if not all(cell.is_header for cell in cells):
            break
        count += 1
    return count


def guessed_rows(rows: Sequence[Line]) -> int:
    """How many rows at the top look like headers, from 0 to 3."""
    width = len(rows[0])
    if width < 2 or len(rows) < 2 or not _may_be_header(rows, 0):
        return 0
    count = 1
    while count < min(_HEADER_ROWS, len(rows) - 1) and _is_divided(rows, count):
        count += 1
    # A header further down is no value of a column.
    below = [row for row in sample_of(rows[count:]) if not is_new_header(row)]
    lowest = [next((row[column] for row in rows[count - 1 :: -1] if row[column]), None) for column in range(width)]
    votes = [_vote(cell, column_of(below, column)) for column, cell in enumerate(lowest)]
    if is_numbered(rows, count):
        votes = [max(0, vote) for vote in votes]
        votes[-1] = 1
    good, bad = sum(vote > 0 for vote in votes), sum(vote < 0 for vote in votes)
    if width == 2:
        first = column_of(below, 0)
        numbered = votes[0] > 0 and not bad and 4 * sum(map(is_value, first)) >= 3 * len(first) > 0
        return count if numbered or (good == 2 and not are_fields(rows)) else 0
    if good:
        return count if good > bad and not (is_form(rows) and bad + votes.count(0)) else 0
    plain = not bad and len(rows) > 2 and all(cell and not DIGIT.search(cell.text) for cell in lowest)
    return count if plain and not is_form(rows) else 0


def _vote(name: Cell | None, below: Sequence[str]) -> int:
    """What a column says about whether its first cell is its name: 1, 0 or -1."""
    if name is None:
        return 0
    if name.text in below:
        return -1
    if PERIOD.fullmatch(name.text) and any(map(PERIOD.fullmatch, below)):
        return -1
    if is_name(name.text):
        return 1
    if is_value(name.text):
        return -1
    return 1 if below and 4 * sum(map(is_value, below)) >= 3 * len(below) else 0


def _may_be_header(rows: Sequence[Line], number: int) -> bool:
    """Whether the cells of a row are short and distinct and no values, and most of them there."""
    row = rows[number]
    above = rows[number - 1] if number else [None] * len(row)
    cells = distinct([cell if cell is not one else None for cell, one in zip(row, above, strict=True)])
    if number == 0 and (len(cells) < 2 or 5 * sum(cell is not None for cell in row) < 3 * len(row)):
        return False
    seen: set[str] = set()
    for cell in cells:
        if not is_short(cell.text) or cell.text.endswith(("：", ":")):
            return False
        if cell.text in seen and not number and not is_name(cell.text):
            return False
        seen.add(cell.text)
    values = any(is_value(cell.text) and not is_name(cell.text) for cell in cells)
    return not values or is_numbered(rows, number + 1)


def is_numbered(rows: Sequence[Line], count: int) -> bool:
    """Whether the last of `count` header rows has years, dates or a running number in place of names.

    They rise or fall, have the same form, and the values below do not look like them. Only years may have names beside
    them.
    """
    row = rows[count - 1]
    columns = [
        column
        for column, cell in enumerate(row)
        if cell and is_value(cell.text) and not (column and cell is row[column - 1])
    ]
    texts = [cell.text for column in columns if (cell := row[column])]
    if len(texts) < 2 or columns[0] == 0:
        return False
    numbers = [re.sub(r"\D", "", text) for text in texts]
    forms = {re.sub(r"\d+", "0", text) for text in texts}
    if not all(numbers) or len(forms) > 1 or max(map(len, numbers)) > 8:
        return False
    steps = {int(right) - int(left) for left, right in pairwise(numbers)}
    if not (all(step > 0 for step in steps) or all(step < 0 for step in steps)):
        return False
    below = [cell.text for line in sample_of(rows[count:]) for column in columns if (cell := line[column])]
    years = all(map(_YEAR.fullmatch, numbers))
    if not years and len(texts) < len(row) - 1:
        return False
    if texts[0].isdecimal() and not years:
        return steps == {1} and (row[0] is None or is_name(row[0].text))
    alike = sum(bool(_YEAR.fullmatch(text)) or re.sub(r"\d+", "0", text) in forms - {"0"} for text in below)
    return 2 * alike < max(1, len(below))


def _is_divided(rows: Sequence[Line], number: int) -> bool:
    """Whether the names in the row above this one are divided by the names in it: 文史类 into 最低 and 最高."""
    if not _may_be_header(rows, number):
        return False
    above, row = rows[number - 1], rows[number]
    parts: list[int] = []
    continued = merged = False
    for start, end in _runs(above, row):
        below = distinct(row[start:end])
        if row[start] is not None and row[start] is above[start]:
            continued = True
        elif len(below) > 1:
            parts += range(start, end)
            merged = merged or above[end - 1] is not None
        elif below:
            return False
    if not parts or (merged and continued):
        return bool(parts)
    sample = sample_of(rows[number + 1 :])
    good = sum(_vote(row[column], column_of(sample, column)) > 0 for column in parts)
    return 2 * good >= len(parts)


def _runs(above: Line, row: Line) -> Iterator[tuple[int, int]]:
    """The columns that each name covers: its own, and those without a name to its right that have one in `row`."""
    start = 0
    for column in range(1, len(above) + 1):
        if column < len(above) and (above[column] is above[start] or (above[column] is None and row[column])):
            continue
        if above[start]:
            yield start, column
        start = column


def names_of(rows: Sequence[Line]) -> list[str]:
    """The name of each column: the distinct texts of the header rows above it, joined."""
    if not rows:
        return []
    names = []
    for column in range(len(rows[0])):
        texts: list[str] = []
        for number, row in enumerate(rows):
            cell = row[column] or _left_of(rows, number, column)
            text = bare(cell.text) if cell else ""
            if text and text not in texts:
                texts.append(text)
        names.append(_joined(texts))
    return names


def _left_of(rows: Sequence[Line], number: int, column: int) -> Cell | None:
    """The name to the left that an empty cell of a header shares, if a name below the cell shows that it does."""
    if number + 1 == len(rows) or not rows[number + 1][column]:
        return None
    return next((cell for cell in reversed(rows[number][:column]) if cell), None)


def _joined(texts: Sequence[str]) -> str:
    name = ""
    for text in texts:
        name += f" {text}" if name and name[-1].isascii() and text[0].isascii() else text
    return name


def is_new_header(row: Line) -> bool:
    """Whether a row holds nothing but names, three at least, as the header of another table below does."""
    first = next(cell for cell in row if cell)
    if not is_name(first.text):  # settles it in nearly all rows
        return False
    cells = distinct(row)
    return len(cells) > 2 and all(is_name(cell.text) for cell in cells) and len({c.text for c in cells}) == len(cells)
