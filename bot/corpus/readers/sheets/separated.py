"""Tables as plain text (.csv, .tsv): one row per line, the cells divided by commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
import io
import re
from typing import Literal

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.child import in_child
from bot.corpus.readers.sheets.regions import write
from bot.corpus.tables import Cell
from bot.errors import ReadError
from bot.text.encoding import decode

_LARGE = 1024 * 1024  # larger files are parsed in a process with limits
_DELIMITERS = ",\t;|"
_MAX_LINES = 100  # of a cell; one that has more began with a quote that is never closed
_SAMPLE = 100  # rows
_MAX_CELLS = 1_000_000  # as many as in a workbook (sheet.py)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_DECLARED = re.compile(r"sep=(.)\n", re.IGNORECASE)  # what Excel reads and writes for its own use


def read(data: bytes) -> Parsed:
    """The rows of the table; a file without a delimiter is read as paragraphs.

    Raises ReadError E-SIZE and those of decode.
    """
    return in_child(__name__, data) if len(data) > _LARGE else parse(data)


def parse(data: bytes) -> Parsed:
    """The same as `read`, in this process."""
    decoded = decode(data)
    text = decoded.text
    declared = _DECLARED.match(text)
    delimiter = declared[1] if declared else _delimiter(text)
    writer = BlockWriter()
    rows = _rows(text[declared.end() :] if declared else text, delimiter)
    lines = {
        number: {column: Cell(cell) for column, cell in enumerate(row) if cell.strip()}
        for number, row in enumerate(rows)
    }
    write({number: line for number, line in lines.items() if line}, writer)
    return writer.parsed(warning=f"{decoded.damaged} U+FFFD" if decoded.damaged else "")


def _delimiter(text: str) -> str:
    """The character that divides most of the first rows into the same number of cells, more than one; "" if none does.

    csv.Sniffer takes letters and spaces for delimiters and is quadratic, so that the marks are counted instead.
    """
    # Text in quotes may hold every character, also line breaks.
    lines = _QUOTED.sub('""', text[: 64 * 1024]).split("\n")[:_SAMPLE]
    lines = [line for line in lines if line.strip()]
    best, best_score = "", (0.5, 0)
    for mark in _DELIMITERS:
        counts = [line.count(mark) for line in lines]
        most = max(set(counts), key=counts.count) if counts else 0
        score = (round(counts.count(most) / len(counts), 1) if most else 0.0, most)
        if score > best_score:
            best, best_score = mark, score
    return best


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """The cells of each row; empty rows have none."""
    if not delimiter:
        return [[line] for line in text.split("\n")]
    csv.field_size_limit(len(text) + 1)  # 131,072 by default, which one quote that is never closed exceeds
    rows = _read(text, delimiter, csv.QUOTE_MINIMAL)
    if any(cell.count("\n") > _MAX_LINES for row in rows for cell in row):
        rows = _read(text, delimiter, csv.QUOTE_NONE)
    return rows


def _read(text: str, delimiter: str, quoting: Literal[0, 3]) -> list[list[str]]:
    rows = []
    count = 0
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting):
        rows.append(row)
        count += len(row)
        if count > _MAX_CELLS:
            cure = "拆成几个文件 / split it into several files"
            raise ReadError("E-SIZE", f"超过 {_MAX_CELLS:,} 个单元格", "too many cells", cure)
    return rows
