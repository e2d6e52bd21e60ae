"""Combines two engines: the vectors of a generation's main files and those of its delta (bot.index.changes)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from bot.index.engines.within import best_of
from bot.types import Engine, Rows, Vectors

DELTA = "delta"  # folder in a generation


class LayeredEngine:
    """Two engines as one: the rows of the second follow those of the first, and some rows of either are gone."""

    def __init__(self, main: Engine, delta: Engine, gone: AbstractSet[int]) -> None:
        """Wrap both engines without copying; the rows in `gone` are never found."""
        self._parts = (main, 0), (delta, len(main))
        self._living = np.ones(len(self), dtype=bool)
        self._living[list(gone)] = False

    def __len__(self) -> int:
        """How many vectors both hold, including those that are gone."""
        return sum(len(part) for part, _ in self._parts)

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best rows of both engines that are not gone, and their scores, best first."""
        found = [
            (rows + first, scores)
            for part, first in self._parts
            for rows, scores in [best_of(part, self._living[first : first + len(part)], query, k)]
        ]
        rows, scores = (np.concatenate(both) for both in zip(*found, strict=True))
        order = np.argsort(-scores, kind="stable")[:k]
        return rows[order], scores[order]

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """The scores of the given rows, in their order."""
        scores = np.empty(len(rows), dtype=np.float32)
        for part, first in self._parts:
            inside = (rows >= first) & (rows < first + len(part))
            scores[inside] = part.scores(query, rows[inside] - first)
        return scores
