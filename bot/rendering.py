"""What the terminal prints: answers, hits, explanations, summaries and figures, for rich's console."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot.builder import Progress, Summary
from bot.calibration import Fit
from bot.excerpt import curated_label, pieces, printable, source_name
from bot.explanation import ExplainedHit, Explanation
from bot.types import BAD, GOOD, ODD, OFF, Answer, Evidence, Finding, Hit

MARK = "bold black on bright_yellow"
_ENTRIES_SHOWN = 50  # of a list; --json holds them all
_AROUND = 160  # characters shown before and after the evidence
FIELDS = {"body": "正文 body", "title": "标题 title", "heading": "小标题 heading"}
SIGNS = {GOOD: ("✓", ""), OFF: ("–", "dim"), ODD: ("!", "yellow"), BAD: ("✗", "red")}
MATCH_COLUMNS = ("词 term", "匹配 match", "权重 weight", "稀有度 rarity", "位置 where")


def render_answer(console: Console, answer: Answer, *, whole: bool = False) -> None:
    """Print the answer sentence first, then the numbered sources with the evidence marked.

    Above it, dimly, a follow-up question as it was understood.

    Piped output holds no colour: the evidence stands between 【 and 】 there.
    """
    if answer.standalone:
        console.print(Text(f"(理解为 / understood as: {printable(answer.standalone)})", style="dim"))
    console.print(Text(printable(answer.text), style="bold" if not answer.refused else ""))
    if answer.curated_source:
        url = f" {answer.curated_url}" if answer.curated_url else ""
        console.print(Text(printable(curated_label(answer) + answer.curated_source + url), style="dim"))
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
    console.print(Text(printable(_one_line(hit.passage.text, 120))))


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
            console.print(Text(f"   缺少 / missing: {printable(missing)}", style="yellow"))
    if not explanation.hits:
        render_hits(console, [])


def _match_table(explained: ExplainedHit) -> Table:
    table = Table(*MATCH_COLUMNS, box=None, pad_edge=False, header_style="dim")
    for match in explained.matches:
        words = printable(match.term.source), printable(match.alternative)
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
    if summary.curated.entries:
        report = summary.curated.report()
        line = f"  人工整理 / curated: {report['answers']} 个回答 / answers, {report['questions']} 个问法 / questions"
        console.print(Text(line))
    for skipped in summary.skipped:
        line = f"  跳过 / skipped {skipped.path}: {skipped.code} {skipped.reason}"
        console.print(Text(printable(line), style="yellow"))
    for path, warning in summary.warnings:
        console.print(Text(printable(f"  注意 / note {path}: {warning}"), style="yellow"))
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
    text = Text(prefix, style="bold cyan")
    text.append(source_name(hit), style="cyan")
    return text.append(f"  {printable(hit.passage.article_id)}:{hit.passage.start}", style="dim")


def _marked(console: Console, evidence: Evidence, *, whole: bool) -> Text:
    """The passage with its spans marked; unless `whole`, only the lines around the marks."""
    shown = Text()
    for text, is_marked in pieces(evidence, None if whole else _AROUND):
        if is_marked:
            shown.append(text if console.is_terminal else f"【{text}】", style=MARK)
        else:
            shown.append(text)
    return shown


def _one_line(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit] + "…"


def render_fits(console: Console, fits: Mapping[str, Fit]) -> None:
    """Print how the refitted refusal does on questions that it was not fitted to, at the bot's own threshold."""
    for language, fitted in fits.items():
        console.print(
            f"{language}: {fitted.answerable} 个有答案 / answerable, {fitted.unanswerable} 个没有 / unanswerable; "
            f"误拒 / false refusal {fitted.false_refusal:.3f}, 误答 / false answer {fitted.false_answer:.3f}, "
            f"AUROC {fitted.auroc:.3f}"
        )
    console.print("已保存,下一次提问生效 / saved: the next question uses it")


def render_sections(console: Console, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the sections of `wenqu info`; of a long list only the beginning."""
    for title, rows in sections.items():
        console.print(Text(title, style="bold"))
        for name, value in rows.items():
            shown = "; ".join(value[:_ENTRIES_SHOWN]) if isinstance(value, list) else value
            console.print(Text(f"  {name}: {shown}"))


def render_findings(console: Console, channel: str, findings: Iterable[Finding]) -> bool:
    """Print what was found of a channel, each as soon as it is; returns whether none of it is bad."""
    console.print(Text(channel, style="bold"))
    good = True
    for finding in findings:
        sign, style = SIGNS[finding.state]
        console.print(Text(f"  {sign} {printable(finding.text)}", style=style))
        good = good and finding.state != BAD
    return good


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """A progress bar on standard error that shows only where there is a terminal and something to wait for."""
    from rich import progress  # imported here: a plain question shows no bar

    bar = progress.Progress(
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    tasks: list[Any] = []

    def show(done: int, total: int) -> None:
        if not tasks:
            bar.start()
            tasks.append(bar.add_task("", total=total))
        bar.update(tasks[0], completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()
