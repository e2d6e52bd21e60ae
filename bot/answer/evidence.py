"""Which sentences of a passage prove the answer, judged by what they share with the question.

Deterministic: the same question and passage always give the same marks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.answer import by_hand, features, fields, lists
from bot.answer.reader.reader import Reader
from bot.answer.reader.reading import Reading, Words
from bot.text.asking import cut_ordinals
from bot.text.fold import unfolded
from bot.types import Embedder, Passage, Span, Vectors

_SIMILARITY = 0.5
# 单位犯前款罪的 is about what the sentence before it says, so it takes over this share of its score.
_REFERS, _TAKEN_OVER = re.compile("前款|前项|前条|前述|上述"), 0.7
# A sentence that begins with the number of the part asked for is that part; others only refer to it.
_NUMBERED = 4.0
# 采购单位: 某中学 answers a question that ends in 采购单位. It counts for as much as a line can have that only repeats
# the rest of the question.
_KEYED = 5.0
# A second sentence is marked if it is next to the best one and its score is at most this much lower, or if only it has
# the number asked for: 禁止网箱养鱼。违者处五百元以上三千元以下罚款。
_NEARLY = 0.9
# What a point of the weights set by hand counts for beside the reader's log-odds, and how much lower a second sentence
# may then be (scripts/EXPERIMENTS.md, The reader).
_BY_HAND, _READ_NEARLY = 0.3, 4.0
# A sentence longer than this, as court records and web pages have them, is marked by clause.
_LONG, _CLAUSE = 120, 40
_CLAUSE_ENDS = re.compile("[，,；;：:]")
_MEASURED = features.SENTENCE_FEATURES.index("measured")


@dataclass(frozen=True, slots=True)
class Marked:
    """The marked spans of a passage, its features, the index of its best sentence, and what the reader found.

    `words` are those of the best sentence that answer best. `named` is whether that sentence has the field or the
    number of the part that the question names.
    """

    spans: tuple[Span, ...]
    features: features.PassageFeatures
    best: int
    read: Reading | None = None
    words: Words | None = None
    named: bool = False


def mark(
    asked: features.QueryFeatures,
    passages: Sequence[Passage],
    vector: Vectors | None,
    embedder: Embedder,
    reader: Reader | None = None,
) -> list[Marked]:
    """The sentence of each passage that best proves an answer, or two if its neighbour is nearly as good.

    `vector` is the query's unit vector; without it only the words decide, and without a reader the weights by hand.
    """
    readings = features.passage_features(asked, passages)
    # The ways to write the numbered parts that the question names, as 第二条.
    parts = tuple(way for term in asked.query.terms if cut_ordinals(term.source)[0] for way in term.alternatives)
    named = [_NUMBERED * _begins(parts, reading) + _KEYED * reading.keyed for reading in readings]
    scores = [by_hand.worth(reading.sentence_features) + one for reading, one in zip(readings, named, strict=True)]
    if vector is not None and passages:
        close = [np.flatnonzero(_may_be_marked(one)) for one in scores]
        texts = [reading.folded[i] for reading, some in zip(readings, close, strict=True) for i in some]
        cosines = iter(embedder.encode_passages(texts) @ vector)
        for one, some in zip(scores, close, strict=True):
            one[some] += _SIMILARITY * np.array([next(cosines) for _ in some])
    for reading, one in zip(readings, scores, strict=True):
        for i in range(1, len(one)):
            if _REFERS.search(reading.folded[i]):
                one[i] += _TAKEN_OVER * max(0.0, one[i - 1])
    read = reader.read(asked, passages) if reader else [None] * len(passages)
    return [_marked(asked, *one) for one in zip(passages, readings, scores, named, read, strict=True)]


def _begins(parts: tuple[str, ...], reading: features.PassageFeatures) -> npt.NDArray[np.float64]:
    """1 for each sentence that begins with one of the numbered parts."""
    return np.array([float(one.startswith(parts)) for one in reading.folded])


def _may_be_marked(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which sentences may be marked once cosines are added, which change a score by at most half a point."""
    behind = scores.max() - scores
    best = behind <= 2 * _SIMILARITY
    beside = np.zeros_like(best)
    beside[1:] |= best[:-1]
    beside[:-1] |= best[1:]
    close: npt.NDArray[np.bool_] = best | beside & (behind <= 2 * _SIMILARITY + _NEARLY)
    return close


def _marked(
    asked: features.QueryFeatures,
    passage: Passage,
    reading: features.PassageFeatures,
    scores: npt.NDArray[np.float64],
    named: npt.NDArray[np.float64],
    read: Reading | None,
) -> Marked:
    nearly = _NEARLY
    if read is not None:
        # What the question names stands there as a field or a number, so the points for that count in full.
        scores, nearly = read.sentences + _BY_HAND * (scores - named) + named, _READ_NEARLY
    best = int(np.argmax(scores))
    words = read.words(best) if read else None
    chosen = _chosen(asked, passage.text, reading, scores, best, nearly)
    is_row = fields.is_row(passage.text[slice(*reading.spans[best])])
    if words is not None and chosen == [reading.spans[best]] and not is_row:
        spans: tuple[Span, ...] = (_clauses(passage.text, chosen[0], words),)
    else:
        spans = _joined(passage.text, chosen)
    return Marked(spans, reading, best, read, words, bool(named[best] > 0))


def _chosen(
    asked: features.QueryFeatures,
    text: str,
    reading: features.PassageFeatures,
    scores: npt.NDArray[np.float64],
    best: int,
    nearly: float,
) -> list[tuple[int, int]]:
    """The best sentence with its list, or a row alone, or the best sentence with a neighbour that is nearly as good."""
    spans = reading.spans
    more = lists.led_in(text, spans, best) or (
        lists.whole(text, spans, best) if lists.is_asked_for(asked.query.folded) else lists.lead(text, spans, best)
    )
    if more:
        return sorted({spans[best], *more})
    if fields.is_row(text[slice(*spans[best])]):
        return [spans[best]]
    measured = reading.sentence_features[:, _MEASURED]
    beside = [
        i
        for i in (best - 1, best + 1)
        if 0 <= i < len(scores) and (scores[i] >= scores[best] - nearly or measured[i] > measured[best])
    ]
    return [spans[i] for i in sorted([best, *sorted(beside, key=lambda i: -scores[i])[:1]])]


def _clauses(text: str, span: tuple[int, int], words: Words) -> Span:
    """The sentence, or of a long one the clauses around the words that answer."""
    start, end = span
    if end - start <= _LONG:
        return Span(start, end)
    first, last = unfolded(text[start:end], words.start, words.end)
    left, right = start + first, start + last
    marks = [start, *(start + match.end() for match in _CLAUSE_ENDS.finditer(text[start:end])), end]
    while True:
        left = max(mark for mark in marks if mark <= left)
        right = min(mark for mark in marks if mark >= right)
        if right - left >= _CLAUSE or (left, right) == (start, end):
            return Span(left, right)
        left, right = max(start, left - 1), min(end, right + (left == start))


def _joined(text: str, spans: list[tuple[int, int]]) -> tuple[Span, ...]:
    """Adjacent sentences on one line become one span; a line break is never marked."""
    joined = [spans[0]]
    for start, end in spans[1:]:
        if "\n" in text[joined[-1][1] : start]:
            joined.append((start, end))
        else:
            joined[-1] = (joined[-1][0], end)
    return tuple(Span(start, end) for start, end in joined)
