"""Tables as plain text: encodings, delimiters, quotes, and rows of different lengths."""

from __future__ import annotations

import time

import pytest

from bot.corpus.blocks import Parsed
from bot.corpus.readers.sheets import separated


def lines(parsed: Parsed) -> list[str]:
    return [parsed.text[block.start : block.end] for block in parsed.blocks]


def test_every_row_knows_its_columns_in_every_encoding_and_delimiter() -> None:
    table = "序号,品名,单价\n1,龙井茶,35.5\n2,碧螺春茶叶,28\n"
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        assert lines(separated.read(table.encode(encoding))) == [
            "序号: 1; 品名: 龙井茶; 单价: 35.5",
            "序号: 2; 品名: 碧螺春茶叶; 单价: 28",
        ]
    for mark in "\t;|":
        assert lines(separated.read(table.replace(",", mark).encode()))[0] == "序号: 1; 品名: 龙井茶; 单价: 35.5"
    assert len(lines(separated.read(b"sep=;\n" + table.replace(",", ";").encode()))) == 2


def test_quotes_hold_delimiters_and_line_breaks() -> None:
    text = '姓名,地址,说明\n张三,"甲路1号,乙栋","第一行\n第二行 ""引号"""\n李四,丙路\n王五,丁路,无,多一格\n'
    assert lines(separated.read(text.encode())) == [
        '姓名: 张三; 地址: 甲路1号,乙栋; 说明: 第一行 第二行 "引号"',
        "姓名: 李四; 地址: 丙路",
        "姓名: 王五; 地址: 丁路; 说明: 无; 多一格",
    ]


def test_titles_and_several_tables_are_as_on_a_sheet() -> None:
    text = "销售月报,,\n品名,单价,数量\n茶,3,5\n\n姓名,电话\n张三,8001\n"
    parsed = separated.read(text.encode())
    assert lines(parsed) == ["销售月报", "品名: 茶; 单价: 3; 数量: 5", "姓名: 张三; 电话: 8001"]
    assert [block.table for block in parsed.blocks] == [0, 1, 2]


def test_text_without_a_delimiter_is_paragraphs() -> None:
    parsed = separated.read("第一句话没有逗号。\n第二句话，有一个。\n".encode())
    assert [block.kind for block in parsed.blocks] == ["paragraph", "paragraph"]


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows() -> None:
    text = '品名,说明\n"茶,好喝\n' + "".join(f"品{row},说明{row}\n" for row in range(30_000))
    parsed = separated.read(text.encode())
    assert "品名: 品29999; 说明: 说明29999" in lines(parsed)


@pytest.mark.parametrize("piece", ['"', '""', '",', "a,", "\t;|,", "\n\n", '"\n'])
def test_the_time_does_not_explode(piece: str) -> None:
    start = time.process_time()
    try:
        separated.parse(("品名,单价\n茶,3\n" + piece * 200_000).encode())
    except separated.ReadError as error:
        assert error.code == "E-SIZE"
    assert time.process_time() - start < 10
