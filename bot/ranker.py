"""How well a passage, and each of its sentences, answers a query: features, and a learned score of the passage.

A passage is worth what the legs say of it and what its best sentence says. The weights are fitted by
`scripts/train_ranker.py`; `evidence` weighs the same features of sentences for its own purpose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.answer_type import TYPES, AnswerType, is_question
from bot.text import bigrams, fold, sentences
from bot.types import Passage, Query, Rows

Vector = npt.NDArray[np.float64]

WEIGHTS = Path(__file__).parent / "model" / "ranker" / "weights.json"
SENTENCE_FEATURES = (
    "overlap",  # the share of the query's terms that the sentence holds, by rarity
    "stand_in",  # the share that only stands for the answer (什么机构: 机构)
    "pairs",  # the share of the query's character pairs
    "local",  # the share of the terms, by how few sentences of the passage hold each: its subject is in all of them
    "local_pairs",  # the share of the character pairs, likewise
    "before",  # terms that it lacks and the sentence before holds
    "after",  # terms that it lacks and the sentence after holds
    "topic",  # terms that none of the three holds, but the title, the heading or the passage's first sentence
    "answers",  # terms that the sentence before holds, if that is a question
    "question",  # it is a question
    "measured",  # a number in the measure that is asked for
    "short",  # fewer than 12 characters
    "length",  # characters / 100, at most 2
    "first",  # it opens the passage
    *(f"type:{name}" for name in TYPES),
)
PASSAGE_FEATURES = (
    "lexical",  # BM25 / 10
    "lexical_gap",  # how far below the best candidate, as a share of its score
    "cosine",
    "phrase",  # square of the share of the query's letters that the passage holds in one run
    "coverage",  # the share of the query's terms that it holds, by rarity
    "title",  # the share of the terms that its title or heading holds
    "named",  # the title stands in the question
    "opening",  # it opens its article
    "size",  # characters / 500
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as the ranker sees it; made once a query, it reads every passage once."""

    query: Query
    type: AnswerType
    pairs: tuple[str, ...]
    letters: str
    rarity: Vector  # of each term, all together 1
    stand_in: Vector  # 1 where a term is only the noun that stands for the answer
    alternatives: tuple[tuple[tuple[str, float], ...], ...]  # of each term, the heaviest last
    readings: dict[Passage, Reading] = field(default_factory=dict)

    @classmethod
    def of(cls, query: Query) -> Asked:
        """The query with its answer type, character pairs and terms."""
        kind = AnswerType.of(query)
        rarity = np.array([term.rarity for term in query.terms])
        return cls(
            query,
            kind,
            tuple(dict.fromkeys(bigrams(query.translated))),
            letters(query.folded),
            rarity / (rarity.sum() or 1.0),
            np.array([float(kind.stands_in(term.source)) for term in query.terms]),
            tuple(tuple(sorted(term.alternatives.items(), key=lambda one: one[1])) for term in query.terms),
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """A passage as the ranker reads it: offsets, folded text and features of its sentences, and its own features."""

    spans: tuple[tuple[int, int], ...]
    folded: tuple[str, ...]
    sentence_features: Vector
    passage_features: Vector


def letters(folded: str) -> str:
    """The letters and digits of folded text, without marks and spaces."""
    return re.sub(r"\W", "", folded)


def held(alternatives: Mapping[str, float], folded: str) -> float:
    """The weight of the best alternative that the folded text holds, 0 to 1; a Latin one counts as a whole word."""
    best = 0.0
    for term, weight in alternatives.items():
        if weight > best and holds(folded, term):
            best = weight
    return best


def holds(folded: str, term: str) -> bool:
    """Whether the folded text holds a term: a Chinese one anywhere, a Latin one as a whole word."""
    if term not in folded:
        return False
    return not term.isascii() or re.search(rf"(?<![a-z0-9]){re.escape(term)}(?![a-z0-9])", folded) is not None


def coverage(query: Query, folded: str) -> float:
    """The share of the query's terms that the folded text holds, each weighed by its rarity: 0 to 1."""
    total = sum(term.rarity for term in query.terms)
    return sum(term.rarity * held(term.alternatives, folded) for term in query.terms) / total if total else 0.0


def read(asked: Asked, passages: Sequence[Passage]) -> list[Reading]:
    """Passages as the ranker reads them, each once a query; what the legs say of them is left at 0.

    All in one: of a passage read alone half of the time is numpy's overhead on 7 sentences.
    """
    new = [passage for passage in dict.fromkeys(passages) if passage not in asked.readings]
    if new:
        asked.readings.update(zip(new, _read(asked, new), strict=True))
    return [asked.readings[passage] for passage in passages]


def with_legs(reading: Reading, lexical: float, best: float, cosine: float) -> Reading:
    """The same with what the legs said of the passage; `best` is the BM25 of the best candidate."""
    features = reading.passage_features.copy()
    features[:3] = lexical / 10, (best - lexical) / best if best else 0.0, cosine
    return Reading(reading.spans, reading.folded, reading.sentence_features, features)


def _read(asked: Asked, passages: Sequence[Passage]) -> list[Reading]:
    spans = [tuple(sentences(one.text)) or ((0, len(one.text)),) for one in passages]
    # Folded in one go: no sentence holds a line break, and folding keeps them.
    whole = [
        fold("\n".join(one.text[start:end] for start, end in ends)) for one, ends in zip(passages, spans, strict=True)
    ]
    folded = [tuple(text.split("\n")) for text in whole]
    about = _held_terms(asked, [fold(f"{one.title}\n{one.heading}") for one in passages])
    texts = [text for some in folded for text in some]
    own = _held_terms(asked, texts)
    starts = np.cumsum([0, *map(len, folded[:-1])])
    covered = np.maximum.reduceat(own, starts, axis=0) @ asked.rarity
    titled = about @ asked.rarity
    rows = _sentence_rows(asked, texts, own, about, starts)
    found = []
    for i, passage in enumerate(passages):
        title = letters(fold(passage.title))
        features = (
            *(0.0, 0.0, 0.0),  # what the legs say of it
            _longest_run(asked.letters, letters(whole[i])) ** 2,
            covered[i],
            titled[i],
            float(len(title) > 1 and title in asked.letters),
            float(passage.start == 0),
            len(passage.text) / 500,
        )
        found.append(Reading(spans[i], folded[i], rows[starts[i] : starts[i] + len(folded[i])], np.array(features)))
    return found


def _held_terms(asked: Asked, texts: Sequence[str]) -> Vector:
    """What each text holds of each term, 0 to 1: a row a text, a column a term."""
    together = "\n".join(texts)
    grid = np.zeros((len(texts), len(asked.alternatives)))
    for column, alternatives in enumerate(asked.alternatives):
        # Most alternatives stand nowhere: of 30 translations of a word, in 40 texts, that is 30 searches and not 1,200.
        for term, weight in alternatives:  # the heaviest last, so that it stays
            if term in together:
                for row, text in enumerate(texts):
                    if term in text and holds(text, term):
                        grid[row, column] = weight
    return np.minimum(grid, 1.0)


def _sentence_rows(asked: Asked, texts: Sequence[str], own: Vector, about: Vector, starts: Rows) -> Vector:
    """The features of all sentences; the passages begin at `starts`, and `about` says what their titles hold."""
    rarity, sizes = asked.rarity, np.diff(np.append(starts, len(texts)))
    of = np.repeat(np.arange(len(starts)), sizes)
    first, last = np.zeros(len(texts), dtype=bool), np.zeros(len(texts), dtype=bool)
    first[starts], last[starts + sizes - 1] = True, True
    before, after, asked_before = np.zeros_like(own), np.zeros_like(own), np.zeros(len(texts))
    before[1:], after[:-1] = own[:-1], own[1:]
    before[first], after[last] = 0.0, 0.0
    beside = np.maximum(np.maximum(own, before), after)
    together = "\n".join(texts)
    there = [pair for pair in asked.pairs if pair in together]
    held_pairs = np.array([[pair in text for pair in there] for text in texts], dtype=float)
    asks = np.array([is_question(text) for text in texts], dtype=float)
    asked_before[1:] = asks[:-1]
    lengths = np.array([len(text) for text in texts])
    columns = (
        own @ (rarity * (1 - asked.stand_in)),
        own @ (rarity * asked.stand_in),
        held_pairs.sum(axis=1) / (len(asked.pairs) or 1),
        _shares(own, rarity, starts, sizes, of),
        _shares(held_pairs, np.ones(len(there)), starts, sizes, of),
        np.maximum(before - own, 0.0) @ rarity,
        np.maximum(after - own, 0.0) @ rarity,
        np.maximum(np.maximum(about, own[starts])[of] - beside, 0.0) @ rarity,
        (before @ rarity) * asked_before,  # nothing of the passage before
        asks,
        [asked.type.measured(text) for text in texts] if asked.type.measures else 0.0,
        lengths < 12,
        np.minimum(2.0, lengths / 100),
        first,
    )
    rows = np.zeros((len(texts), len(SENTENCE_FEATURES)))
    for column, values in enumerate(columns):
        rows[:, column] = values
    for name, held in asked.type.held(texts, asked.query.folded).items():
        rows[:, SENTENCE_FEATURES.index(f"type:{name}")] = held
    return rows


def _shares(grid: Vector, weights: Vector, starts: Rows, sizes: Rows, of: Rows) -> Vector:
    """For each sentence the share of what its passage holds at all, each weighed by the inverse sentence frequency."""
    if not grid.size:
        return np.zeros(len(grid))
    frequency = np.add.reduceat(grid, starts, axis=0)
    weights = weights * (frequency > 0) * np.log((sizes[:, None] + 1) / (frequency + 0.5)).clip(0)
    total = weights.sum(axis=1)
    shares: Vector = (grid * weights[of]).sum(axis=1) / np.where(total, total, 1.0)[of]
    return shares


def _longest_run(asked: str, text: str) -> float:
    """The longest run of the question's letters that the text holds, as a share of the question: 0 to 1."""
    start = longest = 0
    while start + longest < len(asked):
        if asked[start : start + longest + 1] in text:
            longest += 1
        else:
            start += 1
    return longest / len(asked) if asked else 0.0


def passage_score(reading: Reading) -> float:
    """What a passage is worth as a hit, higher is better: its own features and its best sentence."""
    sentence, passage = _weights()
    return float(reading.passage_features @ passage + (reading.sentence_features @ sentence).max())


@cache
def _weights() -> tuple[Vector, Vector]:
    stored: dict[str, dict[str, float]] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return (
        np.array([stored["sentence"][name] for name in SENTENCE_FEATURES]),
        np.array([stored["passage"][name] for name in PASSAGE_FEATURES]),
    )
