"""The file that a document was read from, as long as it is still the one that was read."""

from __future__ import annotations

import hashlib
import os
from io import BufferedReader
from pathlib import Path

from bot.corpus.scan import SourceFile, open_file
from bot.errors import ReadError


def open_original(corpus: Path, file: SourceFile, sha256: str) -> BufferedReader | None:
    """The opened file, at its beginning; None if it is gone, is not what it was, or is reached by a link.

    `file` and `sha256` say how it was read. A file that was only touched or copied is compared by its content.
    """
    try:
        opened = open_file(corpus, file.path)
    except (OSError, ReadError):
        return None
    status = os.fstat(opened.fileno())
    same = status.st_size == file.size
    if same and status.st_mtime_ns != file.mtime_ns:
        same = hashlib.file_digest(opened, "sha256").hexdigest() == sha256
        opened.seek(0)
    if same:
        return opened
    opened.close()
    return None
