"""One immutable generation on disk: build beside, publish by rename, verify before use.

index/CURRENT                name of the live generation and the sha256 of its manifest; replaced atomically
index/gen-000012/            manifest.json  passages.sqlite  lexical/  vectors.<engine>
                             dictionary.json  answers.json  answers.npy (if any)
index/cache.sqlite           vectors by content hash: an unchanged passage is never embedded twice
index/documents.sqlite       texts of docx and pdf by content hash: an unchanged file is never parsed twice
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bot import segmenter
from bot.corpus import scan
from bot.curated import load_curated
from bot.dictionary import load_dictionary
from bot.engines import check_engine_name, engine_class
from bot.errors import IndexBusy, IndexDamaged, IndexMismatch, IndexMissing, IndexUnwritable, SettingsError
from bot.lexical import LexicalIndex
from bot.settings import Settings
from bot.store import Store
from bot.types import Embedder, Engine

FORMAT = 1
_LOCK_SECONDS = 30
GENERATION = re.compile(r"gen-(\d{6})")


class Index:
    """An opened generation. `degraded` names the part that could not be used, and why."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        """Open a verified generation."""
        self.generation = folder.name
        self.manifest = manifest
        self.degraded: dict[str, str] = {}
        self.store = Store(folder / "passages.sqlite")
        self.lexical = LexicalIndex(folder / "lexical")
        self.dictionary = load_dictionary(folder)
        self.curated = load_curated(folder, self.dictionary)
        self.engine: Engine | None = None
        try:
            loader = engine_class(manifest["engine"]).load
            self.engine = loader(vectors_file(folder, manifest["engine"]), manifest["dim"], manifest["passages"])
        except SettingsError as error:  # FAISS is missing or cannot run on this machine: words alone still answer
            self.degraded["vectors"] = str(error)

    def report(self) -> dict[str, dict[str, Any]]:
        """What the generation holds, by sections: the manifest, dictionary, curated answers, what was left out."""
        manifest = {key: value for key, value in self.manifest.items() if key != "files"}
        manifest["bytes"] = sum(entry["size"] for entry in self.manifest["files"].values())
        return {
            "index": manifest,
            "dictionary": self.dictionary.report(),
            "dictionary_problems": {problem.place: problem.reason for problem in self.dictionary.problems},
            "curated": self.curated.report(),
            "curated_problems": {problem.place: problem.reason for problem in self.curated.problems},
            "dropped_lines": dict(self.store.dropped()),
            "skipped": {skipped.path: f"{skipped.code} {skipped.reason}" for skipped in self.store.skipped()},
        }

    def close(self) -> None:
        """Close what is open."""
        self.store.close()


def made_by(settings: Settings, embedder: Embedder) -> dict[str, Any]:
    """What an index must have been made by to be used: every difference is a mismatch."""
    check_engine_name(settings.engine)
    return {
        "format": FORMAT,
        "model": embedder.fingerprint,
        "segmenter": segmenter.fingerprint(),
        "passage_size": settings.passage_size,
        "engine": settings.engine,
    }


def vectors_file(folder: Path, engine: str) -> Path:
    return folder / f"vectors.{engine}"


def current_generation(index: Path) -> str | None:
    """The content of CURRENT, which changes with every published generation; None before the first."""
    try:
        return (index / "CURRENT").read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexDamaged(index / "CURRENT", error) from error


def open_index(settings: Settings, embedder: Embedder) -> Index:
    """The live generation, every file verified by checksum.

    Raises IndexMissing, IndexDamaged (naming the file) or IndexMismatch (naming what differs).
    """
    current = current_generation(settings.index)
    if current is None:
        raise IndexMissing(f"还没有索引: {settings.index}", "there is no index yet", "wenqu index")
    name, _, digest = current.partition(" ")
    folder = settings.index / name
    manifest = _verified_manifest(folder, digest)
    expected = made_by(settings, embedder)
    different = [key for key, value in expected.items() if manifest.get(key) != value]
    if different:
        details = "; ".join(f"{key}: {manifest.get(key)} -> {expected[key]}" for key in different)
        made = ", ".join(different)
        raise IndexMismatch(
            f"索引由另一种 {made} 生成", f"the index was made by another {made} ({details})", "wenqu index"
        )
    for path, entry in manifest["files"].items():
        file = folder / path
        if (
            not file.is_file()
            or file.is_symlink()
            or file.stat().st_size != entry["size"]
            or sha256(file) != entry["sha256"]
        ):
            raise IndexDamaged(file)
    return Index(folder, manifest)


def _verified_manifest(folder: Path, digest: str) -> dict[str, Any]:
    file = folder / "manifest.json"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise IndexDamaged(file, error.strerror) from error
    if not GENERATION.fullmatch(folder.name) or hashlib.sha256(data).hexdigest() != digest:
        raise IndexDamaged(file)
    manifest: dict[str, Any] = json.loads(data)
    return manifest


def is_stale(settings: Settings, index: Index) -> bool:
    """Whether a file of the corpus (dictionary and answers too) was added, changed or deleted since it was indexed."""
    files, _ = scan(settings.corpus)
    return set(files) != index.store.files()


@contextmanager
def writing(index: Path) -> Iterator[None]:
    try:
        index.mkdir(parents=True, exist_ok=True)
        with FileLock(index / ".lock", timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise IndexBusy(
            f"另一个进程正在写索引: {index}", "another process writes the index", "稍后再试 / try again later"
        ) from error
    except OSError as error:
        raise IndexUnwritable(
            f"无法写入索引: {error}", "the index cannot be written", "df -h; WENQU_INDEX=..."
        ) from error


def publish(index: Path, building: Path, generation: str) -> None:
    """Make a finished folder the live generation: every byte is on disk before CURRENT names it."""
    for path in sorted(building.rglob("*")):
        _sync(path)
    _sync(building)
    folder = index / generation
    building.rename(folder)
    _sync(index)
    temporary = index / "CURRENT.new"
    temporary.write_text(f"{generation} {sha256(folder / 'manifest.json')}\n", encoding="ascii")
    _sync(temporary)
    previous = current_generation(index)
    temporary.replace(index / "CURRENT")
    _sync(index)
    keep = {generation, (previous or "").partition(" ")[0]}
    for old in index.iterdir():
        if GENERATION.fullmatch(old.name) and old.name not in keep:
            shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
