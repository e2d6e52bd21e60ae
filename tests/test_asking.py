"""bot.text.asking: what of a question no answer repeats, and the ways to write a number of a part."""

from __future__ import annotations

import pytest

from bot.text.asking import cut_ordinals, without_asking
from bot.text.numbers import numbers
from bot.text.numerals import chinese


def test_what_only_asks_is_no_term():
    assert without_asking("肉桂多少钱?").split() == ["肉桂", "?"]
    assert without_asking("保质期多长时间").split() == ["保质期"]
    assert without_asking("商店几点关门").split() == ["商店", "关门"]
    assert without_asking("倾斜多少度数") == "倾斜多少度数"  # 度数 is a word of its own
    assert without_asking("这篇文章主要内容是什么").split() == ["这篇文章", "是什么"]


@pytest.mark.parametrize("written", ["第三十二条", "第32条"])
def test_a_numbered_part_is_found_however_its_number_is_written(written):
    found, left = cut_ordinals(f"{written}说了什么")
    assert left.split() == ["说了什么"]
    assert {"第三十二条", "第32条", "32.", "(三十二)"} <= set(found[written])
    assert "三、" not in cut_ordinals("第三回写了谁")[0]["第三回"]


def test_numerals_are_read_back_as_the_number_they_were_made_of():
    for value in (*range(1, 130), 999, 1000, 1010, 1200, 3050, 9999):
        assert next(numbers(chinese(value)))[0] == value
