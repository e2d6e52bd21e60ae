"""A table of a SQLite file by content hash, of which each run over the corpus keeps what it used."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class ContentCache:
    """What remembers. A damaged file is thrown away: it holds nothing that cannot be made again."""

    table: str
    schema: str  # statements that make the table, and fail on a file that is damaged

    def __init__(self, path: Path, generation: str) -> None:
        """Open or make the cache; entries that `generation` does not use are dropped at `close`."""
        self._generation = generation
        try:
            self._connection = self._open(path)
        except sqlite3.DatabaseError:
            path.unlink()
            self._connection = self._open(path)

    def _open(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path)
        connection.executescript(self.schema)
        return connection

    def close(self) -> None:
        """Drop what this generation did not use, and close."""
        self._connection.execute(f"DELETE FROM {self.table} WHERE generation != ?", (self._generation,))
        self._connection.commit()
        self._connection.close()
