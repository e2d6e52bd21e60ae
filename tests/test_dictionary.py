"""bot.text.dictionary: words cut whole, names that stand for one another, and one dictionary for each generation."""

from __future__ import annotations

import json

import pytest
from conftest import write_articles

from bot.answer.query import understand
from bot.corpus.scan import scan
from bot.index.build import build_index
from bot.index.opened import is_stale, open_index
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.text.dictionary import NO_DICTIONARY, Dictionary, Problem, read_dictionary
from bot.text.terms import rarity, words
from bot.types import Query, Term

ARTICLES = {
    "harbour.txt": "庐州的变化\n\n庐州在2023年新建了七座码头,货运量居全省第一。",
    "robot.txt": "蓝猫三号\n\n机器人 Blue Cat 由孟小川设计,每小时能走六公里。",
    "oolong.txt": "山上的茶\n\n乌龙茶在这里种了三百年,由茶农手工采摘。",
}


def read(tmp_path, content: str | bytes) -> Dictionary:
    file = tmp_path / "dictionary.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_dictionary(file)


def understood(bot: Bot, question: str):
    """A question as the bot understands it, by the dictionary of its live generation."""
    index = bot.live.get()
    return understand(question, index.store.names, index.dictionary)


def bot_of(folder, embedder, dictionary: str = "") -> Bot:
    files = {**ARTICLES, **({"dictionary.txt": dictionary} if dictionary else {})}
    bot = Bot(load_settings(corpus=write_articles(folder / "corpus", files), index=folder / "index"), embedder)
    bot.refresh()
    return bot


def test_words_aliases_and_comments_are_read_folded(tmp_path):
    dictionary = read(
        tmp_path,
        "# 词典\n創投思維  # 一个词\n\n大湖名城、ＬＵＺＨＯＵ ＝ 合肥\n霸都 = 合肥\nC# 语言\n"
        "Liu  Qingfeng,刘总=刘庆峰\n",
    )
    assert dictionary.problems == []
    assert dictionary.entries == [
        ("创投思维",),
        ("合肥", "大湖名城", "luzhou", "霸都"),
        ("c# 语言",),
        ("刘庆峰", "liu qingfeng", "刘总"),
    ]
    assert dictionary.others("霸都") == ["合肥", "大湖名城", "luzhou"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_any_encoding_of_an_article_is_one_of_the_dictionary(tmp_path, encoding):
    assert read(tmp_path, "创投思维\r\n霸都 = 合肥\r\n".encode(encoding)).entries == [("创投思维",), ("合肥", "霸都")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("= 合肥", "missing"),
        ("霸都 =", "missing"),
        ("、、", "missing"),
        ("霸都 = 合肥 = 庐州", "only one name"),
        ("霸都 = 合肥、庐州", "only one name"),
        ("合肥 = 合肥", "the same"),
        ("词" * 51, "longer than 50"),
        ("什么", "function word"),
    ],
)
def test_a_bad_line_is_named_with_its_reason_and_the_others_are_used(tmp_path, line, reason):
    dictionary = read(tmp_path, f"创投思维\n{line}\n青岛港\n")
    assert dictionary.entries == [("创投思维",), ("青岛港",)]
    assert [problem.place for problem in dictionary.problems] == ["dictionary.txt:2"]
    assert reason in dictionary.problems[0].reason


def test_a_file_that_cannot_be_read_is_one_problem_and_an_empty_one_is_none(tmp_path):
    assert [problem.line for problem in read(tmp_path, bytes(range(256)) * 20).problems] == [0]
    assert read(tmp_path, "\n").problems == []
    assert read_dictionary(tmp_path / "none.txt").problems[0].place == "dictionary.txt"


def test_without_a_dictionary_text_is_cut_as_ever():
    for folded in ("正是这种创投思维和魄力,让合肥成功", "ppr-9087 is 7+n", "", "的" * 3000):
        assert NO_DICTIONARY.words(folded) == words(folded)
        assert NO_DICTIONARY.named(folded) == ([], " ".join(folded.split()))


def test_words_are_cut_whole_as_well_as_in_parts_and_the_longest_wins():
    dictionary = Dictionary([("魄力让",), ("创投思维",), ("创投",), ("ai",), ("star market",)])
    assert dictionary.words("魄力让合肥") == [*words("魄力让"), "魄力让", "合肥"]
    assert {"创投", "思维", "创投思维"} <= set(dictionary.words("这种创投思维和"))
    assert "star market" in dictionary.words("the star market opens")
    assert dictionary.words("openai gpt-ai ai++") == words("openai gpt-ai ai++")  # no word inside an identifier
    assert dictionary.named("ai模型,ai.") == (["ai"], "ai 模型, ai .")


def test_a_named_thing_is_asked_for_by_all_its_names_and_no_part():
    dictionary = Dictionary([("合肥", "大湖名城", "big lake")])
    query = understand("大湖名城为什么成功", {}, dictionary)
    assert [(term.source, dict(term.alternatives)) for term in query.terms] == [
        ("大湖名城", {"大湖名城": 1.0, "合肥": 1.0, "big lake": 1.0}),
        ("成功", {"成功": 1.0}),
    ]
    assert query.other_names == ("合肥", "big lake")
    english = understand("why did Big Lake succeed", {}, dictionary)
    assert english.terms[0].alternatives["合肥"] == 1.0
    assert english.terms[1].alternatives["成功"] == 1.0


def test_a_thing_is_as_rare_as_its_commonest_name():
    query = understand("霸都", {}, Dictionary([("合肥", "霸都")]))
    assert query.terms[0].rarity == rarity("合肥") < rarity("霸都")


def test_two_names_of_one_alias_are_not_taken_for_one_another():
    dictionary = Dictionary([("孙悟空", "大圣"), ("张三", "大圣")])
    assert dictionary.others("大圣") == ["孙悟空", "张三"]
    assert dictionary.others("孙悟空") == ["大圣"]


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("霸都新建了几座码头?", "harbour.txt"),  # the article says 庐州
        ("Where is Badu, how many docks did it build?", "harbour.txt"),
        ("蓝猫是谁设计的?", "robot.txt"),  # the article says Blue Cat
        ("who designed 蓝猫", "robot.txt"),
        ("東方美人茶由誰采摘?", "oolong.txt"),  # the article says 乌龙茶
    ],
)
def test_an_alias_finds_the_passages_of_the_other_name_and_shows_them_as_they_are(
    tmp_path, embedder, question, article
):
    bot = bot_of(tmp_path, embedder, "霸都, Badu = 庐州\nBlue Cat = 蓝猫\n东方美人茶 = 乌龙茶\n")
    query = understood(bot, question)
    rows = bot.live.get().lexical.search(query, 1)
    assert bot.live.get().store.passages([rows[0][0]])[0].document == article
    answer = bot.ask(question)
    assert answer.evidence[0].hit.passage.document == article
    assert answer.evidence[0].hit.passage.text in ARTICLES[article]


@pytest.mark.parametrize("name", ["blue cat", "七座码"])
def test_a_word_that_jieba_would_cut_is_one_token_of_the_index(tmp_path, embedder, name):
    only = Query(name, name, (Term(name, {name: 1.0}, 1.0),), "")  # without bigrams to help
    with_words = bot_of(tmp_path / "a", embedder, "Blue Cat\n七座码\n")
    assert len(with_words.live.get().lexical.search(only, 5)) == 1
    assert bot_of(tmp_path / "b", embedder).live.get().lexical.search(only, 5) == []


def test_a_changed_dictionary_makes_the_index_stale_and_is_no_article(tmp_path, embedder):
    bot = bot_of(tmp_path, embedder, "霸都 = 庐州\n= 没有\n")
    settings = bot.settings
    assert bot.live.get().manifest["articles"] == 3
    assert bot.live.get().store.skipped() == []
    assert bot.live.get().dictionary.problems == [Problem(2, "缺少词语 / a word is missing")]
    assert "dictionary.json" in bot.live.get().manifest["files"]
    assert not is_stale(scan(settings.corpus), bot.live.get())
    file = settings.corpus / "dictionary.txt"
    file.write_text("霸都, 庐阳 = 庐州\n", encoding="utf-8")
    assert is_stale(scan(settings.corpus), bot.live.get())
    # Until the next run the old one is in force: what was indexed and what is asked agree.
    assert understood(bot, "庐阳").other_names == ()
    summary = build_index(settings, embedder)
    assert summary.dictionary.entries == [("庐州", "霸都", "庐阳")]
    assert understood(bot, "庐阳").other_names == ("庐州", "霸都")  # a running bot takes the new one
    file.unlink()
    assert is_stale(scan(settings.corpus), bot.live.get())
    build_index(settings, embedder)
    assert open_index(settings, embedder).dictionary.entries == []


def test_a_dictionary_below_a_folder_is_an_article(tmp_path, embedder):
    write_articles(tmp_path / "corpus" / "notes", {"dictionary.txt": "词典是一本书,里面有很多词。"})
    assert bot_of(tmp_path, embedder).live.get().manifest["articles"] == 4


def test_the_words_of_one_bot_do_not_reach_another(tmp_path, embedder):
    with_words = bot_of(tmp_path / "a", embedder, "座码头货\n霸都 = 庐州\n")
    without = bot_of(tmp_path / "b", embedder)
    question = "霸都新建了几座码头货"
    assert "座码头货" in [term.source for term in understood(with_words, question).terms]
    other = understood(without, question)
    assert other == understand(question, without.live.get().store.names)
    assert not {"座码头货", "庐州"} & {name for term in other.terms for name in term.alternatives}


def test_what_was_saved_is_what_is_loaded(tmp_path, embedder):
    bot = bot_of(tmp_path, embedder, "霸都 = 庐州\n創投\n=\n")
    saved = json.loads((bot.settings.index / "gen-000001" / "dictionary.json").read_text(encoding="utf-8"))
    assert saved["entries"] == [["庐州", "霸都"], ["创投"]]
    assert bot.live.get().dictionary.report() == {
        "words": 3,
        "aliases": 1,
        "entries": ["霸都 = 庐州", "创投"],
    }
    assert bot.live.get().dictionary.problems == [Problem(3, "缺少词语 / a word is missing")]
