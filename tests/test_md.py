"""bot.corpus.readers.web.md: what of a Markdown file becomes which block, and that nothing of it is lost."""

from __future__ import annotations

from bot.corpus.readers.web.md import read


def blocks(text: str) -> list[tuple[str, str]]:
    """The kind and the text of each block."""
    parsed = read(text.encode())
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def test_headings_code_and_rows_are_blocks_without_marks():
    found = blocks(
        "# 标题\n\n见**重点**,`代码`。\n\n| 城 | 分 |\n|--|--|\n| 北京 | 92.93 |\n\n"
        "```bash\n# 安装\n  pip install x\n```\n\n小节\n---\n\n这一句下面有一条线。\n---\n"
    )
    assert found == [
        ("heading", "标题"),
        ("paragraph", "见重点,代码。"),
        ("row", "城: 北京; 分: 92.93"),
        ("code", "# 安装\n  pip install x"),
        ("heading", "小节"),
        ("paragraph", "这一句下面有一条线。"),
    ]


def test_html_is_read_by_the_rules_of_pages():
    found = blocks(
        "<table>\n<tr><th>部件</th><th>要求</th></tr>\n<tr><td>内存</td><td>16 GB</td></tr>\n</table>\n\n"
        "<details><summary>怎么重启？</summary>\n\n按住**红色**按钮。\n\n</details>\n\n第一行<br>第二行<!-- 注释 -->\n"
    )
    assert found == [
        ("row", "部件: 内存; 要求: 16 GB"),
        ("paragraph", "怎么重启？"),
        ("paragraph", "按住红色按钮。"),
        ("paragraph", "第一行\n第二行"),
    ]
    (comment,) = read("一<!-- 注释 -->".encode()).left_out
    assert (comment.text, comment.reason) == ("注释", "hidden text")


def test_what_only_looks_like_html_is_text():
    assert blocks("把 <主机> 和 <your_name> 换掉，用 <title> 和 <!-- 时 a<b 也在") == [
        ("paragraph", "把 <主机> 和 <your_name> 换掉，用 <title> 和 <!-- 时 a<b 也在")
    ]


def test_items_keep_their_numbers_and_depth():
    parsed = read("3. 三\n4. 四\n   - 内\n     1) 深\n5. 五\n\n- [x] 完成\n- [ ] 未完成\n\n1. 1、自带\n".encode())
    assert [(parsed.text[one.start : one.end], one.number, one.level) for one in parsed.blocks] == [
        ("3. 三", "3.", 1),
        ("4. 四", "4.", 1),
        ("内", "", 2),
        ("1)深", "1)", 3),
        ("5. 五", "5.", 1),
        ("☑ 完成", "", 1),
        ("☐ 未完成", "", 1),
        ("1、自带", "", 1),
    ]


def test_links_are_followed_by_their_addresses():
    found = blocks(
        "[点这里](https://dl.example/win.zip)、<https://b.example/login>、[邮箱](mailto:a@b.example)、[手册](手册.pdf)、"
        "[百科](https://c.example/%E4%B8%AD)、[安装](../install.md#x)、[上文](#top)、[首页]\n\n[首页]: https://home.example/\n"
    )
    assert found == [
        (
            "paragraph",
            "点这里（https://dl.example/win.zip）、https://b.example/login、邮箱（a@b.example）、手册（手册.pdf）、"
            "百科（https://c.example/中）、安装、上文、首页（https://home.example/）",
        )
    ]


def test_definitions_that_nothing_links_to_and_footnotes_are_text():
    assert blocks("正文[^1]。\n\n[客服]: 400-123\n\n[^1]: 脚注说明。\n[^b]: 又一条\n") == [
        ("paragraph", "正文[1]。"),
        ("paragraph", "客服: 400-123"),
        ("paragraph", "[1]: 脚注说明。"),
        ("paragraph", "[b]: 又一条"),
    ]


def test_formulas_keep_their_signs_and_prices_are_none():
    assert blocks("$a*b*c_{1}$ 要 $5 到 $10\n\n$$\n\\begin{m}\n- a \\\\\n= b\n\\end{m}\n$$\n") == [
        ("paragraph", "$a*b*c_{1}$ 要 $5 到 $10"),
        ("formula", "\\begin{m} - a \\\\ = b \\end{m}"),
    ]


def test_lines_break_where_the_author_broke_them_and_not_where_the_editor_did():
    long = "长" * 35
    assert blocks(f"地址：甲路1号\n电话：123\n\n{long}\n接着\n") == [
        ("paragraph", "地址：甲路1号\n电话：123"),
        ("paragraph", f"{long}接着"),
    ]


def test_the_title_is_that_of_the_front_matter_whose_fields_are_text():
    parsed = read('---\ntitle: "指南"\ndate: 2024-03-01\n---\n## 一节\n\n话。\n'.encode())
    assert parsed.title == "指南"
    assert [parsed.text[one.start : one.end] for one in parsed.blocks][:2] == [
        "指南",
        'title: "指南"\ndate: 2024-03-01',
    ]
    assert read("---\n两条线之间的话\n---\n# 题\n".encode()).text.startswith("两条线之间的话")


def test_pictures_say_what_they_show_and_not_what_their_files_are_called():
    parsed = read("![图一 结构](a.png)\n\n![img](b.png) ![c-1](res/c-1.png)\n".encode())
    assert [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks] == [("caption", "图一 结构")]
    assert [(one.text, one.reason) for one in parsed.left_out] == [("img", "hidden text"), ("c-1", "hidden text")]
