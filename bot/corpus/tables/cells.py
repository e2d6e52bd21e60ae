"""The cells of a table, and its rows as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.text.printable import valid

_SAMPLE = 40  # rows that show what a column holds


class Cell:
    """A cell; one that spans several columns or rows is the same object in each place of the grid that it covers."""

    __slots__ = ("is_header", "text")

    def __init__(self, text: str, *, is_header: bool = False) -> None:
        """`is_header` says that the format itself marks the cell as a header."""
        self.text = " ".join(valid(text).split())
        self.is_header = is_header


Grid = Sequence[Sequence[Cell | None]]  # rows of cells; None where a row has none
Line = Sequence[Cell | None]  # a row of a grid in which empty cells are None


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row that hold something, each with the name of its column, "" if there is none.

    `kind` is "caption" for a line over the whole width above the header, and "paragraph" for a note or a table of one
    column; both have one cell.
    """

    header: tuple[str, ...]
    cells: tuple[str, ...]
    kind: Literal["row", "caption", "paragraph"] = "row"


def distinct(row: Line) -> list[Cell]:
    """The cells that hold something; one over several columns once."""
    found: list[Cell] = []
    for cell in row:
        if cell and not (found and cell is found[-1]):
            found.append(cell)
    return found


def sample_of(rows: Sequence[Line]) -> Sequence[Line]:
    """Some of the rows: the first half of the sample as they come, the others from everywhere."""
    if len(rows) <= _SAMPLE:
        return rows
    step = len(rows) // (_SAMPLE // 2)
    return [*rows[: _SAMPLE // 2], *rows[_SAMPLE // 2 :: step]]


def column_of(rows: Sequence[Line], column: int) -> list[str]:
    """The texts of a column, without empty cells."""
    return [cell.text for row in rows if (cell := row[column])]
