"""bot.corpus.loss: every letter is in a passage or accounted for, and a run names the files that lost much."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from conftest import write_articles
from rich.console import Console

from bot.cli.render import render_summary
from bot.corpus.blocks import BlockWriter
from bot.corpus.loss import kept_spans, loss
from bot.corpus.passages import cut
from bot.corpus.tables import Cell
from bot.index.build import build_index
from bot.index.prepare import Preparer, Recipe
from bot.pipeline import Bot
from bot.text.dictionary import NO_DICTIONARY
from bot.types import Document

MENU = "首页 新闻 公告 办事指南 联系我们 网站地图 站内搜索 无障碍浏览"


def document(writer: BlockWriter, title: str = "") -> Document:
    parsed = writer.parsed(title)
    return Document("a.html", title, parsed.text, "a.html", parsed.blocks, left_out=parsed.left_out)


def notice() -> Document:
    """A notice with a title, headings, a table, and a menu that is larger than all of it."""
    writer = BlockWriter()
    writer.leave_out(MENU, "menu")
    writer.leave_out("第 1 页", "page number")
    writer.heading("开放时间公告", 1)
    writer.heading("一、时间", 2)
    writer.paragraph("周一至周五9时开放。")
    writer.table([[Cell(text) for text in row] for row in (["场馆", "电话"], ["东馆", "110"])])
    writer.heading("二、附则", 2)
    return document(writer, "开放时间公告")


def test_texts_headings_and_the_title_count_once_as_kept():
    one = notice()
    found = loss(one, cut(one, size=12))  # so small that passages overlap
    assert found.left_out == {"menu": 27, "page number": 3}
    assert found.letters - found.kept == 30
    assert found.is_much
    assert str(found) == "50% 成为段落 / became passages (菜单 menu 27, 页码 page number 3)"


def test_what_nobody_accounts_for_is_named_too():
    one = notice()
    passages = cut(one)
    found = loss(one, passages[1:])
    assert found.letters - found.kept > 30
    assert "未切分 not cut" in str(found)
    assert str(loss(one, [])).startswith("没有内容 / nothing 成为段落")
    assert list(kept_spans(one, [])) == []


def test_an_empty_document_has_lost_everything_and_a_plain_one_nothing():
    assert loss(document(BlockWriter()), []).is_much
    writer = BlockWriter()
    writer.paragraph("全文都在。" * 500)
    one = document(writer)
    found = loss(one, cut(one))
    assert (found.kept, found.share, found.is_much) == (2000, 1.0, False)


@pytest.fixture
def built(settings, embedder):
    """A run over two articles, one of which is mostly menu, and the bot that it serves."""
    for file in settings.corpus.iterdir():
        file.unlink()
    write_articles(settings.corpus, {"plain.txt": "龙井茶产于杭州西湖一带。", "city.html": "<p>东馆周一开放。</p>"})
    preparer = Preparer(Recipe(settings.corpus, settings.passage_size, NO_DICTIONARY))

    def shares(file):
        found = preparer.prepare(file)
        if file.path != "city.html":
            return found
        writer = BlockWriter()
        writer.paragraph("东馆周一开放。")
        writer.leave_out(MENU, "menu")
        lost = replace(document(writer), id=file.path, path=file.path)
        passages = cut(lost)
        fields = [(passage, found.passages[0][1]) for passage in passages]
        return replace(found, document=lost, passages=fields, warning="编码有误 / odd encoding")

    return build_index(settings, embedder, shares=shares), Bot(settings, embedder)


def test_a_run_and_the_index_name_the_files_that_lost_much(built):
    summary, bot = built
    assert [(path, found.left_out) for path, found in summary.losses] == [("city.html", {"menu": 27})]
    assert summary.warnings == [("city.html", "编码有误 / odd encoding")]
    out = io.StringIO()
    render_summary(Console(file=out, soft_wrap=True), summary)
    assert out.getvalue().splitlines()[1:] == [
        "  注意 / note city.html: 编码有误 / odd encoding",
        "  注意 / note city.html: 18% 成为段落 / became passages (菜单 menu 27)",
        "  略去 / left out: 菜单 menu 1",
    ]
    assert bot.info()["warnings"] == dict(summary.warnings)
    assert bot.info()["losses"] == {"city.html": "18% 成为段落 / became passages (菜单 menu 27)"}
