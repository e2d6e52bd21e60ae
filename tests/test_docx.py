"""bot.corpus.readers.word.docx: what becomes which block, numbers and titles, and what is refused."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib

import docx
import pytest
from documents import W, add_list, add_look, add_xml, numbered, with_part, word_bytes
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml.parser import parse_xml

from bot.corpus.blocks import Parsed
from bot.corpus.passages import cut
from bot.corpus.readers.word.docx import parse, read
from bot.corpus.readers.word.numbering import spelled
from bot.errors import ReadError
from bot.types import Document

FOOTNOTES = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
FOOTNOTES_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
LAW = "为了规范蜂蜜生产经营活动，保障公众健康，维护消费者的合法权益，根据有关法律，结合本省实际，制定本条例。"


def blocks(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def lines(word) -> list[str]:
    return [text for _, text in blocks(parse(word_bytes(word)))]


def left_out(word) -> list[tuple[str, str]]:
    return [(one.reason, one.text) for one in parse(word_bytes(word)).left_out]


def title(word) -> str:
    return parse(word_bytes(word)).title


def refusal(data: bytes) -> str:
    with pytest.raises(ReadError) as error:
        read(data)
    return error.value.code


def tea():
    word = docx.Document()
    word.sections[0].header.paragraphs[0].text = "页眉"
    word.sections[0].footer.paragraphs[0].text = "页脚"
    word.add_paragraph("龙井茶的故事", style="Title")
    word.add_heading("产地", 1)
    word.add_paragraph("龙井茶产于浙江杭州西湖一带。")
    table = word.add_table(rows=2, cols=2)
    for cell, text in zip((c for row in table.rows for c in row.cells), ["城市", "得分", "北京", "92.93"], strict=True):
        cell.text = text
    word.add_heading("明前茶", 2)
    word.add_paragraph("清明前采摘。", style="List Bullet")
    return word


def test_blocks_come_in_reading_order_and_headers_are_named_as_left_out():
    document = read(word_bytes(tea()))  # through the child process, as a run reads it
    assert document.title == "龙井茶的故事"
    assert blocks(document) == [
        ("paragraph", "龙井茶的故事"),
        ("heading", "产地"),
        ("paragraph", "龙井茶产于浙江杭州西湖一带。"),
        ("row", "城市: 北京; 得分: 92.93"),
        ("heading", "明前茶"),
        ("item", "• 清明前采摘。"),
    ]
    assert [(one.reason, one.text) for one in document.left_out] == [("running head", "页眉"), ("running head", "页脚")]


def test_headings_are_carried_by_the_passages():
    document = parse(word_bytes(tea()))
    passages = cut(Document("a", document.title, document.text, "a.docx", document.blocks))
    assert [(passage.heading, passage.text[:5]) for passage in passages] == [
        ("产地", "龙井茶产于"),
        ("产地 › 明前茶", "• 清明前"),
    ]


@pytest.mark.parametrize("name", ["标题 1", "標題1", "heading 1"])
def test_a_chinese_heading_style_and_one_based_on_it_are_headings(name: str):
    word = docx.Document()
    style = word.styles.add_style(name if name != "heading 1" else "我的标题", 1)
    style.base_style = word.styles["Heading 1"] if name == "heading 1" else word.styles["Normal"]
    word.add_paragraph("产地", style=style)
    word.add_paragraph("正文。")
    assert blocks(parse(word_bytes(word))) == [("heading", "产地"), ("paragraph", "正文。")]


def test_an_outline_level_makes_a_heading_but_not_of_a_clause_or_a_number():
    word = docx.Document()
    for level, text in [(1, "产地"), (9, "正文"), (1, "（一）“合同”是指买卖驼绒的合同。"), (0, "56153207")]:
        add_xml(word, f'<w:pPr><w:outlineLvl w:val="{level}"/></w:pPr><w:r><w:t>{text}</w:t></w:r>')
    parsed = parse(word_bytes(word))
    assert [(block.kind, block.level) for block in parsed.blocks] == [("heading", 2), *[("paragraph", 0)] * 3]


def test_chapters_and_numbered_lines_typed_by_hand_are_headings_in_their_order():
    word = docx.Document()
    for text in [
        "第一章　总　则",
        "一、产地",
        LAW,
        "（一）山地",
        LAW,
        "一、编号：2024",
        "第二章规定的费用由甲方承担。",
    ]:
        add_look(word, text, bold=text == "（一）山地")
    parsed = parse(word_bytes(word))
    found = [(block.level, parsed.text[block.start : block.end]) for block in parsed.blocks if block.kind == "heading"]
    assert found == [(2, "第一章 总 则"), (3, "一、产地"), (4, "（一）山地")]


def test_a_merged_cell_is_said_in_each_row_that_it_covers_and_a_small_table_in_its_cell():
    word = docx.Document()
    table = word.add_table(rows=3, cols=3)
    for cell, text in zip(
        (c for row in table.rows for c in row.cells),
        ["专业", "类别", "分数", "法学", "文史", "612", "", "理工", ""],
        strict=True,
    ):
        cell.text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    inner = table.cell(2, 2).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "590", "起"
    assert lines(word) == ["专业: 法学; 类别: 文史; 分数: 612", "专业: 法学; 类别: 理工; 分数: 590 起"]


def test_rows_marked_as_headers_name_the_columns_and_numbers_of_rows_are_written():
    word = docx.Document()
    table = word.add_table(rows=2, cols=2)
    for cell, text in zip((c for row in table.rows for c in row.cells), ["甲", "乙", "", "二零"], strict=True):
        cell.text = text
    table.rows[0]._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {W}/>"))
    numbers = parse_xml(
        f'<w:numPr {W}><w:ilvl w:val="0"/><w:numId w:val="{add_list(word, ("decimal", "%1"))}"/></w:numPr>'
    )
    table.cell(1, 0).paragraphs[0]._p.get_or_add_pPr().append(numbers)
    assert lines(word) == ["甲: 1; 乙: 二零"]


def test_a_table_that_only_frames_text_is_read_as_its_paragraphs():
    word = docx.Document()
    cell = word.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "第一段。"
    cell.add_paragraph("第二段。", style="List Bullet")
    assert blocks(parse(word_bytes(word))) == [("paragraph", "第一段。"), ("item", "• 第二段。")]


def test_a_table_that_was_cut_at_the_end_of_a_page_keeps_its_header():
    word = docx.Document()
    for rows in ([("品名", "单价"), ("驼绒", "185元")], [("羊绒", "240元")]):
        table = word.add_table(rows=len(rows), cols=2)
        for row, texts in zip(table.rows, rows, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        add_xml(word, "")
    assert lines(word) == ["品名: 驼绒; 单价: 185元", "品名: 羊绒; 单价: 240元"]


def test_deletions_hidden_text_and_field_codes_are_not_in_the_text_but_insertions_are():
    word = docx.Document()
    add_xml(
        word,
        "<w:r><w:t>桥长</w:t></w:r><w:del><w:r><w:delText>五十</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>六十四</w:t></w:r></w:ins><w:r><w:instrText>PAGE</w:instrText></w:r>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>暗</w:t></w:r><w:r><w:t>米</w:t></w:r>"
        "<w:moveFrom><w:r><w:t>搬走</w:t></w:r></w:moveFrom>",
    )
    assert lines(word) == ["桥长六十四米"]
    assert left_out(word) == [("deletion", "五十"), ("hidden text", "暗"), ("deletion", "搬走")]


def test_a_text_box_comes_once_after_its_paragraph_and_the_fallback_not_at_all():
    word = docx.Document()
    box = "<w:txbxContent><w:p><w:r><w:t>框中字</w:t></w:r></w:p></w:txbxContent>"
    add_xml(
        word,
        "<w:r><w:t>正文</w:t></w:r><w:r><mc:AlternateContent><mc:Choice Requires='wps'>"
        f"<w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r>",
    )
    assert lines(word) == ["正文", "框中字"]


def test_content_controls_are_read_and_tables_of_contents_are_left_out():
    word = docx.Document()
    body = word.element.body
    paragraph = "<w:sdtContent><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:sdtContent>"
    contents = '<w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
    body.insert(0, parse_xml(f"<w:sdt {W}>{paragraph.format('封面')}</w:sdt>"))
    body.insert(1, parse_xml(f"<w:sdt {W}>{contents}{paragraph.format('产地 1')}</w:sdt>"))
    word.add_paragraph("明前茶 2", style=word.styles.add_style("toc 1", 1))
    assert lines(word) == ["封面"]
    assert left_out(word) == [("contents table", "产地 1"), ("contents table", "明前茶 2")]


def test_a_table_of_contents_typed_by_hand_is_left_out_but_no_list_that_looks_like_one():
    word = docx.Document()
    for text in ["目　录", "第一章　总则", "第二章　附则", "第一章　总则", LAW, "第二章　附则", LAW]:
        word.add_paragraph(text)
    assert lines(word) == ["第一章 总则", LAW, "第二章 附则", LAW]
    assert [text for _, text in left_out(word)] == ["目 录", "第一章 总则", "第二章 附则"]
    dotted = docx.Document()
    for text in ["一、总则……2", "二、费用\t5", "三、期限.....7", "四、附则 ……… 9", "一、总则", LAW, "二、费用", LAW]:
        dotted.add_paragraph(text)
    assert lines(dotted) == ["一、总则", LAW, "二、费用", LAW]
    prices = docx.Document()
    for text in ["毛毡\t45", "驼绒\t185", "羊绒\t240", "蜂蜜\t30", "目录", "项目编号：", "正文", "项目编号："]:
        prices.add_paragraph(text)
    assert len(lines(prices)) == 8


def test_a_field_that_never_ends_takes_nothing_out_of_the_text():
    word = docx.Document()
    add_xml(
        word,
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>TOC \\o</w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>正文</w:t></w:r>',
    )
    word.add_paragraph("租金")
    assert lines(word) == ["正文", "租金"]


def test_a_footnote_follows_its_paragraph():
    word = docx.Document()
    note = "<w:footnote {} w:id='{}'><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:footnote>"
    notes = note.format("w:type='separator'", 0, "线") + note.format("", 2, "据《茶经》。")
    blob = f"<w:footnotes {W}>{notes}</w:footnotes>".encode()
    part = Part(PackURI("/word/footnotes.xml"), FOOTNOTES, blob, word.part.package)
    word.part.relate_to(part, FOOTNOTES_RELATION)
    add_xml(word, "<w:r><w:t>茶者,南方之嘉木也。</w:t></w:r><w:r><w:footnoteReference w:id='2'/></w:r>")
    word.add_paragraph("下一段。")
    assert lines(word) == ["茶者,南方之嘉木也。", "据《茶经》。", "下一段。"]


def test_links_to_other_places_are_written_out_and_boxes_to_tick_and_small_digits_are_characters():
    word = docx.Document()
    link = word.part.relate_to("https://example.cn/bids", "http://x/hyperlink", is_external=True)
    add_xml(word, f'<w:hyperlink r:id="{link}"><w:r><w:t>公告</w:t></w:r></w:hyperlink>')
    add_xml(word, f'<w:hyperlink r:id="{link}"><w:r><w:t>https://example.cn/bids/</w:t></w:r></w:hyperlink>')
    add_xml(
        word,
        '<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r><w:r><w:t>是</w:t></w:r>'
        '<w:r><w:rPr><w:rFonts w:ascii="Wingdings 2" w:hAnsi="Wingdings 2"/></w:rPr><w:t>£</w:t></w:r>'
        '<w:r><w:t>否 m</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>2</w:t></w:r>',
    )
    assert lines(word) == ["公告（https://example.cn/bids）", "https://example.cn/bids/", "☑是□否 m²"]


def test_code_keeps_its_lines_and_captions_are_captions():
    word = docx.Document()
    style = word.styles.add_style("HTML Preformatted", 1)
    for line in ["if a:", "    b()"]:
        word.add_paragraph(line, style=style)
    word.add_paragraph("图 1 流程", style="Caption")
    assert blocks(parse(word_bytes(word))) == [("code", "if a:\n    b()"), ("caption", "图 1 流程")]


def test_pictures_are_kept_where_they_stand_but_not_small_ones():
    def png(side: int) -> bytes:
        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        rows = zlib.compress((b"\0" + b"\x80" * side) * side)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")

    word = docx.Document()
    word.add_paragraph("图前。")
    for side in (20, 80):
        word.add_picture(io.BytesIO(png(side)))
    word.add_paragraph("图后。")
    parsed = read(word_bytes(word))
    (picture,) = parsed.pictures
    assert (picture.type, picture.data, parsed.text[picture.at :]) == ("image/png", png(80), "图后。")


def test_automatic_numbers_stand_in_front_of_clauses_and_count_through_the_levels():
    word = docx.Document()
    clauses = add_list(word, ("chineseCounting", "第%1条"), ("decimal", "%1.%2"), ("lowerLetter", "(%3)"))
    for depth, text in enumerate(["租期", "租金", "押金"]):
        numbered(word, clauses, text, depth)
    for depth, text in [(2, "水费"), (0, "违约"), (1, "罚金")]:
        numbered(word, clauses, text, depth)
    assert lines(word) == ["第一条 租期", "一.1 租金", "(a)押金", "(b)水费", "第二条 违约", "二.1 罚金"]
    parsed = parse(word_bytes(word))
    assert [(block.kind, block.level, block.number) for block in parsed.blocks][1] == ("item", 2, "一.1")


def test_a_list_that_starts_anew_and_one_that_goes_on():
    word = docx.Document()
    first = add_list(word, ("decimal", "%1、"))
    start = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    again, on = add_list(word, same_as=first, override=start), add_list(word, same_as=first)
    for list_id, text in [(first, "甲"), (again, "乙"), (again, "丙"), (on, "丁"), (first, "戊")]:
        numbered(word, list_id, text)
    assert lines(word) == ["1、甲", "5、乙", "6、丙", "7、丁", "8、戊"]


def test_levels_that_never_restart_and_legal_numbers():
    word = docx.Document()
    list_id = add_list(word, ("chineseCounting", "第%1章"), ("decimal", "第%2条"), ("decimal", "%1.%2.%3"))
    levels = word.part.numbering_part.element.findall(f"{{{W[9:-1]}}}abstractNum")[-1]
    levels[1].append(parse_xml(f'<w:lvlRestart {W} w:val="0"/>'))
    levels[2].append(parse_xml(f"<w:isLgl {W}/>"))
    for depth in (0, 1, 1, 0, 1, 2):
        numbered(word, list_id, "文", depth)
    assert lines(word) == ["第一章 文", "第1条 文", "第2条 文", "第二章 文", "第3条 文", "2.3.1 文"]


def test_numbers_come_from_styles_too_and_a_paragraph_can_refuse_them():
    word = docx.Document()
    list_id = add_list(word, ("chineseCounting", "第%1章"))
    numbers = f'<w:numPr {W}><w:numId w:val="{list_id}"/></w:numPr>'
    word.styles["Heading 1"].element.get_or_add_pPr().append(parse_xml(numbers))
    based = word.styles.add_style("章标题", 1)
    based.base_style = word.styles["Heading 1"]
    word.add_paragraph("总则", style="Heading 1")
    word.add_paragraph("附则", style=based)
    none = word.add_paragraph("附件", style="Heading 1")
    none._p.get_or_add_pPr().append(parse_xml(numbers.replace(f'"{list_id}"', '"0"')))
    assert blocks(parse(word_bytes(word))) == [
        ("heading", "第一章 总则"),
        ("heading", "第二章 附则"),
        ("heading", "附件"),
    ]


@pytest.mark.parametrize(
    ("style", "values"),
    [
        ("decimalZero", {7: "07", 12: "12"}),
        ("upperRoman", {4: "IV", 49: "XLIX"}),
        ("lowerLetter", {2: "b", 26: "z", 28: "bb"}),
        (
            "chineseCounting",
            {1: "一", 10: "十", 12: "十二", 20: "二十", 105: "一百零五", 110: "一百一十", 10001: "一万零一"},
        ),
        ("japaneseCounting", {32: "三十二"}),
        ("ideographTraditional", {3: "丙", 11: "11"}),
        ("ideographZodiac", {1: "子"}),
        ("chineseLegalSimplified", {1: "壹", 15: "壹拾伍"}),
        ("decimalEnclosedCircle", {1: "①", 20: "⑳", 21: "㉑", 36: "㊱"}),
        ("decimalFullWidth", {12: "１２"}),
        ("unknown", {3: "3"}),
    ],
)
def test_formats_of_numbers(style: str, values: dict[int, str]):
    assert {value: spelled(value, style) for value in values} == values


def test_formulas_are_read_in_one_line():
    def run(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    fraction = "<m:f><m:num><m:sSub><m:e>{}</m:e><m:sub>{}</m:sub></m:sSub></m:num><m:den>{}</m:den></m:f>"
    share = run("R=") + "<m:d><m:e>" + fraction.format(run("m"), run("1"), run("m+n")) + "</m:e></m:d>" + run("×100%")
    total = (
        f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{run("i=1")}</m:sub><m:sup>{run("n")}</m:sup><m:e>'
        f"<m:rad><m:deg/><m:e><m:sSup><m:e>{run('x')}</m:e><m:sup>{run('2')}</m:sup></m:sSup></m:e></m:rad></m:e></m:nary>"
    )
    matrix = f"<m:m><m:mr><m:e>{run('a')}</m:e><m:e>{run('b')}</m:e></m:mr></m:m>"
    word = docx.Document()
    add_xml(word, f"<w:r><w:t>含粗率按下式计算：</w:t></w:r><m:oMath>{share}</m:oMath>")
    add_xml(word, f"<m:oMathPara><m:oMath>{total}</m:oMath></m:oMathPara><w:r><w:tab/><w:t>(1)</w:t></w:r>")
    add_xml(word, f"<m:oMathPara><m:oMath>{matrix}</m:oMath></m:oMathPara>")
    assert blocks(parse(word_bytes(word))) == [
        ("paragraph", "含粗率按下式计算：R=(m₁/(m+n))×100%"),
        ("formula", "∑_(i=1)^n √x² (1)"),
        ("formula", "[a, b]"),
    ]


def test_the_title_of_a_statute_is_what_stands_large_above_it():
    word = docx.Document()
    word.core_properties.title = "关于推广平台的汇报"
    add_look(word, "云岭省蜂蜜管理条例", 22, centred=True)
    add_look(word, "（2031年3月1日云岭省第九届人民代表大会通过）", 16, centred=True)
    word.add_heading("第一章　总则", 1)
    word.add_paragraph(LAW)
    assert title(word) == "云岭省蜂蜜管理条例"


def test_the_title_of_a_notice_is_not_its_head_and_may_have_two_lines():
    word = docx.Document()
    add_look(word, "云岭省人民政府办公厅文件", 48, centred=True, bold=True)
    add_look(word, "云政办发〔2024〕3号", 16, centred=True)
    add_look(word, "云岭省人民政府办公厅", 22, centred=True)
    add_look(word, "关于印发养蜂业发展规划的通知", 22, centred=True)
    word.add_paragraph(f"各市人民政府：{LAW}")
    assert title(word) == "云岭省人民政府办公厅关于印发养蜂业发展规划的通知"


def test_the_title_of_a_tender_names_its_project():
    word = docx.Document()
    add_look(word, "招 标 文 件", 36, centred=True, bold=True)
    add_look(word, "项目编号：YL-2031-0457", 16)
    add_look(word, "项目名称：云岭三中食堂服务项目", 16)
    add_look(word, "云岭市第三中学", 16, centred=True)
    add_look(word, "2031年5月", 16, centred=True)
    word.add_heading("第一章 投标邀请", 1)
    word.add_paragraph(LAW)
    assert title(word) == "云岭三中食堂服务项目招标文件"


def test_a_title_in_the_properties_counts_only_if_the_document_says_it():
    word = docx.Document()
    word.add_heading("第一章", 1)
    word.add_paragraph(f"{LAW}茶经")
    assert title(word) == ""
    word.core_properties.title = "旧文件"
    assert title(word) == ""
    word.sections[0].header.paragraphs[0].text = "旧文件"
    assert title(word) == "旧文件"


def test_an_empty_document_is_refused():
    assert refusal(word_bytes(docx.Document())) == "E-EMPTY"


def test_what_is_no_word_document_is_refused():
    assert refusal(os.urandom(5000)) == "E-PARSE"
    assert refusal(word_bytes(tea())[:-3000]) == "E-PARSE"
    assert refusal(b"\xd0\xcf\x11\xe0" + bytes(600)) == "E-CONVERT"
    assert refusal(b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le")) == "E-PASSWORD"


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    row = b"<w:p><w:r><w:t>" + b"a" * 985 + b"</w:t></w:r></w:p>"
    bomb = with_part(
        word_bytes(tea()), "word/document.xml", lambda xml: xml.replace(b"<w:body>", b"<w:body>" + row * 60000)
    )
    assert len(bomb) < 1_000_000
    assert refusal(bomb) == "E-BOMB"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
    assert refusal(out.getvalue()) == "E-BOMB"


def with_entities(entities: str, text: str) -> bytes:
    """A document whose first paragraph holds entities of its own."""

    def attack(xml: bytes) -> bytes:
        paragraph = f"<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p>"
        changed = xml.decode().replace("?>", f"?><!DOCTYPE d [{entities}]>", 1)
        return changed.replace("<w:body>", paragraph, 1).encode()

    return with_part(word_bytes(tea()), "word/document.xml", attack)


def test_an_entity_bomb_is_refused():
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    assert refusal(with_entities(f'<!ENTITY l0 "哈哈哈哈">{laughs}', "前&l9;后")) == "E-PARSE"


def test_entities_are_not_expanded_and_no_other_file_is_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("机密内容", encoding="utf-8")
    entities = f'<!ENTITY laugh "哈哈"><!ENTITY file SYSTEM "{secret.as_uri()}">'
    text = read(with_entities(entities, "前&laugh;&file;")).text
    assert text.startswith("前\n")
    assert "哈" not in text and "机密" not in text
