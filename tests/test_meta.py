"""bot.answer.meta and summary: what is asked besides the text of the documents."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import write_articles

from bot.answer.meta import HELLO, LISTED, Meta, meta, named_document
from bot.channels.message import PLAIN, render
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.types import Turn

BRIDGE = (
    "赵州桥\n\n赵州桥是一座石拱桥，位于河北省赵县。赵州桥由隋代工匠李春设计，建成于公元605年前后。"
    "这座桥的主拱两端各有两个小拱，洪水来时可以让水流通过。赵州桥历经十次水灾和八次战乱，至今仍然完好。"
    "许多学者认为赵州桥是世界上现存最早的敞肩石拱桥。桥面平坦，便于车辆通行。\n"
)
TEA = "龙井茶\n\n龙井茶产于浙江杭州西湖一带，以清明前采摘的为上品。冲泡水温为八十五度。\n"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("你好", "hello"), ("您好！", "hello"), ("在吗", "hello"), ("Hello", "hello"), ("谢谢", "thanks"),
        ("Thank you!", "thanks"), ("再见", "bye"), ("👍", "remark"), ("1", "remark"), ("OK", "remark"),
        ("好的，知道了", "remark"), ("嗯", "remark"),
        ("你能做什么？", "help"), ("你是谁", "help"), ("帮助", "help"), ("what can you do?", "help"),
        ("有哪些文章", "documents"), ("知识库里有哪些资料？", "documents"),
        ("What documents do you have?", "documents"),
        ("一共有多少篇文章？", "count"), ("how many documents are there?", "count"),
        ("总结一下这篇文章", "summary"), ("这篇文章讲了什么？", "summary"),
        ("《赵州桥》的主要内容是什么", "summary"),
        ("请帮我总结一下员工手册", "summary"), ("summarize the article", "summary"), ("what is this about?", "summary"),
    ],
)  # fmt: skip
def test_what_is_no_question_of_the_text(said, kind):
    assert meta(said).kind == kind


@pytest.mark.parametrize(
    "said",
    [
        "年假几天",
        "手机有什么功能",
        "如何使用打印机",
        "办理居住证需要哪些材料",
        "文件有哪些要求",
        "资料",
        "test",
        "12",
        "谢谢惠顾是什么意思",
    ],
)
def test_questions_are_questions(said):
    assert meta(said) is None


@pytest.fixture(scope="module")
def asked(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("meta")
    return Bot(
        load_settings(corpus=write_articles(folder / "c", {"a.txt": BRIDGE, "b.txt": TEA}), index=folder / "i"),
        embedder,
    )


def test_small_talk_has_an_answer_and_no_evidence(asked):
    answer = asked.ask("你好")
    assert (answer.text, answer.mode, answer.refused, answer.evidence) == (HELLO["zh"], "meta", True, ())
    assert asked.ask("hello").text == HELLO["en"]
    assert "不客气" in asked.ask("谢谢").text
    assert asked.ask("👍").mode == "meta"


def test_the_documents_are_listed_and_counted(asked):
    answer = asked.ask("有哪些文章？")
    assert not answer.refused
    assert "2 份资料" in answer.text
    assert "赵州桥" in answer.text
    assert "龙井茶" in answer.text
    assert "2 documents" in asked.ask("how many documents are there?").text
    # What was asked before does not turn it into a question of the text.
    assert asked.ask("有多少篇文章", [Turn("赵州桥由谁设计", "李春")]).mode == "meta"


def test_more_titles_than_fit_are_counted(tmp_path, embedder):
    articles = {f"{i}.txt": f"第{i}号文件\n\n这是第{i}号文件的正文，说明第{i}件事。\n" for i in range(LISTED + 3)}
    bot = Bot(load_settings(corpus=write_articles(tmp_path / "c", articles), index=tmp_path / "i"), embedder)
    assert "还有 3 份" in bot.ask("有哪些文件").text


@pytest.mark.parametrize("question", ["总结一下赵州桥", "《赵州桥》讲了什么？", "赵州桥的主要内容是什么？"])
def test_a_summary_is_sentences_of_the_document_each_cited(asked, question):
    answer = asked.ask(question)
    assert (answer.mode, answer.refused) == ("summary", False)
    first, *lines = answer.text.split("\n")
    assert "原文" in first
    assert 3 <= len(lines) <= 5
    for line in lines:
        sentence, _, number = line.rpartition(" [")
        evidence = answer.evidence[int(number[:-1]) - 1]
        assert sentence in BRIDGE
        assert any(evidence.hit.passage.text[span.start : span.end].strip() == sentence for span in evidence.spans)
    assert "赵州桥" in render(answer, PLAIN)


def test_this_article_is_the_one_that_was_spoken_of(asked):
    assert asked.ask("这篇文章讲了什么？").refused  # of two
    told = asked.ask("这篇文章讲了什么？", [Turn("龙井茶产于哪里", "龙井茶产于浙江杭州西湖一带 [1]")])
    assert told.mode == "summary"
    assert "龙井茶" in told.text


def test_many_summaries_at_a_time_do_not_wait_for_each_other(asked):
    """Each looks up what was spoken of while it has one of the two places at work."""
    told = [Turn("龙井茶产于哪里", "龙井茶产于浙江杭州西湖一带 [1]")]
    pool = ThreadPoolExecutor(8)
    try:
        answers = [pool.submit(asked.ask, "这篇文章讲了什么？", told) for _ in range(40)]
        assert {answer.result(60).mode for answer in answers} == {"summary"}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def test_a_summary_of_what_is_no_document_is_a_question(asked):
    assert asked.ask("小拱讲了什么？").mode == "passages"


def test_a_document_is_named_by_its_title():
    titles = [("1", "员工手册"), ("2", "员工手册（2024 版）"), ("3", "安全须知")]
    assert named_document("员工手册", titles) == "1"
    assert named_document("2024版", titles) == "2"
    assert named_document("手册", titles) is None
    assert named_document("本公司的安全须知", titles) == "3"
    assert meta("总结一下安全须知") == Meta("summary", "安全须知")
