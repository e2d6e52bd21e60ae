"""Workbooks: sheets, tables, merged cells, values as people write them, and files that are not what they are called."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Callable

import openpyxl
import pytest
import xlwt
from documents import with_part
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P
from openpyxl.comments import Comment
from openpyxl.worksheet.worksheet import Worksheet

from bot.corpus.blocks import Parsed
from bot.corpus.readers.sheets import workbook as sheet
from bot.errors import ReadError


def workbook(*fill: Callable[[Worksheet], None], names: tuple[str, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, each in enumerate(fill):
        each(book.create_sheet(names[number] if names else None))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def lines(parsed: Parsed) -> list[str]:
    return [parsed.text[block.start : block.end] for block in parsed.blocks]


def rows(*rows_of_sheet: list[object]) -> Callable[[Worksheet], None]:
    def fill(page: Worksheet) -> None:
        for row in rows_of_sheet:
            page.append(row)

    return fill


def test_values_are_as_people_write_them() -> None:
    def fill(page: Worksheet) -> None:
        page.append(["名称", "日期", "时间", "时刻", "数量", "增长率", "代码", "金额", "状态"])
        page.append(
            [
                "茶",
                datetime.date(2024, 5, 1),
                datetime.datetime(2024, 5, 1, 10, 42),
                datetime.time(9, 30),
                3.0,
                0.125,
                4,
                0.1 + 0.2,
                "#DIV/0!",
            ]
        )
        page["F2"].number_format, page["G2"].number_format = "0.0%", "000"
        page["I2"].data_type = "e"

    assert lines(sheet.read(workbook(fill)))[-1] == (
        "名称: 茶; 日期: 2024-05-01; 时间: 2024-05-01 10:42; 时刻: 09:30; 数量: 3; 增长率: 12.5%; 代码: 004; 金额: 0.3"
    )


def test_each_sheet_is_a_heading_and_hidden_ones_are_read() -> None:
    table = rows(["姓名", "电话"], ["张三", 8001])
    book = openpyxl.load_workbook(io.BytesIO(workbook(table, table, rows(), names=("内科", "外科", "空"))))
    book["外科"].sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    assert lines(sheet.read(out.getvalue())) == ["内科", "姓名: 张三; 电话: 8001", "外科", "姓名: 张三; 电话: 8001"]
    assert lines(sheet.read(workbook(table, names=("Sheet1",)))) == ["姓名: 张三; 电话: 8001"]


def test_merged_cells_hold_in_all_places_and_the_line_above_is_the_title() -> None:
    def fill(page: Worksheet) -> None:
        for row in (
            ["甲县分数线"],
            ["学校", "文科", None],
            [None, "最低", "最高"],
            ["一中", 500, 510],
            ["一中", 490, 520],
        ):
            page.append(row)
        for place in ("A1:C1", "A2:A3", "B2:C2"):
            page.merge_cells(place)
        page["A5"] = None
        page.merge_cells("A4:A5")

    parsed = sheet.read(workbook(fill))
    assert parsed.title == "甲县分数线"
    assert lines(parsed)[1:] == ["学校: 一中; 文科最低: 500; 文科最高: 510", "学校: 一中; 文科最低: 490; 文科最高: 520"]


def test_comments_and_shapes_are_read_behind_their_sheet() -> None:
    data = workbook(rows(["姓名", "电话"], ["张三", 8001]))
    book = openpyxl.load_workbook(io.BytesIO(data))
    book.active["A2"].comment = Comment("已于五月离职", "人事科")
    out = io.BytesIO()
    book.save(out)
    drawing = (
        b'<xdr:wsDr xmlns:xdr="urn:x" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        + "<a:p><a:r><a:t>本表</a:t></a:r><a:r><a:t>仅供内部使用</a:t></a:r></a:p></xdr:wsDr>".encode()
    )
    relation = b'<Relationship Id="d" Type="x/drawing" Target="../drawings/drawing1.xml"/></Relationships>'
    data = with_part(out.getvalue(), "xl/drawings/drawing1.xml", lambda _: drawing)
    data = with_part(
        data, "xl/worksheets/_rels/sheet1.xml.rels", lambda xml: xml.replace(b"</Relationships>", relation)
    )
    assert sorted(lines(sheet.read(data))) == sorted(
        ["姓名: 张三; 电话: 8001", "批注 A2：已于五月离职", "本表仅供内部使用"]
    )


def test_tables_below_and_beside_one_another_and_notes() -> None:
    parsed = sheet.read(
        workbook(
            rows(
                ["品名", "单价", None, "城市", "人口"],
                ["茶", 3, None, "甲城", "10万"],
                ["酒", 9, None, "乙城", "20万"],
                ["醋", 2, None, None, None],
                [],
                ["盐", 1],
                [],
                ["以上价格不含税。"],
                [],
                ["姓名", "电话"],
                ["张三", 8001],
            )
        )
    )
    assert lines(parsed) == [
        "品名: 茶; 单价: 3",
        "品名: 酒; 单价: 9",
        "品名: 醋; 单价: 2",
        "品名: 盐; 单价: 1",
        "城市: 甲城; 人口: 10万",
        "城市: 乙城; 人口: 20万",
        "以上价格不含税。",
        "姓名: 张三; 电话: 8001",
    ]
    assert parsed.blocks[-2].kind == "paragraph"
    text = sheet.read(workbook(rows(["第一条 本办法自发布之日起施行。"], ["第二条 由办公室解释。"])))
    assert [block.kind for block in text.blocks] == ["paragraph", "paragraph"]


def test_old_and_open_workbooks() -> None:
    old = xlwt.Workbook()
    page = old.add_sheet("价目")
    for number, row in enumerate((["品名", "单价", "日期"], ["茶", 3.5, datetime.date(2024, 5, 1)])):
        for column, value in enumerate(row):
            style = (
                xlwt.easyxf(num_format_str="YYYY-MM-DD")
                if isinstance(value, datetime.date)
                else xlwt.Style.default_style
            )
            page.write(number, column, value, style)
    out = io.BytesIO()
    old.save(out)
    assert lines(sheet.read(out.getvalue())) == ["价目", "品名: 茶; 单价: 3.5; 日期: 2024-05-01"]
    opened = OpenDocumentSpreadsheet()
    table = Table(name="价目")
    for row in (["品名", "单价"], ["茶", "3.5元"]):
        line = TableRow()
        for value in row:
            cell = TableCell(valuetype="string")
            cell.addElement(P(text=value))
            line.addElement(cell)
        table.addElement(line)
    opened.spreadsheet.addElement(table)
    out = io.BytesIO()
    opened.write(out)
    assert lines(sheet.read(out.getvalue())) == ["价目", "品名: 茶; 单价: 3.5元"]


XML = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Worksheet ss:Name="人员"><Table>
<Row><Cell ss:MergeAcross="2"><Data ss:Type="String">人员表</Data></Cell></Row>
<Row><Cell><Data ss:Type="String">姓名</Data></Cell><Cell ss:Index="3"><Data ss:Type="String">工号</Data></Cell></Row>
<Row ss:Index="4"><Cell><Data ss:Type="String">张三</Data></Cell>
<Cell ss:Index="3"><Data ss:Type="Number">12.0</Data></Cell></Row>
</Table></Worksheet></Workbook>"""


def test_what_is_called_xls_is_read_as_what_it_is() -> None:
    page = "<html><table><tr><td>姓名</td><td>电话</td></tr><tr><td>张三</td><td>8001</td></tr></table></html>"
    assert "8001" in sheet.read(page.encode("gbk")).text
    assert lines(sheet.read("姓名\t电话\n张三\t8001\n".encode("gbk"))) == ["姓名: 张三; 电话: 8001"]
    parsed = sheet.read(XML.encode())
    assert (parsed.title, lines(parsed)) == ("人员表", ["人员", "人员表", "姓名: 张三; 工号: 12"])


def refusal(data: bytes) -> str:
    with pytest.raises(ReadError) as error:
        sheet.read(data)
    return error.value.code


def test_hostile_workbooks_are_refused_with_a_reason() -> None:
    sound = workbook(rows(["姓名", "电话"], ["张三", 8001]))
    assert refusal(b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le")) == "E-PASSWORD"
    assert refusal(sound[: len(sound) // 2]) == "E-PARSE"
    assert refusal(workbook(rows())) == "E-EMPTY"
    far = workbook(lambda page: (page.cell(1, 1, "甲"), page.cell(1_048_576, 16_384, "乙")))  # type: ignore[arg-type]
    assert refusal(far) == "E-MEMORY"
    cell = b'<c r="A1" t="inlineStr"><is><t>' + b"A" * 110_000_000 + b"</t></is></c>"
    bomb = with_part(
        sound, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</sheetData>", cell + b"</sheetData>")
    )
    assert refusal(bomb) == "E-BOMB"
    entities = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%b">' % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(ord("b"), ord("k"))
    )
    lol = with_part(sound, "xl/styles.xml", lambda xml: entities + b"]><styleSheet>&j;</styleSheet>")
    assert refusal(lol).startswith("E-")
    claimed = with_part(sound, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"A1:B2", b"A1:XFD1048576"))
    assert lines(sheet.read(claimed)) == ["姓名: 张三; 电话: 8001"]


def test_a_directory_that_lies_about_sizes_does_no_harm() -> None:
    sound = workbook(rows(["姓名", "电话"], ["张三", 8001]))
    end = b"</sheetData>"
    data = with_part(sound, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(end, b" " * 150_000_000 + end))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        real = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    lie = data.replace(real.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    try:
        assert "8001" in sheet.read(lie).text
    except ReadError as error:
        assert error.code in ("E-PARSE", "E-MEMORY", "E-BOMB")
