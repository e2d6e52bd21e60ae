"""bot.answer.several: questions that need more than one passage."""

from __future__ import annotations

import pytest
from conftest import write_articles

from bot.answer.several import Parts, parts, verdict
from bot.pipeline import Bot
from bot.settings import load_settings

TITLES = ("城南支行服务时间", "城北支行服务时间", "信用卡挂失说明")


@pytest.mark.parametrize(
    ("question", "questions"),
    [
        ("城南支行和城北支行的预约电话分别是多少？", ("城南支行的预约电话是多少?", "城北支行的预约电话是多少?")),
        ("甲厂、乙厂的值班电话分别是多少", ("甲厂的值班电话是多少?", "乙厂的值班电话是多少?")),
        ("各支行的行长是谁？", ("城南支行的行长是谁?", "城北支行的行长是谁?")),
        ("青岛和西安谁排名更高？", ("青岛的排名是多少?", "西安的排名是多少?")),
        ("星瀚X1和星瀚X2哪个续航更长？", ("星瀚X1的续航是多少?", "星瀚X2的续航是多少?")),
        ("E45和E46报警分别是什么意思", ("E45报警是什么意思?", "E46报警是什么意思?")),
    ],
)
def test_each_thing_is_asked_for(question, questions):
    assert parts(question, lambda: TITLES).questions == questions


@pytest.mark.parametrize(
    "question",
    [
        "合肥为什么能成功？",
        "张三和李四负责什么",
        "北京和上海之间的铁路有多长",
        "各部门的经理是谁",
        "和平饭店在哪里",
        "谁设计了赵州桥",
    ],
)
def test_other_questions_are_of_one_thing(question):
    assert parts(question, lambda: TITLES) is None


@pytest.mark.parametrize(
    ("attribute", "more", "said", "winner"),
    [
        ("排名", "高", ("第14位", "第12位"), "乙"),
        ("续航", "长", ("200分钟", "180分钟"), "甲"),
        ("价格", "便宜", ("380元", "四百六十元"), "甲"),
        ("价格", "贵", ("380元", "460元"), "乙"),
        ("排名", "高", ("第14位", "TOP10城市"), ""),  # not the same kind of number
        ("续航", "长", ("200分钟", ""), ""),
        ("营业时间", "早", ("八点半", "九点"), ""),
    ],
)
def test_what_is_more_is_said_where_both_numbers_are_of_one_kind(attribute, more, said, winner):
    text = verdict(Parts(("甲", "乙"), ("", ""), more, attribute), said, "zh")
    assert text.endswith(f"的是{winner}。") if winner else text == ""


BRANCHES = {
    f"{name}支行.txt": f"{name}支行服务时间\n\n大额取款须提前登记，预约电话{phone}。\n行长为{head}，接待日为每周三。\n"
    for name, phone, head in (
        ("城南", "62001111", "罗建国"),
        ("城北", "62002222", "齐秀兰"),
        ("城西", "62003333", "卢伟"),
    )
}


@pytest.fixture(scope="module")
def branches(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("branches")
    return Bot(load_settings(corpus=write_articles(folder / "c", BRANCHES), index=folder / "i"), embedder)


def test_every_document_of_a_template_is_reached(branches):
    answer = branches.ask("各支行的行长是谁？")
    for name, head in (("城南", "罗建国"), ("城北", "齐秀兰"), ("城西", "卢伟")):
        (line,) = [line for line in answer.text.split("\n") if line.startswith(f"{name}支行：")]
        assert head in line
        number = int(line.rpartition("[")[2].rstrip("]"))
        assert name in answer.evidence[number - 1].hit.passage.title
    assert [evidence.number for evidence in answer.evidence] == [1, 2, 3]


def test_each_of_two_is_answered_or_said_to_be_missing(branches):
    both = branches.ask("城南支行和城北支行的预约电话分别是多少？").text
    assert "62001111" in both
    assert "62002222" in both
    three = branches.ask("城南支行、城东支行和城北支行的预约电话分别是多少？").text
    assert "城东支行：资料中没有" in three
