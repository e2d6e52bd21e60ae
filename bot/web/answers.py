"""Curated answers over HTTP: what people wrote, added, changed and taken out, as a sheet too."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from bot.corpus.curated import CuratedAnswer
from bot.corpus.curated_file import CuratedFile
from bot.web.library import CHANGES
from bot.web.sheets import Sheet, sheet
from bot.web.state import TheBot, TheJournal, TheLibrary

ANSWERS = "/api/answers"
_COLUMNS = ("answer", "source", "url", "questions")
_TRIED = 300  # questions of the journal that a draft is tried on

router = APIRouter(tags=["answers"])


class AnswerBody(BaseModel):
    """An answer that people write, and the ways to ask for it."""

    questions: list[str] = Field(min_length=1, max_length=100, description="问法 / the ways to ask")
    answer: str = Field(max_length=4_000)
    source: str = Field(max_length=300, description="谁说的，或在哪里 / who says so, or where it stands")
    url: str = Field("", max_length=300)

    def entry(self) -> CuratedAnswer:
        """The same for the file."""
        return CuratedAnswer(tuple(one.strip() for one in self.questions), self.answer.strip(), self.source, self.url)


class AnswerFields(AnswerBody):
    """An answer of the file; its id changes with its text."""

    id: str


class Written(BaseModel):
    """The id of an answer that was written."""

    id: str


class Draft(BaseModel):
    """Ways to ask that are being typed."""

    questions: list[str] = Field(max_length=100)


class Caught(BaseModel):
    """Questions that people asked and that the draft would answer."""

    caught: list[str]


@router.get(ANSWERS, dependencies=CHANGES, summary="The answers that people wrote")
def answers(bot: TheBot) -> list[AnswerFields]:
    """In the order of the file."""
    found = CuratedFile(bot.settings.corpus).entries()
    return [
        AnswerFields(
            id=one.id,
            questions=list(one.entry.questions),
            answer=one.entry.answer,
            source=one.entry.source,
            url=one.entry.url,
        )
        for one in found
    ]


@router.post(ANSWERS, dependencies=CHANGES, summary="Write an answer")
def add(body: AnswerBody, bot: TheBot) -> Written:
    """At the end of the file."""
    return Written(id=CuratedFile(bot.settings.corpus).write(body.entry()))


@router.post(f"{ANSWERS}/check", dependencies=CHANGES, summary="Which asked questions a draft would catch")
def check(body: Draft, library: TheLibrary, journal: TheJournal) -> Caught:
    """The questions without an answer and the last ones of the journal, tried on the draft."""
    asked = [*(one.question for one in journal.unanswered()), *(one.question for one in journal.recent(_TRIED))]
    known = [question for question in dict.fromkeys(asked) if question][:_TRIED]
    return Caught(caught=library.caught(body.questions, known))


@router.put(f"{ANSWERS}/{{identity}}", dependencies=CHANGES, summary="Change an answer")
def change(identity: str, body: AnswerBody, bot: TheBot) -> Written:
    """404 when it was changed meanwhile."""
    return Written(id=CuratedFile(bot.settings.corpus).write(body.entry(), instead=identity))


@router.delete(f"{ANSWERS}/{{identity}}", dependencies=CHANGES, status_code=204, summary="Take an answer out")
def remove(identity: str, bot: TheBot) -> None:
    """404 when it was changed meanwhile."""
    CuratedFile(bot.settings.corpus).remove(identity)


@router.get(f"{ANSWERS}.xlsx", dependencies=CHANGES, response_class=Response, summary="The answers as a sheet")
def export(bot: TheBot) -> Sheet:
    """A row each: answer, source, url, then the ways to ask."""
    entries = [one.entry for one in CuratedFile(bot.settings.corpus).entries()]
    return sheet("answers.xlsx", _COLUMNS, [(one.answer, one.source, one.url, *one.questions) for one in entries])
