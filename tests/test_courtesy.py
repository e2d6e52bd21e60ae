"""bot.text.courtesy: what is said around a question is set aside, and nothing of the question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.text.courtesy import is_courtesy, unwrapped
from bot.text.fold import fold

SETS = Path(__file__).parents[2] / "shared" / "eval"


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("帮我查一下体检费用", "体检费用"),
        ("老师您好，我想问下借期是几天，急用", "借期是几天"),
        ("请根据知识库中的内容用简洁专业的语言回答：年假几天？", "年假几天?"),
        ("我想知道血糖异常的人什么时候复查，麻烦你告诉我一下谢谢", "血糖异常的人什么时候复查"),
        ("请用表格输出体检结果", "体检结果"),
        ("请整理知识库中的体检数据", "体检数据"),
        ("说说体检的情况", "体检的情况"),
        ("你知道赵州桥是谁设计的吗？", "赵州桥是谁设计的吗?"),
        ("你好！请问一下，WiFi密码是多少？谢谢啦", "wifi密码是多少?"),
        ("Could you please tell me why Hefei succeeded? Thanks", "why hefei succeeded?"),
        ("亲，在吗？年假几天", "年假几天"),
        ("能不能帮我看看二月的电费", "二月的电费"),
    ],
)
def test_what_is_said_around_a_question_is_set_aside(said, asked):
    assert unwrapped(fold(said)) == asked


@pytest.mark.parametrize(
    "asked",
    [
        "请假流程是什么", "整理箱多少钱", "介绍信怎么开", "说明书在哪", "总结会什么时候开", "查询系统的密码是多少",
        "用什么语言回答", "根据什么文件收费", "根据A公司的文档，年假几天", "想要退货怎么办", "谢谢惠顾是什么意思",
        "哪个城市人口最多",
        "谁知道收藏财物的秘密", "如何引诱他们回答", "你好", "谢谢", "麻烦", "告诉", "好的", "我要办居住证需要什么材料",
    ],
)  # fmt: skip
def test_content_is_never_eaten(asked):
    assert unwrapped(fold(asked)) == fold(asked)


def test_the_questions_of_the_evaluation_sets_are_unchanged():
    if not SETS.is_dir():
        pytest.skip("the evaluation sets are not here")
    asked = []
    for file in sorted(SETS.glob("*/questions.jsonl")):
        asked += [json.loads(line)["question"] for line in file.read_text(encoding="utf-8").splitlines()]
    folded = [" ".join(fold(question).split()) for question in asked]
    changed = [one for one in folded if unwrapped(one) != one]
    assert len(folded) > 10_000
    # Three ask politely: 列出…, 介绍一下…, 能给我介绍一下….
    assert [one for one in changed if not one.startswith(("请问", "列出", "介绍一下", "能给我介绍一下"))] == []
    assert len(changed) < 10


def test_what_is_only_courtesy():
    assert all(map(is_courtesy, ("你好", "谢谢啦", "OK", "好的，谢谢。", "hello", "哈哈哈哈")))
    assert not any(map(is_courtesy, ("你好吗是什么歌", "价格", "谢谢惠顾")))
