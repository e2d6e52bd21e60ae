"""bot.text.dates: when a document is from, by its name and its first lines, and never by what it tells of."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.text.dates import checked_date, date_in_head, date_in_name, day_number, last_day_number


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("会议纪要-2023-07-28", "2023-07-28"),
        ("纪要20230728终稿", "2023-07-28"),
        ("2023年7月28日通知", "2023-07-28"),
        ("二〇二三年十二月三十一日通知", "2023-12-31"),
        ("月报2023-07", "2023-07"),
        ("2023年7月月报", "2023-07"),
        ("年报2023", "2023"),
        ("2023.7.8 纪要", "2023-07-08"),
        ("型号20231399", ""),  # no such day
        ("电话13720230728", ""),
        ("第12345678号", ""),
        ("无日期", ""),
    ],
)
def test_the_date_in_a_name(name, expected):
    assert date_in_name(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("关于放假的通知\n\n发布时间：2023-07-28 10:00\n\n各部门：", "2023-07-28"),
        ("[2023-07-28 09:12] 新华社北京电 记者报道，1949年10月1日的事。", "2023-07-28"),
        ("中华人民共和国劳动法\n（1994年7月5日第八届全国人民代表大会常务委员会通过）\n第一章", "1994-07-05"),
        ("会议纪要\n二〇二三年七月二十八日\n一、", "2023-07-28"),
        ("赵州桥\n\n赵州桥建成于公元605年，2001年5月20日列为保护单位。", ""),  # what it tells of
        ("新中国\n\n1949年10月1日中华人民共和国中央人民政府成立", ""),
        ("", ""),
    ],
)
def test_the_date_in_the_first_lines(text, expected):
    assert date_in_head(text) == expected


@given(st.dates(min_value=date(1950, 1, 1), max_value=date(2049, 12, 31)))
def test_every_date_is_read_back_and_sorts_as_it_should(day):
    for written in (
        day.isoformat(),
        f"{day:%Y%m%d}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year}/{day.month}/{day.day}",
    ):
        assert checked_date(written) == day.isoformat()
    number = day_number(day.isoformat())
    assert number == int(f"{day:%Y%m%d}")
    assert day_number(f"{day:%Y}") <= day_number(f"{day:%Y-%m}") < number
    assert number <= last_day_number(f"{day:%Y-%m}") <= last_day_number(f"{day:%Y}")
