"""The index folder: which generation is live, whether it is whole, how a new one is published.

CURRENT is replaced atomically. Its first line names the live generation, the sha256 of its manifest and a seal over
all of CURRENT; its second the previous generation, which serves when the live one is damaged. A CURRENT of the first
release is one line without a seal. What is no regular file, or not named by the manifest, is never read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bot.errors import IndexBusy, IndexDamaged, IndexMissing, IndexUnwritable

GENERATION = re.compile(r"gen-(\d{6})")
_LOCK_SECONDS = 30
_NAMED = r"(gen-\d{6}) ([0-9a-f]{64})"
_CURRENT = re.compile(rf"{_NAMED}(?: ([0-9a-f]{{64}})\n(?:{_NAMED}\n)?|\n)")

Named = tuple[str, str]  # a generation and the sha256 of its manifest


def current_generation(index: Path) -> str | None:
    """The content of CURRENT, which changes with every published generation; None before the first."""
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
        raise IndexMissing(f"还没有索引: 没有 {file}", "there is no index yet", "wenqu index")
    found = _CURRENT.fullmatch(text)
    if not found or (found[3] and found[3] != _seal(text)):
        raise IndexDamaged(index / "CURRENT")
    return _names(text)


def spare(index: Path) -> list[Named]:
    """What may serve in place of a damaged live generation: the previous, or what a damaged CURRENT still names."""
    try:
        return live_first(index)[1:]
    except (IndexMissing, IndexDamaged):
        with suppress(IndexDamaged):
            return _names(current_generation(index) or "")
    return []


def _names(text: str) -> list[Named]:
    return [(name, digest) for name, digest in re.findall(_NAMED, text)]


def _seal(text: str) -> str:
    """Over what CURRENT names: a damaged previous line would otherwise be found only when it is needed."""
    return hashlib.sha256("\n".join(map(" ".join, _names(text))).encode("ascii")).hexdigest()


def verified_manifest(index: Path, named: Named) -> dict[str, Any]:
    """The manifest of a generation, as it was published. Raises IndexDamaged."""
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
    """Raise IndexDamaged, naming the file, when one that the manifest names is not the one that was published.

    A file that is the very one of the generation `in_use`, which this process has verified, is not read again.
    """
    paths = [path for path in manifest["files"] if not (in_use and is_same(folder / path, in_use / path))]
    with ThreadPoolExecutor() as pool:  # hashing leaves Python's lock alone
        for path, digest in zip(paths, pool.map(partial(_digest, folder), paths), strict=True):
            if digest != manifest["files"][path]["sha256"]:
                raise IndexDamaged(folder / path)


def is_same(file: Path, other: Path) -> bool:
    """Whether two names are of one file."""
    try:
        return not file.is_symlink() and file.samefile(other)
    except OSError:
        return False


def _digest(folder: Path, path: str) -> str:
    with _own(folder, path):
        return sha256(folder / path)


@contextmanager
def _own(folder: Path, path: str) -> Iterator[None]:
    """For reading a file of a generation, which no link may lead to. Raises IndexDamaged."""
    file = folder / path
    try:
        if file.resolve(strict=True) != folder.resolve() / path:
            raise IndexDamaged(file, "a link")
        yield
    except OSError as error:
        raise IndexDamaged(file, error.strerror) from error


@contextmanager
def writing(index: Path) -> Iterator[None]:
    """The folder, made where it is missing, for this process alone. Raises IndexBusy and IndexUnwritable."""
    try:
        missing = [folder for folder in (index, *index.parents) if not folder.exists()]
        index.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            _sync(folder.parent)
        with FileLock(index / ".lock", timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise IndexBusy(
            f"另一个进程正在写索引: {index}", "another process writes the index", "稍后再试 / try again later"
        ) from error
    except OSError as error:
        raise IndexUnwritable(error.filename or index, error.strerror or error) from error
    except sqlite3.DatabaseError as error:
        raise IndexUnwritable(index, error) from error


def publish(index: Path, building: Path, generation: str, whole: Named | None = None) -> None:
    """Make a finished folder the live generation: every byte is on disk before CURRENT names it.

    `whole` is the live one, where it was verified just now; else it is read, which costs 0.6 s a GB.
    """
    for path in sorted(building.rglob("*")):
        _sync(path)
    _sync(building)
    folder = index / generation
    building.rename(folder)
    _sync(index)
    names = [(generation, sha256(folder / "manifest.json")), *([whole] if whole else _whole(index))]
    live, *previous = map(" ".join, names)
    text = "\n".join([live, *previous, ""])
    temporary = index / "CURRENT.new"
    temporary.write_text(text.replace("\n", f" {_seal(text)}\n", 1), encoding="ascii")
    _sync(temporary)
    temporary.replace(index / "CURRENT")
    _sync(index)
    _remove(index, {name for name, _ in names})


def _whole(index: Path) -> list[Named]:
    """The generation to fall back on: the live one, or the previous one where the live one is damaged."""
    with suppress(IndexMissing, IndexDamaged):
        return [_checked(index, live_first(index)[0])]
    for named in spare(index):
        with suppress(IndexDamaged):
            return [_checked(index, named)]
    return []


def _checked(index: Path, named: Named) -> Named:
    verify_files(index / named[0], verified_manifest(index, named))
    return named


def tidy(index: Path) -> None:
    """Remove what interrupted runs left, unless another process writes. Nothing depends on it."""
    with suppress(OSError, Timeout, IndexMissing, IndexDamaged):
        if _leftovers(index, {name for name, _ in live_first(index)}):
            with FileLock(index / ".lock", timeout=0):
                _remove(index, {name for name, _ in live_first(index)})


def remove_unfinished(index: Path) -> None:
    """Remove what an interrupted run had begun to build; generations stay."""
    _remove(index, {path.name for path in index.glob("gen-*")})


def _leftovers(index: Path, keep: set[str]) -> list[Path]:
    return [
        path
        for path in index.iterdir()
        if path.name == "CURRENT.new"
        or path.name.startswith(".building-")
        or (GENERATION.fullmatch(path.name) and path.name not in keep)
    ]


def _remove(index: Path, keep: set[str]) -> None:
    with suppress(OSError):
        for path in _leftovers(index, keep):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(descriptor)


def sha256(file: Path) -> str:
    """The sha256 of a file's content, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
