"""What was asked, what had no answer, and what users thought of it. Kept for a time, on request without the text."""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.curated import question_key
from bot.errors import JournalError
from bot.journal_file import JournalFile, storable
from bot.settings import Settings
from bot.text import fold, language
from bot.types import Answer

log = logging.getLogger("wenqu")
EVENTS = logging.getLogger("wenqu.events")  # one record an answer, for logs and metrics: never the question itself
FILE = "journal.sqlite"  # in the index folder
MAX_COMMENT = 500
_DAY = 24 * 3600
_FORGET_SECONDS = 3600
# An answer waits this long for another process that writes the journal, not longer.
_PATIENCE = 2.0
_ASKED = (
    "SELECT id, answers.at, platform, question, refused, confidence, passage,"
    " coalesce(sum(verdict = 1), 0), coalesce(sum(verdict = -1), 0),"
    " coalesce(group_concat(nullif(comment, ''), char(10)), '')"
    " FROM answers LEFT JOIN feedback ON feedback.answer = answers.id"
)


@dataclass(frozen=True, slots=True)
class Asked:
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


class Journal(JournalFile):
    """Questions and feedback."""

    def __init__(self, file: Path, *, questions: bool = True, days: int = 90) -> None:
        """With `questions` off no text of a question is written; nothing is kept for longer than `days`."""
        super().__init__(file, patience=_PATIENCE)
        self._questions, self._days = questions, days
        self._forgot = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Journal:
        """The journal beside the index."""
        return cls(settings.index / FILE, questions=settings.journal, days=settings.journal_days)

    def begin(self, database: sqlite3.Connection) -> None:
        """Forget what is too old."""
        self._forget(database, self._days)

    def keep(self, answer: Answer, platform: str, identity: str = "") -> Answer:
        """The answer with the id by which it is known from now on. Never raises: at worst it comes back without one."""
        identity = identity or secrets.token_hex(8)
        if EVENTS.isEnabledFor(logging.INFO):
            EVENTS.info("answer", extra={"fields": _event(answer, platform, identity)})
        row = (
            identity,
            time.time(),
            platform,
            storable(answer.standalone or answer.query) if self._questions else "",
            int(answer.refused),
            answer.confidence,
            language(fold(answer.standalone or answer.query)),
            answer.mode,
            answer.generation,
            answer.evidence[0].hit.passage.id if answer.evidence else "",
        )
        columns = "id, at, platform, question, refused, confidence, language, mode, generation, passage"
        try:
            with self.transaction() as database:
                database.execute(f"INSERT OR REPLACE INTO answers ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?)", row)
                old = time.monotonic() - self._forgot > _FORGET_SECONDS and self._forget(database, self._days)
            if old:
                self.scrub()
        except (JournalError, sqlite3.Error) as error:
            log.warning("an answer is not in the journal: %s", error)
            return answer
        return replace(answer, id=row[0])

    def record_feedback(self, answer: str, user: str, verdict: int, comment: str = "") -> bool:
        """What a user thinks of an answer: 1 good, -1 bad, 0 taken back. The last word counts.

        False where there is no such answer. Raises JournalError.
        """
        answer = storable(answer)
        with self.transaction() as database:
            if not database.execute("SELECT 1 FROM answers WHERE id = ?", (answer,)).fetchone():
                return False
            row = (answer, storable(user), time.time(), verdict, storable(comment)[:MAX_COMMENT])
            columns = "answer, user, at, verdict, comment"
            database.execute(f"INSERT OR REPLACE INTO feedback ({columns}) VALUES (?, ?, ?, ?, ?)", row)
        return True

    def feedback(self) -> list[tuple[str, str, int]]:
        """(question, platform, verdict) of every answer that somebody judged, oldest first."""
        with self.transaction() as database:
            return database.execute(
                "SELECT question, platform, verdict FROM feedback JOIN answers ON answers.id = feedback.answer"
                " ORDER BY feedback.at"
            ).fetchall()

    def recent(self, limit: int) -> list[Asked]:
        """The last questions, newest first."""
        return self._asked("GROUP BY id ORDER BY answers.at DESC LIMIT ?", limit)

    def disliked(self) -> list[Asked]:
        """The answers that somebody disliked, newest first."""
        return self._asked("GROUP BY id HAVING sum(verdict = -1) > 0 ORDER BY answers.at DESC")

    def unanswered(self, days: int | None = None) -> list[Unanswered]:
        """The refused questions of the last days, those that say the same as one, most asked first."""
        since = 0.0 if days is None else time.time() - days * _DAY
        with self.transaction() as database:
            rows = database.execute(
                "SELECT question, language, at FROM answers WHERE refused AND question != '' AND at >= ? ORDER BY at",
                (since,),
            ).fetchall()
        found: dict[str, Unanswered] = {}
        for question, spoken, at in rows:
            key = question_key(question)
            count = found[key].count + 1 if key in found else 1
            found[key] = Unanswered(question, spoken or language(fold(question)), count, at)
        return sorted(found.values(), key=lambda asked: (-asked.count, -asked.last))

    def clear(self, days: int) -> int:
        """Delete what is older than some days, 0 for all of it; how many questions that were."""
        with self.transaction() as database:
            count = self._forget(database, days)
        self.scrub()
        return count

    def _asked(self, clauses: str, *values: object) -> list[Asked]:
        with self.transaction() as database:
            rows = database.execute(f"{_ASKED} {clauses}", values).fetchall()
        return [replace(Asked(*row), refused=bool(row[4])) for row in rows]

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


def recorder(settings: Settings, platform: str) -> Callable[[Answer], Answer]:
    """What a surface passes its answers through: they come back with the id by which the journal knows them."""
    journal = Journal.of(settings)
    return lambda answer: journal.keep(answer, platform)


def utc(at: float) -> str:
    """A time in seconds since 1970, as ISO 8601 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
