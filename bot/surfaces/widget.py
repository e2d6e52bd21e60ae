"""The widget: /widget.js puts a launcher on somebody else's page, /widget is the page in its frame."""

# No `from __future__ import annotations` here: FastAPI must see the annotations of functions that close over the bot.
from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from bot.pipeline import Bot
from bot.policy import policy
from bot.settings import Settings
from bot.surfaces.web import STATIC


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """The two routes; None while no origin may hold the widget."""
    # As a browser writes an origin, for the page compares: lower case, no port where it is the scheme's own.
    origins = " ".join(_origin(part) for part in settings.widget_origins.split(",") if part.strip())
    if not origins:
        return None
    routes = APIRouter()
    page = (STATIC / "index.html").read_text(encoding="utf-8").replace("<html ", f'<html data-origins="{origins}" ', 1)

    @routes.get("/widget", include_in_schema=False)
    def widget() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": policy(origins)})

    @routes.get("/widget.js", include_in_schema=False)
    def loader() -> FileResponse:
        return FileResponse(STATIC / "widget.js", media_type="text/javascript")

    return routes


def _origin(written: str) -> str:
    scheme, _, host = written.strip().lower().partition("://")
    return f"{scheme}://{host.removesuffix({'http': ':80', 'https': ':443'}[scheme])}"
