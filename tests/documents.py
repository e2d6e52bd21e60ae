"""Real documents for the tests: PDFs by reportlab or by hand, Word files by python-docx."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

from docx.document import Document as Word
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
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
