"""A query to hits: lexical and dense top-N, fused, the best of them read and put in order by the ranker.

Knows nothing of what answers: it orders passages, and `refusal` decides on the raw scores that it leaves in each hit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bot import ranker
from bot.engines import LexicalEngine
from bot.errors import EngineDown
from bot.index import Index
from bot.lexical import query_terms
from bot.text import fold, is_chinese
from bot.types import Embedder, Engine, Hit, Passage, Query, Rows, Vectors

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
    lexical, dense = candidates(index, asked.query, vector, legs, degraded)
    points = fuse(asked.query, lexical, dense)
    order = _best_first(points)[: 2 * k + READ]
    first = order[: max(k, READ)]
    passages = dict(zip(first, index.store.passages(first), strict=True))
    scores = {row: points[row] / COSINE_POINTS for row in order}
    # The ranker is fitted on Chinese questions; to bridged ones it gave 0.02 less MRR@10 than fusion alone.
    if len(legs) > 1 and order and is_chinese(asked.query.folded):
        few = {row: passages[row] for row in order[:READ]}
        read = {row: ranker.passage_score(one) for row, one in readings(asked, few, lexical, dense).items()}
        # What was not read stays behind what was, in its own order.
        behind = min(read.values()) - scores[order[0]]
        scores = {row: read[row] if row in read else score + behind for row, score in scores.items()}
    best = _best_first(scores)
    kept = _first_distinct(index, asked, best, passages, k)
    rank_lexical, rank_dense = (
        {row: rank for rank, row in enumerate(_best_first(leg), start=1)} for leg in (lexical, dense)
    )
    return [
        Hit(
            passages[row],
            scores[row] / (abs(scores[row]) + HALF_POINTS),
            lexical.get(row),
            dense.get(row),
            rank_lexical.get(row),
            rank_dense.get(row),
        )
        for row in kept
    ]


def _first_distinct(
    index: Index, asked: ranker.Asked, rows: list[int], passages: dict[int, Passage], k: int
) -> list[int]:
    """The first `k` rows whose passages say not the same as one before them; those that `passages` lacks are added."""
    count = k
    while True:  # once for 3 questions of 4 that want 10 of the news, for 24 of 25 that want 3
        lacking = [row for row in rows[:count] if row not in passages]
        if lacking:
            passages.update(zip(lacking, index.store.passages(lacking), strict=True))
        kept = _distinct(asked, {row: passages[row] for row in rows[:count]})
        if len(kept) >= k or count >= len(rows):
            return kept[:k]
        count += 2 * (k - len(kept))


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


def _distinct(asked: ranker.Asked, passages: dict[int, Passage]) -> list[int]:
    """The rows but those whose passages say the same as one before them."""
    read = [(asked.readings.get(passage), passage) for passage in passages.values()]
    sizes, common = _pairs(["".join(one.folded) if one else fold(passage.text) for one, passage in read])
    same = common >= _SAME * np.maximum(1, np.minimum.outer(sizes, sizes))
    kept: list[int] = []
    for i in range(len(read)):
        if not same[i, kept].any():
            kept.append(i)
    rows = list(passages)
    return [rows[i] for i in kept]


def _pairs(texts: list[str]) -> tuple[Rows, Rows]:
    """How many pairs of neighbouring letters each text holds, (n,), and how many any two have in common, (n, n).

    Python's sets of pairs, each compared with all, took five times as long.
    """
    whole = "\n".join(map(ranker.letters, texts))
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64)
    ends = codes == ord("\n")
    pairs = (codes[:-1] << 21 | codes[1:]) << 16 | np.cumsum(ends)[1:]  # 21 bits a letter, 16 for the text
    pairs = np.sort(pairs[~(ends[:-1] | ends[1:])])
    pairs = pairs[_changes(pairs)]
    new = _changes(pairs >> 16)
    shared = ~(new & np.append(new[1:], True))  # what one text alone holds is common to none
    column, text = np.cumsum(new[shared]) - 1, pairs & 0xFFFF
    held = np.zeros((len(texts), 64 * (len(column) // 64 + 1)), dtype=bool)
    held[text[shared], column] = True
    bits = np.packbits(held, axis=1).view(np.uint64)
    return np.bincount(text, minlength=len(texts)), np.bitwise_count(bits[:, None] & bits).sum(axis=2, dtype=np.int64)


def _changes(values: Rows) -> NDArray[np.bool_]:
    """Whether each differs from the one before it."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]
