"""bot.corpus.readers.pdf.reader: letters with their places become blocks again; only furniture of pages is left out."""

from __future__ import annotations

import io
import os

import pytest
from documents import BODY, HEADING, SONG, drawn_pdf, page_pdf, pdf, raw_pdf
from PIL import Image as Picture
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import BalancedColumns, Image, PageBreak, Paragraph, Table

from bot.corpus.blocks import Parsed
from bot.corpus.passages import cut
from bot.corpus.readers.ocr import engine as ocr
from bot.corpus.readers.pdf.layout import join
from bot.corpus.readers.pdf.reader import parse, read
from bot.errors import ReadError
from bot.types import Document

ORIGIN = (
    "龙井茶产于浙江杭州西湖一带,已有一千二百余年历史,因为当地土壤疏松而雾多雨足,所以茶叶格外鲜嫩可口,"
    "而且香气持久,深受各地茶客的喜爱。"
)
PICKING = "清明前采摘的称为明前茶,每斤干茶约需三万六千个嫩芽,炒制由老师傅徒手在铁锅里完成,全程大约需要四十分钟的时间。"
SECTION = ParagraphStyle("section", parent=HEADING, fontSize=13)


def blocks(data: bytes) -> list[tuple[str, str]]:
    document = parse(data)
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def texts(data: bytes) -> list[str]:
    return [text for _, text in blocks(data)]


def left_out(document: Parsed) -> list[tuple[str, str, int]]:
    return [(one.text, one.reason, one.page) for one in document.left_out]


def refusal(data: bytes) -> str:
    with pytest.raises(ReadError) as error:
        read(data)
    return error.value.code


def heading(text: str) -> Paragraph:
    return Paragraph(text, HEADING)


def table(*rows: list[str], **options) -> Table:
    lines = [("FONTNAME", (0, 0), (-1, -1), SONG), ("GRID", (0, 0), (-1, -1), 0.5, "black")]
    return Table(list(rows), style=lines + options.pop("style", []), **options)


def columns(canvas, rows: list[list[str]], top: float = 700, places: tuple[int, ...] = (72, 200, 330)) -> None:
    """Rows without ruling lines, their cells below one another; "" leaves a cell empty."""
    for number, row in enumerate(rows):
        for x, cell in zip(places, row, strict=False):
            canvas.drawString(x, top - 16 * number, cell)


def test_lines_are_joined_to_paragraphs_under_their_headings():
    document = read(pdf([heading("龙井茶的故事"), ORIGIN, PICKING]))  # through the child process, as a run reads it
    assert document.title == "龙井茶的故事"
    assert document.text == f"龙井茶的故事\n\n{ORIGIN}\n\n{PICKING}"
    assert [(block.kind, block.level) for block in document.blocks] == [
        ("heading", 1),
        ("paragraph", 0),
        ("paragraph", 0),
    ]


def test_headings_of_two_sizes_are_carried_by_the_passages():
    story = [heading("茶经"), Paragraph("一之源", SECTION), ORIGIN, Paragraph("二之具", SECTION), PICKING]
    document = parse(pdf(story))
    passages = cut(Document("a", document.title, document.text, "a.pdf", document.blocks, document.pages))
    assert [(one.heading, one.text) for one in passages] == [("一之源", ORIGIN), ("二之具", PICKING)]


def test_chapters_and_sections_nest_by_their_numbers_and_articles_are_items():
    story = ["第一章 总则", "第一条 为了保护茶树,制定本办法。", "第二章 采摘", "一、时间", ORIGIN, "二、方法", PICKING]
    document = parse(pdf(story))
    found = [(block.kind, block.level, block.number) for block in document.blocks]
    assert found == [
        ("heading", 1, "第一章"), ("item", 1, "第一条"), ("heading", 1, "第二章"),
        ("heading", 2, "一、"), ("paragraph", 0, ""), ("heading", 2, "二、"), ("paragraph", 0, ""),
    ]  # fmt: skip


def test_text_that_is_larger_than_more_small_print_is_text():
    large = ParagraphStyle("large", parent=BODY, fontSize=16, leading=24)
    small = ParagraphStyle("small", parent=BODY, fontSize=9, leading=12)
    notes = [Paragraph(f"注{number}:{PICKING * 3}", small) for number in range(20)]
    assert blocks(pdf([Paragraph(ORIGIN, large), *notes]))[0] == ("paragraph", ORIGIN)


def test_latin_lines_are_joined_with_a_blank_and_chinese_ones_without():
    english = "The quick brown fox jumps over the lazy dog and then it does nothing of the sort again for days " * 2
    assert texts(pdf([english.strip() + ".", ORIGIN])) == [english.strip() + ".", ORIGIN]
    assert join("an exam-", "ple") == "an example"
    assert join("PPR-", "9087") == "PPR- 9087"
    assert join("使用GPU", "训练") == "使用GPU训练"


def test_a_short_line_ends_its_paragraph_and_an_item_begins_one():
    full_line = "茶叶采自清明前后的高山茶园而由老师傅徒手炒制并分装入罐送往各地"  # and no full stop
    items = [f"（一）{full_line}", f"（二）{full_line}", "（三）装罐"]
    found = blocks(pdf(["负责人:王建国", "地点:杭州", *items, ORIGIN]))
    assert [text for _, text in found] == ["负责人:王建国", "地点:杭州", *items, ORIGIN]
    assert [kind for kind, _ in found] == ["paragraph", "paragraph", "item", "item", "item", "paragraph"]


def test_pieces_of_a_line_are_one_text_and_small_letters_belong_to_their_line():
    def draw(canvas):
        for x, piece in ((72, "调查组于"), (116.5, "2019"), (142, "年在三个县抽取样品"), (262, "，其中合格")):
            canvas.drawString(x, 700, piece)
        canvas.setFont(SONG, 6)
        canvas.drawString(318, 705, "[1-2]")
        canvas.setFont(SONG, 11)
        canvas.drawString(334, 700, "四十一份，")
        canvas.drawString(72, 684, "水分超标。")

    assert texts(drawn_pdf(draw)) == ["调查组于2019年在三个县抽取样品，其中合格[1-2]四十一份，水分超标。"]


def test_a_ruled_table_is_rows_under_its_header_with_merged_cells_filled_in():
    rows = [["城市", "指标", "得分"], ["北京", "教育", "92.93"], ["", "医疗", "88.10"], ["合肥", "教育", "73.28"]]
    found = blocks(pdf([ORIGIN, table(*rows, style=[("SPAN", (0, 1), (0, 2))]), PICKING]))
    assert found == [
        ("paragraph", ORIGIN),
        ("row", "城市: 北京; 指标: 教育; 得分: 92.93"),
        ("row", "城市: 北京; 指标: 医疗; 得分: 88.10"),
        ("row", "城市: 合肥; 指标: 教育; 得分: 73.28"),
        ("paragraph", PICKING),
    ]


def test_cells_below_one_another_are_a_table_and_a_label_between_two_lines_belongs_to_both():
    def draw(canvas):
        columns(canvas, [["业态", "计费单位", "一层"]])
        for top, name, cells in ((660, "餐饮", ["每月三十八", "每吨四元"]), (610, "书店", ["每月二十二", "每吨五元"])):
            columns(canvas, [["", "每平方米", cells[0]], ["", "另收水费", cells[1]]], top)
            canvas.drawString(72, top - 8, name)

    assert texts(drawn_pdf(draw)) == [
        "业态: 餐饮; 计费单位: 每平方米; 一层: 每月三十八",
        "业态: 餐饮; 计费单位: 另收水费; 一层: 每吨四元",
        "业态: 书店; 计费单位: 每平方米; 一层: 每月二十二",
        "业态: 书店; 计费单位: 另收水费; 一层: 每吨五元",
    ]


def test_a_table_between_three_lines_has_its_header_between_the_first_two():
    def draw(canvas):
        columns(canvas, [["方案", "药物"], ["三联方案", "两种抗生素"], ["四联方案", "铋剂和两种抗生素"]])
        for y in (715, 694, 660):
            canvas.line(70, y, 400, y)

    assert texts(drawn_pdf(draw)) == ["方案: 三联方案; 药物: 两种抗生素", "方案: 四联方案; 药物: 铋剂和两种抗生素"]


def test_a_table_goes_on_over_the_page_with_its_header_and_each_row_knows_its_page():
    rows = [["序号", "茶名"], *([str(number), f"第{number}号茶"] for number in range(1, 61))]
    document = parse(pdf([table(*rows, repeatRows=1)]))
    found = [document.text[block.start : block.end] for block in document.blocks]
    assert found == [f"序号: {number}; 茶名: 第{number}号茶" for number in range(1, 61)]
    assert {block.table for block in document.blocks} == {1}
    pages = [Document("a", "", document.text, "a", pages=document.pages).page(block.start) for block in document.blocks]
    assert pages == sorted(pages) and set(pages) == {1, 2}


def test_what_has_to_be_filled_in_keeps_a_sentence_whole():
    def draw(canvas):
        columns(canvas, [["我方已于", "年", "月收到邀请书，确认参加投标。"]])
        canvas.line(118, 698, 198, 698)
        canvas.line(212, 698, 328, 698)

    assert texts(drawn_pdf(draw)) == ["我方已于____年____月收到邀请书，确认参加投标。"]


def test_columns_are_read_one_after_the_other():
    story = [Paragraph(ORIGIN * 4, BODY), Paragraph(PICKING * 4, BODY)]
    assert texts(pdf(["摘要:" + ORIGIN, BalancedColumns(story, nCols=2), "结语:" + PICKING])) == [
        "摘要:" + ORIGIN,
        ORIGIN * 4,
        PICKING * 4,
        "结语:" + PICKING,
    ]


def running(canvas, document):
    canvas.setFont(SONG, 9)
    canvas.drawString(72, 800, "城市发展年度报告")
    canvas.drawString(72, 785, f"第{document.page}期")
    canvas.drawCentredString(300, 30, f"— {document.page} —")


def test_running_heads_and_page_numbers_are_named_and_a_paragraph_runs_over_the_page():
    text = ORIGIN * 100
    document = parse(pdf([text], running))
    assert document.text.replace("\n\n", "") == text
    assert len(document.pages) > 2
    assert left_out(document)[:3] == [
        ("城市发展年度报告", "running head", 1),
        ("— 1 —", "page number", 1),
        ("第1期", "running head", 1),
    ]


def test_a_text_that_lies_askew_on_every_page_is_a_watermark():
    def draw(canvas):
        canvas.drawString(72, 600, PICKING)
        canvas.translate(300, 300)
        canvas.rotate(45)
        canvas.drawString(0, 0, "内部资料")

    document = parse(drawn_pdf(draw, draw, draw))
    assert left_out(document) == [("内部资料", "watermark", page) for page in (1, 2, 3)]
    assert "内部资料" in texts(drawn_pdf(draw))  # once it may be a note


def test_a_table_of_contents_is_named():
    entries = [f"{name} {'.' * 40} {page}" for page, name in enumerate(["一之源", "二之具"], start=3)]
    document = parse(pdf(["目 录", *entries, "三之造 …………………… 5", ORIGIN, "他想说……", "共3页。"]))
    assert document.text == f"{ORIGIN}\n\n他想说……\n\n共3页。"
    assert {reason for _, reason, _ in left_out(document)} == {"contents table"}
    assert len(document.left_out) == 4


def test_chapters_that_begin_pages_are_no_running_heads():
    story = []
    for number in range(1, 5):
        story += [heading(f"第{number}章"), f"{number}年一月。{ORIGIN}", PageBreak()]
    found = blocks(pdf(story, running))
    assert [text for kind, text in found if kind == "heading"] == [f"第{number}章" for number in range(1, 5)]


def test_the_declared_title_counts_only_if_the_text_holds_it():
    assert parse(pdf([ORIGIN, "《茶经》"], title="茶经")).title == "茶经"
    assert parse(pdf([ORIGIN], title="汇报材料")).title == ""
    assert parse(pdf([heading("第一章 总则"), ORIGIN], title="Microsoft Word - 1.doc")).title == ""


def test_a_picture_keeps_its_place():
    picture = io.BytesIO()
    Picture.new("RGB", (80, 70), (200, 30, 30)).save(picture, "PNG")
    picture.seek(0)
    document = parse(pdf([ORIGIN, Image(picture), PICKING]))
    [found] = document.pictures
    assert Picture.open(io.BytesIO(found.data)).convert("RGB").getpixel((40, 40)) == (200, 30, 30)
    assert len(ORIGIN) <= found.at <= document.text.index(PICKING)


def encrypted(user: str) -> bytes:
    return pdf([ORIGIN], encrypt=StandardEncryption(user, "owner", strength=128))


def test_a_file_with_an_empty_password_is_opened_and_one_with_a_password_is_refused():
    assert read(encrypted("")).text == ORIGIN
    assert refusal(encrypted("geheim")) == "E-PASSWORD"


def scanned() -> Image:
    picture = io.BytesIO()
    Picture.new("L", (300, 400), 200).save(picture, "PNG")
    picture.seek(0)
    return Image(picture)


def test_without_ocr_a_scan_is_refused_with_its_cure_and_pages_without_text_are_named(monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    with pytest.raises(ReadError, match=r"wenqu\[ocr\]") as error:
        parse(pdf([scanned(), PageBreak(), scanned(), PageBreak(), scanned()], running))
    assert error.value.code == "E-SCAN"
    document = parse(pdf([ORIGIN, PageBreak(), scanned()]))
    assert document.text == ORIGIN
    assert document.warning == "第 2 页没有文字 / pages without text"


def identity(collection: bytes) -> bytes:
    """A font that is not embedded and has no table of its letters' codes, only the name of a collection."""
    return (
        b"<</Type/Font/Subtype/Type0/BaseFont/AAAAAA+SimSun/Encoding/Identity-H/DescendantFonts[<</Type/Font"
        b"/Subtype/CIDFontType2/BaseFont/AAAAAA+SimSun"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(%b)/Supplement 0>>>>]>>" % collection
    )


def shown(codes: list[int]) -> bytes:
    return b"BT /F1 12 Tf 50 700 Td <" + b"".join(b"%04x" % code for code in codes) + b"> Tj ET"


def test_letters_of_a_public_collection_are_read_without_a_table_of_codes():
    numbers = [2627, 2269, 1199, 1217, 4287, 4484, 2174, 1907, 4572, 3846, 1973]  # of Adobe-GB1
    assert texts(page_pdf(shown(numbers), identity(b"GB1"))) == ["龙井茶产于浙江杭州西湖"]


def test_bytes_of_chinese_letters_in_a_western_font_are_put_together():
    said = "龙井茶产于浙江杭州西湖一带,已有一千二百余年历史。"
    western = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
    content = b"BT /F1 12 Tf 50 700 Td <" + said.encode("gbk").hex().encode() + b"> Tj ET"
    assert texts(page_pdf(content, western)) == [said]


def test_a_font_that_does_not_say_its_characters_is_refused():
    glyphs = [number * 37 % 9000 + 500 for number in range(200)]
    assert refusal(page_pdf(shown(glyphs), identity(b"Identity"))) == "E-FONT"


def test_a_page_whose_letters_cannot_be_read_is_named_and_in_no_passage(monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)

    def rubbish(canvas):
        canvas.drawString(72, 700, "".join(chr(0xE000 + number) for number in range(40)))

    document = parse(drawn_pdf(lambda canvas: canvas.drawString(72, 700, ORIGIN * 3), rubbish))
    assert "\ue000" not in document.text
    assert document.warning.startswith("第 2 页字体没有文字编码")
    assert [reason for _, reason, _ in left_out(document)] == ["unreadable"]


def test_what_is_no_pdf_is_refused():
    assert refusal(os.urandom(5000)) == "E-FORMAT"
    assert refusal(b"%PDF-1.7\n" + os.urandom(5000)) == "E-PARSE"


def test_a_truncated_file_is_refused_or_says_what_it_lacks():
    whole = pdf([ORIGIN, PageBreak(), PICKING])
    for share in (0.2, 0.5, 0.8):
        try:
            assert parse(whole[: int(len(whole) * share)]).text in (ORIGIN, PICKING, f"{ORIGIN}\n\n{PICKING}")
        except ReadError as error:
            assert error.code in ("E-PARSE", "E-SCAN", "E-EMPTY")


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
    assert refusal(raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", *pages, b"<</Type/Page>>")) in (
        "E-PARSE",
        "E-SCAN",
        "E-EMPTY",
    )
