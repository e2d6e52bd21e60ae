"""The documents as people see them: what is in the corpus folder, what became of each file, and changing them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import BinaryIO, Literal

import numpy as np

from bot.corpus.curated import Curated, CuratedAnswer
from bot.corpus.files import claim, put_back, put_in, stored_path, take_out
from bot.corpus.scan import ANSWERS, Skipped, SourceFile, collection_of, document_id, scan
from bot.errors import IndexMissing, StoreError, WenquError
from bot.index.build import Summary
from bot.index.generations import current_generation
from bot.pipeline import Bot
from bot.settings import Settings
from bot.text.dictionary import DICTIONARY
from bot.text.fold import fold

State = Literal["indexed", "waiting", "indexing", "skipped"]
_NO_DOCUMENTS = (ANSWERS, DICTIONARY)
_LOOK_SECONDS = 0.1  # how often it is looked how far a run has come


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the corpus: the document that it became, or why it is none yet.

    `collection` is its first folder, "" at the top; `kind` is its suffix without the dot. `kept` is the share of its
    letters that is searched, 0 to 1, and `warning` what is wrong with a file that was read. `code`, `reason` and `cure`
    say why one was skipped. `changed` is when the file was, in UTC; `date` when the document is
    from.
    """

    id: str
    title: str
    collection: str
    kind: str
    state: State
    bytes: int = 0
    changed: datetime | None = None
    passages: int = 0
    pages: int = 0
    kept: float = 0.0
    warning: str = ""
    code: str = ""
    reason: str = ""
    cure: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many files of a run are done, and of how many."""

    done: int
    total: int


class Library:
    """The documents of a bot. Thread-safe; several processes may change one folder."""

    def __init__(self, bot: Bot) -> None:
        """Keep the bot whose corpus it is."""
        self._bot = bot
        self._corpus = bot.settings.corpus

    def entries(self) -> list[Entry]:
        """Every file of the corpus that is a document or could be one, by id. Raises CorpusError and IndexDamaged."""
        files, unread = scan(self._corpus)
        try:
            store = self._bot.live.get().store
        except IndexMissing:
            listed, read, skipped = {}, frozenset[SourceFile](), {}
        else:
            listed = {one.path: one for one in store.listed()}
            read, skipped = store.files, {one.path: one for one in store.skipped()}
        waits: State = "indexing" if self.is_indexing else "waiting"
        found = [_skipped(one) for one in unread]
        for file in files:
            if file.path in _NO_DOCUMENTS:
                continue
            if file not in read:
                found.append(_entry(file, waits))
            elif one := listed.get(file.path):
                kept = one.kept / one.letters if one.letters else 1.0
                entry = replace(_entry(file, "indexed"), title=one.title, warning=one.warning, kept=kept)
                found.append(replace(entry, passages=one.passages, pages=one.pages, date=one.date))
            else:
                found.append(_skipped(skipped.get(file.path) or Skipped(file.path, "", ""), file))
        return sorted(found, key=lambda entry: entry.id)

    @property
    def is_indexing(self) -> bool:
        """Whether this process or another one is indexing the corpus."""
        return self._bot.live.progress is not None or any(self._bot.settings.index.glob(".building-*"))

    def put_in(self, name: str, collection: str, content: BinaryIO) -> str:
        """Store a file under the name that it was given; returns its id. Raises StoreError, and nothing has changed."""
        path = stored_path(name, collection)
        put_in(self._corpus, path, content)
        return path

    def take_out(self, identity: str) -> str:
        """Take a document's file out of the corpus; returns the name by which it comes back. Raises StoreError."""
        files, unread = scan(self._corpus)
        paths = {*(one.path for one in files), *(one.path for one in unread)}.difference(_NO_DOCUMENTS)
        path = next((path for path in sorted(paths) if document_id(path) == identity), None)
        if path is None:
            raise StoreError("E-GONE", f"没有这份资料：{identity}", "there is no such document")
        return take_out(self._corpus, path)

    def put_back(self, name: str) -> str:
        """Bring a file back that was taken out; returns its id. Raises StoreError."""
        return document_id(put_back(self._corpus, name))

    def indexed(self) -> Iterator[Progress | Summary | WenquError | None]:
        """Index what has changed: how far it has come, and last what was done, None for nothing, or what went wrong.

        The run goes on if nobody listens any more.
        """
        last: list[Summary | WenquError | None] = []
        run = threading.Thread(target=self._refresh, args=(last,), daemon=True)
        run.start()
        told = None
        while run.is_alive():
            if (progress := self._bot.live.progress) and progress != told:
                told = progress
                yield Progress(*progress)
            run.join(_LOOK_SECONDS)
        yield last[0]

    def caught(self, ways: Sequence[str], asked: Sequence[str]) -> list[str]:
        """Which of the questions that were asked a curated answer with these ways to ask would answer."""
        ways = [way for way in ways if fold(way).strip()]
        if not ways:
            return []
        vectors = np.array([self._bot.embedder.encode_query(way) for way in ways], dtype=np.float32)
        draft = Curated([CuratedAnswer(tuple(ways), "", "")], (), vectors, self._bot.live.get().dictionary)
        folded = [" ".join(fold(question).split()) for question in asked]
        matched = (draft.match(one, self._bot.embedder.encode_query(one)) for one in folded)
        return [question for question, found in zip(asked, matched, strict=True) if found]

    def _refresh(self, last: list[Summary | WenquError | None]) -> None:
        try:
            last.append(self._bot.refresh())
            self._bot.generation()  # opened now, so that no question waits for it
        except WenquError as error:
            last.append(error)


def let_it_be_empty(settings: Settings) -> bool:
    """Whether nothing can be read in the corpus and nothing ever was: it is then indexed as it is, for files to come.

    Raises CorpusError if there is no such folder, StoreError if it cannot be written, and IndexDamaged.
    """
    if current_generation(settings.index) or scan(settings.corpus)[0]:
        return False
    claim(settings.corpus)
    return True


def _entry(file: SourceFile, state: State) -> Entry:
    path = PurePosixPath(file.path)
    return Entry(
        document_id(file.path),
        path.stem,
        collection_of(file.path),
        path.suffix[1:].lower(),
        state,
        file.size,
        datetime.fromtimestamp(file.mtime_ns / 1e9, UTC) if file.mtime_ns else None,
    )


def _skipped(why: Skipped, file: SourceFile | None = None) -> Entry:
    reason, _, cure = why.reason.partition(" → ")
    entry = _entry(file or SourceFile(why.path, 0, 0), "skipped")
    return replace(entry, code=why.code, reason=reason, cure=cure)
