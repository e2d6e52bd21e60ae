"""bot.answer.constraints: the answer about another one is no answer."""

from __future__ import annotations

import pytest
from conftest import write_articles

from bot.answer.constraints import replaced, supported_first
from bot.answer.query import understand
from bot.channels.message import PLAIN, render
from bot.pipeline import REFUSAL, Bot
from bot.settings import load_settings
from bot.types import Passage


def passage(text: str, title: str = "", file: str = "a.txt") -> Passage:
    return Passage("p", file, title, "", text, 0, len(text))


def lacking(question: str, text: str, title: str = "", *, keyed: bool = False) -> dict[str, list[str]]:
    return replaced(understand(question, {}), passage(text, title), keyed=keyed)


@pytest.mark.parametrize(
    ("question", "text", "word", "other"),
    [
        ("丙厂值班电话是多少？", "乙厂值班电话是6220。", "丙厂", "乙厂"),
        ("2021年的午餐补贴是多少？", "2022年午餐补贴为15元。", "2021年", "2022年"),
        ("五月份降雨量是多少？", "三月份降雨量为一百二十毫米。", "五月", "三月"),
        ("KX-3300的功率是多少？", "KX-3200 型风机，功率 2.2 千瓦。", "kx-3300", "kx-3200"),
        ("领航 X5 的质保几年？", "领航 X3 的质保六年。", "x5", "x3"),
        ("广州服务中心的电话是多少？", "北京服务中心的电话是 010。", "广州", "北京"),
        ("泰顺县水利局局长是谁？", "青田县水利局局长由周学文担任。", "泰顺县", "青田县"),
    ],
)
def test_another_of_the_kind_stands_in_its_place(question, text, word, other):
    assert other in lacking(question, text)[word]


@pytest.mark.parametrize(
    ("question", "text", "title"),
    [
        ("乙厂值班电话是多少？", "乙厂值班电话是6220。", ""),
        ("2022年的午餐补贴是多少？", "午餐补贴为15元。", "2022年补贴办法"),
        ("二〇二二年的午餐补贴是多少？", "2022年午餐补贴为15元。", ""),
        ("三月降雨量是多少？", "3月降雨量为一百二十毫米。", ""),
        ("kx3200的功率是多少？", "KX-3200 型风机，功率 2.2 千瓦。", ""),
        ("领航 X1 和 X3 哪个质保长？", "领航 X1 的质保八年。", ""),  # compared, not replaced
        ("这座桥的设计者是谁？", "设计者是李春。", "赵州桥"),
        ("一共发生了多少起爆炸？", "八起爆炸发生在当地。", ""),
        ("保质期多久？", "保质期：18个月", ""),
        ("青岛排名第几？", "青岛，当前排在第14位。", ""),  # asks for a number, not for a part
    ],
)
def test_what_is_there_or_was_not_named_is_not_lacking(question, text, title):
    assert lacking(question, text, title) == {}


def test_a_field_must_be_of_what_was_asked_for():
    assert "碧螺春" in lacking("碧螺春的冲泡水温是多少？", "冲泡水温：90度", "云雾白茶", keyed=True)
    assert lacking("云雾白茶的冲泡水温是多少？", "冲泡水温：90度", "云雾白茶", keyed=True) == {}


def test_a_numbered_part_must_be_of_what_was_asked_for():
    texts = [passage("第三步 拨打120并取来除颤仪", "心肺复苏步骤"), passage("3. 选择发票类型", "自助开票流程")]
    assert supported_first(understand("自助开票第三步是什么？", {}), texts) == [1, 0]


def test_the_latest_version_is_first_where_it_is_asked_for():
    texts = [passage("车补为每月260元。", f"{year}年员工补贴办法") for year in (2022, 2024, 2023)]
    assert supported_first(understand("最新的车补标准是多少？", {}), texts) == [1, 2, 0]
    assert supported_first(understand("车补标准是多少？", {}), texts) == [0, 1, 2]


FACTORIES = {
    "a.txt": "甲厂安全须知\n\n进入车间须佩戴安全帽。\n甲厂值班电话是6110。\n",
    "b.txt": "乙厂安全须知\n\n进入车间须佩戴安全帽。\n乙厂值班电话是6220。\n",
}


@pytest.fixture(scope="module")
def factories(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("factories")
    return Bot(load_settings(corpus=write_articles(folder / "c", FACTORIES), index=folder / "i"), embedder)


def test_a_refusal_says_what_there_is_instead_and_what_is_near(factories):
    assert "6220" in factories.ask("乙厂值班电话是多少？").text
    answer = factories.ask("丙厂值班电话是多少？")
    assert answer.refused
    assert answer.text.startswith(REFUSAL["zh"])
    assert "没有“丙厂”" in answer.text
    assert "“甲厂”" in answer.text
    assert "“乙厂”" in answer.text
    assert answer.evidence == ()
    assert {hit.passage.document for hit in answer.nearest} == set(FACTORIES)
    assert [near["passage"]["title"] for near in answer.to_dict()["nearest"]]
    shown = render(answer, PLAIN, "https://wenqu.example")
    assert "最接近的段落" in shown
    assert "https://wenqu.example/source/" in shown


def test_an_answer_has_nothing_nearest(factories):
    assert factories.ask("甲厂值班电话是多少？").nearest == ()
