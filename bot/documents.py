"""documents.sqlite: what slow readers made of a file, by the hash of its bytes, so that no file is parsed twice.

Parsing a PDF costs a process and 40 ms a page; a corpus where one text changed is built anew from what is kept here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
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

    def read(self, reader: Reader, data: bytes) -> Document:
        """What the reader makes of the bytes, read now or before. Raises what it raises."""
        key = hashlib.sha256(readers_fingerprint() + reader.__module__.encode() + b"\0" + data).digest()
        kept = self.find([key])
        content: dict[str, Any] = json.loads(kept[key]) if kept else _outcome(reader, data)
        if content.get("error", [""])[0] in _NOT_KEPT:
            raise ReadError(*content["error"])
        if not kept:
            self.keep({key: json.dumps(content).encode()})
        if "error" in content:
            raise ReadError(*content["error"])
        return Document(**content)


def _outcome(reader: Reader, data: bytes) -> dict[str, Any]:
    try:
        return asdict(reader(data))
    except ReadError as error:
        return {"error": list(error.parts)}


@cache
def readers_fingerprint() -> bytes:
    """What the slow readers are: their source and the parsers' versions. Another one reads every file anew."""
    digest = hashlib.sha256()
    for name in ("pypdf", "python-docx", "lxml"):
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    for source in sorted(Path(readers.__path__[0]).glob("*.py")):
        digest.update(source.read_bytes())
    return digest.digest()
