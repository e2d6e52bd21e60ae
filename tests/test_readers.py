"""bot.corpus.readers and bot.corpus: what of a file becomes text, and which files are left alone."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import docx
import pytest
from documents import pdf, word_bytes
from test_pdf import ORIGIN, encrypted, scanned

from bot.corpus.readers import child
from bot.corpus.readers.ocr import engine
from bot.corpus.scan import SourceFile, read_document, scan
from bot.errors import CorpusError, ReadError
from bot.pipeline import Bot
from bot.settings import load_settings


def test_scan_follows_no_link_and_opens_no_pipe(tmp_path: Path):
    corpus = tmp_path / "corpus"
    (corpus / "子文件夹").mkdir(parents=True)
    (corpus / "子文件夹" / "好.txt").write_text("正文。", encoding="utf-8")
    (corpus / ".hidden.txt").write_text("x", encoding="utf-8")
    (corpus / "picture.heic").write_bytes(b"x")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (corpus / "link.txt").symlink_to(tmp_path / "secret.txt")
    (corpus / "folder-link").symlink_to(tmp_path)
    os.mkfifo(corpus / "pipe.txt")
    files, skipped = scan(corpus)
    assert [file.path for file in files] == ["子文件夹/好.txt"]
    assert {s.path: s.code for s in skipped} == {"link.txt": "E-TYPE", "pipe.txt": "E-TYPE", "picture.heic": "E-FORMAT"}


def test_a_missing_corpus_names_the_folder_and_the_cure(tmp_path: Path):
    with pytest.raises(CorpusError, match="mkdir -p"):
        scan(tmp_path / "没有")


def test_a_file_that_vanishes_or_breaks_its_parser_is_a_read_error(tmp_path: Path):
    with pytest.raises(ReadError) as error:
        read_document(tmp_path, SourceFile("gone.txt", 1, 1))
    assert error.value.code == "E-READ"


def test_the_title_is_the_repeated_headline_not_the_navigation(tmp_path: Path):
    text = "快捷搜索:  文创  青岛\n\n站上风口的青岛\n\n正文。\n\n站上风口的青岛\n\n1\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    read = read_document(tmp_path, scan(tmp_path)[0][0])
    assert read.document.title == "站上风口的青岛"
    assert (len(read.digest), read.warning) == (64, "")


def test_files_without_a_reader_are_skipped_with_what_cures_them(tmp_path: Path):
    (tmp_path / "旧.CAJ").write_bytes(b"CAJ")
    (skipped,) = scan(tmp_path)[1]
    assert (skipped.code, ".pdf" in skipped.reason) == ("E-FORMAT", True)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A corpus of a PDF, a Word document, a text, and of files that cannot be read."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    word = docx.Document()
    word.add_heading("赵州桥", 1)
    word.add_paragraph("赵州桥位于河北省赵县,由隋代工匠李春设计,建成于公元605年,桥长64.40米。")
    (corpus / "桥.docx").write_bytes(word_bytes(word))
    (corpus / "茶.pdf").write_bytes(
        pdf([ORIGIN + "国家茶叶博物馆馆长王建国说,好茶一半靠山水,一半靠双手。"], title="龙井茶")
    )
    (corpus / "地铁.txt").write_text("西安地铁二号线于2011年9月16日开通,是西北地区第一条地铁线路。", encoding="utf-8")
    (corpus / "密.pdf").write_bytes(encrypted("geheim"))
    (corpus / "扫描.pdf").write_bytes(pdf([scanned()]))
    (corpus / "乱.docx").write_bytes(os.urandom(2000))
    (corpus / "旧.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    return corpus


def test_questions_are_answered_from_pdf_and_word_and_bad_files_are_named(documents: Path, tmp_path, embedder):
    bot = Bot(load_settings(corpus=documents, index=tmp_path / "index"), embedder)
    summary = bot.refresh()
    assert summary is not None
    assert summary.articles == 3
    codes = {skipped.path: skipped.code for skipped in summary.skipped}
    blank = "E-EMPTY" if engine.available() else "E-SCAN"  # nothing is written on the page of the scan
    assert codes.pop("旧.doc") in ("E-CONVERT", "E-PARSE")  # the latter from LibreOffice, where it is installed
    assert codes == {"密.pdf": "E-PASSWORD", "扫描.pdf": blank, "乱.docx": "E-PARSE"}
    for question, path, proof in [("龙井茶产于哪里?", "茶.pdf", "杭州西湖"), ("赵州桥是谁设计的?", "桥.docx", "李春")]:
        answer = bot.ask(question)
        assert not answer.refused
        first = answer.evidence[0]
        passage, article = bot.source(first.hit.passage.id) or pytest.fail("no source")
        assert article.path == path
        marked = "".join(passage.text[span.start : span.end] for span in first.spans)
        assert proof in marked
        assert article.text[passage.start : passage.end] == passage.text


def test_an_unchanged_corpus_is_not_parsed_again_nor_an_unchanged_file(documents, tmp_path, embedder, monkeypatch):
    settings = load_settings(corpus=documents, index=tmp_path / "index")
    first = Bot(settings, embedder).refresh()
    monkeypatch.setattr(child.subprocess, "run", lambda *_, **__: pytest.fail("parsed again"))
    again = Bot(settings, embedder)
    assert again.refresh() is None
    (documents / "地铁.txt").write_text("西安地铁一号线于2013年9月15日开通。", encoding="utf-8")
    second = again.refresh()
    assert second is not None
    assert (second.articles, second.skipped) == (first.articles, first.skipped)
    assert not again.ask("龙井茶产于哪里?").refused


def test_a_changed_or_doubtful_document_is_parsed_again(documents: Path, tmp_path, embedder):
    settings = load_settings(corpus=documents, index=tmp_path / "index")
    bot = Bot(settings, embedder)
    bot.refresh()
    with sqlite3.connect(tmp_path / "index" / "documents.sqlite") as cache:
        cache.execute("UPDATE documents SET content = replace(content, '64.40', '99.99')")
    cache.close()
    (documents / "茶.pdf").write_bytes(pdf(["黄山毛峰产于安徽黄山,清代光绪年间由谢裕大茶庄创制,以形似雀舌而闻名。"]))
    bot.refresh()
    answers = [bot.ask(question).text for question in ("黄山毛峰产于哪里?", "赵州桥有多长?")]
    assert "安徽黄山" in answers[0]
    assert "64.40" in answers[1]
