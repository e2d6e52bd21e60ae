"""The default engine: FAISS. Exact on float16 up to 10,000 vectors, above that 4-bit codes looked through first.

Of 50,000 sentences of news, asked real questions, codes of 4 bits that leave 100 candidates to float16 keep 0.993 of
the ten best in 0.5 ms; HNSW keeps 0.92 in 1.4 ms, IVF over 64 of its 894 lists 0.75 in 0.5 (scripts/EXPERIMENTS.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import faiss
import numpy as np

from bot.errors import IndexDamaged, IndexUnwritable
from bot.types import Rows, Vectors

# Up to here every score is computed, which takes 0.3 ms; to make codes takes a run 1 s. Of the 100 best of 20,000
# passages of news codes find 0.994, in 0.17 ms instead of 0.6; of 50,000 they find 0.988, in 0.3 instead of 1.9.
EXACT_UP_TO = 10_000
# Candidates by code that float16 puts in order; at least 5 for each hit asked for. Of the ten best of 50,000 vectors
# 0.88, 0.979, 0.993 and 0.999 are among 20, 50, 100 and 400.
_CANDIDATES, _FACTOR = 500, 5
_TRAINED_ON = 50_000
_THREADS = faiss.omp_get_max_threads()


class Engine:
    """All vectors in float16 and, once there are many, codes of 2 bits a number in front of them."""

    def __init__(self, dim: int) -> None:
        """An empty engine for vectors of `dim` numbers."""
        self._index: faiss.Index = faiss.IndexScalarQuantizer(
            dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        self._index.is_trained = True  # float16 has nothing to learn
        self._coded: faiss.Index | None = None  # holds the vectors too, once it is loaded

    def __len__(self) -> int:
        """How many vectors it holds."""
        return int(self._index.ntotal)

    def add(self, vectors: Vectors) -> None:
        """Append vectors, shape (n, dim)."""
        if self._coded is not None:  # loaded with codes, which are made again when it is saved
            self._index, self._coded = self._copied(), None
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def _copied(self) -> faiss.Index:
        """The vectors in memory of their own: to those that are mapped nothing can be added."""
        copy = type(self)(self._index.d)._index
        for start in range(0, len(self), _TRAINED_ON):
            copy.add(self._index.reconstruct_n(start, min(_TRAINED_ON, len(self) - start)))
        return copy

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best rows and their inner products, best first."""
        if not len(self):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        k = min(k, len(self))
        # A second thread costs more than it saves: a search of 1,300 vectors, beside one other busy process, took 9 ms
        # with two threads that wait for one another and 0.1 ms with one; the codes of a million are scanned in 6 ms.
        # OpenMP counts for each thread that asks: where only the loading one had said so, a server burned two cores.
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
        """Write FAISS's own format. Raises IndexUnwritable."""
        whole = self._with_codes() if _is_coded(*self._index_shape) else self._index
        try:
            faiss.write_index(whole, str(path))
        except RuntimeError as error:
            raise IndexUnwritable(path, str(error).splitlines()[0]) from error

    @property
    def _index_shape(self) -> tuple[int, int]:
        return int(self._index.d), len(self)

    def _with_codes(self) -> faiss.Index:
        """The vectors with their codes; they are read back in parts, so that no second copy is held."""
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
        """Read what `save` wrote, never more bytes than `count` vectors of `dim` numbers take.

        FAISS checks neither the vectors nor, by default, the sizes that a file states (its limit is 1 TiB; it compares
        sizes with a quarter of the limit). Raises IndexDamaged when the file holds anything else.
        """
        faiss.set_deserialization_vector_byte_limit(4 * (2 * dim * count + 2**20) * 4)
        # Mapped, so that all workers share the one copy in memory: 512 of the 576 bytes of a vector.
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
