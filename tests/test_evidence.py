"""bot.answer.evidence and bot.refusal: the sentence that proves it, and the honest no."""

from __future__ import annotations

import pytest

from bot.answer import evidence, refusal
from bot.answer.features import QueryFeatures
from bot.answer.query import understand
from bot.answer.retrieve import query_vector
from bot.types import Hit, Passage

SHIPPED = refusal.shipped_weights()
TEXT = (
    "第一为什么是北京?因为这里的人才和研发优势强大。2016年,一支团队在中关村成立。"
    "创始人陈云霁毕业于中科大。公司拥有专利2.5万件,排在第14位。团队、资金、政策都向它集中。"
)
PASSAGE = Passage("p", "a.txt", "北京", "", TEXT, 0, len(TEXT))


def marked_text(question: str, embedder, passage: Passage = PASSAGE) -> str:
    query = understand(question, {})
    marked = evidence.mark(QueryFeatures.from_query(query), [passage], query_vector(query, embedder), embedder)[0]
    return "|".join(passage.text[span.start : span.end] for span in marked.spans)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("为什么第一是北京?", "因为这里的人才和研发优势强大。"),
        ("公司有多少件专利?", "公司拥有专利2.5万件,排在第14位。"),
        ("公司排在第几位?", "公司拥有专利2.5万件,排在第14位。"),
        ("创始人是谁?", "创始人陈云霁毕业于中科大。"),
        ("团队什么时候成立的?", "2016年,一支团队在中关村成立。"),
        ("who is the founder", "创始人陈云霁毕业于中科大。"),
    ],
)
def test_the_sentence_that_holds_what_is_asked_for(question, sentence, embedder):
    assert marked_text(question, embedder).strip("|") == sentence


def test_a_line_break_is_never_marked(embedder):
    text = "合肥成功的原因是投资。\n因此合肥成功了,原因也在于人才。"
    found = marked_text("合肥成功的原因有哪些", embedder, Passage("p", "a", "", "", text, 0, len(text)))
    assert "\n" not in found
    assert found


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("云岭三中学生食堂劳务服务项目的预算金额", "预算金额：五十万元"),
        ("云岭三中学生食堂劳务服务项目的采购代理单位是哪家", "采购代理单位：青石招标公司"),
    ],
)
def test_the_field_that_is_asked_for_beats_the_one_that_repeats_the_question(question, field, embedder):
    text = "项目名称：云岭三中学生食堂劳务服务项目\n预算金额：五十万元\n采购代理单位：青石招标公司"
    assert marked_text(question, embedder, Passage("p", "a", "", "", text, 0, len(text))) == field


def test_a_list_answers_whole_and_a_numbered_part_by_its_number(embedder):
    text = "申请须提交下列材料：\n一、身份证\n二、照片两张\n第二条 照片须近期。"
    passage = Passage("p", "a", "", "", text, 0, len(text))
    assert marked_text("申请要提交哪些材料", embedder, passage) == "申请须提交下列材料：|一、身份证|二、照片两张"
    text = "第三条 违反第二条的，处罚款，罚款由校长决定。\n第二条 宿舍不得养狗。"
    assert (
        marked_text("第二条是什么", embedder, Passage("p", "a", "", "", text, 0, len(text))) == "第二条 宿舍不得养狗。"
    )


def test_spans_are_sentences_inside_the_passage(embedder):
    for question in ("北京", "专利", "zzz", "什么"):
        query = understand(question, {})
        for span in evidence.mark(QueryFeatures.from_query(query), [PASSAGE], None, embedder)[0].spans:
            assert 0 <= span.start < span.end <= len(TEXT)


def test_confidence_is_a_probability_that_falls_as_support_does(embedder):
    def confidence(question: str) -> float:
        query = understand(question, {})
        vector = query_vector(query, embedder)
        dense = float(embedder.encode_passages([TEXT])[0] @ vector)
        hit = Hit(PASSAGE, 0.5, 1.0, dense, 1, 1)
        return refusal.confidence(
            query, [hit], evidence.mark(QueryFeatures.from_query(query), [PASSAGE], vector, embedder)[0], SHIPPED
        )

    full, part, none = confidence("公司有多少件专利"), confidence("公司在明天的天气"), confidence("红烧肉怎么做")
    assert 1 >= full > part > none >= 0
    assert full > 0.5 > none


def test_no_hit_and_no_content_word_are_no_answer(embedder):
    assert refusal.confidence(understand("合肥", {}), [], None, SHIPPED) == 0.0
    query = understand("的", {})
    marked = evidence.mark(QueryFeatures.from_query(query), [PASSAGE], None, embedder)[0]
    assert refusal.confidence(query, [Hit(PASSAGE, 0.5)], marked, SHIPPED) == 0.0


def test_the_year_that_is_asked_for_counts(embedder):
    def missing(question: str) -> float:
        query = understand(question, {})
        marked = evidence.mark(QueryFeatures.from_query(query), [PASSAGE], None, embedder)[0]
        return refusal.signals(query, Hit(PASSAGE, 0.5), marked)["number_missing"]

    assert missing("2016年谁成立了团队") == 0.0
    assert missing("2023年谁成立了团队") == 1.0


def test_damaged_weights_of_ones_own_cost_the_refit_only(tmp_path):
    assert refusal.load_weights(tmp_path) == (SHIPPED, "")
    refusal.own_weights_file(tmp_path).write_text('{"zh": {"bias": 1}}', encoding="utf-8")
    weights, problem = refusal.load_weights(tmp_path)
    assert weights == SHIPPED
    assert "wenqu calibrate" in problem
