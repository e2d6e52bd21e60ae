"""The web application: the surfaces that are on, health, and one shape for every error."""

from __future__ import annotations

import importlib
import json
import logging
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from bot import surfaces
from bot.errors import QueryError, WenquError
from bot.pipeline import Bot
from bot.policy import policy
from bot.settings import Settings
from bot.surfaces.openai import MAX_BODY_BYTES as V1_BODY_BYTES

log = logging.getLogger("wenqu")
# A question with ten turns before it, each as long as /api/ask reads: 10 * (2,000 + 16,000) characters of 3 bytes.
MAX_BODY_BYTES = 640 * 1024
TOO_LONG = "请求太长 / the request is too long"
_HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # a new release is not mixed with the modules of the old one
}


class SafeJSON(JSONResponse):
    """JSON in UTF-8 that never fails: what is not valid text goes out escaped, NaN as null never arises."""

    def render(self, content: Any) -> bytes:
        """The body."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


class DeclaredLength:
    """Middleware: a body that is declared too long is refused at once, in the shape of every other error.

    Starlette's limit, which counts what comes, would refuse it in plain text and as an error of its own in the log.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Keep the application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        app = self.app
        if scope["type"] == "http":
            declared = Headers(scope=scope).get("content-length", "")
            v1 = scope["path"].startswith("/v1/")
            if declared.isdecimal() and int(declared[:20]) > (V1_BODY_BYTES if v1 else MAX_BODY_BYTES):
                app = _too_long(v1=v1)
        await app(scope, receive, send)


def create_app(bot: Bot, settings: Settings) -> FastAPI:
    """The application over a bot whose index is built."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.stopping = False
        yield
        app.state.stopping = True

    app = FastAPI(
        title="问渠 Wenqu",
        description="Answers from a folder of Chinese articles, with the proving sentence marked.",
        lifespan=lifespan,
        default_response_class=SafeJSON,
        docs_url=None,
        redoc_url=None,
    )
    _add_errors(app)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES)
    app.add_middleware(DeclaredLength)
    _add_headers(app)
    _add_health(app, bot)
    _add_docs(app)
    for module in pkgutil.iter_modules(surfaces.__path__):
        make = getattr(importlib.import_module(f"{surfaces.__name__}.{module.name}"), "router", None)
        routes = make(bot, settings) if make else None
        if routes is not None:
            app.include_router(routes)
    return app


def _error(status: int, code: str, message: str) -> SafeJSON:
    return SafeJSON({"error": {"code": code, "message": message}}, status_code=status)


def _too_long(*, v1: bool) -> SafeJSON:
    if v1:
        error = {"message": TOO_LONG, "type": "invalid_request_error", "param": None, "code": None}
        return SafeJSON({"error": error}, 413)
    return _error(413, "http_error", TOO_LONG)


def _add_errors(app: FastAPI) -> None:
    """One error shape; what was sent is never echoed, for it may be long, secret or not even valid text."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, str))[:80]
        known = where if where in ("question", "passage", "k", "explain", "answer", "verdict", "comment") else "body"
        return _error(
            422, "invalid_request", f"请求格式不对 / the request is not of the expected form: {known}: {first['type']}"
        )

    @app.exception_handler(WenquError)
    async def ours(request: Request, error: WenquError) -> Response:
        if isinstance(error, QueryError):
            return _error(422, "invalid_question", str(error))
        return _error(503, type(error).__name__, str(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return _error(error.status_code, "http_error", str(error.detail))

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, error: ClientDisconnect) -> Response:
        return _error(400, "client_left", "连接中断 / the client has left")  # nobody reads it, and it is no bug

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        log.exception("unexpected error at %s", request.url.path)
        return _error(500, "internal_error", "服务器内部错误,请查看日志 / an internal error: see the server's log")


def _add_headers(app: FastAPI) -> None:
    @app.middleware("http")
    async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def _add_health(app: FastAPI, bot: Bot) -> None:
    @app.get("/livez", tags=["health"], summary="The process runs")
    def livez() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], summary="An index is loaded and verified; 503 while it is not")
    def readyz(response: Response) -> dict[str, str]:
        if app.state.stopping:
            response.status_code = 503
            return {"status": "stopping"}
        return {"status": "ok", "generation": bot.index.generation}


def _add_docs(app: FastAPI) -> None:
    """/docs with the assets of the fastapi-offline package: FastAPI's own page loads them from a CDN."""
    from pathlib import Path

    import fastapi_offline

    app.mount("/docs-assets", StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"))

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="问渠 Wenqu: API",
            swagger_js_url="/docs-assets/swagger-ui-bundle.js",
            swagger_css_url="/docs-assets/swagger-ui.css",
            swagger_favicon_url="/docs-assets/favicon.png",
        )
        # Swagger's page starts itself by an inline script and draws with data: images; only this page may.
        page.headers["Content-Security-Policy"] = (
            policy()
            .replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")
            .replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
            .replace("img-src 'self'", "img-src 'self' data:")
        )
        return page
