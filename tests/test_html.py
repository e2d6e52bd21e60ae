"""bot.corpus.readers.web.html and mhtml: which blocks a page becomes, and what of it is furniture."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from bot.corpus.blocks import Parsed
from bot.corpus.readers.web import html, mhtml
from bot.errors import ReadError

MENU = '<div class="top"><a href="/">首页</a> <a href="/a">新闻</a> <a href="/b">体育</a> <a href="/c">财经</a></div>'
TEXT = "县水利局九月三十日公布，白溪水库的除险加固已经完工，总投资八十六亿元。"


def parsed(body: str, title: str = "") -> Parsed:
    head = f"<title>{title}</title>" if title else ""
    return html.read(f'<html><head><meta charset="utf-8">{head}</head><body>{body}</body></html>'.encode())


def blocks(body: str, title: str = "") -> list[tuple[str, str]]:
    """The kind and the text of each block."""
    page = parsed(body, title)
    return [(block.kind, page.text[block.start : block.end]) for block in page.blocks]


def left_out(body: str, title: str = "") -> list[tuple[str, str]]:
    return [(one.reason, one.text) for one in parsed(body, title).left_out]


def test_headings_paragraphs_and_code_are_blocks_and_scripts_are_not():
    assert blocks(
        "<h1>题目</h1><p>第一<b>段</b>。</p>\n<p>第\n二段。<br>第三行<br> <br>第四</p><script>bad()</script>"
        "<h2>小节</h2>"
        "<pre><code>def f():\n    return 1</code></pre><figure><figcaption>图1</figcaption></figure>"
    ) == [
        ("heading", "题目"),
        ("paragraph", "第一段。"),
        ("paragraph", "第二段。\n第三行"),
        ("paragraph", "第四"),
        ("heading", "小节"),
        ("code", "def f():\n    return 1"),
        ("caption", "图1"),
    ]


def test_items_have_the_numbers_that_the_page_shows():
    page = parsed(
        '<ol start=3 type=a><li>甲<ol><li>乙<li>丙</ol><li value=9>丁</ol><ol reversed><li>二<li>一</ol><ol style="'
        'list-style:cjk-ideographic"><li>项</ol><ol><li>3.5 米<li>（二）自带</ol><ul><li>点<p>续</ul>'
    )
    assert [(page.text[one.start : one.end], one.number, one.level) for one in page.blocks] == [
        ("c. 甲", "c.", 1),
        ("1. 乙", "1.", 2),
        ("2. 丙", "2.", 2),
        ("i. 丁", "i.", 1),
        ("2. 二", "2.", 1),
        ("1. 一", "1.", 1),
        ("一、项", "一、", 1),
        ("1. 3.5 米", "1.", 1),
        ("（二）自带", "", 1),
        ("点", "", 1),
        ("续", "", 0),
    ]


def test_cells_that_span_are_in_every_row_and_layout_tables_are_no_rows():
    assert blocks(
        "<table><caption>门票</caption><tr><th rowspan=2>类型</th><th colspan=2>价格</th></tr><tr><th>旺季<th>淡季</tr>"
        "<tr><td rowspan=2>成人<td>80<td>60</tr><tr><td>85<td>65</tr></table>"
        f"<table><tr><td><p>{TEXT}</p></td><td><h3>右栏</h3>文字</td></tr></table>"
    ) == [
        ("caption", "门票"),
        ("row", "类型: 成人; 价格旺季: 80; 价格淡季: 60"),
        ("row", "类型: 成人; 价格旺季: 85; 价格淡季: 65"),
        ("paragraph", TEXT),
        ("heading", "右栏"),
        ("paragraph", "文字"),
    ]


def test_terms_formulas_and_raised_text_read_by_themselves():
    assert blocks(
        "<dl><dt>工时<dd>八小时<dt>怎么请假？<dd>书面申请。</dl><p>10<sup>9</sup>个 H<sub>2</sub>O<sup>[1]</sup></p>"
        "<p><math><mfrac><mi>m</mi><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow></mfrac></math></p>"
        '<script type="math/tex; mode=display">x^2</script>'
    ) == [
        ("item", "工时：八小时"),
        ("item", "怎么请假？书面申请。"),
        ("paragraph", "10⁹个 H2O[1]"),
        ("paragraph", "m/(a+b)"),
        ("formula", "x^2"),
    ]


def test_what_follows_a_stray_end_of_the_page_belongs_to_it():
    page = html.read(f'<meta charset="utf-8"><body><div>前</div></html><p>{TEXT}</p></body></html><p>后'.encode())
    assert page.text.split("\n\n") == ["前", TEXT, "后"]


def test_an_article_in_a_form_is_read_without_its_controls():
    body = f'<form><input type="hidden" value="x"><div><h2>条例</h2><p>{TEXT}</p><button>提交</button></div></form>'
    assert blocks(body, "条例") == [("heading", "条例"), ("paragraph", TEXT)]


def test_hidden_text_is_left_out_unless_the_page_opens_it_or_has_no_other():
    spam = '<div style="display: none">批发 加盟 代理</div><p hidden>暗</p>'
    assert left_out(f'<p style="visibility:hidden">{TEXT}</p>{spam}') == [
        ("hidden text", "批发 加盟 代理"),
        ("hidden text", "暗"),
    ]
    answer = f'<h3><button aria-controls="a1">何时完工？</button></h3><div id="a1" hidden>{TEXT}</div>'
    assert ("paragraph", TEXT) in blocks(f"<p>常见问题如下。</p>{answer}")
    assert ("paragraph", TEXT) in blocks(f'<div>加载中</div><div style="display:none"><p>{TEXT}</p></div>')


def test_menus_and_lists_of_other_articles_are_left_out_by_name():
    body = (
        f'{MENU}<div class="channel"><h1>新闻中心</h1></div><div><a href="/">首页</a> &gt; 正文</div>'
        f'<div class="article"><h1>白溪水库完工</h1><p>{TEXT}</p><p>来源：县报</p></div>'
        '<div class="rel"><h2>相关文章</h2><ul><li><a href="/1">双塔集团关联交易<li><a href="/2">青石队获胜</ul></div>'
        "<div><p>版权所有 云岭网 云ICP备05000001号</p></div>"
    )
    page = parsed(body, "白溪水库完工_云岭网")
    assert page.title == "白溪水库完工"
    assert page.text.split("\n\n") == ["白溪水库完工", TEXT, "来源：县报"]
    assert {one.reason for one in page.left_out} == {"menu"}
    assert len(page.left_out) == 5


def test_what_a_document_lists_is_no_menu():
    files = '<p>附件：</p><p><a href="a.docx">1.报名表</a></p><p><a href="b.xlsx">2.日程</a></p><p>县水利局</p>'
    assert blocks(f"<h1>通知</h1><p>{TEXT}</p>{files}", "通知")[-3:] == [
        ("paragraph", "1.报名表"),
        ("paragraph", "2.日程"),
        ("paragraph", "县水利局"),
    ]
    listed = (
        '<div><ul><li><a href="a.docx">报名表</a><li><a href="b.xlsx">日程表</a><li><a href="c.pdf">地图</a></ul></div>'
    )
    assert len(blocks(f"<h1>通知</h1><div><p>{TEXT}</p></div>{listed}", "通知")) == 5
    sites = "".join(f'<li><a href="https://{site}.example/">{site}局</a>' for site in ("甲", "乙", "丙"))
    assert len(blocks(f"<h1>网站</h1><p>各部门网站如下。</p><ul>{sites}</ul>", "网站")) == 5
    rules = "".join(f'<tr><td><a href="{n}.html">办法{n}</a></td><td>2023-01-0{n}</td></tr>' for n in range(1, 4))
    assert len(blocks(f"<h1>制度</h1><table>{rules}</table>", "制度")) == 4
    assert len(blocks("<ul><li><a href=a>考勤</a><li><a href=b>报销</a><li><a href=c>邮箱</a></ul>", "入口")) == 3


def test_a_contents_table_is_left_out_and_its_headings_are_not():
    body = '<h1>手册</h1><ul><li><a href="#1">安装<li><a href="#2">使用<li><a href="#3">卸载</ul>'
    body += f"<h2 id=1>安装</h2><p>{TEXT}</p><h2 id=2>使用</h2><p>按键。</p><h2 id=3>卸载</h2><div>控制面板</div>"
    assert left_out(body, "手册") == [("contents table", "安装 使用 卸载")]
    assert ("heading", "使用") in blocks(body, "手册")
    assert blocks(body, "手册")[-1] == ("paragraph", "控制面板")


def test_the_title_is_that_of_the_article_and_never_the_name_of_the_site():
    assert (
        parsed(f"<h1>云岭省人民政府</h1><p>{TEXT}</p>", "关于完工的决议_云岭省人民政府公报").title == "关于完工的决议"
    )
    assert parsed(f"<span>完工公告</span><p>{TEXT}</p>", "完工公告 - 县政府").title == "完工公告"
    assert parsed(f"<h1>办事入口</h1><p>{TEXT}</p>").title == "办事入口"
    assert parsed(f"<h1>办事入口</h1><p>{TEXT}</p>", "无标题文档").title == "办事入口"


def test_addresses_are_written_where_a_reader_asks_for_them():
    links = '<a href="https://guahao.example/">平台</a>或<a href="mailto:a@b.example">写信</a>，<a href="x">内</a>'
    assert blocks(f"<p>请访问{links}。</p>") == [
        ("paragraph", "请访问平台（https://guahao.example/）或写信（a@b.example），内。")
    ]
    many = "、".join(f'<a href="https://w{n}.example/">词{n}</a>' for n in range(5))
    assert blocks(f"<p>百科里有{many}等很多词条。</p>") == [
        ("paragraph", "百科里有词0、词1、词2、词3、词4等很多词条。")
    ]


def test_a_page_that_says_that_it_is_utf_8_and_is_is_read_so():
    assert html.read('<meta charset="utf-8"><p>Macros§</p>'.encode()).text == "Macros§"


def png(width: int, height: int) -> bytes:
    """A white picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\xff" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_pictures_that_the_page_holds_are_kept_and_icons_are_not():
    images = "".join(f'<img src="data:image/png;base64,{b64encode(png(n, n)).decode()}">' for n in (80, 16))
    page = parsed(f"<p>{TEXT}</p>{images}<img src='http://x.example/a.png' alt='图二'>")
    assert [(picture.data, picture.type) for picture in page.pictures] == [(png(80, 80), "image/png")]
    assert page.blocks[-1].kind == "caption"


def test_deep_and_wide_tables_end_soon_and_lose_nothing():
    page = parsed("<table><tr><td>" * 2000 + TEXT + "<table><tr>" + "<td colspan=1000 rowspan=65000>甲" * 2000)
    assert TEXT in page.text
    assert page.text.count("甲") >= 2000  # a long row is cut into several that begin with the same cells


def test_mhtml_is_the_page_that_it_holds():
    message = MIMEMultipart("related")
    message.attach(MIMEText(f"<title>公告</title><h1>公告</h1><p>{TEXT}</p>", "html", "gb18030"))
    message.attach(MIMEText("p { color: red }", "css"))
    page = mhtml.read(message.as_bytes())
    assert (page.title, page.text.split("\n\n")[1]) == ("公告", TEXT)
    with pytest.raises(ReadError):
        mhtml.read(b"Subject: x\n\nno page")
