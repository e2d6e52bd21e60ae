"""A query to hits: lexical and dense top-N, fused by what a point of either score is worth.

Knows nothing of what answers: it orders passages, and `refusal` decides on the raw scores that it leaves in each hit.
"""

from __future__ import annotations

import re

import numpy as np

from bot.index import Index
from bot.text import fold
from bot.types import Embedder, Hit, Passage, Query, Vectors

LEGS = ("lexical", "dense")
# Candidates each leg brings. 100 and 200 give the same figures on every visible set.
DEPTH = 100
# What a cosine of 1 is worth in points of BM25. Adding what either leg's point is worth beat reciprocal ranks,
# best-score and z normalisation on the visible sets (scripts/EXPERIMENTS.md).
COSINE_POINTS = 15.0
# What it is worth that a passage holds the whole question word for word; half of it is worth a quarter.
PHRASE_POINTS = 10.0
# The points at which the score is a half.
HALF_POINTS = 30.0
# Candidates whose text is looked at again, beside twice the hits that are wanted.
RERANKED = 30
# Two passages with this share of common character pairs say the same: the better one is shown.
_SAME = 0.8


def query_vector(query: Query, embedder: Embedder) -> Vectors:
    """The unit vector that the dense leg is asked with, shape (dim,)."""
    return embedder.encode_query(" ".join([query.folded, *query.other_names]))


def search(index: Index, query: Query, vector: Vectors | None, k: int, legs: tuple[str, ...] = LEGS) -> list[Hit]:
    """The `k` best hits, best first, near-duplicates left out. `legs` picks one leg alone, for comparison.

    Without a vector, or without a readable vector file, the lexical leg answers alone.
    """
    lexical, dense = candidates(index, query, vector, legs)
    points = fuse(lexical, dense)
    best = sorted(points, key=lambda row: (-points[row], row))[: 2 * k + RERANKED]
    passages = dict(zip(best, index.store.passages(best), strict=True))
    if len(legs) > 1:
        asked = _letters(query.folded)
        points = {row: points[row] + PHRASE_POINTS * _phrase_share(asked, passages[row].text) ** 2 for row in best}
    rank_lexical, rank_dense = _ranks(lexical), _ranks(dense)
    hits = [
        # Within -1..1 whatever the length of the question: a score above 1 is read as a mistake.
        Hit(
            passages[row],
            points[row] / (abs(points[row]) + HALF_POINTS),
            lexical.get(row),
            dense.get(row),
            rank_lexical.get(row),
            rank_dense.get(row),
        )
        for row in sorted(best, key=lambda row: (-points[row], row))
    ]
    return _without_duplicates(hits)[:k]


def candidates(
    index: Index, query: Query, vector: Vectors | None, legs: tuple[str, ...] = LEGS
) -> tuple[dict[int, float], dict[int, float]]:
    """Row -> BM25 of the lexical leg's best, and row -> cosine of every row that either leg brought."""
    lexical = dict(index.lexical.search(query, DEPTH)) if "lexical" in legs else {}
    dense: dict[int, float] = {}
    if "dense" in legs and index.engine is not None and vector is not None:
        rows, _ = index.engine.search(vector, DEPTH)
        # A lexical candidate gets its exact cosine too, so that no passage is judged by one leg for lack of depth.
        union = np.array(sorted({*map(int, rows), *lexical}), dtype=np.int64)
        scores = index.engine.scores(vector, union)
        dense = {int(row): float(score) for row, score in zip(union, scores, strict=True)}
    return lexical, dense


def fuse(lexical: dict[int, float], dense: dict[int, float]) -> dict[int, float]:
    """Row -> points: BM25 + 15 * cosine. A leg that answers alone keeps its own order."""
    return {row: lexical.get(row, 0.0) + COSINE_POINTS * dense.get(row, 0.0) for row in {*lexical, *dense}}


def _letters(folded: str) -> str:
    return re.sub(r"\W", "", folded)


def _phrase_share(asked: str, text: str) -> float:
    """The longest run of the question's letters that the text holds, as a share of the question: 0 to 1."""
    held = _letters(fold(text))
    start = longest = 0
    while start + longest < len(asked):
        if asked[start : start + longest + 1] in held:
            longest += 1
        else:
            start += 1
    return longest / len(asked) if asked else 0.0


def _ranks(scores: dict[int, float]) -> dict[int, int]:
    return {row: rank for rank, row in enumerate(sorted(scores, key=lambda row: (-scores[row], row)), start=1)}


def _without_duplicates(hits: list[Hit]) -> list[Hit]:
    kept: list[Hit] = []
    seen: list[set[str]] = []
    for hit in hits:
        pairs = _pairs(hit.passage)
        if any(len(pairs & other) >= _SAME * max(1, min(len(pairs), len(other))) for other in seen):
            continue
        kept.append(hit)
        seen.append(pairs)
    return kept


def _pairs(passage: Passage) -> set[str]:
    folded = _letters(fold(passage.text))
    return {folded[i : i + 2] for i in range(len(folded) - 1)} or {folded}
