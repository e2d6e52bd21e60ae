"""bot.text.abbreviations: a short name in a question is the long one in a text."""

from __future__ import annotations

import pytest
from conftest import write_articles

from bot.pipeline import Bot
from bot.settings import load_settings
from bot.text.abbreviations import abbreviated


@pytest.mark.parametrize(
    ("question", "text", "name"),
    [
        ("中科大共建了什么", "中国科学技术大学与本市共建实验室", "中国科学技术大学"),
        ("哈工大编制多少人", "哈尔滨工业大学在本市设立研究院", "哈尔滨工业大学"),
        ("发改委批复了什么", "国家发展和改革委员会批复了规划", "发展和改革委员会"),
        ("人社局窗口在哪里", "市人力资源和社会保障局窗口在二楼", "人力资源和社会保障局"),
    ],
)
def test_a_name_is_found_by_the_first_characters_of_its_words(question, text, name):
    assert list(abbreviated(question, [text]).values()) == [name]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("中科大共建了什么", "中科大与本市共建实验室"),  # it stands there as it is
        ("丙厂的电话", "乙厂的电话是6220"),
        ("南科大共建了什么", "中国科学技术大学与本市共建实验室"),
        ("大科中是什么", "中国科学技术大学与本市共建实验室"),  # in another order
        ("国学大师是谁", "中国科学技术大学与本市共建实验室"),
    ],
)
def test_nothing_else_is_taken_for_one(question, text):
    assert abbreviated(question, [text]) == {}


def test_a_question_with_a_short_name_is_answered(tmp_path, embedder):
    corpus = write_articles(
        tmp_path / "c",
        {
            "a.txt": "高校合作\n\n哈尔滨工业大学在本市设立机器人研究院，编制一百二十人。\n"
            "西安交通大学承担港区能源规划，工期十八个月。\n",
            "b.txt": "食堂公告\n\n周五供应红烧鱼。\n",
        },
    )
    bot = Bot(load_settings(corpus=corpus, index=tmp_path / "i"), embedder)
    assert "能源规划" in bot.ask("西交大承担什么规划？").text
    assert "一百二十人" in bot.ask("哈工大研究院编制多少人？").text
    assert bot.ask("北理工承担什么规划？").refused
