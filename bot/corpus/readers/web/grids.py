"""Tables of web pages as grids of cells; and which tables only put things side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.corpus.readers.web.elements import Element
from bot.corpus.tables import Cell

_PARTS = ("thead", "tbody", "tfoot")
_LAYOUT_CELL = 300  # letters in one cell that is more than half of the table: an article with something beside it
_IN_LAYOUT = frozenset(["h1", "h2", "h3", "h4", "h5", "h6", "pre", "form", "article", "section"])
_MOST_PLACES = 20  # of a grid for each cell; where cells say that they span more, they are read as if they spanned one


def is_data_table(table: Element) -> bool:
    """Whether the rows and columns of a table mean something."""
    if table.get("role") in ("presentation", "none"):
        return False
    inside = list(_until_table(table))
    if inside and inside[-1].tag == "table":
        return False
    rows = [cells for cells, _ in _rows(table)]
    if any(one.tag in ("th", "caption", "thead") for one in inside):
        return bool(rows)
    if max((len(cells) for cells in rows), default=0) < 2 or any(one.tag in _IN_LAYOUT for one in inside):
        return False
    longest = max(cell.letters for cells in rows for cell in cells)
    return longest < _LAYOUT_CELL or 2 * longest < table.letters


def grid_of(table: Element, text_of: Callable[[Element], str]) -> tuple[list[list[Cell | None]], int | None]:
    """The grid of a table, and how many rows the page marks as headers, None if it marks none by <thead>.

    A cell that spans several places is the same object in each of them.
    """
    rows = _rows(table)
    widest = max((len(cells) for cells, _ in rows), default=0)
    grid: list[list[Cell | None]] = []
    most = _MOST_PLACES * (1000 + sum(len(cells) for cells, _ in rows))
    header = placed = 0
    hanging: dict[int, tuple[int, Cell]] = {}  # column -> rows that a cell above still covers, and that cell
    for cells, is_header in rows:
        row: list[Cell | None] = []
        if placed >= most:
            hanging.clear()
        for element in cells:
            _hang(row, hanging)
            cell = Cell(text_of(element), is_header=element.tag == "th")
            # No cell needs to span more columns than there are cells in a row, nor more rows than there are.
            across = max(1, min(whole(element.get("colspan"), 1), widest)) if placed < most else 1
            down = min(whole(element.get("rowspan"), 1) or len(rows), len(rows)) if placed < most else 1
            for _ in range(across):
                if down > 1:
                    hanging[len(row)] = (down - 1, cell)
                row.append(cell)
            placed += across
        _hang(row, hanging)
        placed += len(row)
        grid.append(row)
        header += is_header and any(cell and cell.text for cell in row)
    return grid, header or None


def whole(text: str, default: int) -> int:
    """The whole number that an attribute says, or the default."""
    return int(text) if text.strip().removeprefix("-").isdecimal() and len(text) < 10 else default


def _until_table(table: Element) -> Iterator[Element]:
    """The elements in a table up to the first table in it, which is the last; tables can be nested very deep."""
    for one in table.elements():
        if one is not table:
            yield one
            if one.tag == "table":
                return


def _rows(table: Element) -> list[tuple[list[Element], bool]]:
    """The cells of each row, and whether the row is in <thead>."""
    parts = [table, *(one for one in table.children if isinstance(one, Element) and one.tag in _PARTS)]
    return [
        ([cell for cell in row.children if isinstance(cell, Element) and cell.tag in ("td", "th")], part.tag == "thead")
        for part in parts
        for row in part.children
        if isinstance(row, Element) and row.tag == "tr"
    ]


def _hang(row: list[Cell | None], hanging: dict[int, tuple[int, Cell]]) -> None:
    """Put into a row the cells from above that reach down to its next places."""
    while len(row) in hanging:
        rows, cell = hanging.pop(len(row))
        if rows > 1:
            hanging[len(row)] = (rows - 1, cell)
        row.append(cell)
