"""bot.index.lexical and bot.answer.retrieve: what is found, in which order, and why."""

from __future__ import annotations

import time
from itertools import combinations, pairwise

import pytest
from conftest import write_articles
from hypothesis import given
from hypothesis import strategies as st

from bot.answer import retrieve
from bot.answer.query import understand
from bot.index.lexical import Fields, LexicalIndex, LexicalWriter
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.types import Passage, Query, Term


def found(bot: Bot, question: str, legs=retrieve.LEGS, k: int = 5):
    return bot.search(question, k, legs)


@pytest.mark.parametrize(
    "question", ["PPR-9087", "9087", "ppr", "ｐｐｒ－９０８７", "趙州橋的跨徑", "赵州桥 跨径", "anji qiao", "安济桥"]
)
@pytest.mark.parametrize("legs", [("lexical",), retrieve.LEGS])
def test_codes_scripts_widths_and_pinyin_find_the_bridge(bot, question, legs):
    assert found(bot, question, legs)[0].passage.document == "bridge.md"


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("明前茶什么时候采", "tea.txt"),
        ("when did the Xi'an subway open", "city.html"),
        ("who designed the bridge", "bridge.md"),
    ],
)
def test_questions_in_both_languages(bot, question, article):
    assert found(bot, question)[0].passage.document == article


def test_hits_carry_raw_scores_and_ranks_and_are_ordered_by_score(bot):
    hits = found(bot, "西安地铁二号线")
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert (hits[0].rank_lexical, hits[0].rank_dense) == (1, 1)
    assert hits[0].lexical > 0
    assert -1 <= hits[0].dense <= 1
    assert all(-1 < hit.score < 1 for hit in hits)
    assert found(bot, "西安地铁二号线", ("lexical",))[0].dense is None
    assert found(bot, "西安地铁二号线", ("dense",))[0].lexical is None


def test_title_and_heading_are_fields_of_their_own(bot):
    index = bot.live.get()
    rows = index.lexical.search(understand("采摘与炒制", {}), 5)
    assert index.store.passages([rows[0][0]])[0].heading == "采摘与炒制"


def test_equal_scores_come_in_the_order_of_the_corpus(tmp_path, embedder):
    articles = {f"{i}.txt": f"共同的内容在第{i}号文件{'甲乙丙丁戊'[i]}。" for i in range(5)}
    bot = Bot(load_settings(corpus=write_articles(tmp_path / "c", articles), index=tmp_path / "i"), embedder)
    bot.refresh()
    rows = [row for row, _ in bot.live.get().lexical.search(understand("共同的内容", {}), 5)]
    assert rows == sorted(rows)


def test_the_same_passage_in_two_files_is_shown_once(tmp_path, embedder):
    text = "青岛举全市之力发展人工智能产业,规划了重点领域攻坚战。"
    articles = {"a.txt": text, "b.txt": text + "又", "c.txt": "合肥投资了京东方的项目。"}
    bot = Bot(load_settings(corpus=write_articles(tmp_path / "c", articles), index=tmp_path / "i"), embedder)
    bot.refresh()
    assert [hit.passage.document for hit in found(bot, "青岛人工智能")] == ["a.txt", "c.txt"]


def test_what_follows_takes_the_place_of_duplicates(tmp_path, embedder):
    teas = {"杭州": "龙井", "苏州": "碧螺春", "黄山": "毛峰", "安溪": "铁观音", "信阳": "毛尖"}
    says = "龙井茶产于浙江杭州西湖一带。" * 3
    others = {f"{i}.txt": f"第{i}家茶馆在{place},卖的是{tea}。" * 2 for i, (place, tea) in enumerate(teas.items())}
    corpus = write_articles(tmp_path / "corpus", {f"same{i}.txt": says for i in range(6)} | others)
    bot = Bot(load_settings(corpus=corpus, index=tmp_path / "index"), embedder)
    bot.refresh()
    hits = found(bot, "龙井茶产于哪里的茶馆", k=5)
    texts = [hit.passage.text for hit in hits]
    assert len(texts) == 5
    assert len(set(texts)) == 5
    assert texts == [hit.passage.text for hit in found(bot, "龙井茶产于哪里的茶馆", k=6)][:5]


@given(st.lists(st.text(alphabet="ab中文国，\n é😀𫛸", max_size=40), min_size=1, max_size=8))
def test_pairs_are_those_of_neighbouring_letters(texts):
    letters = ["".join(c for c in text if c.isalnum()) for text in texts]
    expected = [{a + b for a, b in pairwise(some)} for some in letters]
    sizes, common = retrieve._pairs(texts)
    assert sizes.tolist() == list(map(len, expected))
    for i, j in combinations(range(len(texts)), 2):
        assert common[i, j] == len(expected[i] & expected[j])


@pytest.mark.parametrize("question", ['"', "a AND NOT b", "title:x^9", "( * ) : -", "青岛\\ OR", "的", "吗呢"])
def test_query_syntax_is_text(bot, question):
    query = understand(question, bot.live.get().store.names)
    assert isinstance(bot.live.get().lexical.search(query, 5), list)


def test_without_vectors_the_words_answer_alone(bot):
    query = understand("西安地铁", bot.live.get().store.names)
    hits = retrieve.ranked(bot.live.get(), *retrieve.looked_up(bot.live.get(), query, None), 3)
    assert hits[0].passage.document == "city.html"
    assert hits[0].dense is None


def test_a_translation_that_only_a_title_holds_is_found(tmp_path):
    writer = LexicalWriter(tmp_path / "lexical")
    for row, (title, text) in enumerate([("书店", "今天开门"), ("", "天气很好")]):
        writer.add(row, Fields.from_passage(Passage(str(row), "a", title, "", text, 0, len(text))))
    writer.close()
    term = Term("bookshop", {"bookshop": 1.0, "书店": 1.0}, 0.8)
    assert [row for row, _ in LexicalIndex(tmp_path / "lexical").search(Query("", "", (term,), ""), 20)] == [0]


def test_an_open_index_never_writes_into_its_folder(tmp_path):
    folder = tmp_path / "lexical"
    writer = LexicalWriter(folder)
    writer.add(0, Fields.from_passage(Passage("0", "a", "", "", "书店今天开门", 0, 6)))
    writer.close()
    del writer
    opened = LexicalIndex(folder)
    for lock in folder.glob(".*.lock"):
        lock.unlink()
    (folder / "meta.json").write_text((folder / "meta.json").read_text() + " ")
    time.sleep(1.5)  # tantivy would look every half second, and lock what it reads anew
    assert list(folder.glob(".*.lock")) == []
    assert opened.search(Query("", "", (Term("书店", {"书店": 1.0}, 0.8),), ""), 1)


def test_a_rare_translation_is_worth_no_more_than_a_common_one(tmp_path):
    writer = LexicalWriter(tmp_path / "lexical")
    texts = ["书店开门", *(f"书局开门{i}" for i in range(9)), "天气很好"]
    for row, text in enumerate(texts):
        writer.add(row, Fields.from_passage(Passage(str(row), "a", "", "", text, 0, len(text))))
    writer.close()
    term = Term("bookshop", {"书店": 1.0, "书局": 1.0}, 0.8)
    found = dict(LexicalIndex(tmp_path / "lexical").search(Query("", "", (term,), ""), 20))
    assert 10 not in found
    assert found[0] <= found[1] * 1.25  # not several times as much, as 书店 would be worth alone
