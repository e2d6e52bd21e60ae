"""Finds the hits for a query: the best of the lexical and the dense leg are fused, and the ranker reorders the top.

It only orders passages; whether they answer is decided by `refusal` from the raw scores in each hit.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from bot.answer import features
from bot.answer.features import PassageFeatures, QueryFeatures
from bot.answer.query import named_in_full
from bot.answer.reader.reader import Reader
from bot.index.candidates import LEGS, Candidates, candidates
from bot.index.opened import Index
from bot.text.abbreviations import abbreviated
from bot.text.fold import fold, is_chinese
from bot.types import Embedder, Hit, Passage, Query, Rows, Term, Vectors

# How many points of BM25 a cosine of 1 is worth. On the visible sets this sum beat reciprocal ranks, best-score and z
# normalisation (scripts/EXPERIMENTS.md, Fusion: fixed ways).
COSINE_POINTS = 15.0
# Bridged words are near in meaning but are seldom the article's own words, so the vectors count for more
# (scripts/EXPERIMENTS.md, The bridge).
BRIDGED_COSINE_POINTS = 25.0
# How many candidates the ranker reads; more do not raise MRR@10 (scripts/EXPERIMENTS.md, Fusion: a learned ranker).
READ = 5
# A hit's score is p / (|p| + this) for p points, which is within -1..1 however long the question is.
HALF_POINTS = 5.0
# What a field counts for that bears the name of what is asked for, in points as the learned score has them. It decides
# between passages of one document that hold the same names: the ranker was fitted on prose, which has no fields.
_FIELD = 1.0
# What a heading counts for that asks the same as the question: its answer stands below it.
_AS_HEADING = 10.0
# What a passage loses that is a single line without a sentence or a value, as the name of a page: it repeats the words
# of a question and says nothing. Such lines were the first hits of 4 of the 150 questions of rgb_zh.
_FRAGMENT = 1.5
_SAYS = re.compile(r"[。！？!?；;：:\n]|\d\s*[年月日元%％万亿个岁天点时分]")
_LONGEST_FRAGMENT = 80
# What the reader's certainty that a passage answers counts for, in points of the learned score and of the fused one. In
# English only its yes counts: its no put the right passage of qingdao's six questions behind others four times.
_READ_POINTS, _READ_ENGLISH_POINTS = 4.0, 1.0
# Two passages with the same numbers and at least this share of common character pairs count as the same; the better one
# is shown.
_SAME = 0.8
_DIGITS = re.compile(r"\d+")
# How many passages are searched for the names that a question abbreviates with words that the corpus lacks.
_NAMES_IN = 10


def query_vector(query: Query, embedder: Embedder) -> Vectors:
    """The unit vector of the query for the dense leg, shape (dim,)."""
    return embedder.encode_query(" ".join([query.folded, *query.other_names]))


def looked_up(
    index: Index, query: Query, vector: Vectors | None, legs: tuple[str, ...] = LEGS
) -> tuple[QueryFeatures, Candidates]:
    """The query with its candidates; what it abbreviates goes by its name in the passages that were found.

    `legs` can select a single leg, for comparison. Without a vector or a readable vector file, only the lexical leg is
    used.
    """
    found = candidates(index, query, vector, legs)
    if any(is_chinese(term.source) and not term.number and not _is_known(index, term) for term in query.terms):
        texts = [fold(one.text) for one in index.store.passages(_best_first(fuse(query, found))[:_NAMES_IN])]
        if names := abbreviated(query.folded, texts):
            query = named_in_full(query, names)
            found = candidates(index, query, vector, legs)
    return QueryFeatures.from_query(query), found


def _is_known(index: Index, term: Term) -> bool:
    return any(map(index.lexical.knows, term.alternatives))


def ranked(
    index: Index, asked: QueryFeatures, found: Candidates, k: int, reader: Reader | None = None, *, read: bool = True
) -> list[Hit]:
    """The `k` best of the candidates, best first, without near-duplicates.

    With `read`, the best passages are reordered by the learned score and the reader.
    """
    points = fuse(asked.query, found)
    order = _best_first(points)[: 2 * k + READ]
    first = order[: max(k, READ)]
    passages = dict(zip(first, index.store.passages(first), strict=True))
    scores = {row: points[row] / COSINE_POINTS for row in order}
    if read and order:
        few = {row: passages[row] for row in order[:READ]}
        learned = _reordered(asked, few, found, {row: scores[row] for row in few}, reader)
        # Passages that were not read keep their order, behind those that were.
        behind = min(learned.values()) - scores[order[0]]
        scores = {row: learned[row] if row in learned else score + behind for row, score in scores.items()}
    kept = _first_distinct(index, asked, _best_first(scores), passages, k)
    rank_lexical, rank_dense = (
        {row: rank for rank, row in enumerate(_best_first(leg), start=1)} for leg in (found.lexical, found.dense)
    )
    return [
        Hit(
            passages[row],
            scores[row] / (abs(scores[row]) + HALF_POINTS),
            found.lexical.get(row),
            found.dense.get(row),
            rank_lexical.get(row),
            rank_dense.get(row),
            one.squashed if (one := asked.read.get(passages[row])) else None,
        )
        for row in kept
    ]


def _reordered(
    asked: QueryFeatures,
    few: dict[int, Passage],
    found: Candidates,
    scores: dict[int, float],
    reader: Reader | None,
) -> dict[int, float]:
    """Row -> the learned score of a passage, with what the reader found in it."""
    # The ranker is fitted on Chinese questions; on bridged ones it lost 0.02 MRR@10 against fusion alone.
    chinese = is_chinese(asked.query.folded)
    if chinese:
        scores = {
            row: features.passage_score(one) + _FIELD * float(one.keyed.max()) - _FRAGMENT * _is_fragment(few[row].text)
            for row, one in read_passages(asked, few, found).items()
        }
    if reader is not None:
        for row, one in zip(few, reader.read(asked, list(few.values())), strict=True):
            if one is not None:
                scores[row] += _READ_POINTS * one.squashed if chinese else _READ_ENGLISH_POINTS * max(0.0, one.squashed)
    for row, passage in few.items():
        if passage.heading and features.letters(fold(passage.heading)) == features.letters(asked.query.folded):
            scores[row] += _AS_HEADING
    return scores


def _first_distinct(
    index: Index, asked: QueryFeatures, rows: list[int], passages: dict[int, Passage], k: int
) -> list[int]:
    """The first `k` rows without near-duplicates of an earlier row; missing passages are added to `passages`."""
    count = k
    while True:  # one round is enough for most questions
        lacking = [row for row in rows[:count] if row not in passages]
        if lacking:
            passages.update(zip(lacking, index.store.passages(lacking), strict=True))
        kept = _distinct(asked, {row: passages[row] for row in rows[:count]})
        if len(kept) >= k or count >= len(rows):
            return kept[:k]
        count += 2 * (k - len(kept))


def read_passages(asked: QueryFeatures, passages: dict[int, Passage], found: Candidates) -> dict[int, PassageFeatures]:
    """Row -> the features of the passage, including those from the legs."""
    best = max(found.lexical.values(), default=0.0)
    read = zip(passages, features.passage_features(asked, list(passages.values())), strict=True)
    return {
        row: features.with_legs(one, found.lexical.get(row, 0.0), best, found.dense.get(row, 0.0)) for row, one in read
    }


def _is_fragment(text: str) -> bool:
    return len(text) <= _LONGEST_FRAGMENT and not _SAYS.search(text)


def fuse(query: Query, found: Candidates) -> dict[int, float]:
    """Row -> points: BM25 + 15 * cosine (25 for an English question). A single leg keeps its own order."""
    worth = COSINE_POINTS if is_chinese(query.folded) else BRIDGED_COSINE_POINTS
    rows = {*found.lexical, *found.dense}
    return {row: found.lexical.get(row, 0.0) + worth * found.dense.get(row, 0.0) for row in rows}


def _best_first(scores: dict[int, float]) -> list[int]:
    """The rows by score, ties in row order."""
    return sorted(sorted(scores), key=scores.__getitem__, reverse=True)  # sorted is stable, so ties keep their order


def _distinct(asked: QueryFeatures, passages: dict[int, Passage]) -> list[int]:
    """The rows without those whose passage is a near-duplicate of an earlier one."""
    read = [(asked.readings.get(passage), passage) for passage in passages.values()]
    texts = ["".join(one.folded) if one else fold(passage.text) for one, passage in read]
    sizes, common = _pairs(texts)
    # Documents of one template differ in little but their numbers, which is what is asked for.
    numbers = [frozenset(_DIGITS.findall(text)) for text in texts]
    alike = np.array([[one == other for other in numbers] for one in numbers], bool).reshape(len(texts), len(texts))
    same = alike & (common >= _SAME * np.maximum(1, np.minimum.outer(sizes, sizes)))
    kept: list[int] = []
    for i in range(len(read)):
        if not same[i, kept].any():
            kept.append(i)
    rows = list(passages)
    return [rows[i] for i in kept]


def _pairs(texts: list[str]) -> tuple[Rows, Rows]:
    """The number of distinct pairs of adjacent letters in each text, (n,), and in common to each two texts, (n, n).

    One sorted array of all pairs, because comparing Python sets of pairs took five times as long.
    """
    whole = "\n".join(map(features.letters, texts))
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64)
    ends = codes == ord("\n")
    pairs = (codes[:-1] << 21 | codes[1:]) << 16 | np.cumsum(ends)[1:]  # 21 bits a letter, 16 for the text
    pairs = np.sort(pairs[~(ends[:-1] | ends[1:])])
    pairs = pairs[_changes(pairs)]
    new = _changes(pairs >> 16)
    shared = ~(new & np.append(new[1:], True))  # leaves out pairs that occur in only one text
    column, text = np.cumsum(new[shared]) - 1, pairs & 0xFFFF
    held = np.zeros((len(texts), 64 * (len(column) // 64 + 1)), dtype=bool)
    held[text[shared], column] = True
    bits = np.packbits(held, axis=1).view(np.uint64)
    return np.bincount(text, minlength=len(texts)), np.bitwise_count(bits[:, None] & bits).sum(axis=2, dtype=np.int64)


def _changes(values: Rows) -> NDArray[np.bool_]:
    """Whether each value differs from the one before it."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]
