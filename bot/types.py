"""The data types of the project and the protocols that other rooms implement. Imports nothing else of ours.

Scores: higher is always better. Offsets: half-open, in characters of the text in question.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]  # (n, dim), each row of unit length
Rows = npt.NDArray[np.int64]  # positions of passages in a generation


BlockKind = Literal["heading", "paragraph", "item", "row", "code", "caption", "formula"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document that is one thing: its text is `document.text[start:end]`.

    `level` is that of a heading (1 to 6) or the depth of an item (from 1). `number` is what a heading or an item begins
    with, as it stands in the text: 第二条, 1.2, （三）, or a bullet. A row has the offsets of its `cells` in the
    document's text and the name of each one's column in `header` ("" without a name); the rows of one table have the
    same `table`, from 1.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    number: str = ""
    header: tuple[str, ...] = ()
    cells: tuple[tuple[int, int], ...] = ()
    table: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Furniture of a page that is in no passage: what it says, why it was left out, and where it stood.

    `at` is an offset in the document's text; `page` counts from 1, 0 in a format without pages.
    """

    text: str
    reason: str
    at: int
    page: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """One document: all offsets count in `text`; `path` and `id` are relative to the corpus folder.

    Between the blocks, which are in reading order, are only white space and furniture. `pages` has the offset at which
    each page begins, the first page first; () in a format without pages. `date` is when the document is from, as ISO
    8601: 2023-07-28, 2023-07 or 2023; "" if nothing says so.
    """

    id: str
    title: str
    text: str
    path: str
    blocks: tuple[Block, ...] = ()
    pages: tuple[int, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    date: str = ""

    def page(self, offset: int) -> int:
        """The page of an offset, from 1; 0 in a format without pages."""
        return bisect_right(self.pages, offset)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document, the unit of search: `document.text[start:end] == text`, always.

    `document` is the document's id; `page` is where the passage begins, from 1, or 0 in a format without pages. `date`
    is the document's.
    """

    id: str
    document: str
    title: str
    heading: str
    text: str
    start: int
    end: int
    page: int = 0
    date: str = ""

    @property
    def file(self) -> str:
        """The words of the document's path: its folders and its name without the suffix."""
        return re.sub(r"[/_]+", " ", self.document.rpartition(".")[0] or self.document)

    @property
    def about(self) -> str:
        """What the passage is about besides its text, a line each: title, heading, file name."""
        return f"{self.title}\n{self.heading}\n{self.file}"


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture of a document, named by the sha256 of its bytes, and the offset in the text at which it stood.

    `type` is its media type, `width` and `height` are pixels, `caption` is the one beside it or "".
    """

    hash: str
    at: int
    type: str
    width: int
    height: int
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a query and the terms that may express it in an article, each with a weight from 0 to 1.

    These are a Chinese word itself, the translations of an English word, or the ways to write a number. `rarity` (0 to
    1) says how much it counts, `number` whether it is a number, a date or a numbered part.
    """

    source: str
    alternatives: Mapping[str, float]
    rarity: float
    number: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A question as retrieval sees it: `text` as asked, `folded`, and its content terms.

    `translated` is the folded text followed by the best Chinese term of every bridged word, in reading order.
    `other_names` are the dictionary's other names for the things in the question.
    """

    text: str
    folded: str
    terms: tuple[Term, ...]
    translated: str
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. `score` gives the order; the raw scores and ranks (from 1) of the legs explain it.

    `reader` is how sure the reader is that the passage answers, -1 to 1; None if it did not read it.
    """

    passage: Passage
    score: float
    lexical: float | None = None
    dense: float | None = None
    rank_lexical: int | None = None
    rank_dense: int | None = None
    reader: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a passage's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A hit with the spans that prove the answer; `number` is the one in the citation [1].

    `page` is that of the first span, from 1; 0 in a document without pages. `pictures` are those that stand in the
    passage or directly after it, two at most.
    """

    hit: Hit
    spans: tuple[Span, ...]
    number: int
    page: int = 0
    pictures: tuple[KeptPicture, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a conversation: the question, made to stand alone, and the text of the answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that every surface renders. `degraded` maps missing parts to the reason; `timings` are milliseconds.

    `query` is what was typed; `standalone` is the question as it was understood, or "" if that is the same. `short` has
    the words of the first marked sentence that answer by themselves (第14位), "" where the reader is not sure of any.
    `nearest` has the passages nearest to a question that was refused, three at most; they do not answer it.
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
    standalone: str = ""
    curated_source: str = ""  # the source of an answer that people wrote, and its address
    curated_url: str = ""
    id: str = ""  # its id in the journal; "" if it was not recorded
    short: str = ""
    nearest: tuple[Hit, ...] = ()

    @property
    def turn(self) -> Turn:
        """What the next question may refer to; a refusal has no text that it could refer to."""
        return Turn(self.standalone or self.query, "" if self.refused else self.text)

    def to_dict(self) -> dict[str, Any]:
        """The one JSON shape of an answer, for every surface."""
        return {
            "query": self.query,
            "standalone": self.standalone,
            "text": self.text,
            "short": self.short,
            "refused": self.refused,
            "confidence": round(self.confidence, 4),
            "evidence": [evidence_to_dict(evidence) for evidence in self.evidence],
            "nearest": [hit_to_dict(hit) for hit in self.nearest],
            "mode": self.mode,
            "degraded": dict(self.degraded),
            "generation": self.generation,
            "curated_source": self.curated_source,
            "curated_url": self.curated_url,
            "id": self.id,
            "timings": {stage: round(ms, 2) for stage, ms in self.timings.items()},
        }


@dataclass(frozen=True, slots=True)
class Sources:
    """The first event of an answer: the answer taken from the passages, before a model words it."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the text to show; "" while a model has not written anything yet."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of an answer: the complete answer, whose text replaces the pieces."""

    answer: Answer


Event = Sources | Text | Done


@dataclass(frozen=True, slots=True)
class Scope:
    """What part of a corpus is asked: some of its collections, None for all, and documents of some time.

    `since` and `until` are dates in ISO 8601, and count in full: until 2023 is until its last day; "" for any.
    """

    collections: frozenset[str] | None = None
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """The live generation of the index: its name, and how many articles and passages it has."""

    name: str
    articles: int
    passages: int


def passage_to_dict(passage: Passage) -> dict[str, Any]:
    """The JSON shape of a passage."""
    return {
        "id": passage.id,
        "article": passage.document,
        "title": passage.title,
        "heading": passage.heading,
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
        "page": passage.page,
        "date": passage.date,
    }


def hit_to_dict(hit: Hit) -> dict[str, Any]:
    """The JSON shape of a hit: its passage, its score, the legs' scores and ranks, and the reader's."""
    return {
        "passage": passage_to_dict(hit.passage),
        "score": round(hit.score, 4),
        "lexical": None if hit.lexical is None else round(hit.lexical, 4),
        "dense": None if hit.dense is None else round(hit.dense, 4),
        "rank_lexical": hit.rank_lexical,
        "rank_dense": hit.rank_dense,
        "reader": None if hit.reader is None else round(hit.reader, 4),
    }


def evidence_to_dict(evidence: Evidence) -> dict[str, Any]:
    """The JSON shape of evidence: a hit, its number and the marked spans with their text."""
    text = evidence.hit.passage.text
    return {
        "number": evidence.number,
        "page": evidence.page,
        "pictures": [asdict(picture) for picture in evidence.pictures],
        "spans": [{"start": s.start, "end": s.end, "text": text[s.start : s.end]} for s in evidence.spans],
        **hit_to_dict(evidence.hit),
    }


class Embedder(Protocol):
    """Text to unit vectors, with separate methods for queries and passages because some models prompt them differently.

    `fingerprint` differs between models whose vectors differ.
    """

    dim: int
    fingerprint: str

    def encode_query(self, text: str) -> Vectors:
        """One unit vector, shape (dim,)."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (len(texts), dim)."""
        ...


class VectorSearch(Protocol):
    """Vectors that can be searched. The score is the inner product of unit vectors; rows count from 0."""

    def __len__(self) -> int:
        """How many vectors it holds."""
        ...

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best rows (or all, if there are fewer) and their scores, best first."""
        ...

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """The scores of the given rows, in their order."""
        ...


@runtime_checkable
class Engine(VectorSearch, Protocol):
    """A store of vectors. Rows are numbered in the order of adding."""

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

        Raises IndexDamaged if the file does not hold `count` vectors of `dim` numbers.
        """
        ...
