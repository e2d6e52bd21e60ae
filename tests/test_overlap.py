"""bot.text.overlap: answers compared as in CMRC 2018, worked out by hand."""

from __future__ import annotations

import pytest

from bot.text.fold import fold
from bot.text.overlap import exact_match, longest_run_f1


@pytest.mark.parametrize(
    ("answer", "reference", "exact"),
    [
        ("《紅樓夢》", "红楼梦", True),
        ("Apple Inc.", "ＡＰＰＬＥ  inc", True),
        ("1,000米", "1000米", True),
        ("公元605年。", "605年", False),
        ("3.5", "35", False),
        ("73%", "73", False),
    ],
)
def test_punctuation_and_spaces_make_no_other_answer_but_signs_of_numbers_do(answer, reference, exact):
    assert exact_match(fold(answer), ["别的", fold(reference)]) is exact


@pytest.mark.parametrize(
    ("answer", "reference", "run", "lengths"),
    [
        ("浙江杭州", "浙江杭州西湖", 4, 4 + 6),
        ("浙江省杭州", "浙江杭州西湖", 2, 5 + 6),  # the run is broken: 浙江 or 杭州, not both
        ("杭州西湖", "西湖杭州", 2, 4 + 4),  # the order counts
        ("the new york times", "new york", 2, 4 + 2),  # words, not letters
        ("得分 73.28", "73.28", 1, 3 + 1),  # a number is one unit
        ("于《2011年》，", "2011年", 2, 3 + 2),  # punctuation is none
        ("龙井", "605年", 0, 1),
        ("——", "龙井", 0, 1),
    ],
)
def test_f1_is_that_of_the_longest_common_run(answer, reference, run, lengths):
    assert longest_run_f1(answer, [reference]) == pytest.approx(2 * run / lengths)


def test_the_best_reference_counts():
    assert longest_run_f1("李春", ["隋代工匠李春", "李春", "别的"]) == 1
    assert exact_match("李春", ["隋代工匠李春"]) is False
