"""bot.cli.passage: what a passage looks like in the terminal, wide, narrow and piped, with the evidence in its cell."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console

from bot.cli.passage import blocks_of, print_passage
from bot.corpus.blocks import BlockWriter
from bot.corpus.passages import blocks_in, cut
from bot.corpus.tables import Cell
from bot.index.build import build_index
from bot.pipeline import Bot
from bot.types import Document, Span

SCORES = [
    ["专业名称", "文史类最低", "理工类最低", "备注"],
    ["法学", "612", "605", ""],
    ["计算机科学与技术", "588", "620", "含中外合作办学，学费按学年收取，住宿费另计。"],
    ["临床医学", "", "641", ""],
]


def table(writer: BlockWriter, rows: Sequence[Sequence[str]]) -> None:
    writer.table([[Cell(text) for text in row] for row in rows])


def shown(
    writer: BlockWriter, *marks: str, width: int = 100, part: tuple[int, int] | None = None, colour: bool = False
) -> str:
    """The first passage as the terminal shows it, with the given texts marked."""
    parsed = writer.parsed()
    document = Document("a.xlsx", "", parsed.text, "a.xlsx", parsed.blocks)
    passage = cut(document)[0]
    places = [(passage.text.index(mark), len(mark)) for mark in marks]
    spans = [Span(place, place + length) for place, length in places]
    out = io.StringIO()
    console = Console(file=out, width=width, soft_wrap=True, force_terminal=colour)
    print_passage(console, passage, lambda passage: blocks_in(document, passage), spans, part)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def scores() -> BlockWriter:
    table(writer := BlockWriter(), SCORES)
    return writer


def test_rows_are_columns_under_their_names_and_the_mark_is_in_its_cell():
    lines = shown(scores(), "620").splitlines()
    header, rule, *rows = lines
    assert header.split() == SCORES[0]
    assert set(rule) == {"─"}
    left, right = header.index("理工类最低"), header.index("备注")
    place = cell_len(header[:left])
    for row, value in zip(rows, ["605", "【620】", "641"], strict=True):
        at = row.index(value)
        assert cell_len(row[:at]) == place  # characters of Chinese are two columns wide
    assert cell_len(rows[1][: rows[1].index("含中外")]) == cell_len(header[:right])


def test_a_mark_of_a_name_only_shows_in_the_cell_of_its_column():
    assert shown(scores(), "理工类最低").splitlines()[2].split() == ["法学", "612", "【605】"]
    row = shown(scores(), "专业名称: 临床医学; 理工类最低").splitlines()[-1]
    assert row.split() == ["【临床医学】", "641"]


def test_long_cells_are_wrapped_so_that_the_table_fits_and_nothing_is_lost():
    lines = shown(scores(), width=60).splitlines()
    assert max(map(cell_len, lines)) <= 60
    rows = "\n".join(lines[2:]).split("\n\n")  # an empty line keeps rows of several lines apart
    assert [row.split()[0] for row in rows] == ["法学", "计算机科学与技术", "临床医学"]
    assert "".join(line.split()[-1] for line in rows[1].splitlines()) == SCORES[2][3]


def test_a_narrow_terminal_shows_a_line_for_each_cell():
    assert shown(scores(), "620", width=39).splitlines()[4:8] == [
        "专业名称: 计算机科学与技术",
        "文史类最低: 588",
        "理工类最低: 【620】",
        "备注: 含中外合作办学，学费按学年收取，住宿费另计。",
    ]


def test_fields_of_a_form_stay_lines():
    table(writer := BlockWriter(), [["姓名：", "张三"], ["电话：", "110"], ["地址：", "杭州市西湖区"]])
    assert shown(writer, "110") == "姓名: 张三\n电话: 【110】\n地址: 杭州市西湖区"


def test_a_part_shows_whole_rows_and_where_text_is_missing():
    writer = BlockWriter()
    writer.paragraph("前言" * 20)
    table(writer, SCORES)
    writer.paragraph("后记" * 20)
    lines = shown(writer, part=(60, 70)).splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("…", "…", 5)
    assert lines[3].startswith("法学")
    assert shown(writer, part=(10, 30)).startswith("…")


def test_lists_headings_and_code_look_like_that_without_marks_of_markdown():
    writer = BlockWriter()
    writer.item("报名材料：身份证、\n户口本", "（一）")
    writer.item("照片两张", "1.", level=2)
    writer.code("def f():\n    return 1")
    writer.heading("附件", 1)
    lines = [
        "（一）报名材料：身份证、",
        "       户口本",
        "  1. 照片两张",
        "",
        "    def f():",
        "        return 1",
        "",
        "附件",
    ]
    assert shown(writer).splitlines() == lines
    assert "\x1b[1m附件" in shown(writer, colour=True)


def test_blocks_begin_and_end_with_their_passage():
    writer = BlockWriter()
    writer.paragraph("一句话在这里。" * 100)
    table(writer, SCORES)
    parsed = writer.parsed()
    document = Document("a.txt", "", parsed.text, "a.txt", parsed.blocks)
    for passage in cut(document, size=50):
        for block in blocks_in(document, passage):
            assert 0 <= block.start < block.end <= len(passage.text)
            assert all(0 <= left <= right <= len(passage.text) for left, right in block.cells)
    rows = [block for block in blocks_in(document, cut(document)[-1]) if block.cells]
    texts = [[cut(document)[-1].text[left:right] for left, right in row.cells] for row in rows]
    assert texts[-1] == ["临床医学", "641"]


@pytest.mark.slow
def test_the_blocks_are_those_of_the_live_generation(settings, embedder):
    bot = Bot(settings, embedder)
    passage = bot.search("赵州桥由谁设计", 1)[0].passage
    blocks = blocks_of(bot)
    assert "".join(passage.text[one.start : one.end] for one in blocks(passage)) == passage.text
    (settings.corpus / passage.document).write_text("# 赵州桥\n\n另写。\n", encoding="utf-8")
    build_index(settings, embedder)
    assert blocks_of(bot)(passage) == ()
