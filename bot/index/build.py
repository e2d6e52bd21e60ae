"""One run over the corpus: articles are streamed into a new generation, which is then published."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, NoReturn

from bot.corpus.cache import DocumentCache
from bot.corpus.curated import NO_ANSWERS, Curated, read_answers
from bot.corpus.files import is_claimed
from bot.corpus.loss import Loss, loss
from bot.corpus.readers import READERS
from bot.corpus.scan import ANSWERS, Scan, Skipped, scan
from bot.errors import CorpusError, IndexSuperseded
from bot.index.changes import Change
from bot.index.engines import engine_of, vectors_file
from bot.index.engines.layered import DELTA
from bot.index.engines.served import LexicalEngine, collections_of, drop_gone, passage_terms
from bot.index.generations import GENERATION, is_same, live_first, sha256
from bot.index.lexical import Fields, LexicalWriter
from bot.index.opened import Index, made_by
from bot.index.pictures import Pictures, remove_unused
from bot.index.prepare import Prepared, Recipe, Shares, prepared
from bot.index.publish import publish, remove_unfinished, writing
from bot.index.store import StoreWriter
from bot.index.vector_cache import VectorCache
from bot.settings import Settings
from bot.text.dictionary import DICTIONARY, NO_DICTIONARY, Dictionary, read_dictionary
from bot.types import Embedder, Vectors

_BATCH = 512  # passages embedded at a time
_LOST = "缓存不可用，已丢弃 / the cache cannot be used and was deleted"

Progress = Callable[[int, int], None]  # files done, total files


@dataclass(frozen=True, slots=True)
class Summary:
    """What an index run did. `left_out` counts what is in no passage, by reason.

    `losses` are the files of the run of which less than two thirds became passages, with what became of the rest.
    """

    generation: str
    articles: int
    passages: int
    skipped: list[Skipped]
    warnings: list[tuple[str, str]]
    losses: list[tuple[str, Loss]]
    left_out: Counter[str]
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

    Files for which `shares` has prepared work are not processed again. With the live generation as `base`, only what
    changed since then is read, unless that is too much. `seen` is a recent scan of the corpus, if there is one. Raises
    IndexSuperseded when `base` is no longer live, CorpusError when nothing can be read, IndexBusy when another process
    is writing, IndexUnwritable, and EngineDown when the engine's server does not answer.
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
        generation = f"gen-{number:06d}"
        try:
            with ExitStack() as opened:
                found = seen or scan(settings.corpus)
                builder = _Builder(settings, embedder, folder, generation, found, base, opened)
                summary = builder.run(progress, started, shares)
            publish(settings.index, folder, generation, live)
        except BaseException:  # do not leave a failed build on a disk that may be full
            held |= collections_of(settings)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            drop_gone(settings, held)
            remove_unused(settings.index)
    return summary


class _Builder:
    """One run over the corpus. Articles are streamed, so that the texts are never all in memory."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        folder: Path,
        generation: str,
        seen: Scan,
        base: Index | None,
        opened: ExitStack,
    ) -> None:
        """Open everything that the run writes to; `opened` closes it, even if the run fails."""
        self.settings, self.embedder, self.folder, self.generation = settings, embedder, folder, generation
        self.files, self.skipped = list(seen[0]), list(seen[1])
        engine = engine_of(settings)
        self.store: StoreWriter
        self.change = Change.since(base, self.files) if base else None
        if self.change and self.change.carry_on(folder):
            self.store, self.lexical, self.engine = self.change.parts(folder, engine, opened)
            self.skipped += self.change.skipped
        else:
            self.change = None
            self.store = StoreWriter(folder / "passages.sqlite")
            opened.callback(self.store.abandon)
            self.lexical = LexicalWriter(folder / "lexical")
            opened.callback(self.lexical.abandon)
            self.engine = engine(embedder.dim)
        self.dictionary = self._take_dictionary()
        self.curated = self._take_answers()
        if self.change:
            self.files = self.change.files
        if isinstance(self.engine, LexicalEngine):  # record the collection before it exists: a killed run loses none
            self.engine.save(vectors_file(folder, settings.engine))
        self.cache = VectorCache(settings.index / "cache.sqlite", embedder, generation)
        self.documents = DocumentCache(settings.index / "documents.sqlite", generation)
        for cache in (self.cache, self.documents):
            opened.callback(cache.close, drop=False)
        self.pictures = Pictures(settings.index)
        self.waiting: list[tuple[str, Fields, Vectors | None]] = []
        self.names: dict[str, list[str]] = {}
        problems = (*self.dictionary.problems, *self.curated.problems)
        self.warnings = [(problem.place, problem.reason) for problem in problems]
        self.losses: list[tuple[str, Loss]] = []
        self.left_out: Counter[str] = Counter()

    def run(self, progress: Progress, started: float, shares: Shares | None) -> Summary:
        """Read, cut and write everything; returns what was done."""
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
        if not self.store.passages and not is_claimed(self.settings.corpus):
            self._abandon()
        self._finish()
        seconds = time.monotonic() - started
        skipped = sorted(self.skipped, key=lambda s: s.path)
        return Summary(
            self.generation,
            self.store.documents,
            self.store.passages,
            skipped,
            self.warnings,
            self.losses,
            self.left_out,
            self.cache.embedded,
            seconds,
            self.dictionary,
            self.curated,
        )

    def _take(self, one: Prepared) -> None:
        self.store.add_file(one.file, one.digest)
        if one.warning:
            self.warnings.append((one.file.path, one.warning))
        self.left_out.update(left.reason for left in one.document.left_out)
        self.store.add_pictures(one.document.id, self.pictures.keep(one.document, one.pictures))
        for pinyin, words in one.names.items():
            self.names.setdefault(pinyin, []).extend(words)
        passages = [passage for passage, _ in one.passages]
        lost = loss(one.document, passages)
        if lost.is_much:
            self.losses.append((one.file.path, lost))
        rows = self.store.add_document(one.document, passages, lost, one.warning)
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
        """A file that is not an article, removed from the list of articles; None if it does not exist."""
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
            f"资料文件夹里没有可用的资料：{self.settings.corpus}",
            f"none of the {len(self.files)} files can be used" + (f" ({why})" if why else ""),
            f"put files into it that can be read: {' '.join(sorted(READERS))}",
        )

    def _finish(self) -> None:
        for skipped in self.skipped:
            self.store.add_skipped(skipped)
        self.pictures.sync()
        self.store.close(self.names)
        self.lexical.close()
        self.dictionary.save(self.folder)
        self.curated.save(self.folder, self.embedder)
        place = self.folder / DELTA if self.change else self.folder
        self.engine.save(vectors_file(place, self.settings.engine))
        for cache in (self.cache, self.documents):
            cache.close(drop=not self.change)
            if cache.lost:
                self.warnings.append((cache.path.name, f"{_LOST}: {cache.lost}"))
        manifest = {
            **made_by(self.settings, self.embedder),
            "generation": self.generation,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "articles": self.store.documents,
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
        """Size and sha256 of every file of the generation; those of the base files were verified when it was opened."""
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
