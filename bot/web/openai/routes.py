"""OpenAI-compatible clients under /v1: models and chat completions, whole or streamed, with their citations."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.datastructures import State
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware.cors import CORSMiddleware

from bot.answer.excerpt import source_name
from bot.channels.message import MARKDOWN, render, source, source_url
from bot.errors import QueryError, WenquError
from bot.pipeline import Bot
from bot.text.fold import fold, language
from bot.text.printable import printable
from bot.types import Answer, Evidence
from bot.web.admission import admitted
from bot.web.errors import BAD_FORM, BUG, SafeJSON, openai_error
from bot.web.openai.open_webui import task_reply
from bot.web.openai.request import MODEL, Conversation
from bot.web.state import TheBot, TheJournal

log = logging.getLogger("wenqu")
NO_MODEL = "没有这个模型，请填 wenqu，或 wenqu/文件夹 / no such model: use wenqu, or wenqu/FOLDER"
NO_QUESTION = "没有用户消息 / the messages hold no text of the user"
# OpenAI's words for what the application refuses on the way here.
_KINDS = {429: ("requests", "rate_limit_exceeded"), 503: ("server_error", "overloaded")}
# Characters of the answer sent at a time: whole code points, so that no half of a character ever travels alone.
_PIECE = 24
SURFACE = "openai"  # in the journal and in the figures
_CREATED = int(time.time())

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Completion:
    """What goes back: the text, where it cites (as OpenAI says it) and what (as Perplexity says it)."""

    content: str
    annotations: list[dict[str, Any]] = field(default_factory=list)
    citations: list[str] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)


class OpenAIError(HTTPException):
    """An error in OpenAI's words."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        """Keep what the body says beside the message."""
        super().__init__(status, message)
        self.code, self.param = code, param


def application(state: State) -> FastAPI:
    """What is mounted at /v1: an application of its own, because its errors and its CORS are OpenAI's.

    `state` is that of the application around it.
    """
    api = FastAPI(openapi_url=None, exception_handlers=_HANDLERS)
    api.state = state
    api.include_router(router)
    listed = state.bot.settings.cors_origins.split(",")
    if origins := [origin.strip().rstrip("/") for origin in listed if origin.strip()]:
        # All headers: OpenAI's own client for browsers sends a dozen x-stainless-* beside Authorization.
        api.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"])
    return api


async def _http(request: Request, error: AnyHTTPException) -> Response:
    message, status = str(error.detail), error.status_code
    if isinstance(error, OpenAIError):
        return openai_error(status, message, code=error.code, param=error.param)
    kind, code = _KINDS.get(status, ("invalid_request_error", None))
    return openai_error(status, message, kind=kind, code=code, headers=error.headers)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    name = next((part for part in first["loc"] if part in Conversation.model_fields), None)
    return openai_error(400, f"{BAD_FORM}: {name or 'body'}: {first['type']}", param=name)


async def _ours(request: Request, error: WenquError) -> Response:
    if isinstance(error, QueryError):
        return openai_error(400, str(error))
    return openai_error(503, str(error), kind="server_error", code=type(error).__name__)


async def _bug(request: Request, error: Exception) -> Response:
    log.error("unexpected error at %s", request.url.path, exc_info=error)
    return openai_error(500, BUG, kind="server_error", code="internal_error")


_HANDLERS: dict[int | type[Exception], Callable[..., Any]] = {
    AnyHTTPException: _http,
    RequestValidationError: _invalid,
    WenquError: _ours,
    Exception: _bug,
}


@router.get("/models")
def models(bot: TheBot) -> dict[str, Any]:
    """One model over everything, and one over each folder of the corpus."""
    names = [MODEL, *(f"{MODEL}/{name}" for name in bot.collections() if name)]
    return {"object": "list", "data": [_model(name) for name in names]}


@router.get("/models/{name:path}")
def one_model(name: str, bot: TheBot) -> dict[str, Any]:
    """The model under any of its names."""
    return _model(_model_name(name, bot))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": MODEL}


def _model_name(name: str, bot: Bot) -> str:
    """The name of the model that is meant: clients add tags, `wenqu:latest`. Raises OpenAIError 404."""
    if not name.startswith(MODEL):
        raise OpenAIError(404, NO_MODEL, "model_not_found", "model")
    _, slash, collection = name.partition("/")
    if not slash:
        return MODEL
    known = bot.collections()
    found = next((one for one in (collection, collection.rpartition(":")[0]) if one and one in known), None)
    if found is None:
        raise OpenAIError(404, NO_MODEL, "model_not_found", "model")
    return f"{MODEL}/{found}"


@router.post("/chat/completions", dependencies=[Depends(admitted)])
def complete(body: Conversation, request: Request, bot: TheBot, journal: TheJournal) -> Response:
    """The completion, whole or as events."""
    model = _model_name(body.model, bot)
    question = body.question()
    if not question:
        raise OpenAIError(400, NO_QUESTION, param="messages")
    task = task_reply(question)
    if task is None:
        _, slash, collection = model.partition("/")
        asked = bot.within({collection}) if slash else bot
        answer = journal.keep(asked.ask(question, body.history()), SURFACE)
        reply = _reply(answer, bot.settings.public_url or str(request.base_url))
    else:
        reply = Completion(json.dumps(task, ensure_ascii=False))
    # Characters, of the question that is read and of what is written: no language model runs, so no tokens exist.
    sent, written = len(question), len(reply.content)
    usage = {"prompt_tokens": sent, "completion_tokens": written, "total_tokens": sent + written}
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
    if not body.stream:
        return SafeJSON(_completion(head, reply, usage))
    wants_usage = body.stream_options is not None and body.stream_options.include_usage
    # The answer is whole before the first byte: an error is always an HTTP error, never a broken stream.
    lines = [json.dumps(chunk, ensure_ascii=False) for chunk in _chunks(head, reply, usage if wants_usage else None)]
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # nginx must not hold the pieces back
    return EventSourceResponse(_events([*lines, "[DONE]"]), headers=headers)


async def _events(lines: list[str]) -> AsyncIterator[bytes]:
    """Each line as an event. Asynchronous: a plain generator would cost a change of threads for every piece."""
    for line in lines:
        yield format_sse_event(data_str=line)


def _reply(answer: Answer, url: str) -> Completion:
    """The answer as Markdown with its sources, each of them cited at its [n]."""
    content = render(answer, MARKDOWN, url)
    if answer.refused or not answer.evidence:
        return Completion(content)
    words = language(fold(answer.query))
    blocks = [source(evidence, MARKDOWN, url, words) for evidence in answer.evidence]
    listed = line = len(content) - len("\n\n".join(blocks))
    citations = [source_url(evidence, url) for evidence in answer.evidence]
    annotations = []
    for evidence, block, link in zip(answer.evidence, blocks, citations, strict=True):
        mark = f"[{evidence.number}]"
        cited = content.rfind(mark, 0, listed)  # the last one: the sentence itself may hold a [1]
        start = line if cited < 0 else cited
        place = {"start_index": start, "end_index": start + len(mark)}
        name = source_name(evidence.hit, evidence.page, words)
        annotations.append({"type": "url_citation", "url_citation": {"url": link, "title": name, **place}})
        line += len(block) + len("\n\n")
    results = [_result(evidence, link, words) for evidence, link in zip(answer.evidence, citations, strict=True)]
    return Completion(content, annotations, citations, results)


def _result(evidence: Evidence, url: str, words: str) -> dict[str, Any]:
    text = evidence.hit.passage.text
    proof = " ".join(printable(text[span.start : span.end]) for span in evidence.spans)
    return {"title": source_name(evidence.hit, evidence.page, words), "url": url, "date": None, "snippet": proof}


def _completion(head: dict[str, Any], reply: Completion, usage: dict[str, int]) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.content, "annotations": reply.annotations}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    found = {"citations": reply.citations, "search_results": reply.results}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage, **found}


def _chunks(head: dict[str, Any], reply: Completion, usage: dict[str, int] | None) -> Iterator[dict[str, Any]]:
    """The reply in pieces: the role, the text, then the citations with the end, then the usage where it is wanted."""

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {**head, "object": "chat.completion.chunk", "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    for start in range(0, len(reply.content), _PIECE):
        yield chunk({"content": reply.content[start : start + _PIECE]})
    end = chunk({"annotations": reply.annotations} if reply.annotations else {}, "stop")
    yield {**end, "citations": reply.citations, "search_results": reply.results}
    if usage is not None:
        yield {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}
