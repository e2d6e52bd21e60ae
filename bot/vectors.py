"""cache.sqlite: vectors by content hash, so that an unchanged passage is never embedded twice."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.types import Embedder, Vectors


class VectorCache:
    """An embedder that remembers. A damaged cache is thrown away: it holds nothing that cannot be computed again."""

    def __init__(self, path: Path, embedder: Embedder, generation: str) -> None:
        """Open or make the cache; entries that `generation` does not use are dropped at `close`."""
        self._embedder = embedder
        self._generation = generation
        self.embedded = 0
        try:
            self._connection = self._open(path)
        except sqlite3.DatabaseError:
            path.unlink()
            self._connection = self._open(path)

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB, generation TEXT) WITHOUT ROWID"
        )
        return connection

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (n, dim), float16 exact: cached and fresh ones are the same to the last bit."""
        keys = [hashlib.sha256(f"{self._embedder.fingerprint}\0{text}".encode()).digest() for text in texts]
        marks = ",".join("?" * len(keys))
        found = dict(
            self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", keys).fetchall()
        )
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            vectors = self._embedder.encode_passages(list(missing.values())).astype(np.float16)
            found.update(zip(missing, (vector.tobytes() for vector in vectors), strict=True))
            self.embedded += len(missing)
        rows = ((key, found[key], self._generation) for key in dict.fromkeys(keys))
        self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
        return np.stack([np.frombuffer(found[key], dtype=np.float16) for key in keys]).astype(np.float32)

    def close(self) -> None:
        """Drop what this generation did not use, and close."""
        self._connection.execute("DELETE FROM vectors WHERE generation != ?", (self._generation,))
        self._connection.commit()
        self._connection.close()
