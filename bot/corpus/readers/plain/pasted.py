"""Tables in plain text: columns between bars, tabs or wide gaps, and tables pasted from web pages one cell a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.corpus.tables import Cell, Grid

_SEPARATORS = (re.compile(r"\s*[|｜]\s*"), re.compile(r"\s*\t\s*"), re.compile(r"(?:[ ]{3,}|\u3000{2,})"))
_RULE = re.compile(r"[\s|｜+:：=_-]+")
_LONGEST, _LEAST_ROWS, _MOST_COLUMNS = 20, 3, 8
_PROSE = re.compile("[。，,；;！!？?：:]")
_VALUE = re.compile(
    r"[￥$]?[\d０-９.,%％/:：+\-~—〇零一二三四五六七八九十百千万亿两]+(?:[元人次个件台套分岁天年月日时级万亿％%]|小时|分钟|公里)*"
)


@dataclass(frozen=True, slots=True)
class PastedTable:
    """A table that takes up `lines` lines."""

    grid: Grid
    lines: int


def table_at(lines: Sequence[str], number: int) -> PastedTable | None:
    """The table that begins at a line, "" being an empty line; None if there is none."""
    return _with_separators(lines, number) or _one_cell_a_line(lines, number)


def _with_separators(lines: Sequence[str], number: int) -> PastedTable | None:
    """Lines with equally many separators: two of bars or tabs, three of gaps, which prose has too."""
    for separator in _SEPARATORS:
        if not separator.search(lines[number]):
            continue
        end, rows = number, list[list[Cell | None]]()
        while end < len(lines) and lines[end]:
            line = lines[end]
            end += 1
            if _RULE.fullmatch(line) and rows:
                continue  # the line under a header
            cells = _cells(line, separator)
            if len(cells) < 2 or (rows and len(cells) != len(rows[0])):
                end -= 1
                break
            rows.append([Cell(cell) for cell in cells])
        if len(rows) >= (_LEAST_ROWS if separator is _SEPARATORS[-1] else 2):
            return PastedTable(rows, end - number)
    return None


def _cells(line: str, separator: re.Pattern[str]) -> list[str]:
    bare = line.strip()
    if separator is _SEPARATORS[0]:
        bare = bare.strip("|｜")
    return separator.split(bare)


def _one_cell_a_line(lines: Sequence[str], number: int) -> PastedTable | None:
    """Short lines of which every k-th is of the same kind, under k names that are no numbers.

    球队, 胜, 蓝鲸队, 9, 山鹰队, 7 are two columns. An empty line may stand under the names or between the rows.
    """
    groups = _groups(lines, number)
    if not groups:
        return None
    best: PastedTable | None = None
    for columns in range(2, min(_MOST_COLUMNS, len(groups[0][0])) + 1):
        cells: list[str] = []
        taken = 0
        for group, end in groups:
            if len(group) % columns or not _same_kinds([*cells, *group], columns):
                break
            cells += group
            taken = end
        if len(cells) >= _LEAST_ROWS * columns and (best is None or taken - number > best.lines):
            rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
            best = PastedTable([[Cell(cell) for cell in row] for row in rows], taken - number)
    return best


def _groups(lines: Sequence[str], number: int) -> list[tuple[list[str], int]]:
    """The runs of short lines from a line on, which a single empty line divides, each with the line it ends before."""
    found: list[tuple[list[str], int]] = []
    group: list[str] = []
    position = number
    while position < len(lines):
        line = lines[position]
        if line and (len(line) > _LONGEST or (_PROSE.search(line) and not _VALUE.fullmatch(line))):
            break
        if line:
            group.append(line)
        elif group:
            found.append((group, position))
            group = []
        else:
            break
        position += 1
    if group:
        whole = position == len(lines) or not lines[position]
        found += [(group, position)] if whole else []
    return found


def _same_kinds(cells: Sequence[str], columns: int) -> bool:
    """Whether the columns below the names are all values or all words, and some of each."""
    names = cells[:columns]
    if any(_VALUE.fullmatch(name) for name in names) or len(set(names)) < columns:
        return False
    kinds = [{bool(_VALUE.fullmatch(cell)) for cell in cells[columns + column :: columns]} for column in range(columns)]
    return len(cells) == columns or (all(len(kind) == 1 for kind in kinds) and {True} in kinds and {False} in kinds)
