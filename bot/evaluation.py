"""Measures right answers, hit@k, MRR, evidence, short answers, refusal and latency on questions with known evidence.

A folder has `questions.jsonl` with one {"id", "question", "lang", "kind", "evidence_any", "article"?} per line, and
may have `dialogues.jsonl` with one {"turns", "right"} per line, of which the last turn is the question. A passage is
relevant if its folded text contains any folded `evidence_any` and it is from `article`, if one is given.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bot.answer.followup import standalone
from bot.answer.query import checked_question
from bot.errors import CorpusError, QueryError, SettingsError
from bot.pipeline import Bot
from bot.text.fold import fold, language
from bot.text.overlap import exact_match, longest_run_f1
from bot.types import Answer, Passage, Turn

log = logging.getLogger("wenqu")
QUESTIONS, DIALOGUES = "questions.jsonl", "dialogues.jsonl"
_FORMAT = (
    'one JSON object a line: {"id", "question", "lang", "kind", "evidence_any"}, or in '
    f'{DIALOGUES} {{"turns", "right"}}; see /guide/en/evaluation'
)
_REFUSE = (None, "", "(refuse)")  # what `right` of a dialogue says where a refusal is right
DEPTH = 10
_CUTS = (1, 3, 5, 10)
UNANSWERED = """\
有答案的题：把证明答案的原文填进 evidence_any，kind 改成 fact 或 why 等；确实没有答案的，不用改。
If a document answers the question, put the words that prove it into evidence_any and change kind (fact, why, ...).
然后 / then: wenqu eval <this folder> --corpus <documents>; wenqu calibrate <this folder>
"""
Figures = dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class Question:
    """One question; an unanswerable one has no evidence. Without `articles`, any article counts.

    `before` are the turns of its dialogue that are asked first, the oldest first.
    """

    id: str
    text: str
    lang: str
    kind: str
    evidence: tuple[str, ...]
    articles: tuple[str, ...]
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one question: ranks from 1 (0: not among the first ten), what the answer marked, what it said.

    `short` has the short words of the answer, folded, "" where none were shown; `said` is its text.
    """

    question: Question
    rank: int
    article_rank: int
    refused: bool
    confidence: float
    marks_evidence: bool
    marked_share: float | None
    milliseconds: float
    short: str
    right: bool
    said: str


def read_folder(folder: Path) -> list[Question]:
    """All that an evaluation folder asks: its questions, then its dialogues; one of the files is enough.

    Raises as `read_questions` does.
    """
    parsers = {QUESTIONS: _question, DIALOGUES: _dialogue}
    there = [name for name in parsers if (folder / name).is_file()] or [QUESTIONS]
    return [question for name in there for question in _read(folder / name, parsers[name])]


def read_questions(folder: Path) -> list[Question]:
    """The questions of an evaluation folder, without its dialogues. A line that is no question is named and skipped.

    Raises CorpusError if there is no file or no question in it.
    """
    return _read(folder / QUESTIONS, _question)


def _read(file: Path, parse: Callable[[dict[str, Any], str], Question]) -> list[Question]:
    """What `parse` makes of the lines, each with its number."""
    if not file.is_file():
        raise CorpusError(f"没有文件 {file}", "there is no such file", _FORMAT)
    found = []
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            question = parse(json.loads(line), str(number))
            for text in (*question.before, question.text):
                checked_question(text, sys.maxsize)  # how long it may be is a setting of the bot
            found.append(question)
        except (ValueError, KeyError, TypeError, AttributeError, QueryError) as error:
            log.warning("%s:%d 不是问题，已跳过 / is no question and is skipped: %r", file, number, error)
    if not found:
        raise CorpusError(f"没有一行是问题：{file}", "no line of it is a question", _FORMAT)
    return found


def _question(row: dict[str, Any], number: str) -> Question:
    evidence = tuple(map(fold, _texts(row["evidence_any"])))
    (text,), (lang,) = _texts(row["question"]), _texts(row["lang"])
    return Question(row.get("id", number), text, lang, row.get("kind", ""), evidence, _texts(row.get("article") or []))


def _dialogue(row: dict[str, Any], number: str) -> Question:
    *before, text = _texts(row["turns"])
    evidence = () if row["right"] in _REFUSE else tuple(map(fold, _texts(row["right"])))
    return Question(row.get("id", number), text, language(fold(text)), row.get("kind", ""), evidence, (), tuple(before))


def _texts(value: str | list[str]) -> tuple[str, ...]:
    """One text or a list of them, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def write_unanswered(folder: Path, questions: Iterable[tuple[str, str]]) -> int:
    """Write (question, language) pairs as an evaluation folder; returns how many there were.

    Raises CorpusError if the folder is not empty or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CorpusError(f"文件夹不是空的：{folder}", "the folder is not empty", "换一个文件夹 / name another")
        rows = [
            {"id": str(number), "question": text, "lang": lang, "kind": "unanswerable", "evidence_any": []}
            for number, (text, lang) in enumerate(questions, start=1)
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
        (folder / "README.md").write_text(UNANSWERED, encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"无法写入 {folder}", f"the folder cannot be written: {error.strerror}") from error
    return len(rows)


def is_relevant(question: Question, passage: Passage) -> bool:
    """Whether the passage contains the evidence and is from an article that the question accepts."""
    folded = fold(passage.text)
    return _in_article(question, passage) and any(text in folded for text in question.evidence)


def _in_article(question: Question, passage: Passage) -> bool:
    stem = PurePosixPath(passage.document).stem
    return not question.articles or stem in question.articles or passage.document in question.articles


def evaluate(
    bot: Bot, questions: Sequence[Question], progress: Callable[[int], None] = lambda done: None
) -> dict[str, Figures]:
    """The figures of all questions and of each language: {"all": ..., "zh": ..., "en": ...}."""
    return by_language(ask_all(bot, questions, progress))


def ask_all(
    bot: Bot, questions: Iterable[Question], progress: Callable[[int], None] = lambda done: None
) -> list[Outcome]:
    """The outcomes of the questions, in their order."""
    outcomes = []
    for done, question in enumerate(questions, start=1):
        outcomes.append(_outcome(bot, question))
        progress(done)
    return outcomes


def by_language(outcomes: Sequence[Outcome]) -> dict[str, Figures]:
    """The figures of all outcomes and of those of each language: {"all": ..., "zh": ..., "en": ...}."""
    languages = sorted({o.question.lang for o in outcomes}, reverse=True)
    parts = {"all": outcomes} | {x: [o for o in outcomes if o.question.lang == x] for x in languages}
    return {name: figures(part) for name, part in parts.items()}


def _outcome(bot: Bot, question: Question) -> Outcome:
    history: list[Turn] = []
    for turn in question.before:
        history.append(bot.ask(turn, history).turn)
    hits = bot.search(standalone(question.text, history), DEPTH)
    began = time.perf_counter()
    answer = bot.ask(question.text, history)
    milliseconds = (time.perf_counter() - began) * 1000
    rank = next((i for i, hit in enumerate(hits, start=1) if is_relevant(question, hit.passage)), 0)
    article_rank = next((i for i, hit in enumerate(hits, start=1) if _in_article(question, hit.passage)), 0)
    proven, share = _marks(question, answer)
    return Outcome(
        question,
        rank,
        article_rank,
        answer.refused,
        answer.confidence,
        proven,
        share,
        milliseconds,
        fold(answer.short),
        is_right(question, answer),
        answer.text,
    )


def _marks(question: Question, answer: Answer) -> tuple[bool, float | None]:
    """Whether the marked text of the first source contains the evidence, and what share of its passage is marked."""
    if not answer.evidence:
        return False, None
    first = answer.evidence[0]
    marked = fold(_marked(answer))
    proven = is_relevant(question, first.hit.passage) and any(evidence in marked for evidence in question.evidence)
    return proven, sum(span.end - span.start for span in first.spans) / max(1, len(first.hit.passage.text))


def _marked(answer: Answer) -> str:
    """The marked text of the first source."""
    first = answer.evidence[:1]
    return "\n".join(one.hit.passage.text[span.start : span.end] for one in first for span in one.spans)


def is_right(question: Question, answer: Answer) -> bool:
    """Whether the evidence is in the answer's text or in the marked text of its first source.

    White space and commas make no difference (1,200 元 = 1200元). A question without evidence wants a refusal.
    """
    if answer.refused or not question.evidence:
        return answer.refused and not question.evidence
    said = _bare(f"{answer.text}\n{_marked(answer)}")
    return any(_bare(evidence) in said for evidence in question.evidence)


def _bare(text: str) -> str:
    return re.sub(r"[\s,]+", "", fold(text))


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """The figures of some outcomes; None for a figure that has no questions to be computed from.

    A short answer is due to each question of the kind "fact", or to each answerable one where none is of that kind. It
    is compared with `evidence_any` where the first passage is relevant: `short_exact` without punctuation and spaces,
    `short_f1` as in CMRC 2018 (Cui et al. 2019), see `bot/text/overlap.py`.
    """
    answerable = [o for o in outcomes if o.question.evidence]
    others = [o for o in outcomes if not o.question.evidence]
    placed = [o for o in answerable if o.question.articles]
    times = [o.milliseconds for o in outcomes]
    facts = [o for o in answerable if o.question.kind == "fact"] or answerable
    shown = [o for o in answerable if o.short and o.rank == 1]
    shares = [o.marked_share for o in answerable if o.marked_share is not None]
    result: Figures = {"n": len(outcomes), "right": _mean([o.right for o in outcomes])}
    for k in _CUTS:
        result[f"hit@{k}"] = _mean([0 < o.rank <= k for o in answerable])
    result["mrr@10"] = _mean([1 / o.rank if o.rank else 0.0 for o in answerable])
    for k in (1, 5):
        result[f"article_hit@{k}"] = _mean([0 < o.article_rank <= k for o in placed])
    result["evidence@1"] = _mean([o.marks_evidence for o in answerable])
    result["marked_share"] = _mean(shares)
    result["short_shown"] = _mean([bool(o.short) for o in facts])
    result["short_exact"] = _mean([exact_match(o.short, o.question.evidence) for o in shown])
    result["short_f1"] = _mean([longest_run_f1(o.short, o.question.evidence) for o in shown])
    result["false_refusal"] = _mean([o.refused for o in answerable])
    result["false_answer"] = _mean([not o.refused for o in others])
    result["auroc"] = auroc([o.confidence for o in answerable], [o.confidence for o in others])
    for percent in (50, 95, 99):
        result[f"p{percent}_ms"] = round(float(np.percentile(times, percent)), 2) if times else None
    return result


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """The probability that a positive scores above a negative, ties counting half (Mann-Whitney U).

    None if either is empty.
    """
    if not positive or not negative:
        return None
    above = np.subtract.outer(np.array(positive), np.array(negative))
    return round(float(np.mean((above > 0) + 0.5 * (above == 0))), 4)


def failures(result: dict[str, Figures], gate: str) -> list[str]:
    """The bounds of a gate such as "hit@1=0.9,zh.false_answer=0.1" that are not met, one line each.

    A figure for which less is better (false_*, marked_share, *_ms) must not exceed its bound. Raises SettingsError.
    """
    lines = []
    for part in filter(None, gate.split(",")):
        name, _, bound = part.partition("=")
        group, _, figure = name.strip().rpartition(".")
        try:
            value, limit = result[group or "all"][figure], float(bound)
        except (KeyError, ValueError):
            known = " ".join(result["all"])
            raise SettingsError(
                f"--fail-under {part!r} 无法识别", "write FIGURE=NUMBER or zh.FIGURE=NUMBER", f"one of: {known}"
            ) from None
        less_is_better = figure.startswith(("false_", "marked_")) or figure.endswith("_ms")
        if value is None or (value > limit if less_is_better else value < limit):
            lines.append(f"{name.strip()} = {value}, {'at most' if less_is_better else 'at least'} {limit:g} wanted")
    return lines
