"""Which characters of a passage prove the answer: its sentences, by what they share with the question.

Deterministic: the same question and passage always mark the same characters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot import ranker
from bot.answer_type import TYPES
from bot.types import Embedder, Passage, Query, Span, Vectors

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


def mark(query: Query, passage: Passage, vector: Vectors | None, embedder: Embedder) -> Marked:
    """The sentence of the passage that best proves an answer; two where it runs over into the next.

    `vector` is the query's unit vector; without it the words decide alone.
    """
    reading = ranker.read(ranker.Asked.of(query), passage)
    scores = reading.sentence_features @ _WEIGHTS
    if vector is not None:
        # A cosine moves a score by half a point at most: what lies further behind can neither be best nor stand beside.
        close = np.flatnonzero(scores >= scores.max() - 2 * _SIMILARITY - _NEARLY)
        scores[close] += _SIMILARITY * (embedder.encode_passages([reading.folded[i] for i in close]) @ vector)
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
