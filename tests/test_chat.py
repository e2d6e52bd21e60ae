"""bot.cli.chat: marks in colour where there is a terminal, nothing that drives it."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from bot.cli import render
from bot.types import Answer, Evidence, Hit, Passage, Span

TEXT = "前面的话。答案在\x1b[31m这里\u202e。后面的话。"


def answer() -> Answer:
    passage = Passage("p", "a.txt", "标题", "小节", TEXT, 0, len(TEXT))
    evidence = Evidence(Hit(passage, 0.5), (Span(5, TEXT.index("后")),), 1)
    return Answer(
        "问", "答案在\x1b[31m这里。 [1]", False, 0.9, (evidence,), "passages", {"vectors": "没有"}, "gen-000001"
    )


def rendered(*, colour: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=colour, color_system="truecolor" if colour else None, soft_wrap=True)
    render.render_answer(console, answer())
    return stream.getvalue()


def test_plain_output_marks_with_brackets_and_drops_escapes():
    text = rendered(colour=False)
    assert "【答案在[31m这里。】后面的话。" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "标题 › 小节  a.txt:0" in text
    assert "(vectors: 没有)" in text


def test_a_terminal_gets_colour_and_only_our_own_escapes():
    text = rendered(colour=True)
    assert "【" not in text
    assert "\x1b[31m" not in text
    assert "\x1b[1;30;" in text


def test_the_short_answer_stands_above_in_bold_and_plain_in_a_pipe():
    def lines(said: Answer, *, colour: bool) -> list[str]:
        console = Console(
            file=io.StringIO(), force_terminal=colour, color_system="truecolor" if colour else None, soft_wrap=True
        )
        render.render_answer(console, said)
        return console.file.getvalue().splitlines()

    short = replace(answer(), short="\x1b[31m这\n里")
    assert lines(short, colour=False) == ["[31m这 里", *lines(answer(), colour=False)]
    coloured = lines(short, colour=True)
    assert coloured[:2] == ["\x1b[1m[31m这 里\x1b[0m", "答案在[31m这里。 [1]"]
    assert coloured[2:] == lines(answer(), colour=True)[1:]


def test_a_long_passage_is_shown_around_its_mark_and_whole_on_request():
    long = "开头。" + "无关的话。" * 100 + "这是证据。" + "别的话。" * 100 + "结尾。"
    start = long.index("这是证据。")
    evidence = Evidence(Hit(Passage("p", "a", "", "", long, 0, len(long)), 0.5), (Span(start, start + 5),), 1)
    long_answer = replace(answer(), evidence=(evidence,))

    def shown(*, whole: bool) -> str:
        console = Console(file=io.StringIO(), force_terminal=False, soft_wrap=True)
        render.render_answer(console, long_answer, whole=whole)
        return console.file.getvalue().splitlines()[-1]

    short = shown(whole=False)
    assert short.startswith("…")
    assert short.endswith("…")
    assert "【这是证据。】" in short
    assert shown(whole=True) == long.replace("这是证据。", "【这是证据。】")
