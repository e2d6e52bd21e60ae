"""A table of a SQLite file by content hash, of which each run over the corpus keeps what it used."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")


class ContentCache:
    """What remembers. Every row has a checksum, for SQLite has none.

    It holds nothing that cannot be made again, so it never stops a run: a damaged row is not found, and a file that
    cannot be read or written is thrown away. `lost` says why, "" when it was not.
    """

    table: str

    def __init__(self, path: Path, generation: str) -> None:
        """Open or make the cache; entries that `generation` does not use are dropped at `close`."""
        self.path, self.lost = path, ""
        self._generation = generation
        self._connection: sqlite3.Connection | None = None

    def find(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is kept under the keys, whole."""
        marks = ",".join("?" * len(keys))

        def read(connection: sqlite3.Connection) -> list[tuple[bytes, bytes, bytes]]:
            mark = f"UPDATE {self.table} SET generation = ? WHERE key IN ({marks})"
            connection.execute(mark, (self._generation, *keys))
            query = f"SELECT key, content, sha256 FROM {self.table} WHERE key IN ({marks})"
            return connection.execute(query, keys).fetchall()

        return {key: content for key, content, seal in self._try(read) or () if seal == _seal(key, content)}

    def keep(self, contents: Mapping[bytes, bytes]) -> None:
        """Remember contents by key. A run that is interrupted goes on from here."""
        rows = [(key, content, _seal(key, content), self._generation) for key, content in contents.items()]
        self._try(
            lambda connection: connection.executemany(f"INSERT OR REPLACE INTO {self.table} VALUES (?,?,?,?)", rows)
        )

    def close(self, *, drop: bool = True) -> None:
        """Drop what this generation did not use, and close."""
        unused = f"DELETE FROM {self.table} WHERE generation != ?"
        if drop:
            self._try(lambda connection: connection.execute(unused, (self._generation,)))
        if self._connection:
            self._connection.close()

    def _try(self, action: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """What the action gives; with a new file where this one fails, None where that fails too."""
        for _ in range(2):
            try:
                self._connection = self._connection or self._open()
                result = action(self._connection)
                self._connection.commit()
                return result
            except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter where the message quotes damaged text
                self._throw_away(error)
        return None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path)
        # Checksums find what a power loss leaves, so no commit waits for the disk.
        columns = "key BLOB PRIMARY KEY, content BLOB, sha256 BLOB, generation TEXT"
        connection.executescript(
            f"PRAGMA synchronous=OFF; CREATE TABLE IF NOT EXISTS {self.table} ({columns}) WITHOUT ROWID"
        )
        return connection

    def _throw_away(self, error: Exception) -> None:
        self.lost = self.lost or str(error)
        if self._connection:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None
        for name in (self.path.name, f"{self.path.name}-journal"):
            self.path.with_name(name).unlink(missing_ok=True)


def _seal(key: bytes, content: object) -> bytes:
    """The checksum of a row; b"" of one that this class did not write."""
    return hashlib.sha256(key + content).digest() if isinstance(content, bytes) else b""
