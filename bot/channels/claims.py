"""What channels remember across deliveries, worker processes and restarts.

Which messages were taken, those that are still to be answered, and the rest of a long answer: a day's worth.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.journal import SqliteFile, storable

# Slack's last delivery of a message comes five minutes after the first; a day also covers a host that was asleep.
_KEPT_SECONDS = 24 * 3600
# A question that a stopped process left behind is still worth an answer this long after it was asked.
_WORTH_ANSWERING_SECONDS = 600


class Claims(SqliteFile):
    """The claims of a journal file. Each call waits for other processes that write: none belongs in an event loop."""

    TABLES = (
        "CREATE TABLE IF NOT EXISTS messages (key TEXT PRIMARY KEY, at REAL, owner INTEGER, message TEXT,"
        " deliveries INTEGER DEFAULT 1, late INTEGER DEFAULT 0, reply TEXT) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS rests (conversation TEXT PRIMARY KEY, at REAL, pages TEXT) WITHOUT ROWID",
    )

    def __init__(self, file: Path, *, scrubbed: bool = False) -> None:
        """Open or make the file; with `scrubbed` no trace of an answered message is left. Raises JournalError."""
        super().__init__(file)
        self._scrubbed = scrubbed
        self.open()

    def begin(self, database: sqlite3.Connection) -> None:
        """Forget what no platform delivers again."""
        for table in ("messages", "rests"):
            database.execute(f"DELETE FROM {table} WHERE at < ?", (time.time() - _KEPT_SECONDS,))

    def claim(self, keys: Sequence[str], message: Mapping[str, Any] | None = None) -> bool:
        """Claim all of the keys in one step; False, and nothing is claimed, where one of them was claimed before.

        `message` is kept under the first key until `finish`: another process takes it up when this one ends early.
        """
        keys = [storable(key) for key in keys]
        first, *others = keys
        kept = None if message is None else json.dumps(message)
        with self.transaction() as database:
            marks = ",".join("?" * len(keys))
            if database.execute(f"SELECT 1 FROM messages WHERE key IN ({marks})", keys).fetchone():
                return False
            rows = [(first, time.time(), os.getpid(), kept), *((key, time.time(), os.getpid(), None) for key in others)]
            database.executemany("INSERT OR IGNORE INTO messages (key, at, owner, message) VALUES (?, ?, ?, ?)", rows)
        return True

    def finish(self, key: str) -> None:
        """Note that the message of a claimed key is answered; its text is deleted."""
        with self.transaction() as database:
            database.execute("UPDATE messages SET message = NULL WHERE key = ?", (key,))
        if self._scrubbed:
            self.scrub()

    def left_behind(self, platform: str) -> list[dict[str, Any]]:
        """Take over the messages of a platform whose process ended before it had answered them."""
        taken = []
        with self.transaction() as database:
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
        """Count another delivery of a claimed message; how many there were, 0 for a message that was never claimed."""
        with self.transaction() as database:
            database.execute("UPDATE messages SET deliveries = deliveries + 1 WHERE key = ?", (key,))
            row = database.execute("SELECT deliveries FROM messages WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def keep_reply(self, key: str, reply: str) -> bool:
        """Keep a reply of one message for all deliveries; whether it comes late, when none of them waits any more."""
        with self.transaction() as database:
            return _keep_reply(database, key, reply)

    def keep_pages(self, key: str, conversation: str, pages: Sequence[str], late_pages: Sequence[str] = ()) -> bool:
        """Keep a reply of several messages in one step; whether it comes late.

        In time, the first page goes to the deliveries that wait for it and the others are the rest of the conversation.
        Late, `late_pages` are what is still to be shown.
        """
        with self.transaction() as database:
            late = _keep_reply(database, key, pages[0])
            _keep_rest(database, conversation, late_pages if late else pages[1:], late=late)
        return late

    def reply(self, key: str) -> str | None:
        """The reply to a message, None while there is none; this waits for no writer."""
        rows = self.rows("SELECT reply FROM messages WHERE key = ?", key)
        return rows[0][0] if rows else None

    def last_call(self, key: str) -> str | None:
        """The reply to a message; None where there is none, and from then on it is late."""
        with self.transaction() as database:
            row = database.execute("SELECT reply FROM messages WHERE key = ?", (key,)).fetchone()
            if row and row[0] is None:
                database.execute("UPDATE messages SET late = 1 WHERE key = ?", (key,))
        return row[0] if row else None

    def owes(self, platform: str, conversation: str) -> bool:
        """Whether a late reply of a conversation is still to come; this waits for no writer."""
        return bool(
            self.rows(
                "SELECT 1 FROM messages WHERE late AND reply IS NULL AND message IS NOT NULL AND key GLOB ?"
                " AND json_extract(message, '$.conversation') = ?",
                f"{platform}:*",
                conversation,
            )
        )

    def keep_rest(self, conversation: str, pages: Sequence[str], *, late: bool = False) -> None:
        """Keep what is still to be shown in a conversation.

        The rest of a new answer takes the place of the last one's. The pages of a late answer, which nobody has seen,
        are kept whatever comes.
        """
        with self.transaction() as database:
            _keep_rest(database, conversation, pages, late=late)

    def next_rest(self, conversation: str) -> str | None:
        """The next page of what is still to be shown, taken out; None where there is none."""
        with self.transaction() as database:
            kept = _rest(database, conversation)
            if kept:
                _set_rest(database, conversation, kept[1:])
        return kept[0][0] if kept else None


def _keep_reply(database: sqlite3.Connection, key: str, reply: str) -> bool:
    """Keep the reply; whether it comes late."""
    database.execute("UPDATE messages SET reply = ? WHERE key = ?", (reply, key))
    row = database.execute("SELECT late FROM messages WHERE key = ?", (key,)).fetchone()
    return bool(row and row[0])


def _keep_rest(database: sqlite3.Connection, conversation: str, pages: Sequence[str], *, late: bool) -> None:
    kept = _rest(database, conversation)
    unseen = [row for row in kept if row[1]]
    added = [[page, late] for page in pages]
    _set_rest(database, conversation, [*kept, *added] if late else [*added, *unseen])


def _rest(database: sqlite3.Connection, conversation: str) -> list[Any]:
    """The pages that are still to be shown, each with whether it is of a late answer."""
    row = database.execute("SELECT pages FROM rests WHERE conversation = ?", (conversation,)).fetchone()
    found: list[Any] = json.loads(row[0]) if row else []
    return found


def _set_rest(database: sqlite3.Connection, conversation: str, pages: list[Any]) -> None:
    row = (conversation, time.time(), json.dumps(pages))
    database.execute("INSERT OR REPLACE INTO rests VALUES (?, ?, ?)", row)


def _runs(process: int) -> bool:
    """Whether another process of that number runs; our own number in an old entry is an earlier process's."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return True
