"""The lines of a recognised page as blocks: in the order of reading, joined to paragraphs, aligned ones as tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from bot.corpus.blocks import BlockWriter
from bot.corpus.readers.ocr.line import OcrLine
from bot.corpus.tables import Cell

_COLUMN_LINES, _COLUMN_LETTERS = (
    5,
    12,
)  # a column of text has so many lines of such length; cells of a table are shorter
_TABLE_ROWS = 3
_LARGE = 1.25  # times the size of most letters: a heading
_HEADING_LETTERS = 40


def in_reading_order(lines: Sequence[OcrLine]) -> list[OcrLine]:
    """Lines from top to bottom and from left to right, column by column where the page has columns of text."""
    return [line for region in _regions(lines) for row in _rows(region) for line in row]


def write_page(writer: BlockWriter, lines: Sequence[OcrLine]) -> None:
    """Write the lines of a page as headings, paragraphs and table rows."""
    usual = median(line.size for line in lines for _ in line.text) if lines else 0
    for region in _regions(lines):
        rows = _rows(region)
        while rows:
            count = _table_rows(rows)
            if count:
                writer.table(_grid(rows[:count]))
            else:
                count = _paragraph_rows(rows, region, usual)
                text = _joined([line for row in rows[:count] for line in row])
                if count == 1 and _is_heading(rows[0], usual):
                    writer.heading(text, 1)
                else:
                    writer.paragraph(text)
            rows = rows[count:]


def _regions(lines: Sequence[OcrLine]) -> list[list[OcrLine]]:
    """Parts of a page, each with one column of text, in the order of reading."""
    ordered = sorted(lines, key=lambda line: (line.top, line.left))
    gutter = _gutter(ordered)
    if gutter is None:
        return [part for part in _without_margin(ordered) if part]
    # What crosses the gutter, a title or a wide table, divides the page into bands.
    bands: list[list[OcrLine]] = []
    crossing = False
    for line in ordered:
        crosses = line.left < gutter < line.right
        if not bands or crosses != crossing:
            bands.append([])
        crossing = crosses
        bands[-1].append(line)
    parts = []
    for band in bands:
        left = [line for line in band if line.right <= gutter]
        right = [line for line in band if line.left >= gutter]
        parts += [part for part in (left, right) if part] or [band]
    return parts


def _without_margin(lines: list[OcrLine]) -> tuple[list[OcrLine], list[OcrLine]]:
    """The lines of a column of text, and what stands beside it in the margin, which would part its sentences."""
    if len(lines) < 2 * _COLUMN_LINES or median(len(line.text) for line in lines) < _COLUMN_LETTERS:
        return lines, []
    left, right = sides(lines)
    beside = [line for line in lines if not left < (line.left + line.right) / 2 < right]
    return [line for line in lines if line not in beside], beside


def sides(lines: Sequence[OcrLine]) -> tuple[float, float]:
    """Where most lines begin and end."""

    def most_common(places: list[float]) -> float:
        return max(places, key=lambda place: sum(abs(place - other) < size for other in places))

    size = median(line.size for line in lines)
    return most_common([line.left for line in lines]), most_common([line.right for line in lines])


def _gutter(lines: Sequence[OcrLine]) -> float | None:
    """Where a page divides into two columns of text; None if it does not."""
    for line in sorted(lines, key=lambda line: line.left):
        at = line.left - 1
        left = [len(one.text) for one in lines if one.right <= at]
        right = [len(one.text) for one in lines if one.left >= at]
        crossing = len(lines) - len(left) - len(right)
        enough = min(len(left), len(right)) >= _COLUMN_LINES and crossing * 4 <= len(lines)
        if enough and min(median(left), median(right)) >= _COLUMN_LETTERS:
            return at
    return None


def _rows(lines: Sequence[OcrLine]) -> list[list[OcrLine]]:
    """Lines that stand side by side, from top to bottom."""
    rows: list[list[OcrLine]] = []
    for line in sorted(lines, key=lambda line: line.top + line.bottom):
        middle = (line.top + line.bottom) / 2
        if rows and rows[-1][0].top < middle < rows[-1][0].bottom:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]


def _table_rows(rows: Sequence[Sequence[OcrLine]]) -> int:
    """How many rows at the top are a table: at least three, each with several cells in common columns; else 0."""
    count = 0
    while count < len(rows) and len(rows[count]) > 1 and len(_columns(rows[: count + 1])) > 1:
        columns = _columns(rows[: count + 1])
        if any(
            sum(left <= cell.left < right for cell in row) > 1 for row in rows[: count + 1] for left, right in columns
        ):
            break
        count += 1
    return count if count >= _TABLE_ROWS else 0


def _columns(rows: Sequence[Sequence[OcrLine]]) -> list[tuple[float, float]]:
    """The left and right sides of the columns that the cells of the rows share."""
    columns: list[tuple[float, float]] = []
    for cell in sorted((cell for row in rows for cell in row), key=lambda cell: cell.left):
        if columns and cell.left < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], cell.right))
        else:
            columns.append((cell.left, cell.right))
    return columns


def _grid(rows: Sequence[Sequence[OcrLine]]) -> list[list[Cell | None]]:
    columns = _columns(rows)
    return [
        [next((Cell(cell.text) for cell in row if left <= cell.left < right), None) for left, right in columns]
        for row in rows
    ]


def _is_heading(row: Sequence[OcrLine], usual: float) -> bool:
    return len(row) == 1 and row[0].size >= _LARGE * usual and len(row[0].text) <= _HEADING_LETTERS


def _paragraph_rows(rows: Sequence[Sequence[OcrLine]], region: Sequence[OcrLine], usual: float) -> int:
    """How many rows at the top are one paragraph: all but the last are full, all but the first begin at the margin."""
    margin, end = sides(region)
    count = 1
    for above, below in pairwise(rows):
        height = above[-1].height
        goes_on = (
            len(below) == 1
            and above[-1].right > end - 2 * height
            and below[0].left < margin + height
            and below[0].top - above[-1].bottom < 1.2 * height
            and 0.8 < below[0].size / above[-1].size < 1.25
            and not _is_heading(above, usual)
        )
        if not goes_on:
            break
        count += 1
    return count


def _joined(lines: Sequence[OcrLine]) -> str:
    """The lines as one text: with a space between words of Latin letters and between pieces side by side."""
    text = lines[0].text
    for before, line in pairwise(lines):
        latin = text[-1].isascii() and line.text[0].isascii()
        text += f"{' ' if latin or line.left >= before.right else ''}{line.text}"
    return text
