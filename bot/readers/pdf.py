"""PDF: the text layer, line by line, in the order of the file; headings are lines that begin with `#`.

Parsed in a child process. Pictures of pages are not read: a scan needs OCR first.
"""

from __future__ import annotations

import io
import math
import unicodedata
from typing import TYPE_CHECKING, Any

from bot.errors import ReadError
from bot.readers import Document
from bot.readers.child import in_child
from bot.readers.layout import Line, body_size, headline, lines_of, paragraphs, without_running

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

SUFFIXES = (".pdf",)
SLOW = True
MAX_PAGES = 5000
_MIN_PER_PAGE = 8  # letters; a scan may carry page numbers or a stamp
_MAX_UNREADABLE = 0.3  # share of the characters that are no writing: the font has no table to Unicode
# Such a font's codes come out as letters of scripts that no article mixes. Ranges: IPA to diacritics, Armenian to
# Vedic, Yi to Meetei; a text in Arabic or Thai stands in few blocks of 256, glyph numbers in many.
_FOREIGN = ((0x250, 0x370), (0x530, 0x1E00), (0xA000, 0xAC00))
_MANY_BLOCKS = 6
_PROGRAMS = ("microsoft word", "untitled", "无标题", "(anonymous)", "powerpoint", "幻灯片")


def read(data: bytes) -> Document:
    """The text of a PDF. Raises ReadError E-PASSWORD, E-SCAN, E-FONT, E-SIZE and those of in_child."""
    return in_child(__name__, data)


def parse(data: bytes) -> Document:
    """The same, in this process."""
    import pypdf

    if b"%PDF-" not in data[:1024]:
        raise ReadError("E-FORMAT", "不是 PDF 文件", "not a PDF in fact", "另存为 PDF / save it as PDF")
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise ReadError("E-PASSWORD", "文件有密码", "protected by a password", "去掉密码再保存 / save it without one")
    pages, failed = _pages(reader)
    body = body_size(pages)
    kept = without_running(pages, body)
    text = "\n\n".join(paragraphs(kept, body))
    _check(text, len(pages))
    empty = sum(not page for page in pages) - failed
    warning = [f"{failed} 页无法解析 / pages that cannot be parsed"] * (failed > 0)
    warning += [f"{empty} 页没有文字 / pages without text"] * (empty > 0)
    title = headline(kept[0], body) or _declared_title(reader)
    return Document(text, title, "; ".join(warning))


def _pages(reader: PdfReader) -> tuple[list[list[Line]], int]:
    """The lines of each page, none where a page cannot be parsed, and how many cannot."""
    pages: list[list[Line]] = []
    failed: list[Exception] = []
    for page in reader.pages:
        if len(pages) == MAX_PAGES:
            raise ReadError("E-SIZE", f"超过 {MAX_PAGES} 页", "too many pages", "请拆分 / split it")
        try:
            pages.append(_lines(page))
        except Exception as error:  # of many kinds; MemoryError is one of them, and ends the file
            if isinstance(error, MemoryError):
                raise
            failed.append(error)
            pages.append([])
    if failed and len(failed) == len(pages):
        raise failed[0]
    return pages, len(failed)


def _lines(page: PageObject) -> list[Line]:
    pieces: list[tuple[str, float, float, float]] = []

    def visit(text: str, outer: list[float], inner: list[float], font: Any, size: float) -> None:
        if text:
            x = inner[4] * outer[0] + inner[5] * outer[2] + outer[4]
            y = inner[4] * outer[1] + inner[5] * outer[3] + outer[5]
            scale = math.hypot(inner[2], inner[3]) * math.hypot(outer[2], outer[3])
            pieces.append((text, x, y, round(2 * size * scale) / 2))

    page.extract_text(visitor_text=visit)
    return lines_of(pieces, float(page.mediabox.bottom), float(page.mediabox.top))


def _check(text: str, pages: int) -> None:
    """Raise ReadError where there is no text layer, or none that is writing."""
    written = [char for char in text if not char.isspace()]
    unreadable = sum(unicodedata.category(char) in ("Co", "Cn", "Cc", "Cs") or char == "\ufffd" for char in written)
    foreign = [ord(char) >> 8 for char in written if any(low <= ord(char) < high for low, high in _FOREIGN)]
    if len(set(foreign)) >= _MANY_BLOCKS:
        unreadable += len(foreign)
    if unreadable > _MAX_UNREADABLE * len(written):
        raise ReadError("E-FONT", "字体没有文字编码", "its fonts do not say which characters they show", "OCR")
    if sum(map(str.isalnum, written)) < _MIN_PER_PAGE * max(1, pages) and len(written) < 200:
        raise ReadError(
            "E-SCAN", "没有文字层,像是扫描件", "no text layer: a scan", "先做 OCR,如 / OCR first: ocrmypdf -l chi_sim"
        )


def _declared_title(reader: PdfReader) -> str:
    """The title that the file declares, where it is not a program's."""
    try:
        declared = ((reader.metadata and reader.metadata.title) or "").strip()
    except Exception:  # a title is worth no file
        return ""
    return "" if declared.lower().startswith(_PROGRAMS) else declared
