"""Tables of a PDF: cells between ruling lines, or pieces of text that stand below one another."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from bot.corpus.readers.pdf.glyphs import Glyph
from bot.corpus.readers.pdf.layout import Line, Piece, Table, clusters, intervals, join, line_of, pieces_of, rows_of
from bot.corpus.readers.pdf.pdfium import Rule
from bot.corpus.readers.pdf.prose import Paragraph
from bot.corpus.tables import Cell

_NEAR = 3.0  # points; lines that are nearer touch
_MAX_LINES = 400  # of a page's table in one direction; more are a drawing
_COVERED = 0.6  # the share of a cell's side that a line has to cover
_MAX_BROKEN = 0.3  # the share of a grid in areas that are no rectangles, which tables do not reach
_TIGHT = 1.0  # letters between cells where other lines show the columns
_MIN_WIDTH = 100.0  # points of the lines of a table without upright ones
_MAX_BETWEEN = 2  # lines with one piece within a table without ruling lines


def ruled_tables(
    glyphs: Sequence[Glyph], across: Sequence[Rule], upright: Sequence[Rule], page: int
) -> tuple[list[Table], list[Glyph]]:
    """The tables that ruling lines make, and the letters that are in none of them."""
    tables: list[Table] = []
    left = list(glyphs)
    for level, standing in _connected(_merged(across), _merged(upright)):
        inside: list[Glyph] = []
        table = _table(level, standing, left, page, inside)
        if table:
            tables.append(table)
            taken = set(map(id, inside))
            left = [glyph for glyph in left if id(glyph) not in taken]
    return tables, left


def _merged(rules: Sequence[Rule]) -> list[Rule]:
    """The rules with those along the same line that touch put together."""
    found: list[Rule] = []
    ordered = sorted(rules)
    group: list[Rule] = []
    for rule in [*ordered, None]:
        if group and (rule is None or rule.at - group[-1].at > _NEAR):
            at = sum(one.at for one in group) / len(group)
            found += [Rule(at, a, b) for a, b in intervals([(one.start, one.end) for one in group], _NEAR)]
            group = []
        if rule is not None:
            group.append(rule)
    return found


def _connected(across: list[Rule], upright: list[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Groups of lines that touch one another, with lines in both directions."""
    if not across or not upright or max(len(across), len(upright)) > _MAX_LINES:
        return []
    parent = list(range(len(across) + len(upright)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for i, level in enumerate(across):
        for j, standing in enumerate(upright, start=len(across)):
            touches = (
                level.start - _NEAR <= standing.at <= level.end + _NEAR
                and standing.start - _NEAR <= level.at <= standing.end + _NEAR
            )
            if touches:
                parent[root(i)] = root(j)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = defaultdict(lambda: ([], []))
    for i, level in enumerate(across):
        groups[root(i)][0].append(level)
    for j, standing in enumerate(upright, start=len(across)):
        groups[root(j)][1].append(standing)
    return [group for group in groups.values() if group[0] and group[1] and len(group[0]) + len(group[1]) > 2]


def _table(
    level: list[Rule], standing: list[Rule], glyphs: Sequence[Glyph], page: int, inside: list[Glyph]
) -> Table | None:
    """The table of connected lines; its letters are put into `inside`. None if it is a frame or a drawing."""
    xs = clusters(
        [rule.at for rule in standing] + [min(rule.start for rule in level), max(rule.end for rule in level)], _NEAR
    )
    ys = clusters(
        [rule.at for rule in level] + [min(rule.start for rule in standing), max(rule.end for rule in standing)], _NEAR
    )
    wide, high = len(xs) - 1, len(ys) - 1
    if wide < 2 or high < 1:
        return None
    cells, broken = _cells(xs, ys, level, standing)
    if broken > _MAX_BROKEN * len(cells):  # boxes and arrows
        return None
    letters: dict[int, list[Glyph]] = defaultdict(list)
    for glyph in glyphs:
        x, y = (glyph.left + glyph.right) / 2, glyph.base + 0.35 * glyph.size
        if xs[0] <= x <= xs[-1] and ys[0] <= y <= ys[-1]:
            column, row = min(bisect_right(xs, x) - 1, wide - 1), min(bisect_right(ys, y) - 1, high - 1)
            letters[cells[row * wide + column]].append(glyph)
            inside.append(glyph)
    filled = {cell for cell, its in letters.items() if its}
    if len(filled) < 2 or len({cell % wide for cell in filled}) < 2:
        inside.clear()
        return None
    extent: dict[int, tuple[float, float]] = {}
    for place, cell in enumerate(cells):
        column = place % wide
        a, b = extent.get(cell, (xs[column], xs[column + 1]))
        extent[cell] = (min(a, xs[column]), max(b, xs[column + 1]))
    lines = {cell: _lines(letters[cell], page) for cell in filled}
    grid: list[list[Cell | None]] = []
    made: dict[int, Cell] = {}
    for row in range(high - 1, -1, -1):
        grid += _grid_rows([cells[row * wide + column] for column in range(wide)], cells, lines, extent, made)
    grid = [row for row in grid if any(cell and cell.text for cell in row)]
    return Table((xs[0], ys[0], xs[-1], ys[-1]), grid, tuple(xs), page)


def _cells(xs: list[float], ys: list[float], level: list[Rule], standing: list[Rule]) -> tuple[list[int], int]:
    """For each place of the grid, row by row from below, the number of its cell; how many are in no rectangle."""
    wide, high = len(xs) - 1, len(ys) - 1
    parent = list(range(wide * high))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for row in range(high):
        for column in range(1, wide):
            if not _covers(standing, xs[column], ys[row], ys[row + 1]):
                parent[root(row * wide + column)] = root(row * wide + column - 1)
    for row in range(1, high):
        for column in range(wide):
            if not _covers(level, ys[row], xs[column], xs[column + 1]):
                parent[root(row * wide + column)] = root((row - 1) * wide + column)
    return _rectangles([root(node) for node in range(wide * high)], wide)


def _rectangles(cells: list[int], wide: int) -> tuple[list[int], int]:
    """The same cells, those taken apart that are no rectangles, because a line is missing; how many places that are."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, cell in enumerate(cells):
        places[cell].append(place)
    found, broken = list(cells), 0
    for its in places.values():
        rows, columns = {place // wide for place in its}, {place % wide for place in its}
        if len(rows) * len(columns) != len(its):
            broken += len(its)
            for place in its:
                found[place] = place
    return found, broken


def _covers(rules: list[Rule], at: float, start: float, end: float) -> bool:
    covered = sum(max(0.0, min(rule.end, end) - max(rule.start, start)) for rule in rules if abs(rule.at - at) <= _NEAR)
    return covered >= _COVERED * (end - start)


def _lines(glyphs: list[Glyph], page: int) -> list[Line]:
    return [line_of(row, page) for row in rows_of(pieces_of(glyphs))]


def _grid_rows(
    row: list[int],
    cells: list[int],
    lines: dict[int, list[Line]],
    extent: dict[int, tuple[float, float]],
    made: dict[int, Cell],
) -> list[list[Cell | None]]:
    """The rows of a table between two ruling lines: one, or one a line where only columns are ruled."""
    wide = len(row)
    own = [
        cell
        for cell in dict.fromkeys(row)
        if cell in lines and len({p // wide for p, c in enumerate(cells) if c == cell}) == 1
    ]
    count = _lines_in_step([lines[cell] for cell in own])
    if count:
        parted = [{cell: Cell(lines[cell][line].text) for cell in own} for line in range(count)]
        return [[part.get(cell) or _cell(cell, lines, extent, made) for cell in row] for part in parted]
    return [[_cell(cell, lines, extent, made) for cell in row]]


def _lines_in_step(cells: list[list[Line]]) -> int:
    """How many rows stand between two ruling lines: the lines of all cells, three or more, at the same heights."""
    if len(cells) < 2 or len(cells[0]) < 3 or len({len(lines) for lines in cells}) > 1:
        return 0
    for side_by_side in zip(*cells, strict=True):
        if max(line.base for line in side_by_side) - min(line.base for line in side_by_side) > _NEAR:
            return 0
    return len(cells[0])


def _cell(
    cell: int, lines: dict[int, list[Line]], extent: dict[int, tuple[float, float]], made: dict[int, Cell]
) -> Cell:
    if cell not in made:
        left, right = extent[cell]
        made[cell] = Cell(cell_text(lines.get(cell, []), right - left))
    return made[cell]


def cell_text(lines: Sequence[Line], width: float) -> str:
    """The text of a cell of several lines; a line that fills its width goes on in the next one."""
    text = ""
    before: Line | None = None
    for line in lines:
        if before is None:
            text = line.text
        elif before.right - before.left + 2.2 * line.size >= width or len(line.text) == 1:
            text = join(text, line.text)
        else:
            text = f"{text} {line.text}"
        before = line
    return text


def continued(items: Sequence[Paragraph | Table]) -> list[Paragraph | Table]:
    """The same paragraphs and tables, with tables that go on over a page put together."""
    found: list[Paragraph | Table] = []
    for item in items:
        above = found[-1] if found else None
        if (
            isinstance(item, Table)
            and isinstance(above, Table)
            and item.page == above.page + len(above.breaks) + 1
            and (grids := _in_same_columns(above, item))
        ):
            upper, lower = grids
            repeated = _repeated(upper, lower)
            if repeated and above.header_rows is None:
                above.header_rows = repeated
            lower = lower[repeated:]
            _fill_from_above(upper, lower)
            above.breaks.append(len(upper))
            above.grid = upper + lower
        else:
            found.append(item)
    return found


def _in_same_columns(above: Table, below: Table) -> tuple[list[list[Cell | None]], list[list[Cell | None]]] | None:
    """The rows of both tables in the same columns; None if the columns differ."""
    if len(above.columns) == len(below.columns):
        same = all(abs(a - b) <= 2 * _NEAR for a, b in zip(above.columns, below.columns, strict=True))
        return (above.grid, below.grid) if same else None
    few, many = sorted((above.columns, below.columns), key=len)
    if abs(few[-1] - many[-1]) > 2 * _NEAR or len(above.grid[0]) == len(above.columns):
        return None  # without ruling lines only where columns begin is known
    if not all(any(abs(a - b) <= 2 * _NEAR for b in many) for a in few):
        return None
    # A column of the one that is divided in the other.
    middles = [(a + b) / 2 for a, b in pairwise(many)]
    places = [bisect_right(few, middle) - 1 for middle in middles]
    if min(places) < 0 or max(places) > len(few) - 2:
        return None
    if len(above.columns) < len(below.columns):
        wide = [[row[place] for place in places] for row in above.grid]
        above.columns = below.columns
        return wide, below.grid
    return above.grid, [[row[place] for place in places] for row in below.grid]


def _repeated(upper: list[list[Cell | None]], lower: list[list[Cell | None]]) -> int:
    """How many rows at the top of a page are those at the top of the table: its header."""
    count = 0
    for one, other in zip(upper, lower, strict=False):
        if [cell.text if cell else "" for cell in one] != [cell.text if cell else "" for cell in other]:
            break
        count += 1
    return count


def _fill_from_above(upper: list[list[Cell | None]], lower: list[list[Cell | None]]) -> None:
    """Fill the first cells of a row that a page break has parted from its label."""
    if not upper or not lower or not any(cell and cell.text for cell in lower[0]):
        return
    for column, cell in enumerate(lower[0]):
        if cell and cell.text:
            return
        label = upper[-1][column]
        for row in lower:
            if row[column] is not cell:
                break
            row[column] = label
            if cell is None:
                break


def aligned_tables(items: Sequence[Line | Table]) -> list[Line | Table]:
    """The same lines and tables, with lines of which the pieces stand below one another made tables."""
    found: list[Line | Table] = []
    place = 0
    while place < len(items):
        run = _run(items, place)
        table = _aligned(run) if run else None
        if table:
            found.append(table)
            place += len(run)
        else:
            found.append(items[place])
            place += 1
    return found


def _run(items: Sequence[Line | Table], place: int) -> list[Line]:
    """The lines from `place` that may be one table: at least two pieces each, few lines with one piece between."""
    first = items[place]
    if not isinstance(first, Line) or len(first.segments) < 2:
        return []
    run: list[Line] = [first]
    columns = _columns(run)
    pending: list[Line] = []
    for item in items[place + 1 :]:
        if not isinstance(item, Line) or item.frame != first.frame or item.page != first.page:
            break
        last = pending[-1] if pending else run[-1]
        if last.base - item.base > 4.5 * item.size or abs(item.size - first.size) > 0.4 * first.size:
            break
        item, joined = _fitted(item, [*run, *pending], columns)
        if len(joined) < min(2, len(columns)) or len(joined) < len(columns) - len(columns) // 3:
            break
        if len(item.segments) == 1:
            if len(pending) == _MAX_BETWEEN or len(joined) < len(columns):
                break
            pending.append(item)
            continue
        run += [*pending, item]
        pending, columns = [], joined
    for line in pending:  # a last cell may go on below the last full row
        if line.left <= columns[0][1] or run[-1].base - line.base >= 1.9 * line.size:
            break
        run.append(line)
    return run


def open_tables(
    pieces: Sequence[Piece], across: Sequence[Rule], ruled: Sequence[Table], page: int
) -> tuple[list[Table], list[Piece]]:
    """The tables between three level lines of the same length, as papers have them, and the pieces outside them.

    The first two lines enclose the header.
    """
    tables: list[Table] = []
    rest = list(pieces)
    free = [
        rule
        for rule in _merged(across)
        if rule.end - rule.start >= _MIN_WIDTH
        and not any(t.box[1] - _NEAR <= rule.at <= t.box[3] + _NEAR for t in ruled)
    ]
    groups: dict[tuple[int, int], list[Rule]] = defaultdict(list)
    for rule in sorted(free, reverse=True):
        near = [key for key in groups if abs(key[0] - rule.start) < _NEAR and abs(key[1] - rule.end) < _NEAR]
        groups[near[0] if near else (round(rule.start), round(rule.end))].append(rule)
    for rules in groups.values():
        place = 0
        while place + 2 < len(rules):
            top, middle, bottom = rules[place : place + 3]
            inside = [one for one in rest if top.start - _NEAR <= one.left <= top.end and bottom.at < one.base < top.at]
            table = _between(inside, middle.at, page) if middle.at - bottom.at > 0.5 * (top.at - middle.at) else None
            if table:
                taken = set(map(id, inside))
                rest = [one for one in rest if id(one) not in taken]
                table.box = (top.start, bottom.at, top.end, top.at)
                tables.append(table)
            place += 3 if table else 1
    return tables, rest


def _between(pieces: list[Piece], middle: float, page: int) -> Table | None:
    """The table that pieces make, its header above `middle`; None if they are no columns."""
    lines = [line_of(row, page, cell=_TIGHT) for row in rows_of(pieces)]
    header, below = ([line for line in lines if (line.base > middle) is above] for above in (True, False))
    if not header or not below or len([line for line in lines if len(line.segments) > 1]) < 2:
        return None
    columns = _columns([line for line in lines if len(line.segments) > 1])
    if len(columns) < 2 or sum(len(line.segments) > 1 for line in lines) * 2 < len(lines):
        return None
    grid = _rows_in(header, columns, whole=True)
    count = len(grid)
    grid += _rows_in(below, columns)
    return Table((0.0, 0.0, 0.0, 0.0), grid, tuple(start for start, _ in columns), page, header_rows=count)


def _columns(lines: Sequence[Line]) -> list[tuple[float, float]]:
    return intervals(((one.left, one.right) for line in lines for one in line.segments), 0.6 * lines[0].size)


def _fitted(
    item: Line, above: list[Line], columns: list[tuple[float, float]]
) -> tuple[Line, list[tuple[float, float]]]:
    """A line with its cells, and the columns with it: cells that stand closer than usual if they fit the columns."""
    joined = _columns([*above, item])
    if len(item.segments) == 1 or len(joined) < len(columns):
        tight = line_of(item.pieces, item.page, item.frame, _TIGHT)
        fitting = _columns([*above, tight])
        if len(tight.segments) > len(item.segments) and len(fitting) >= len(columns):
            return tight, fitting
    return item, joined


def _aligned(run: list[Line]) -> Table | None:
    """The table that lines make; None if too few of them have pieces below one another."""
    columns = _columns(run)
    full = [line for line in run if len(line.segments) > 1]
    if len(columns) < 2 or len(full) < (3 if len(columns) == 2 else 2):
        return None
    starts = [start for start, _ in columns]
    grid = _rows_in(run, columns)
    box = (columns[0][0], run[-1].base, columns[-1][1], run[0].base + run[0].size)
    return Table(box, grid, tuple(starts), run[0].page)


def _rows_in(run: list[Line], columns: list[tuple[float, float]], *, whole: bool = False) -> list[list[Cell | None]]:
    """The rows that lines make, one only if they are a `whole`."""
    starts = [start for start, _ in columns]
    placed = [
        [(max(0, bisect_right(starts, one.left + 0.1) - 1), line_of([one], line.page)) for one in line.segments]
        for line in run
    ]
    grid: list[list[Cell | None]] = []
    for group in [list(range(len(run)))] if whole else _groups(run, placed):
        grid += _group_rows([placed[number] for number in group], columns)
    return grid


def _groups(run: list[Line], placed: list[list[tuple[int, Line]]]) -> list[list[int]]:
    """The numbers of the lines that belong together: between wider gaps, else up to the next in the first column."""
    gaps = [above.base - below.base for above, below in pairwise(run)]
    if len(gaps) > 1 and max(gaps) > 1.4 * min(gaps):
        border = (max(min(gaps), 0.5 * run[0].size) * max(gaps)) ** 0.5
        starts = [0, *(number for number, gap in enumerate(gaps, start=1) if gap > border)]
    else:
        starts = [0, *(number for number, line in enumerate(placed) if number and line[0][0] == 0)]
    return [list(range(a, b)) for a, b in pairwise([*starts, len(run)])]


def _group_rows(lines: list[list[tuple[int, Line]]], columns: list[tuple[float, float]]) -> list[list[Cell | None]]:
    """The rows of lines that belong together.

    Each line is a row if most columns have a piece in each, and a single piece in a column belongs to all of them;
    otherwise they are one row with cells of several lines.
    """
    by_column: list[list[Line]] = [[] for _ in columns]
    for line in lines:
        for column, piece in line:
            by_column[column].append(piece)
    rows = [line for line in lines if len(line) > 1]
    full = sum(len(pieces) == len(rows) for pieces in by_column)
    if len(rows) > 1 and full >= 2 and 2 * full >= len(columns):
        shared = {
            column: Cell(pieces[0].text) for column, pieces in enumerate(by_column) if len(pieces) == 1 and column == 0
        }
        grid = []
        for line in rows:
            texts: dict[int, str] = {}
            for column, piece in line:
                texts[column] = join(texts[column], piece.text) if column in texts else piece.text
            grid.append(
                [
                    shared.get(column) or (Cell(texts[column]) if column in texts else None)
                    for column in range(len(columns))
                ]
            )
        others = [(c, p) for line in lines if len(line) == 1 for c, p in line if c not in shared]
        for column, piece in others:  # a cell that goes on in a line of its own
            cell = grid[-1][column]
            grid[-1][column] = Cell(join(cell.text, piece.text) if cell else piece.text)
        return [list(row) for row in grid]
    return [
        [
            Cell(cell_text(pieces, end - start)) if pieces else None
            for pieces, (start, end) in zip(by_column, columns, strict=True)
        ]
    ]
