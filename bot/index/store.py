"""passages.sqlite: the documents and passages of one generation, written once, read-only afterwards.

Later changes can be in a second file, the delta: all entries of changed files, the paths whose entries in the main
file no longer count, and the rows that no longer count in either file.
"""

from __future__ import annotations

import copy
import json
import sqlite3
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bot.corpus.blocks import block_of
from bot.corpus.loss import ENOUGH, Loss, letters_by_reason
from bot.corpus.scan import Skipped, SourceFile, document_id
from bot.errors import IndexDamaged
from bot.text.dates import day_number, last_day_number
from bot.types import Document, KeptPicture, LeftOut, Passage, Scope

MAX_OFFSET = 2**63 - 1
_SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT);
CREATE TABLE skipped (path TEXT PRIMARY KEY, code TEXT, reason TEXT);
CREATE TABLE documents (id TEXT PRIMARY KEY, title TEXT, path TEXT, first_row INTEGER, count INTEGER, text TEXT,
                        blocks BLOB, pages TEXT, letters INTEGER, kept INTEGER, warning TEXT, date TEXT);
CREATE TABLE passages (row INTEGER PRIMARY KEY, id TEXT UNIQUE, document TEXT, heading TEXT, text TEXT,
                       start INTEGER, end INTEGER, page INTEGER);
CREATE TABLE left_out (document TEXT, text TEXT, reason TEXT, at INTEGER, page INTEGER);
CREATE INDEX left_out_of ON left_out (document);
CREATE TABLE pictures (document TEXT, hash TEXT, at INTEGER, type TEXT, width INTEGER, height INTEGER, caption TEXT);
CREATE INDEX pictures_of ON pictures (document);
CREATE INDEX pictures_by_hash ON pictures (hash);
CREATE TABLE names (pinyin TEXT PRIMARY KEY, words TEXT) WITHOUT ROWID;
"""
_DELTA = """
CREATE TABLE replaced (path TEXT PRIMARY KEY, document TEXT);
CREATE TABLE gone (row INTEGER PRIMARY KEY);
"""
# The first folder of an id, "" at the top, as bot.corpus.scan.collection_of has it.
_COLLECTION = "CASE instr({0}, '/') WHEN 0 THEN '' ELSE substr({0}, 1, instr({0}, '/') - 1) END"
# A date as bot.text.dates.day_number has it: 2023-07-28 is 20230728, and 2023-07 is 20230700.
_DAY = "CAST(substr(replace(dated.date, '-', '') || '0000', 1, 8) AS INTEGER)"
_NEVER = 99_999_999  # after every day
_FILES = "SELECT path, size, mtime_ns FROM {part}.files WHERE path NOT IN {paths}"
_COLUMNS = "p.row, p.id, p.document, d.title, p.heading, p.text, p.start, p.end, p.page, d.date"


class Listed(NamedTuple):
    """A document of a generation in a list: what it is called, how large it is, and what became of its letters."""

    id: str
    title: str
    path: str
    passages: int
    pages: int
    letters: int
    kept: int
    warning: str
    date: str


class _Counts:
    """For the name of a column with ids of documents, the condition that one counts."""

    def __init__(self, replaced: str, scope: Scope, part: str) -> None:
        """`replaced` selects the ids that no longer count, "" without any; `part` is the file that has the dates."""
        self._replaced, self._scope, self._part = replaced, scope, part

    def __getitem__(self, column: str) -> str:
        """The condition, for SQL."""
        conditions = [f"{column} NOT IN {self._replaced}"] if self._replaced else []
        if self._scope.collections is not None:
            names = ",".join("'" + name.replace("'", "''") + "'" for name in sorted(self._scope.collections))
            conditions.append(f"{_COLLECTION.format(column)} IN ({names})")
        if self._scope.since or self._scope.until:
            since, until = day_number(self._scope.since), last_day_number(self._scope.until) or _NEVER
            day = f"(SELECT {_DAY} FROM {self._part}.documents dated WHERE dated.id = {column})"
            conditions.append(f"{day} BETWEEN {since} AND {until}")
        return " AND ".join(conditions) or "1"


class StoreWriter:
    """Writes a new store; a crash leaves a file that no manifest names."""

    def __init__(self, path: Path, schema: str = _SCHEMA) -> None:
        """Create the file."""
        self._connection = sqlite3.connect(path, uri=True)
        # The whole file is synced before it is published, so a journal would only cost time.
        self._connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + schema)
        self.rows = self.passages = self.documents = 0

    def add_file(self, file: SourceFile, sha256: str = "") -> None:
        """Record the state of a file that was looked at, whether or not it became a document."""
        self._connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (file.path, file.size, file.mtime_ns, sha256))

    def add_skipped(self, skipped: Skipped) -> None:
        """Record a file that is not in the index, and why."""
        row = (skipped.path, skipped.code, skipped.reason)
        self._connection.execute("INSERT OR REPLACE INTO skipped VALUES (?, ?, ?)", row)

    def add_document(
        self, document: Document, passages: Sequence[Passage], loss: Loss, warning: str
    ) -> Iterator[tuple[int, Passage]]:
        """Write a document with its passages, and what was lost and wrong; yields each passage with its row number."""
        execute = self._connection.execute
        about = (document.id, document.title, document.path, self.rows, len(passages), document.text)
        # Compressed because the rows of a table all have the same header: a tenth of the size.
        blocks = zlib.compress(json.dumps([astuple(block) for block in document.blocks]).encode(), 1)
        values = (*about, blocks, json.dumps(document.pages), loss.letters, loss.kept, warning, document.date)
        execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        self.documents += 1
        for one in document.left_out:
            execute("INSERT INTO left_out VALUES (?, ?, ?, ?, ?)", (document.id, *astuple(one)))
        for p in passages:
            row = (self.rows, p.id, p.document, p.heading, p.text, p.start, p.end, p.page)
            execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            yield self.rows, p
            self.rows += 1
            self.passages += 1

    def add_pictures(self, document: str, pictures: Iterable[KeptPicture]) -> None:
        """Write what pictures a document has, by its id."""
        rows = ((document, *astuple(one)) for one in pictures)
        self._connection.executemany("INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def close(self, names: Mapping[str, Sequence[str]]) -> None:
        """Write the pinyin readings of the corpus's words, and finish the file."""
        known = dict(self._connection.execute("SELECT pinyin, words FROM names"))  # from the previous delta
        both = {pinyin: {*words, *json.loads(known[pinyin])} for pinyin, words in names.items() if pinyin in known}
        rows = (
            (pinyin, json.dumps(sorted(both.get(pinyin) or set(names[pinyin])), ensure_ascii=False))
            for pinyin in sorted(names)
        )
        self._connection.executemany("INSERT OR REPLACE INTO names VALUES (?, ?)", rows)
        self._connection.commit()
        self._connection.close()

    def abandon(self) -> None:
        """Close the file as it is; does nothing if it is finished."""
        self._connection.close()


class DeltaWriter(StoreWriter):
    """Writes what changed since a store was written; continues the previous delta if there is one."""

    def __init__(self, path: Path, main: Path, counts: tuple[int, int, int]) -> None:
        """Create or open the file; `counts` are the rows so far, and the passages and articles that still count."""
        super().__init__(path, "" if path.exists() else _SCHEMA + _DELTA)
        self._connection.execute("ATTACH ? AS main_file", (_uri(main),))
        self._connection.execute("DELETE FROM skipped")  # every run writes this list in full
        self.rows, self.passages, self.documents = counts

    def remove(self, path: str) -> list[int]:
        """Remove everything that came from a file; returns the rows of its passages."""
        execute = self._connection.execute
        identity = document_id(path)
        where = "FROM {}.documents WHERE id = ? AND id NOT IN {}"
        old = ("main_file", "(SELECT document FROM replaced)"), ("main", "()")
        found = [execute(f"SELECT first_row, count {where.format(*part)}", (identity,)).fetchone() for part in old]
        rows = [row for first, count in filter(None, found) for row in range(first, first + count)]
        for table, column in (
            ("passages", "document"),
            ("left_out", "document"),
            ("pictures", "document"),
            ("documents", "id"),
        ):
            execute(f"DELETE FROM main.{table} WHERE {column} = ?", (identity,))
        execute("DELETE FROM main.files WHERE path = ?", (path,))
        execute("INSERT OR IGNORE INTO replaced VALUES (?, ?)", (path, identity))
        self._connection.executemany("INSERT INTO gone VALUES (?)", ((row,) for row in rows))
        self.documents -= sum(1 for _ in filter(None, found))
        self.passages -= len(rows)
        return rows


class Store:
    """A published store. Safe to share between threads because SQLite serialises the reads."""

    def __init__(self, path: Path, delta: Path | None = None) -> None:
        """Open the file and its delta; the caller has verified their checksums. All methods may raise IndexDamaged."""
        self._path = path
        with self._reading():
            self._connection = sqlite3.connect(_uri(path), uri=True, check_same_thread=False)
        self._parts = ["main"]
        self._scope = Scope()  # what is seen
        self.gone: frozenset[int] = frozenset()
        if delta:
            self._ask("ATTACH ? AS delta", (_uri(delta),))
            self._parts.append("delta")
            self.gone = frozenset(row for (row,) in self._ask("SELECT row FROM delta.gone"))

    def within(self, scope: Scope) -> Store:
        """The same store as somebody sees it who may see some documents only: it holds nothing of the others."""
        seen = copy.copy(self)
        seen._scope = scope
        seen.__dict__.pop("collections", None)
        return seen

    @cached_property
    def collections(self) -> dict[str, int]:
        """How many documents each collection has, by name; cached because every question of some asks for it."""
        total: Counter[str] = Counter()
        query = f"SELECT {_COLLECTION.format('id')}, count(*) FROM {{part}}.documents WHERE {{counts[id]}} GROUP BY 1"
        for name, count in self._each(query):
            total[name] += count
        return dict(sorted(total.items()))

    @property
    def names(self) -> Mapping[str, Sequence[str]]:
        """Joined pinyin -> words of the corpus; not cached, because a reference cycle would delay freeing the store."""
        return _Names(self._ask, self._parts)

    def rows(self) -> list[int]:
        """The rows of all passages."""
        query = "SELECT row FROM {part}.passages WHERE {counts[document]}"
        return [row for (row,) in self._each(query) if row not in self.gone]

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """The passages of the given rows, in their order."""
        found = self._passages(f"p.row IN ({','.join('?' * len(rows))})", rows)
        return [found[row] for row in rows]

    def passage(self, identity: str) -> Passage | None:
        """The passage of an id, or None."""
        return next(iter(self._passages("p.id = ?", (identity,)).values()), None)

    def document(self, identity: str) -> Document | None:
        """The document of an id, or None."""
        columns = "id, title, text, path, blocks, pages, date"
        query = f"SELECT {columns} FROM {{part}}.documents WHERE id = ? AND {{counts[id]}}"
        found = next(self._each(query, (identity,)), None)
        if not found:
            return None
        *about, packed, pages, date = found
        blocks = tuple(block_of(*block) for block in json.loads(zlib.decompress(packed)))
        identity, title, text, path = about
        left_out = tuple(self._left_out(identity))
        return Document(identity, title, text, path, blocks, tuple(json.loads(pages)), left_out, date)

    def titles(self) -> list[tuple[str, str]]:
        """The id and the title of each document, in the order of the ids."""
        return sorted(self._each("SELECT id, title FROM {part}.documents WHERE {counts[id]}"))

    def listed(self) -> list[Listed]:
        """Every document, in the order of the ids."""
        columns = "id, title, path, count, json_array_length(pages), letters, kept, warning, date"
        return sorted(map(Listed._make, self._each(f"SELECT {columns} FROM {{part}}.documents WHERE {{counts[id]}}")))

    def passages_of(self, document: str) -> list[Passage]:
        """The passages of a document in reading order."""
        return [passage for _, passage in sorted(self._passages("p.document = ?", (document,)).items())]

    def page(self, document: str, offset: int) -> int:
        """The page of an offset in a document, from 1; 0 in one without pages."""
        query = "SELECT pages FROM {part}.documents WHERE id = ? AND {counts[id]}"
        found = next(self._each(query, (document,)), None)
        return bisect_right(json.loads(found[0]), offset) if found else 0

    def _left_out(self, identity: str) -> Iterator[LeftOut]:
        query = "SELECT text, reason, at, page FROM {part}.left_out WHERE document = ? AND {counts[document]}"
        return (LeftOut(*row) for row in self._each(query, (identity,)))

    def pictures(self, document: str, after: int = -1, until: int = MAX_OFFSET) -> list[KeptPicture]:
        """The pictures of a document that stand after one offset and not after another, in their order."""
        columns = "hash, at, type, width, height, caption"
        within = "document = ? AND at > ? AND at <= ? AND {counts[document]}"
        query = f"SELECT {columns} FROM {{part}}.pictures WHERE {within} ORDER BY at, rowid"
        return [KeptPicture(*row) for row in self._each(query, (document, after, until))]

    def picture_type(self, name: str) -> str | None:
        """The media type of the picture of that hash; None if no document has it."""
        query = "SELECT type FROM {part}.pictures WHERE hash = ? AND {counts[document]}"
        found = next(self._each(query, (name,)), None)
        return found[0] if found else None

    @cached_property
    def files(self) -> frozenset[SourceFile]:
        """The state of every file that the index was made from; cached because a large corpus takes 0.15 s to read."""
        return frozenset(map(SourceFile._make, self._each(_FILES)))

    def file(self, document: str) -> tuple[SourceFile, str] | None:
        """The state of a document's file when it was read, and the sha256 of its bytes; None without one."""
        query = (
            "SELECT f.path, f.size, f.mtime_ns, f.sha256 FROM {part}.documents d JOIN {part}.files f ON f.path = d.path"
            " WHERE d.id = ? AND {counts[d.id]}"
        )
        found = next(self._each(query, (document,)), None)
        return (SourceFile(*found[:3]), found[3]) if found else None

    def skipped(self) -> list[Skipped]:
        """The files that are not in the index, and why, by path."""
        query = f"SELECT path, code, reason FROM {self._parts[-1]}.skipped ORDER BY path"
        return [Skipped(*row) for row in self._ask(query)]

    def left_out(self) -> Counter[str]:
        """How often something was left out of the passages, by reason."""
        counted = "SELECT reason, count(*) FROM {part}.left_out WHERE {counts[document]} GROUP BY reason"
        total: Counter[str] = Counter()
        for reason, count in self._each(counted):
            total[reason] += count
        return Counter(dict(sorted(total.items())))

    def warnings(self) -> dict[str, str]:
        """What is wrong with files that were read, by path."""
        query = "SELECT path, warning FROM {part}.documents WHERE warning != '' AND {counts[id]}"
        return dict(sorted(self._each(query)))

    def losses(self) -> dict[str, Loss]:
        """The documents of which too little became passages, by path: what became of their letters."""
        columns = "id, path, letters, kept"
        found: dict[str, Loss] = {}
        for identity, path, letters, kept in self._each(
            f"SELECT {columns} FROM {{part}}.documents WHERE {{counts[id]}} AND kept <= letters * {ENOUGH}"
        ):
            one = Loss(letters, kept, letters_by_reason(self._left_out(identity)))
            if one.is_much:
                found[path] = one
        return dict(sorted(found.items()))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _each(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query over each part.

        `{counts[id]}` becomes the condition that the document of an id still counts in the part and may be seen;
        `{paths}` becomes the paths that no longer count in it.
        """
        for part in self._parts:
            replaced = "(SELECT {} FROM delta.replaced)" if part == "main" and self._parts[1:] else ""
            paths, counts = replaced.format("path") or "()", _Counts(replaced.format("document"), self._scope, part)
            yield from self._ask(query.format(part=part, paths=paths, counts=counts), values)

    def _ask(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._reading():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turns the errors of SQLite on a failing disk into IndexDamaged."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise IndexDamaged(self._path, error) from error

    def _passages(self, condition: str, values: Sequence[object]) -> dict[int, Passage]:
        """Row -> passage, for those that still count."""
        tables = "{part}.passages p JOIN {part}.documents d ON d.id = p.document"
        found = self._each(f"SELECT {_COLUMNS} FROM {tables} WHERE {condition} AND {{counts[d.id]}}", values)
        return {row: Passage(*passage) for row, *passage in found if row not in self.gone}


def picture_hashes(generation: Path) -> set[str]:
    """The hashes of all pictures that a generation's folder names. Raises sqlite3.Error."""
    found: set[str] = set()
    for path in (generation / "passages.sqlite", generation / "delta" / "passages.sqlite"):
        if path.exists():
            with closing(sqlite3.connect(_uri(path), uri=True)) as connection:
                found |= {name for (name,) in connection.execute("SELECT hash FROM pictures")}
    return found


def _uri(path: Path) -> str:
    return path.resolve().as_uri() + "?mode=ro&immutable=1"


class _Names(Mapping[str, Sequence[str]]):
    """Joined pinyin -> words of the corpus, looked up one at a time so that they need not be in memory."""

    def __init__(self, ask: Callable[..., list[tuple[Any, ...]]], parts: Sequence[str]) -> None:
        self._ask, self._parts = ask, parts

    def __getitem__(self, pinyin: str) -> Sequence[str]:
        query = " UNION ALL ".join(f"SELECT words FROM {part}.names WHERE pinyin = ?1" for part in self._parts)
        found = [word for (words,) in self._ask(query, (pinyin,)) for word in json.loads(words)]
        if not found:
            raise KeyError(pinyin)
        return sorted(set(found))

    def __iter__(self) -> Iterator[str]:
        query = " UNION ".join(f"SELECT pinyin FROM {part}.names" for part in self._parts)
        return (row[0] for row in self._ask(query))

    def __len__(self) -> int:
        return sum(1 for _ in self)
