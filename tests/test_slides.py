"""Slides: titles, the order of reading, lists, tables, charts, diagrams, notes, furniture and pictures."""

from __future__ import annotations

import io

import pptx
import pytest
from documents import with_part
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml
from pptx.presentation import Presentation
from pptx.util import Inches, Pt

from bot.corpus.blocks import Parsed
from bot.corpus.readers import slides
from bot.errors import ReadError

DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def saved(show: Presentation) -> bytes:
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def lines(parsed: Parsed) -> list[str]:
    return [parsed.text[block.start : block.end] for block in parsed.blocks]


def box(slide, text: str, left: float, top: float, width: float = 3, height: float = 1, size: int = 0):
    shape = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(height))
    shape.text_frame.text = text
    if size:
        shape.text_frame.paragraphs[0].runs[0].font.size = Pt(size)
    return shape


def test_slides_are_pages_with_titles_items_and_notes() -> None:
    show = pptx.Presentation()
    first = show.slides.add_slide(show.slide_layouts[0])
    first.shapes.title.text, first.placeholders[1].text = "医保控费系统介绍", "信息科"
    second = show.slides.add_slide(show.slide_layouts[1])
    second.shapes.title.text = "主要功能"
    body = second.placeholders[1].text_frame
    body.text = "事前提醒"
    deeper = body.add_paragraph()
    deeper.text, deeper.level = "医生站弹窗", 1
    second.notes_slide.notes_text_frame.text = "此处演示三分钟。"
    second._element.set("show", "0")
    parsed = slides.read(saved(show))
    assert parsed.title == "医保控费系统介绍"
    assert lines(parsed) == [
        "医保控费系统介绍",
        "信息科",
        "主要功能",
        "• 事前提醒",
        "• 医生站弹窗",
        "备注：此处演示三分钟。",
    ]
    assert [(block.kind, block.level) for block in parsed.blocks[2:5]] == [("heading", 1), ("item", 1), ("item", 2)]
    assert parsed.text[parsed.pages[1] :].lstrip().startswith("主要功能")


def test_boxes_are_read_in_columns_and_the_line_at_the_top_is_the_title() -> None:
    show = pptx.Presentation()
    cover = show.slides.add_slide(show.slide_layouts[6])
    box(cover, "2020年10月", 3, 5, size=18)
    box(cover, "年度工作汇报", 3, 2, size=44)
    slide = show.slides.add_slide(show.slide_layouts[6])
    box(slide, "右下", 5, 4)
    box(slide, "左下", 1, 4)
    box(slide, "右上", 5, 2)
    box(slide, "左上", 1, 2)
    box(slide, "两项措施", 1, 0.3, width=8)
    parsed = slides.read(saved(show))
    assert parsed.title == "年度工作汇报"
    assert lines(parsed) == ["年度工作汇报", "2020年10月", "两项措施", "左上", "左下", "右上", "右下"]


def test_automatic_numbers_are_written_out() -> None:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[6])
    frame = box(slide, "甲", 1, 1).text_frame
    for text in ("乙", "说明", "丙"):
        frame.add_paragraph().text = text
    kinds = ("ea1ChsPeriod", "ea1ChsPeriod", "", "romanUcPeriod")
    for paragraph, kind in zip(frame.paragraphs, kinds, strict=True):
        if kind:
            properties = paragraph._p.get_or_add_pPr()
            properties.append(parse_xml(f'<a:buAutoNum xmlns:a="{DRAWING}" type="{kind}" startAt="2"/>'))
    assert lines(slides.read(saved(show))) == ["二、甲", "三、乙", "说明", "II. 丙"]


def test_tables_charts_diagrams_groups_and_alternatives() -> None:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[6])
    table = slide.shapes.add_table(3, 3, Inches(1), Inches(1), Inches(6), Inches(1)).table
    for row, texts in enumerate((("地区", "销售额", ""), ("", "上年", "本年"), ("华北", "10", "12"))):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(0, 1).merge(table.cell(0, 2))
    data = CategoryChartData()
    data.categories = ["2022年", "2023年"]
    data.add_series("收入", (4.3, 5.1))
    chart = slide.shapes.add_chart(
        XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(3), Inches(4), Inches(1), data
    ).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "收入（亿元）"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(5), Inches(2), Inches(1)).text_frame.text = "组内文字"
    wrapped = box(slide, "新版才有的文字", 1, 6)._element
    choice = parse_xml(
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        '<mc:Choice Requires="a14"/><mc:Fallback/></mc:AlternateContent>'
    )
    wrapped.addprevious(choice)
    choice[0].append(wrapped)
    assert lines(slides.read(saved(show))) == [
        "地区: 华北; 销售额上年: 10; 销售额本年: 12",
        "收入（亿元）",
        "2022年; 收入: 4.3",
        "2023年; 收入: 5.1",
        "组内文字",
        "新版才有的文字",
    ]


def test_numbers_and_footers_of_slides_are_named_as_furniture_and_pictures_kept_once() -> None:
    show = pptx.Presentation()
    picture = io.BytesIO()
    Image.new("RGB", (80, 80), "red").save(picture, "PNG")
    small = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(small, "PNG")
    for number in (1, 2):
        slide = show.slides.add_slide(show.slide_layouts[6])
        box(slide, f"第{number}部分的内容在这里。", 1, 2)
        for kind, text in (("ftr", "某某公司"), ("sldNum", str(number))):
            shape = box(slide, text, 1, 6)._element
            shape.nvSpPr.nvPr.append(
                parse_xml(f'<p:ph xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" type="{kind}"/>')
            )
        for each in (picture, small):
            slide.shapes.add_picture(io.BytesIO(each.getvalue()), Inches(5), Inches(2))
    parsed = slides.read(saved(show))
    assert lines(parsed) == ["第1部分的内容在这里。", "第2部分的内容在这里。"]
    assert [(one.text, one.reason, one.page) for one in parsed.left_out] == [
        ("某某公司", "running head", 1),
        ("1", "page number", 1),
        ("某某公司", "running head", 2),
        ("2", "page number", 2),
    ]
    assert [(one.type, parsed.text[one.at :][:3]) for one in parsed.pictures] == [
        ("image/png", "第2部")
    ]  # after the first


def test_hostile_slides_are_refused_with_a_reason() -> None:
    show = pptx.Presentation()
    box(show.slides.add_slide(show.slide_layouts[6]), "内容", 1, 1)
    sound, part = saved(show), "ppt/slides/slide1.xml"

    def code(data: bytes) -> str:
        with pytest.raises(ReadError) as error:
            slides.read(data)
        return error.value.code

    assert code(b"\xd0\xcf\x11\xe0" + bytes(600)) == "E-FORMAT"
    assert code(b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le")) == "E-PASSWORD"
    assert code(sound[: len(sound) // 2]) == "E-PARSE"
    assert (
        code(with_part(sound, part, lambda xml: xml.replace(b"<p:spTree>", b"<p:spTree>" + b" " * 110_000_000)))
        == "E-BOMB"
    )
    entities = b"".join(
        b'<!ENTITY %c "%b">' % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(ord("b"), ord("k"))
    )
    billion = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + entities + b"]><p:sld"
    assert code(
        with_part(sound, part, lambda xml: xml.replace(b"<p:sld", billion, 1).replace("内容".encode(), b"&j;"))
    ).startswith("E-")
    deep = b"<p:grpSp>" * 3000 + b"</p:grpSp>" * 3000
    nested = with_part(sound, part, lambda xml: xml.replace(b"</p:spTree>", deep + b"</p:spTree>"))
    assert code(nested).startswith("E-")
    many = with_part(
        sound,
        part,
        lambda xml: xml.replace(
            b"</p:spTree>", xml[xml.index(b"<p:sp>") : xml.index(b"</p:spTree>")] * 3000 + b"</p:spTree>"
        ),
    )
    assert len(lines(slides.read(many))) == 3001
