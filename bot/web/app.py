"""The web application: the surfaces that are on, what they share, and what every request passes through."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from bot import __version__
from bot.channels import CHANNELS, channel_router
from bot.journal import EVENTS, Journal
from bot.library import Library
from bot.pipeline import Bot
from bot.web import (
    answers,
    api,
    docs,
    errors,
    guide,
    health,
    library,
    mcp,
    openai,
    original,
    picture,
    questions,
    source,
    widget,
)
from bot.web.admission import Admission
from bot.web.guard import MAX_BODY_BYTES, Guard
from bot.web.telemetry import Metrics, Requests

# A new surface is a module here with a router, and its line in this list.
ROUTERS = [
    health.router,
    docs.router,
    api.router,
    library.router,
    questions.router,
    answers.router,
    source.router,
    original.router,
    picture.router,
    guide.router,
]
# Paths whose requests may be larger than others, and how large.
LARGER = {library.DOCUMENTS: library.MAX_UPLOAD_BYTES}
# Threads beside those of the questions under way: what holds no place, such as a file of the page, needs one too.
_SPARE_THREADS = 16


def create_app(bot: Bot, figures: Path | None = None) -> FastAPI:
    """The application over a bot whose index is built; the bot's settings say which surfaces are on.

    `figures` is the folder in which several workers add up what they count. Raises SettingsError, and WenquError when
    a package is missing.
    """
    app = FastAPI(
        title="问渠 Wenqu",
        description="Answers from a folder of Chinese documents. [使用手册](/guide/zh/) · [Manual](/guide/en/)",
        version=__version__,
        lifespan=_lifespan,
        default_response_class=errors.SafeJSON,
        exception_handlers=errors.HANDLERS,
        docs_url=None,
        redoc_url=None,
    )
    app.state.bot = bot
    app.state.library = Library(bot)
    app.state.journal = Journal.from_settings(bot.settings)
    app.state.metrics = Metrics(figures)
    app.state.health_threads = CapacityLimiter(health.THREADS)
    app.state.stopping = False
    for router in [*ROUTERS, *_optional(bot, app.state.journal)]:
        app.include_router(router)
    app.mount("/v1", openai.application(app.state))
    # Inside the guard, which says in our words what is too large by its own account.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES)
    app.add_middleware(Guard, settings=bot.settings, signed=_add_channels(app, bot), larger=LARGER)
    app.add_middleware(Requests, metrics=app.state.metrics)
    return app


def _optional(bot: Bot, journal: Journal) -> Iterator[APIRouter]:
    """The surfaces that are off until a setting turns them on."""
    if widget.origins(bot.settings):
        yield widget.router
    if bot.settings.mcp:
        yield mcp.router(bot, journal)


def _add_channels(app: FastAPI, bot: Bot) -> list[str]:
    """Add the messengers whose secrets are set; the paths whose requests their platforms sign."""
    signed = []
    for name, path in CHANNELS.items():
        if (router := channel_router(name, bot, bot.settings)) is not None:
            app.include_router(router)
            signed.append(path)
    return [path for path in signed if path]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Admission]]:
    """While it serves: events are counted, threads suffice for as many questions as are let in."""
    settings = app.state.bot.settings
    to_thread.current_default_thread_limiter().total_tokens = settings.max_concurrent + _SPARE_THREADS
    EVENTS.setLevel(logging.INFO)
    EVENTS.addHandler(app.state.metrics)
    yield {"admission": Admission(settings)}  # of every request's state
    EVENTS.removeHandler(app.state.metrics)
    EVENTS.setLevel(logging.NOTSET)
    await to_thread.run_sync(app.state.journal.close)
