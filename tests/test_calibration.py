"""bot.calibration: the confidence fitted to questions with and without an answer."""

from __future__ import annotations

import random

import pytest

from bot.answer import refusal
from bot.calibration import fit, recalibrate
from bot.errors import CorpusError
from bot.evaluation import Question
from bot.pipeline import Bot

SHIPPED = refusal.shipped_weights()["zh"]


def observations(count: int) -> list[tuple[dict[str, float], bool]]:
    rng = random.Random(0)
    made = []
    for i in range(count):
        answerable = i % 2 == 0
        strength = rng.gauss(0.8 if answerable else 0.3, 0.15)
        made.append(({name: strength for name in refusal.SIGNALS}, answerable))
    return made


def test_a_fit_tells_the_two_kinds_apart_on_questions_that_it_has_not_seen():
    fitted = fit(observations(200))
    assert fitted.auroc > 0.95
    assert fitted.false_refusal < 0.15
    assert fitted.false_answer < 0.15
    assert (fitted.answerable, fitted.unanswerable) == (100, 100)


def test_the_figures_are_of_the_threshold_that_the_bot_refuses_at():
    low, high = (fit(observations(200), threshold=threshold) for threshold in (0.02, 0.98))
    assert low.false_refusal < high.false_refusal
    assert low.false_answer > high.false_answer


def test_few_questions_move_the_weights_little():
    def moved(count: int) -> float:
        fitted = fit(observations(count), SHIPPED).weights
        return sum((fitted[name] - SHIPPED[name]) ** 2 for name in fitted)

    assert 0 < moved(24) < moved(2000)


def test_too_few_questions_name_the_cure():
    with pytest.raises(CorpusError, match="evidence_any"):
        fit(observations(12))


def test_a_refit_is_used_by_the_next_question(settings, embedder):
    bot = Bot(settings, embedder)
    bot.refresh()

    def question(text: str, evidence: str) -> Question:
        return Question(text, text, "zh", "fact", (evidence,) if evidence else (), ())

    before = bot.ask("合肥为什么能成功?").confidence
    answerable = [question(f"合肥为什么能成功{mark}", "创投") for mark in "?。!,;、?.…:·-"]
    dishes = ["红烧肉", "鱼香茄子", "土豆丝", "蛋炒饭", "白切鸡", "饺子", "面条", "包子", "火锅", "烤鸭", "豆腐"]
    others = [question(f"{dish}怎么做", "") for dish in dishes]
    fits = recalibrate(bot, answerable + others)
    assert list(fits) == ["zh"]
    assert bot.ask("合肥为什么能成功?").confidence != before
    assert bot.ask("红烧肉怎么做").refused
