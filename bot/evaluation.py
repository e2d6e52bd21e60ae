"""Questions with known evidence -> hit@k, MRR, evidence, refusal and latency.

A folder holds `questions.jsonl`, one {"id", "question", "lang", "kind", "evidence_any", "article"?} a line. A passage
is relevant when its folded text contains any folded `evidence_any`, and is of `article` where one is given.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from bot.errors import CorpusError, SettingsError
from bot.pipeline import Bot
from bot.text import fold
from bot.types import Answer, Passage

DEPTH = 10
_CUTS = (1, 3, 5, 10)
UNANSWERED = """\
有答案的题:把证明答案的原文填进 evidence_any,kind 改成 fact 或 why 等;确实没有答案的,不用改。
Where an article answers, put the words that prove it into evidence_any and change kind (fact, why, ...); else leave it.
然后 / then: wenqu eval <this folder> --corpus <articles>; wenqu calibrate <this folder>
"""
Figures = dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class Question:
    """One question; an unanswerable one has no evidence. `articles` empty means any article."""

    id: str
    text: str
    lang: str
    kind: str
    evidence: tuple[str, ...]
    articles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one question brought: ranks from 1 (0: not among the first ten), and what the answer marked."""

    question: Question
    rank: int
    article_rank: int
    refused: bool
    confidence: float
    marks_evidence: bool
    marked_share: float | None
    milliseconds: float


def read_questions(folder: Path) -> list[Question]:
    """The questions of an evaluation folder. Raises CorpusError naming the file and line that is wrong."""
    file = folder / "questions.jsonl"
    if not file.is_file():
        raise CorpusError(f"没有 {file}", "there is no such file: one question a line, see README, Evaluation")
    questions = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            article = row.get("article") or []
            articles = (article,) if isinstance(article, str) else tuple(article)
            evidence = tuple(fold(text) for text in row["evidence_any"])
            questions.append(Question(row["id"], row["question"], row["lang"], row.get("kind", ""), evidence, articles))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorpusError(f"{file}:{number}: 格式不对", f"not a question of the format: {error!r}") from error
    return questions


def write_unanswered(folder: Path, questions: Iterable[tuple[str, str]]) -> int:
    """How many questions, each with its language, were written as an evaluation folder.

    Raises CorpusError where the folder is not empty or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CorpusError(f"文件夹不是空的: {folder}", "the folder is not empty", "换一个文件夹 / name another")
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
    """Whether the passage holds the evidence, in the article that the question names."""
    folded = fold(passage.text)
    return _in_article(question, passage) and any(text in folded for text in question.evidence)


def _in_article(question: Question, passage: Passage) -> bool:
    stem = PurePosixPath(passage.article_id).stem
    return not question.articles or stem in question.articles or passage.article_id in question.articles


def evaluate(
    bot: Bot, questions: Sequence[Question], progress: Callable[[int], None] = lambda done: None
) -> dict[str, Figures]:
    """The figures of all questions and of each language: {"all": ..., "zh": ..., "en": ...}."""
    outcomes = []
    for done, question in enumerate(questions, start=1):
        outcomes.append(_outcome(bot, question))
        progress(done)
    languages = sorted({question.lang for question in questions}, reverse=True)
    parts = {"all": outcomes} | {x: [o for o in outcomes if o.question.lang == x] for x in languages}
    return {name: figures(part) for name, part in parts.items()}


def _outcome(bot: Bot, question: Question) -> Outcome:
    hits = bot.search(question.text, DEPTH)
    began = time.perf_counter()
    answer = bot.found(question.text)
    milliseconds = (time.perf_counter() - began) * 1000
    rank = next((i for i, hit in enumerate(hits, start=1) if is_relevant(question, hit.passage)), 0)
    article_rank = next((i for i, hit in enumerate(hits, start=1) if _in_article(question, hit.passage)), 0)
    proven, share = _marks(question, answer)
    return Outcome(question, rank, article_rank, answer.refused, answer.confidence, proven, share, milliseconds)


def _marks(question: Question, answer: Answer) -> tuple[bool, float | None]:
    """Whether the first answer's marked text holds the evidence, and which share of its passage is marked."""
    if not answer.evidence:
        return False, None
    first = answer.evidence[0]
    text = first.hit.passage.text
    marked = fold("\n".join(text[span.start : span.end] for span in first.spans))
    proven = is_relevant(question, first.hit.passage) and any(evidence in marked for evidence in question.evidence)
    return proven, sum(span.end - span.start for span in first.spans) / max(1, len(text))


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """The figures of some outcomes; None where nothing can be said (no unanswerable question, no article named)."""
    answerable = [o for o in outcomes if o.question.evidence]
    others = [o for o in outcomes if not o.question.evidence]
    placed = [o for o in answerable if o.question.articles]
    times = [o.milliseconds for o in outcomes]
    shares = [o.marked_share for o in answerable if o.marked_share is not None]
    result: Figures = {"n": len(outcomes)}
    for k in _CUTS:
        result[f"hit@{k}"] = _mean([0 < o.rank <= k for o in answerable])
    result["mrr@10"] = _mean([1 / o.rank if o.rank else 0.0 for o in answerable])
    for k in (1, 5):
        result[f"article_hit@{k}"] = _mean([0 < o.article_rank <= k for o in placed])
    result["evidence@1"] = _mean([o.marks_evidence for o in answerable])
    result["marked_share"] = _mean(shares)
    result["false_refusal"] = _mean([o.refused for o in answerable])
    result["false_answer"] = _mean([not o.refused for o in others])
    result["auroc"] = auroc([o.confidence for o in answerable], [o.confidence for o in others])
    for percent in (50, 95, 99):
        result[f"p{percent}_ms"] = round(float(np.percentile(times, percent)), 2) if times else None
    return result


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """The probability that a positive scores above a negative, ties half (Mann-Whitney U); None where one is empty."""
    if not positive or not negative:
        return None
    above = np.subtract.outer(np.array(positive), np.array(negative))
    return round(float(np.mean((above > 0) + 0.5 * (above == 0))), 4)


def failures(result: dict[str, Figures], gate: str) -> list[str]:
    """Which bounds of a gate such as "hit@1=0.9,zh.false_answer=0.1" are not met, one line each.

    A figure of which less is better (false_*, marked_share, *_ms) must not exceed its bound. Raises SettingsError.
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
