"""The index folder: which generation is live, and whether it is undamaged.

CURRENT is replaced atomically. Its first line names the live generation, the sha256 of its manifest and a seal over
all of CURRENT; its second line the previous generation, which serves when the live one is damaged. In the first
release CURRENT had one line and no seal. Only regular files that the manifest names are ever read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from bot.errors import IndexDamaged, IndexMissing

GENERATION = re.compile(r"gen-(\d{6})")
_NAMED = r"(gen-\d{6}) ([0-9a-f]{64})"
_CURRENT = re.compile(rf"{_NAMED}(?: ([0-9a-f]{{64}})\n(?:{_NAMED}\n)?|\n)")

Named = tuple[str, str]  # a generation and the sha256 of its manifest


def current_generation(index: Path) -> str | None:
    """The content of CURRENT, which changes with every published generation; None before the first one.

    Raises IndexDamaged.
    """
    file = index / "CURRENT"
    try:
        if file.is_symlink():
            raise IndexDamaged(file, "a link")
        return file.read_bytes().decode("ascii")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexDamaged(file, error) from error


def live_first(index: Path) -> list[Named]:
    """The live generation and, where there is one, the previous. Raises IndexMissing and IndexDamaged."""
    text = current_generation(index)
    if text is None:
        file = index / "CURRENT"
        raise IndexMissing(f"还没有索引：没有 {file}", "there is no index yet", "wenqu index")
    found = _CURRENT.fullmatch(text)
    if not found or (found[3] and found[3] != seal(text)):
        raise IndexDamaged(index / "CURRENT")
    return _names(text)


def spare(index: Path) -> list[Named]:
    """Generations that may replace a damaged live one: the previous one, or all that a damaged CURRENT still names."""
    try:
        return live_first(index)[1:]
    except (IndexMissing, IndexDamaged):
        with suppress(IndexDamaged):
            return _names(current_generation(index) or "")
    return []


def _names(text: str) -> list[Named]:
    return [(name, digest) for name, digest in re.findall(_NAMED, text)]


def seal(text: str) -> str:
    """A sha256 over the names in CURRENT, so that damage to its second line is noticed before that line is needed."""
    return hashlib.sha256("\n".join(map(" ".join, _names(text))).encode("ascii")).hexdigest()


def verified_manifest(index: Path, named: Named) -> dict[str, Any]:
    """The manifest of a generation, if it is still as published. Raises IndexDamaged."""
    folder = index / named[0]
    file = folder / "manifest.json"
    if folder.is_symlink():
        raise IndexDamaged(folder, "a link")
    with _own(folder, file.name):
        content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != named[1]:
        raise IndexDamaged(file, f"not what {index / 'CURRENT'} names")
    manifest: dict[str, Any] = json.loads(content)
    return manifest


def verify_files(folder: Path, manifest: dict[str, Any], in_use: Path | None = None) -> None:
    """Raise IndexDamaged, naming the file, if a file of the manifest is not as it was published.

    A file that is shared (hard-linked) with the generation `in_use`, which this process has verified, is not read
    again.
    """
    paths = [path for path in manifest["files"] if not (in_use and is_same(folder / path, in_use / path))]
    with ThreadPoolExecutor() as pool:  # threads help because hashing releases Python's lock
        for path, digest in zip(paths, pool.map(partial(_digest, folder), paths), strict=True):
            if digest != manifest["files"][path]["sha256"]:
                raise IndexDamaged(folder / path)


def is_same(file: Path, other: Path) -> bool:
    """Whether two paths are the same file (hard links), and the first is not a symbolic link."""
    try:
        return not file.is_symlink() and file.samefile(other)
    except OSError:
        return False


def _digest(folder: Path, path: str) -> str:
    with _own(folder, path):
        return sha256(folder / path)


@contextmanager
def _own(folder: Path, path: str) -> Iterator[None]:
    """A context for reading a file of a generation. Raises IndexDamaged if it is reached by a symbolic link."""
    file = folder / path
    try:
        if file.resolve(strict=True) != folder.resolve() / path:
            raise IndexDamaged(file, "a link")
        yield
    except OSError as error:
        raise IndexDamaged(file, error.strerror) from error


def sha256(file: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
