"""A query to hits: lexical and dense top-N, fused by what a point of either score is worth.

Knows nothing of what answers: it orders passages, and `refusal` decides on the raw scores that it leaves in each hit.
"""

from __future__ import annotations

import numpy as np

from bot.index import Index
from bot.text import fold
from bot.types import Embedder, Hit, Passage, Query, Vectors

LEGS = ("lexical", "dense")
# Candidates each leg brings. 100 and 200 give the same figures on every visible set.
DEPTH = 100
# What a cosine of 1 is worth in points of BM25, and the points at which the fused score is a half. Adding what either
# leg's point is worth beat reciprocal ranks, best-score and z normalisation on the visible sets (EXPERIMENTS.md).
COSINE_POINTS = 15.0
HALF_POINTS = 30.0
# Two passages with this share of common character pairs say the same: the better one is shown.
_SAME = 0.8


def query_vector(query: Query, embedder: Embedder) -> Vectors:
    """The unit vector that the dense leg is asked with, shape (dim,)."""
    return embedder.encode_query(query.folded)


def search(index: Index, query: Query, vector: Vectors | None, k: int, legs: tuple[str, ...] = LEGS) -> list[Hit]:
    """The `k` best hits, best first, near-duplicates left out. `legs` picks one leg alone, for comparison.

    Without a vector, or without a readable vector file, the lexical leg answers alone.
    """
    lexical = dict(index.lexical.search(query, DEPTH)) if "lexical" in legs else {}
    dense: dict[int, float] = {}
    if "dense" in legs and index.engine is not None and vector is not None:
        rows, _ = index.engine.search(vector, DEPTH)
        # A lexical candidate gets its exact cosine too, so that no passage is judged by one leg for lack of depth.
        candidates = np.array(sorted({*map(int, rows), *lexical}), dtype=np.int64)
        scores = index.engine.scores(vector, candidates)
        dense = {int(row): float(score) for row, score in zip(candidates, scores, strict=True)}
    fused = _fuse(lexical, dense)
    rank_lexical = _ranks(lexical)
    rank_dense = _ranks(dense)
    best = sorted(fused, key=lambda row: (-fused[row], row))[: 2 * k + 10]
    hits = [
        Hit(passage, fused[row], lexical.get(row), dense.get(row), rank_lexical.get(row), rank_dense.get(row))
        for row, passage in zip(best, index.store.passages(best), strict=True)
    ]
    return _without_duplicates(hits)[:k]


def _fuse(lexical: dict[int, float], dense: dict[int, float]) -> dict[int, float]:
    """Points / (|points| + 30), points = BM25 + 15 * cosine: within -1..1 whatever the length of the question.

    A leg that answers alone keeps its own order by the same formula.
    """
    points = {row: lexical.get(row, 0.0) + COSINE_POINTS * dense.get(row, 0.0) for row in {*lexical, *dense}}
    return {row: value / (abs(value) + HALF_POINTS) for row, value in points.items()}


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
    folded = "".join(fold(passage.text).split())
    return {folded[i : i + 2] for i in range(len(folded) - 1)} or {folded}
