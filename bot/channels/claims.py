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

from bot.journal_file import JournalFile, storable

# Slack's last delivery of a message comes five minutes after the first; a day also covers a host that was asleep.
_KEPT_SECONDS = 24 * 3600
# A question that a stopped process left behind is still worth an answer this long after it was asked.
_WORTH_ANSWERING_SECONDS = 600


class Claims(JournalFile):
    """The claims of a journal file."""

    def __init__(self, file: Path, *, scrubbed: bool = False) -> None:
        """Open or make the file; with `scrubbed` no trace of an answered message is left. Raises JournalError."""
        super().__init__(file)
        self._scrubbed = scrubbed
        with self.transaction():
            pass

    def begin(self, database: sqlite3.Connection) -> None:
        """Forget what no platform delivers again."""
        for table in ("messages", "rests"):
            database.execute(f"DELETE FROM {table} WHERE at < ?", (time.time() - _KEPT_SECONDS,))

    def claim(self, keys: Sequence[str], message: Mapping[str, Any] | None = None) -> bool:
        """Whether none of the keys was claimed before; if so all are claimed, in one step, by whoever comes first.

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
        """The message of a claimed key is answered."""
        with self.transaction() as database:
            database.execute("UPDATE messages SET message = NULL WHERE key = ?", (key,))
        if self._scrubbed:
            self.scrub()

    def left_behind(self, platform: str) -> list[dict[str, Any]]:
        """Messages of a platform whose process ended before it had answered; from now on this process's own."""
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
        """How often a claimed message has now been delivered; 0 for one that was never claimed."""
        with self.transaction() as database:
            database.execute("UPDATE messages SET deliveries = deliveries + 1 WHERE key = ?", (key,))
            row = database.execute("SELECT deliveries FROM messages WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def keep_reply(self, key: str, reply: str) -> bool:
        """Keep the reply to a message for all its deliveries; whether it comes late, when none of them waits for it."""
        with self.transaction() as database:
            database.execute("UPDATE messages SET reply = ? WHERE key = ?", (reply, key))
            row = database.execute("SELECT late FROM messages WHERE key = ?", (key,)).fetchone()
        return bool(row and row[0])

    def reply(self, key: str, *, last_call: bool = False) -> str | None:
        """The reply to a message, None while there is none; with `last_call` it is late from now on."""
        with self.transaction() as database:
            row = database.execute("SELECT reply FROM messages WHERE key = ?", (key,)).fetchone()
            if last_call and row and row[0] is None:
                database.execute("UPDATE messages SET late = 1 WHERE key = ?", (key,))
        return row[0] if row else None

    def owes(self, platform: str, conversation: str) -> bool:
        """Whether a late reply of a conversation is still to come."""
        with self.transaction() as database:
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
        with self.transaction() as database:
            kept = self._rest(database, conversation)
            unseen = [row for row in kept if row[1]]
            added = [[page, late] for page in pages]
            self._set_rest(database, conversation, [*kept, *added] if late else [*added, *unseen])

    def next_rest(self, conversation: str) -> str | None:
        """The next page of what is still to be shown, taken out; None where there is none."""
        with self.transaction() as database:
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
