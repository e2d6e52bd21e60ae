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
CREATE TABLE IF NOT EXISTS messages (
  key TEXT PRIMARY KEY, at REAL, owner INTEGER, message TEXT,
  deliveries INTEGER DEFAULT 1, late INTEGER DEFAULT 0, reply TEXT) WITHOUT ROWID;
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
        keys = [_text(key) for key in keys]
        first, *others = keys
        kept = None if message is None else json.dumps(message)
        with self._transaction() as database:
            marks = ",".join("?" * len(keys))
            if database.execute(f"SELECT 1 FROM messages WHERE key IN ({marks})", keys).fetchone():
                return False
            rows = [(first, time.time(), os.getpid(), kept), *((key, time.time(), os.getpid(), None) for key in others)]
            database.executemany("INSERT OR IGNORE INTO messages (key, at, owner, message) VALUES (?, ?, ?, ?)", rows)
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

    def again(self, key: str) -> int:
        """How often a claimed message has now been delivered; 0 for one that was never claimed."""
        with self._transaction() as database:
            database.execute("UPDATE messages SET deliveries = deliveries + 1 WHERE key = ?", (key,))
            row = database.execute("SELECT deliveries FROM messages WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def keep_reply(self, key: str, reply: str) -> bool:
        """Keep the reply to a message for all its deliveries; whether it comes late, when none of them waits for it."""
        with self._transaction() as database:
            database.execute("UPDATE messages SET reply = ? WHERE key = ?", (reply, key))
            row = database.execute("SELECT late FROM messages WHERE key = ?", (key,)).fetchone()
        return bool(row and row[0])

    def reply(self, key: str, *, last_call: bool = False) -> str | None:
        """The reply to a message, None while there is none; with `last_call` it is late from now on."""
        with self._transaction() as database:
            row = database.execute("SELECT reply FROM messages WHERE key = ?", (key,)).fetchone()
            if last_call and row and row[0] is None:
                database.execute("UPDATE messages SET late = 1 WHERE key = ?", (key,))
        return row[0] if row else None

    def owes(self, platform: str, conversation: str) -> bool:
        """Whether a late reply of a conversation is still to come."""
        with self._transaction() as database:
            row = database.execute(
                "SELECT 1 FROM messages WHERE late AND reply IS NULL AND message IS NOT NULL AND key GLOB ?"
                " AND json_extract(message, '$.conversation') = ?",
                (f"{platform}:*", conversation),
            ).fetchone()
        return row is not None

    def keep_rest(self, conversation: str, pages: Sequence[str], *, late: bool = False) -> None:
        """Keep what is still to be shown in a conversation.

        The rest of a new answer takes the place of the last one's; a late answer, which nobody has seen, stays behind
        whatever comes.
        """
        with self._transaction() as database:
            kept = self._rest(database, conversation)
            unseen = [row for row in kept if row[1]]
            added = [[page, late] for page in pages]
            self._set_rest(database, conversation, [*kept, *added] if late else [*added, *unseen])

    def next_rest(self, conversation: str) -> str | None:
        """The next page of what is still to be shown, taken out; None where there is none."""
        with self._transaction() as database:
            kept = self._rest(database, conversation)
            if kept:
                self._set_rest(database, conversation, kept[1:])
        return kept[0][0] if kept else None

    @staticmethod
    def _rest(database: sqlite3.Connection, conversation: str) -> list[Any]:
        row = database.execute("SELECT pages FROM rests WHERE conversation = ?", (conversation,)).fetchone()
        found: list[Any] = json.loads(row[0]) if row else []
        return found

    @staticmethod
    def _set_rest(database: sqlite3.Connection, conversation: str, pages: list[Any]) -> None:
        row = (conversation, time.time(), json.dumps(pages))
        database.execute("INSERT OR REPLACE INTO rests VALUES (?, ?, ?)", row)

    def record_answer(self, answer: str, platform: str, question: str, *, refused: bool, confidence: float) -> None:
        """Keep what was asked, so that feedback has something to be about."""
        with self._transaction() as database:
            row = (answer, time.time(), platform, _text(question), int(refused), confidence)
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


def _text(text: str) -> str:
    """The text without half characters, which JSON can name and SQLite does not take."""
    return text.encode("utf-8", "replace").decode()


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
