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
from typing import Any, NoReturn

from bot import delta
from bot.answers_file import read_answers
from bot.changes import Change
from bot.corpus import ANSWERS, Scan, Skipped, scan
from bot.curated import NO_ANSWERS, Curated
from bot.dictionary import DICTIONARY, NO_DICTIONARY, Dictionary, read_dictionary
from bot.documents import DocumentCache
from bot.engines import LexicalEngine
from bot.errors import CorpusError, IndexSuperseded
from bot.generations import GENERATION, is_same, live_first, publish, remove_unfinished, sha256, writing
from bot.index import Index, collections_of, drop_gone, engine_of, made_by, vectors_file
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
    base: Index | None = None,
    seen: Scan | None = None,
) -> Summary:
    """Index the corpus into a new generation and publish it; the old one serves until then.

    What `shares` gives of a file is not made again. With the live generation as `base` only what changed since is read,
    unless that is much. `seen` is the corpus, where it was scanned just now. Raises IndexSuperseded when `base` is not
    live any more, CorpusError when nothing can be read, IndexBusy when another process writes, IndexUnwritable, and
    EngineDown when the engine's server does not answer.
    """
    started = time.monotonic()
    with writing(settings.index):
        live = live_first(settings.index)[0] if base else None
        if live and base and live[0] != base.generation:
            raise IndexSuperseded(settings.index)
        number = max([0, *(int(m[1]) for p in settings.index.iterdir() if (m := GENERATION.fullmatch(p.name)))]) + 1
        held = collections_of(settings)
        remove_unfinished(settings.index)
        folder = settings.index / f".building-{number:06d}"
        folder.mkdir()
        try:
            builder = _Builder(settings, embedder, folder, f"gen-{number:06d}", seen or scan(settings.corpus), base)
            summary = builder.run(progress, started, shares)
            publish(settings.index, folder, summary.generation, live)
        except BaseException:  # what filled the disk does not stay on it
            held |= collections_of(settings)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            drop_gone(settings, held)
    return summary


class _Builder:
    """One run over the corpus. Articles stream through: no list of all texts is ever held."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        folder: Path,
        generation: str,
        seen: Scan,
        base: Index | None,
    ) -> None:
        self.settings, self.embedder, self.folder, self.generation = settings, embedder, folder, generation
        self.files, self.skipped = list(seen[0]), list(seen[1])
        engine = engine_of(settings)
        self.store: StoreWriter
        self.change = Change.since(base, self.files) if base else None
        if self.change and self.change.carry_on(folder):
            self.store, self.lexical, self.engine = self.change.parts(folder, engine)
            self.skipped += self.change.skipped
        else:
            self.change = None
            self.store = StoreWriter(folder / "passages.sqlite")
            self.lexical = LexicalWriter(folder / "lexical")
            self.engine = engine(embedder.dim)
        self.dictionary = self._take_dictionary()
        self.curated = self._take_answers()
        if self.change:
            self.files = self.change.files
        if isinstance(self.engine, LexicalEngine):  # named before it is made: a run that is killed leaves none nameless
            self.engine.save(vectors_file(folder, settings.engine))
        self.cache = VectorCache(settings.index / "cache.sqlite", embedder, generation)
        self.documents = DocumentCache(settings.index / "documents.sqlite", generation)
        self.waiting: list[tuple[str, Fields, Vectors | None]] = []
        self.names: dict[str, list[str]] = {}
        problems = (*self.dictionary.problems, *self.curated.problems)
        self.warnings = [(problem.place, problem.reason) for problem in problems]
        self.dropped: Counter[str] = Counter()

    def run(self, progress: Progress, started: float, shares: Shares | None) -> Summary:
        """Read, cut, write; returns what was done."""
        recipe = Recipe(self.settings.corpus.resolve(), self.settings.passage_size, self.dictionary)
        for done, (file, result) in enumerate(prepared(self.files, recipe, self.documents, shares)):
            progress(done, len(self.files))
            if isinstance(result, Skipped):
                self.skipped.append(result)
                self.store.add_file(file)
            else:
                self._take(result)
        self._embed()
        progress(len(self.files), len(self.files))
        if not self.store.passages:
            self._abandon()
        self._finish()
        seconds = time.monotonic() - started
        skipped = sorted(self.skipped, key=lambda s: s.path)
        return Summary(
            self.generation,
            self.store.articles,
            self.store.passages,
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
        self.store.close(self.names)
        self.lexical.close()
        self.dictionary.save(self.folder)
        self.curated.save(self.folder, self.embedder)
        place = self.folder / delta.FOLDER if self.change else self.folder
        self.engine.save(vectors_file(place, self.settings.engine))
        for cache in (self.cache, self.documents):
            cache.close(drop=not self.change)
            if cache.lost:
                self.warnings.append((cache.path.name, f"{_LOST}: {cache.lost}"))
        manifest = {
            **made_by(self.settings, self.embedder),
            "generation": self.generation,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "articles": self.store.articles,
            "passages": self.store.passages,
            "rows": [self.store.rows],
            "files": self._checksums(),
        }
        if self.change:
            main = self.change.base.rows[0]
            manifest["rows"] = [main, self.store.rows - main]
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        (self.folder / "manifest.json").write_text(text + "\n", encoding="utf-8")

    def _checksums(self) -> dict[str, dict[str, Any]]:
        """Size and sha256 of every file of the generation; those of the base were verified when it was opened."""
        base = self.change and self.change.base
        files = sorted(p for p in self.folder.rglob("*") if p.is_file() and not p.name.endswith(".lock"))
        found = {}
        for file in files:
            path = file.relative_to(self.folder).as_posix()
            if base and is_same(file, base.folder / path):
                found[path] = base.manifest["files"][path]
            else:
                found[path] = {"size": file.stat().st_size, "sha256": sha256(file)}
        return found
