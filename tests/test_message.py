"""bot.channels.message: answers as messages; what articles say is shown, and never becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.channels.message import (
    MARKDOWN,
    PLAIN,
    PREFACE,
    SLACK,
    WITHOUT_MODEL,
    bold,
    escape_markdown,
    escape_slack,
    pages,
    render,
    source_url,
)
from bot.types import Answer, Evidence, Hit, Passage, Span

HOSTILE = (
    "前文。**粗** _斜_ `码` <b>标签</b> <!channel> <@U1> ![图](http://x.example/a.png) [链接](http://x.example)\n"
    "# 标题\n- 列表\n1. 数\n> 引用 | 表 | ~~删~~ &amp; \\ [1]: http://x.example"
)


def answered(text: str, *spans: tuple[int, int], query: str = "问题") -> Answer:
    hit = Hit(Passage("p/1", "a.txt", "标题*", "小节", text, 0, len(text)), 0.5)
    evidence = Evidence(hit, tuple(Span(*span) for span in spans), 1)
    shown = " ".join(text[start:end] for start, end in spans)
    return Answer(query, f"{shown} [1]", False, 0.9, (evidence,), "passages", {}, "gen-000001")


def shown_text(markdown: str) -> str:
    """What a reader of rendered Markdown sees."""
    return "".join(
        child.content if child.type == "text" else "\n" if child.type in ("softbreak", "hardbreak") else ""
        for token in MarkdownIt().parse(markdown)
        for child in token.children or ()
    )


def kinds(markdown: str) -> set[str]:
    tokens = MarkdownIt().parse(markdown)
    return {t.type for t in tokens} | {c.type for t in tokens for c in t.children or ()}


def test_an_answer_names_its_source_and_marks_the_evidence_in_every_markup():
    text = "先是甲。后来是乙。最后是丙。"
    answer = answered(text, (4, 9))
    assert render(answer, PLAIN) == "后来是乙。 [1]\n\n来源:\n\n[1] 标题* › 小节\n先是甲。【后来是乙。】最后是丙。"
    markdown = render(answer, MARKDOWN)
    assert "> 先是甲。**后来是乙**。最后是丙。" in markdown
    assert "strong_open" in kinds(markdown)
    assert r"[1] 标题\* › 小节" in markdown
    linked = render(answer, MARKDOWN, "https://qa.example/")
    assert r"[标题\* › 小节](https://qa.example/source/p%2F1?mark=4-9#cited)" in linked
    assert render(answered(text, (4, 9), query="why?"), PLAIN).count("Sources:") == 1


def test_the_short_answer_stands_above_the_sentence_that_it_is_from():
    answer = answered("先是甲。后来是乙。", (4, 9))
    short = replace(answer, short="乙")
    assert render(short, PLAIN) == f"【乙】\n\n{render(answer, PLAIN)}"
    assert render(short, MARKDOWN) == f"**乙**\n\n{render(answer, MARKDOWN)}"
    assert render(short, SLACK) == f"**乙**\n\n{render(answer, SLACK)}"
    worded = replace(short, text="模型说是乙。[1]", mode="llm")
    assert render(worded, MARKDOWN).startswith("**乙**\n\n模型说是乙。[1]\n\n来源:")
    leaned = replace(short, standalone="后来是什么?", mode="passages_only")
    above = f"{WITHOUT_MODEL['zh']}\n\n（理解为:后来是什么?）\n\n"
    assert render(leaned, MARKDOWN).startswith(f"{above}**乙**\n\n后来是乙。 [1]\n\n")
    for one in (answer, short, worded, leaned):
        assert PREFACE.sub("", render(one, MARKDOWN)).startswith(f"{one.text}\n\n来源:")


@pytest.mark.parametrize("words", ["95%", "-5℃", "《乙》", "$1*2_3*", "<!channel> & 丙", "1. 甲", "甲\n乙", "# 甲"])
def test_a_short_answer_is_bold_as_a_whole_and_never_becomes_markup(words):
    answer = replace(answered(f"是{words}。", (1, 1 + len(words))), short=words)
    line = render(answer, MARKDOWN).split("\n\n")[0]
    assert kinds(line) - {"text_special"} == {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "strong_open",
        "strong_close",
        "text",
    }
    assert shown_text(line) == " ".join(words.split())
    assert re.fullmatch(r"\*\*.+\*\*", line)
    assert not re.search("[<>]", render(answer, SLACK).split("\n\n")[0])


def test_an_excerpt_begins_with_a_word_and_keeps_its_paragraphs():
    text = "很长的前文" * 30 + "一句。二句!\n\n第三段。" + "很长的后文" * 30
    start = text.index("第三段")
    shown = render(answered(text, (start, start + 4)), MARKDOWN).split("\n\n")[-1]
    lines = shown.split("\n")
    assert lines[1].startswith("> …前文很长")
    assert lines[2:4] == ["> ", "> **第三段**。" + lines[3][len("> **第三段**。") :]]
    short = "。" * 60 + "证据在这里。" + "后" * 200
    assert render(answered(short, (60, 66)), PLAIN).split("\n")[-1].startswith("…【证据在这里。】")


def test_a_refusal_is_only_its_words():
    refusal = Answer("问题", "资料中没有找到相关内容。", True, 0.1, (), "passages", {}, "gen-000001")
    assert render(refusal, MARKDOWN) == "资料中没有找到相关内容。"


def test_text_of_an_article_never_becomes_markup():
    escaped = escape_markdown(HOSTILE)
    found = kinds(escaped)
    assert found <= {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "text_special"}, found
    slack = escape_slack(HOSTILE)
    assert not re.search(r"[<>]", slack)
    assert not re.search(r"&(?!amp;|lt;|gt;)", slack)


@settings(deadline=None)  # the first example imports the Markdown parser
@given(st.text(st.sampled_from('甲乙。,*_`<>[]()!#-+1.\\|~& \n"“'), max_size=40))
def test_escaped_markdown_reads_as_the_text(text):
    wanted = re.sub(r"\s+", "", text)
    assert re.sub(r"\s+", "", shown_text(escape_markdown(text))) == wanted


@pytest.mark.parametrize("span", ["“引用。”", "乙。", "(括号)", "乙", "……"])
def test_bold_is_bold_between_chinese_letters(span):
    markdown = f"甲{bold(escape_markdown(span))}丙"
    assert ("strong_open" in kinds(markdown)) == bool(re.search(r"\w", span))
    assert shown_text(markdown) == f"甲{span}丙"


def test_pages_stay_under_their_bytes_and_lose_nothing():
    text = "第一句话说了很多。第二句话也说了很多!" * 40 + "\n" + "没有句号的一长串" * 60
    for limit in (60, 100, 2048):
        cut = pages(text, limit, reserve=20)
        assert all(len(page.encode()) <= limit for page in cut)
        assert all(len(page.encode()) <= limit - 20 for page in cut[:-1])
        assert re.sub(r"\s", "", "".join(cut)) == re.sub(r"\s", "", text)
    assert pages("第一句。第二句话。第三句话也在这里。", 40)[0] == "第一句。第二句话。"
    assert pages("短", 2048) == ["短"]
    assert pages("一😀" * 10, 16)[0] == "一😀一😀"  # a character of four bytes stays whole


def test_a_source_url_holds_the_marks():
    (evidence,) = answered("先是甲。后来是乙。", (0, 4), (4, 9)).evidence
    assert source_url(evidence, "https://qa.example") == "https://qa.example/source/p%2F1?mark=0-4,4-9#cited"
