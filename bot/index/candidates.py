"""The candidates for a question: what the lexical leg and the dense leg find, with each leg's raw scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bot.errors import EngineDown
from bot.index.engines.served import LexicalEngine, query_terms
from bot.index.opened import Index
from bot.types import Engine, Query, Vectors

LEGS = ("lexical", "dense")
# Candidates from each leg; 200 give the same figures on every visible set.
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Candidates:
    """Row -> BM25 of the best rows of the lexical leg, and row -> cosine of every row that either leg found.

    `problem` says why the vectors are missing; "" if they are not.
    """

    lexical: dict[int, float] = field(default_factory=dict)
    dense: dict[int, float] = field(default_factory=dict)
    problem: str = ""


def candidates(index: Index, query: Query, vector: Vectors | None, legs: tuple[str, ...] = LEGS) -> Candidates:
    """What the legs find for a query; only the lexical leg without a vector or while the engine's server is down."""
    if len(legs) > 1 and vector is not None and index.server is not None:
        try:
            return _from_server(index, index.server, query, vector)
        except EngineDown as error:
            return Candidates(dict(index.lexical.search(query, DEPTH)), {}, str(error))
    lexical = dict(index.lexical.search(query, DEPTH)) if "lexical" in legs else {}
    if "dense" not in legs or index.engine is None or vector is None:
        return Candidates(lexical)
    rows, cosines = index.engine.search(vector, DEPTH)
    dense = dict(zip(rows.tolist(), cosines.tolist(), strict=True))
    # Lexical candidates get their exact cosine too, so that a passage beyond the dense leg's depth is judged fairly.
    others = [row for row in lexical if row not in dense]
    dense |= zip(others, index.engine.scores(vector, np.array(others, dtype=np.int64)).tolist(), strict=True)
    return Candidates(lexical, dense)


def _from_server(index: Index, engine: LexicalEngine, query: Query, vector: Vectors) -> Candidates:
    """The same as `candidates`, with rows found by a server. Raises EngineDown."""
    assert isinstance(engine, Engine)
    if engine.holds_words():
        rows = engine.search_fused(vector, query_terms(query), DEPTH)
        lexical = dict(index.lexical.search(query, max(1, len(rows)), [int(row) for row in rows]))
    else:
        lexical = dict(index.lexical.search(query, DEPTH))
        rows = np.array(sorted({*map(int, engine.search(vector, DEPTH)[0]), *lexical}), dtype=np.int64)
    return Candidates(lexical, dict(zip(map(int, rows), map(float, engine.scores(vector, rows)), strict=True)))
