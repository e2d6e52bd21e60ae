"""The journal over HTTP: what was asked, what had no answer, what users disliked; for who may change the documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from bot.journal import Journal, RecordedAnswer, Unanswered
from bot.web.library import CHANGES
from bot.web.sheets import Sheet, sheet
from bot.web.state import TheJournal

_RECENT = 200

router = APIRouter(tags=["journal"])


class UnansweredFields(BaseModel):
    """A question that was refused, as it was last asked, and how often."""

    question: str
    language: str
    count: int
    last: datetime


class AskedFields(BaseModel):
    """A question that was answered or refused, and what users thought of it."""

    id: str
    time: datetime
    platform: str
    question: str = Field(description="为空表示不记录文字 / empty where no text is kept")
    refused: bool
    confidence: float
    passage: str
    liked: int
    disliked: int
    comments: str


Days = Annotated[int | None, Query(ge=1, description="只看最近几天 / of the last days only")]


@router.get("/api/journal/unanswered", dependencies=CHANGES, summary="The refused questions, most asked first")
def unanswered(journal: TheJournal, days: Days = None) -> list[UnansweredFields]:
    """Those that mean the same count as one."""
    return [
        UnansweredFields(
            question=one.question, language=one.language, count=one.count, last=datetime.fromtimestamp(one.last, UTC)
        )
        for one in journal.unanswered(days)
    ]


@router.get("/api/journal/disliked", dependencies=CHANGES, summary="The answers that somebody disliked, newest first")
def disliked(journal: TheJournal) -> list[AskedFields]:
    """With what was said of them."""
    return [_asked(one) for one in journal.disliked()]


@router.get("/api/journal/asked", dependencies=CHANGES, summary="The last questions, newest first")
def asked(journal: TheJournal, limit: Annotated[int, Query(ge=1, le=10_000)] = _RECENT) -> list[AskedFields]:
    """Answered and refused."""
    return [_asked(one) for one in journal.recent(limit)]


def _asked(one: RecordedAnswer) -> AskedFields:
    return AskedFields(**{**one.to_dict(), "time": datetime.fromtimestamp(one.at, UTC)})


@router.get(
    "/api/journal/{kind}.{form}", dependencies=CHANGES, response_class=Response, summary="The same as CSV or a workbook"
)
def export(
    kind: Literal["unanswered", "disliked", "asked"], form: Literal["csv", "xlsx"], journal: TheJournal
) -> Sheet:
    """A row for each question."""
    rows = [tuple(one.to_dict().values()) for one in _rows(kind, journal)]
    head = list(UnansweredFields.model_fields if kind == "unanswered" else AskedFields.model_fields)
    return sheet(f"{kind}.{form}", head, rows)


def _rows(kind: str, journal: Journal) -> list[Unanswered] | list[RecordedAnswer]:
    if kind == "unanswered":
        return journal.unanswered()
    return journal.disliked() if kind == "disliked" else journal.recent(10_000)
