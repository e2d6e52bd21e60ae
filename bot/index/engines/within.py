"""Searches some of an engine's rows: those that still count, or those of some collections."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.types import Rows, Vectors, VectorSearch

# So few rows are compared one by one; with more it is quicker to search all and to pass over what is not wanted.
_FEW = 4_000
_DEEPER = 4

Wanted = npt.NDArray[np.bool_]  # for each row of an engine, whether it may be found


def best_of(engine: VectorSearch, wanted: Wanted, query: Vectors, k: int, share: float = 1.0) -> tuple[Rows, Vectors]:
    """The `k` best wanted rows and their scores, best first; `share` is about how many of the rows are wanted."""
    depth = min(len(engine), int(k / max(share, 1e-6)))
    while True:  # repeats if many of the best rows are not wanted
        rows, scores = engine.search(query, depth)
        kept = wanted[rows]
        if kept.sum() >= k or depth >= len(engine):
            return rows[kept][:k], scores[kept][:k]
        depth = min(len(engine), depth * _DEEPER)


class EngineWithin:
    """The wanted rows of an engine, as an engine."""

    def __init__(self, engine: VectorSearch, rows: Rows) -> None:
        """Wrap without copying; no other row is ever found."""
        self._engine, self._rows = engine, rows
        self._wanted = np.zeros(len(engine), dtype=bool)
        self._wanted[rows] = True

    def __len__(self) -> int:
        """How many rows the engine has, wanted or not: rows keep their numbers."""
        return len(self._engine)

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best wanted rows and their scores, best first."""
        if len(self._rows) > _FEW:
            return best_of(self._engine, self._wanted, query, k, len(self._rows) / len(self._engine))
        scores = self._engine.scores(query, self._rows)
        order = np.argsort(-scores, kind="stable")[:k]
        return self._rows[order], scores[order]

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """The scores of the given rows, in their order."""
        return self._engine.scores(query, rows)
