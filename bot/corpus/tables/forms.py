"""Forms: names and values side by side, as 姓名 张三 性别 男."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from bot.corpus.tables.cells import Cell, Line, Row, distinct, sample_of
from bot.corpus.tables.labels import MAX_NAME, NOTE, bare, is_label, is_name, is_short, is_value, short_of


def are_fields(rows: Sequence[Line]) -> bool:
    """Whether the first of two columns holds names in its other rows too, so that the first row is a field as well."""
    value = rows[0][1]
    if value and is_name(value.text):
        return False
    labels = [row[0].text for row in sample_of(rows)[1:] if row[0]]
    return 2 * sum(map(is_label, labels)) > len(labels)


def is_form(rows: Sequence[Line]) -> bool:
    """Whether names and values stand side by side: 姓名 张三 性别 男."""
    if len(rows[0]) == 2:
        pairs = [(row[0], row[1]) for row in sample_of(rows) if row[0]]
        texts = [label.text for label, _ in pairs if label]
        named = sum(map(is_label, texts))
        if not texts or not all(map(is_short, texts)) or any(map(is_value, texts)):
            return False
        values = [value.text for _, value in pairs if value]
        asked = sum(text.endswith(("：", ":")) for text in values)
        return (not asked or named > asked) and (len(rows) > 1 or named > 0)
    # A running number alone in its row belongs to an empty table, not to a form.
    wide = [row for row in sample_of(rows) if len(cells := distinct(row)) > 1 or is_value(cells[0].text)]
    found = [_pairs(row) for row in wide]
    if len(wide) == 1 and not all(label and value for label, value in found[0]):
        return False
    return bool(wide) and 3 * sum(map(bool, found)) >= 2 * len(wide) and bool(found[0])


def _pairs(row: Line) -> list[tuple[Cell | None, Cell | None]]:
    """The names and values of a row of a form; [] if it does not look like one."""
    merged = [cell for number, cell in enumerate(row) if number == 0 or cell is None or cell is not row[number - 1]]
    for first in (0, 1) if len(merged) % 2 else (0,):  # a name over several rows may stand in front
        pairs = list(zip(merged[first::2], [*merged[first + 1 :: 2], None], strict=False))
        pairs = [(label, value) for label, value in pairs if label or value]
        labels = sum(bool(label and (is_label(label.text) or label.is_header)) for label, _ in pairs)
        values = sum(bool(value and is_label(value.text) and not value.text.endswith("号")) for _, value in pairs)
        sound = all(label is None or (is_short(label.text) and not is_value(label.text)) for label, _ in pairs)
        if pairs and sound and 2 * labels >= len(pairs) and labels > 3 * values:
            return [(None, merged[0]), *pairs] if first else pairs
    return []


def fields_of(rows: Sequence[Line]) -> Iterator[Row]:
    """Rows of names and values; a row that is none keeps its cells without names."""
    for row in rows:
        cells = distinct(row)
        if len(cells) == 1 and len(row) > 1 and (row[0] is row[1] or NOTE.match(cells[0].text)):
            kind: Literal["row", "paragraph"] = "paragraph" if NOTE.match(cells[0].text) else "row"
            yield Row(("",), (cells[0].text,), kind)
            continue
        pairs = [(row[0], row[1])] if len(row) == 2 else _pairs(row) or [(None, cell) for cell in cells]
        found = [(bare(label.text) if label else "", value.text) for label, value in pairs if value]
        found += [("", label.text) for label, value in pairs if label and not value]
        if long := [name for name, _ in found if len(name) > MAX_NAME]:
            yield Row(("",) * len(long), tuple(long))
        yield Row(tuple(short_of(name) for name, _ in found), tuple(text for _, text in found))
