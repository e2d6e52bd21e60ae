"""Makes a finished folder the live generation: one writer, every byte synced to disk, then CURRENT is replaced."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from bot.errors import IndexBusy, IndexDamaged, IndexMissing, IndexUnwritable
from bot.index.generations import GENERATION, Named, live_first, seal, sha256, spare, verified_manifest, verify_files

_LOCK_SECONDS = 30


@contextmanager
def writing(index: Path) -> Iterator[None]:
    """Exclusive write access to the index folder, which is made if missing. Raises IndexBusy and IndexUnwritable."""
    try:
        missing = [folder for folder in (index, *index.parents) if not folder.exists()]
        index.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            _sync(folder.parent)
        with FileLock(index / ".lock", timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise IndexBusy(
            f"另一个进程正在写索引：{index}", "another process is writing the index", "稍后再试 / try again later"
        ) from error
    except OSError as error:
        raise IndexUnwritable(error.filename or index, error.strerror or error) from error
    except sqlite3.DatabaseError as error:
        raise IndexUnwritable(index, error) from error


def publish(index: Path, building: Path, generation: str, whole: Named | None = None) -> None:
    """Make a finished folder the live generation; every byte is on disk before CURRENT names it.

    `whole` is the previous live generation if it was just verified; otherwise its files are verified here.
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
    temporary.write_text(text.replace("\n", f" {seal(text)}\n", 1), encoding="ascii")
    _sync(temporary)
    temporary.replace(index / "CURRENT")
    _sync(index)
    _remove(index, {name for name, _ in names})


def _whole(index: Path) -> list[Named]:
    """The generation to fall back on: the live one, or the previous one if the live one is damaged."""
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
    """Remove what interrupted runs left behind, unless another process is writing. Errors are ignored."""
    with suppress(OSError, Timeout, IndexMissing, IndexDamaged):
        if _leftovers(index, {name for name, _ in live_first(index)}):
            with FileLock(index / ".lock", timeout=0):
                _remove(index, {name for name, _ in live_first(index)})


def remove_unfinished(index: Path) -> None:
    """Remove what an interrupted run was building; generations stay."""
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
