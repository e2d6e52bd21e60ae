"""bot.pipeline: whole questions, on the shipped article and on the small corpus."""

from __future__ import annotations

import dataclasses
import gc
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import write_articles

from bot.answer import retrieve
from bot.answer.explanation import matches
from bot.answer.query import checked_question, understand
from bot.errors import IndexDamaged, QueryError
from bot.index.build import build_index
from bot.index.opened import open_index, open_whole
from bot.pipeline import REFUSAL, Bot
from bot.settings import load_settings
from bot.types import Done, Passage, Query, Term, Turn


@pytest.mark.parametrize("question", ["合肥为什么能成功?", "why did Hefei succeed", "合肥為什麼能成功？"])
def test_why_hefei_succeeded(article_bot, question):
    answer = article_bot.ask(question)
    first = answer.evidence[0]
    assert "创投思维和魄力" in first.hit.passage.text
    marked = "".join(first.hit.passage.text[s.start : s.end] for s in first.spans)
    assert "创投思维和魄力" in marked
    assert answer.text == f"{marked} [1]"
    assert not answer.refused


@pytest.mark.parametrize(("question", "language"), [("红烧肉怎么做", "zh"), ("How do I cook pasta?", "en")])
def test_what_the_articles_do_not_say_is_refused_without_sources(article_bot, question, language):
    answer = article_bot.ask(question)
    assert answer.refused
    assert answer.text == REFUSAL[language]
    assert answer.evidence == ()
    assert answer.confidence < article_bot.settings.threshold


@pytest.mark.parametrize("question", ["zzzz", "红烧肉怎么做", "q", "龙井茶产于哪里?"])
@pytest.mark.parametrize("words_alone", [False, True])
def test_a_threshold_of_0_is_answered_or_refused_but_never_an_error(settings, embedder, question, words_alone):
    """A first hit may score below 0, and words alone may find nothing at all."""
    bot = Bot(settings.model_copy(update={"threshold": 0.0}), embedder)
    bot.refresh()
    if words_alone:
        bot.live.get().engine = None
    answer, hits = bot.ask(question), bot.search(question, 3)
    assert answer.refused == (not hits)
    assert bool(answer.evidence) == bool(hits)


def test_a_follow_up_is_measured_as_it_was_typed(settings, embedder):
    """What it is understood as is longer than a question may be."""
    bot = Bot(settings.model_copy(update={"max_question": 10}), embedder)
    bot.refresh()
    answer = bot.ask("为什么?", [Turn("西安地铁二号线于2011年9月16日开通", "")])
    assert len(answer.standalone) > 10
    with pytest.raises(QueryError):
        bot.ask("西安地铁二号线于哪一年开通?")


def test_explaining_takes_the_same_way_as_asking(settings, embedder):
    answers = "- questions: 谁修了赵州桥?\n  answer: 李春。\n  source: 县志\n"
    write_articles(settings.corpus, {"answers.yaml": answers})
    bot = Bot(settings, embedder)
    bot.refresh()
    turns = [Turn("西安地铁二号线什么时候开通?", "")]
    for question, history in (("谁修了赵州桥", ()), ("那龙井茶呢?", turns), ("红烧肉怎么做", ()), ("炒制要多久?", ())):
        answer, explanation = bot.ask(question, history), bot.explain(question, 1, history)
        for name in ("refused", "confidence", "mode", "standalone", "degraded", "generation"):
            assert getattr(explanation, name) == getattr(answer, name), (question, name)
        assert explanation.hits  # also where people answered: the passages beside their words


def test_an_answer_is_one_json_shape_that_survives_a_round_trip(bot):
    answer = bot.ask("西安地铁二号线什么时候开通?")
    shape = json.loads(json.dumps(answer.to_dict(), ensure_ascii=False))
    assert set(shape) == {field.name for field in dataclasses.fields(answer)}
    first = shape["evidence"][0]
    assert first["number"] == 1
    assert first["passage"]["article"] == "city.html"
    assert first["spans"][0]["text"] == first["passage"]["text"][first["spans"][0]["start"] : first["spans"][0]["end"]]
    assert shape["mode"] == "passages"
    assert {"understand", "retrieve", "evidence", "total"} <= set(shape["timings"])


def test_every_evidence_is_a_passage_of_the_live_generation(bot):
    for question in ("赵州桥是谁设计的", "龙井茶产于哪里", "Xi'an metro"):
        for evidence in bot.ask(question).evidence:
            passage, article = bot.source(evidence.hit.passage.id)
            assert article.text[passage.start : passage.end] == evidence.hit.passage.text
    assert bot.source("0" * 16) is None


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("", "empty"),
        ("  \u3000", "empty"),
        ("？！。…", "empty"),
        ("合" * 2001, "2001"),
        ("合\ud800肥", "invalid"),
    ],
)
def test_what_is_no_question_says_so_in_one_line(bot, question, words):
    with pytest.raises(QueryError, match=words) as error:
        bot.ask(question)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_the_longest_question_is_answered_and_controls_are_stripped(bot):
    assert bot.ask(("西安地铁" * 500)[:2000]).evidence[0].hit.passage.document == "city.html"
    assert checked_question("西\x00安\x1b", 100) == "西安"


def test_refresh_builds_once_and_again_when_the_corpus_changed(settings, embedder):
    bot = Bot(settings, embedder)
    assert bot.refresh().articles == 3
    assert bot.refresh() is None
    (settings.corpus / "new.txt").write_text("寒武纪公司于2020年登陆科创板。", encoding="utf-8")
    assert bot.refresh().articles == 4
    assert bot.ask("寒武纪登陆哪个板").evidence[0].hit.passage.document == "new.txt"


def test_a_running_bot_takes_a_new_generation_and_keeps_the_old_one_when_it_is_damaged(settings, embedder):
    bot = Bot(settings, embedder)
    bot.refresh()
    (settings.corpus / "new.txt").write_text("寒武纪公司于2020年登陆科创板。", encoding="utf-8")
    build_index(settings, embedder)
    answer = bot.ask("寒武纪登陆哪个板")
    assert (answer.generation, answer.mode, answer.degraded) == ("gen-000002", "passages", {})
    (settings.index / "CURRENT").write_text("gen-000001 " + "0" * 64)
    answer = bot.ask("寒武纪登陆哪个板")
    assert answer.evidence[0].hit.passage.document == "new.txt"
    assert answer.mode == "stale_generation"
    assert "wenqu index" in answer.degraded["index"]
    with pytest.raises(IndexDamaged):
        Bot(settings, embedder).ask("寒武纪")


def test_one_request_opens_a_new_generation_and_the_others_go_on(settings, embedder, monkeypatch):
    bot = Bot(settings, embedder)
    bot.refresh()
    assert bot.live.get().generation == "gen-000001"
    build_index(settings, embedder)
    opening, go_on = threading.Event(), threading.Event()

    def slow(*arguments):
        opening.set()
        assert go_on.wait(20)
        return open_index(*arguments)

    monkeypatch.setattr("bot.index.live.open_index", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(bot.ask, "赵州桥由谁设计")
        assert opening.wait(20)
        assert bot.ask("赵州桥由谁设计").generation == "gen-000001"  # at once: it would wait for ever
        go_on.set()
        assert first.result(20).generation == "gen-000002"
    assert bot.ask("赵州桥由谁设计").generation == "gen-000002"


def test_the_first_requests_all_wait_for_one_opening(settings, embedder, monkeypatch):
    Bot(settings, embedder).refresh()
    opened = []
    monkeypatch.setattr("bot.index.live.open_whole", lambda *a: opened.append(1) or time.sleep(0.1) or open_whole(*a))
    bot = Bot(settings, embedder)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(bot.ask, ["赵州桥由谁设计"] * 8))
    assert {answer.generation for answer in answers} == {"gen-000001"}
    assert len(opened) == 1


def test_a_generation_stays_open_for_the_request_that_holds_it(settings, embedder):
    bot = Bot(settings, embedder)
    bot.refresh()
    held = bot.live.get()
    for _ in range(3):
        build_index(settings, embedder)
        bot.ask("赵州桥由谁设计")
    gc.collect()
    assert not (settings.index / held.generation).exists()
    query = understand("西安地铁", held.store.names)
    hits = retrieve.ranked(held, *retrieve.looked_up(held, query, retrieve.query_vector(query, embedder)), 1)
    assert hits[0].passage.document == "city.html"


def test_a_streamed_answer_is_of_one_generation_to_its_end(settings, embedder):
    write_articles(settings.corpus, {"dictionary.txt": "大石桥 = 赵州桥\n"})
    bot = Bot(settings, embedder)
    bot.refresh()
    understood = []

    class Writer:
        def word(self, answer, understand):
            understood.append(understand("大石桥"))
            yield Done(answer)

    bot._writer = Writer()
    stream = bot.stream("大石桥由谁设计")
    first = next(stream).answer
    (settings.corpus / "dictionary.txt").unlink()
    build_index(settings, embedder)
    assert bot.live.get().generation == "gen-000002"
    assert [event.answer.generation for event in stream] == [first.generation] == ["gen-000001"]
    assert understood[0].other_names == ("赵州桥",)


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"gen-000002\n", None])
def test_a_running_bot_outlives_whatever_happens_to_current(settings, embedder, damage):
    bot = Bot(settings, embedder)
    bot.refresh()
    assert bot.live.get().generation == "gen-000001"
    current = settings.index / "CURRENT"
    sound = current.read_bytes()
    current.unlink() if damage is None else current.write_bytes(damage)
    for _ in range(2):
        answer = bot.ask("赵州桥由谁设计")
        assert (answer.mode, answer.generation) == ("stale_generation", "gen-000001")
        assert "CURRENT" in answer.degraded["index"]
    current.write_bytes(sound)
    assert bot.ask("赵州桥由谁设计").mode == "passages"


def test_a_missing_vector_engine_costs_the_dense_leg_only(settings, embedder, monkeypatch):
    Bot(settings, embedder).refresh()
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    monkeypatch.delitem(__import__("sys").modules, "bot.index.engines.faiss")
    answer = Bot(settings, embedder).ask("西安地铁二号线什么时候开通?")
    assert answer.mode == "lexical_only"
    assert "WENQU_ENGINE=exact" in answer.degraded["vectors"]
    assert answer.evidence[0].hit.passage.document == "city.html"


def test_a_folder_with_chinese_names_and_blanks(tmp_path, embedder, settings):
    folder = tmp_path / "我的 资料"
    moved = settings.model_copy(update={"corpus": write_articles(folder / "文章"), "index": folder / "索 引"})
    bot = Bot(moved, embedder)
    bot.refresh()
    assert bot.ask("赵州桥由谁设计").evidence


FOLDED = {
    "simplified.txt": "国家图书馆的数据库收录了三千种古籍。",
    "traditional.txt": "臺灣鐵路的電聯車於1979年開始營運,由英國製造。",
    "wide.txt": "ＡＴＭ－９３００型终端机每台售价五万元。",
    "hidden.txt": "量\u200b子\ufeff芯片在零下二百七十度工作。",
}


@pytest.fixture(scope="module")
def folded_bot(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("folded")
    bot = Bot(load_settings(corpus=write_articles(folder / "c", FOLDED), index=folder / "i"), embedder)
    bot.refresh()
    return bot


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("國家圖書館的數據庫收錄了多少種古籍?", "simplified.txt"),
        ("台湾铁路的电联车何时开始营运?", "traditional.txt"),
        ("电联车由谁制造", "traditional.txt"),
        ("atm-9300型终端机售价多少?", "wide.txt"),
        ("Atm－９３００的售價", "wide.txt"),
        ("量子芯片在多少度工作?", "hidden.txt"),
        ("量\u200d子芯\u2060片在多少度工作?", "hidden.txt"),
        ("国家图\ufeff书馆的数据库收录了多少种古籍?", "simplified.txt"),
    ],
)
def test_scripts_widths_case_and_invisible_characters_meet_and_the_original_is_shown(folded_bot, question, article):
    answer = folded_bot.ask(question)
    assert not answer.refused
    first = answer.evidence[0]
    assert first.hit.passage.text == FOLDED[article]
    assert answer.text == FOLDED[article] + " [1]"
    assert answer.query == question


def test_invisible_characters_hide_no_word_on_either_side(folded_bot):
    plain, hidden = (folded_bot.explain(question, 1) for question in ("量子芯片工作", "量\u200d子芯\ufeff片工作"))
    assert hidden.terms == plain.terms
    assert [match.term.source for match in hidden.hits[0].matches] == ["量子", "芯片", "工作"]
    assert hidden.hits[0].missing == ()


def test_the_heaviest_alternative_that_a_passage_holds_explains_it():
    passage = Passage("1", "a", "题目", "", "他们在城市里,也叫都市", 0, 11)
    term = Term("city", {"都市": 0.4, "城市": 0.9, "市区": 1.0}, 0.5)
    found, missing = matches(Query("", "", (term,), ""), passage)
    assert [(match.alternative, match.fields) for match in found] == [("城市", ("body",))]
    assert missing == ()


def test_an_explanation_says_which_terms_matched_where_and_whether_the_bot_would_answer(bot):
    explanation = bot.explain("who designed 赵州桥的采摘 zhaozhou qiao", 3)
    answer = bot.ask("who designed 赵州桥的采摘 zhaozhou qiao")
    assert (explanation.confidence, explanation.refused) == (answer.confidence, answer.refused)
    assert explanation.threshold == bot.settings.threshold
    hits = bot.search("who designed 赵州桥的采摘 zhaozhou qiao", 3)
    assert [explained.hit for explained in explanation.hits] == hits
    bridge = next(e for e in explanation.hits if e.hit.passage.document == "bridge.md")
    found = {match.term.source: match for match in bridge.matches}
    assert found["赵州桥"].alternative == "赵州桥"
    assert {"title", "body"} >= set(found["赵州桥"].fields) > set()
    assert "采摘" in [term.source for term in bridge.missing]
    for explained in explanation.hits:
        assert len(explained.matches) + len(explained.missing) == len(explanation.terms)
        assert all(match.alternative in match.term.alternatives for match in explained.matches)


def test_an_english_word_is_explained_by_the_chinese_one_that_matched(bot):
    shape = json.loads(json.dumps(bot.explain("when did the Xi'an subway open", 2).to_dict(), ensure_ascii=False))
    first = shape["hits"][0]
    match = {match["source"]: match for match in first["matches"]}["xi'an"]
    assert (match["alternative"], match["weight"], "title" in match["fields"]) == ("西安", 1.0, True)
    assert (first["rank_lexical"], first["rank_dense"]) == (1, 1)
    assert shape["confidence"] >= shape["threshold"]
    assert shape["refused"] is False
    refused = bot.explain("红烧肉怎么做", 2)
    assert refused.refused
    assert refused.confidence < refused.threshold


def test_a_price_is_not_made_of_a_year(bot):
    for question in ("赵州桥的门票多少钱", "赵州桥几点开门", "赵州桥管理处的电话是多少"):
        assert bot.ask(question).refused
    assert not bot.ask("赵州桥建成于哪一年").refused
