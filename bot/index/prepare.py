"""Prepares files for the index in worker processes: reads them, cuts passages, cuts words.

Reading and cutting are pure Python, which uses one core per process. Results are streamed back in order.
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

from bot.corpus.blocks import Picture
from bot.corpus.cache import DocumentCache
from bot.corpus.passages import cut
from bot.corpus.readers import SLOW
from bot.corpus.scan import Skipped, SourceFile, read_document
from bot.errors import ReadError
from bot.index.lexical import Fields
from bot.text.dictionary import Dictionary
from bot.text.pinyin import pinyin_of
from bot.types import Document, Passage, Vectors

# With fewer files it takes longer to start a process (0.5 s) than to read and cut everything.
_WORTH_A_POOL = 400
_BATCH, _LETTERS = 32, 2_000  # files per message, and characters of their paths: five messages fit into a pipe
_MOST = 8  # processes; embedding and writing cannot keep up with more
_AHEAD = 4  # messages waiting per process; this bounds the memory


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides how a file is cut."""

    corpus: Path
    passage_size: int
    dictionary: Dictionary


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document with everything to be written for it; `names` are the pinyin readings of words that are new."""

    file: SourceFile
    document: Document
    digest: str
    warning: str
    passages: list[tuple[Passage, Fields]]
    names: dict[str, list[str]]
    pictures: tuple[Picture, ...] = ()
    vectors: Vectors | None = None  # of the passages, if another machine has computed them


# What was prepared for a file earlier; None if nothing was, or if the file has changed since.
Shares = Callable[[SourceFile], Prepared | None]


class Preparer:
    """Prepares files in one process; remembers the words whose pinyin it has already reported."""

    def __init__(self, recipe: Recipe, documents: DocumentCache | None = None) -> None:
        """`documents` caches what the slow readers make of files; without it they read every file again."""
        self._recipe, self._documents = recipe, documents
        self._met: set[str] = set()

    def prepare(self, file: SourceFile) -> Prepared | Skipped:
        """What the index stores for a file, or why it is skipped."""
        try:
            read = read_document(self._recipe.corpus, file, self._documents)
        except ReadError as error:
            return Skipped(file.path, error.code, str(error))
        passages = cut(read.document, self._recipe.passage_size)
        fields = [(passage, Fields.from_passage(passage, self._recipe.dictionary)) for passage in passages]
        return self.named(Prepared(file, read.document, read.digest, read.warning, fields, {}, read.pictures))

    def named(self, one: Prepared) -> Prepared:
        """The same document, with the pinyin readings of words that this process has not reported yet."""
        new = {word for _, fields in one.passages for word in fields.body.split(" ")} - self._met
        self._met |= new
        return replace(one, names=pinyin_of(sorted(new)))


class _Worker:
    """A worker process; it exits by itself when this process is gone, because its input then ends."""

    def __init__(self, recipe: Recipe) -> None:
        # multiprocessing would run the calling program again in each child, and the children could outlive it.
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-c", f"from bot.index.prepare import work; work({theirs.fileno()})"]
        root = Path(__file__).parents[2]
        self._process = Popen(command, stdin=DEVNULL, cwd=root, pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()
        # A thread empties the pipe, so that the worker need not wait while this process is busy embedding.
        self._results: SimpleQueue[list[Prepared | Skipped] | None] = SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()
        self._send(recipe)

    def submit(self, files: Sequence[SourceFile]) -> None:
        """Send files to the worker; results come in the same order."""
        self._send(files)

    def result(self) -> list[Prepared | Skipped] | None:
        """The result of the earliest submission without one; None if the process has died."""
        found = self._results.get()
        if found is None:
            self._results.put(None)  # for all later submissions too
        return found

    def _receive(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._results.put(self._pipe.recv())
        self._results.put(None)

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _send(self, message: object) -> None:
        with suppress(OSError):  # the process has died, and `result` will say so
            self._pipe.send(message)


def work(descriptor: int) -> None:
    """The worker's loop: receive files, send results, until the other end is closed."""
    pipe = Connection(descriptor)
    with suppress(EOFError, OSError):
        preparer = Preparer(pipe.recv())
        while True:
            pipe.send([preparer.prepare(file) for file in pipe.recv()])


@dataclass(slots=True)
class _Batch:
    files: list[SourceFile]
    worker: _Worker | None = None


def prepared(
    files: Sequence[SourceFile], recipe: Recipe, documents: DocumentCache, shares: Shares | None = None
) -> Iterator[tuple[SourceFile, Prepared | Skipped]]:
    """Each file with its result, in order. Many files are prepared in parallel processes.

    Files for which `shares` has prepared work are not processed again.
    """
    own = Preparer(recipe, documents)
    if shares:
        for file in files:
            one = shares(file)
            yield file, own.named(one) if one else own.prepare(file)
        return
    if len(files) < _WORTH_A_POOL:
        yield from ((file, own.prepare(file)) for file in files)
        return
    count = max(1, min(_MOST, (os.cpu_count() or 2) - 1))  # one core is left for writing and embedding
    workers = [_Worker(recipe) for _ in range(count)]
    try:
        waiting: deque[_Batch] = deque()
        for worker, batch in zip(cycle(workers), _batches(files), strict=False):
            if not _slow(batch.files[0]):  # slow files are read in child processes and cached by this process
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


def _served(batch: _Batch, own: Preparer) -> Iterator[tuple[SourceFile, Prepared | Skipped]]:
    done = batch.worker.result() if batch.worker else None  # None if the worker was killed: do its work here
    yield from zip(batch.files, done or map(own.prepare, batch.files), strict=True)


def _batches(files: Sequence[SourceFile]) -> Iterator[_Batch]:
    """The files in order, in batches whose files are either all slow to read or all not."""
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
    return os.path.splitext(file.path)[1].lower() in SLOW  # noqa: PTH122  making a Path of every name is slow
