"""PDF files with pages that are pictures: what they show is read, on the page where it stands."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from documents import pdf
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from reportlab.platypus import Image, PageBreak

from bot.corpus.readers.ocr import engine as ocr
from bot.corpus.readers.pdf.reader import read

FONT = Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc")
pytestmark = pytest.mark.skipif(not (ocr.available() and FONT.exists()), reason="needs the extra and a Chinese font")


def scan(*lines: str) -> Image:
    """A page with lines of writing as a picture, for reportlab."""
    page = Picture.new("L", (1200, 1600), 255)
    for number, line in enumerate(lines):
        ImageDraw.Draw(page).text((100, 200 + 60 * number), line, fill=0, font=ImageFont.truetype(str(FONT), 40))
    out = io.BytesIO()
    page.save(out, "PNG")
    out.seek(0)
    return Image(out, 450, 600)


def test_scanned_pages_are_read_beside_pages_with_a_text_layer():
    typed = "第一条 为了规范公司的财务报销行为，制定本办法。"
    scanned = ("第二条 员工出差应当在返回后十五日内办理报销手", "续，逾期不予受理。")
    parsed = read(pdf([typed, PageBreak(), scan(*scanned), PageBreak(), typed.replace("一", "三")]))
    assert [parsed.text[block.start : block.end].replace(" ", "") for block in parsed.blocks] == [
        typed.replace(" ", ""),
        "".join(scanned).replace(" ", ""),
        typed.replace("一", "三").replace(" ", ""),
    ]
    assert parsed.pages == tuple(block.start for block in parsed.blocks)
    assert parsed.warning == ""
    assert parsed.pictures == ()
