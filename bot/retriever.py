"""A query to hits: lexical and dense top-N, fused, the best of them read and put in order by the ranker.

Knows nothing of what answers: it orders passages, and `refusal` decides on the raw scores that it leaves in each hit.
"""

from __future__ import annotations

import numpy as np

from bot import ranker
from bot.engines import LexicalEngine
from bot.errors import EngineDown
from bot.index import Index
from bot.lexical import query_terms
from bot.text import fold, is_chinese
from bot.types import Embedder, Engine, Hit, Passage, Query, Vectors

LEGS = ("lexical", "dense")
# Candidates each leg brings. 100 and 200 give the same figures on every visible set.
DEPTH = 100
# What a cosine of 1 is worth in points of BM25. Adding what either leg's point is worth beat reciprocal ranks,
# best-score and z normalisation on the visible sets (scripts/EXPERIMENTS.md).
COSINE_POINTS = 15.0
# Bridged words are rather near in meaning than the article's own words, so the vectors count for more: 20, 30 and 40
# points give English xquad_even 0.894, 0.888 and 0.878, bipar_valid 0.367, 0.370 and 0.362.
BRIDGED_COSINE_POINTS = 25.0
# Candidates that the ranker reads, each for 0.2 ms. The mean MRR@10 of the Chinese sets is 0.9198 reading 4, 0.9207
# reading 5, 0.9199 reading 8 and 0.9204 reading 12.
READ = 5
# A hit's score is its points over their absolute value plus this: within -1..1 however long the question is.
HALF_POINTS = 5.0
# Two passages with this share of common character pairs say the same: the better one is shown.
_SAME = 0.8


def query_vector(query: Query, embedder: Embedder) -> Vectors:
    """The unit vector that the dense leg is asked with, shape (dim,)."""
    return embedder.encode_query(" ".join([query.folded, *query.other_names]))


def search(
    index: Index,
    asked: ranker.Asked,
    vector: Vectors | None,
    k: int,
    legs: tuple[str, ...] = LEGS,
    degraded: dict[str, str] | None = None,
) -> list[Hit]:
    """The `k` best hits, best first, near-duplicates left out. `legs` picks one leg alone, for comparison.

    Without a vector, or without a readable vector file, the lexical leg answers alone; while the engine's server is
    down too, and `degraded` is told.
    """
    query = asked.query
    lexical, dense = candidates(index, query, vector, legs, degraded)
    points = fuse(query, lexical, dense)
    order = _best_first(points)[: 2 * k + READ]
    passages = dict(zip(order, index.store.passages(order), strict=True))
    scores = {row: points[row] / COSINE_POINTS for row in order}
    # The ranker is fitted on Chinese questions; to bridged ones it gave 0.02 less MRR@10 than fusion alone.
    if len(legs) > 1 and is_chinese(query.folded):
        few = {row: passages[row] for row in order[:READ]}
        read = {row: ranker.passage_score(one) for row, one in readings(asked, few, lexical, dense).items()}
        # What was not read stays behind what was, in its own order.
        behind = min(read.values(), default=0.0) - scores[order[0]] if order else 0.0
        scores = {row: read[row] if row in read else scores[row] + behind for row in order}
    rank_lexical, rank_dense = (
        {row: rank for rank, row in enumerate(_best_first(leg), start=1)} for leg in (lexical, dense)
    )
    hits = [
        Hit(
            passages[row],
            scores[row] / (abs(scores[row]) + HALF_POINTS),
            lexical.get(row),
            dense.get(row),
            rank_lexical.get(row),
            rank_dense.get(row),
        )
        for row in _best_first(scores)
    ]
    return _without_duplicates(asked, hits, k)


def readings(
    asked: ranker.Asked, passages: dict[int, Passage], lexical: dict[int, float], dense: dict[int, float]
) -> dict[int, ranker.Reading]:
    """Row -> the passage as the ranker reads it."""
    best = max(lexical.values(), default=0.0)
    read = zip(passages, ranker.read(asked, list(passages.values())), strict=True)
    return {row: ranker.with_legs(one, lexical.get(row, 0.0), best, dense.get(row, 0.0)) for row, one in read}


def candidates(
    index: Index,
    query: Query,
    vector: Vectors | None,
    legs: tuple[str, ...] = LEGS,
    degraded: dict[str, str] | None = None,
) -> tuple[dict[int, float], dict[int, float]]:
    """Row -> BM25 of the lexical leg's best, and row -> cosine of every row that either leg brought."""
    if len(legs) > 1 and vector is not None and index.server is not None:
        try:
            return _from_server(index, index.server, query, vector)
        except EngineDown as error:
            if degraded is not None:
                degraded["vectors"] = str(error)
            legs = ("lexical",)
    lexical = dict(index.lexical.search(query, DEPTH)) if "lexical" in legs else {}
    dense: dict[int, float] = {}
    if "dense" in legs and index.engine is not None and vector is not None:
        rows, cosines = index.engine.search(vector, DEPTH)
        dense = dict(zip(rows.tolist(), cosines.tolist(), strict=True))
        # A lexical candidate gets its exact cosine too, so that no passage is judged by one leg for lack of depth.
        others = [row for row in lexical if row not in dense]
        dense |= zip(others, index.engine.scores(vector, np.array(others, dtype=np.int64)).tolist(), strict=True)
    return lexical, dense


def _from_server(
    index: Index, engine: LexicalEngine, query: Query, vector: Vectors
) -> tuple[dict[int, float], dict[int, float]]:
    """What `candidates` gives, the rows found by a server. Raises EngineDown."""
    assert isinstance(engine, Engine)
    if engine.holds_words():
        rows = engine.search_fused(vector, query_terms(query), DEPTH)
        lexical = dict(index.lexical.search(query, max(1, len(rows)), [int(row) for row in rows]))
    else:
        lexical = dict(index.lexical.search(query, DEPTH))
        rows = np.array(sorted({*map(int, engine.search(vector, DEPTH)[0]), *lexical}), dtype=np.int64)
    return lexical, dict(zip(map(int, rows), map(float, engine.scores(vector, rows)), strict=True))


def fuse(query: Query, lexical: dict[int, float], dense: dict[int, float]) -> dict[int, float]:
    """Row -> points: BM25 + 15 * cosine, of an English question + 25. A leg that answers alone keeps its own order."""
    worth = COSINE_POINTS if is_chinese(query.folded) else BRIDGED_COSINE_POINTS
    return {row: lexical.get(row, 0.0) + worth * dense.get(row, 0.0) for row in {*lexical, *dense}}


def _best_first(scores: dict[int, float]) -> list[int]:
    """The rows by score, equal ones in row order."""
    return sorted(sorted(scores), key=scores.__getitem__, reverse=True)  # keeps the order of equals


def _without_duplicates(asked: ranker.Asked, hits: list[Hit], k: int) -> list[Hit]:
    """The first `k` hits of which none says the same as one before it."""
    kept: list[Hit] = []
    seen: list[set[int]] = []
    for hit in hits:
        if len(kept) == k:
            break
        pairs = _pairs(asked, hit.passage)
        if any(len(pairs & other) >= _SAME * max(1, min(len(pairs), len(other))) for other in seen):
            continue
        kept.append(hit)
        seen.append(pairs)
    return kept


def _pairs(asked: ranker.Asked, passage: Passage) -> set[int]:
    """The pairs of neighbouring letters of a passage, each as one number: sets of those are made in half the time."""
    read = asked.readings.get(passage)
    folded = ranker.letters("".join(read.folded) if read else fold(passage.text))
    codes = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    return set((codes[:-1] << np.uint64(32) | codes[1:]).tolist()) or {int(codes.sum())}
