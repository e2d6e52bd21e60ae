"""bot.answer.examples: questions drawn from the articles, which the bot answers."""

from __future__ import annotations

import pytest
from conftest import write_articles
from fastapi.testclient import TestClient

from bot.answer.examples import EXAMPLES, Examples, questions
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.types import Passage
from bot.web.app import create_app


def passage(text: str, title: str = "", heading: str = "") -> Passage:
    return Passage("p", "a.txt", title, heading, text, 0, len(text))


@pytest.mark.parametrize(
    ("text", "title", "heading", "question"),
    [
        ("西安地铁二号线于2011年9月16日开通,是第一条。", "西安的地铁", "", "西安地铁二号线什么时候开通？"),
        ("赵州桥建成于公元605年。", "赵州桥", "", "赵州桥建成于哪一年？"),
        ("龙井茶产于浙江杭州西湖一带,已有多年历史。", "龙井茶", "", "龙井茶产于哪里？"),
        ("龙井茶产于浙江杭州西湖一带\uff0c已有多年历史。", "龙井茶", "", "龙井茶产于哪里？"),
        ("上海位列全国人工智能发展城市第二位。上海也强。", "城市", "", "上海位列全国人工智能发展城市第几位？"),
        ("合肥市政府许诺出资60多亿,其余分期。合肥很好。", "", "", "合肥市政府许诺出资多少亿？"),
        ("排名公布。第一为什么是北京?因为有人才。", "", "", "第一为什么是北京？"),
        ("略。", "赵州桥", "结构", "赵州桥的结构是怎样的？"),
        ("略。", "城市", "合肥赢在创投思维", "为什么说合肥赢在创投思维？"),
        ("略。", "城市", "如何培养人才", "如何培养人才？"),
        ("略。", "赵州桥", "", "赵州桥有什么可说的？"),
    ],
)
def test_what_a_passage_can_be_asked(text, title, heading, question):
    assert question in [asked for _, asked in questions(passage(text, title, heading))]


@pytest.mark.parametrize(
    "text",
    [
        "它位于河北省。",  # what is "it"?
        "这座桥长64.40米。这座桥很老。",
        "于是,位列中国第一。",  # the subject was cut off by the comma
        "人工智能将步入2.0时代。人工智能很热。",  # no quantity
        "难道这不是为什么吗?",
    ],
)
def test_what_leans_on_its_article_is_not_asked(text):
    assert list(questions(passage(text))) == []


def test_the_examples_are_answered_and_always_the_same(bot, article_bot, monkeypatch):
    monkeypatch.setattr("bot.answer.examples._SECONDS", 60.0)  # on a busy machine the first call finds fewer
    for one in (bot, article_bot):
        drawn = one.examples()
        assert 3 <= len(drawn) <= EXAMPLES
        assert len(set(drawn)) == len(drawn)
        assert not any(one.ask(question).refused for question in drawn)
        assert one.examples() == drawn


def test_they_are_drawn_once_a_generation(tmp_path, embedder, monkeypatch):
    corpus = write_articles(tmp_path / "c", {"a.txt": "龙井茶\n\n龙井茶产于浙江杭州西湖一带。\n"})
    bot = Bot(load_settings(corpus=corpus, index=tmp_path / "i"), embedder)
    assert "龙井茶产于哪里？" in bot.examples()
    explain = bot.explain
    monkeypatch.setattr(bot, "explain", lambda *_: pytest.fail("drawn again"))
    assert "龙井茶产于哪里？" in bot.examples()
    monkeypatch.setattr(bot, "explain", explain)
    write_articles(corpus, {"a.txt": "赵州桥\n\n赵州桥建成于公元605年,十分坚固。\n"})
    bot.refresh()
    assert "赵州桥建成于哪一年？" in bot.examples()


def test_a_call_that_ran_out_of_time_is_gone_on_with(article_bot, monkeypatch):
    """A slow machine must not be left without examples until the corpus changes."""
    store, examples = article_bot.live.get().store, Examples()
    monkeypatch.setattr("bot.answer.examples._SECONDS", 0.0)
    assert examples.drawn("gen-000001", store, lambda question: True) == ()
    monkeypatch.setattr("bot.answer.examples._SECONDS", 10.0)
    assert len(examples.drawn("gen-000001", store, lambda question: True)) == EXAMPLES


def test_the_route_gives_them(bot):
    with TestClient(create_app(bot)) as client:
        assert client.get("/api/examples").json() == {"examples": list(bot.examples())}
