"""bot.readers.pdf: lines become paragraphs again, what runs on every page goes, and what has no text is refused."""

from __future__ import annotations

import io
import os

import pypdf
import pytest
from documents import BODY, HEADING, SONG, page_pdf, pdf, raw_pdf
from PIL import Image as Picture
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import BalancedColumns, Image, PageBreak, Paragraph, Table

from bot.errors import ReadError
from bot.passages import cut
from bot.readers.layout import join
from bot.readers.pdf import parse, read
from bot.types import Article

ORIGIN = (
    "龙井茶产于浙江杭州西湖一带,已有一千二百余年历史,因为当地土壤疏松而雾多雨足,所以茶叶格外鲜嫩可口,"
    "而且香气持久,深受各地茶客的喜爱。"
)
PICKING = "清明前采摘的称为明前茶,每斤干茶约需三万六千个嫩芽,炒制由老师傅徒手在铁锅里完成,全程大约需要四十分钟的时间。"


def lines(data: bytes) -> list[str]:
    return [line for line in parse(data).text.split("\n") if line]


def refusal(data: bytes) -> str:
    with pytest.raises(ReadError) as error:
        read(data)
    return error.value.code


def heading(text: str) -> Paragraph:
    return Paragraph(text, HEADING)


def table(*rows: list[str]) -> Table:
    return Table(list(rows), style=[("FONTNAME", (0, 0), (-1, -1), SONG)])


def test_lines_are_joined_to_paragraphs_under_their_headings():
    document = read(pdf([heading("龙井茶的故事"), ORIGIN, PICKING]))  # through the child process, as a run reads it
    assert document.title == "龙井茶的故事"
    assert document.text == f"# 龙井茶的故事\n\n{ORIGIN}\n\n{PICKING}"


def test_headings_of_two_sizes_are_carried_by_the_passages():
    section = ParagraphStyle("section", parent=HEADING, fontSize=13)
    document = parse(
        pdf([heading("茶经"), Paragraph("一之源", section), ORIGIN, Paragraph("二之具", section), PICKING])
    )
    passages, _ = cut(Article("a", document.title, document.text, "a.pdf"))
    assert [(passage.heading, passage.text) for passage in passages] == [("一之源", ORIGIN), ("二之具", PICKING)]


def test_latin_lines_are_joined_with_a_blank_and_chinese_ones_without():
    english = "The quick brown fox jumps over the lazy dog and then it does nothing of the sort again for days " * 2
    assert lines(pdf([english.strip() + ".", ORIGIN])) == [english.strip() + ".", ORIGIN]
    assert join("an exam-", "ple") == "an example"
    assert join("PPR-", "9087") == "PPR- 9087"
    assert join("使用GPU", "训练") == "使用GPU训练"


def test_a_short_line_ends_its_paragraph_and_an_item_begins_one():
    full_line = "茶叶采自清明前后的高山茶园而由老师傅徒手炒制并分装入罐送往各地"  # and no full stop
    items = ["负责人:王建国", "地点:杭州", f"（一）{full_line}", f"（二）{full_line}", "（三）装罐"]
    assert lines(pdf([*items, ORIGIN])) == [*items, ORIGIN]


def test_the_rows_of_a_table_are_lines_of_cells():
    found = lines(pdf([ORIGIN, table(["城市", "得分"], ["北京", "92.93"], ["合肥", "73.28"]), PICKING]))
    assert found == [ORIGIN, "城市 | 得分", "北京 | 92.93", "合肥 | 73.28", PICKING]


def test_columns_are_read_one_after_the_other():
    assert lines(pdf([BalancedColumns([Paragraph(ORIGIN, BODY), Paragraph(PICKING, BODY)], nCols=2)])) == [
        ORIGIN,
        PICKING,
    ]


def running(canvas, document):
    canvas.setFont(SONG, 9)
    canvas.drawString(72, 800, "城市发展年度报告")
    canvas.drawString(72, 785, f"第{document.page}期")
    canvas.drawCentredString(300, 30, f"— {document.page} —")


def test_headers_footers_and_page_numbers_go_and_a_paragraph_runs_over_the_page():
    text = ORIGIN * 100
    document = parse(pdf([text], running))
    assert document.text.replace("\n\n", "") == text
    assert "年度报告" not in document.text


def test_the_entries_of_a_table_of_contents_go():
    entries = [f"{name} {'.' * 40} {page}" for page, name in enumerate(["一之源", "二之具"], start=3)]
    assert lines(pdf([*entries, "一之源 …………………… 3", ORIGIN, "他想说……", "共3页。"])) == [ORIGIN, "他想说……", "共3页。"]


def test_chapters_that_begin_pages_are_no_running_headers():
    story = []
    for number in range(1, 5):
        story += [heading(f"第{number}章"), f"{number}年一月。{ORIGIN}", PageBreak()]
    found = lines(pdf(story, running))
    assert [line for line in found if line.startswith("#")] == [f"# 第{number}章" for number in range(1, 5)]


def test_the_declared_title_counts_where_no_line_is_larger():
    assert parse(pdf([ORIGIN], title="茶经")).title == "茶经"
    assert parse(pdf([ORIGIN], title="Microsoft Word - 1.doc")).title == ""


def encrypted(user: str) -> bytes:
    writer, out = pypdf.PdfWriter(io.BytesIO(pdf([ORIGIN]))), io.BytesIO()
    writer.encrypt(user, "owner", algorithm="AES-256")
    writer.write(out)
    return out.getvalue()


def test_a_file_with_an_empty_password_is_opened_and_one_with_a_password_is_refused():
    assert read(encrypted("")).text == ORIGIN
    assert refusal(encrypted("geheim")) == "E-PASSWORD"


def scanned() -> Image:
    picture = io.BytesIO()
    Picture.new("L", (300, 400), 200).save(picture, "PNG")
    picture.seek(0)
    return Image(picture)


def test_a_scan_is_refused_with_its_cure_and_single_pages_without_text_are_told():
    with pytest.raises(ReadError, match="OCR") as error:
        read(pdf([scanned(), PageBreak(), scanned(), PageBreak(), scanned()], running))
    assert error.value.code == "E-SCAN"
    document = parse(pdf([ORIGIN, PageBreak(), scanned()]))
    assert document.text == ORIGIN
    assert document.warning == "1 页没有文字 / pages without text"


def test_a_font_that_does_not_say_its_characters_is_refused():
    font = (
        b"<</Type/Font/Subtype/Type0/BaseFont/AAAAAA+SimSun/Encoding/Identity-H/DescendantFonts[<</Type/Font"
        b"/Subtype/CIDFontType2/BaseFont/AAAAAA+SimSun"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>]>>"
    )
    glyphs = b"".join(b"%04x" % (number * 37 % 9000 + 500) for number in range(200))
    assert refusal(page_pdf(b"BT /F1 12 Tf 50 700 Td <" + glyphs + b"> Tj ET", font)) == "E-FONT"
    private = b"".join(b"%04x" % (0xE000 + number) for number in range(200))
    assert refusal(page_pdf(b"BT /F1 12 Tf 50 700 Td <" + private + b"> Tj ET", font)) == "E-FONT"


def test_what_is_no_pdf_is_refused():
    assert refusal(os.urandom(5000)) == "E-FORMAT"
    assert refusal(b"%PDF-1.7\n" + os.urandom(5000)) == "E-PARSE"


def test_a_truncated_file_is_refused_or_says_what_it_lacks():
    whole = pdf([ORIGIN, PageBreak(), PICKING])
    for share in (0.2, 0.5, 0.8):
        try:
            assert parse(whole[: int(len(whole) * share)]).text in (ORIGIN, PICKING, f"{ORIGIN}\n\n{PICKING}")
        except Exception as error:
            assert not isinstance(error, MemoryError | RecursionError)


@pytest.mark.parametrize(
    "pages",
    [
        (b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>",),
        tuple(b"<</Type/Pages/Kids[%d 0 R %d 0 R]/Count 1>>" % (n, n) for n in range(3, 40)),
        tuple(b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % n for n in range(3, 3000)),
    ],
    ids=["its own child", "2 to the 37th pages", "3,000 levels"],
)
def test_a_page_tree_that_does_not_end_is_refused(pages):
    assert refusal(raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", *pages, b"<</Type/Page>>")) == "E-PARSE"
