"""bot.readers.docx: what of a Word document becomes text, in which order, and what is refused."""

from __future__ import annotations

import io
import os
import zipfile

import docx
import pytest
from documents import with_part, word_bytes
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml.parser import parse_xml

from bot.errors import ReadError
from bot.passages import cut
from bot.readers.docx import parse, read
from bot.types import Article

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
FOOTNOTES = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
FOOTNOTES_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"


def lines(word) -> list[str]:
    return [line for line in parse(word_bytes(word)).text.split("\n") if line]


def add_xml(word, inner: str):
    """A paragraph of raw WordprocessingML at the end of the document."""
    element = parse_xml(f"<w:p {W} {MC}>{inner}</w:p>")
    word.element.body.insert(len(word.element.body) - 1, element)


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


def test_headings_paragraphs_tables_and_lists_come_in_reading_order():
    document = read(word_bytes(tea()))  # through the child process, as a run reads it
    assert document.title == "龙井茶的故事"
    assert [line for line in document.text.split("\n") if line] == [
        "# 龙井茶的故事",
        "# 产地",
        "龙井茶产于浙江杭州西湖一带。",
        "城市 | 得分",
        "北京 | 92.93",
        "## 明前茶",
        "清明前采摘。",
    ]


def test_headings_are_carried_by_the_passages():
    document = parse(word_bytes(tea()))
    passages, _ = cut(Article("a", document.title, document.text, "a.docx"))
    assert [(passage.heading, passage.text[:5]) for passage in passages] == [
        ("产地", "龙井茶产于"),
        ("产地 › 明前茶", "清明前采摘"),
    ]


@pytest.mark.parametrize("name", ["标题 1", "標題1", "heading 1"])
def test_a_chinese_heading_style_and_one_based_on_it_are_headings(name: str):
    word = docx.Document()
    style = word.styles.add_style(name if name != "heading 1" else "我的标题", 1)
    style.base_style = word.styles["Heading 1"] if name == "heading 1" else word.styles["Normal"]
    word.add_paragraph("产地", style=style)
    word.add_paragraph("正文。")
    assert lines(word) == ["# 产地", "正文。"]


def test_an_outline_level_makes_a_heading_without_a_style():
    word = docx.Document()
    add_xml(word, '<w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>产地</w:t></w:r>')
    add_xml(word, '<w:pPr><w:outlineLvl w:val="9"/></w:pPr><w:r><w:t>正文</w:t></w:r>')
    assert lines(word) == ["## 产地", "正文"]


def test_the_title_is_what_the_properties_say_where_no_paragraph_is_styled_so():
    word = docx.Document()
    word.add_heading("第一章", 1)
    word.add_paragraph("正文。")
    assert parse(word_bytes(word)).title == "第一章"
    word.core_properties.title = "茶经"
    assert parse(word_bytes(word)).title == "茶经"


def test_a_merged_cell_stands_once_and_a_nested_table_in_its_cell():
    word = docx.Document()
    table = word.add_table(rows=3, cols=3)
    for number, cell in enumerate(c for row in table.rows for c in row.cells):
        cell.text = str(number)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "横"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "竖"
    inner = table.cell(2, 2).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "甲", "乙"
    assert lines(word) == ["横 | 2", "竖 | 4 | 5", "7 | 8 甲 | 乙"]


def test_tracked_deletions_hidden_text_and_field_codes_are_not_shown_but_insertions_are():
    word = docx.Document()
    add_xml(
        word,
        "<w:r><w:t>桥长</w:t></w:r><w:del><w:r><w:delText>五十</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>六十四</w:t></w:r></w:ins><w:r><w:instrText>PAGE</w:instrText></w:r>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>暗</w:t></w:r><w:r><w:t>米</w:t></w:r>"
        "<w:moveFrom><w:r><w:t>搬走</w:t></w:r></w:moveFrom>",
    )
    assert lines(word) == ["桥长六十四米"]


def test_a_text_box_comes_once_after_its_paragraph_and_the_fallback_not_at_all():
    word = docx.Document()
    box = "<w:txbxContent><w:p><w:r><w:t>框中字</w:t></w:r></w:p></w:txbxContent>"
    add_xml(
        word,
        "<w:r><w:t>正文</w:t></w:r><w:r><mc:AlternateContent><mc:Choice Requires='wps'>"
        f"{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r>",
    )
    assert lines(word) == ["正文", "框中字"]


def test_content_controls_are_read_and_the_table_of_contents_is_not():
    word = docx.Document()
    body = word.element.body
    paragraph = "<w:sdtContent><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:sdtContent>"
    contents = '<w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
    body.insert(0, parse_xml(f"<w:sdt {W}>{paragraph.format('封面')}</w:sdt>"))
    body.insert(1, parse_xml(f"<w:sdt {W}>{contents}{paragraph.format('产地 1')}</w:sdt>"))
    word.add_paragraph("明前茶 2", style=word.styles.add_style("toc 1", 1))
    assert lines(word) == ["封面"]


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


def test_an_empty_document_is_refused():
    assert refusal(word_bytes(docx.Document())) == "E-EMPTY"


def test_what_is_no_word_document_is_refused():
    assert refusal(os.urandom(5000)) == "E-PARSE"
    assert refusal(word_bytes(tea())[:-3000]) == "E-PARSE"
    assert refusal(b"\xd0\xcf\x11\xe0" + bytes(600)) == "E-FORMAT"
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
        for number in range(2001):
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
