"""The terminal: an answer as text with the evidence marked, and the `chat` loop."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot.builder import Summary
from bot.errors import WenquError
from bot.explanation import ExplainedHit, Explanation
from bot.pipeline import Bot
from bot.types import Answer, Evidence, Hit, Span

MARK = "bold black on bright_yellow"
# Escape sequences and direction marks of an article must not drive somebody's terminal.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
HELP = """直接输入问题,中文或英文 / Type a question, in Chinese or English
  /search 词  只看检索到的段落 / the passages found, without an answer
  /sources   上一个回答的全部来源 / the sources of the last answer, whole
  /clear     清屏 / clear the screen
  /help      这一页 / this page
  /quit      退出,也可以按 Ctrl-D / leave, as does Ctrl-D"""
FIELDS = {"body": "正文 body", "title": "标题 title", "heading": "小标题 heading"}
MATCH_COLUMNS = ("词 term", "匹配 match", "权重 weight", "稀有度 rarity", "位置 where")


def render_answer(console: Console, answer: Answer, *, whole: bool = False) -> None:
    """Print the answer sentence first, then the numbered sources with the evidence marked.

    Piped output holds no colour: the evidence stands between 【 and 】 there.
    """
    console.print(Text(_printable(answer.text), style="bold" if not answer.refused else ""))
    for part, reason in answer.degraded.items():
        console.print(Text(f"({part}: {reason})", style="dim"))
    for evidence in answer.evidence:
        console.print()
        console.print(_heading(f"[{evidence.number}] ", evidence.hit))
        console.print(_marked(console, evidence, whole=whole))


def render_hits(console: Console, hits: list[Hit]) -> None:
    """Print passages with what ranks them: the fused score, and each leg's raw score and rank."""
    if not hits:
        console.print("没有匹配的段落 / no passage matches")
    for number, hit in enumerate(hits, start=1):
        _print_hit(console, number, hit)


def _print_hit(console: Console, number: int, hit: Hit) -> None:
    console.print(_heading(f"{number}. ", hit))
    legs = []
    if hit.rank_lexical:
        legs.append(f"lexical #{hit.rank_lexical} {hit.lexical:.2f}")
    if hit.rank_dense:
        legs.append(f"dense #{hit.rank_dense} {hit.dense:.3f}")
    console.print(Text(f"   {hit.score:.3f} = {', '.join(legs)}  {hit.passage.id}", style="dim"))
    console.print(Text(_printable(_one_line(hit.passage.text, 120))))


def render_explanation(console: Console, explanation: Explanation) -> None:
    """Print whether the bot would answer, then each passage with its scores and the terms that it holds."""
    sign, verdict = ("<", "拒答 / refused") if explanation.refused else ("≥", "回答 / answered")
    figures = f"{explanation.confidence:.3f} {sign} 阈值 / threshold {explanation.threshold:g}: {verdict}"
    console.print(Text(f"置信度 / confidence {figures}", style="bold"))
    for number, explained in enumerate(explanation.hits, start=1):
        console.print()
        _print_hit(console, number, explained.hit)
        if explained.matches:
            console.print(Padding(_match_table(explained), (0, 0, 0, 3)))
        if explained.missing:
            missing = "、".join(term.source for term in explained.missing)
            console.print(Text(f"   缺少 / missing: {_printable(missing)}", style="yellow"))
    if not explanation.hits:
        render_hits(console, [])


def _match_table(explained: ExplainedHit) -> Table:
    table = Table(*MATCH_COLUMNS, box=None, pad_edge=False, header_style="dim")
    for match in explained.matches:
        words = _printable(match.term.source), _printable(match.alternative)
        weight = f"{match.term.alternatives[match.alternative]:.2f}"
        where = ", ".join(FIELDS[field] for field in match.fields)
        table.add_row(*map(Text, (*words, weight, f"{match.term.rarity:.2f}", where)))
    return table


def render_summary(console: Console, summary: Summary) -> None:
    """Print what an index run did, and what it left out and why."""
    console.print(
        Text(
            f"{summary.generation}: {summary.articles} 篇文章 / articles, {summary.passages} 个段落 / passages, "
            f"{len(summary.skipped)} 个跳过 / skipped, {summary.seconds:.1f} s"
        )
    )
    if summary.dictionary.entries:
        report = summary.dictionary.report()
        console.print(
            Text(f"  词典 / dictionary: {report['words']} 个词 / words, {report['aliases']} 个别名 / aliases")
        )
    for skipped in summary.skipped:
        line = f"  跳过 / skipped {skipped.path}: {skipped.code} {skipped.reason}"
        console.print(Text(_printable(line), style="yellow"))
    for path, warning in summary.warnings:
        console.print(Text(_printable(f"  注意 / note {path}: {warning}"), style="yellow"))
    if summary.dropped:
        lines = ", ".join(f"{reason} {count}" for reason, count in sorted(summary.dropped.items()))
        console.print(Text(f"  未收入的行 / lines left out: {lines}", style="dim"))


def render_figures(console: Console, result: dict[str, dict[str, Any]]) -> None:
    """Print the figures of an evaluation: a row a figure, a column a language."""
    table = Table("", *result)
    for name in result["all"]:
        table.add_row(name, *("-" if part[name] is None else f"{part[name]:g}" for part in result.values()))
    console.print(table)


def _heading(prefix: str, hit: Hit) -> Text:
    passage = hit.passage
    parts = [passage.title or passage.article_id, passage.heading]
    text = Text(prefix, style="bold cyan")
    text.append(_printable(" › ".join(filter(None, parts))), style="cyan")
    return text.append(f"  {_printable(passage.article_id)}:{passage.start}", style="dim")


def _marked(console: Console, evidence: Evidence, *, whole: bool) -> Text:
    """The passage with its spans marked; unless `whole`, only the lines around the first mark."""
    text, spans = evidence.hit.passage.text, evidence.spans
    start, end = (0, len(text)) if whole else _excerpt(text, spans)
    shown = Text("…" if start else "")
    position = start
    for span in spans:
        left, right = max(span.start, start), min(span.end, end)
        if left >= right:
            continue
        shown.append(_printable(text[position:left]))
        marked = _printable(text[left:right])
        shown.append(marked if console.is_terminal else f"【{marked}】", style=MARK)
        position = right
    return shown.append(_printable(text[position:end])).append("…" if end < len(text) else "")


def _excerpt(text: str, spans: tuple[Span, ...], around: int = 160) -> tuple[int, int]:
    start = max(0, spans[0].start - around)
    end = min(len(text), spans[-1].end + around)
    return (0, len(text)) if len(text) <= 2 * around + 80 else (start, end)


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("", text)


def _one_line(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit] + "…"


def chat(bot: Bot, console: Console, *, keep_history: bool) -> None:
    """Ask and answer until /quit or Ctrl-D. Without a terminal: one question a line of standard input, no prompt."""
    last: list[Answer] = []
    if not sys.stdin.isatty():
        for line in sys.stdin:
            if line.strip():
                _turn(bot, console, line.strip(), last)
        return
    read = _reader(keep_history)
    console.print(Text("问渠 Wenqu — /help 帮助, /quit 退出", style="dim"))
    while True:
        try:
            line = read().strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if line in ("/quit", "/exit", "/q"):
            return
        if line:
            _turn(bot, console, line, last)


def _reader(keep_history: bool) -> Callable[[], str]:
    """A prompt that edits wide characters rightly (the readline of the standard library drifts on them)."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    history: History = InMemoryHistory()
    if keep_history:
        file = Path(platformdirs.user_state_dir("wenqu")) / "history"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            history = FileHistory(str(file))
        except OSError:
            pass  # a home that cannot be written costs the history, not the chat
    commands = WordCompleter(["/help", "/search ", "/sources", "/clear", "/quit"], sentence=True)
    session: PromptSession[str] = PromptSession("问> ", history=history, completer=commands)
    return session.prompt


def _turn(bot: Bot, console: Console, line: str, last: list[Answer]) -> None:
    command, _, rest = line.partition(" ")
    try:
        if command == "/help":
            console.print(Text(HELP))
        elif command == "/clear":
            console.clear()
        elif command == "/sources":
            _sources(console, last)
        elif command == "/search":
            render_hits(console, bot.search(rest, bot.settings.sources + 2))
        elif command.startswith("/") and len(command) > 1:
            console.print(Text(f"没有命令 {_printable(command)},输入 /help / unknown command: type /help"))
        else:
            last[:] = [bot.ask(line)]
            render_answer(console, last[0])
    except WenquError as error:
        console.print(Text(_printable(str(error)), style="yellow"))
    except KeyboardInterrupt:
        console.print(Text("已停止 / stopped", style="dim"))
    console.print()


def _sources(console: Console, last: list[Answer]) -> None:
    if not last or not last[0].evidence:
        console.print("还没有来源:先提一个问题 / no sources yet: ask a question first")
        return
    render_answer(console, last[0], whole=True)
