"""One immutable generation on disk, verified before use; bot.index.publish says how it gets there.

index/CURRENT                names of the live and the previous generation and the sha256 of their manifests
index/gen-000012/            manifest.json  passages.sqlite  lexical/  vectors.<engine>
                             dictionary.json  answers.json  answers.npy (if any)
                             delta/  what changed since the main files were made (bot.index.changes)
index/pictures/              pictures of the documents by content hash, for all generations (bot.index.pictures)
index/cache.sqlite           vectors by content hash, so that an unchanged passage is never embedded twice
index/documents.sqlite       texts of docx and pdf by content hash, so that an unchanged file is never parsed twice
"""

from __future__ import annotations

import copy
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bot.corpus import curated
from bot.corpus.curated import NO_ANSWERS, load_curated
from bot.corpus.scan import Scan
from bot.errors import IndexDamaged, IndexMismatch, SettingsError
from bot.index.engines import check_engine_name, engine_of, vectors_file
from bot.index.engines.layered import DELTA, LayeredEngine
from bot.index.engines.served import LexicalEngine
from bot.index.engines.within import EngineWithin
from bot.index.generations import Named, current_generation, is_same, live_first, spare, verified_manifest, verify_files
from bot.index.lexical import LexicalIndex
from bot.index.store import Store
from bot.settings import Settings
from bot.text import dictionary, segmenter
from bot.text.dictionary import NO_DICTIONARY, load_dictionary
from bot.types import Embedder, Engine, Scope, VectorSearch

FORMAT = 3
_VIEWS = 32  # of a generation that are kept


class Index:
    """An opened generation. `degraded` maps each part that could not be used to the reason."""

    def __init__(self, folder: Path, manifest: dict[str, Any], settings: Settings, in_use: Index | None = None) -> None:
        """Open a verified generation; vectors that it shares with the generation `in_use` are not loaded again."""
        self.folder, self.generation = folder, folder.name
        self.manifest = manifest
        self.rows: list[int] = manifest.get("rows", [manifest["passages"]])  # number in the main files, in the delta
        self.degraded: dict[str, str] = {}
        self._views: dict[Scope, Index] = {}
        self.store = Store(folder / "passages.sqlite", folder / DELTA / "passages.sqlite" if self.rows[1:] else None)
        self.lexical = LexicalIndex(folder / "lexical")
        files = manifest["files"]  # files that the manifest does not name are never read
        self.dictionary = load_dictionary(folder) if dictionary.FILE in files else NO_DICTIONARY
        self.curated = load_curated(folder, self.dictionary) if curated.FILE in files else NO_ANSWERS
        self.engine: VectorSearch | None = None
        self._main_engine: Engine | None = None
        try:
            self.engine = self._loaded(engine_of(settings), in_use)
        except SettingsError as error:  # FAISS is missing or cannot run here: the lexical leg still answers
            self.degraded["vectors"] = str(error)

    @cached_property
    def server(self) -> LexicalEngine | None:
        """The engine, if it also stores the words; cached because the runtime check of a protocol is slow."""
        engine: object = self.engine
        return engine if isinstance(engine, LexicalEngine) else None

    def _loaded(self, engine: type[Engine], in_use: Index | None) -> VectorSearch:
        file, dim = vectors_file(self.folder, self.manifest["engine"]), self.manifest["dim"]
        if in_use and is_same(file, in_use.folder / file.name):
            self._main_engine = in_use._main_engine
        self._main_engine = main = self._main_engine or engine.load(file, dim, self.rows[0])
        if not self.rows[1:]:
            return main
        added = engine.load(self.folder / DELTA / file.name, dim, self.rows[1])
        return LayeredEngine(main, added, self.store.gone)

    def within(self, scope: Scope) -> Index:
        """The generation as somebody sees it who may see some documents only; kept, for making one takes a while.

        It has no curated answers: they belong to all documents together.
        """
        view = self._views.get(scope)
        if view is None:
            view = copy.copy(self)
            view._views = {}  # a cycle would delay freeing the generation
            view.store, view.lexical = self.store.within(scope), self.lexical.within(scope)
            rows = np.array(sorted(view.store.rows()), dtype=np.int64)
            view.engine = EngineWithin(self.engine, rows) if self.engine is not None else None
            view.__dict__.pop("server", None)
            articles = sum(view.store.collections.values())
            view.manifest = {**self.manifest, "articles": articles, "passages": len(rows)}
            view.curated = NO_ANSWERS
            if len(self._views) >= _VIEWS:
                self._views.clear()
            self._views[scope] = view
        return view

    def report(self) -> dict[str, dict[str, Any]]:
        """What the generation contains, by section: manifest, dictionary, curated answers, what was left out."""
        manifest = {key: value for key, value in self.manifest.items() if key not in ("files", "rows")}
        manifest["delta"] = sum(self.rows[1:])  # passages in the delta
        manifest["bytes"] = sum(entry["size"] for entry in self.manifest["files"].values())
        return {
            "index": manifest,
            "degraded": dict(self.degraded),
            "dictionary": self.dictionary.report(),
            "dictionary_problems": {problem.place: problem.reason for problem in self.dictionary.problems},
            "curated": self.curated.report(),
            "curated_problems": {problem.place: problem.reason for problem in self.curated.problems},
            "left_out": dict(self.store.left_out()),
            "warnings": self.store.warnings(),
            "losses": {path: str(loss) for path, loss in self.store.losses().items()},
            "skipped": {skipped.path: f"{skipped.code} {skipped.reason}" for skipped in self.store.skipped()},
        }


def made_by(settings: Settings, embedder: Embedder) -> dict[str, Any]:
    """What an index must have been made with to be usable; every difference is a mismatch."""
    check_engine_name(settings.engine)
    return {
        "format": FORMAT,
        "model": embedder.fingerprint,
        "segmenter": segmenter.fingerprint(),
        "passage_size": settings.passage_size,
        "engine": settings.engine,
        "dim": embedder.dim,
    }


def open_index(settings: Settings, embedder: Embedder, in_use: Index | None = None) -> Index:
    """The live generation, with every file verified by checksum except those shared with the generation `in_use`.

    Raises IndexMissing, IndexDamaged (naming the file) or IndexMismatch (naming what differs).
    """
    while True:
        current = current_generation(settings.index)
        try:
            return _opened(settings, embedder, live_first(settings.index)[0], in_use)
        except IndexDamaged:
            # If CURRENT changed meanwhile, the generation that it named may simply have been removed: try again.
            if current == current_generation(settings.index):
                raise


def open_whole(settings: Settings, embedder: Embedder) -> Index:
    """The live generation, or the previous one if only that is undamaged; `degraded` then says so.

    Raises as open_index does for the live generation.
    """
    try:
        return open_index(settings, embedder)
    except IndexDamaged as damage:
        for named in spare(settings.index):
            with suppress(IndexDamaged, IndexMismatch):
                index = _opened(settings, embedder, named)
                index.degraded["index"] = str(damage)
                return index
        raise


def _opened(settings: Settings, embedder: Embedder, named: Named, in_use: Index | None = None) -> Index:
    manifest = verified_manifest(settings.index, named)
    expected = made_by(settings, embedder)
    different = [key for key, value in expected.items() if manifest.get(key) != value]
    if different:
        details = "; ".join(f"{key}: {manifest.get(key)} -> {expected[key]}" for key in different)
        made = ", ".join(different)
        raise IndexMismatch(
            f"索引由不同的 {made} 生成", f"the index was made with another {made} ({details})", "wenqu index"
        )
    folder = settings.index / named[0]
    verify_files(folder, manifest, in_use.folder if in_use else None)
    try:
        return Index(folder, manifest, settings, in_use)
    except OSError as error:  # just verified, so the disk is failing or there are no file descriptors left
        raise IndexDamaged(error.filename or folder, error.strerror) from error


def is_stale(seen: Scan, index: Index) -> bool:
    """Whether a file of the corpus, dictionary and answers included, was added, changed or deleted since the run."""
    return set(seen[0]) != index.store.files
