"""How well a passage and each of its sentences answer a query: features, and a learned score for the passage.

The score combines what the legs found with the best sentence. The weights are fitted by `scripts/train_ranker.py`;
`evidence` weighs the same sentence features with its own weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.answer.fields import keyed
from bot.answer.reader.reading import Reading
from bot.text.answer_type import TYPES, AnswerType, is_question
from bot.text.fold import fold
from bot.text.sentences import sentences
from bot.text.terms import bigrams
from bot.types import Passage, Query, Rows

Vector = npt.NDArray[np.float64]

WEIGHTS = Path(__file__).parents[1] / "model" / "ranker" / "weights.json"
SENTENCE_FEATURES = (
    "overlap",  # share of the query's terms that the sentence contains, weighted by rarity
    "stand_in",  # the same for terms that only stand for the answer (机构 in 什么机构)
    "pairs",  # share of the query's character pairs
    "local",  # share of the terms, weighted by how few sentences of the passage contain them
    "local_pairs",  # share of the character pairs, weighted likewise
    "before",  # terms that it lacks but the previous sentence contains
    "after",  # terms that it lacks but the next sentence contains
    "topic",  # terms in none of these three, but in title, heading, file name or the passage's first sentence
    "answers",  # terms that the previous sentence contains, if that is a question
    "question",  # 1 if it is a question
    "measured",  # 1 if it contains a number in the measure asked for
    "short",  # 1 if it has fewer than 12 characters
    "length",  # characters / 100, at most 2
    "first",  # 1 if it is the first sentence of the passage
    *(f"type:{name}" for name in TYPES),
)
PASSAGE_FEATURES = (
    "lexical",  # BM25 / 10
    "lexical_gap",  # how far below the best candidate's BM25, as a share of that
    "cosine",
    "phrase",  # square of the share of the query's letters that the passage contains in one run
    "coverage",  # share of the query's terms that it contains, weighted by rarity
    "title",  # share of the terms that its title, heading or file name contains
    "named",  # 1 if the title occurs in the question
    "opening",  # 1 if it is the beginning of its article
    "size",  # characters / 500
)
_LONGEST_HEAD = 40  # characters of a title and of a heading that the reader is shown
_NUMERALS = re.compile("[〇零一二两三四五六七八九十百千万亿点分之年月日号]{2,}")


@dataclass(frozen=True, slots=True)
class QueryFeatures:
    """A query as the ranker sees it; made once per query.

    `readings` caches the features of passages, `read` what the reader found in them.
    """

    query: Query
    type: AnswerType
    pairs: tuple[str, ...]
    letters: str
    rarity: Vector  # of each term, scaled to a sum of 1
    stand_in: Vector  # 1 for a term that is just the noun that stands for the answer
    alternatives: tuple[tuple[tuple[str, float], ...], ...]  # of each term, the heaviest last
    readings: dict[Passage, PassageFeatures] = field(default_factory=dict)
    read: dict[Passage, Reading | None] = field(default_factory=dict)

    @classmethod
    def from_query(cls, query: Query) -> QueryFeatures:
        """The query with its answer type, character pairs and terms."""
        kind = AnswerType.from_query(query)
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
class PassageFeatures:
    """A passage as the ranker sees it: offsets, folded text and features of its sentences, and its own features.

    `keyed` is 1 for each sentence with the field that is asked for; the ranker was fitted on prose, which has none.
    `head` is the folded title with the heading, on one line.
    """

    spans: tuple[tuple[int, int], ...]
    folded: tuple[str, ...]
    sentence_features: Vector
    passage_features: Vector
    keyed: Vector
    head: str = ""


def letters(folded: str) -> str:
    """The letters and digits of folded text, without punctuation and spaces."""
    return re.sub(r"\W", "", folded)


def held(alternatives: Mapping[str, float], folded: str) -> float:
    """The weight of the best alternative that the folded text contains, 0 to 1; a Latin one must be a whole word."""
    best = 0.0
    for term, weight in alternatives.items():
        if weight > best and holds(folded, term):
            best = weight
    return best


def holds(folded: str, term: str) -> bool:
    """Whether the folded text contains a term: a Chinese one anywhere, a Latin one or a number as a whole."""
    if term not in folded:
        return False
    pattern = _whole(term)
    return pattern is None or pattern.search(folded) is not None


@lru_cache(maxsize=4096)
def _whole(term: str) -> re.Pattern[str] | None:
    """What finds a term as a whole; None for one that may stand anywhere."""
    before = after = ""
    if term.isascii():
        before, after = "(?<![a-z0-9])", "(?![a-z0-9])"
    if term[0].isdecimal():  # 300 is not in 1,300
        before += r"(?<!\d)(?<!\d[.,])"
    if term[-1].isdecimal():  # 3000 is not in 3000万
        after += r"(?![.,]?\d)(?! ?[百千万亿])"
    if _NUMERALS.fullmatch(term):  # 一月 is not in 十一月, and 三千 not in 三千五百
        before += "(?<![〇零一二三四五六七八九十百千万亿])"
        after += "" if term[-1] in "年月日号%‰" else "(?![〇零一二三四五六七八九十百千万亿])"
    return re.compile(before + re.escape(term) + after) if before or after else None


def coverage(query: Query, folded: str) -> float:
    """The share of the query's terms that the folded text contains, weighted by rarity: 0 to 1."""
    total = sum(term.rarity for term in query.terms)
    return sum(term.rarity * held(term.alternatives, folded) for term in query.terms) / total if total else 0.0


def passage_features(asked: QueryFeatures, passages: Sequence[Passage]) -> list[PassageFeatures]:
    """The features of passages, computed once per query; those that come from the legs are 0.

    All passages are computed together, because for a single one half of the time would be overhead of numpy.
    """
    new = [passage for passage in dict.fromkeys(passages) if passage not in asked.readings]
    if new:
        asked.readings.update(zip(new, _read(asked, new), strict=True))
    return [asked.readings[passage] for passage in passages]


def with_legs(reading: PassageFeatures, lexical: float, best: float, cosine: float) -> PassageFeatures:
    """The same features with those from the legs filled in; `best` is the BM25 of the best candidate."""
    features = reading.passage_features.copy()
    features[:3] = lexical / 10, (best - lexical) / best if best else 0.0, cosine
    return replace(reading, passage_features=features)


def _read(asked: QueryFeatures, passages: Sequence[Passage]) -> list[PassageFeatures]:
    spans = [tuple(sentences(one.text)) or ((0, len(one.text)),) for one in passages]
    # Folded together, separated by line breaks: no sentence contains one, and folding keeps them.
    whole = [
        fold("\n".join(one.text[start:end] for start, end in ends)) for one, ends in zip(passages, spans, strict=True)
    ]
    folded = [tuple(text.split("\n")) for text in whole]
    abouts = [fold(one.about) for one in passages]
    about = _held_terms(asked, abouts)
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
            *(0.0, 0.0, 0.0),  # the features from the legs
            _longest_run(asked.letters, letters(whole[i])) ** 2,
            covered[i],
            titled[i],
            float(len(title) > 1 and title in asked.letters),
            float(passage.start == 0),
            len(passage.text) / 500,
        )
        found.append(
            PassageFeatures(
                spans[i],
                folded[i],
                rows[starts[i] : starts[i] + len(folded[i])],
                np.array(features),
                keyed(asked.query.folded, folded[i]),
                _head(abouts[i]),
            )
        )
    return found


def _head(about: str) -> str:
    """Title and heading of what a passage is about; of a long one the end, because the last heading is the nearest."""
    parts = dict.fromkeys(part.strip()[-_LONGEST_HEAD:] for part in about.split("\n")[:2])
    return " ".join(part for part in parts if part)


def _held_terms(asked: QueryFeatures, texts: Sequence[str]) -> Vector:
    """How much each text contains of each term, 0 to 1; shape (texts, terms)."""
    together = "\n".join(texts)
    grid = np.zeros((len(texts), len(asked.alternatives)))
    for column, alternatives in enumerate(asked.alternatives):
        # Searching the joined text first pays because most alternatives of a term occur in none of the texts.
        for term, weight in alternatives:  # the heaviest last, so that it wins
            if term in together:
                for row, text in enumerate(texts):
                    if term in text and holds(text, term):
                        grid[row, column] = weight
    return np.minimum(grid, 1.0)


def _sentence_rows(asked: QueryFeatures, texts: Sequence[str], own: Vector, about: Vector, starts: Rows) -> Vector:
    """The features of all sentences, shape (sentences, features).

    The passages begin at the rows `starts`; `about` says which terms their titles, headings and file names contain.
    """
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
        (before @ rarity) * asked_before,  # `before` is 0 for the first sentence of a passage
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
    """For each sentence, its share of what its passage contains, weighted by inverse sentence frequency."""
    if not grid.size:
        return np.zeros(len(grid))
    frequency = np.add.reduceat(grid, starts, axis=0)
    weights = weights * (frequency > 0) * np.log((sizes[:, None] + 1) / (frequency + 0.5)).clip(0)
    total = weights.sum(axis=1)
    shares: Vector = (grid * weights[of]).sum(axis=1) / np.where(total, total, 1.0)[of]
    return shares


def _longest_run(asked: str, text: str) -> float:
    """The longest run of the question's letters that occurs in the text, as a share of the question: 0 to 1."""
    start = longest = 0
    while start + longest < len(asked):
        if asked[start : start + longest + 1] in text:
            longest += 1
        else:
            start += 1
    return longest / len(asked) if asked else 0.0


def passage_score(reading: PassageFeatures) -> float:
    """The learned score of a passage as a hit, higher is better: its own features plus its best sentence."""
    sentence, passage = _weights()
    return float(reading.passage_features @ passage + (reading.sentence_features @ sentence).max())


@cache
def _weights() -> tuple[Vector, Vector]:
    stored: dict[str, dict[str, float]] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return (
        np.array([stored["sentence"][name] for name in SENTENCE_FEATURES]),
        np.array([stored["passage"][name] for name in PASSAGE_FEATURES]),
    )
