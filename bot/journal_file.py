"""index/journal.sqlite: one SQLite file for all threads and processes. `claims` and `journal` say what is in it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.errors import JournalError

_VERSION = 1
_TABLES = (
    "CREATE TABLE IF NOT EXISTS messages (key TEXT PRIMARY KEY, at REAL, owner INTEGER, message TEXT,"
    " deliveries INTEGER DEFAULT 1, late INTEGER DEFAULT 0, reply TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS rests (conversation TEXT PRIMARY KEY, at REAL, pages TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS answers (id TEXT PRIMARY KEY, at REAL, platform TEXT, question TEXT, refused INTEGER,"
    " confidence REAL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS feedback (answer TEXT, user TEXT, at REAL, verdict INTEGER,"
    " PRIMARY KEY (answer, user)) WITHOUT ROWID",
)
# What version 1 added to the tables of files that were made before there were versions.
_COLUMNS = {
    "answers": ("language", "mode", "generation", "passage"),
    "feedback": ("comment",),
}


class JournalFile:
    """The file, opened by the first transaction."""

    def __init__(self, file: Path, *, patience: float = 10.0) -> None:
        """`patience` is how many seconds to wait for another process that writes."""
        self.file = file
        self._patience = patience
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is done within, or nothing of it. Raises JournalError when the file cannot be used."""
        try:
            with self._lock:
                database = self._database = self._database or self._open()
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                except BaseException:
                    database.execute("ROLLBACK")
                    raise
                database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise JournalError(self.file, error) from error

    def scrub(self) -> None:
        """Take what was deleted out of SQLite's log too; while another process reads, the next call does it."""
        with self._lock, suppress(sqlite3.Error):
            if self._database:
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database:
                self._database.close()
                self._database = None

    def begin(self, database: sqlite3.Connection) -> None:
        """What is done within the transaction that opens the file."""

    def _open(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.file, timeout=self._patience, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")  # a crash of the process loses nothing
            database.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
            database.execute("BEGIN IMMEDIATE")
            _migrate(database)
            self.begin(database)
            database.execute("COMMIT")
        except BaseException:
            database.close()
            raise
        return database


def _migrate(database: sqlite3.Connection) -> None:
    """Bring the tables to this version; those of a later version are left as they are."""
    if database.execute("PRAGMA user_version").fetchone()[0] >= _VERSION:
        return
    for table in _TABLES:
        database.execute(table)
    for name, columns in _COLUMNS.items():
        present = {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
        for column in columns:
            if column not in present:
                database.execute(f"ALTER TABLE {name} ADD COLUMN {column} TEXT DEFAULT ''")
    database.execute(f"PRAGMA user_version = {_VERSION}")


def storable(text: str) -> str:
    """The text without half characters, which JSON can name and SQLite does not take, and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
