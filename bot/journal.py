"""What channels remember across deliveries, worker processes and restarts: index/journal.sqlite.

Which messages were taken, those that are still to be answered, the rest of a long answer, and what users thought of it.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.errors import JournalError

log = logging.getLogger("wenqu")
# Slack's last delivery of a message comes five minutes after the first; a day also covers a host that was asleep.
_KEPT_SECONDS = 24 * 3600
# A question that a stopped process left behind is still worth an answer this long after it was asked.
_WORTH_ANSWERING_SECONDS = 600
_TABLES = """
CREATE TABLE IF NOT EXISTS messages (key TEXT PRIMARY KEY, at REAL, owner INTEGER, message TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rests (conversation TEXT PRIMARY KEY, at REAL, pages TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
  id TEXT PRIMARY KEY, at REAL, platform TEXT, question TEXT, refused INTEGER, confidence REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feedback (
  answer TEXT, user TEXT, at REAL, verdict INTEGER, PRIMARY KEY (answer, user)) WITHOUT ROWID;
"""


class Journal:
    """One SQLite file, shared by all threads and worker processes."""

    def __init__(self, file: Path) -> None:
        """Open or make the file. Raises JournalError."""
        self._lock = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(file, timeout=10, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")  # a crash of the process loses nothing
            self._database.executescript(_TABLES)
            self._database.execute("DELETE FROM messages WHERE at < ?", (time.time() - _KEPT_SECONDS,))
            self._database.execute("DELETE FROM rests WHERE at < ?", (time.time() - _KEPT_SECONDS,))
        except (sqlite3.Error, OSError) as error:
            raise JournalError(file, error) from error

    def claim(self, keys: Sequence[str], message: Mapping[str, Any] | None = None) -> bool:
        """Whether none of the keys was claimed before; if so all are claimed, in one step, by whoever comes first.

        `message` is kept under the first key until `finish`: another process takes it up when this one ends early.
        """
        first, *others = keys
        kept = None if message is None else json.dumps(message, ensure_ascii=False)
        with self._transaction() as database:
            marks = ",".join("?" * len(keys))
            if database.execute(f"SELECT 1 FROM messages WHERE key IN ({marks})", keys).fetchone():
                return False
            rows = [(first, time.time(), os.getpid(), kept), *((key, time.time(), os.getpid(), None) for key in others)]
            database.executemany("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?)", rows)
        return True

    def finish(self, key: str) -> None:
        """The message of a claimed key is answered."""
        with self._transaction() as database:
            database.execute("UPDATE messages SET message = NULL WHERE key = ?", (key,))

    def left_behind(self, platform: str) -> list[dict[str, Any]]:
        """Messages of a platform whose process ended before it had answered; from now on this process's own."""
        taken = []
        with self._transaction() as database:
            rows = database.execute(
                "SELECT key, owner, message FROM messages WHERE message IS NOT NULL AND at > ? AND key GLOB ?",
                (time.time() - _WORTH_ANSWERING_SECONDS, f"{platform}:*"),
            ).fetchall()
            for key, owner, message in rows:
                if not _runs(owner):
                    database.execute("UPDATE messages SET owner = ? WHERE key = ?", (os.getpid(), key))
                    taken.append(json.loads(message))
        return taken

    def keep_rest(self, conversation: str, pages: Sequence[str]) -> None:
        """Keep what is still to be shown in a conversation, in place of what was kept; nothing to keep clears it."""
        with self._transaction() as database:
            database.execute("DELETE FROM rests WHERE conversation = ?", (conversation,))
            if pages:
                row = (conversation, time.time(), json.dumps(list(pages), ensure_ascii=False))
                database.execute("INSERT INTO rests VALUES (?, ?, ?)", row)

    def next_rest(self, conversation: str) -> str | None:
        """The next page of what is still to be shown, taken out; None where there is none."""
        with self._transaction() as database:
            row = database.execute("SELECT pages FROM rests WHERE conversation = ?", (conversation,)).fetchone()
            pages: list[str] = json.loads(row[0]) if row else []
            if not pages:
                return None
            database.execute(
                "UPDATE rests SET pages = ? WHERE conversation = ?",
                (json.dumps(pages[1:], ensure_ascii=False), conversation),
            )
        return pages[0]

    def record_answer(self, answer: str, platform: str, question: str, *, refused: bool, confidence: float) -> None:
        """Keep what was asked, so that feedback has something to be about."""
        with self._transaction() as database:
            row = (answer, time.time(), platform, question, int(refused), confidence)
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)

    def record_feedback(self, answer: str, user: str, verdict: int) -> None:
        """What a user thinks of an answer: 1 good, -1 bad, 0 taken back. The last word counts."""
        with self._transaction() as database:
            row = (answer, user, time.time(), verdict)
            database.execute("INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?)", row)

    def feedback(self) -> list[tuple[str, str, int]]:
        """(question, platform, verdict) of every answer that somebody judged, oldest first."""
        with self._transaction() as database:
            return database.execute(
                "SELECT question, platform, verdict FROM feedback JOIN answers ON answers.id = feedback.answer"
                " ORDER BY feedback.at"
            ).fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _runs(process: int) -> bool:
    """Whether another process of that number runs; our own number in an old entry is an earlier process's."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
