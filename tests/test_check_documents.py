"""scripts/check_documents.py over small documents: what counts as kept, as furniture and as junk, and how it ends."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from conftest import ROOT
from documents import pdf, with_part, word_bytes

from bot.corpus.blocks import BlockWriter
from bot.corpus.passages import cut
from bot.corpus.tables import Cell
from bot.types import Document

sys.path.append(str(ROOT / "scripts"))
import check_documents as check

CLAUSE = "投标人应当在投标截止时间之前把密封的投标文件送到指定的地点。"
OTHER = "评标委员会由采购人代表和有关技术经济方面的专家五人以上单数组成。"


def measured(
    writer: BlockWriter, pieces: list[str], title: str = "", confirmed: set[str] | None = None
) -> check.Measured:
    parsed = writer.parsed(title)
    document = Document("a.txt", title, parsed.text, "a.txt", parsed.blocks, left_out=parsed.left_out)
    found = check.Measured("a.txt")
    check.compare(found, pieces, document, cut(document), confirmed)
    return found


def test_a_sentence_said_twice_has_to_be_there_twice():
    writer = BlockWriter()
    writer.paragraph(CLAUSE)
    once = measured(writer, [CLAUSE, OTHER, CLAUSE])
    assert once.kept == once.accounted == pytest.approx(1 / 3, abs=0.05)
    assert OTHER[:-1] in once.missing
    assert CLAUSE[:-1] in once.missing
    writer.paragraph(OTHER)
    writer.paragraph(CLAUSE)
    assert measured(writer, [CLAUSE, OTHER, CLAUSE]).kept == 1.0


def test_furniture_is_accounted_for_and_other_losses_are_not():
    writer = BlockWriter()
    writer.paragraph(CLAUSE)
    writer.leave_out(OTHER, "contents table")
    found = measured(writer, [CLAUSE, OTHER])
    assert (found.accounted, found.kept) == (1.0, pytest.approx(0.48, abs=0.05))
    other = BlockWriter()
    other.paragraph(CLAUSE)
    other.leave_out(OTHER, "advertisement")
    assert measured(other, [CLAUSE, OTHER]).accounted == found.kept


def test_headings_and_the_title_count_as_kept_and_borders_of_cells_do_not_matter():
    writer = BlockWriter()
    writer.heading("投标保证金与履约保证金", 1)
    writer.paragraph(OTHER)
    writer.table([[Cell(text) for text in row] for row in (["评审因素名称", "最高分值"], ["技术方案完整", "十五"])])
    found = measured(
        writer,
        ["某某医院设备采购", "投标保证金与履约保证金", OTHER, "评审因素名称", "技术方案完整"],
        "某某医院设备采购",
    )
    assert found.kept == 1.0
    assert found.joined < 1.0


def test_runs_that_only_one_order_of_a_pdf_has_do_not_count():
    writer = BlockWriter()
    writer.paragraph(CLAUSE)
    mixed = CLAUSE[:10] + OTHER[:10]
    assert measured(writer, [CLAUSE, mixed]).kept < 0.7
    assert measured(writer, [CLAUSE, mixed], confirmed=set(check.runs(CLAUSE))).kept == pytest.approx(0.77, abs=0.02)
    assert measured(writer, [CLAUSE, mixed[7:]], confirmed=set(check.runs(CLAUSE))).kept == 1.0


def test_junk_is_what_the_article_has_not():
    writer = BlockWriter()
    writer.paragraph(CLAUSE)
    writer.paragraph(OTHER)
    parsed = writer.parsed()
    document = Document("a.html", "", parsed.text, "a.html", parsed.blocks)
    assert check.junk([CLAUSE, OTHER], document, cut(document)) == 0
    assert check.junk([CLAUSE], document, cut(document)) == pytest.approx(0.5, abs=0.05)
    assert check.junk([], document, cut(document)) is None


def word() -> bytes:
    made = docx.Document()
    made.add_paragraph(CLAUSE)
    made.add_table(1, 1).cell(0, 0).text = OTHER
    box = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice>'
        "<w:p><w:r><w:t>文本框</w:t></w:r></w:p></mc:Choice><mc:Fallback><w:p><w:r><w:t>再说一遍</w:t></w:r></w:p>"
        "</mc:Fallback></mc:AlternateContent>"
    )
    formula = '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:r><m:t>a+b</m:t></m:r></m:oMath>'
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>藏起来</w:t></w:r>"
    extra = f"<w:p><w:r><w:t>见图</w:t></w:r>{hidden}<w:r>{box}</w:r>{formula}</w:p>".encode()
    return with_part(
        word_bytes(made), "word/document.xml", lambda xml: xml.replace(b"<w:sectPr", extra + b"<w:sectPr", 1)
    )


def sheet() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["名称", 3])
    book.create_sheet().append([OTHER])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def slides() -> bytes:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "第一页"
    slide.notes_slide.notes_text_frame.text = "讲稿"
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def book() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        opened.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/a.opf"/></rootfiles></container>',
        )
        opened.writestr(
            "OEBPS/a.opf",
            '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="one" href="%E4%B8%80.xhtml"/>'
            '<item id="nav" href="nav.xhtml"/></manifest><spine><itemref idref="one"/></spine></package>',
        )
        opened.writestr(
            "OEBPS/一.xhtml", "<html><head><title>书名</title></head><body><p>甲&amp;<b>乙</b></p>丙</body></html>"
        )
        opened.writestr("OEBPS/nav.xhtml", "<html><body>目录</body></html>")
    return out.getvalue()


@pytest.mark.parametrize(
    ("extract", "data", "pieces"),
    [
        (check.of_docx, word, [CLAUSE, OTHER, "见图a+b", "文本框"]),
        (check.of_xlsx, sheet, ["名称", "3", OTHER]),
        (check.of_pptx, slides, ["第一页", "讲稿"]),
        (check.of_epub, book, ["甲&乙", "丙"]),
        (check.of_cells, lambda: "名称;库存\n空调;12\n".encode(), ["名称", "库存", "空调", "12"]),
        (
            check.of_markdown,
            lambda: "# 标题\n\n<div align=center>**粗**体 [链接](http://a.cn/b)</div>\n<!-- 注释 -->".encode(),
            ["# 标题", "粗体 链接"],
        ),
    ],
    ids=["docx", "xlsx", "pptx", "epub", "csv", "md"],
)
def test_the_independent_extractions(extract, data, pieces):
    assert [piece.strip() for piece in extract(data()) if piece.strip()] == pieces


def test_a_pdf_is_compared_with_poppler_whose_absence_is_named(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf([CLAUSE, OTHER]))
    done = run(tmp_path, PATH=str(tmp_path))
    assert (done.returncode, "poppler-utils" in done.stderr, done.stdout) == (1, True, "")
    if shutil.which("pdftotext"):
        (found,) = json.loads(run(tmp_path, "--json").stdout)["files"]
        assert found["kept"] in (None, 1.0)  # None where poppler's tables of CJK fonts are not installed


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "check_documents.py"), str(folder), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@pytest.mark.slow
def test_files_and_questions_are_measured_and_what_is_wrong_is_named(tmp_path):
    (tmp_path / "投标.txt").write_text(f"投标须知\n\n{CLAUSE}\n\n{OTHER}\n", encoding="utf-8")
    (tmp_path / "茶.md").write_text(f"# 龙井茶的故事\n\n龙井茶产于浙江杭州西湖一带。\n\n{CLAUSE}\n", encoding="utf-8")
    questions = "茶\t龙井茶产于哪里？\t杭州\n投标\t评标委员会由多少人组成？\t七人\n"
    (tmp_path / "questions.tsv").write_text(questions, encoding="utf-8")
    good = json.loads((done := run(tmp_path, "--json")).stdout)
    assert [(one["file"], one["kept"], one["below"]) for one in good["files"]] == [
        ("投标.txt", 1.0, ""),
        ("茶.md", 1.0, ""),
    ]
    assert [(one["right"], one["right_document"]) for one in good["questions"]] == [(True, True), (False, True)]
    assert done.returncode == 0, done.stderr
    (tmp_path / "坏.docx").write_bytes(b"no archive")
    told = run(tmp_path)
    assert told.returncode == 1
    assert "wrong: 评标委员会由多少人组成？" in told.stdout
    assert "1 of 2 questions right" in told.stdout
    assert "坏.docx: not read" in told.stdout
