"""Real documents for the tests: PDFs by reportlab or by hand, Word files by python-docx."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

from docx.document import Document as Word
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.parser import parse_xml
from docx.shared import Pt
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate

SONG = "STSong-Light"
HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
pdfmetrics.registerFont(UnicodeCIDFont(SONG))
BODY = ParagraphStyle("body", fontName=SONG, fontSize=11, leading=16, wordWrap="CJK")
HEADING = ParagraphStyle("heading", fontName=SONG, fontSize=16, leading=22)


def pdf(story: list[Flowable | str], on_page: Callable = lambda canvas, document: None, **options) -> bytes:
    """A PDF of paragraphs and flowables, as reportlab lays them out on A4."""
    out = io.BytesIO()
    flowables = [Paragraph(item, BODY) if isinstance(item, str) else item for item in story]
    SimpleDocTemplate(out, **options).build(flowables, onFirstPage=on_page, onLaterPages=on_page)
    return out.getvalue()


def drawn_pdf(*pages: Callable[[Canvas], None], **options) -> bytes:
    """A PDF of pages of 600 × 800 points, each drawn by a function; the options are those of reportlab's Canvas."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(600, 800), **options)
    for draw in pages:
        canvas.setFont(SONG, 11)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def raw_pdf(*objects: bytes) -> bytes:
    """A PDF of the given objects, numbered from 1; the first is the catalog."""
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def page_pdf(content: bytes, font: bytes = HELVETICA, filters: bytes = b"") -> bytes:
    """A PDF of one page with the given content stream."""
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(content), filters, content),
        font,
    )


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_NAMESPACES = (
    f'{W} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)


def add_xml(word: Word, inner: str) -> None:
    """A paragraph of raw WordprocessingML at the end of the document."""
    paragraph = parse_xml(f"<w:p {_NAMESPACES}>{inner}</w:p>")
    word.element.body.insert(len(word.element.body) - 1, paragraph)


def add_look(word: Word, text: str, size: float = 0, *, centred: bool = False, bold: bool = False) -> None:
    """A paragraph with a look of its own: `size` in points, 0 for that of the text."""
    paragraph = word.add_paragraph()
    run = paragraph.add_run(text)
    run.bold = bold or None
    run.font.size = Pt(size) if size else None
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER if centred else None


def add_list(word: Word, *levels: tuple[str, str], override: str = "", same_as: int = 0) -> int:
    """A list whose levels have a number format and a text, as ("decimal", "%1."); returns its id for `numbered`.

    `override` is raw XML of the list; `same_as` is the id of a list whose counters it shares.
    """
    root = word.part.numbering_part.element
    number_id = 100 + len(root)
    if not same_as:
        inner = "".join(
            f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{style}"/><w:lvlText w:val="{text}"/>'
            "</w:lvl>"
            for depth, (style, text) in enumerate(levels)
        )
        root.append(parse_xml(f'<w:abstractNum {W} w:abstractNumId="{number_id}">{inner}</w:abstractNum>'))
    definition = f'<w:abstractNumId w:val="{same_as or number_id}"/>'
    root.append(parse_xml(f'<w:num {W} w:numId="{number_id}">{definition}{override}</w:num>'))
    return number_id


def numbered(word: Word, list_id: int, text: str, depth: int = 0) -> None:
    """A paragraph with an automatic number."""
    number = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{list_id}"/></w:numPr>'
    add_xml(word, f"<w:pPr>{number}</w:pPr><w:r><w:t>{text}</w:t></w:r>")


def word_bytes(word: Word) -> bytes:
    """The file of a Word document."""
    out = io.BytesIO()
    word.save(out)
    return out.getvalue()


def with_part(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A Word file with one of its parts changed, or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        for each in [*names, *([] if name in names else [name])]:
            content = old.read(each) if each in names else b""
            new.writestr(each, change(content) if each == name else content)
    return out.getvalue()
