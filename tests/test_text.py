"""bot.text.fold: folding, sentences, terms."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.text.fold import fold
from bot.text.sentences import sentences
from bot.text.terms import bigrams, content_bigrams, content_words, rarity, words

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ＡＩ２０２６？", "ai2026?"),
        ("數據庫", "数据库"),
        ("中\u200b国", "中国"),
        ("Héféi", "hefei"),
        ("⼀", "一"),
        ("ﷺ", "صلى الله عليه وسلم"),
        ("a\x00b", "ab"),
    ],
)
def test_fold(text, folded):
    assert fold(text) == folded


@given(ANY_TEXT)
def test_folding_goes_character_by_character(text):
    assert fold(text) == "".join(map(fold, text))


@given(ANY_TEXT, ANY_TEXT)
def test_a_character_folds_alike_whatever_stands_beside_it(left, right):
    assert fold(left + right) == fold(left) + fold(right)


def test_sentences_end_at_marks_with_their_quotes_and_at_line_breaks():
    text = "他说:“好。”然后走了!真的?\n版本1.5发布 U.S. ok. 完"
    assert [text[a:b] for a, b in sentences(text)] == [
        "他说:“好。”",
        "然后走了!",
        "真的?",
        "版本1.5发布 U.S.",
        "ok.",
        "完",
    ]


@given(ANY_TEXT)
def test_sentences_lose_nothing_but_white_space(text):
    spans = list(sentences(text))
    assert all(a < b for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())


def test_identifiers_are_kept_whole_and_split():
    assert words(fold("PPR-9087")) == ["ppr-9087", "ppr", "9087"]
    assert words("c++ 92.93 5g") == ["c++", "92.93", "5g", "5", "g"]


def test_search_words_hold_the_phrase_and_its_parts():
    assert {"上海交通大学", "上海", "交通", "大学"} <= set(words("上海交通大学"))


def test_a_run_of_single_characters_is_cut_in_linear_time():
    # jieba alone needs 23 s for this run; the bound is far from what any machine needs for the cut one.
    began = time.perf_counter()
    assert len(words("的" * 100_000)) >= 100_000
    assert time.perf_counter() - began < 12


def test_bigrams_join_a_number_with_its_measure_word():
    assert bigrams("7月20日,合肥市") == ["合肥", "肥市", "7月", "20日"]


def test_question_words_carry_no_meaning_but_content_words_stay():
    assert content_words("合肥为什么能成功") == ["合肥", "成功"]
    assert content_words("why did hefei succeed") == ["hefei", "succeed"]
    for word in ("安全", "决定", "战斗", "规定", "重要", "转变"):
        assert content_words(word) == [word]
    assert "么能" not in content_bigrams("合肥为什么能成功")


def test_a_rare_word_counts_more_than_a_common_one():
    assert 0 < rarity("的") < rarity("城市") < rarity("寒武纪") <= 1
