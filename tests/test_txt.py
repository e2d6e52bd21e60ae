"""Plain text: what is a heading, an item, a row or the title is told by what stands around it."""

from __future__ import annotations

from bot.corpus.readers.plain.txt import read

PROSE = "沙枣树耐旱，在盐碱地上也能生长，当地人用它防风固沙。"


def blocks(text: str) -> list[tuple[str, str]]:
    parsed = read(text.encode())
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def of_kind(kind: str, text: str) -> list[str]:
    return [said for found, said in blocks(text) if found == kind]


def test_chinese_numbers_are_headings_with_text_below_and_items_in_a_list():
    assert of_kind("heading", f"指南\n\n一、办理地点\n{PROSE}\n二、办理时间\n{PROSE}") == [
        "指南",
        "一、办理地点",
        "二、办理时间",
    ]
    found = of_kind("item", f"指南\n\n须带材料：\n一、身份证\n二、照片两张\n三、申请表\n{PROSE}")
    assert found == ["一、身份证", "二、照片两张", "三、申请表"]


def test_chapters_of_a_novel_and_its_title():
    text = (
        f"好书请加QQ群\n\n  [沙枣树下 / 某人 著 ]\n\n  正文 第一回 初到绿洲\n{PROSE}\n\n  正文 第二回 再到绿洲\n{PROSE}"
    )
    parsed = read(text.encode("gb18030"))
    headings = [parsed.text[b.start : b.end] for b in parsed.blocks if b.kind == "heading"]
    assert (parsed.title, headings) == ("沙枣树下", ["沙枣树下", "第一回 初到绿洲", "第二回 再到绿洲"])
    assert "好书请加QQ群" in parsed.text  # it is no title, but nothing of a text is lost


def test_clauses_and_steps_are_items_with_their_numbers():
    clauses = "第一条 不得迟到。\n（一）上班打卡\n（二）下班打卡\n第二条 不得早退。\n第三步 签字\n"
    parsed = read(f"守则\n\n{clauses}▲质保五年\n3.5元一份".encode())
    numbers = [(b.number, b.level) for b in parsed.blocks if b.kind == "item"]
    assert numbers == [("第一条", 1), ("（一）", 2), ("（二）", 2), ("第二条", 1), ("第三步", 1), ("▲", 2)]


def test_numbers_are_section_numbers_only_where_they_count_sections():
    text = f"1\n开头\n{PROSE}\n2\n结尾\n{PROSE}"
    assert [one.reason for one in read(text.encode()).left_out] == ["section number"] * 2
    assert of_kind("heading", text) == ["开头", "结尾"]
    data = f"得分\n{PROSE}\n3\n{PROSE}\n1\n{PROSE}"
    assert not read(data.encode()).left_out


def test_a_line_that_is_said_often_stays_and_only_the_headline_of_a_page_does_not():
    text = f"门店一览\n\n一、东店\n营业时间：9:00\n{PROSE}\n二、西店\n营业时间：9:00\n三、南店\n营业时间：9:00"
    assert [said for _, said in blocks(text)].count("营业时间：9:00") == 3
    parsed = read(f"首页 > 新闻\n沙枣树的一年四季\n{PROSE}\n沙枣树的一年四季\n{PROSE}\n上一篇 胡杨".encode())
    assert [(one.reason, one.text) for one in parsed.left_out] == [
        ("menu", "首页 > 新闻"),
        ("repeated title", "沙枣树的一年四季"),
        ("menu", "上一篇 胡杨"),
    ]


def test_cells_on_lines_of_their_own_become_rows():
    pasted = "各队积分\n\n球队\n胜\n积分\n\n蓝鲸\n9\n19\n\n山鹰\n7\n17\n"
    assert of_kind("row", pasted) == ["球队: 蓝鲸; 胜: 9; 积分: 19", "球队: 山鹰; 胜: 7; 积分: 17"]
    assert of_kind("row", "席慕\n\n春眠不觉晓\n处处闻啼鸟\n夜来风雨声\n花落知多少") == []
    assert of_kind("row", f"说明\n\n{PROSE}\n甲\n乙\n丙") == []


def test_columns_between_bars_tabs_and_gaps_become_rows():
    rows = ["名称: 毛毡; 库存: 45", "名称: 驼绒; 库存: 30"]
    for separator in (" | ", "\t", "      "):
        lines = [separator.join(cells) for cells in (("名称", "库存"), ("毛毡", "45"), ("驼绒", "30"))]
        assert of_kind("row", "库存\n\n" + "\n".join(lines)) == rows
    assert of_kind("row", "他说完就走了。|第二天又来。") == []


def test_lines_wrapped_at_a_width_are_put_together():
    text = "".join(f"第{i}个人说沙枣花开的时候整个绿洲都是香的" for i in range(40))
    lines = "\n".join(text[start : start + 36] for start in range(0, len(text), 36))
    (kind, said), *_ = blocks(f"{lines}。")
    assert (kind, said) == ("paragraph", f"{text}。")


def test_a_single_line_is_text_and_no_title():
    parsed = read("北街水站每周三下午停水".encode())
    assert (parsed.title, len(parsed.blocks), parsed.blocks[0].kind) == ("", 1, "paragraph")
