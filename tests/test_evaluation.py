"""bot.evaluation: figures worked out by hand, and the gate."""

from __future__ import annotations

import json

import pytest

from bot.errors import CorpusError, SettingsError
from bot.evaluation import Outcome, Question, auroc, evaluate, failures, figures, read_questions


def outcome(
    rank: int, *, refused: bool = False, answerable: bool = True, confidence: float = 0.9, share=0.25
) -> Outcome:
    question = Question("q", "?", "zh", "fact", ("证据",) if answerable else (), ("a",) if answerable else ())
    return Outcome(
        question, rank, rank, refused, confidence, rank == 1 and not refused, None if refused else share, 10.0
    )


def test_figures_worked_out_by_hand():
    outcomes = [outcome(1), outcome(2), outcome(0, refused=True, confidence=0.2), outcome(4)]
    outcomes += [
        outcome(0, answerable=False, refused=True, confidence=0.1),
        outcome(0, answerable=False, confidence=0.6),
    ]
    found = figures(outcomes)
    assert found["n"] == 6
    assert (found["hit@1"], found["hit@3"], found["hit@5"], found["hit@10"]) == (0.25, 0.5, 0.75, 0.75)
    assert found["mrr@10"] == pytest.approx((1 + 0.5 + 0.25) / 4, abs=1e-4)
    assert (found["article_hit@1"], found["article_hit@5"]) == (0.25, 0.75)
    assert (found["evidence@1"], found["marked_share"]) == (0.25, 0.25)
    assert (found["false_refusal"], found["false_answer"]) == (0.25, 0.5)
    assert found["auroc"] == pytest.approx((2 * 3 + 1) / 8, abs=1e-4)  # 0.2 beats 0.1 only
    assert found["p50_ms"] == 10.0


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
    assert result["en"]["hit@1"] is None
    assert result["en"]["false_answer"] == 0
    assert failures(result, "zh.hit@1=0.6,false_answer=0.1") == []
    assert len(failures(result, "zh.hit@1=0.7,zh.marked_share=0.01,auroc=0.5")) == 2
    with pytest.raises(SettingsError, match="mrr@10"):
        failures(result, "hits=1")


@pytest.mark.parametrize("line", ["{", '{"id": "1"}', "[]", "3"])
def test_a_bad_line_is_named(tmp_path, line):
    (tmp_path / "questions.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"questions\.jsonl:1"):
        read_questions(tmp_path)


def test_a_folder_without_questions_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"questions\.jsonl"):
        read_questions(tmp_path)
