"""bot.readers and bot.corpus: what of a file becomes text, and which files are left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.corpus import SourceFile, read_article, scan
from bot.errors import CorpusError, ReadError
from bot.readers import reader_for


def read(suffix: str, text: str):
    reader = reader_for(suffix)
    assert reader is not None
    return reader(text.encode())


def test_markdown_keeps_words_and_headings_only():
    document = read(
        ".md",
        "---\ntags: [x]\n---\n# 标题\n\n见[链接](http://example.com)和**重点**,`代码`。\n\n"
        "| 城 | 分 |\n|--|--|\n| 北京 | 92.93 |\n\n- 一\n- 二\n\n<!-- 注释 -->\n",
    )
    assert document.title == "标题"
    assert "见链接和重点,代码。" in document.text
    assert "北京 | 92.93" in document.text
    for mark in ("http", "**", "注释", "tags"):
        assert mark not in document.text


def test_html_leaves_out_scripts_and_navigation():
    document = read(
        ".html",
        "<title>站</title><body><nav>首页</nav><main><h1>题目</h1><p>第一<b>段</b>。</p><p>第二段。<br>第三行</p>"
        "<script>bad()</script><h2>小节</h2><table><tr><td>甲</td><td>乙</td></tr></table></main><footer>版权</footer>",
    )
    assert document.title == "题目"
    assert [line for line in document.text.split("\n") if line] == [
        "# 题目",
        "第一段。",
        "第二段。",
        "第三行",
        "## 小节",
        "甲 乙",
    ]


def test_scan_follows_no_link_and_opens_no_pipe(tmp_path: Path):
    corpus = tmp_path / "corpus"
    (corpus / "子文件夹").mkdir(parents=True)
    (corpus / "子文件夹" / "好.txt").write_text("正文。", encoding="utf-8")
    (corpus / ".hidden.txt").write_text("x", encoding="utf-8")
    (corpus / "picture.png").write_bytes(b"x")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (corpus / "link.txt").symlink_to(tmp_path / "secret.txt")
    (corpus / "folder-link").symlink_to(tmp_path)
    os.mkfifo(corpus / "pipe.txt")
    files, skipped = scan(corpus)
    assert [file.path for file in files] == ["子文件夹/好.txt"]
    assert {s.path: s.code for s in skipped} == {"link.txt": "E-TYPE", "pipe.txt": "E-TYPE", "picture.png": "E-FORMAT"}


def test_a_missing_corpus_names_the_folder_and_the_cure(tmp_path: Path):
    with pytest.raises(CorpusError, match="mkdir -p"):
        scan(tmp_path / "没有")


def test_a_file_that_vanishes_or_breaks_its_parser_is_a_read_error(tmp_path: Path):
    with pytest.raises(ReadError) as error:
        read_article(tmp_path, SourceFile("gone.txt", 1, 1))
    assert error.value.code == "E-READ"


def test_the_title_is_the_repeated_headline_not_the_navigation(tmp_path: Path):
    text = "快捷搜索:  文创  青岛\n\n站上风口的青岛\n\n正文。\n\n站上风口的青岛\n\n1\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    article, digest, warning = read_article(tmp_path, scan(tmp_path)[0][0])
    assert article.title == "站上风口的青岛"
    assert (len(digest), warning) == (64, "")
