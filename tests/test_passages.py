"""bot.corpus.passages: offsets exact, every block in a passage or a field of one."""

from __future__ import annotations

from itertools import pairwise

from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.corpus.blocks import BlockWriter
from bot.corpus.passages import HEADING_SEPARATOR, cut
from bot.corpus.scan import SourceFile, read_document
from bot.corpus.tables import Cell
from bot.text.sentences import sentences
from bot.types import Document

_TEXTS = st.one_of(
    st.text("甲乙丙丁戊,、a1 ", max_size=60),
    st.text("青岛北京,。!?;“” \u3000\n", max_size=400),
    st.sampled_from(["同一行字", "1", "题目"]),
    st.text(max_size=30),
)
_BLOCKS = st.lists(st.tuples(st.sampled_from(["paragraph", "item", "code", "row", "1", "2", "3"]), _TEXTS), max_size=15)


def written(blocks, title: str = "") -> Document:
    """A document of (kind or level of a heading, text)."""
    writer = BlockWriter()
    for kind, text in blocks:
        if kind.isdecimal():
            writer.heading(text, int(kind))
        elif kind == "row":
            writer.table([[Cell(text), Cell("值")]], header_rows=0)
        else:
            writer.add(kind, text.strip())
    parsed = writer.parsed()
    return Document("a.txt", title, parsed.text, "a.txt", parsed.blocks, parsed.pages)


@settings(max_examples=200, deadline=None)
@given(_BLOCKS, st.integers(50, 500))
def test_offsets_are_exact_sizes_kept_and_nothing_is_lost(blocks, size):
    document = written(blocks, "题目")
    passages = cut(document, size)
    covered = [character.isspace() for character in document.text]
    for passage in passages:
        assert document.text[passage.start : passage.end] == passage.text
        assert 0 < len(passage.text) <= size
        assert passage.text == passage.text.strip()
        covered[passage.start : passage.end] = [True] * len(passage.text)
    fields = {"题目", *(heading for p in passages for heading in p.heading.split(HEADING_SEPARATOR))}
    for block in document.blocks:
        assert all(covered[block.start : block.end]) or document.text[block.start : block.end] in fields
    assert len({passage.id for passage in passages}) == len(passages)


@given(st.lists(st.text("青岛北京上海广州", min_size=20, max_size=90), min_size=8, max_size=30))
@settings(max_examples=50, deadline=None)
def test_a_long_paragraph_is_cut_at_sentence_borders_with_one_sentence_of_overlap(parts):
    text = "。".join(parts) + "。"
    passages = cut(written([("paragraph", text)]), 200)
    spans = list(sentences(text))
    starts, ends = {a for a, _ in spans}, {b for _, b in spans}
    assert all(p.start in starts and p.end in ends for p in passages)
    for left, right in pairwise(passages):
        last = max(a for a, b in spans if b == left.end)
        following = min(b for a, b in spans if a >= left.end)
        assert right.start == last or (following - last > 200 and right.start >= left.end)


def test_the_furniture_of_the_shipped_article_becomes_no_passage():
    shipped = read_document(ROOT / "corpus", SourceFile("qingdao-ai.txt", 0, 0)).document
    passages = cut(shipped)
    everything = "\n".join(passage.text for passage in passages)
    assert "快捷搜索" not in everything
    assert "图为2020年" not in everything
    assert "人工智能格局重塑,站上风口的青岛有机会实现跃升!" not in everything
    reasons = sorted(one.reason for one in shipped.left_out)
    assert reasons == ["caption", "menu"] + ["repeated title"] * 4 + ["section number"] * 3
    assert shipped.title == "人工智能格局重塑,站上风口的青岛有机会实现跃升!"
    headings = list(dict.fromkeys(passage.heading for passage in passages))
    assert headings == ["", "一骑绝尘的北京", "合肥赢在创投思维", "第二梯队有翻盘机会"]
    assert "第一为什么是北京?" in everything  # a short line of the body is no heading


def test_every_line_of_the_shipped_article_is_in_a_passage_or_named():
    shipped = read_document(ROOT / "corpus", SourceFile("qingdao-ai.txt", 0, 0)).document
    passages = "\n".join(f"{p.heading}\n{p.text}" for p in cut(shipped))
    named = {one.text for one in shipped.left_out} | {shipped.title}
    for line in (ROOT / "corpus" / "qingdao-ai.txt").read_text(encoding="utf-8").splitlines():
        text = " ".join(line.split())
        assert text in passages or text in named


def test_short_neighbours_of_one_section_are_joined_and_sections_are_not():
    passages = cut(
        written([("2", "第一章 起"), ("item", "甲。"), ("item", "乙。"), ("2", "第二章 承"), ("item", "丙。")]), 100
    )
    assert [(p.heading, p.text) for p in passages] == [("第一章 起", "甲。\n乙。"), ("第二章 承", "丙。")]


def test_headings_carry_those_above_them():
    blocks = [("1", "甲"), ("2", "乙"), ("paragraph", "正文一。"), ("2", "丙"), ("paragraph", "正文二。")]
    found = [(p.heading, p.text) for p in cut(written(blocks), 100)]
    assert found == [("甲 › 乙", "正文一。"), ("甲 › 丙", "正文二。")]


def test_headings_without_text_below_are_text_together():
    blocks = [("1", "封面"), ("2", "采购单位：云岭三中"), ("2", "地址：河西路"), ("1", "总则"), ("paragraph", "正文。")]
    found = [(p.heading, p.text) for p in cut(written(blocks), 100)]
    assert found == [("封面", "采购单位：云岭三中\n\n地址：河西路"), ("总则", "正文。")]
    assert [p.text for p in cut(written([("1", "只有题目")], "只有题目"), 100)] == ["只有题目"]


def test_the_title_stands_in_no_passage_even_between_other_lines():
    blocks = [("paragraph", "某某出版社"), ("1", "蜂蜜"), ("paragraph", "正文。")]
    assert [p.text for p in cut(written(blocks, "蜂蜜"), 100)] == ["某某出版社", "正文。"]


def test_a_passage_knows_the_page_where_it_begins():
    writer = BlockWriter()
    writer.begin_page()
    writer.paragraph("甲" * 80 + "。")
    writer.begin_page()
    writer.begin_page()
    writer.paragraph("乙" * 80 + "。")
    parsed = writer.parsed()
    document = Document("a.pdf", "", parsed.text, "a.pdf", parsed.blocks, parsed.pages)
    assert [(p.text[0], p.page) for p in cut(document, 100)] == [("甲", 1), ("乙", 3)]
