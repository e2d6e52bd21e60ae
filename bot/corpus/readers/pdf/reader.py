"""PDF: the text layer with its structure, which is guessed from where the letters stand and how large they are.

Parsed in a child process. From letters to blocks: pdfium.py and glyphs.py (letters and ruling lines), cells.py
(tables), furniture.py (running heads), layout.py (lines and columns), prose.py (paragraphs and headings).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.child import in_child
from bot.corpus.readers.ocr import engine as ocr
from bot.corpus.readers.pdf.cells import aligned_tables, continued, open_tables, ruled_tables
from bot.corpus.readers.pdf.furniture import (
    Furniture,
    contents,
    mark_of,
    watermarks,
    without_ornaments,
    without_running,
)
from bot.corpus.readers.pdf.layout import Line, Piece, Table, gutter, in_reading_order, join, pieces_of, with_blanks
from bot.corpus.readers.pdf.pdfium import Image, Pdf, Sheet, Turned
from bot.corpus.readers.pdf.prose import LARGER, Paragraph, paragraphs
from bot.corpus.titles import is_title
from bot.errors import ReadError
from bot.text.encoding import MIN_SCORE, score

_MIN_PER_PAGE = 8  # letters; a scan may have page numbers or a stamp as text
_MAX_UNREADABLE = 0.3  # share of characters that are not writing, because the font does not map to Unicode
# The codes of such a font come out as letters of many scripts: IPA to diacritics, Armenian to Vedic, Yi to Meetei.
# Real Arabic or Thai text stays within few blocks of 256 characters, glyph numbers are spread over many.
_FOREIGN = ((0x250, 0x370), (0x530, 0x1E00), (0xA000, 0xAC00))
_MANY_BLOCKS = 6
_NEAR = 3.0  # points between a table and lines that are its own
_MIN_LETTERS = 200  # a document with so many is no scan; Chinese letters that are enough to judge them
_MAX_NAMED = 20  # pages in a warning
_TITLE_PAGES = 2
_LONGEST_TITLE = 40
_MAX_TITLE_LINES = 3


def read(data: bytes) -> Parsed:
    """The text of a PDF. Raises ReadError E-PASSWORD, E-SCAN, E-FONT, E-SIZE and those of in_child."""
    try:
        return in_child(__name__, data)
    except ReadError as error:
        if error.code not in ("E-SCAN", "E-FONT") or not ocr.available():
            raise
    return in_child("bot.corpus.readers.pdf.scan", data, ocr.LIMITS)


def parse(data: bytes, recognise: Callable[[int], list[Piece]] | None = None) -> Parsed:
    """The same, in this process.

    `recognise` reads what a page (from 0) shows; without it, E-SCAN is raised where it could help.
    """
    if b"%PDF-" not in data[:1024]:
        raise ReadError("E-FORMAT", "不是 PDF 文件", "not really a PDF", "另存为 PDF / save it as PDF")
    pdf = Pdf(data)
    pages = [_page(sheet, number) for number, sheet in enumerate(pdf.sheets())]
    failed = [number for number, page in enumerate(pages) if page.failed]
    if len(failed) == len(pages):
        raise ReadError("E-PARSE", "无法解析", "cannot be parsed", "另存后再试 / resave it")
    _recognise(pages, recognise)
    unreadable = _without_unreadable(pages)
    body = _body(pages)
    kept, running = without_running([page.pieces for page in pages], [page.edges for page in pages], body)
    for page, pieces in zip(pages, kept, strict=True):
        page.pieces = pieces
    scanned = _scanned(pages, recognise is not None)
    known = [middle for pieces in kept if (middle := gutter(pieces)) is not None]
    items: list[Line | Table] = []
    for number, pieces in enumerate(kept):
        items += aligned_tables(in_reading_order(pieces, pages[number].tables, number, known))
    title = _title(items, body, pdf.property(b"Title"))
    items = _without_furniture(items, pages, running)
    writer = _Pages(pages).written(continued(paragraphs(items)))
    created = pdf.property(b"CreationDate").removeprefix("D:")[:8]  # D:20230728101500+08'00'
    return writer.parsed(title, _warnings(failed, unreadable, scanned), created)


@dataclass(slots=True)
class _Page:
    """A page on its way: the pieces outside its tables, its tables, pictures and furniture, lower and upper edge."""

    pieces: list[Piece]
    tables: list[Table]
    images: list[Image]
    turned: list[Turned]
    left_out: list[Furniture]
    edges: tuple[float, float]
    failed: bool
    has_pictures: bool

    def text(self) -> str:
        """All that stands on it, in any order."""
        cells = {id(cell): cell.text for table in self.tables for row in table.grid for cell in row if cell}
        return "".join([piece.text for piece in self.pieces] + list(cells.values()))


def _page(sheet: Sheet, number: int) -> _Page:
    """The pieces and tables that the letters and lines of a page make."""
    tables, rest = ruled_tables(sheet.glyphs, sheet.across, sheet.upright, number)
    opened, pieces = open_tables(pieces_of(rest), sheet.across, tables, number)
    tables += opened
    pieces, ornaments = without_ornaments(pieces, number)
    free = [rule for rule in sheet.across if not any(t.box[1] - _NEAR <= rule.at <= t.box[3] + _NEAR for t in tables)]
    edges = (sheet.box[1], sheet.box[3])
    return _Page(
        with_blanks(pieces, free),
        tables,
        sheet.images,
        sheet.turned,
        ornaments,
        edges,
        sheet.failed,
        sheet.has_pictures,
    )


def _body(pages: Sequence[_Page]) -> float:
    """The size of most letters outside tables, in points; 0 without any."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for piece in page.pieces:
            sizes[round(piece.size)] += len(piece.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _without_furniture(
    items: Sequence[Line | Table], pages: Sequence[_Page], running: Sequence[Furniture]
) -> list[Line | Table]:
    """The lines and tables without those of contents tables; all furniture is put to that of its page."""
    for one in running:
        pages[one.page].left_out.append(one)
    marks = watermarks([page.turned for page in pages])
    for number, page in enumerate(pages):
        page.left_out += [Furniture(one[0], "watermark", number) for one in page.turned if mark_of(one) in marks]
        page.turned = [one for one in page.turned if mark_of(one) not in marks]
    entries = contents(items)
    kept = []
    for number, item in enumerate(items):
        if number in entries and isinstance(item, Line):
            pages[item.page].left_out.append(Furniture(item.text, "contents table", item.page))
        else:
            kept.append(item)
    return kept


class _Pages:
    """Writes the blocks page by page, each page with its furniture, its pictures and its texts in other directions."""

    def __init__(self, pages: Sequence[_Page]) -> None:
        """All pages of a document, none of them begun."""
        self._pages, self._begun, self._writer = pages, 0, BlockWriter()

    def written(self, found: Sequence[Paragraph | Table]) -> BlockWriter:
        """The writer with all paragraphs and tables."""
        for one in found:
            self._begin(one.page)
            if one.page == self._begun - 1:
                self._draw(one.box[3] if isinstance(one, Table) else one.lines[0].base)
            if isinstance(one, Table):
                self._writer.table(one.grid, one.header_rows, one.breaks)
            else:
                _write(self._writer, one)
            for _ in one.breaks:  # the writer has begun these pages
                self._end()
                self._begun += 1
                self._leave_out()
        self._begin(len(self._pages) - 1)
        self._end()
        return self._writer

    def _begin(self, page: int) -> None:
        while self._begun <= page:
            self._end()
            self._writer.begin_page()
            self._begun += 1
            self._leave_out()

    def _end(self) -> None:
        """What is left of the page that ends."""
        if self._begun:
            self._draw(-math.inf)
            for one in self._pages[self._begun - 1].turned:
                self._writer.paragraph(one[0])

    def _leave_out(self) -> None:
        for one in self._pages[self._begun - 1].left_out:
            self._writer.leave_out(one.text, one.reason, self._begun)

    def _draw(self, height: float) -> None:
        """The pictures of the page that stand above a height and are not drawn yet."""
        page = self._pages[self._begun - 1]
        above = [image for image in page.images if (image.box[1] + image.box[3]) / 2 > height]
        for image in sorted(above, key=lambda one: -one.box[3]):
            self._writer.picture(image.data)
        page.images = [image for image in page.images if image not in above]


def _write(writer: BlockWriter, one: Paragraph) -> None:
    if one.kind == "heading":
        writer.heading(one.text, one.level, one.number)
        for _ in one.breaks:
            writer.begin_page()
    else:
        level = one.level if one.kind == "item" else 0
        writer.add(one.kind, one.text, level=level, number=one.number, breaks=one.breaks)


def _title(items: Sequence[Line | Table], body: float, declared: str) -> str:
    """The name of the document: the largest lines of the first pages, or what its properties say if a line says so."""
    lines = [one for one in items if isinstance(one, Line) and one.page < _TITLE_PAGES]
    for page in range(_TITLE_PAGES):
        here = [line for line in lines if line.page == page]
        large = [line for line in here if line.size >= LARGER * body]
        if is_title(declared) and any(_bare(line.text) and _bare(line.text) in _bare(declared) for line in large):
            whole = _bare("".join(line.text for line in here))
            if _bare(declared) in whole:
                return declared
        for size in sorted({round(line.size, 1) for line in large}, reverse=True):
            title = _first_of_size(here, size)
            if title:
                return title
    first = lines[0] if lines else None
    text = _bare("".join(line.text for line in lines))
    if (
        first
        and is_title(first.text)
        and len(first.text) <= _LONGEST_TITLE
        and not re.search(r"[。；;，,：:]", first.text)
    ):
        middle = (first.frame[0] + first.frame[1]) / 2
        is_centred = abs((first.left + first.right) / 2 - middle) < 1.5 * first.size
        if (is_centred or first.bold) and first.right - first.left < 0.8 * (first.frame[1] - first.frame[0]):
            return first.text
    return declared if is_title(declared) and _bare(declared) in text else ""


def _first_of_size(lines: Sequence[Line], size: float) -> str:
    """The first lines of a size that can be a title, three at most; "" if there are none."""
    run: list[Line] = []
    for line in [*lines, None]:
        if line and abs(line.size - size) < 0.06 * size and (not run or run[-1].base - line.base < 3 * size):
            run.append(line)
            continue
        if run:
            text = run[0].text
            for other in run[1:]:
                text = join(text, other.text)
            if len(run) <= _MAX_TITLE_LINES and is_title(text):
                return text
        run = [line] if line and abs(line.size - size) < 0.06 * size else []
    return ""


def _bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def _recognise(pages: Sequence[_Page], recognise: Callable[[int], list[Piece]] | None) -> None:
    """Read what is shown on pages that are pictures, or whose text is unreadable, where OCR is installed."""
    texts = [page.text() for page in pages]
    letters = [sum(map(str.isalnum, text)) for text in texts]
    wanted = [
        number
        for number, page in enumerate(pages)
        if (page.has_pictures and letters[number] < _MIN_PER_PAGE) or _is_unreadable(Counter(texts[number]))
    ]
    if recognise is None:
        if wanted and ocr.available():
            raise _no_text_layer()
        return
    if not any(letters):  # letters may be drawn as shapes
        wanted = list(range(len(pages)))
    for number in wanted:
        page, pieces = pages[number], recognise(number)
        if pieces:
            page.pieces, page.tables, page.images, page.turned = pieces, [], [], []
            page.edges = (0.0, max(piece.base + piece.size for piece in pieces))


def _no_text_layer() -> ReadError:
    return ocr.missing("没有文字层，像是扫描件", "no text layer: a scan")


def _scanned(pages: Sequence[_Page], recognised: bool) -> list[int]:
    """The pages that are pictures without a text layer. Raises ReadError E-SCAN if there is no text on any page."""
    texts = [page.text() + "".join(one[0] for one in page.turned) for page in pages]
    letters = sum(map(str.isalnum, "".join(texts)))
    is_empty = letters < _MIN_PER_PAGE * max(1, len(texts)) and letters < _MIN_LETTERS
    if is_empty and not recognised and (not letters or any(page.has_pictures for page in pages)):
        raise _no_text_layer()
    return [number for number, page in enumerate(pages) if page.has_pictures and not texts[number].strip()]


def _without_unreadable(pages: Sequence[_Page]) -> list[int]:
    """The pages whose fonts do not say which letters they show; their text is left out.

    Raises ReadError E-FONT if the document as a whole is unreadable.
    """
    texts = [page.text() for page in pages]
    counts = [Counter(text) for text in texts]
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    if _is_unreadable(total):
        english = "its fonts do not say which characters they show"
        raise ReadError("E-FONT", "字体没有文字编码", english, "先做 OCR / OCR first")
    bad = [number for number, one in enumerate(counts) if _is_unreadable(one)]
    for number in bad:
        pages[number].left_out.append(Furniture(texts[number], "unreadable", number))
        pages[number].pieces, pages[number].tables = [], []
    return bad


def _is_unreadable(counts: Counter[str]) -> bool:
    """Whether too many letters are none, by how often each occurs."""
    written = sum(count for char, count in counts.items() if not char.isspace())
    unreadable = sum(
        count
        for char, count in counts.items()
        if not char.isspace() and (unicodedata.category(char) in ("Co", "Cn", "Cc", "Cs") or char == "\ufffd")
    )
    foreign = {char: count for char, count in counts.items() if any(a <= ord(char) < b for a, b in _FOREIGN)}
    if len({ord(char) >> 8 for char in foreign}) >= _MANY_BLOCKS:
        unreadable += sum(foreign.values())
    if unreadable > _MAX_UNREADABLE * written:
        return True
    chinese = {char: count for char, count in counts.items() if "\u3400" <= char <= "\u9fff"}
    if sum(chinese.values()) < _MIN_LETTERS:
        return False
    most = max(chinese.values()) // 100 + 1  # the shares are enough to judge by
    return score("".join(char * -(-count // most) for char, count in chinese.items())) < MIN_SCORE


def _warnings(failed: Sequence[int], unreadable: Sequence[int], scanned: Sequence[int]) -> str:
    """What is wrong with single pages, by their numbers."""
    said = []
    for pages, chinese, english in (
        (failed, "无法解析", "cannot be parsed"),
        (unreadable, "字体没有文字编码", "with fonts that do not say their characters"),
        (scanned, "没有文字", "without text"),
    ):
        if pages:
            shown = ", ".join(str(number + 1) for number in pages[:_MAX_NAMED])
            more = f" … ({len(pages)})" if len(pages) > _MAX_NAMED else ""
            said.append(f"第 {shown}{more} 页{chinese} / pages {english}")
    return "; ".join(said)
