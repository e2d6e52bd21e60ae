"""How the rows of a table line up: its columns, and where each cell of a row stands, from the names of its cells.

A row keeps only the cells that hold something, so rows of one table may have different headers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Header = tuple[str, ...]  # the names of a row's cells
Place = tuple[int, int]  # the first column of a cell and how many it covers
_Key = tuple[str, int]  # a name, and how often it came before in the same row


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of a table's columns and, by the header of a row, the places of its cells.

    `names` is () for a table without header and for a form, whose rows each have names of their own: there the name
    of a cell stands in the column before it.
    """

    names: tuple[str, ...]
    places: Mapping[Header, tuple[Place, ...]]


def columns_of(headers: Iterable[Header]) -> Columns:
    """The columns of a table from the headers of its rows."""
    kinds = Counter(headers)
    width = max(map(len, kinds), default=0)
    if not any(map(any, kinds)):
        return Columns((), {one: _beside(one, width) for one in kinds})
    if _is_form(kinds):
        return Columns((), {one: _pairs(one, 2 * width) for one in kinds})
    keys = _united([one for one in kinds if len(one) > 1 or any(one)])
    return Columns(tuple(name for name, _ in keys), {one: _placed(one, keys) for one in kinds})


def _is_form(rows: Counter[Header]) -> bool:
    """Whether hardly a name comes twice, and no row has the names of all others."""
    names: Counter[str] = Counter()
    for header, count in rows.items():
        names.update({name: count for name in header if name and "/" not in name})
    longest = max(rows, key=len)
    return rows.total() > 1 and not names.keys() <= set(longest) and 4 * len(names) > 3 * names.total()


def _beside(header: Header, width: int) -> tuple[Place, ...]:
    return ((0, width),) if len(header) == 1 else tuple((column, 1) for column in range(len(header)))


def _pairs(header: Header, width: int) -> tuple[Place, ...]:
    """Names and values by turns; the last value reaches to the end, one without a name also over the name's column."""
    last = len(header) - 1
    starts = [2 * number + bool(name) for number, name in enumerate(header)]
    return tuple(
        (start, width - start if number == last else 2 * number + 2 - start) for number, start in enumerate(starts)
    )


def _united(kinds: Sequence[Header]) -> list[_Key]:
    """The columns of all rows, each new one after the one that it follows in its row."""
    keys: list[_Key] = []
    # The longest first because it has most of the order; names of merged cells (a/b) when both parts may be known.
    for merged in (False, True):
        for header in sorted(kinds, key=len, reverse=True):
            after = 0
            for key in _keys(header):
                if merged and (covered := _covered(key, keys)):
                    after = sum(covered)
                elif key in keys:
                    after = keys.index(key) + 1
                elif merged or "/" not in key[0]:
                    keys.insert(after, key)
                    after += 1
    return keys


def _keys(header: Header) -> list[_Key]:
    return [(name, header[:number].count(name)) for number, name in enumerate(header)]


def _covered(key: _Key, keys: Sequence[_Key]) -> Place | None:
    """The adjacent columns whose names, joined, are that of a merged cell."""
    names = [name for name, _ in keys]
    parts = key[0].split("/")
    starts = range(len(names) - len(parts) + 1) if len(parts) > 1 else ()
    return next(((start, len(parts)) for start in starts if names[start : start + len(parts)] == parts), None)


def _placed(header: Header, keys: Sequence[_Key]) -> tuple[Place, ...]:
    if header == ("",):
        return ((0, len(keys)),)
    places: list[Place] = []
    free = 0  # the first column after the cells so far: names out of order never overlap
    for key in _keys(header):
        first, count = _covered(key, keys) or (keys.index(key), 1)
        first = max(first, free)
        places.append((first, count))
        free = first + count
    return tuple(places)
