"""bot.passages: offsets exact, nothing lost, junk named."""

from __future__ import annotations

from itertools import pairwise

from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.corpus import SourceFile, read_article
from bot.passages import HEADING_SEPARATOR, cut
from bot.text import sentences
from bot.types import Article

_LINES = st.one_of(
    st.text("甲乙丙丁戊,、a1 ", max_size=60),
    st.text("青岛北京,。!?;“” \u3000", max_size=400),
    st.sampled_from(
        ["1", "第二章 结构", "# 标题", "图为一张图", "快捷搜索: 甲  乙", "同一行字", "同一行字", "***", ""]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)


def article(text: str, title: str = "") -> Article:
    return Article("a.txt", title, text, "a.txt")


@settings(max_examples=200, deadline=None)
@given(st.lists(_LINES, max_size=12).map("\n".join), st.integers(50, 500))
def test_offsets_are_exact_sizes_kept_and_nothing_is_lost(text, size):
    whole = article(text, "同一行字")
    passages, dropped = cut(whole, size)
    covered = [False] * len(text)
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert 0 < len(passage.text) <= size
        assert passage.text == passage.text.strip()
        covered[passage.start : passage.end] = [True] * len(passage.text)
    covered = [seen or character.isspace() for seen, character in zip(covered, text, strict=True)]
    for line in dropped:
        assert all(p.end <= line.start or p.start >= line.end for p in passages)
        covered[line.start : line.end] = [True] * (line.end - line.start)
    left = [line.strip() for line, start in _lines(text) if not all(covered[start : start + len(line.strip())])]
    known = {whole.title, *(heading for p in passages for heading in p.heading.split(HEADING_SEPARATOR))}
    assert {line.lstrip("#").strip() for line in left} <= {heading.strip() for heading in known}
    assert len({passage.id for passage in passages}) == len(passages)


def _lines(text: str):
    """The lines that hold something, each with the offset of its first visible character."""
    position = 0
    for line in text.split("\n"):
        if line.strip():
            yield line, position + line.index(line.strip())
        position += len(line) + 1


@given(st.lists(st.text("青岛北京上海广州", min_size=20, max_size=90), min_size=8, max_size=30))
@settings(max_examples=50, deadline=None)
def test_a_long_paragraph_is_cut_at_sentence_borders_with_one_sentence_of_overlap(parts):
    text = "。".join(parts) + "。"
    passages, _ = cut(article(text), 200)
    spans = list(sentences(text))
    starts, ends = {a for a, _ in spans}, {b for _, b in spans}
    assert all(p.start in starts and p.end in ends for p in passages)
    for left, right in pairwise(passages):
        last = max(a for a, b in spans if b == left.end)
        following = min(b for a, b in spans if a >= left.end)
        assert right.start == last or (following - last > 200 and right.start >= left.end)


def test_the_junk_of_the_shipped_article_becomes_no_passage():
    shipped, _, _ = read_article(ROOT / "corpus", SourceFile("qingdao-ai.txt", 0, 0))
    passages, dropped = cut(shipped)
    everything = "\n".join(passage.text for passage in passages)
    assert "快捷搜索" not in everything
    assert "图为2020年" not in everything
    assert "人工智能格局重塑,站上风口的青岛有机会实现跃升!" not in everything
    reasons = sorted(line.reason for line in dropped)
    assert reasons == ["caption", "navigation"] + ["repeated"] * 4 + ["section number"] * 3
    assert shipped.title == "人工智能格局重塑,站上风口的青岛有机会实现跃升!"
    headings = list(dict.fromkeys(passage.heading for passage in passages))
    assert headings == ["", "一骑绝尘的北京", "合肥赢在创投思维", "第二梯队有翻盘机会"]
    assert "第一为什么是北京?" in everything  # a short line of the body is no heading


def test_every_sentence_of_the_shipped_article_is_in_a_passage_or_named():
    shipped, _, _ = read_article(ROOT / "corpus", SourceFile("qingdao-ai.txt", 0, 0))
    passages, dropped = cut(shipped)
    kept = [(p.start, p.end) for p in passages] + [(d.start, d.end) for d in dropped]
    headings = {shipped.title, *(p.heading for p in passages)}
    for start, end in sentences(shipped.text):
        assert any(a <= start and end <= b for a, b in kept) or shipped.text[start:end] in headings


def test_short_neighbours_of_one_section_are_joined_and_sections_are_not():
    text = "第一章 起\n甲。\n乙。\n第二章 承\n丙。"
    passages, _ = cut(article(text), 100)
    assert [(p.heading, p.text) for p in passages] == [("第一章 起", "甲。\n乙。"), ("第二章 承", "丙。")]


def test_headings_carry_those_above_them_and_an_empty_one_is_named():
    passages, dropped = cut(article("# 甲\n## 乙\n正文一。\n## 丙\n正文二。\n# 丁\n## 戊\n"), 100)
    assert [(p.heading, p.text) for p in passages] == [("甲 › 乙", "正文一。"), ("甲 › 丙", "正文二。")]
    assert [line.reason for line in dropped] == ["heading without text"] * 2
