"""The web: JSON and server-sent events under /api, and the page at /."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, BeforeValidator, Field

from bot.answer.followup import resolved
from bot.journal import MAX_COMMENT
from bot.pipeline import Bot
from bot.types import Done, Event, Sources, Turn, evidence_to_dict, hit_to_dict, passage_to_dict
from bot.web.admission import admitted, placed
from bot.web.article import PassageFields, SourceFields, article_fields
from bot.web.source import GONE_LINE
from bot.web.state import TheBot, TheJournal

LIMITED, PLACED = [Depends(admitted)], [Depends(placed)]
SURFACE = "web"  # in the journal and in the figures
UNKNOWN = "没有这个回答 / there is no such answer"
STATIC = Path(__file__).parent / "static"
# Characters of the answer sent at a time: whole code points, so that no half of a character ever travels alone.
_PIECE = 24
MAX_COLLECTIONS = 100
# Of a conversation: turns, and characters of a question and of an answer. More is cut, not refused.
MAX_HISTORY, MAX_QUESTION, MAX_ANSWER = 10, 2_000, 16_000

router = APIRouter()
router.mount("/static", StaticFiles(directory=STATIC))


def _cut(limit: int) -> Callable[[Any], Any]:
    """A longer text loses its end rather than being refused: it only explains the question."""
    return lambda value: value[:limit] if isinstance(value, str) else value


def _last_turns(value: Any) -> Any:
    return value[-MAX_HISTORY:] if isinstance(value, list) else value


class AskBody(BaseModel):
    """What is asked. The length is checked by the bot, which says it in words."""

    question: str = Field(max_length=20_000, description="问题，中文或英文 / the question, Chinese or English")
    collections: list[str] | None = Field(
        None, max_length=MAX_COLLECTIONS, description="只在这些文件夹里找，不写就是全部 / only in these, all without it"
    )

    since: str = Field("", max_length=10, description="只找这天起的资料 / documents since then: 2023-07-28, 2023-07")
    until: str = Field("", max_length=10, description="只找到这天为止的资料 / documents until then")

    def of(self, bot: Bot) -> Bot:
        """The bot that is asked. Raises QueryError for a collection that there is not, and for what is no date."""
        if self.collections is None and not self.since and not self.until:
            return bot
        return bot.within(self.collections, self.since, self.until)


class Said(BaseModel):
    """A turn before: what was asked, as it was typed or as it was understood, and the answer's text."""

    question: Annotated[str, BeforeValidator(_cut(MAX_QUESTION))] = ""
    answer: Annotated[str, BeforeValidator(_cut(MAX_ANSWER))] = ""


class FollowUp(AskBody):
    """What is asked after other questions, on which it may lean."""

    history: Annotated[list[Said], BeforeValidator(_last_turns)] = Field(
        default=[], description="此前的问答，最近的在最后 / the turns before, the last one last"
    )

    def turns(self) -> list[Turn]:
        """The turns as they are to be understood."""
        return resolved(Turn(said.question, said.answer) for said in self.history)


class SearchQuestion(AskBody):
    """What is looked for, and how much is said about each passage."""

    k: int = Field(5, ge=1, le=100, description="段落数 / how many passages")
    explain: bool = Field(False, description="说明每个段落为何排在那里 / say why each passage stands where it does")


class Feedback(BaseModel):
    """A verdict on an answer; the last one counts."""

    answer: str = Field(max_length=100, description="回答的 id / the id of the answer")
    verdict: Literal[1, -1, 0] = Field(description="1 好，-1 不好，0 收回 / 1 good, -1 bad, 0 taken back")
    comment: str = Field("", max_length=MAX_COMMENT, description="说明 / a comment")


@router.post("/api/ask", dependencies=LIMITED, summary="One answer as JSON")
def ask(body: FollowUp, bot: TheBot, journal: TheJournal) -> dict[str, Any]:
    """The answer, whole."""
    return journal.keep(body.of(bot).ask(body.question, body.turns()), SURFACE).to_dict()


def begun(body: FollowUp, place: Annotated[None, Depends(admitted)], bot: TheBot) -> Iterator[Iterator[Event]]:
    """The events of an answer, the first of them looked up already; closed when the client leaves.

    A dependency runs before the first byte is sent, so that a bad question is still a 422 and not a broken stream.
    """
    with closing(body.of(bot).stream(body.question, body.turns())) as events:
        yield chain([next(events)], events)


@router.post(
    "/api/chat", response_class=EventSourceResponse, summary="One answer as events: sources, short, delta, done"
)
def chat(events: Annotated[Iterator[Event], Depends(begun)], journal: TheJournal) -> Iterator[ServerSentEvent]:
    """The sources, the short answer where there is one, the text in pieces, the whole answer."""
    for event in events:
        if isinstance(event, Sources):
            yield ServerSentEvent(event="sources", data=[evidence_to_dict(one) for one in event.answer.evidence])
            if event.answer.short:
                yield ServerSentEvent(event="short", data={"text": event.answer.short})
        elif isinstance(event, Done):
            yield ServerSentEvent(event="done", data=journal.keep(event.answer, SURFACE).to_dict())
        elif not event.text:
            # The model is silent. Only by writing something do we notice that a client has left.
            yield ServerSentEvent(comment="…")
        else:
            for start in range(0, len(event.text), _PIECE):
                yield ServerSentEvent(event="delta", data={"text": event.text[start : start + _PIECE]})


@router.get("/api/search", dependencies=LIMITED, summary="The passages found, without an answer")
def search_by_address(parameters: Annotated[SearchQuestion, Query()], bot: TheBot) -> dict[str, Any]:
    """What `search` finds, asked by an address."""
    return search(parameters, bot)


@router.post("/api/search", dependencies=LIMITED, summary="The passages found, without an answer")
def search(body: SearchQuestion, bot: TheBot) -> dict[str, Any]:
    """The hits, best first; explained where that is asked for."""
    asked = body.of(bot)
    if body.explain:
        return asked.explain(body.question, body.k).to_dict()
    return {"query": body.question, "hits": [hit_to_dict(hit) for hit in asked.search(body.question, body.k)]}


@router.post("/api/feedback", dependencies=LIMITED, status_code=204, summary="What the user thinks of an answer, by id")
def feedback(body: Feedback, journal: TheJournal) -> None:
    """Kept; 404 where there is no such answer."""
    if not journal.record_feedback(body.answer, SURFACE, body.verdict, body.comment):
        raise HTTPException(404, UNKNOWN)


@router.get(
    "/api/source/{passage}",
    dependencies=PLACED,
    response_model_exclude_defaults=True,
    summary="A passage and the article that it stands in, block by block",
)
def source(passage: str, bot: TheBot) -> SourceFields:
    """The whole text, and the blocks around the passage; 404 where there is no such passage any more."""
    found = bot.source(passage)
    if found is None:
        raise HTTPException(404, GONE_LINE)
    cited, article = found
    return SourceFields(
        passage=PassageFields.model_validate(passage_to_dict(cited)),
        article=article_fields(article, cited.start, cited.end, bot.pictures(article.id)),
    )


@router.get("/api/examples", dependencies=PLACED, summary="Questions that the articles answer, drawn from them")
def examples(
    bot: TheBot, collections: Annotated[list[str] | None, Query(max_length=MAX_COLLECTIONS)] = None
) -> dict[str, list[str]]:
    """At most four."""
    asked = bot if collections is None else bot.within(collections)
    return {"examples": list(asked.examples())}


@router.get("/", include_in_schema=False)
def page() -> FileResponse:
    """The page, which asks the routes above."""
    return FileResponse(STATIC / "index.html")
