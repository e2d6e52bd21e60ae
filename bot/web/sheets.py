"""Tables to be kept: as CSV, or as a workbook of one sheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from fastapi import Response

# A cell that begins with one of these would be a formula to a spreadsheet that opens the CSV.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CSV, _XLSX = "text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LONGEST_CELL = 32_767  # characters, of a workbook

Cell = str | int | float
Sheet = Response


def sheet(name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Sheet:
    """The table under a file name, whose suffix says whether it is CSV or a workbook."""
    body = _workbook(head, rows) if name.endswith(".xlsx") else _csv(head, rows)
    kind = _XLSX if name.endswith(".xlsx") else _CSV
    return Response(body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _csv(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig", "replace")  # by its mark Excel knows the encoding


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _workbook(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]

    out = io.BytesIO()
    with Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        page = book.add_worksheet()
        for number, row in enumerate([head, *rows]):
            for column, cell in enumerate(row):
                page.write(number, column, cell[:_LONGEST_CELL] if isinstance(cell, str) else cell)
    return out.getvalue()
