"""bot.text.names: what English calls a thing and what Chinese does."""

from __future__ import annotations

import pytest

from bot.answer.query import understand
from bot.text.names import TABLE, chinese_names


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("boe", "京东方"), ("cambricon", "寒武纪"), ("iflytek", "科大讯飞"), ("tsinghua university", "清华大学"),
        ("turkey", "土耳其"), ("euro", "欧元"), ("united states", "美国"), ("max planck", "马克斯·普朗克"),
    ],
)  # fmt: skip
def test_a_name_is_known_in_both_languages(english, chinese):
    assert chinese in chinese_names(english)


@pytest.mark.parametrize(
    ("question", "source", "name"),
    [
        ("How much did the BOE project cost?", "boe", "京东方"),
        ("Where is Tsinghua University?", "tsinghua university", "清华大学"),
        ("What is the capital of the United States?", "united states", "美国"),
        ("BOE的项目花了多少钱？", "boe", "京东方"),
    ],
)
def test_a_question_in_either_language_finds_it(question, source, name):
    (term,) = [term for term in understand(question, {}).terms if term.source == source]
    assert term.alternatives[name] == 1.0


def test_the_table_is_small_and_sorted():
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 10_000
    assert lines == sorted(lines)
    assert TABLE.stat().st_size < 3_000_000
    assert chinese_names("no such name") == ()
