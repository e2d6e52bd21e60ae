"""What was asked, what had no answer, and what users thought of it. Kept for a time, on request without the text.

The file is shared: the channels keep their claims in it too (bot.channels.claims), each class with tables of its own.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from bot.corpus.curated import question_key
from bot.errors import JournalError
from bot.settings import Settings
from bot.text.fold import fold, language
from bot.types import Answer

log = logging.getLogger("wenqu")
EVENTS = logging.getLogger("wenqu.events")  # a record per answer, for logs and metrics; never the question
FILE = "journal.sqlite"  # in the index folder
MAX_COMMENT = 500
_DAY = 24 * 3600
_FORGET_SECONDS = 3600
# How long an answer waits to be recorded. The record itself waits longer, in a thread of its own.
_ANSWER_WAITS_SECONDS = 0.2
# How long a write waits for another process that writes.
_PATIENCE_SECONDS = 10.0


class SqliteFile:
    """A SQLite file that several classes and processes share, opened when it is first used.

    A subclass names its own tables. Any thread may call it: writes take turns, reads never wait for a writer.
    """

    TABLES: ClassVar[tuple[str, ...]] = ()  # how each is made where it is missing
    ADDED: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # table -> text columns that older files lack

    def __init__(self, file: Path) -> None:
        """Nothing is opened yet."""
        self.file = file
        self._writing, self._reading = threading.RLock(), threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file now, and make it where it is missing. Raises JournalError."""
        with self.transaction():
            pass

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection on which all is done that the block does, or nothing of it. Raises JournalError."""
        try:
            with self._writing:
                database = self._opened()
                database.execute("BEGIN IMMEDIATE")
                with _committed(database):
                    yield database
        except (sqlite3.Error, OSError) as error:
            raise JournalError(self.file, error) from error

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a SELECT finds, as far as it is committed; it waits for no writer. Raises JournalError."""
        try:
            if self._writer is None:
                self._opened()  # which also brings the tables up to date
            with self._reading:
                if self._reader is None:
                    self._reader = self._connected()
                return self._reader.execute(query, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise JournalError(self.file, error) from error

    def scrub(self) -> None:
        """Take what was deleted out of SQLite's log too; while another process reads, the next call does it."""
        with self._writing, suppress(sqlite3.Error):
            if self._writer:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._writing, self._reading:
            for database in (self._reader, self._writer):
                if database:
                    database.close()
            self._reader = self._writer = None

    def begin(self, database: sqlite3.Connection) -> None:
        """What is done within the transaction that opens the file."""

    def _opened(self) -> sqlite3.Connection:
        with self._writing:
            if self._writer is None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                _make_private(self.file)
                database = self._connected()
                try:
                    database.execute("PRAGMA journal_mode = WAL")
                    database.execute("PRAGMA synchronous = NORMAL")  # a crash of the process loses nothing
                    database.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
                    database.execute("BEGIN IMMEDIATE")
                    with _committed(database):
                        self._make_tables(database)
                        self.begin(database)
                except BaseException:
                    database.close()
                    raise
                self._writer = database
            return self._writer

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)

    def _make_tables(self, database: sqlite3.Connection) -> None:
        for table in self.TABLES:
            database.execute(table)
        for name, columns in self.ADDED.items():
            present = {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
            for column in columns:
                if column not in present:
                    database.execute(f"ALTER TABLE {name} ADD COLUMN {column} TEXT DEFAULT ''")


@contextmanager
def _committed(database: sqlite3.Connection) -> Iterator[None]:
    """Commit the transaction that was begun, or roll it back; an error of the block or of the commit is passed on."""
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # A disk that is full has ended the transaction already: that there is none must not hide the first error.
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


def _make_private(file: Path) -> None:
    """Make the file where it is missing, readable by its owner only; SQLite's logs beside it get the same rights."""
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    for path in (file, *(file.with_name(f"{file.name}-{kind}") for kind in ("wal", "shm"))):
        with suppress(OSError):  # it is not there, or another user's
            path.chmod(0o600)


def storable(text: str) -> str:
    """The text without NUL and without lone surrogates, which JSON can express and SQLite does not take."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


_ASKED = (
    "SELECT id, answers.at, platform, question, refused, confidence, passage,"
    " coalesce(sum(verdict = 1), 0), coalesce(sum(verdict = -1), 0),"
    " coalesce(group_concat(nullif(comment, ''), char(10)), '')"
    " FROM answers LEFT JOIN feedback ON feedback.answer = answers.id"
)


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """A question that was answered or refused, and how many users liked and disliked it; `at` is seconds since 1970."""

    id: str
    at: float
    platform: str
    question: str
    refused: bool
    confidence: float
    passage: str
    liked: int
    disliked: int
    comments: str

    def to_dict(self) -> dict[str, Any]:
        """Its JSON shape."""
        return {
            "id": self.id,
            "time": utc(self.at),
            "platform": self.platform,
            "question": self.question,
            "refused": self.refused,
            "confidence": round(self.confidence, 4),
            "passage": self.passage,
            "liked": self.liked,
            "disliked": self.disliked,
            "comments": self.comments,
        }


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that was refused, as it was last asked, and how often."""

    question: str
    language: str
    count: int
    last: float

    def to_dict(self) -> dict[str, Any]:
        """Its JSON shape."""
        return {
            "question": self.question,
            "language": self.language,
            "count": self.count,
            "last": utc(self.last),
        }


class Journal(SqliteFile):
    """Questions and feedback. Answers are written by a thread of its own; all else sees what they wrote before."""

    TABLES = (
        "CREATE TABLE IF NOT EXISTS answers (id TEXT PRIMARY KEY, at REAL, platform TEXT, question TEXT,"
        " refused INTEGER, confidence REAL) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS feedback (answer TEXT, user TEXT, at REAL, verdict INTEGER,"
        " PRIMARY KEY (answer, user)) WITHOUT ROWID",
    )
    ADDED: ClassVar = {"answers": ("language", "mode", "generation", "passage"), "feedback": ("comment",)}

    def __init__(self, file: Path, *, questions: bool = True, days: int = 90) -> None:
        """With `questions` off no text of a question is written; nothing is kept for longer than `days`."""
        super().__init__(file)
        self._questions, self._days = questions, days
        self._forgot = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")  # begins with the first answer
        self._waiting: deque[tuple[tuple[object, ...], Future[bool]]] = deque()

    @classmethod
    def from_settings(cls, settings: Settings) -> Journal:
        """The journal beside the index."""
        return cls(settings.index / FILE, questions=settings.journal, days=settings.journal_days)

    def begin(self, database: sqlite3.Connection) -> None:
        """Forget what is too old."""
        self._forget(database, self._days)

    def close(self) -> None:
        """Write what still waits, and close the file."""
        self._write_waiting()
        super().close()

    def keep(self, answer: Answer, platform: str, identity: str = "") -> Answer:
        """The answer with the id by which it is known from now on, within 0.2 seconds.

        Never raises. An answer that could not be recorded comes back without an id. One whose record still waits for
        another process keeps its id; should that record fail later, the log says so.
        """
        identity = identity or secrets.token_hex(8)
        if EVENTS.isEnabledFor(logging.INFO):
            EVENTS.info("answer", extra={"fields": _event(answer, platform, identity)})
        recorded: Future[bool] = Future()
        self._waiting.append((self._row(answer, platform, identity), recorded))
        self._thread.submit(self._write_waiting)
        try:
            known = recorded.result(_ANSWER_WAITS_SECONDS)
        except TimeoutError:
            known = True
        return replace(answer, id=identity) if known else answer

    def record_feedback(self, answer: str, user: str, verdict: int, comment: str = "") -> bool:
        """What a user thinks of an answer: 1 good, -1 bad, 0 taken back. The last word counts.

        False where there is no such answer. Raises JournalError.
        """
        answer = storable(answer)
        self._write_waiting()
        with self.transaction() as database:
            if not database.execute("SELECT 1 FROM answers WHERE id = ?", (answer,)).fetchone():
                return False
            row = (answer, storable(user), time.time(), verdict, storable(comment)[:MAX_COMMENT])
            columns = "answer, user, at, verdict, comment"
            database.execute(f"INSERT OR REPLACE INTO feedback ({columns}) VALUES (?, ?, ?, ?, ?)", row)
        return True

    def recent(self, limit: int) -> list[RecordedAnswer]:
        """The last questions, newest first. Raises JournalError."""
        return self._asked("GROUP BY id ORDER BY answers.at DESC LIMIT ?", limit)

    def disliked(self) -> list[RecordedAnswer]:
        """The answers that somebody disliked, newest first. Raises JournalError."""
        return self._asked("GROUP BY id HAVING sum(verdict = -1) > 0 ORDER BY answers.at DESC")

    def unanswered(self, days: int | None = None) -> list[Unanswered]:
        """The refused questions of the last days, most asked first; those that mean the same count as one.

        Raises JournalError.
        """
        since = 0.0 if days is None else time.time() - days * _DAY
        self._write_waiting()
        rows = self.rows(
            "SELECT question, language, at FROM answers"
            " WHERE refused AND mode != 'meta' AND question != '' AND at >= ? ORDER BY at",
            since,
        )
        found: dict[str, Unanswered] = {}
        for question, spoken, at in rows:
            key = question_key(question)
            count = found[key].count + 1 if key in found else 1
            found[key] = Unanswered(question, spoken or language(fold(question)), count, at)
        return sorted(found.values(), key=lambda asked: (-asked.count, -asked.last))

    def clear(self, days: int) -> int:
        """Delete what is older than `days`, everything for 0; the number of questions deleted. Raises JournalError."""
        self._write_waiting()
        with self.transaction() as database:
            count = self._forget(database, days)
        self.scrub()
        return count

    def _row(self, answer: Answer, platform: str, identity: str) -> tuple[object, ...]:
        understood = answer.standalone or answer.query
        return (
            identity,
            time.time(),
            platform,
            storable(understood) if self._questions else "",
            int(answer.refused),
            answer.confidence,
            language(fold(understood)),
            answer.mode,
            answer.generation,
            storable(answer.evidence[0].hit.passage.id) if answer.evidence else "",
        )

    def _write_waiting(self) -> None:
        """Write the answers that wait, all in one transaction, so that a file that is locked costs one wait."""
        with self._writing:  # other threads go on once these are written
            batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if not batch:
                return
            done = False
            try:
                self._insert([row for row, _ in batch])
                done = True
            except Exception as error:  # in its own thread nobody else would hear of it
                count = "an answer is" if len(batch) == 1 else f"{len(batch)} answers are"
                log.warning("%s not in the journal: %s", count, error)
            finally:
                for _, recorded in batch:
                    recorded.set_result(done)

    def _insert(self, rows: list[tuple[object, ...]]) -> None:
        columns = "id, at, platform, question, refused, confidence, language, mode, generation, passage"
        with self.transaction() as database:
            database.executemany(f"INSERT OR REPLACE INTO answers ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
            old = time.monotonic() - self._forgot > _FORGET_SECONDS and self._forget(database, self._days)
        if old:
            self.scrub()

    def _asked(self, clauses: str, *values: object) -> list[RecordedAnswer]:
        self._write_waiting()
        rows = self.rows(f"{_ASKED} {clauses}", *values)
        return [replace(RecordedAnswer(*row), refused=bool(row[4])) for row in rows]

    def _forget(self, database: sqlite3.Connection, days: int) -> int:
        self._forgot = time.monotonic()
        before = (time.time() - days * _DAY,)
        count = database.execute("DELETE FROM answers WHERE at < ?", before).rowcount
        database.execute("DELETE FROM feedback WHERE at < ? OR answer NOT IN (SELECT id FROM answers)", before)
        return count


def _event(answer: Answer, platform: str, identity: str) -> dict[str, Any]:
    return {
        "answer": identity,
        "surface": platform,
        "mode": answer.mode,
        "degraded": sorted(answer.degraded),
        "refused": answer.refused,
        "confidence": round(answer.confidence, 4),
        "generation": answer.generation,
        "passages": [evidence.hit.passage.id for evidence in answer.evidence],
        "characters": len(answer.query),
        "stages": {stage: round(milliseconds, 1) for stage, milliseconds in answer.timings.items()},
    }


def utc(at: float) -> str:
    """A time in seconds since 1970, as ISO 8601 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
