"""OpenAI-compatible clients under /v1: models and chat completions, whole or streamed, with their citations."""

# No `from __future__ import annotations` here: FastAPI must see the annotations of functions that close over the bot.
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware.cors import CORSMiddleware

from bot.errors import QueryError, WenquError
from bot.excerpt import printable, source_name
from bot.journal import recorder
from bot.limits import admitted
from bot.markup import MARKDOWN, render, source, source_url
from bot.pipeline import Bot
from bot.settings import Settings
from bot.surfaces.conversation import MODEL, Conversation
from bot.surfaces.open_webui import task_reply
from bot.types import Answer, Evidence

log = logging.getLogger("wenqu")
NO_MODEL = "没有这个模型,请填 wenqu / no such model: use wenqu"
NO_QUESTION = "没有用户消息 / the messages hold no text of the user"
BAD_FORM = "请求格式不对 / the request is not of the expected form"
BUG = "服务器内部错误,请查看日志 / an internal error: see the server's log"
# OpenAI's words for what the application refuses on the way here.
_KINDS = {429: ("requests", "rate_limit_exceeded"), 503: ("server_error", "overloaded")}
# Characters of the answer sent at a time: whole code points, so that no half of a character ever travels alone.
_PIECE = 24


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: the text, where it cites (as OpenAI says it) and what (as Perplexity says it)."""

    content: str
    annotations: list[dict[str, Any]] = field(default_factory=list)
    citations: list[str] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)


class ApiError(HTTPException):
    """An error in OpenAI's words."""

    def __init__(self, status: int, kind: str, code: str | None, message: str, param: str | None = None) -> None:
        """Keep what the body says."""
        super().__init__(status, message)
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """The routes; always on. An application of its own: its errors and its CORS are OpenAI's."""
    api = FastAPI(openapi_url=None)
    _add_errors(api)
    _add_models(api)
    _add_chat(api, bot, settings)
    origins = [origin.strip().rstrip("/") for origin in settings.cors_origins.split(",") if origin.strip()]
    if origins:
        # All headers: OpenAI's own client for browsers sends a dozen x-stainless-* beside Authorization.
        api.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"])
    routes = APIRouter()
    routes.mount("/v1", api)
    return routes


def _add_errors(api: FastAPI) -> None:
    """Every error in OpenAI's shape; what was sent is never echoed."""

    @api.exception_handler(AnyHTTPException)
    async def http(request: Request, error: AnyHTTPException) -> Response:
        kind, code = _KINDS.get(error.status_code, ("invalid_request_error", None))
        known = error if isinstance(error, ApiError) else ApiError(error.status_code, kind, code, str(error.detail))
        return JSONResponse(known.body, error.status_code, error.headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = next((part for part in first["loc"] if part in Conversation.model_fields), None)
        known = _bad_request(f"{BAD_FORM}: {name or 'body'}: {first['type']}", name)
        return JSONResponse(known.body, known.status_code)

    @api.exception_handler(WenquError)
    async def ours(request: Request, error: WenquError) -> Response:
        asked = isinstance(error, QueryError)
        known = _bad_request(str(error)) if asked else ApiError(503, "server_error", type(error).__name__, str(error))
        return JSONResponse(known.body, known.status_code)

    @api.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        log.error("unexpected error at %s", request.url.path, exc_info=error)
        return JSONResponse(ApiError(500, "server_error", "internal_error", BUG).body, 500)


def _bad_request(message: str, param: str | None = None) -> ApiError:
    return ApiError(400, "invalid_request_error", None, message, param)


def _add_models(api: FastAPI) -> None:
    model = {"id": MODEL, "object": "model", "created": int(time.time()), "owned_by": MODEL}

    @api.get("/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [model]}

    @api.get("/models/{name:path}")
    def one_model(name: str) -> dict[str, Any]:
        _check_model(name)
        return model


def _check_model(name: str) -> None:
    """Any name that begins with ours will do: clients add tags, `wenqu:latest`."""
    if not name.startswith(MODEL):
        raise ApiError(404, "invalid_request_error", "model_not_found", NO_MODEL, "model")


def _add_chat(api: FastAPI, bot: Bot, settings: Settings) -> None:
    kept = recorder(bot.settings, "openai")

    @api.post("/chat/completions", dependencies=[Depends(admitted)])
    def complete(body: Conversation, request: Request) -> Response:
        _check_model(body.model)
        question = body.question()
        if not question:
            raise _bad_request(NO_QUESTION, "messages")
        task = task_reply(question)
        if task is None:
            reply = _reply(kept(bot.ask(question, body.history())), settings.public_url or str(request.base_url))
        else:
            reply = Reply(json.dumps(task, ensure_ascii=False))
        # Characters, of the question that is read and of what is written: no language model runs, so no tokens exist.
        sent, written = len(question), len(reply.content)
        usage = {"prompt_tokens": sent, "completion_tokens": written, "total_tokens": sent + written}
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}
        if not body.stream:
            return JSONResponse(_completion(head, reply, usage))
        wants_usage = body.stream_options is not None and body.stream_options.include_usage
        # The answer is whole before the first byte: an error is always an HTTP error, never a broken stream.
        lines = [
            json.dumps(chunk, ensure_ascii=False) for chunk in _chunks(head, reply, usage if wants_usage else None)
        ]
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # nginx must not hold the pieces back
        return EventSourceResponse(_events([*lines, "[DONE]"]), headers=headers)


async def _events(lines: list[str]) -> AsyncIterator[bytes]:
    """Each line as an event. Asynchronous: a plain generator would cost a change of threads for every piece."""
    for line in lines:
        yield format_sse_event(data_str=line)


def _reply(answer: Answer, url: str) -> Reply:
    """The answer as Markdown with its sources, each of them cited at its [n]."""
    content = render(answer, MARKDOWN, url)
    if answer.refused:
        return Reply(content)
    blocks = [source(evidence, MARKDOWN, url) for evidence in answer.evidence]
    listed = line = len(content) - len("\n\n".join(blocks))
    citations = [source_url(evidence, url) for evidence in answer.evidence]
    annotations = []
    for evidence, block, link in zip(answer.evidence, blocks, citations, strict=True):
        mark = f"[{evidence.number}]"
        cited = content.rfind(mark, 0, listed)  # the last one: the sentence itself may hold a [1]
        start = line if cited < 0 else cited
        place = {"start_index": start, "end_index": start + len(mark)}
        annotations.append(
            {"type": "url_citation", "url_citation": {"url": link, "title": source_name(evidence.hit), **place}}
        )
        line += len(block) + len("\n\n")
    results = [_result(evidence, link) for evidence, link in zip(answer.evidence, citations, strict=True)]
    return Reply(content, annotations, citations, results)


def _result(evidence: Evidence, url: str) -> dict[str, Any]:
    text = evidence.hit.passage.text
    proof = " ".join(printable(text[span.start : span.end]) for span in evidence.spans)
    return {"title": source_name(evidence.hit), "url": url, "date": None, "snippet": proof}


def _completion(head: dict[str, Any], reply: Reply, usage: dict[str, int]) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.content, "annotations": reply.annotations}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    found = {"citations": reply.citations, "search_results": reply.results}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage, **found}


def _chunks(head: dict[str, Any], reply: Reply, usage: dict[str, int] | None) -> Iterator[dict[str, Any]]:
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
