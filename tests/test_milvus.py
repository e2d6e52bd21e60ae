"""The engine milvus, hybrid on milvus-lite: the answers of the local engine, and what happens without its server."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

from bot.builder import build_index
from bot.engines.milvus import PREFIX, joined
from bot.errors import SettingsError
from bot.pipeline import Bot
from bot.settings import load_settings

pytest.importorskip("milvus_lite")
QUESTIONS = ["龙井茶产于哪里?", "赵州桥是谁设计的?", "9087", "西安地铁二号线何时开通?", "Who designed Zhaozhou bridge?"]


@pytest.fixture
def remote(settings, tmp_path: Path, embedder):
    made = Bot(settings.model_copy(update={"engine": "milvus", "engine_url": str(tmp_path / "lite.db")}), embedder)
    made.refresh()
    yield made
    made.index.engine._client.close()


def found(bot: Bot, question: str):
    return [hit.passage.id for hit in bot.search(question, 10)]


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_answers_as_the_local_engine_does(remote, bot, question):
    assert found(remote, question) == found(bot, question)
    mine, local = remote.ask(question), bot.ask(question)
    assert (mine.text, mine.refused, mine.mode) == (local.text, local.refused, local.mode)
    assert not mine.degraded


def test_on_the_shipped_article_too(article_bot, tmp_path: Path, embedder):
    settings = load_settings(
        corpus=ROOT / "corpus", index=tmp_path / "index", engine="milvus", engine_url=str(tmp_path / "lite.db")
    )
    remote = Bot(settings, embedder)
    remote.refresh()
    for question in ("合肥的大模型发展得怎么样?", "人工智能格局如何重塑?", "Liu Qingfeng"):
        assert found(remote, question) == found(article_bot, question)
    remote.index.engine._client.close()


def test_both_legs_are_on_the_server(remote):
    engine = remote.index.engine
    assert engine.holds_words()
    vector = remote.embedder.encode_query("无关")
    by_words = engine.search_fused(vector, ["ppr-9087"], 1)
    passages = remote.index.store.passages(list(map(int, by_words)))
    assert any("PPR-9087" in passage.text for passage in passages)


def test_two_generations_have_two_collections_and_older_ones_are_dropped(remote):
    names = set()
    for _ in range(3):
        build_index(remote.settings, remote.embedder)
        names.add(remote.index.engine._collection)
        held = {n for n in remote.index.engine._client.list_collections() if n.startswith(PREFIX)}
        assert remote.index.engine._collection in held
        assert len(held) == 2
    assert len(names) == 3


def test_without_its_server_words_alone_answer(remote, settings, embedder):
    gone = remote.settings.model_copy(update={"engine_url": "http://127.0.0.1:9"})
    answer = Bot(gone, embedder).ask("赵州桥是谁设计的?")
    assert answer.mode == "lexical_only"
    assert "李春" in answer.text
    assert "127.0.0.1:9" in answer.degraded["vectors"]


def test_a_collection_that_is_gone_is_told_and_words_answer(remote):
    engine = remote.index.engine
    engine._client.drop_collection(engine._collection)
    answer = remote.ask("赵州桥是谁设计的?")
    assert answer.mode == "lexical_only"
    assert "李春" in answer.text


def test_without_an_address_the_setting_is_named(settings, embedder):
    with pytest.raises(SettingsError, match="WENQU_ENGINE_URL"):
        Bot(settings.model_copy(update={"engine": "milvus"}), embedder).refresh()


def test_terms_reach_the_server_whole():
    assert joined(["c++", "a.b_c", "合肥"]) == "cx2bx2b ax2ebx5fc 合肥"
    assert len(joined(["词" * 50] * 10_000).encode()) <= 60_000
