"""cache.sqlite: vectors by content hash, so that an unchanged passage is never embedded twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.corpus.cache import ContentCache
from bot.types import Embedder, Vectors


class VectorCache(ContentCache):
    """An embedder with a cache on disk; `embedded` counts the texts that it did not have."""

    table = "vectors"

    def __init__(self, path: Path, embedder: Embedder, generation: str) -> None:
        """Open or make the cache; `close` drops the entries that `generation` did not use."""
        super().__init__(path, generation)
        self._embedder = embedder
        self.embedded = 0

    def encode(self, texts: Sequence[str], known: Sequence[Vectors | None] = ()) -> Vectors:
        """Unit vectors, shape (n, dim), rounded to float16 so that cached and fresh ones are identical.

        `known` are vectors that another machine has computed, one for each text, or None.
        """
        keys = [hashlib.sha256(f"{self._embedder.fingerprint}\0{text}".encode()).digest() for text in texts]
        found = self.find(list(dict.fromkeys(keys)))
        made = {
            k: v.astype(np.float16).tobytes()
            for k, v in zip(keys, known, strict=False)
            if v is not None and k not in found
        }
        missing = {k: text for k, text in zip(keys, texts, strict=True) if k not in found and k not in made}
        if missing:
            vectors = self._embedder.encode_passages(list(missing.values())).astype(np.float16)
            made |= dict(zip(missing, (vector.tobytes() for vector in vectors), strict=True))
            self.embedded += len(missing)
        if made:
            self.keep(made)
            found |= made
        return np.stack([np.frombuffer(found[key], dtype=np.float16) for key in keys]).astype(np.float32)
