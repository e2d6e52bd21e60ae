"""The web: JSON and server-sent events under /api, and the page at /."""

# No `from __future__ import annotations` here: FastAPI must see the annotations of functions that close over the bot.
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, BeforeValidator, Field

from bot.examples import Examples
from bot.followup import resolved
from bot.journal import MAX_COMMENT, Journal
from bot.limits import admitted
from bot.pipeline import Bot
from bot.settings import Settings
from bot.surfaces.source import GONE
from bot.types import Answer, Turn, evidence_to_dict, hit_to_dict, passage_to_dict

LIMITED = [Depends(admitted)]
UNKNOWN = "没有这个回答 / there is no such answer"
STATIC = Path(__file__).parents[1] / "static"
# Characters of the answer sent at a time: whole code points, so that no half of a character ever travels alone.
_PIECE = 24
# Of a conversation: turns, and characters of a question and of an answer. More is cut, not refused.
MAX_HISTORY, MAX_QUESTION, MAX_ANSWER = 10, 2_000, 16_000


def _cut(limit: int) -> Callable[[Any], Any]:
    """A longer text loses its end rather than being refused: it only explains the question."""
    return lambda value: value[:limit] if isinstance(value, str) else value


def _last_turns(value: Any) -> Any:
    return value[-MAX_HISTORY:] if isinstance(value, list) else value


class Question(BaseModel):
    """What is asked. The length is checked by the bot, which says it in words."""

    question: str = Field(max_length=20_000, description="问题,中文或英文 / the question, Chinese or English")


class Said(BaseModel):
    """A turn before: what was asked, as it was typed or as it was understood, and the answer's text."""

    question: Annotated[str, BeforeValidator(_cut(MAX_QUESTION))] = ""
    answer: Annotated[str, BeforeValidator(_cut(MAX_ANSWER))] = ""


class FollowUp(Question):
    """What is asked after other questions, on which it may lean."""

    history: Annotated[list[Said], BeforeValidator(_last_turns)] = Field(
        default=[], description="此前的问答,最近的在最后 / the turns before, the last one last"
    )

    def turns(self) -> list[Turn]:
        """The turns as they are to be understood."""
        return resolved(Turn(said.question, said.answer) for said in self.history)


class SearchQuestion(Question):
    """What is looked for, and how much is said about each passage."""

    k: int = Field(5, ge=1, le=100, description="段落数 / how many passages")
    explain: bool = Field(False, description="说明每个段落为何排在那里 / say why each passage stands where it does")


class Feedback(BaseModel):
    """A verdict on an answer; the last one counts."""

    answer: str = Field(max_length=100, description="回答的 id / the id of the answer")
    verdict: Literal[1, -1, 0] = Field(description="1 好, -1 不好, 0 收回 / 1 good, -1 bad, 0 taken back")
    comment: str = Field("", max_length=MAX_COMMENT, description="说明 / a comment")


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """The routes of the page and of its API; always on."""
    routes = APIRouter()
    journal = Journal.of(bot.settings)

    def kept(answer: Answer) -> Answer:
        return journal.keep(answer, "web")

    @routes.post("/api/ask", dependencies=LIMITED, summary="One answer as JSON")
    def ask(body: FollowUp) -> dict[str, Any]:
        return kept(bot.ask(body.question, body.turns())).to_dict()

    _add_chat(routes, bot, kept)

    @routes.get("/api/source/{passage}", summary="A passage and the whole article that it stands in")
    def source(passage: str) -> dict[str, Any]:
        found = bot.source(passage)
        if found is None:
            raise HTTPException(404, GONE)
        cited, article = found
        return {
            "passage": passage_to_dict(cited),
            "article": {"id": article.id, "title": article.title, "text": article.text},
        }

    @routes.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    examples = Examples(bot)

    @routes.get("/api/examples", summary="Questions that the articles answer, drawn from them")
    def examples_drawn() -> dict[str, list[str]]:
        return {"examples": list(examples.drawn())}

    _add_search(routes, bot)
    _add_feedback(routes, journal)
    routes.mount("/static", StaticFiles(directory=STATIC))
    return routes


def _add_chat(routes: APIRouter, bot: Bot, kept: Callable[[Answer], Answer]) -> None:
    def begun(
        body: FollowUp, place: Annotated[None, Depends(admitted)]
    ) -> Iterator[tuple[Any, Iterator[Answer | str]]]:
        # Closed when the client leaves: no model works for nobody.
        with closing(bot.stream(body.question, body.turns())) as events:
            yield next(events), events

    # A dependency runs before the first byte is sent, so that a bad question is still a 422 and not a broken stream.
    @routes.post("/api/chat", response_class=EventSourceResponse, summary="One answer as events: sources, delta, done")
    def chat(begun: Annotated[tuple[Any, Iterator[Answer | str]], Depends(begun)]) -> Iterator[ServerSentEvent]:
        found, rest = begun
        yield ServerSentEvent(event="sources", data=[evidence_to_dict(evidence) for evidence in found.evidence])
        for item in rest:
            if isinstance(item, Answer):
                yield ServerSentEvent(event="done", data=kept(item).to_dict())
                return
            if not item:  # the model is silent: only by writing something does a client that left come to notice
                yield ServerSentEvent(comment="…")
            for start in range(0, len(item), _PIECE):
                yield ServerSentEvent(event="delta", data={"text": item[start : start + _PIECE]})


def _add_feedback(routes: APIRouter, journal: Journal) -> None:
    @routes.post(
        "/api/feedback", dependencies=LIMITED, status_code=204, summary="What the user thinks of an answer, by its id"
    )
    def feedback(body: Feedback) -> None:
        if not journal.record_feedback(body.answer, "web", body.verdict, body.comment):
            raise HTTPException(404, UNKNOWN)


def _add_search(routes: APIRouter, bot: Bot) -> None:
    @routes.get("/api/search", dependencies=LIMITED, summary="The passages found, without an answer")
    def search_by_address(parameters: Annotated[SearchQuestion, Query()]) -> dict[str, Any]:
        return search(parameters)

    @routes.post("/api/search", dependencies=LIMITED, summary="The passages found, without an answer")
    def search(body: SearchQuestion) -> dict[str, Any]:
        if body.explain:
            return bot.explain(body.question, body.k).to_dict()
        return {"query": body.question, "hits": [hit_to_dict(hit) for hit in bot.search(body.question, body.k)]}
