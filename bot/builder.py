"""One run over the corpus: articles stream through into a new generation, which is then published."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import NoReturn

from bot.answers_file import read_answers
from bot.corpus import ANSWERS, Skipped, scan
from bot.curated import NO_ANSWERS, Curated
from bot.dictionary import DICTIONARY, NO_DICTIONARY, Dictionary, read_dictionary
from bot.documents import DocumentCache
from bot.engines import LexicalEngine
from bot.errors import CorpusError, EngineDown
from bot.generations import GENERATION, publish, remove_unfinished, sha256, writing
from bot.index import engine_of, made_by, vectors_file
from bot.lexical import Fields, LexicalWriter, passage_terms
from bot.preparation import Prepared, Recipe, Shares, prepared
from bot.settings import Settings
from bot.store import StoreWriter
from bot.types import Embedder, Vectors
from bot.vectors import VectorCache

_BATCH = 512  # passages embedded at a time
_LOST = "缓存不可用,已丢弃 / the cache cannot be used and was thrown away"

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
    dictionary: Dictionary
    curated: Curated


def build_index(
    settings: Settings,
    embedder: Embedder,
    progress: Progress = lambda done, total: None,
    shares: Shares | None = None,
) -> Summary:
    """Index the whole corpus into a new generation and publish it; the old one serves until then.

    What `shares` gives of a file is not made again. Raises CorpusError when nothing can be read, IndexBusy when another
    process writes, IndexUnwritable, and EngineDown when the engine's server does not answer.
    """
    started = time.monotonic()
    with writing(settings.index):
        number = max([0, *(int(m[1]) for p in settings.index.iterdir() if (m := GENERATION.fullmatch(p.name)))]) + 1
        held = _collections(settings)
        remove_unfinished(settings.index)
        folder = settings.index / f".building-{number:06d}"
        folder.mkdir()
        try:
            summary = _Builder(settings, embedder, folder, f"gen-{number:06d}", shares).run(progress, started)
            publish(settings.index, folder, summary.generation)
        except BaseException:  # what filled the disk does not stay on it
            held |= _collections(settings)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            _drop_gone(settings, held)
    return summary


def _collections(settings: Settings) -> dict[Path, bytes]:
    """What names the collections of this index on the engine's server, by file, those of interrupted runs too."""
    if not issubclass(engine_of(settings), LexicalEngine):
        return {}
    name = vectors_file(Path(), settings.engine).name
    files = [file for pattern in ("gen-*", ".building-*") for file in settings.index.glob(f"{pattern}/{name}")]
    return {file: file.read_bytes() for file in files}


def _drop_gone(settings: Settings, held: dict[Path, bytes]) -> None:
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


class _Builder:
    """One run over the corpus. Articles stream through: no list of all texts is ever held."""

    def __init__(
        self, settings: Settings, embedder: Embedder, folder: Path, generation: str, shares: Shares | None
    ) -> None:
        self.shares = shares
        self.settings, self.embedder, self.folder, self.generation = settings, embedder, folder, generation
        self.files, self.skipped = scan(settings.corpus)
        self.store = StoreWriter(folder / "passages.sqlite")
        self.dictionary = self._take_dictionary()
        self.curated = self._take_answers()
        self.lexical = LexicalWriter(folder / "lexical")
        self.engine = engine_of(settings)(embedder.dim)
        if isinstance(self.engine, LexicalEngine):  # named before it is made: a run that is killed leaves none nameless
            self.engine.save(vectors_file(folder, settings.engine))
        self.cache = VectorCache(settings.index / "cache.sqlite", embedder, generation)
        self.documents = DocumentCache(settings.index / "documents.sqlite", generation)
        self.waiting: list[tuple[str, Fields, Vectors | None]] = []
        self.names: dict[str, list[str]] = {}
        problems = (*self.dictionary.problems, *self.curated.problems)
        self.warnings = [(problem.place, problem.reason) for problem in problems]
        self.dropped: Counter[str] = Counter()
        self.articles = 0

    def run(self, progress: Progress, started: float) -> Summary:
        """Read, cut, write; returns what was done."""
        recipe = Recipe(self.settings.corpus.resolve(), self.settings.passage_size, self.dictionary)
        for done, (file, result) in enumerate(prepared(self.files, recipe, self.documents, self.shares)):
            progress(done, len(self.files))
            if isinstance(result, Skipped):
                self.skipped.append(result)
                self.store.add_file(file)
            else:
                self._take(result)
        self._embed()
        progress(len(self.files), len(self.files))
        if not self.store.rows:
            self._abandon()
        self._finish()
        seconds = time.monotonic() - started
        skipped = sorted(self.skipped, key=lambda s: s.path)
        return Summary(
            self.generation,
            self.articles,
            self.store.rows,
            skipped,
            self.warnings,
            self.dropped,
            self.cache.embedded,
            seconds,
            self.dictionary,
            self.curated,
        )

    def _take(self, one: Prepared) -> None:
        self.store.add_file(one.file, one.digest)
        if one.warning:
            self.warnings.append((one.file.path, one.warning))
        self.dropped.update(line.reason for line in one.dropped)
        self.articles += 1
        for pinyin, words in one.names.items():
            self.names.setdefault(pinyin, []).extend(words)
        rows = self.store.add_article(one.article, [passage for passage, _ in one.passages], one.dropped)
        known = repeat(None) if one.vectors is None else one.vectors
        for (row, passage), (_, fields), vector in zip(rows, one.passages, known, strict=False):
            self.lexical.add(row, fields)
            self.waiting.append((passage.text, fields, vector))
            if len(self.waiting) == _BATCH:
                self._embed()

    def _take_dictionary(self) -> Dictionary:
        file = self._taken_out(DICTIONARY)
        return read_dictionary(file) if file else NO_DICTIONARY

    def _take_answers(self) -> Curated:
        file = self._taken_out(ANSWERS)
        return read_answers(file) if file else NO_ANSWERS

    def _taken_out(self, path: str) -> Path | None:
        """A file that is no article, taken out of those that are; None where there is none."""
        file = next((file for file in self.files if file.path == path), None)
        if file is None:
            return None
        self.files.remove(file)
        self.store.add_file(file)
        return self.settings.corpus / file.path

    def _embed(self) -> None:
        if self.waiting:
            texts, fields, known = zip(*self.waiting, strict=True)
            vectors = self.cache.encode(texts, known)
            if isinstance(self.engine, LexicalEngine):
                self.engine.add_passages(vectors, [passage_terms(one) for one in fields])
            else:
                self.engine.add(vectors)
            self.waiting.clear()

    def _abandon(self) -> NoReturn:
        why = "; ".join(f"{s.path}: {s.code}" for s in self.skipped[:3])
        raise CorpusError(
            f"文章文件夹没有可用的文章: {self.settings.corpus}",
            f"none of the {len(self.files)} files can be used" + (f" ({why})" if why else ""),
            "put .txt, .md, .html, .docx or .pdf articles into it",
        )

    def _finish(self) -> None:
        for skipped in self.skipped:
            self.store.add_skipped(skipped)
        self.store.close({pinyin: sorted(set(words)) for pinyin, words in self.names.items()})
        self.lexical.close()
        self.dictionary.save(self.folder)
        self.curated.save(self.folder, self.embedder)
        self.engine.save(vectors_file(self.folder, self.settings.engine))
        self.cache.close()
        self.documents.close()
        for cache in (self.cache, self.documents):
            if cache.lost:
                self.warnings.append((cache.path.name, f"{_LOST}: {cache.lost}"))
        files = sorted(p for p in self.folder.rglob("*") if p.is_file() and not p.name.endswith(".lock"))
        manifest = {
            **made_by(self.settings, self.embedder),
            "generation": self.generation,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "articles": self.articles,
            "passages": self.store.rows,
            "files": {
                p.relative_to(self.folder).as_posix(): {"size": p.stat().st_size, "sha256": sha256(p)} for p in files
            },
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        (self.folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
