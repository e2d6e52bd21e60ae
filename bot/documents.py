"""documents.sqlite: what slow readers made of a file, by the hash of its bytes, so that no file is parsed twice.

Parsing a PDF costs a process and 40 ms a page; a corpus where one text changed is built anew from what is kept here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sqlite3
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from bot import readers
from bot.content_cache import ContentCache
from bot.errors import ReadError
from bot.readers import Document, Reader

# Another time the machine may have more to give, so these are tried again.
_NOT_KEPT = {"E-TIME", "E-MEMORY", "E-CRASH"}


class DocumentCache(ContentCache):
    """Readers that remember."""

    table = "documents"
    # The count reads every page of the file, damaged ones too.
    schema = (
        "CREATE TABLE IF NOT EXISTS documents (key BLOB PRIMARY KEY, content TEXT, sha256 BLOB, generation TEXT);"
        "SELECT count(*) FROM documents"
    )

    def read(self, reader: Reader, data: bytes) -> Document:
        """What the reader makes of the bytes, read now or before. Raises what it raises."""
        key = hashlib.sha256(_fingerprint() + reader.__module__.encode() + b"\0" + data).digest()
        content = self._find(key)
        if content is None:
            content = _outcome(reader, data)
            if content.get("error", [""])[0] in _NOT_KEPT:
                raise ReadError(*content["error"])
            self._keep(key, json.dumps(content))
        if "error" in content:
            raise ReadError(*content["error"])
        return Document(**content)

    def _find(self, key: bytes) -> dict[str, Any] | None:
        try:
            row = self._connection.execute("SELECT content, sha256 FROM documents WHERE key = ?", (key,)).fetchone()
        except sqlite3.DatabaseError:
            return None
        if row is None or hashlib.sha256(row[0].encode()).digest() != row[1]:
            return None
        self._connection.execute("UPDATE documents SET generation = ? WHERE key = ?", (self._generation, key))
        content: dict[str, Any] = json.loads(row[0])
        return content

    def _keep(self, key: bytes, content: str) -> None:
        row = (key, content, hashlib.sha256(content.encode()).digest(), self._generation)
        self._connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", row)
        self._connection.commit()  # a run that is interrupted goes on from here


def _outcome(reader: Reader, data: bytes) -> dict[str, Any]:
    try:
        return asdict(reader(data))
    except ReadError as error:
        return {"error": list(error.parts)}


@cache
def _fingerprint() -> bytes:
    """What the readers are: their source and the parsers' versions. Another one reads every file anew."""
    digest = hashlib.sha256()
    for name in ("pypdf", "python-docx", "lxml"):
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    for source in sorted(Path(readers.__path__[0]).glob("*.py")):
        digest.update(source.read_bytes())
    return digest.digest()
