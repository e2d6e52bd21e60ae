"""Workbooks (.xlsx, .xlsm, .xls, .xlsb, .ods): each sheet a heading, its tables row by row, its lines as paragraphs.

Parsed in a child process. Formulas are read as the values that the file keeps of them; sheets that are hidden are read
like the others. Many systems export web pages and plain text and call them .xls: those are read as what they are.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from posixpath import join, normpath
from typing import TYPE_CHECKING, Any

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.archive import check
from bot.corpus.readers.child import in_child
from bot.corpus.readers.sheets.regions import Line, columns_of, write
from bot.corpus.tables import Cell
from bot.errors import ReadError

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

# A million cells with the names of their columns are about the 20 million characters that a document may have.
_MAX_CELLS = 1_000_000
_MAX_MERGED = 100_000  # places that one merged cell is filled into
_DEFAULT_NAME = re.compile(r"(?:sheet|工作表|表)\s*\d*", re.IGNORECASE)
_LONGEST_TITLE = 60
_PAGE = re.compile(rb"\s*<(?:!doctype html|html|head|body|meta|table|div|style)", re.IGNORECASE)
_XML_SHEET = b"urn:schemas-microsoft-com:office:spreadsheet"
_SS = "{urn:schemas-microsoft-com:office:spreadsheet}"
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

_Sheet = tuple[str, dict[int, Line], list[str]]  # its name, its rows by number, and the texts that lie on it
_Formats = Mapping[tuple[int, int], str]  # number formats by row and column, from 0


def read(data: bytes) -> Parsed:
    """The tables of a workbook. Raises ReadError E-BOMB, E-PASSWORD, E-SIZE and those of in_child."""
    return in_child(__name__, data)


def parse(data: bytes) -> Parsed:
    """The same, in this process."""
    from bot.corpus.readers.sheets import separated
    from bot.corpus.readers.web import html

    if data.startswith(b"PK"):
        check(data)
        return _workbook(data)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise _locked()
        return _workbook(data)
    start = data[:1000].removeprefix(b"\xef\xbb\xbf")
    if _XML_SHEET in data[:4000]:
        return _xml_workbook(data)
    return html.parse(data) if _PAGE.match(start) else separated.parse(data)


def _locked() -> ReadError:
    return ReadError("E-PASSWORD", "文件有密码", "protected by a password", "去掉密码再保存 / save it without one")


def _workbook(data: bytes) -> Parsed:
    """The sheets of a workbook as calamine reads them."""
    from python_calamine import PasswordError, SheetTypeEnum, load_workbook

    try:
        book = load_workbook(io.BytesIO(data))
    except PasswordError:
        raise _locked() from None
    parts = _Parts(data) if data.startswith(b"PK") else None
    sheets: list[_Sheet] = []
    left = _MAX_CELLS
    for number, about in enumerate(book.sheets_metadata):
        if about.typ == SheetTypeEnum.WorkSheet:
            formats = parts.formats(about.name) if parts else {}
            lines, cells = _lines(book.get_sheet_by_index(number), formats, left)
            left -= cells
            sheets.append((about.name, lines, list(parts.texts(about.name)) if parts else []))
    return _parsed(sheets)


def _parsed(sheets: Iterable[_Sheet]) -> Parsed:
    """The document of the sheets; its title is the line above the table of its only one."""
    filled = [sheet for sheet in sheets if sheet[1] or sheet[2]]
    writer = BlockWriter()
    for name, lines, texts in filled:
        if len(filled) > 1 or not _DEFAULT_NAME.fullmatch(name.strip()):
            writer.heading(name, 1)
        write(lines, writer)
        for text in texts:
            writer.paragraph(text)
    parsed = writer.parsed()
    first = next((block for block in parsed.blocks if block.kind != "heading"), None)
    title = ""
    if first and len(filled) == 1 and first.kind in ("caption", "paragraph") and len(parsed.blocks) > 1:
        title = parsed.text[first.start : first.end]
    return writer.parsed(title if len(title) <= _LONGEST_TITLE and not re.search("[。；：:]", title) else "")


# Cells --------------------------------------------------------------------------------------------------------------


def _lines(sheet: CalamineSheet, formats: _Formats, left: int) -> tuple[dict[int, Line], int]:
    """The rows of a sheet that hold something, by number, with merged cells in all places; and the number of cells."""
    if sheet.start is None or sheet.end is None:
        return {}, 0
    top, first = sheet.start
    lines: dict[int, Line] = {}
    count = 0
    for number, row in enumerate(sheet.iter_rows(), start=top):
        line = {
            column: cell
            for column, value in enumerate(row, start=first)
            if value != "" and (cell := Cell(_shown(value, formats.get((number, column), "")))).text
        }
        if line:
            lines[number] = line
            count += len(line)
            if count > left:
                raise ReadError(
                    "E-SIZE",
                    f"超过 {_MAX_CELLS:,} 个单元格",
                    "too many cells",
                    "拆成几个文件 / split it into several files",
                )
    _merge(lines, sheet.merged_cell_ranges or (), sheet.end)
    return lines, count


def _merge(
    lines: dict[int, Line], ranges: Iterable[tuple[tuple[int, int], tuple[int, int]]], end: tuple[int, int]
) -> None:
    """Fill merged cells into all places that they cover, as far as the sheet is used."""
    for (top, first), (bottom, last) in ranges:
        cell = lines.get(top, {}).get(first)
        bottom, last = min(bottom, end[0]), min(last, end[1])
        if cell and (bottom - top + 1) * (last - first + 1) <= _MAX_MERGED:
            for number in range(top, bottom + 1):
                line = lines.setdefault(number, {})
                line.update(dict.fromkeys(range(first, last + 1), cell))


def _shown(value: Any, number_format: str) -> str:
    """A value as people write it: 2024-05-01, 09:30, 12.5%, 3 and not 3.0."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        pattern = "%Y-%m-%d" if value.time() == time_of_day() else "%Y-%m-%d %H:%M"
        return value.strftime(pattern + (":%S" if value.second else ""))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time_of_day):
        return value.strftime("%H:%M:%S" if value.second else "%H:%M")
    if isinstance(value, timedelta):
        minutes, seconds = divmod(int(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    if isinstance(value, int | float):
        return _number(value, number_format)
    return str(value)


def _number(value: float, number_format: str) -> str:
    if number_format.endswith("%"):
        decimals = max(2, len(number_format.rstrip("%").partition(".")[2]))
        return f"{_plain(round(value * 100, decimals))}%"
    return _plain(value).zfill(len(number_format)) if value >= 0 else _plain(value)


def _plain(value: float) -> str:
    """A number with at most the 15 digits that a workbook keeps, without an exponent."""
    if value == int(value) and abs(value) < 10**15:
        return str(int(value))
    return f"{Decimal(f'{value:.15g}'):f}"


class _Parts:
    """What calamine does not tell of an .xlsx file: number formats, texts of shapes, and comments.

    Formats make the number another text: 0.125 is shown as 12.5%, 4 as 004. Parts that are missing or damaged say
    nothing.
    """

    def __init__(self, data: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        targets = dict(self._related("xl/workbook.xml", "Id"))
        book, styles = self._xml("xl/workbook.xml"), self._xml("xl/styles.xml")
        self._paths = {
            sheet.get("name", ""): targets.get(sheet.get(_RELATION, ""), "")
            for sheet in (book.iter(_MAIN + "sheet") if book is not None else ())
        }
        self._styles: dict[bytes, str] = {}
        if styles is not None:
            codes = {one.get("numFmtId"): one.get("formatCode", "") for one in styles.iter(_MAIN + "numFmt")}
            codes |= {"9": "0%", "10": "0.00%"}
            for number, style in enumerate(styles.iterfind(f"{_MAIN}cellXfs/{_MAIN}xf")):
                code = codes.get(style.get("numFmtId"), "").partition(";")[0]
                if re.fullmatch(r"[#0,]*0(?:\.0+)?%|0{2,12}", code):
                    self._styles[str(number).encode()] = code

    def formats(self, sheet: str) -> _Formats:
        """The formats of the cells of a sheet that have one of these."""
        data = self._bytes(self._paths.get(sheet, "")) if self._styles else b""
        found: dict[tuple[int, int], str] = {}
        styles = b"|".join(self._styles)
        cell = re.compile(rb'<(?:\w+:)?c\s(?=[^<>]*\br="([A-Z]{1,3})(\d{1,7})")[^<>]*?\bs="(' + styles + rb')"')
        for match in cell.finditer(data):
            column = 0
            for letter in match[1]:
                column = 26 * column + letter - 64
            found[int(match[2]) - 1, column - 1] = self._styles[match[3]]
        return found

    def texts(self, sheet: str) -> Iterator[str]:
        """The texts of the shapes and the comments on a sheet."""
        for kind, path in self._related(self._paths.get(sheet, ""), "Type"):
            part = self._xml(path) if kind.endswith(("/drawing", "/comments")) else None
            if part is not None:
                for paragraph in part.iter(_A + "p"):
                    yield "".join(text.text or "" for text in paragraph.iter(_A + "t"))
                for comment in part.iter(_MAIN + "comment"):
                    text = "".join(text.text or "" for text in comment.iter(_MAIN + "t"))
                    yield f"批注 {comment.get('ref', '')}：{text}"

    def _bytes(self, path: str) -> bytes:
        return self._archive.read(path) if path in self._archive.namelist() else b""

    def _xml(self, path: str) -> Any:
        from defusedxml.ElementTree import ParseError, fromstring

        try:
            return fromstring(self._bytes(path))
        except ParseError:
            return None

    def _related(self, path: str, name: str) -> Iterator[tuple[str, str]]:
        """What a part refers to: its relation's id or type, and the path."""
        folder, _, file = path.rpartition("/")
        relations = self._xml(f"{folder}/_rels/{file}.rels")
        for one in relations if relations is not None else ():
            target = one.get("Target", "")
            yield one.get(name, ""), target[1:] if target.startswith("/") else normpath(join(folder, target))


def _xml_workbook(data: bytes) -> Parsed:
    """A workbook in the XML of Excel 2003, which systems still export."""
    from defusedxml.ElementTree import fromstring

    sheets: list[_Sheet] = []
    for sheet in fromstring(data).iter(_SS + "Worksheet"):
        lines: dict[int, Line] = {}
        ranges = []
        number = -1
        for row in sheet.iter(_SS + "Row"):
            number = int(row.get(_SS + "Index") or number + 2) - 1
            column = -1
            for cell in row.iter(_SS + "Cell"):
                column = int(cell.get(_SS + "Index") or column + 2) - 1
                across, down = int(cell.get(_SS + "MergeAcross") or 0), int(cell.get(_SS + "MergeDown") or 0)
                shown = Cell(_xml_value(cell.find(_SS + "Data")))
                if shown.text:
                    lines.setdefault(number, {})[column] = shown
                    ranges.append(((number, column), (number + down, column + across)))
                column += across
        end = (max(lines, default=0), max(columns_of(lines.values()), default=0))
        _merge(lines, ranges, end)
        sheets.append((sheet.get(_SS + "Name", ""), lines, []))
    return _parsed(sheets)


def _xml_value(element: Any) -> str:
    text = "".join(element.itertext()) if element is not None else ""
    kind = element.get(_SS + "Type") if element is not None else ""
    if kind == "Number" and re.fullmatch(r"-?\d+\.?\d*(?:[eE][-+]?\d{1,2})?", text):
        return _plain(float(text))
    return text.removesuffix("T00:00:00.000").replace("T", " ") if kind == "DateTime" else text
