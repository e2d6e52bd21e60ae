"""Two engines as one: the vectors of a generation's main files, and of its delta (bot.changes)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from bot.types import Engine, Rows, Vectors

FOLDER = "delta"  # in a generation


class DeltaEngine:
    """Two engines as one: the rows of the second count on from those of the first, and some are gone from either."""

    def __init__(self, main: Engine, delta: Engine, gone: AbstractSet[int]) -> None:
        """Nothing is copied."""
        self._parts = (main, 0), (delta, len(main))
        self._living = np.ones(len(self), dtype=bool)
        self._living[list(gone)] = False

    def __len__(self) -> int:
        """How many vectors both hold, those that are gone too."""
        return sum(len(part) for part, _ in self._parts)

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best rows of both that are not gone, and their scores, best first."""
        found = [self._best_of(part, first, query, k) for part, first in self._parts]
        rows, scores = (np.concatenate(both) for both in zip(*found, strict=True))
        order = np.argsort(-scores, kind="stable")[:k]
        return rows[order], scores[order]

    def _best_of(self, part: Engine, first: int, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        depth = k
        while True:  # again only where the best of a question are those that changed
            rows, scores = part.search(query, depth)
            living = self._living[rows + first]
            if living.sum() >= k or depth >= len(part):
                return (rows + first)[living][:k], scores[living][:k]
            depth *= 4

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """The scores of the given rows, in their order."""
        scores = np.empty(len(rows), dtype=np.float32)
        for part, first in self._parts:
            inside = (rows >= first) & (rows < first + len(part))
            scores[inside] = part.scores(query, rows[inside] - first)
        return scores
