"""The tables and lines on a sheet of cells, which people place as they like: below and beside one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bot.corpus.blocks import BlockWriter
from bot.corpus.tables import Cell, has_header, is_value

Line = dict[int, Cell]  # the cells of a row that hold something, by column
_Band = list[Line]  # rows without an empty one between them


def write(lines: Mapping[int, Line], writer: BlockWriter) -> None:
    """Tables and lines in reading order, from rows by number.

    An empty row ends a table, unless what follows has no header and so continues it.
    """
    table: _Band = []
    for band in _bands(lines):
        if table and _continues(table, band):
            table += band
            continue
        _write_band(table, writer)
        table = list(band)
    _write_band(table, writer)


def _bands(lines: Mapping[int, Line]) -> list[_Band]:
    """The rows by number, divided where some are empty."""
    found: list[_Band] = []
    before = -2
    for number in sorted(lines):
        if number > before + 1:
            found.append([])
        found[-1].append(lines[number])
        before = number
    return found


def _continues(table: _Band, band: _Band) -> bool:
    columns, own = columns_of(table[-1:] + table[:3]), columns_of(band[:3])
    within = min(columns) <= min(own) and max(own) <= max(columns)
    several = all(len({id(cell) for cell in line.values()}) > 1 for line in band[:3])
    return within and several and len(own) > 1 and not has_header(_grid(band[:50]))


def _write_band(band: _Band, writer: BlockWriter) -> None:
    above = 0
    while above < len(band) and len({id(cell) for cell in band[above].values()}) == 1:
        above += 1
    parts = list(_side_by_side(band[above:])) if above < len(band) else []
    if len(parts) < 2:
        parts = [band] if band else []
    else:
        for line in band[:above]:
            writer.add("caption", next(iter(line.values())).text)
    for part in parts:
        writer.table(_grid(part))


def _side_by_side(band: _Band) -> Iterator[_Band]:
    """The tables that stand beside one another with an empty column between them.

    What begins with a column of values and has as many rows is a part of the table to its left.
    """
    columns = sorted(columns_of(band))
    starts: list[int] = []
    for number, column in enumerate(columns):
        gap = number == 0 or column > columns[number - 1] + 1
        if gap and (not starts or columns[number + 1 : number + 2] == [column + 1]):
            own = [line[column].text for line in band if column in line]
            left = sum(starts[-1] in line for line in band) if starts else 0
            alike = 4 * abs(len(own) - left) <= len(own) + left and 2 * sum(map(is_value, own)) >= len(own)
            if not starts or (len(own) > 1 and not alike):
                starts.append(column)
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        part = [{c: cell for c, cell in line.items() if c >= start and (end is None or c < end)} for line in band]
        yield [line for line in part if line]


def columns_of(band: Iterable[Line]) -> set[int]:
    return {column for line in band for column in line}


def _grid(band: _Band) -> list[list[Cell | None]]:
    columns = sorted(columns_of(band))
    return [[line.get(column) for column in columns] for line in band]
