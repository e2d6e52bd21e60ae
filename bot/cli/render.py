"""Prints answers, hits, explanations, summaries and figures to the terminal, with rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot.answer.excerpt import curated_label, excerpt, source_name
from bot.answer.explanation import ExplainedHit, Explanation
from bot.calibration import Fit
from bot.cli.doctor.findings import BAD, GOOD, ODD, OFF, Finding
from bot.cli.passage import Blocks, no_blocks, print_passage
from bot.corpus.loss import reason_in_words
from bot.index.build import Progress, Summary
from bot.text.printable import one_line, printable
from bot.types import Answer, Hit

_ENTRIES_SHOWN = 50  # of a list; --json shows all of them
_AROUND = 160  # characters shown before and after the evidence
_BEGINNING = 120  # characters of a passage that was found
FIELDS = {"body": "正文 body", "title": "标题 title", "heading": "小标题 heading"}
SIGNS = {GOOD: ("✓", ""), OFF: ("–", "dim"), ODD: ("!", "yellow"), BAD: ("✗", "red")}
MATCH_COLUMNS = ("词 term", "匹配 match", "权重 weight", "稀有度 rarity", "位置 where")


def render_answer(console: Console, answer: Answer, blocks: Blocks = no_blocks, *, whole: bool = False) -> None:
    """Print the short answer, the text, then the numbered sources with the evidence marked; with `whole` in full.

    `blocks` says what the passages are made of, so that tables and lists look like that. A follow-up question is shown
    above as it was understood. Piped output has no colour, so there the evidence is enclosed in 【 and 】.
    """
    if answer.standalone:
        console.print(Text(f"(理解为 / understood as: {printable(answer.standalone)})", style="dim"))
    if answer.short:
        console.print(Text(one_line(answer.short), style="bold"))
    console.print(Text(printable(answer.text), style="" if answer.short or answer.refused else "bold"))
    if answer.curated_source:
        url = f" {answer.curated_url}" if answer.curated_url else ""
        console.print(Text(printable(curated_label(answer) + answer.curated_source + url), style="dim"))
    for part, reason in answer.degraded.items():
        console.print(Text(f"({part}: {reason})", style="dim"))
    if answer.nearest:
        console.print(Text("最接近的段落 / the nearest passages:", style="dim"))
    for hit in answer.nearest:
        console.print(Text(f"· {source_name(hit, hit.passage.page)}", style="dim"))
    for evidence in answer.evidence:
        console.print()
        console.print(_heading(f"[{evidence.number}] ", evidence.hit, evidence.page))
        spans = evidence.spans
        shown = excerpt(evidence.hit.passage.text, spans, None if whole else _AROUND)
        print_passage(console, evidence.hit.passage, blocks, spans, shown)


def render_hits(console: Console, hits: list[Hit], blocks: Blocks = no_blocks) -> None:
    """Print passages with the fused score, and the raw score and rank of each leg."""
    if not hits:
        console.print("没有匹配的段落 / no passage matches")
    for number, hit in enumerate(hits, start=1):
        _print_hit(console, number, hit, blocks)


def _print_hit(console: Console, number: int, hit: Hit, blocks: Blocks) -> None:
    console.print(_heading(f"{number}. ", hit, hit.passage.page))
    legs = []
    if hit.rank_lexical:
        legs.append(f"lexical #{hit.rank_lexical} {hit.lexical:.2f}")
    if hit.rank_dense:
        legs.append(f"dense #{hit.rank_dense} {hit.dense:.3f}")
    console.print(Text(f"   {hit.score:.3f} = {', '.join(legs)}  {hit.passage.id}", style="dim"))
    print_passage(console, hit.passage, blocks, shown=(0, _BEGINNING))


def render_explanation(console: Console, explanation: Explanation, blocks: Blocks = no_blocks) -> None:
    """Print whether the bot would answer, then each passage with its scores and the terms that it contains."""
    sign, verdict = ("<", "拒答 / refused") if explanation.refused else ("≥", "回答 / answered")
    figures = f"{explanation.confidence:.3f} {sign} 阈值 / threshold {explanation.threshold:g}: {verdict}"
    console.print(Text(f"置信度 / confidence {figures}", style="bold"))
    for number, explained in enumerate(explanation.hits, start=1):
        console.print()
        _print_hit(console, number, explained.hit, blocks)
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
            f"{summary.generation}: {summary.articles} 份资料 / documents, {summary.passages} 个段落 / passages, "
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
    for path, loss in summary.losses:
        console.print(Text(printable(f"  注意 / note {path}: {loss}"), style="yellow"))
    if summary.left_out:
        counts = ", ".join(f"{reason_in_words(reason)} {count}" for reason, count in sorted(summary.left_out.items()))
        console.print(Text(printable(f"  略去 / left out: {counts}"), style="dim"))


def render_figures(console: Console, result: dict[str, dict[str, Any]]) -> None:
    """Print the figures of an evaluation, one row per figure and one column per language."""
    table = Table("", *result)
    for name in result["all"]:
        table.add_row(name, *("—" if part[name] is None else f"{part[name]:g}" for part in result.values()))
    console.print(table)


def _heading(prefix: str, hit: Hit, page: int) -> Text:
    text = Text(prefix, style="bold cyan")
    text.append(source_name(hit, page), style="cyan")
    return text.append(f"  {printable(hit.passage.document)}:{hit.passage.start}", style="dim")


def render_fits(console: Console, fits: Mapping[str, Fit]) -> None:
    """Print how the refitted refusal performs on held-out questions, at the bot's own threshold."""
    for language, fitted in fits.items():
        console.print(
            f"{language}: {fitted.answerable} 个有答案 / answerable, {fitted.unanswerable} 个没有 / unanswerable; "
            f"误拒 / false refusal {fitted.false_refusal:.3f}, 误答 / false answer {fitted.false_answer:.3f}, "
            f"AUROC {fitted.auroc:.3f}"
        )
    console.print("已保存，下次提问时生效 / saved: the next question uses it")


def render_sections(console: Console, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the sections of `wenqu info`; long lists are cut."""
    for title, rows in sections.items():
        console.print(Text(title, style="bold"))
        for name, value in rows.items():
            shown = "; ".join(value[:_ENTRIES_SHOWN]) if isinstance(value, list) else value
            console.print(Text(f"  {name}: {shown}"))


def render_findings(console: Console, channel: str, findings: Iterable[Finding]) -> bool:
    """Print the findings about a channel as they come; returns whether none of them is BAD."""
    console.print(Text(channel, style="bold"))
    good = True
    for finding in findings:
        sign, style = SIGNS[finding.state]
        console.print(Text(f"  {sign} {printable(finding.text)}", style=style))
        good = good and finding.state != BAD
    return good


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """A progress bar that appears only on a terminal, and only once there is something to wait for."""
    from rich import progress  # imported here because a plain question shows no bar

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
