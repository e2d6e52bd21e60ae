"""The default engine: FAISS. Exact on float16 up to 10,000 vectors; above that, 4-bit codes are scanned first.

The codes leave candidates that are compared exactly, and keep 0.993 of the ten best hits, more than HNSW and IVF
(scripts/EXPERIMENTS.md, Vector indexes).
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import faiss
import numpy as np

from bot.errors import IndexDamaged, IndexUnwritable
from bot.types import Rows, Vectors

# Up to here computing every score takes only 0.3 ms, so codes do not pay (scripts/EXPERIMENTS.md, Vector indexes).
EXACT_UP_TO = 10_000
# Candidates that the codes leave for exact scores, and how many at least for each hit that is asked for: 400 contain
# 0.999 of the ten best of 50,000 vectors.
_CANDIDATES, _FACTOR = 500, 5
_TRAINED_ON = 50_000
_THREADS = faiss.omp_get_max_threads()


class FaissEngine:
    """All vectors in float16 and, once there are many, codes of 2 bits per number in front of them."""

    def __init__(self, dim: int) -> None:
        """An empty engine for vectors of `dim` numbers."""
        self._index: faiss.Index = faiss.IndexScalarQuantizer(
            dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        self._index.is_trained = True  # float16 needs no training
        self._coded: faiss.Index | None = None  # codes and vectors, if they were loaded from a file with codes

    def __len__(self) -> int:
        """How many vectors it holds."""
        return int(self._index.ntotal)

    def add(self, vectors: Vectors) -> None:
        """Append vectors, shape (n, dim)."""
        if self._coded is not None:  # drop the loaded codes; `save` makes new ones
            self._index, self._coded = self._copied(), None
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def _copied(self) -> faiss.Index:
        """A copy of the vectors in memory, because nothing can be added to memory-mapped ones."""
        copy = type(self)(self._index.d)._index
        for start in range(0, len(self), _TRAINED_ON):
            copy.add(self._index.reconstruct_n(start, min(_TRAINED_ON, len(self) - start)))
        return copy

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best rows and their inner products, best first."""
        if not len(self):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        k = min(k, len(self))
        # One thread: beside another busy process, two threads that wait for each other took 9 ms where one took 0.1.
        # The setting is per calling thread, so it must be made here and not only when the index is loaded.
        faiss.omp_set_num_threads(1)
        if self._coded is None:
            scores, rows = self._index.search(query[None, :], k)
        else:
            depth = faiss.IndexRefineSearchParameters()
            depth.k_factor = max(_FACTOR, _CANDIDATES / k)
            scores, rows = self._coded.search(query[None, :], k, params=depth)
        return rows[0], scores[0]

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """The inner products of the given rows."""
        if not len(rows):
            return np.empty(0, dtype=np.float32)
        found: Vectors = self._index.reconstruct_batch(np.asarray(rows, dtype=np.int64)) @ query
        return found

    def save(self, path: Path) -> None:
        """Write the file in FAISS's own format. Raises IndexUnwritable."""
        whole = self._with_codes() if _is_coded(*self._index_shape) else self._index
        try:
            faiss.write_index(whole, str(path))
        except RuntimeError as error:
            raise IndexUnwritable(path, str(error).splitlines()[0]) from error

    @property
    def _index_shape(self) -> tuple[int, int]:
        return int(self._index.d), len(self)

    def _with_codes(self) -> faiss.Index:
        """The vectors with their codes, which are made in parts so that memory never holds a second float32 copy."""
        dim, count = self._index_shape
        faiss.omp_set_num_threads(_THREADS)
        codes = faiss.IndexPQFastScan(dim, dim // 2, 4, faiss.METRIC_INNER_PRODUCT)
        sample = np.linspace(0, count - 1, min(count, _TRAINED_ON), dtype=np.int64)
        codes.train(self._index.reconstruct_batch(sample))
        for start in range(0, count, _TRAINED_ON):
            codes.add(self._index.reconstruct_n(start, min(_TRAINED_ON, count - start)))
        return faiss.IndexRefine(codes, self._index)

    @classmethod
    def load(cls, path: Path, dim: int, count: int) -> Self:
        """Read what `save` wrote. Raises IndexDamaged if it is not `count` vectors of `dim` numbers.

        The byte limit guards against a file that states huge sizes, which FAISS believes up to 1 TiB by default; it
        compares sizes with a quarter of the limit.
        """
        faiss.set_deserialization_vector_byte_limit(4 * (2 * dim * count + 2**20) * 4)
        # Memory-mapped, so that all workers share one copy of the vectors.
        flags = faiss.IO_FLAG_MMAP_IFC if _is_coded(dim, count) else 0
        try:
            index = faiss.read_index(str(path), flags)
        except RuntimeError as error:
            raise IndexDamaged(path, str(error).splitlines()[0]) from error
        engine = cls(dim)
        expected = ["IndexRefine", "IndexPQFastScan"] if _is_coded(dim, count) else []
        parts = [index]
        if isinstance(index, faiss.IndexRefine):
            parts += [faiss.downcast_index(index.base_index), faiss.downcast_index(index.refine_index)]
        found = [(type(part).__name__, part.d, part.ntotal, part.metric_type) for part in parts]
        wanted = [(name, dim, count, faiss.METRIC_INNER_PRODUCT) for name in [*expected, "IndexScalarQuantizer"]]
        if found != wanted:
            raise IndexDamaged(path, f"{found}, expected {wanted}")
        if expected:
            engine._coded = index
        engine._index = parts[-1]
        return engine


def _is_coded(dim: int, count: int) -> bool:
    return count > EXACT_UP_TO and dim % 2 == 0
