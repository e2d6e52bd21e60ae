"""The reference engine: one float32 matrix, all scores computed. Correct by construction, slow past 100,000 vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from bot.errors import IndexDamaged
from bot.types import Rows, Vectors


class ExactEngine:
    """All vectors in one numpy array."""

    def __init__(self, dim: int) -> None:
        """An empty engine for vectors of `dim` numbers."""
        self._batches: list[Vectors] = [np.empty((0, dim), dtype=np.float32)]

    @property
    def _matrix(self) -> Vectors:
        if len(self._batches) > 1:
            self._batches = [np.concatenate(self._batches)]
        return self._batches[0]

    def __len__(self) -> int:
        """How many vectors it holds."""
        return sum(len(batch) for batch in self._batches)

    def add(self, vectors: Vectors) -> None:
        """Append vectors, shape (n, dim)."""
        self._batches.append(np.asarray(vectors, dtype=np.float32))

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best rows and their inner products, best first, ties in row order."""
        scores = self._matrix @ query
        rows = np.argsort(-scores, kind="stable")[:k]
        return rows.astype(np.int64), scores[rows]

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """The inner products of the given rows."""
        found: Vectors = self._matrix[rows] @ query
        return found

    def save(self, path: Path) -> None:
        """Write one .npy file."""
        with path.open("wb") as file:
            np.save(file, self._matrix, allow_pickle=False)

    @classmethod
    def load(cls, path: Path, dim: int, count: int) -> Self:
        """Read what `save` wrote. Raises IndexDamaged if it is not `count` vectors of `dim` numbers."""
        try:
            with path.open("rb") as file:
                matrix = np.load(file, allow_pickle=False)
        except ValueError as error:
            raise IndexDamaged(path, error) from error
        if matrix.shape != (count, dim):
            raise IndexDamaged(path, f"{matrix.shape}, expected {(count, dim)}")
        engine = cls(dim)
        engine.add(matrix)
        return engine
