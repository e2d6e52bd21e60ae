"""bot.text.canonical: a number is found however it is written, and no other number is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answer.features import held, holds
from bot.answer.query import understand
from bot.text.canonical import canonical_tokens, cut_numbers
from bot.text.fold import fold
from bot.text.numbers import numeral
from bot.text.numerals import chinese


def supported(question: str, text: str) -> float:
    """How much of the numbers of a question the text holds: the worst of them."""
    return min(held(term.alternatives, fold(text)) for term in understand(question, {}).terms if term.number)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("谁捐了一万二千元？", "李女士捐赠12000元"),
        ("谁捐了15000元？", "捐赠1.5万元"),
        ("谁捐了15,000元？", "捐赠一万五"),
        ("谁捐了20万元？", "商会捐赠二十万元"),
        ("0.3万元是谁的？", "张先生捐赠三千元"),
        ("有108人吗？", "人数一百零八人"),
        ("完成率95%怎么来的？", "完成率百分之九十五"),
        ("百分之九十五点五是什么？", "完成率９５．５％"),
        ("5‰的比例？", "比例为千分之五"),
        ("2019年的收入？", "二〇一九年收入"),
        ("二零一九年的收入？", "2019年收入"),
        ("22年的收入？", "2022年收入"),
        ("2021-03-15的会？", "2021年3月15日开会"),
        ("2021年3月15日的会？", "2021/03/15 开会"),
        ("3月15日的会？", "三月十五日开会"),
        ("三月份的降雨量？", "3月降雨量"),
        ("2亿元投给谁？", "投资二亿元"),
        ("2.5亿投给谁？", "投资25000万元"),
    ],
)
def test_a_number_is_held_however_it_is_written(question, text):
    assert supported(question, text) >= 0.8


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("谁捐了3000元？", "捐赠13000元"),
        ("谁捐了3000元？", "捐赠3000万元"),
        ("谁捐了三千元？", "捐赠三千五百元"),
        ("谁捐了300元？", "捐赠1,300元"),
        ("2019年的收入？", "2018年收入"),
        ("一月的降雨量？", "十一月降雨量"),
        ("1月的降雨量？", "11月降雨量"),
        ("3月1日的会？", "3月15日开会"),
        ("95%是什么？", "完成率95.5%"),
    ],
)
def test_another_number_does_not_hold_it(question, text):
    assert supported(question, text) == 0.0


@pytest.mark.parametrize(
    "text", ["二十四节气", "KX-3300 型", "电话 62002222 转 0531", "万一", "三峡", "九寨沟", "第三十二条"]
)
def test_words_codes_and_telephone_numbers_are_no_numbers(text):
    assert cut_numbers(fold(text)) == ({}, fold(text))


@given(st.integers(11, 999_999_999_999))
def test_digits_and_numerals_have_the_same_token(value):
    assert int(numeral(chinese(value))) == value
    written = canonical_tokens(f"共{chinese(value)}人")
    assert written == [f"={value}"]
    # Plain digits are a word by themselves.
    assert canonical_tokens(f"共{value:,}人") == ([f"={value}"] if value >= 1000 else [])


@given(st.integers(1950, 2049), st.integers(1, 12), st.integers(1, 28))
def test_a_date_is_held_in_all_its_spellings(year, month, day):
    spellings = [
        f"{year}年{month}月{day}日", f"{year}-{month:02}-{day:02}", f"{year}/{month}/{day}",
        "".join("〇一二三四五六七八九"[int(digit)] for digit in str(year)) + f"年{chinese(month)}月{chinese(day)}日",
    ]  # fmt: skip
    for asked in spellings:
        for text in spellings:
            assert supported(f"{asked}发生了什么？", f"会议于{text}举行") >= 0.8, (asked, text)


@given(st.text("0123456789一二三十百千万亿年月日.,%-/ 元a", max_size=30))
def test_what_is_cut_out_is_the_text_again(text):
    found, _ = cut_numbers(text)
    assert all(written in text for written in found)
    for written, ways in found.items():
        assert ways[written] == 1.0


def test_a_number_at_the_edge_of_a_longer_word_is_not_held():
    assert holds("型号a15", "15") is False
    assert holds("共15个", "15") is True
