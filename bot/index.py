"""One immutable generation on disk, verified before use; bot.generations says how it gets there.

index/CURRENT                names of the live and the previous generation and the sha256 of their manifests
index/gen-000012/            manifest.json  passages.sqlite  lexical/  vectors.<engine>
                             dictionary.json  answers.json  answers.npy (if any)
                             delta/  what changed since the main files were made (bot.delta)
index/cache.sqlite           vectors by content hash: an unchanged passage is never embedded twice
index/documents.sqlite       texts of docx and pdf by content hash: an unchanged file is never parsed twice
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from bot import curated, delta, dictionary, segmenter
from bot.corpus import Scan
from bot.curated import NO_ANSWERS, load_curated
from bot.dictionary import NO_DICTIONARY, load_dictionary
from bot.engines import LexicalEngine, check_engine_name, engine_class
from bot.errors import EngineDown, IndexDamaged, IndexMismatch, SettingsError
from bot.generations import Named, current_generation, is_same, live_first, spare, verified_manifest, verify_files
from bot.lexical import LexicalIndex
from bot.settings import Settings
from bot.store import Store
from bot.types import Embedder, Engine, VectorSearch

FORMAT = 1


class Index:
    """An opened generation. `degraded` names the part that could not be used, and why."""

    def __init__(self, folder: Path, manifest: dict[str, Any], settings: Settings, in_use: Index | None = None) -> None:
        """Open a verified generation; the vectors that it shares with the one `in_use` are not loaded again."""
        self.folder, self.generation = folder, folder.name
        self.manifest = manifest
        self.rows: list[int] = manifest.get("rows", [manifest["passages"]])  # of the main files, of the delta
        self.degraded: dict[str, str] = {}
        self.store = Store(
            folder / "passages.sqlite", folder / delta.FOLDER / "passages.sqlite" if self.rows[1:] else None
        )
        self.lexical = LexicalIndex(folder / "lexical")
        files = manifest["files"]  # others are not read, whatever they are called
        self.dictionary = load_dictionary(folder) if dictionary.FILE in files else NO_DICTIONARY
        self.curated = load_curated(folder, self.dictionary) if curated.FILE in files else NO_ANSWERS
        self.engine: VectorSearch | None = None
        self._main_engine: Engine | None = None
        try:
            self.engine = self._loaded(engine_of(settings), in_use)
        except SettingsError as error:  # FAISS is missing or cannot run on this machine: words alone still answer
            self.degraded["vectors"] = str(error)

    @cached_property
    def server(self) -> LexicalEngine | None:
        """The engine, where the words live in it too; to ask what it can do takes 0.05 ms."""
        engine: object = self.engine
        return engine if isinstance(engine, LexicalEngine) else None

    def _loaded(self, engine: type[Engine], in_use: Index | None) -> VectorSearch:
        file, dim = vectors_file(self.folder, self.manifest["engine"]), self.manifest["dim"]
        if in_use and is_same(file, in_use.folder / file.name):
            self._main_engine = in_use._main_engine
        self._main_engine = main = self._main_engine or engine.load(file, dim, self.rows[0])
        if not self.rows[1:]:
            return main
        added = engine.load(self.folder / delta.FOLDER / file.name, dim, self.rows[1])
        return delta.DeltaEngine(main, added, self.store.gone)

    def report(self) -> dict[str, dict[str, Any]]:
        """What the generation holds, by sections: the manifest, dictionary, curated answers, what was left out."""
        manifest = {key: value for key, value in self.manifest.items() if key not in ("files", "rows")}
        manifest["delta"] = sum(self.rows[1:])  # passages beside the main files
        manifest["bytes"] = sum(entry["size"] for entry in self.manifest["files"].values())
        return {
            "index": manifest,
            "degraded": dict(self.degraded),
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
        "dim": embedder.dim,
    }


def engine_of(settings: Settings) -> type[Engine]:
    """The class of the engine that the settings name. Raises SettingsError."""
    return engine_class(settings.engine, settings.engine_url, settings.engine_token.get_secret_value())


def vectors_file(folder: Path, engine: str) -> Path:
    return folder / f"vectors.{engine}"


def collections_of(settings: Settings) -> dict[Path, bytes]:
    """What names the collections of this index on the engine's server, by file, those of interrupted runs too."""
    if not issubclass(engine_of(settings), LexicalEngine):
        return {}
    name = vectors_file(Path(), settings.engine).name
    files = [file for pattern in ("gen-*", ".building-*") for file in settings.index.glob(f"{pattern}/{name}")]
    return {file: file.read_bytes() for file in files}


def drop_gone(settings: Settings, held: dict[Path, bytes]) -> None:
    """Remove from the server what belonged to folders that are gone; where it is down, the next run does."""
    for file, state in held.items():
        if file.exists():
            continue
        engine = engine_of(settings)
        assert issubclass(engine, LexicalEngine)
        try:
            engine.drop(state)
        except EngineDown:
            later = settings.index / f".building-dropped-{file.parent.name.removeprefix('.building-')}"
            later.mkdir(exist_ok=True)
            (later / file.name).write_bytes(state)


def open_index(settings: Settings, embedder: Embedder, in_use: Index | None = None) -> Index:
    """The live generation, every file verified by checksum but those that it shares with the one `in_use`.

    Raises IndexMissing, IndexDamaged (naming the file) or IndexMismatch (naming what differs).
    """
    while True:
        current = current_generation(settings.index)
        try:
            return _opened(settings, embedder, live_first(settings.index)[0], in_use)
        except IndexDamaged:
            # Two publications while it was opened: the generation that CURRENT named is gone.
            if current == current_generation(settings.index):
                raise


def open_whole(settings: Settings, embedder: Embedder) -> Index:
    """The live generation or, where that is damaged and the previous is whole, the previous: `degraded` says so.

    Raises what open_index raises, of the live generation.
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
            f"索引由另一种 {made} 生成", f"the index was made by another {made} ({details})", "wenqu index"
        )
    folder = settings.index / named[0]
    verify_files(folder, manifest, in_use.folder if in_use else None)
    try:
        return Index(folder, manifest, settings, in_use)
    except OSError as error:  # it was whole a moment ago: the disk fails, or no more files may be opened
        raise IndexDamaged(error.filename or folder, error.strerror) from error


def is_stale(seen: Scan, index: Index) -> bool:
    """Whether a file of the corpus (dictionary and answers too) was added, changed or deleted since it was indexed."""
    return set(seen[0]) != index.store.files
