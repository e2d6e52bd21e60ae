"""passages.sqlite: the articles and passages of one generation, written once, read-only afterwards.

What was changed since may stand in a second file, the delta: the whole of every changed file, the paths whose entries
in the main file no longer count, and the rows that no longer do in either.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from bot.corpus import Skipped, SourceFile, article_id
from bot.errors import IndexDamaged
from bot.passages import Dropped
from bot.types import Article, Passage

_SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT);
CREATE TABLE skipped (path TEXT PRIMARY KEY, code TEXT, reason TEXT);
CREATE TABLE articles (id TEXT PRIMARY KEY, title TEXT, path TEXT, first_row INTEGER, count INTEGER, text TEXT);
CREATE TABLE passages (row INTEGER PRIMARY KEY, id TEXT UNIQUE, article_id TEXT, heading TEXT, text TEXT,
                       start INTEGER, end INTEGER);
CREATE TABLE dropped (article_id TEXT, start INTEGER, end INTEGER, reason TEXT);
CREATE TABLE names (pinyin TEXT PRIMARY KEY, words TEXT) WITHOUT ROWID;
"""
_DELTA = """
CREATE TABLE replaced (path TEXT PRIMARY KEY, article_id TEXT);
CREATE TABLE gone (row INTEGER PRIMARY KEY);
"""
_FILES = "SELECT path, size, mtime_ns FROM {part}.files WHERE path NOT IN {paths}"
_COLUMNS = "p.row, p.id, p.article_id, a.title, p.heading, p.text, p.start, p.end"


class StoreWriter:
    """Writes a new store; a crash leaves a file that no manifest names."""

    def __init__(self, path: Path, schema: str = _SCHEMA) -> None:
        """Begin a store in a new file."""
        self._connection = sqlite3.connect(path, uri=True)
        # The file is synced as a whole before it is published, so the journal would only cost time.
        self._connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + schema)
        self.rows = self.passages = self.articles = 0

    def add_file(self, file: SourceFile, sha256: str = "") -> None:
        """Remember the state of a file that was looked at, whether or not it became an article."""
        self._connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (file.path, file.size, file.mtime_ns, sha256))

    def add_skipped(self, skipped: Skipped) -> None:
        """Remember what is not in the index, and why."""
        row = (skipped.path, skipped.code, skipped.reason)
        self._connection.execute("INSERT OR REPLACE INTO skipped VALUES (?, ?, ?)", row)

    def add_article(
        self, article: Article, passages: Sequence[Passage], dropped: Iterable[Dropped]
    ) -> Iterator[tuple[int, Passage]]:
        """Write an article with its passages; yields each passage with the row that it got."""
        execute = self._connection.execute
        about = (article.id, article.title, article.path, self.rows, len(passages), article.text)
        execute("INSERT INTO articles VALUES (?, ?, ?, ?, ?, ?)", about)
        self.articles += 1
        for line in dropped:
            execute("INSERT INTO dropped VALUES (?, ?, ?, ?)", (article.id, line.start, line.end, line.reason))
        for p in passages:
            values = (self.rows, p.id, p.article_id, p.heading, p.text, p.start, p.end)
            execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            yield self.rows, p
            self.rows += 1
            self.passages += 1

    def close(self, names: Mapping[str, Sequence[str]]) -> None:
        """Write the pinyin readings of the corpus's words and finish the file."""
        known = dict(self._connection.execute("SELECT pinyin, words FROM names"))  # of the delta of before
        both = {pinyin: {*words, *json.loads(known[pinyin])} for pinyin, words in names.items() if pinyin in known}
        rows = (
            (pinyin, json.dumps(sorted(both.get(pinyin) or set(names[pinyin])), ensure_ascii=False))
            for pinyin in sorted(names)
        )
        self._connection.executemany("INSERT OR REPLACE INTO names VALUES (?, ?)", rows)
        self._connection.commit()
        self._connection.close()


class DeltaWriter(StoreWriter):
    """Writes what changed since a store was written, on from the delta of before where there is one."""

    def __init__(self, path: Path, main: Path, counts: tuple[int, int, int]) -> None:
        """Begin or go on; `counts` are the rows, and the passages and articles that count, so far."""
        super().__init__(path, "" if path.exists() else _SCHEMA + _DELTA)
        self._connection.execute("ATTACH ? AS main_file", (_uri(main),))
        self._connection.execute("DELETE FROM skipped")  # it is said anew, and of the last part only it counts
        self.rows, self.passages, self.articles = counts

    def remove(self, path: str) -> list[int]:
        """Let nothing that was made of a file count any longer; the rows that its passages had."""
        execute = self._connection.execute
        identity = article_id(path)
        where = "FROM {}.articles WHERE id = ? AND id NOT IN {}"
        old = ("main_file", "(SELECT article_id FROM replaced)"), ("main", "()")
        found = [execute(f"SELECT first_row, count {where.format(*part)}", (identity,)).fetchone() for part in old]
        rows = [row for first, count in filter(None, found) for row in range(first, first + count)]
        for table, column in (("passages", "article_id"), ("dropped", "article_id"), ("articles", "id")):
            execute(f"DELETE FROM main.{table} WHERE {column} = ?", (identity,))
        execute("DELETE FROM main.files WHERE path = ?", (path,))
        execute("INSERT OR IGNORE INTO replaced VALUES (?, ?)", (path, identity))
        self._connection.executemany("INSERT INTO gone VALUES (?)", ((row,) for row in rows))
        self.articles -= sum(1 for _ in filter(None, found))
        self.passages -= len(rows)
        return rows


class Store:
    """A published store. Safe to share between threads: SQLite serialises the reads."""

    def __init__(self, path: Path, delta: Path | None = None) -> None:
        """Open the file, and its delta; the caller has verified their checksums. All methods raise IndexDamaged."""
        self._path = path
        with self._reading():
            self._connection = sqlite3.connect(_uri(path), uri=True, check_same_thread=False)
        self._parts = ["main"]
        self.gone: frozenset[int] = frozenset()
        if delta:
            self._ask("ATTACH ? AS delta", (_uri(delta),))
            self._parts.append("delta")
            self.gone = frozenset(row for (row,) in self._ask("SELECT row FROM delta.gone"))

    @property
    def names(self) -> Mapping[str, Sequence[str]]:
        """Joined pinyin -> words of the corpus; not kept, for it would keep the store from being freed at once."""
        return _Names(self._ask, self._parts)

    def rows(self) -> list[int]:
        """The rows of all passages."""
        return [row for (row,) in self._each("SELECT row FROM {part}.passages") if row not in self.gone]

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """The passages of the given rows, in their order."""
        found = self._passages(f"p.row IN ({','.join('?' * len(rows))})", rows)
        return [found[row] for row in rows]

    def passage(self, identity: str) -> Passage | None:
        """The passage of an id, or None."""
        return next(iter(self._passages("p.id = ?", (identity,)).values()), None)

    def article(self, identity: str) -> Article | None:
        """The article of an id, or None."""
        query = "SELECT id, title, text, path FROM {part}.articles WHERE id = ? AND id NOT IN {articles}"
        found = next(self._each(query, (identity,)), None)
        return Article(*found) if found else None

    @cached_property
    def files(self) -> frozenset[SourceFile]:
        """The state of every file that the index was made from; 68,221 take 0.15 s to read."""
        return frozenset(map(SourceFile._make, self._each(_FILES)))

    def skipped(self) -> list[Skipped]:
        """What is not in the index, and why, by path."""
        query = f"SELECT path, code, reason FROM {self._parts[-1]}.skipped ORDER BY path"
        return [Skipped(*row) for row in self._ask(query)]

    def dropped(self) -> Counter[str]:
        """How many lines became no passage, by reason."""
        counted = "SELECT reason, count(*) FROM {part}.dropped WHERE article_id NOT IN {articles} GROUP BY reason"
        total: Counter[str] = Counter()
        for reason, count in self._each(counted):
            total[reason] += count
        return Counter(dict(sorted(total.items())))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _each(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """What a query gives of each part; `{paths}` and `{articles}` are those that do not count in it."""
        for part in self._parts:
            replaced = "(SELECT {} FROM delta.replaced)" if part == "main" and self._parts[1:] else "()"
            asked = query.format(part=part, paths=replaced.format("path"), articles=replaced.format("article_id"))
            yield from self._ask(asked, values)

    def _ask(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._reading():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What SQLite says when a disk fails under it, as our error."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise IndexDamaged(self._path, error) from error

    def _passages(self, condition: str, values: Sequence[object]) -> dict[int, Passage]:
        """Row -> passage, of those that count."""
        tables = "{part}.passages p JOIN {part}.articles a ON a.id = p.article_id"
        found = self._each(f"SELECT {_COLUMNS} FROM {tables} WHERE {condition}", values)
        return {row: Passage(*passage) for row, *passage in found if row not in self.gone}


def _uri(path: Path) -> str:
    return path.resolve().as_uri() + "?mode=ro&immutable=1"


class _Names(Mapping[str, Sequence[str]]):
    """Joined pinyin -> words of the corpus, looked up one at a time: 500,000 words never sit in memory."""

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
