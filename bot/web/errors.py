"""Errors as a client reads them: a short JSON body of one shape, or of OpenAI's under /v1.

What was sent is never echoed: it may be long, secret or not even valid text.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from bot.errors import QueryError, StoreError, WenquError

log = logging.getLogger("wenqu")
BAD_FORM = "请求格式不对 / the request is not of the expected form"
BUG = "服务器内部错误，请查看日志 / an internal error: see the server's log"
LEFT = "连接中断 / the client has left"
_FIELDS = {"question", "passage", "k", "explain", "answer", "verdict", "comment"}  # named in a message about the form
_STORING = {"E-GONE": 404, "E-NAME": 409, "E-SIZE": 413, "E-DISK": 507, "E-WRITE": 507}
_CODES = {429: "too_many_questions", 503: "busy"}


class SafeJSON(JSONResponse):
    """JSON in UTF-8. Half a surrogate pair, which JSON can name and UTF-8 cannot hold, goes out escaped."""

    def render(self, content: Any) -> bytes:
        """The body."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> SafeJSON:
    """An error in our shape."""
    return SafeJSON({"error": {"code": code, "message": message}}, status, headers)


def openai_error(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> SafeJSON:
    """An error in OpenAI's shape."""
    return SafeJSON({"error": {"message": message, "type": kind, "param": param, "code": code}}, status, headers)


def refusal(path: str, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> SafeJSON:
    """An error in the shape that the clients of a path read."""
    if path.startswith("/v1/"):
        return openai_error(status, message, code=code, headers=headers)
    return error(status, code, message, headers)


async def _invalid(request: Request, failure: RequestValidationError) -> Response:
    first = failure.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, str))
    return error(422, "invalid_request", f"{BAD_FORM}: {where if where in _FIELDS else 'body'}: {first['type']}")


async def _ours(request: Request, failure: WenquError) -> Response:
    if isinstance(failure, QueryError):
        return error(422, "invalid_question", str(failure))
    if isinstance(failure, StoreError):
        return error(_STORING.get(failure.code, 422), failure.code, str(failure))
    return error(503, type(failure).__name__, str(failure))


async def _http(request: Request, failure: HTTPException) -> Response:
    code = _CODES.get(failure.status_code, "http_error")
    return error(failure.status_code, code, str(failure.detail), failure.headers)


async def _left(request: Request, failure: ClientDisconnect) -> Response:
    return error(400, "client_left", LEFT)  # nobody reads it, and it is no bug


async def _bug(request: Request, failure: Exception) -> Response:
    log.error("unexpected error at %s", request.url.path, exc_info=failure)
    return error(500, "internal_error", BUG)


# What the application does about each kind of exception.
HANDLERS: dict[int | type[Exception], Callable[..., Any]] = {
    RequestValidationError: _invalid,
    WenquError: _ours,
    HTTPException: _http,
    ClientDisconnect: _left,
    Exception: _bug,
}
