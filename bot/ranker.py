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
from bot.types import Passage, Query

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


def read(asked: Asked, passage: Passage, lexical: float = 0.0, best: float = 0.0, cosine: float = 0.0) -> Reading:
    """The features of a passage and its sentences; `lexical`, `best` and `cosine` are what the legs said of it.

    `best` is the BM25 of the best candidate.
    """
    reading = asked.readings.get(passage)
    if reading is None:
        reading = asked.readings[passage] = _read(asked, passage)
    features = reading.passage_features.copy()
    features[:3] = lexical / 10, (best - lexical) / best if best else 0.0, cosine
    return Reading(reading.spans, reading.folded, reading.sentence_features, features)


def _read(asked: Asked, passage: Passage) -> Reading:
    spans = tuple(sentences(passage.text)) or ((0, len(passage.text)),)
    # Folded in one go: no sentence holds a line break, and folding keeps them.
    whole = fold("\n".join(passage.text[start:end] for start, end in spans))
    folded = tuple(whole.split("\n"))
    about = fold(f"{passage.title}\n{passage.heading}")
    grid = _held_terms(asked, whole, about)
    title = letters(fold(passage.title))
    features = (
        *(0.0, 0.0, 0.0),  # what the legs say of it
        _longest_run(asked.letters, letters(whole)) ** 2,
        float(grid[:-1].max(axis=0) @ asked.rarity),
        float(grid[-1] @ asked.rarity),
        float(len(title) > 1 and title in asked.letters),
        float(passage.start == 0),
        len(passage.text) / 500,
    )
    return Reading(spans, folded, _sentence_rows(asked, whole, folded, grid), np.array(features))


def _held_terms(asked: Asked, whole: str, about: str) -> Vector:
    """What each sentence and, last, title with heading hold of each term, 0 to 1: a row a text, a column a term."""
    texts = (*whole.split("\n"), about)
    grid = np.zeros((len(texts), len(asked.alternatives)))
    for column, alternatives in enumerate(asked.alternatives):
        # Most alternatives stand nowhere: of 30 translations of a word, in 9 texts, that is 30 searches and not 270.
        # The lightest first, so that the heaviest stays.
        for term, weight in alternatives:
            if term in whole or term in about:
                for row, text in enumerate(texts):
                    if term in text and holds(text, term):
                        grid[row, column] = weight
    return np.minimum(grid, 1.0)


def _sentence_rows(asked: Asked, whole: str, folded: Sequence[str], grid: Vector) -> Vector:
    own, about, rarity = grid[:-1], grid[-1], asked.rarity
    before, after, asked_before = np.zeros_like(own), np.zeros_like(own), np.zeros(len(own))
    before[1:], after[:-1] = own[:-1], own[1:]
    beside = np.maximum(np.maximum(own, before), after)
    there = [pair for pair in asked.pairs if pair in whole]
    held_pairs = np.array([[pair in text for pair in there] for text in folded], dtype=float)
    asks = np.array([is_question(text) for text in folded], dtype=float)
    asked_before[1:] = asks[:-1]
    lengths = np.array([len(text) for text in folded])
    rows = np.zeros((len(folded), len(SENTENCE_FEATURES)))
    columns = (
        own @ (rarity * (1 - asked.stand_in)),
        own @ (rarity * asked.stand_in),
        held_pairs.sum(axis=1) / (len(asked.pairs) or 1),
        _shares(own, rarity),
        _shares(held_pairs, np.ones(len(there))),
        np.maximum(before - own, 0.0) @ rarity,
        np.maximum(after - own, 0.0) @ rarity,
        np.maximum(np.maximum(about, own[0]) - beside, 0.0) @ rarity,
        (before @ rarity) * asked_before,
        asks,
        [asked.type.measured(text) for text in folded] if asked.type.measures else 0.0,
        lengths < 12,
        np.minimum(2.0, lengths / 100),
        np.arange(len(folded)) == 0,
    )
    for column, values in enumerate(columns):
        rows[:, column] = values
    for name, held in asked.type.held(folded, asked.query.folded).items():
        rows[:, SENTENCE_FEATURES.index(f"type:{name}")] = held
    return rows


def _shares(grid: Vector, weights: Vector) -> Vector:
    """For each sentence the share of what the passage holds at all, each weighed by the inverse sentence frequency."""
    if not grid.size:
        return np.zeros(len(grid))
    frequency = grid.sum(axis=0)
    weights = weights * (frequency > 0) * np.log((len(grid) + 1) / (frequency + 0.5)).clip(0)
    shares: Vector = grid @ weights / (weights.sum() or 1.0)
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
