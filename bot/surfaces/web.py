"""The web: JSON and server-sent events under /api, and the page at /."""

# No `from __future__ import annotations` here: FastAPI must see the annotations of functions that close over the bot.
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from bot.journal import MAX_COMMENT, Journal, recorder
from bot.pipeline import Bot
from bot.settings import Settings
from bot.surfaces.source import GONE
from bot.types import Answer, evidence_to_dict, hit_to_dict, passage_to_dict

UNKNOWN = "没有这个回答 / there is no such answer"
STATIC = Path(__file__).parents[1] / "static"
# Characters of the answer sent at a time: whole code points, so that no half of a character ever travels alone.
_PIECE = 24


class Question(BaseModel):
    """What is asked. The length is checked by the bot, which says it in words."""

    question: str = Field(max_length=20_000, description="问题,中文或英文 / the question, Chinese or English")


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
    kept = recorder(bot.settings, "web")

    @routes.post("/api/ask", summary="One answer as JSON")
    def ask(body: Question) -> dict[str, Any]:
        return kept(bot.ask(body.question)).to_dict()

    def answered(body: Question) -> Answer:
        return kept(bot.ask(body.question))

    # A dependency runs before the first byte is sent, so that a bad question is still a 422 and not a broken stream.
    @routes.post("/api/chat", response_class=EventSourceResponse, summary="One answer as events: sources, delta, done")
    def chat(answer: Annotated[Answer, Depends(answered)]) -> Iterator[ServerSentEvent]:
        yield ServerSentEvent(event="sources", data=[evidence_to_dict(evidence) for evidence in answer.evidence])
        for start in range(0, len(answer.text), _PIECE):
            yield ServerSentEvent(event="delta", data={"text": answer.text[start : start + _PIECE]})
        yield ServerSentEvent(event="done", data=answer.to_dict())

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

    _add_search(routes, bot)
    _add_feedback(routes, bot)
    routes.mount("/static", StaticFiles(directory=STATIC))
    return routes


def _add_feedback(routes: APIRouter, bot: Bot) -> None:
    journal = Journal.of(bot.settings)

    @routes.post("/api/feedback", status_code=204, summary="What the user thinks of an answer, by its id")
    def feedback(body: Feedback) -> None:
        if not journal.record_feedback(body.answer, "web", body.verdict, body.comment):
            raise HTTPException(404, UNKNOWN)


def _add_search(routes: APIRouter, bot: Bot) -> None:
    @routes.get("/api/search", summary="The passages found, without an answer")
    def search_by_address(parameters: Annotated[SearchQuestion, Query()]) -> dict[str, Any]:
        return search(parameters)

    @routes.post("/api/search", summary="The passages found, without an answer")
    def search(body: SearchQuestion) -> dict[str, Any]:
        if body.explain:
            return bot.explain(body.question, body.k).to_dict()
        return {"query": body.question, "hits": [hit_to_dict(hit) for hit in bot.search(body.question, body.k)]}
