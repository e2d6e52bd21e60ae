"""One immutable generation on disk: build beside, publish by rename, verify before use.

    index/CURRENT                name of the live generation and the sha256 of its manifest; replaced atomically
    index/gen-000012/            manifest.json  passages.sqlite  lexical/  vectors.<engine>
    index/cache.sqlite           vectors by content hash: an unchanged passage is never embedded twice
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bot.bridge import pinyin_of
from bot.corpus import Skipped, read_article, scan
from bot.engines import engine_class
from bot.errors import CorpusError, IndexBusy, IndexDamaged, IndexMismatch, IndexMissing, ReadError, SettingsError
from bot.lexical import LexicalIndex, LexicalWriter
from bot.passages import cut
from bot.settings import Settings
from bot.store import Store, StoreWriter
from bot.text import segmenter
from bot.types import Embedder, Engine, Passage
from bot.vectors import VectorCache

FORMAT = 1
CURE = "解决 / Cure: wenqu index"
_BATCH = 512
_LOCK_SECONDS = 30
_GENERATION = re.compile(r"gen-(\d{6})")

Progress = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True, slots=True)
class Summary:
    """What an index run did. `dropped` counts the lines that became no passage, by reason."""

    generation: str
    articles: int
    passages: int
    skipped: list[Skipped]
    warnings: list[tuple[str, str]]
    dropped: Counter[str]
    embedded: int
    seconds: float


class Index:
    """An opened generation. `degraded` names the part that could not be used, and why."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        """Open a verified generation."""
        self.generation = folder.name
        self.manifest = manifest
        self.degraded: dict[str, str] = {}
        self.store = Store(folder / "passages.sqlite")
        self.lexical = LexicalIndex(folder / "lexical")
        self.engine: Engine | None = None
        try:
            loader = engine_class(manifest["engine"]).load
            self.engine = loader(_vectors_file(folder, manifest["engine"]), manifest["dim"], manifest["passages"])
        except SettingsError as error:  # FAISS is missing or cannot run on this machine: words alone still answer
            self.degraded["vectors"] = str(error)

    def close(self) -> None:
        """Close what is open."""
        self.store.close()


@cache
def _dictionary() -> str:
    """Name, version and content of what cuts the words; another one would not find what this one wrote."""
    digest = hashlib.sha256(Path(segmenter().get_dict_file().name).read_bytes()).hexdigest()[:16]
    return f"jieba {importlib.metadata.version('jieba')} {digest}"


def _made_by(settings: Settings, embedder: Embedder) -> dict[str, Any]:
    """What an index must have been made by to be used: every difference is a mismatch."""
    return {
        "format": FORMAT,
        "model": embedder.fingerprint,
        "dictionary": _dictionary(),
        "passage_size": settings.passage_size,
        "engine": settings.engine,
    }


def _vectors_file(folder: Path, engine: str) -> Path:
    return folder / f"vectors.{engine}"


def current_generation(index: Path) -> str | None:
    """The content of CURRENT, which changes with every published generation; None before the first."""
    try:
        return (index / "CURRENT").read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexDamaged(f"索引文件无法读取 / {index / 'CURRENT'} cannot be read: {error}. {CURE}") from error


def open_index(settings: Settings, embedder: Embedder) -> Index:
    """The live generation, every file verified by checksum.

    Raises IndexMissing, IndexDamaged (naming the file) or IndexMismatch (naming what differs).
    """
    current = current_generation(settings.index)
    if current is None:
        raise IndexMissing(f"还没有索引 / there is no index in {settings.index}. {CURE}")
    name, _, digest = current.partition(" ")
    folder = settings.index / name
    manifest = _verified_manifest(folder, digest)
    expected = _made_by(settings, embedder)
    different = [key for key, value in expected.items() if manifest.get(key) != value]
    if different:
        details = "; ".join(f"{key}: {manifest.get(key)} -> {expected[key]}" for key in different)
        raise IndexMismatch(f"索引由其他模型、词典或设置生成 / the index was made by another {', '.join(different)} ({details}). {CURE}")
    for path, entry in manifest["files"].items():
        file = folder / path
        if not file.is_file() or file.is_symlink() or file.stat().st_size != entry["size"] or _sha256(file) != entry["sha256"]:
            raise IndexDamaged(f"索引文件已损坏 / index file {file} is damaged. {CURE}")
    return Index(folder, manifest)


def _verified_manifest(folder: Path, digest: str) -> dict[str, Any]:
    file = folder / "manifest.json"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise IndexDamaged(f"索引文件已损坏 / index file {file} is missing. {CURE}") from error
    if not _GENERATION.fullmatch(folder.name) or hashlib.sha256(data).hexdigest() != digest:
        raise IndexDamaged(f"索引文件已损坏 / index file {file} is damaged. {CURE}")
    manifest: dict[str, Any] = json.loads(data)
    return manifest


def is_stale(settings: Settings, index: Index) -> bool:
    """Whether a file of the corpus was added, changed or deleted since the index was made."""
    files, _ = scan(settings.corpus)
    return set(files) != index.store.files()


def build_index(settings: Settings, embedder: Embedder, progress: Progress = lambda done, total: None) -> Summary:
    """Index the whole corpus into a new generation and publish it; the old one serves until then.

    Raises CorpusError when nothing can be read, IndexBusy when another process writes.
    """
    started = time.monotonic()
    with _writing(settings.index):
        number = max([0, *(int(m[1]) for p in settings.index.iterdir() if (m := _GENERATION.fullmatch(p.name)))]) + 1
        for leftover in settings.index.glob(".building-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        folder = settings.index / f".building-{number:06d}"
        folder.mkdir()
        summary = _Builder(settings, embedder, folder, f"gen-{number:06d}").run(progress, started)
        _publish(settings.index, folder, summary.generation)
    return summary


@contextmanager
def _writing(index: Path) -> Iterator[None]:
    try:
        index.mkdir(parents=True, exist_ok=True)
        with FileLock(index / ".lock", timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise IndexBusy(f"另一个进程正在建立索引 / another process is writing {index}: wait for it and try again.") from error
    except OSError as error:
        raise CorpusError(f"无法写入索引 / the index cannot be written: {error}. 解决 / Cure: free the disk, or set WENQU_INDEX.") from error


class _Builder:
    """One run over the corpus. Articles stream through: no list of all texts is ever held."""

    def __init__(self, settings: Settings, embedder: Embedder, folder: Path, generation: str) -> None:
        self.settings, self.embedder, self.folder, self.generation = settings, embedder, folder, generation
        self.store = StoreWriter(folder / "passages.sqlite")
        self.lexical = LexicalWriter(folder / "lexical")
        self.engine = engine_class(settings.engine)(embedder.dim)
        self.cache = VectorCache(settings.index / "cache.sqlite", embedder, generation)
        self.waiting: list[Passage] = []
        self.skipped: list[Skipped] = []
        self.warnings: list[tuple[str, str]] = []
        self.dropped: Counter[str] = Counter()
        self.articles = 0

    def run(self, progress: Progress, started: float) -> Summary:
        """Read, cut, write; returns what was done."""
        files, self.skipped = scan(self.settings.corpus)
        for done, file in enumerate(files):
            progress(done, len(files))
            try:
                article, digest, warning = read_article(self.settings.corpus, file)
            except ReadError as error:
                self.skipped.append(Skipped(file.path, error.code, str(error)))
                self.store.add_file(file)
                continue
            self.store.add_file(file, digest)
            if warning:
                self.warnings.append((file.path, warning))
            passages, dropped = cut(article, self.settings.passage_size)
            self.dropped.update(line.reason for line in dropped)
            self.articles += 1
            for row, passage in self.store.add_article(article, passages, dropped):
                self.lexical.add(row, passage)
                self.waiting.append(passage)
                if len(self.waiting) == _BATCH:
                    self._embed()
        self._embed()
        progress(len(files), len(files))
        if not self.store.rows:
            self._abandon(files)
        self._finish()
        seconds = time.monotonic() - started
        skipped = sorted(self.skipped, key=lambda s: s.path)
        return Summary(
            self.generation, self.articles, self.store.rows, skipped, self.warnings, self.dropped, self.cache.embedded, seconds
        )

    def _embed(self) -> None:
        if self.waiting:
            self.engine.add(self.cache.encode([embedded_text(passage) for passage in self.waiting]))
            self.waiting.clear()

    def _abandon(self, files: list[Any]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        reasons = "; ".join(f"{s.path}: {s.code} {s.reason}" for s in self.skipped[:3])
        what = f"{len(files)} 个文件都无法使用 / none of {len(files)} files can be used ({reasons})" if self.skipped else "是空的 / is empty"
        raise CorpusError(f"文章文件夹 / corpus {self.settings.corpus} {what}. 解决 / Cure: put .txt, .md or .html articles into it.")

    def _finish(self) -> None:
        for skipped in self.skipped:
            self.store.add_skipped(skipped)
        self.store.close(pinyin_of(self.lexical.vocabulary))
        self.lexical.close()
        self.engine.save(_vectors_file(self.folder, self.settings.engine))
        self.cache.close()
        files = sorted(p for p in self.folder.rglob("*") if p.is_file() and not p.name.endswith(".lock"))
        manifest = {
            **_made_by(self.settings, self.embedder),
            "generation": self.generation,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "dim": self.embedder.dim,
            "articles": self.articles,
            "passages": self.store.rows,
            "files": {
                p.relative_to(self.folder).as_posix(): {"size": p.stat().st_size, "sha256": _sha256(p)} for p in files
            },
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        (self.folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def embedded_text(passage: Passage) -> str:
    """What the dense leg reads of a passage."""
    return passage.text


def _publish(index: Path, building: Path, generation: str) -> None:
    """Make a finished folder the live generation: every byte is on disk before CURRENT names it."""
    for path in sorted(building.rglob("*")):
        _sync(path)
    _sync(building)
    folder = index / generation
    building.rename(folder)
    _sync(index)
    temporary = index / "CURRENT.new"
    temporary.write_text(f"{generation} {_sha256(folder / 'manifest.json')}\n", encoding="ascii")
    _sync(temporary)
    previous = current_generation(index)
    temporary.replace(index / "CURRENT")
    _sync(index)
    keep = {generation, (previous or "").partition(" ")[0]}
    for old in index.iterdir():
        if _GENERATION.fullmatch(old.name) and old.name not in keep:
            shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
