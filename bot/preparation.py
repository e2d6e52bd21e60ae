"""Files to what an index holds of them: read, cut into passages, their words cut once. In processes of their own.

Reading and cutting are Python, which one process runs on one core only; what comes out streams back in order.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from bot.corpus import Skipped, SourceFile, read_article
from bot.dictionary import Dictionary
from bot.documents import DocumentCache
from bot.errors import ReadError
from bot.lexical import Fields
from bot.passages import Dropped, cut
from bot.pinyin import pinyin_of
from bot.readers import is_slow, reader_for
from bot.types import Article, Passage

# A process costs 0.5 s to start, which 400 articles of 700 characters take to be read and cut.
_WORTH_A_POOL = 400
_BATCH = 32  # files a message
_AHEAD = 4  # messages a process has waiting: what bounds the memory


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides how a file is cut."""

    corpus: Path
    passage_size: int
    dictionary: Dictionary


@dataclass(frozen=True, slots=True)
class Prepared:
    """An article with all that is written of it; `names` are the readings of words that were not met before."""

    file: SourceFile
    article: Article
    digest: str
    warning: str
    passages: list[tuple[Passage, Fields]]
    dropped: list[Dropped]
    names: dict[str, list[str]]


class Kitchen:
    """One process's part: the recipe, and the words whose pinyin it has told."""

    def __init__(self, recipe: Recipe, documents: DocumentCache | None = None) -> None:
        """Without `documents` slow formats are read anew."""
        self._recipe, self._documents = recipe, documents
        self._met: set[str] = set()

    def prepare(self, file: SourceFile) -> Prepared | Skipped:
        """What the index holds of a file, or why it holds nothing."""
        try:
            article, digest, warning = read_article(self._recipe.corpus, file, self._documents)
        except ReadError as error:
            return Skipped(file.path, error.code, str(error))
        passages, dropped = cut(article, self._recipe.passage_size)
        fields = [(passage, Fields.of(passage, self._recipe.dictionary)) for passage in passages]
        new = {word for _, one in fields for word in one.body.split(" ")} - self._met
        self._met |= new
        return Prepared(file, article, digest, warning, fields, list(dropped), pinyin_of(sorted(new)))


_kitchen: Kitchen


def _begin(recipe: Recipe) -> None:
    global _kitchen
    _kitchen = Kitchen(recipe)
    parent = multiprocessing.parent_process()
    assert parent
    sentinel = parent.sentinel

    def leave() -> None:  # a parent that was killed tells nobody, and its children would wait for it for ever
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _prepare(files: Sequence[SourceFile]) -> list[Prepared | Skipped]:
    return [_kitchen.prepare(file) for file in files]


@dataclass(slots=True)
class _Batch:
    files: list[SourceFile]
    coming: Future[list[Prepared | Skipped]] | None = field(default=None)


def prepared(
    files: Sequence[SourceFile], recipe: Recipe, documents: DocumentCache
) -> Iterator[tuple[SourceFile, Prepared | Skipped]]:
    """Each file with what came of it, in order. Many files are prepared by other processes, all cores at work."""
    own = Kitchen(recipe, documents)
    if len(files) < _WORTH_A_POOL:
        yield from ((file, own.prepare(file)) for file in files)
        return
    processes = max(1, (os.cpu_count() or 2) - 1)  # one core is for writing and embedding
    context = multiprocessing.get_context("spawn")  # a fork would copy threads that hold locks
    pool = ProcessPoolExecutor(processes, context, _begin, (recipe,))
    try:
        waiting: deque[_Batch] = deque()
        for batch in _batches(files):
            if not _slow(batch.files[0]):  # those start processes themselves, and are remembered by this one
                batch.coming = _submitted(pool, batch.files)
            waiting.append(batch)
            if len(waiting) > _AHEAD * processes:
                yield from _served(waiting.popleft(), own)
        while waiting:
            yield from _served(waiting.popleft(), own)
    finally:
        pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, files: list[SourceFile]) -> Future[list[Prepared | Skipped]] | None:
    try:
        return pool.submit(_prepare, files)
    except BrokenProcessPool:
        return None


def _served(batch: _Batch, own: Kitchen) -> Iterator[tuple[SourceFile, Prepared | Skipped]]:
    try:
        done = batch.coming.result() if batch.coming else None
    except BrokenProcessPool:  # killed for want of memory, or a program that cannot be started twice
        done = None
    yield from zip(batch.files, done or map(own.prepare, batch.files), strict=True)


def _batches(files: Sequence[SourceFile]) -> Iterator[_Batch]:
    """The files in order, in batches that are slow to read throughout or not at all."""
    batch: list[SourceFile] = []
    for file in files:
        if batch and (len(batch) == _BATCH or _slow(file) != _slow(batch[0])):
            yield _Batch(batch)
            batch = []
        batch.append(file)
    if batch:
        yield _Batch(batch)


def _slow(file: SourceFile) -> bool:
    reader = reader_for(os.path.splitext(file.path)[1])  # noqa: PTH122
    return reader is not None and is_slow(reader)
