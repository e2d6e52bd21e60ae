"""Pictures: what is written in them becomes blocks, and no picture costs more than its header says."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image, ImageDraw, ImageFont

from bot.corpus.readers.ocr import engine as ocr
from bot.corpus.readers.ocr import picture
from bot.corpus.readers.ocr.line import OcrLine
from bot.corpus.readers.ocr.page import in_reading_order
from bot.corpus.readers.pdf import reader as pdf
from bot.errors import ReadError

FONT = Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc")
recognised = pytest.mark.skipif(not (ocr.available() and FONT.exists()), reason="needs the extra and a Chinese font")


def drawn(size: tuple[int, int], *texts: tuple[int, int, int, str], mode: str = "RGB") -> Image.Image:
    """A picture with texts, each with its place and its size in pixels."""
    made = Image.new(mode, size, "white")
    pen = ImageDraw.Draw(made)
    for left, top, height, text in texts:
        pen.text((left, top), text, fill="black", font=ImageFont.truetype(str(FONT), height))
    return made


def file_of(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def notice() -> Image.Image:
    table = [("日期", "姓名", "电话"), ("10月1日", "王建国", "13800001111"), ("10月2日", "李小红", "13900002222")]
    return drawn(
        (1000, 640),
        (250, 40, 50, "关于节假日值班的通知"),
        (140, 160, 30, "各部门：现将国庆节期间值班安排通知如下，请各部门按照"),
        (80, 210, 30, "要求做好值班工作，确保信息畅通，遇有紧急情况及时报告办公"),
        (80, 260, 30, "室。"),
        (140, 310, 30, "值班人员不得擅自离岗。"),
        *((100 + 280 * column, 420 + 60 * row, 30, table[row][column]) for row in range(3) for column in range(3)),
    )


@recognised
def test_a_notice_is_a_heading_paragraphs_and_rows_and_its_picture_is_kept():
    parsed = picture.read(file_of(notice()))
    said = [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]
    assert said == [
        ("heading", "关于节假日值班的通知"),
        (
            "paragraph",
            "各部门：现将国庆节期间值班安排通知如下，请各部门按照要求做好值班工作，确保信息畅通，遇有紧急情况及时报告办公室。",
        ),
        ("paragraph", "值班人员不得擅自离岗。"),
        ("row", "日期: 10月1日; 姓名: 王建国; 电话: 13800001111"),
        ("row", "日期: 10月2日; 姓名: 李小红; 电话: 13900002222"),
    ]
    (kept,) = parsed.pictures
    assert (kept.type, kept.at, Image.open(io.BytesIO(kept.data)).format) == ("image/jpeg", 0, "JPEG")
    assert len(kept.data) <= 1_000_000


@recognised
def test_a_photo_is_turned_as_its_camera_says():
    turned = Image.Exif()
    turned[0x0112] = 6  # lies on its side
    photo = file_of(
        drawn((800, 300), (60, 100, 40, "消防通道严禁堆放杂物")).rotate(90, expand=True), "JPEG", exif=turned
    )
    parsed = picture.read(photo)
    assert parsed.text == "消防通道严禁堆放杂物"
    assert Image.open(io.BytesIO(parsed.pictures[0].data)).size == (800, 300)


@recognised
def test_a_scan_of_several_pages_knows_its_pages():
    pages = [drawn((800, 200), (50, 80, 40, f"这是扫描件的第{number}页"), mode="L") for number in (1, 2)]
    parsed = picture.read(file_of(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert parsed.text == "这是扫描件的第1页\n\n这是扫描件的第2页"
    assert [parsed.text[start:].split()[0] for start in parsed.pages] == parsed.text.split()


@recognised
def test_a_pdf_without_a_text_layer_is_read_from_its_pages():
    pages = [drawn((800, 200), (50, 80, 40, f"这是扫描件的第{number}页。"), mode="L") for number in (1, 2)]
    parsed = pdf.read(file_of(pages[0], "PDF", save_all=True, append_images=pages[1:]))
    assert parsed.text.split() == ["这是扫描件的第1页。", "这是扫描件的第2页。"]
    assert len(parsed.pages) == 2


@recognised
def test_a_long_screenshot_is_read_in_pieces_without_cutting_a_line():
    lines = [f"第{number}条消息：会议改到{number}日。" for number in range(1, 48)]
    shot = drawn((500, 2900), *((30, 2 + 60 * at, 28, line) for at, line in enumerate(lines)))
    parsed = picture.read(file_of(shot))
    assert "".join(parsed.text.split()) == "".join(lines)
    assert len(parsed.pictures) == 2


@recognised
def test_ocr_leaves_nothing_behind_and_reports_to_nobody(tmp_path: Path):
    code = "import numpy; from bot.corpus.readers.ocr import engine; engine.lines_of(numpy.ones((64, 64, 3), 'u1'))"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-B", "-c", code], check=True, cwd=ROOT, env=environment, timeout=120)
    assert list(tmp_path.rglob("*")) == []


def test_without_ocr_a_picture_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    with pytest.raises(ReadError) as error:
        picture.parse(file_of(Image.new("L", (60, 60))))
    assert error.value.code == "E-SCAN"
    assert "pip install 'wenqu[ocr]'" in str(error.value)


def huge_png(side: int = 60_000) -> bytes:
    """A PNG of 137 bytes whose header claims `side` times `side` pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")


def huge_jpeg(side: int = 60_000) -> bytes:
    small = bytearray(file_of(Image.new("RGB", (64, 64)), "JPEG"))
    at = small.index(b"\xff\xc0")
    small[at + 5 : at + 9] = struct.pack(">HH", side, side)
    return bytes(small)


@pytest.mark.parametrize("data", [huge_png(), huge_jpeg()], ids=["png", "jpeg"])
def test_a_picture_that_claims_too_many_pixels_is_refused_by_its_header(data: bytes):
    begun = time.monotonic()
    with pytest.raises(ReadError) as error:
        picture.read(data)
    assert error.value.code == "E-BOMB"
    assert time.monotonic() - begun < 20


def test_two_columns_of_text_are_read_one_after_the_other():
    words = "这一栏的每一行都有十二个字以上"
    title = OcrLine("跨越两栏的题目", 100, 0, 900, 40, 1)
    right = [OcrLine(f"右{row}{words}", 520, 60 + 30 * row, 1000, 85 + 30 * row, 1) for row in range(6)]
    left = [OcrLine(f"左{row}{words}", 0, 62 + 30 * row, 480, 87 + 30 * row, 1) for row in range(6)]
    assert in_reading_order([*right, title, *left]) == [title, *left, *right]


def test_a_number_in_the_margin_does_not_part_a_sentence():
    words = "这一栏的每一行都有十二个字以上"
    text = [OcrLine(f"{row}{words}", 100, 60 + 30 * row, 580, 85 + 30 * row, 1) for row in range(12)]
    number = OcrLine("15(I)", 578, 121, 640, 144, 1)
    assert in_reading_order([*text[:3], number, *text[3:]]) == [*text, number]


def test_unread_pages_and_unsure_lines_are_named():
    lines = [OcrLine("清楚", 0, 0, 1, 1, 0.98), OcrLine("模糊", 0, 0, 1, 1, 0.31)]
    said = ocr.warning([3, 7, 8, 9], lines)
    assert said.startswith("第 3, 7-9 页未识别")
    assert "1 行可能识别有误" in said
    assert ocr.warning([], lines[:1]) == ""
