"""`wenqu eval`: asks an evaluation folder or a suite, and prints what was right and the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bot import evaluation, suite
from bot.cli.console import err, out, print_json, ready_bot
from bot.cli.render import progress_bar, render_figures, render_summary
from bot.evaluation import Figures, Outcome
from bot.settings import load_settings
from bot.text.printable import one_line

NO_MODEL = ""  # a language model would only word what is measured here, slowly
Asked = tuple[str, list[Outcome]]  # the name of an evaluation folder, and what became of its questions


def ask_folder(folder: Path, corpus: Path | None, index: Path | None) -> Iterator[Asked]:
    """The outcomes of one evaluation folder, over its own documents and an index of its own unless others are named."""
    settings = load_settings(corpus=corpus or folder / "corpus", index=index, llm_url=NO_MODEL)
    name = folder.resolve().name
    if index is None:  # an index for this folder, so that the user's own is never touched
        settings = settings.model_copy(update={"index": settings.index / "eval" / name})
    questions = evaluation.read_folder(folder)
    bot = ready_bot(settings, rebuild=index is None)
    with progress_bar(err) as progress:
        outcomes = evaluation.ask_all(bot, questions, lambda done: progress(done, len(questions)))
    yield name, outcomes


def ask_suite(folders: Iterable[Path]) -> Iterator[Asked]:
    """The outcomes of each case of a suite; what could not be read is reported on standard error."""
    for case in suite.ask_each(folders, load_settings(llm_url=NO_MODEL)):
        if case.summary.skipped:
            render_summary(err, case.summary)
        yield case.name, case.outcomes


def report(asked: Iterable[Asked], *, is_suite: bool, as_json: bool, wrong: bool) -> dict[str, Figures]:
    """Print each case when it has been asked, then the totals, or all as JSON; returns the figures by language."""
    cases: dict[str, list[Outcome]] = {}
    for name, outcomes in asked:
        cases[name] = outcomes
        if not as_json:
            _render_case(out, name, outcomes, wrong=wrong)
    everything = [outcome for outcomes in cases.values() for outcome in outcomes]
    result = evaluation.by_language(everything)
    if as_json:
        by_case = {"cases": {name: evaluation.figures(outcomes) for name, outcomes in cases.items()}}
        missed = {"wrong": [_to_dict(name, one) for name, outcomes in cases.items() for one in _wrong(outcomes)]}
        print_json(result | (by_case if is_suite else {}) | (missed if wrong else {}))
    else:
        if is_suite:
            _render_case(out, "合计 / total", everything)
        render_figures(out, result)
    return result


def _wrong(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if not outcome.right]


def _to_dict(case: str, outcome: Outcome) -> dict[str, Any]:
    question = outcome.question
    return {
        "case": case,
        "id": question.id,
        "before": question.before,
        "question": question.text,
        "wanted": question.evidence,
        "said": outcome.said,
        "refused": outcome.refused,
        "confidence": round(outcome.confidence, 4),
    }


def _render_case(console: Console, name: str, outcomes: list[Outcome], *, wrong: bool = False) -> None:
    """Print how many are right and, with `wrong`, the others with what was wanted and what was said."""
    missed = _wrong(outcomes)
    console.print(Text(one_line(f"{name} {len(outcomes) - len(missed)}/{len(outcomes)}")))
    for outcome in missed if wrong else ():
        question = outcome.question
        asked = " → ".join((*question.before, question.text))
        wanted = " | ".join(question.evidence) or "拒答 / a refusal"
        console.print(Text(f"  ✗ {one_line(asked)}", style="yellow"))
        console.print(Text(f"    期望 / wanted: {one_line(wanted)}"))
        console.print(Text(f"    得到 / said: {one_line(outcome.said)} ({outcome.confidence:.2f})"))
