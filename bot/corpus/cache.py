"""Caches of derived data by content hash, in SQLite; each run over the corpus drops the entries it did not use."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from bot.corpus import readers
from bot.corpus.blocks import Parsed, from_json, to_json
from bot.corpus.readers import Reader
from bot.errors import ReadError

_T = TypeVar("_T")


class ContentCache:
    """A table of values by content hash, each row with a checksum because SQLite has none.

    Everything in it can be made again, so the cache never stops a run: a damaged row counts as missing, and a file
    that cannot be read or written is deleted. `lost` then says why; otherwise it is "".
    """

    table: str

    def __init__(self, path: Path, generation: str) -> None:
        """Open or make the cache; entries that `generation` does not use are dropped at `close`."""
        self.path, self.lost = path, ""
        self._generation = generation
        self._connection: sqlite3.Connection | None = None

    def find(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The undamaged values of those keys that are in the cache."""
        marks = ",".join("?" * len(keys))

        def read(connection: sqlite3.Connection) -> list[tuple[bytes, bytes, bytes]]:
            mark = f"UPDATE {self.table} SET generation = ? WHERE key IN ({marks})"
            connection.execute(mark, (self._generation, *keys))
            query = f"SELECT key, content, sha256 FROM {self.table} WHERE key IN ({marks})"
            return connection.execute(query, keys).fetchall()

        return {key: content for key, content, seal in self._try(read) or () if seal == _seal(key, content)}

    def keep(self, contents: Mapping[bytes, bytes]) -> None:
        """Store values by key and commit, so that an interrupted run can continue from here."""
        rows = [(key, content, _seal(key, content), self._generation) for key, content in contents.items()]
        self._try(
            lambda connection: connection.executemany(f"INSERT OR REPLACE INTO {self.table} VALUES (?,?,?,?)", rows)
        )

    def close(self, *, drop: bool = True) -> None:
        """Close the cache; with `drop`, first delete the entries that this generation did not use."""
        unused = f"DELETE FROM {self.table} WHERE generation != ?"
        if drop:
            self._try(lambda connection: connection.execute(unused, (self._generation,)))
        if self._connection:
            self._connection.close()

    def _try(self, action: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """The result of the action; if the file fails, retried with a new one, and None if that fails too."""
        for _ in range(2):
            try:
                self._connection = self._connection or self._open()
                result = action(self._connection)
                self._connection.commit()
                return result
            except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter when SQLite's message quotes damaged text
                self._throw_away(error)
        return None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path)
        # No commit waits for the disk: the checksums reveal what a power loss damaged.
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
    """The checksum of a row; b"" if its content is not bytes, which this class never writes."""
    return hashlib.sha256(key + content).digest() if isinstance(content, bytes) else b""


# Errors that may not recur when the machine is less busy or has another program, so their files are tried again.
_NOT_KEPT = {"E-TIME", "E-MEMORY", "E-CRASH", "E-CONVERT"}


class DocumentCache(ContentCache):
    """What the slow readers made of files, by the content of the file."""

    table = "documents"

    def read(self, reader: Reader, data: bytes) -> Parsed:
        """What the reader makes of the bytes, now or in an earlier run. Raises ReadError as the reader does."""
        key = hashlib.sha256(readers_fingerprint() + reader.__module__.encode() + b"\0" + data).digest()
        kept = self.find([key])
        content: dict[str, Any] = json.loads(kept[key]) if kept else _outcome(reader, data)
        if content.get("error", [""])[0] in _NOT_KEPT:
            raise ReadError(*content["error"])
        if not kept:
            self.keep({key: json.dumps(content).encode()})
        if "error" in content:
            raise ReadError(*content["error"])
        return from_json(content)


def _outcome(reader: Reader, data: bytes) -> dict[str, Any]:
    try:
        return to_json(reader(data))
    except ReadError as error:
        return {"error": list(error.parts)}


@cache
def readers_fingerprint() -> bytes:
    """A hash of the readers' source and the parsers' versions; when it changes, every file is read again."""
    digest = hashlib.sha256()
    for name in ("pypdfium2", "python-pptx", "python-calamine", "lxml", "selectolax", "pillow"):
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    with suppress(importlib.metadata.PackageNotFoundError):  # an extra: scans are read again once it is installed
        digest.update(f"ocr {importlib.metadata.version('rapidocr-onnxruntime')}\n".encode())
    for source in sorted(Path(readers.__path__[0]).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.digest()
