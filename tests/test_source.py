"""bot.web.source: the page that a cited source links to."""

from __future__ import annotations

import re

import pytest
from conftest import write_articles
from fastapi.testclient import TestClient

from bot.channels.message import source_url
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.web.app import create_app


@pytest.fixture(scope="module")
def client(bot):
    with TestClient(create_app(bot)) as client:
        yield client


def test_the_link_of_a_source_opens_its_article_with_the_evidence_marked(client, bot):
    evidence = bot.ask("赵州桥由谁设计?").evidence[0]
    page = client.get(source_url(evidence, ""))
    assert page.status_code == 200
    text = evidence.hit.passage.text
    assert re.findall("<mark>(.*?)</mark>", page.text) == [text[s.start : s.end] for s in evidence.spans]
    assert "减轻桥身重量" in page.text  # the rest of the article is there too


@pytest.mark.parametrize("mark", ["", "5-2", "0-99999", "0-5,3-8", "a", "1-2" * 500, "<b>"])
def test_marks_that_do_not_fit_are_left_out(client, bot, mark):
    passage = bot.ask("赵州桥由谁设计?").evidence[0].hit.passage
    page = client.get(f"/source/{passage.id}", params={"mark": mark})
    assert page.status_code == 200
    assert "<mark>" not in page.text
    assert "李春" in page.text


def test_an_unknown_passage_is_said_in_words(client):
    page = client.get("/source/none")
    assert page.status_code == 404
    assert "资料已更新" in page.text


def test_an_article_is_shown_as_text(tmp_path, embedder):
    corpus = write_articles(tmp_path / "corpus", {"a.txt": "<i>标题</i>\n\n<script>alert(1)</script>说的是脚本注入。"})
    bot = Bot(load_settings(corpus=corpus, index=tmp_path / "index"), embedder)
    bot.refresh()
    (hit,) = bot.search("脚本注入", 1)
    with TestClient(create_app(bot)) as client:
        start = hit.passage.text.index("<script>")
        page = client.get(f"/source/{hit.passage.id}?mark={start}-{start + 8}")
    assert "<mark>&lt;script&gt;</mark>" in page.text
    assert "<script" not in page.text
    assert "<i>" not in page.text
