"""Files to what an index holds of them: read, cut into passages, their words cut once. In processes of their own.

Reading and cutting are Python, which one process runs on one core only; what comes out streams back in order.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import cycle
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from subprocess import DEVNULL, Popen

from bot.corpus import Skipped, SourceFile, read_article
from bot.dictionary import Dictionary
from bot.documents import DocumentCache
from bot.errors import ReadError
from bot.lexical import Fields
from bot.passages import Dropped, cut
from bot.pinyin import pinyin_of
from bot.readers import is_slow, reader_for
from bot.types import Article, Passage, Vectors

# A process costs 0.5 s to start, which 400 articles of 700 characters take to be read and cut.
_WORTH_A_POOL = 400
_BATCH, _LETTERS = 32, 2_000  # files a message, and letters of their paths: five of them fit into a pipe
_MOST = 8  # processes: what embeds and writes keeps up with no more
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
    vectors: Vectors | None = None  # of the passages, where another machine has made them


# What was prepared of a file before, None where it was not, or of other bytes than the file has now.
Shares = Callable[[SourceFile], Prepared | None]


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
        return self.named(Prepared(file, article, digest, warning, fields, list(dropped), {}))

    def named(self, one: Prepared) -> Prepared:
        """The same with the readings of words that this process has not told yet."""
        new = {word for _, fields in one.passages for word in fields.body.split(" ")} - self._met
        self._met |= new
        return replace(one, names=pinyin_of(sorted(new)))


class _Worker:
    """A process of its own; it ends by itself when this one is gone, for then its input ends."""

    def __init__(self, recipe: Recipe) -> None:
        # Not multiprocessing: its processes would run the calling program again, and outlive it when it is killed.
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-c", f"from bot.preparation import work; work({theirs.fileno()})"]
        root = Path(__file__).parents[1]
        self._process = Popen(command, stdin=DEVNULL, cwd=root, pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()
        # Read at once, or the process waits for its pipe to be emptied while this one embeds: both cores stay at work.
        self._results: SimpleQueue[list[Prepared | Skipped] | None] = SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()
        self._send(recipe)

    def submit(self, files: Sequence[SourceFile]) -> None:
        """Ask for some files; answers come in the order of asking."""
        self._send(files)

    def result(self) -> list[Prepared | Skipped] | None:
        """The answer to the earliest submission that has none yet; None when the process has died."""
        found = self._results.get()
        if found is None:
            self._results.put(None)  # so it will be for all that were submitted
        return found

    def _receive(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._results.put(self._pipe.recv())
        self._results.put(None)

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _send(self, message: object) -> None:
        with suppress(OSError):  # it has died: `result` says so
            self._pipe.send(message)


def work(descriptor: int) -> None:
    """What a worker does: files in, what came of them out, until the other end is closed."""
    pipe = Connection(descriptor)
    with suppress(EOFError, OSError):
        kitchen = Kitchen(pipe.recv())
        while True:
            pipe.send([kitchen.prepare(file) for file in pipe.recv()])


@dataclass(slots=True)
class _Batch:
    files: list[SourceFile]
    worker: _Worker | None = None


def prepared(
    files: Sequence[SourceFile], recipe: Recipe, documents: DocumentCache, shares: Shares | None = None
) -> Iterator[tuple[SourceFile, Prepared | Skipped]]:
    """Each file with what came of it, in order. Many files are prepared by other processes, all cores at work.

    What `shares` gives of a file is not made again.
    """
    own = Kitchen(recipe, documents)
    if shares:
        for file in files:
            one = shares(file)
            yield file, own.named(one) if one else own.prepare(file)
        return
    if len(files) < _WORTH_A_POOL:
        yield from ((file, own.prepare(file)) for file in files)
        return
    count = max(1, min(_MOST, (os.cpu_count() or 2) - 1))  # one core is for writing and embedding
    workers = [_Worker(recipe) for _ in range(count)]
    try:
        waiting: deque[_Batch] = deque()
        for worker, batch in zip(cycle(workers), _batches(files), strict=False):
            if not _slow(batch.files[0]):  # those start processes themselves, and are remembered by this one
                worker.submit(batch.files)
                batch.worker = worker
            waiting.append(batch)
            if len(waiting) > _AHEAD * count:
                yield from _served(waiting.popleft(), own)
        while waiting:
            yield from _served(waiting.popleft(), own)
    finally:
        for worker in workers:
            worker.close()


def _served(batch: _Batch, own: Kitchen) -> Iterator[tuple[SourceFile, Prepared | Skipped]]:
    done = batch.worker.result() if batch.worker else None  # a worker that was killed leaves its work to this process
    yield from zip(batch.files, done or map(own.prepare, batch.files), strict=True)


def _batches(files: Sequence[SourceFile]) -> Iterator[_Batch]:
    """The files in order, in batches that are slow to read throughout or not at all."""
    batch: list[SourceFile] = []
    for file in files:
        full = len(batch) == _BATCH or sum(len(one.path) for one in batch) > _LETTERS
        if batch and (full or _slow(file) != _slow(batch[0])):
            yield _Batch(batch)
            batch = []
        batch.append(file)
    if batch:
        yield _Batch(batch)


def _slow(file: SourceFile) -> bool:
    reader = reader_for(os.path.splitext(file.path)[1])  # noqa: PTH122
    return reader is not None and is_slow(reader)
