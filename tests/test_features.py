"""bot.answer.features and bot.answer_type: what a question asks for, and what a passage holds of it."""

from __future__ import annotations

import numpy as np
import pytest

from bot.answer import features
from bot.answer.features import coverage
from bot.answer.query import understand
from bot.text.answer_type import AnswerType, is_question
from bot.types import Passage

TEXT = "沼鹿又名泽鹿,住在印度。它受到骚扰时会尖叫。沼鹿的寿命可达23岁。"


def sentence_features(question: str, text: str = TEXT) -> list[dict[str, float]]:
    passage = Passage("p", "a", "沼鹿", "", text, 0, len(text))
    (read,) = features.passage_features(features.QueryFeatures.from_query(understand(question, {})), [passage])
    return [dict(zip(features.SENTENCE_FEATURES, row, strict=True)) for row in read.sentence_features]


def score(question: str, text: str, lexical: float = 10.0) -> float:
    passage = Passage("p", "a", "", "", text, 0, len(text))
    (read,) = features.passage_features(features.QueryFeatures.from_query(understand(question, {})), [passage])
    return features.passage_score(features.with_legs(read, lexical, 10.0, 0.5))


@pytest.mark.parametrize("question", ["沼鹿的寿命是多少岁?", "谁骚扰沼鹿", "的", "how long does a deer live"])
def test_passages_read_together_are_read_as_each_alone(question):
    query = understand(question, {})
    texts = (TEXT, "它活到23岁吗?沼鹿活到23岁。\n又一段。", "…", "沼鹿", "没有任何关系的一段话。寿命。")
    passages = [Passage(text, "a", "沼鹿", "寿命", text, i, len(text)) for i, text in enumerate(texts)]
    together = features.passage_features(features.QueryFeatures.from_query(query), passages)
    for passage, one in zip(passages, together, strict=True):
        (alone,) = features.passage_features(features.QueryFeatures.from_query(query), [passage])
        assert (one.spans, one.folded) == (alone.spans, alone.folded)
        assert np.allclose(one.sentence_features, alone.sentence_features)
        assert np.allclose(one.passage_features, alone.passage_features)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("合肥为什么能成功", "cause"),
        ("why did Hefei succeed", "cause"),
        ("有多少件专利", "number"),
        ("哪一年成立", "date"),
        ("创始人是谁", "person"),
        ("学校在哪里", "place"),
        ("有哪些企业", "list"),
        ("沼鹿又叫什么", "name"),
        ("什么是人工智能", "definition"),
        ("排在第几位", "rank"),
    ],
)
def test_what_a_question_asks_for(question, name):
    assert name in AnswerType.from_query(understand(question, {})).names


def test_the_noun_after_the_question_word_only_stands_for_the_answer():
    asked = AnswerType.from_query(understand("索莫尼由什么机构发行", {}))
    assert asked.stands_in("机构")
    assert not asked.stands_in("发行")


def test_a_number_counts_in_its_measure_and_only_when_it_is_new():
    asked = AnswerType.from_query(understand("2008年有多少件", {}))
    assert asked.measured("共2.5万件")
    assert not asked.measured("共2.5万人")
    assert asked.held(["2008", "共30"], "2008年有多少件") == {"number": [False, True]}
    assert is_question("王牌是什么?”")


def test_a_word_in_every_sentence_tells_none_apart():
    first, _, last = sentence_features("沼鹿的寿命")
    assert last["local"] > 0.9 > 0.5 > first["local"]
    assert last["overlap"] > first["overlap"] > 0


def test_terms_of_the_sentence_before_and_of_the_title_are_told_from_its_own():
    _, second, _ = sentence_features("印度 尖叫")
    assert second["before"] > 0
    assert second["overlap"] > 0
    assert sentence_features("沼鹿 尖叫")[1]["topic"] == 0.0  # the sentence before holds 沼鹿 already


def test_the_passage_that_holds_all_in_one_sentence_is_worth_more():
    question = "秋山幸二曾效力于什么队"
    assert score(question, "秋山幸二曾效力于西武狮队。他已退休。") > score(
        question, "秋山幸二已退休。球队效力很强,曾夺冠。"
    )


def test_more_points_of_a_leg_are_worth_more():
    assert score("合肥的成功", "合肥成功了。", lexical=10.0) > score("合肥的成功", "合肥成功了。", lexical=5.0)


def test_coverage_weighs_by_rarity_and_reads_latin_as_words():
    query = understand("寒武纪的城市", {})
    assert coverage(query, "寒武纪在这里") > coverage(query, "城市在这里") > 0
    assert coverage(understand("AI的", {}), "they said so") == 0
    assert coverage(understand("AI的", {}), "它是ai公司") == 1
    assert coverage(understand("的", {}), "的") == 0  # a question of function words asks for nothing
