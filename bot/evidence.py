"""Which characters of a passage prove the answer: its sentences, by what they share with the question.

Deterministic: the same question and passage always mark the same characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot import ranker
from bot.answer_type import TYPES
from bot.types import Embedder, Passage, Span, Vectors

# What each feature of a sentence is worth, set by hand. Fitting them without labelled sentences lost evidence F1 every
# time, by 0.02 to 0.14 (scripts/EXPERIMENTS.md): what tells articles apart does not tell sentences apart.
WEIGHTS = {
    "overlap": 1.0,
    "pairs": 1.0,
    "local": 3.0,
    "local_pairs": 2.0,
    "before": 1.5,
    "topic": 0.6,
    "answers": 3.0,
    "question": -3.0,
    "measured": 1.5,
    **{f"type:{name}": 0.6 for name in TYPES},
}
_WEIGHTS = np.array([WEIGHTS.get(name, 0.0) for name in ranker.SENTENCE_FEATURES])
_SIMILARITY = 0.5
# A second sentence is marked when it is the best one's neighbour and at most this much worse.
_NEARLY = 0.9


@dataclass(frozen=True, slots=True)
class Marked:
    """The marked spans of a passage, the passage as it was read, and which of its sentences is the best."""

    spans: tuple[Span, ...]
    reading: ranker.Reading
    best: int


def mark(asked: ranker.Asked, passages: Sequence[Passage], vector: Vectors | None, embedder: Embedder) -> list[Marked]:
    """The sentence of each passage that best proves an answer; two where it runs over into the next.

    `vector` is the query's unit vector; without it the words decide alone.
    """
    readings = ranker.read(asked, passages)
    scores = [reading.sentence_features @ _WEIGHTS for reading in readings]
    if vector is not None and passages:
        close = [np.flatnonzero(_may_be_marked(one)) for one in scores]
        texts = [reading.folded[i] for reading, some in zip(readings, close, strict=True) for i in some]
        cosines = iter(embedder.encode_passages(texts) @ vector)
        for one, some in zip(scores, close, strict=True):
            one[some] += _SIMILARITY * np.array([next(cosines) for _ in some])
    return [_marked(*one) for one in zip(passages, readings, scores, strict=True)]


def _may_be_marked(scores: Vectors) -> npt.NDArray[np.bool_]:
    """Which sentences a cosine can lift to the best, or beside it: it moves a score by half a point at most."""
    behind = scores.max() - scores
    best = behind <= 2 * _SIMILARITY
    beside = np.zeros_like(best)
    beside[1:] |= best[:-1]
    beside[:-1] |= best[1:]
    close: npt.NDArray[np.bool_] = best | beside & (behind <= 2 * _SIMILARITY + _NEARLY)
    return close


def _marked(passage: Passage, reading: ranker.Reading, scores: Vectors) -> Marked:
    best = int(np.argmax(scores))
    beside = [i for i in (best - 1, best + 1) if 0 <= i < len(scores) and scores[i] >= scores[best] - _NEARLY]
    chosen = sorted([best, *sorted(beside, key=lambda i: -scores[i])[:1]])
    return Marked(_joined(passage.text, [reading.spans[i] for i in chosen]), reading, best)


def _joined(text: str, spans: list[tuple[int, int]]) -> tuple[Span, ...]:
    """Neighbouring sentences of one line become one span; a line break is never marked."""
    joined = [spans[0]]
    for start, end in spans[1:]:
        if "\n" in text[joined[-1][1] : start]:
            joined.append((start, end))
        else:
            joined[-1] = (joined[-1][0], end)
    return tuple(Span(start, end) for start, end in joined)
