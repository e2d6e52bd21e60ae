"""The nouns of the project and the two protocols that others implement. Imports nothing of ours.

Scores: higher is better, everywhere. Offsets: half-open, in characters of the text that is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]  # (n, dim), each row of unit length
Rows = npt.NDArray[np.int64]  # positions of passages in a generation


@dataclass(frozen=True, slots=True)
class Article:
    """One article: `text` is what every offset counts in, `path` is relative to the corpus folder, `id` likewise."""

    id: str
    title: str
    text: str
    path: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of an article that is found as one: `article.text[start:end] == text`, always."""

    id: str
    article_id: str
    title: str
    heading: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a query and the terms that stand for it in an article, each with a weight from 0 to 1.

    A Chinese word stands for itself; an English word for its translations. `rarity` (0 to 1) says how much it counts.
    """

    source: str
    alternatives: Mapping[str, float]
    rarity: float


@dataclass(frozen=True, slots=True)
class Query:
    """A question as retrieval sees it: `text` as asked, `folded`, and its content terms.

    `translated` is the folded text with the best Chinese term of every bridged word added, in reading order.
    `other_names` are what the dictionary also calls the things that the question names.
    """

    text: str
    folded: str
    terms: tuple[Term, ...]
    translated: str
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. `score` orders the hits; the raw scores and ranks (from 1) of the legs explain it."""

    passage: Passage
    score: float
    lexical: float | None = None
    dense: float | None = None
    rank_lexical: int | None = None
    rank_dense: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a passage's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A hit with the characters that prove the answer; `number` is the [1] by which the answer cites it."""

    hit: Hit
    spans: tuple[Span, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a conversation: the question as it was understood, so that it stands alone, and the answer's text."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What every surface renders. `degraded` says which part was missing and why; `timings` are milliseconds.

    `query` is what was typed; `standalone` the question as it was understood, "" where that is the same.
    """

    query: str
    text: str
    refused: bool
    confidence: float
    evidence: tuple[Evidence, ...]
    mode: str
    degraded: Mapping[str, str]
    generation: str
    timings: Mapping[str, float] = field(default_factory=dict)
    standalone: str = ""  # the question as it was understood; "" when it stood alone
    curated_source: str = ""  # of an answer that people wrote, and where it can be read
    curated_url: str = ""
    id: str = ""  # by which the journal knows it; "" when it was not recorded

    @property
    def turn(self) -> Turn:
        """What the next question may lean on; the words of a refusal name nothing."""
        return Turn(self.standalone or self.query, "" if self.refused else self.text)

    def to_dict(self) -> dict[str, Any]:
        """The one JSON shape of an answer, for every surface."""
        return {
            "query": self.query,
            "standalone": self.standalone,
            "text": self.text,
            "refused": self.refused,
            "confidence": round(self.confidence, 4),
            "evidence": [evidence_to_dict(evidence) for evidence in self.evidence],
            "mode": self.mode,
            "degraded": dict(self.degraded),
            "generation": self.generation,
            "curated_source": self.curated_source,
            "curated_url": self.curated_url,
            "id": self.id,
            "timings": {stage: round(ms, 2) for stage, ms in self.timings.items()},
        }


def passage_to_dict(passage: Passage) -> dict[str, Any]:
    """The JSON shape of a passage."""
    return {
        "id": passage.id,
        "article": passage.article_id,
        "title": passage.title,
        "heading": passage.heading,
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
    }


def hit_to_dict(hit: Hit) -> dict[str, Any]:
    """The JSON shape of a hit: its passage, its score and what explains it."""
    return {
        "passage": passage_to_dict(hit.passage),
        "score": round(hit.score, 4),
        "lexical": None if hit.lexical is None else round(hit.lexical, 4),
        "dense": None if hit.dense is None else round(hit.dense, 4),
        "rank_lexical": hit.rank_lexical,
        "rank_dense": hit.rank_dense,
    }


def evidence_to_dict(evidence: Evidence) -> dict[str, Any]:
    """The JSON shape of evidence: a hit, its number and the marked spans with their text."""
    text = evidence.hit.passage.text
    return {
        "number": evidence.number,
        "spans": [{"start": s.start, "end": s.end, "text": text[s.start : s.end]} for s in evidence.spans],
        **hit_to_dict(evidence.hit),
    }


GOOD, OFF, ODD, BAD = "good", "off", "odd", "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the doctor looked at: GOOD, OFF (not set up), ODD (works, but look at it) or BAD."""

    state: str
    text: str


class Embedder(Protocol):
    """Text to unit vectors. Queries and passages have methods of their own: some models prefix them differently."""

    dim: int
    fingerprint: str

    def encode_query(self, text: str) -> Vectors:
        """One unit vector, shape (dim,)."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (len(texts), dim)."""
        ...


class VectorSearch(Protocol):
    """Vectors that can be searched. The inner product of unit vectors is the score; rows count from 0."""

    def __len__(self) -> int:
        """How many vectors it holds."""
        ...

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best rows (fewer where there are fewer) and their scores, best first."""
        ...

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """The scores of the given rows, in their order."""
        ...


@runtime_checkable
class Engine(VectorSearch, Protocol):
    """Where vectors live. Rows count in the order of adding."""

    def __init__(self, dim: int) -> None:
        """An empty engine for vectors of `dim` numbers."""
        ...

    def add(self, vectors: Vectors) -> None:
        """Append vectors, shape (n, dim)."""
        ...

    def save(self, path: Path) -> None:
        """Write everything to one file."""
        ...

    @classmethod
    def load(cls, path: Path, dim: int, count: int) -> Self:
        """Read what `save` wrote; the caller has verified its checksum.

        Raises IndexDamaged when the file does not hold `count` vectors of `dim` numbers.
        """
        ...
