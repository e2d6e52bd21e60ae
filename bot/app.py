"""The web application: the surfaces that are on, health, and one shape for every error."""

from __future__ import annotations

import importlib
import json
import logging
import pkgutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect

from bot import surfaces
from bot.errors import QueryError, WenquError
from bot.guard import ALIVE, MAX_BODY_BYTES, Guard, is_loopback
from bot.journal import EVENTS
from bot.limits import Gate
from bot.pipeline import Bot
from bot.policy import policy
from bot.settings import Settings
from bot.telemetry import CONTENT_TYPE, Metrics, Requests

log = logging.getLogger("wenqu")


class SafeJSON(JSONResponse):
    """JSON in UTF-8 that never fails: what is not valid text goes out escaped, NaN as null never arises."""

    def render(self, content: Any) -> bytes:
        """The body."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


def create_app(bot: Bot, settings: Settings) -> FastAPI:
    """The application over a bot whose index is built."""
    metrics = Metrics(bot)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Gate]]:
        EVENTS.setLevel(logging.INFO)
        EVENTS.addHandler(metrics)
        yield {"gate": Gate(settings)}  # of every request's state
        EVENTS.removeHandler(metrics)
        EVENTS.setLevel(logging.NOTSET)

    app = FastAPI(
        title="问渠 Wenqu",
        description="Answers from a folder of Chinese articles, with the proving sentence marked.",
        lifespan=lifespan,
        default_response_class=SafeJSON,
        docs_url=None,
        redoc_url=None,
    )
    app.state.stopping = False
    _add_errors(app)
    _add_health(app, bot, settings, metrics)
    _add_docs(app)
    signed: list[str] = []
    for found in pkgutil.iter_modules(surfaces.__path__):
        module = importlib.import_module(f"{surfaces.__name__}.{found.name}")
        routes = module.router(bot, settings) if hasattr(module, "router") else None
        if routes is not None:
            app.include_router(routes)
            signed += getattr(module, "SIGNED", ())
    # Inside the guard, which says in our words what is too large by its own account.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES)
    app.add_middleware(Guard, settings=settings, signed=signed)
    app.add_middleware(Requests, metrics=metrics)
    return app


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> SafeJSON:
    return SafeJSON({"error": {"code": code, "message": message}}, status, headers)


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
        code = {429: "too_many_questions", 503: "busy"}.get(error.status_code, "http_error")
        return _error(error.status_code, code, str(error.detail), error.headers)

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, error: ClientDisconnect) -> Response:
        return _error(400, "client_left", "连接中断 / the client has left")  # nobody reads it, and it is no bug

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        log.exception("unexpected error at %s", request.url.path)
        return _error(500, "internal_error", "服务器内部错误,请查看日志 / an internal error: see the server's log")


def _add_health(app: FastAPI, bot: Bot, settings: Settings, metrics: Metrics) -> None:
    @app.get(ALIVE, tags=["health"], summary="The process runs")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], summary="An index is loaded and verified; 503 while it is not, or stopping")
    def readyz(response: Response) -> dict[str, str]:
        if app.state.stopping:
            response.status_code = 503
            return {"status": "stopping"}
        return {"status": "ok", "generation": bot.index.generation}

    @app.get("/metrics", tags=["health"], summary="Figures for Prometheus; without a key, to this machine only")
    def figures(request: Request) -> Response:
        known = settings.api_key.get_secret_value() or (request.client and is_loopback(request.client.host))
        if not known:
            raise HTTPException(403, "只限本机,或设置 WENQU_API_KEY / from this machine only, or set WENQU_API_KEY")
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)


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
