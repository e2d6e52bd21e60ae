"""passages.sqlite: the articles and passages of one generation, written once, read-only afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bot.corpus import Skipped, SourceFile
from bot.passages import Dropped
from bot.types import Article, Passage

_SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT);
CREATE TABLE skipped (path TEXT PRIMARY KEY, code TEXT, reason TEXT);
CREATE TABLE articles (id TEXT PRIMARY KEY, title TEXT, text TEXT, path TEXT);
CREATE TABLE passages (row INTEGER PRIMARY KEY, id TEXT UNIQUE, article_id TEXT, heading TEXT, text TEXT,
                       start INTEGER, end INTEGER);
CREATE TABLE dropped (article_id TEXT, start INTEGER, end INTEGER, reason TEXT);
CREATE TABLE names (pinyin TEXT PRIMARY KEY, words TEXT) WITHOUT ROWID;
"""
_PASSAGE = (
    "p.id, p.article_id, a.title, p.heading, p.text, p.start, p.end "
    "FROM passages p JOIN articles a ON a.id = p.article_id"
)


class StoreWriter:
    """Writes a new store; a crash leaves a file that no manifest names."""

    def __init__(self, path: Path) -> None:
        """Begin a store in a new file."""
        self._connection = sqlite3.connect(path)
        # The file is synced as a whole before it is published, so the journal would only cost time.
        self._connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _SCHEMA)
        self.rows = 0

    def add_file(self, file: SourceFile, sha256: str = "") -> None:
        """Remember the state of a file that was looked at, whether or not it became an article."""
        self._connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (file.path, file.size, file.mtime_ns, sha256))

    def add_skipped(self, skipped: Skipped) -> None:
        """Remember what is not in the index, and why."""
        row = (skipped.path, skipped.code, skipped.reason)
        self._connection.execute("INSERT OR REPLACE INTO skipped VALUES (?, ?, ?)", row)

    def add_article(
        self, article: Article, passages: Iterable[Passage], dropped: Iterable[Dropped]
    ) -> Iterator[tuple[int, Passage]]:
        """Write an article with its passages; yields each passage with the row that it got."""
        execute = self._connection.execute
        execute("INSERT INTO articles VALUES (?, ?, ?, ?)", (article.id, article.title, article.text, article.path))
        for line in dropped:
            execute("INSERT INTO dropped VALUES (?, ?, ?, ?)", (article.id, line.start, line.end, line.reason))
        for p in passages:
            values = (self.rows, p.id, p.article_id, p.heading, p.text, p.start, p.end)
            execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            yield self.rows, p
            self.rows += 1

    def close(self, names: Mapping[str, Sequence[str]]) -> None:
        """Write the pinyin readings of the corpus's words and finish the file."""
        rows = ((pinyin, json.dumps(words, ensure_ascii=False)) for pinyin, words in sorted(names.items()))
        self._connection.executemany("INSERT INTO names VALUES (?, ?)", rows)
        self._connection.commit()
        self._connection.close()


class Store:
    """A published store. Safe to share between threads: SQLite serialises the reads."""

    def __init__(self, path: Path) -> None:
        """Open the file; the caller has verified its checksum."""
        uri = path.resolve().as_uri() + "?mode=ro&immutable=1"
        self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        self.names = _Names(self._connection)

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """The passages of the given rows, in their order."""
        marks = ",".join("?" * len(rows))
        found = self._connection.execute(f"SELECT p.row, {_PASSAGE} WHERE p.row IN ({marks})", list(rows))
        by_row = {row: Passage(*values) for row, *values in found}
        return [by_row[row] for row in rows]

    def passage(self, identity: str) -> Passage | None:
        """The passage of an id, or None."""
        found = self._connection.execute(f"SELECT {_PASSAGE} WHERE p.id = ?", (identity,)).fetchone()
        return Passage(*found) if found else None

    def article(self, identity: str) -> Article | None:
        """The article of an id, or None."""
        found = self._connection.execute(
            "SELECT id, title, text, path FROM articles WHERE id = ?", (identity,)
        ).fetchone()
        return Article(*found) if found else None

    def files(self) -> set[SourceFile]:
        """The state of every file that the index was made from."""
        return {SourceFile(*row) for row in self._connection.execute("SELECT path, size, mtime_ns FROM files")}

    def skipped(self) -> list[Skipped]:
        """What is not in the index, and why, by path."""
        return [
            Skipped(*row) for row in self._connection.execute("SELECT path, code, reason FROM skipped ORDER BY path")
        ]

    def dropped(self) -> Counter[str]:
        """How many lines became no passage, by reason."""
        return Counter(
            dict(self._connection.execute("SELECT reason, count(*) FROM dropped GROUP BY reason ORDER BY reason"))
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class _Names(Mapping[str, Sequence[str]]):
    """Joined pinyin -> words of the corpus, looked up one at a time: 500,000 words never sit in memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getitem__(self, pinyin: str) -> Sequence[str]:
        found = self._connection.execute("SELECT words FROM names WHERE pinyin = ?", (pinyin,)).fetchone()
        if not found:
            raise KeyError(pinyin)
        words: list[str] = json.loads(found[0])
        return words

    def __iter__(self) -> Iterator[str]:
        return (row[0] for row in self._connection.execute("SELECT pinyin FROM names"))

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM names").fetchone()[0])
