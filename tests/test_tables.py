"""Tables as rows that read by themselves, over kinds of tables that people have."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.corpus.blocks import BlockWriter
from bot.corpus.tables import Cell, has_header, table_rows


def grid(text: str) -> list[list[Cell | None]]:
    """A grid from lines of cells with `|` between them; `<` continues the cell to the left, `^` the one above."""
    rows: list[list[Cell | None]] = []
    for line in text.strip().split("\n"):
        row: list[Cell | None] = []
        for column, piece in enumerate(line.split("|")):
            word = piece.strip()
            row.append(row[-1] if word == "<" else rows[-1][column] if word == "^" else Cell(word) if word else None)
        rows.append(row)
    return rows


def read(text: str, header_rows: int | None = None) -> list[str]:
    return [
        "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(row.header, row.cells, strict=True))
        for row in table_rows(grid(text), header_rows)
    ]


KINDS = {
    "price list with title, maker, unit, total and note": (
        """报价表|<|<|<
        编制单位：某公司|||单位：元
        序号|名称|规格|单价
        1|钢管|DN50|35.5
        2|弯头||12
        合计|<|<|47.5
        注：以上含税。|<|<|<""",
        [
            "报价表",
            "编制单位：某公司",
            "单位：元",
            "序号: 1; 名称: 钢管; 规格: DN50; 单价: 35.5",
            "序号: 2; 名称: 弯头; 单价: 12",
            "合计; 单价: 47.5",
            "注：以上含税。",
        ],
    ),
    "scores of two header rows, merged": (
        """2023年录取分数线|<|<|<|<
        省份|文史类|<|理工类|<
        ^|最低|最高|最低|最高
        北京|612|640|600|650
        河北|590|^|580|600""",
        [
            "2023年录取分数线",
            "省份: 北京; 文史类最低: 612; 文史类最高: 640; 理工类最低: 600; 理工类最高: 650",
            "省份: 河北; 文史类最低: 590; 文史类最高: 640; 理工类最低: 580; 理工类最高: 600",
        ],
    ),
    "scores of two header rows, not merged": (
        """省份|文史类||理工类|
        |最低|最高|最低|最高
        北京|612|640|600|650
        河北|590|601|580|600""",
        [
            "省份: 北京; 文史类最低: 612; 文史类最高: 640; 理工类最低: 600; 理工类最高: 650",
            "省份: 河北; 文史类最低: 590; 文史类最高: 601; 理工类最低: 580; 理工类最高: 600",
        ],
    ),
    "three header rows": (
        """地区|收入|<|<|支出
        ^|税收|<|其他|^
        ^|国税|地税|^|^
        甲县|10|20|5|33
        乙县|11|21|6|34""",
        [
            "地区: 甲县; 收入税收国税: 10; 收入税收地税: 20; 收入其他: 5; 支出: 33",
            "地区: 乙县; 收入税收国税: 11; 收入税收地税: 21; 收入其他: 6; 支出: 34",
        ],
    ),
    "what a tender says in its front table": (
        """序号|内容|说明与要求
        1|采购预算|120万元
        2|投标保证金|不收取
        3|投标有效期|自投标截止之日起90天""",
        [
            "序号: 1; 内容: 采购预算; 说明与要求: 120万元",
            "序号: 2; 内容: 投标保证金; 说明与要求: 不收取",
            "序号: 3; 内容: 投标有效期; 说明与要求: 自投标截止之日起90天",
        ],
    ),
    "budget of years with sections": (
        """项目|2021年|2022年
        一、收入|<|<
        税收|100|120
        （一）非税|<|<
        罚没|9|8
        二、支出||
        教育|70|75""",
        [
            "一、收入",
            "一、收入; 项目: 税收; 2021年: 100; 2022年: 120",
            "一、收入; （一）非税",
            "一、收入; （一）非税; 项目: 罚没; 2021年: 9; 2022年: 8",
            "二、支出",
            "二、支出; 项目: 教育; 2021年: 70; 2022年: 75",
        ],
    ),
    "years beside names": (
        "指标|计量单位|2022|2023|增长（%）\n总值|亿元|1000.5|1100.2|5.6",
        ["指标: 总值; 计量单位: 亿元; 2022: 1000.5; 2023: 1100.2; 增长（%）: 5.6"],
    ),
    "two halves with a line of units": (
        """部门：某局|||单位：万元
        收入|<|支出|<
        项目|预算数|项目|预算数
        一般预算|1200.5|教育|300
        基金||保障|120.3""",
        [
            "部门：某局",
            "单位：万元",
            "收入项目: 一般预算; 收入预算数: 1200.5; 支出项目: 教育; 支出预算数: 300",
            "收入项目: 基金; 支出项目: 保障; 支出预算数: 120.3",
        ],
    ),
    "years are data": ("甲|2021年|本科\n乙|2022年|专科", ["甲; 2021年; 本科", "乙; 2022年; 专科"]),
    "bare years": ("项目|2021|2022|2023\n收入|100|120|140", ["项目: 收入; 2021: 100; 2022: 120; 2023: 140"]),
    "course schedule": (
        """节次|<|星期一|星期二|星期三
        上午|第1节|语文|数学|英语
        ^|第2节|数学|语文|体育
        下午|第3节|美术|<|音乐""",
        [
            "节次: 上午; 节次: 第1节; 星期一: 语文; 星期二: 数学; 星期三: 英语",
            "节次: 上午; 节次: 第2节; 星期一: 数学; 星期二: 语文; 星期三: 体育",
            "节次: 下午; 节次: 第3节; 星期一/星期二: 美术; 星期三: 音乐",
        ],
    ),
    "contacts, the header again on the next page": (
        "姓名|科室|电话\n张三|内科|8001\n姓名|科室|电话\n李四||8002",
        ["姓名: 张三; 科室: 内科; 电话: 8001", "姓名: 李四; 电话: 8002"],
    ),
    "contacts, one row": (
        "姓名|部门|职务|电话\n张三|销售部|经理|138",
        ["姓名: 张三; 部门: 销售部; 职务: 经理; 电话: 138"],
    ),
    "a form": (
        """姓名|张三|性别|男
        出生年月|1990年1月|民族|汉族
        地址|北京市海淀区|<|<
        备注|||""",
        ["姓名: 张三; 性别: 男", "出生年月: 1990年1月; 民族: 汉族", "地址: 北京市海淀区", "备注"],
    ),
    "parameters of a product": ("品牌|清风\n型号|P60\n重量|197g", ["品牌: 清风", "型号: P60", "重量: 197g"]),
    "parameters in groups": (
        "基本参数|品牌|清风\n^|型号|P60\n屏幕|尺寸|6.67英寸\n^|颜色|黑",
        ["基本参数; 品牌: 清风", "基本参数; 型号: P60", "屏幕; 尺寸: 6.67英寸", "屏幕; 颜色: 黑"],
    ),
    "two columns with a header": (
        "城市|人口\n甲城|2189万\n乙城|2487万",
        ["城市: 甲城; 人口: 2189万", "城市: 乙城; 人口: 2487万"],
    ),
    "header in the first column": (
        "姓名|张三|李四\n年龄|30|28\n电话|138|139",
        ["姓名: 张三; 年龄: 30; 电话: 138", "姓名: 李四; 年龄: 28; 电话: 139"],
    ),
    "no header": ("1|苹果|3.5\n2|梨|4\n3|桃|5", ["1; 苹果; 3.5", "2; 梨; 4", "3; 桃; 5"]),
    "no header, text that repeats": (
        "甲公司|软件|北京\n乙公司|硬件|上海\n丙公司|软件|北京",
        ["甲公司; 软件; 北京", "乙公司; 硬件; 上海", "丙公司; 软件; 北京"],
    ),
    "two tables in one": (
        """学习经历|<|<
        时间|学校|专业
        2010-2014|某大学|法学
        工作经历|<|<
        时间|单位|职务
        2014-2016|某公司|职员""",
        [
            "学习经历",
            "时间: 2010-2014; 学校: 某大学; 专业: 法学",
            "工作经历",
            "工作经历; 时间: 2014-2016; 单位: 某公司; 职务: 职员",
        ],
    ),
    "a column without values": (
        "序号|姓名|备注\n1|张三|\n2|李四|",
        ["序号; 姓名; 备注", "序号: 1; 姓名: 张三", "序号: 2; 姓名: 李四"],
    ),
    "an empty table with running numbers": (
        "序 号|条目引用号|技术规范|应答|说明\n1||||\n2||||",
        ["序 号; 条目引用号; 技术规范; 应答; 说明", "序号: 1", "序号: 2"],
    ),
    "an empty form of a table": ("报价表|<|<\n序号|名称|单价\n||\n||", ["报价表", "序号; 名称; 单价"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_every_kind_of_table_reads_by_itself(kind: str) -> None:
    text, right = KINDS[kind]
    assert read(text) == right


def test_the_format_says_where_the_header_is() -> None:
    assert read("甲|乙\n丙|丁", header_rows=1) == ["甲: 丙; 乙: 丁"]
    assert read("|\n姓名|张三\n电话|138", header_rows=1) == ["姓名: 张三", "电话: 138"]  # an empty header is none
    column = [
        [Cell("型号", is_header=True), Cell("A1"), Cell("B2")],
        [Cell("色", is_header=True), Cell("红"), Cell("蓝")],
    ]
    assert [row.cells for row in table_rows(column)] == [("A1", "红"), ("B2", "蓝")]
    everything = [
        [Cell(text, is_header=True) for text in row] for row in (("名称", "单价"), ("钢管", "3"), ("弯头", "4"))
    ]
    assert [row.header for row in table_rows(everything)] == [("名称", "单价")] * 2


def test_a_wide_row_is_cut_into_rows_that_begin_with_its_name() -> None:
    names = ["姓名", *(f"指标{number}" for number in range(200))]
    rows = table_rows(
        [[Cell(name) for name in names], *([Cell(text) for text in (who, *["9.5"] * 200)] for who in ("张三", "李四"))]
    )
    assert all(row.cells[0] in ("张三", "李四") and row.header[0] == "姓名" for row in rows)
    assert {name for row in rows for name in row.header} == set(names)
    assert max(len("; ".join(map(": ".join, zip(row.header, row.cells, strict=True)))) for row in rows) <= 500


def test_tables_of_one_column_are_paragraphs_and_titles_captions() -> None:
    writer = BlockWriter()
    writer.table([[Cell("第一段。")], [Cell("第二段。")]])
    writer.table(grid("价目表|<\n品名|单价\n茶|3"))
    assert [block.kind for block in writer.blocks] == ["paragraph", "paragraph", "caption", "row"]
    row = writer.blocks[-1]
    text = writer.parsed().text
    assert [text[start:end] for start, end in row.cells] == ["茶", "3"]


def test_what_continues_a_table_has_no_header() -> None:
    assert has_header(grid("序号|名称|单价\n1|茶|3"))
    assert not has_header(grid("24|茶|3\n25|酒|9"))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_cell_is_lost(data: st.DataObject) -> None:
    """Whatever a grid holds and whatever is merged, each text is in a cell or in a name of some row."""
    height, width = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))
    word = st.sampled_from(
        ["", "", "姓名", "单价：", "3", "12.5元", "2021", "一、总则", "合计", "注：无", "某某。某", "甲" * 50, "x"]
    )
    header = data.draw(st.booleans())
    rows: list[list[Cell | None]] = [
        [
            Cell(f"{text}{row}{column}" if text == "x" else text, is_header=header and not row)
            for column, text in enumerate(line)
        ]
        for row, line in enumerate(
            data.draw(st.lists(st.lists(word, min_size=width, max_size=width), min_size=height, max_size=height))
        )
    ]
    for _ in range(data.draw(st.integers(0, 3))):
        top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        for row in range(top, min(height, top + data.draw(st.integers(1, 3)))):
            for column in range(left, min(width, left + data.draw(st.integers(1, 7)))):
                rows[row][column] = rows[top][left]
    found = table_rows(rows, data.draw(st.sampled_from([None, 0, 1, 2])))
    said = [text for row in found for text in (*row.header, *row.cells)]
    for cell in {cell for row in rows for cell in row if cell and cell.text}:
        assert any(cell.text.rstrip("：") in text for text in said), ([[c and c.text for c in r] for r in rows], found)
    for row in found:
        assert row.cells and len(row.cells) == len(row.header) and all(row.cells)


def test_the_time_grows_with_the_cells() -> None:
    tall = [[Cell(f"名称{column}") for column in range(20)]]
    tall += [[Cell(f"{row}.{column}") for column in range(20)] for row in range(5_000)]
    start = time.process_time()
    assert len(table_rows(tall)) == 5_000
    assert time.process_time() - start < 3  # 0.1 s
    titles = [[Cell("第一行"), None, None] for _ in range(5_000)]
    wide = [[Cell(f"{row}名{column}") for column in range(4_000)] for row in range(3)]
    merged = [[Cell("宽")] * 4_000, *wide]
    start = time.process_time()
    for each in (titles, wide, merged):
        table_rows(each)
    assert time.process_time() - start < 3
