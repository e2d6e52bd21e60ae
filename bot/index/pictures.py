"""index/pictures/: the pictures of documents, a file each, named by the sha256 of its bytes.

Generations share them. A file is on disk before a generation that names it is published; it is shown only if its bytes
still have its name, and removed once neither the live nor the previous generation names it.
"""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from bot.corpus.blocks import MAX_PICTURE_BYTES, Picture
from bot.errors import IndexDamaged, IndexMissing
from bot.index.generations import live_first
from bot.index.store import picture_hashes
from bot.types import Document, KeptPicture

FOLDER = "pictures"
_MAX_PIXELS = 40_000_000  # a picture of 60,000 x 60,000 fits into 2 MB and would take 14 GB in a browser
_MIN_SIDE = 16  # smaller ones are bullets, spacers and icons
_NEW = ".new"


class Pictures:
    """The pictures of an index folder; written by one process at a time, read by any."""

    def __init__(self, index: Path) -> None:
        """Opens and makes nothing."""
        self._folder = index / FOLDER
        self._is_new = False

    def keep(self, document: Document, pictures: Sequence[Picture]) -> Iterator[KeptPicture]:
        """Write the pictures of a document, each once, and say what they are. Those that no page shows are passed over.

        Raises OSError.
        """
        met = set()
        for picture in pictures:
            name = hashlib.sha256(picture.data).hexdigest()
            size = _size(picture.data) if name not in met else None
            met.add(name)
            if size:
                self._write(name, picture.data)
                yield KeptPicture(name, picture.at, picture.type, *size, _caption(document, picture.at))

    def read(self, name: str) -> bytes | None:
        """The bytes of a picture; None if the file is missing or damaged."""
        with suppress(OSError):
            file = self._folder / name
            if not file.is_symlink() and file.stat().st_size <= MAX_PICTURE_BYTES:
                data = file.read_bytes()
                if hashlib.sha256(data).hexdigest() == name:
                    return data
        return None

    def sync(self) -> None:
        """Bring the names of new files to the disk; their bytes are there already. Raises OSError."""
        for folder in (self._folder, self._folder.parent) if self._is_new else ():
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _write(self, name: str, data: bytes) -> None:
        if self.read(name) is not None:
            return
        self._is_new = True
        self._folder.mkdir(exist_ok=True)
        new = self._folder / _NEW
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._folder / name)


def remove_unused(index: Path) -> None:
    """Remove the pictures that neither the live nor the previous generation names. Call it as the one who writes.

    If either cannot be read, all pictures stay.
    """
    folder = index / FOLDER
    with suppress(OSError, sqlite3.Error, IndexMissing, IndexDamaged):
        if folder.is_dir():
            named = {one for generation, _ in live_first(index) for one in picture_hashes(index / generation)}
            for file in folder.iterdir():
                if file.name not in named:
                    file.unlink()
            if not named:
                folder.rmdir()


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None for what is too large, too small or no picture."""
    from PIL import Image  # imported here because most runs meet no picture

    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):  # the header tells
            width, height = Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "GIF", "WEBP"]).size
    except Exception:  # of many kinds, and a picture that cannot be read costs only itself
        return None
    return (width, height) if min(width, height) >= _MIN_SIDE and width * height <= _MAX_PIXELS else None


def _caption(document: Document, at: int) -> str:
    """The caption after or before a place, or ""."""
    after = next((block for block in document.blocks if block.start >= at - 1), None)
    before = next((block for block in reversed(document.blocks) if block.end <= at), None)
    for block in (after, before):
        if block and block.kind == "caption":
            return document.text[block.start : block.end]
    return ""
