"""bot.evaluation: figures worked out by hand, and the gate."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from conftest import Configured

from bot.errors import CorpusError, SettingsError
from bot.evaluation import (
    Outcome,
    Question,
    ask_all,
    auroc,
    evaluate,
    failures,
    figures,
    is_right,
    read_folder,
    read_questions,
)
from bot.types import Answer, Evidence, Hit, Passage, Span


def outcome(
    rank: int,
    *,
    refused: bool = False,
    answerable: bool = True,
    confidence: float = 0.9,
    share: float = 0.25,
    short: str = "",
    kind: str = "fact",
) -> Outcome:
    question = Question("q", "?", "zh", kind, ("证据",) if answerable else (), ("a",) if answerable else ())
    proven = rank == 1 and not refused
    right = proven if answerable else refused
    marked = None if refused else share
    return Outcome(question, rank, rank, refused, confidence, proven, marked, 10.0, short, right, "")


def test_figures_worked_out_by_hand():
    outcomes = [outcome(1), outcome(2), outcome(0, refused=True, confidence=0.2), outcome(4)]
    outcomes += [
        outcome(0, answerable=False, refused=True, confidence=0.1),
        outcome(0, answerable=False, confidence=0.6),
    ]
    found = figures(outcomes)
    assert (found["n"], found["right"]) == (6, 0.3333)  # the first, and the refusal without an answer
    assert (found["hit@1"], found["hit@3"], found["hit@5"], found["hit@10"]) == (0.25, 0.5, 0.75, 0.75)
    assert found["mrr@10"] == pytest.approx((1 + 0.5 + 0.25) / 4, abs=1e-4)
    assert (found["article_hit@1"], found["article_hit@5"]) == (0.25, 0.75)
    assert (found["evidence@1"], found["marked_share"]) == (0.25, 0.25)
    assert (found["false_refusal"], found["false_answer"]) == (0.25, 0.5)
    assert found["auroc"] == pytest.approx((2 * 3 + 1) / 8, abs=1e-4)  # 0.2 beats 0.1 only
    assert found["p50_ms"] == 10.0


def test_short_answers_are_measured_where_the_first_passage_is_relevant():
    outcomes = [
        outcome(1, short="《证据》。"),
        outcome(1, short="证据一二"),  # a run of 2 in 4 and in 2: 2 * 2 / 6
        outcome(2, short="证据"),
        outcome(1),
        outcome(1, short="证据", kind="why"),
        outcome(0, answerable=False, short="证据"),
    ]
    found = figures(outcomes)
    assert found["short_shown"] == 0.75  # three of the four facts that are answerable
    assert (found["short_exact"], found["short_f1"]) == (0.6667, pytest.approx((1 + 2 / 3 + 1) / 3, abs=1e-4))
    assert figures([outcome(1, short="证据", kind="why"), outcome(1, kind="")])["short_shown"] == 0.5  # no facts


def test_a_figure_of_short_answers_without_questions_is_none():
    names = ("short_shown", "short_exact", "short_f1")
    assert [figures([outcome(0, answerable=False, short="证据")])[name] for name in names] == [None, None, None]
    assert [figures([outcome(1), outcome(2, short="证据")])[name] for name in names] == [0.5, None, None]


class ShortBot(Configured):
    """A bot whose answers have the short words that are known for their question."""

    def __init__(self, bot, short: dict[str, str]):
        super().__init__(bot)
        self._short = short

    def ask(self, question, history=()):
        return replace(self._bot.ask(question, history), short=self._short.get(question, ""))


def test_short_answers_over_the_small_corpus_are_folded_and_compared_with_the_best_reference(bot):
    asked = {
        "赵州桥由谁设计?": ("李春", ("工匠李春", "李春")),
        "趙州橋大拱兩端各有幾個小拱?": ("两個小拱，", ("两个小拱",)),
        "龙井茶产于哪里?": ("浙江杭州", ("浙江杭州西湖",)),
        "西安地铁二号线何时开通?": ("", ("2011年9月16日",)),
    }
    questions = [Question(text, text, "zh", "fact", evidence, ()) for text, (_, evidence) in asked.items()]
    found = evaluate(ShortBot(bot, {text: short for text, (short, _) in asked.items()}), questions)["zh"]
    assert found["hit@1"] == 1
    assert (found["short_shown"], found["short_exact"]) == (0.75, 0.6667)
    assert found["short_f1"] == pytest.approx((1 + 1 + 2 * 4 / 10) / 3, abs=1e-4)
    assert failures({"all": found}, "short_shown=0.7,short_exact=0.7") == ["short_exact = 0.6667, at least 0.7 wanted"]


def test_auroc_counts_ties_half_and_needs_both_classes():
    assert auroc([0.5], [0.5]) == 0.5
    assert auroc([], [0.5]) is None


def test_a_whole_evaluation_over_the_small_corpus(bot, tmp_path):
    rows = [
        {
            "id": "1",
            "question": "赵州桥由谁设计?",
            "lang": "zh",
            "kind": "fact",
            "evidence_any": ["工匠李春"],
            "article": "bridge",
        },
        {
            "id": "2",
            "question": "趙州橋大拱兩端各有幾個小拱?",
            "lang": "zh",
            "kind": "fact",
            "evidence_any": ["两个小拱"],
            "article": ["bridge"],
        },
        {
            "id": "3",
            "question": "龙井茶产于哪里?",
            "lang": "zh",
            "kind": "fact",
            "evidence_any": ["西湖"],
            "article": "city",
        },
        {"id": "4", "question": "how to cook pasta", "lang": "en", "kind": "unanswerable", "evidence_any": []},
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    result = evaluate(bot, read_questions(tmp_path))
    assert list(result) == ["all", "zh", "en"]
    assert result["zh"]["hit@1"] == pytest.approx(2 / 3, abs=1e-3)  # the third names another article
    assert result["zh"]["evidence@1"] == pytest.approx(2 / 3, abs=1e-3)
    assert result["zh"]["right"] == 1  # it asks what is said, not from which article
    assert (result["en"]["hit@1"], result["en"]["right"]) == (None, 1)
    assert result["en"]["false_answer"] == 0
    assert failures(result, "zh.hit@1=0.6,false_answer=0.1") == []
    assert len(failures(result, "zh.hit@1=0.7,zh.marked_share=0.01,auroc=0.5")) == 2
    with pytest.raises(SettingsError, match="mrr@10"):
        failures(result, "hits=1")


def answer(text: str, *, marked: str = "", refused: bool = False) -> Answer:
    passage = Passage("p", "a", "", "", f"前文{marked}后文", 0, 4 + len(marked))
    evidence = (Evidence(Hit(passage, 1.0), (Span(2, 2 + len(marked)),), 1),) if marked else ()
    return Answer("?", text, refused, 0.9, evidence, "passages", {}, "gen-000001")


def test_an_answer_is_right_if_its_text_or_the_first_marks_have_an_expected_text():
    asked = Question("q", "?", "zh", "fact", ("1,200 元", "第14位"), ())
    assert is_right(asked, answer("收费 1200元。"))
    assert is_right(asked, answer("见下。", marked="位居第 １４ 位"))
    assert not is_right(asked, answer("见下。", marked="位居第 4 位"))
    assert not is_right(asked, answer("前文", marked="后"))  # 前文 and 后文 are not marked
    assert not is_right(asked, answer("1200元", refused=True))
    unanswerable = replace(asked, evidence=())
    assert is_right(unanswerable, answer("", refused=True))
    assert not is_right(unanswerable, answer("1200元"))


class SearchedBot(Configured):
    """A bot that remembers what it was to find passages for."""

    def __init__(self, bot):
        super().__init__(bot)
        self.questions: list[str] = []

    def search(self, question, k):
        self.questions.append(question)
        return self._bot.search(question, k)


def test_the_last_turn_of_a_dialogue_counts_and_leans_on_the_turns_before_it(bot, tmp_path):
    rows = [
        {"turns": ["赵州桥由谁设计?", "什么时候?"], "right": "公元605年"},
        {"turns": ["赵州桥由谁设计?", "红烧肉怎么做?"], "right": "(refuse)"},
        {"turns": ["赵州桥由谁设计?"], "right": ["李春", "鲁班"]},
        {"turns": ["how to cook pasta"], "right": None},
        {"turns": ["赵州桥由谁设计?"], "right": ""},
    ]
    (tmp_path / "dialogues.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    asked = read_folder(tmp_path)
    assert (asked[0].text, asked[0].before) == ("什么时候?", ("赵州桥由谁设计?",))
    assert [(q.id, q.lang, bool(q.evidence)) for q in asked[2:]] == [
        ("3", "zh", True),
        ("4", "en", False),
        ("5", "zh", False),
    ]
    searched = SearchedBot(bot)
    assert [o.right for o in ask_all(searched, asked)] == [True, True, True, True, False]
    assert searched.questions[0] == "赵州桥由谁设计,什么时候?"  # hits are of the question as it is understood


def test_the_dialogues_of_a_folder_follow_its_questions(tmp_path):
    row = {"id": "a", "question": "龙井茶产于哪里?", "lang": "zh", "evidence_any": "西湖", "article": "tea"}
    (tmp_path / "questions.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (tmp_path / "dialogues.jsonl").write_text('{"turns": ["在吗", "谁设计的"], "right": null}', encoding="utf-8")
    assert [q.text for q in read_folder(tmp_path)] == ["龙井茶产于哪里?", "谁设计的"]
    assert [(q.text, q.evidence, q.articles) for q in read_questions(tmp_path)] == [
        ("龙井茶产于哪里?", ("西湖",), ("tea",))
    ]


GOOD = '{"id": "1", "question": "谁?", "lang": "zh", "evidence_any": []}'.encode()
BAD = [
    b"{",
    b'{"id": "1"}',
    b"[]",
    b"3",
    GOOD.replace("谁".encode(), b""),  # nothing is asked
    GOOD.replace("谁".encode(), "谁".encode("gbk")),
    GOOD.replace(b"[]", b"[1]"),
]


@pytest.mark.parametrize("line", BAD)
def test_a_line_that_is_no_question_is_named_and_skipped(tmp_path, caplog, line):
    (tmp_path / "questions.jsonl").write_bytes(b"\n".join([GOOD, b"", line, GOOD]))
    assert [q.text for q in read_questions(tmp_path)] == ["谁?", "谁?"]
    assert [record.message.split(" ")[0] for record in caplog.records] == [f"{tmp_path}/questions.jsonl:3"]


@pytest.mark.parametrize("line", ["[]", '{"turns": []}', '{"turns": [], "right": ""}', '{"turns": ["谁?"]}'])
def test_a_line_that_is_no_dialogue_is_named_and_skipped(tmp_path, caplog, line):
    good = '{"turns": ["谁?"], "right": null}'
    (tmp_path / "dialogues.jsonl").write_text(f"{line}\n{good}", encoding="utf-8")
    assert [q.text for q in read_folder(tmp_path)] == ["谁?"]
    assert "dialogues.jsonl:1 " in caplog.text


@pytest.mark.parametrize("text", ["", "\n", "{\n[]\n"])
def test_a_file_without_a_question_is_an_error(tmp_path, text):
    (tmp_path / "questions.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"questions\.jsonl / no line"):
        read_questions(tmp_path)


def test_a_folder_without_questions_is_named(tmp_path):
    for read in (read_questions, read_folder):
        with pytest.raises(CorpusError, match=r"questions\.jsonl / there is no such file"):
            read(tmp_path)
