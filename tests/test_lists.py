"""bot.answer.lists, bot.answer.fields and bot.text.sentences: what answers together, and what is asked for by name."""

from __future__ import annotations

from bot.answer import lists
from bot.answer.fields import is_row, keyed
from bot.text.sentences import sentences

LIST = "办理流程如下：\n1. 打开菜单\n2. 填写单号\n3. 提交\n遇到问题请打电话。"


def said(text: str, spans: list[tuple[int, int]]) -> list[str]:
    return [text[start:end] for start, end in spans]


def cut(text: str) -> list[tuple[int, int]]:
    return list(sentences(text))


def test_neither_the_number_of_an_item_nor_an_initial_ends_a_sentence():
    assert said(LIST, cut(LIST))[1:4] == ["1. 打开菜单", "2. 填写单号", "3. 提交"]
    assert len(cut("He is Bernard R. Sarchet of Missouri. He taught.")) == 2


def test_a_sentence_that_leads_in_answers_with_its_list():
    assert said(LIST, lists.led_in(LIST, cut(LIST), 0)) == ["1. 打开菜单", "2. 填写单号", "3. 提交"]
    assert lists.led_in(LIST, cut(LIST), 1) == []
    code = "# 启动服务\nserve --port 80\n# 停止服务\nstop"
    assert said(code, lists.led_in(code, cut(code), 0)) == ["serve --port 80"]


def test_a_list_that_is_asked_for_is_whole_and_clauses_are_no_list():
    assert said(LIST, lists.whole(LIST, cut(LIST), 2)) == ["1. 打开菜单", "2. 填写单号", "3. 提交"]
    clauses = "第一条 不得迟到。\n第二条 不得早退。"
    assert lists.whole(clauses, cut(clauses), 1) == []
    assert lists.is_asked_for("办理的流程是什么")
    assert not lists.is_asked_for("办理要多久")


def test_a_condition_answers_with_the_sentence_above_its_list():
    text = "有下列情形之一的，予以退学：\n（一）未请假离校的；\n（二）连续两周未参加教学活动的；\n（三）其他。"
    assert said(text, lists.lead(text, cut(text), 2)) == ["有下列情形之一的，予以退学："]
    assert lists.lead(text, cut(text), 3) == []


def test_a_field_is_asked_for_by_its_name_at_the_end_of_the_question():
    fields = ["项目名称: 食堂服务", "采购单位: 云岭三中", "地址: 河西路", "预算金额(元): 50万", "投诉网址: a.example"]
    assert keyed("云岭三中食堂的预算金额是多少", fields).tolist() == [0, 0, 0, 1, 0]
    assert keyed("食堂项目的采购单位地址在哪里", fields).tolist() == [0, 0, 1, 0, 0]
    assert keyed("食堂采购单位是哪家?", fields).tolist() == [0, 1, 0, 0, 0]
    assert keyed("预约挂号的网址是什么", fields).tolist() == [0, 0, 0, 0, 0]
    assert keyed("品名: 毛毡的库存", ["品名: 毛毡; 库存: 45"]).tolist() == [1]
    assert keyed("物业项目的最高限价", ["序号: 8; 内容: 最高限价; 要求: 一千万元", "最高限价见前附表"]).tolist() == [
        1,
        0,
    ]


def test_a_row_is_told_from_prose():
    assert is_row("包号: 9; 分包名称: 外文报刊; 预算: 124万元")
    assert not is_row("他说: 好; 她说不好。")
    assert not is_row("地址: 河西路")
