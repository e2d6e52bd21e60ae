"""The widget: /widget.js puts a launcher on somebody else's page, /widget is the page in its frame."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from bot.settings import Settings
from bot.web.api import STATIC
from bot.web.guard import policy
from bot.web.state import TheBot

router = APIRouter()


def origins(settings: Settings) -> str:
    """The origins that may hold the widget, with spaces between them; written as browsers do."""
    return " ".join(_origin(part) for part in settings.widget_origins.split(",") if part.strip())


@router.get("/widget", include_in_schema=False)
def widget(bot: TheBot) -> HTMLResponse:
    """The page, which knows by whose pages it may be framed."""
    allowed = origins(bot.settings)
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    page = page.replace("<html ", f'<html data-origins="{allowed}" ', 1)
    return HTMLResponse(page, headers={"Content-Security-Policy": policy(allowed)})


@router.get("/widget.js", include_in_schema=False)
def loader() -> FileResponse:
    """The script that a foreign page loads."""
    return FileResponse(STATIC / "widget.js", media_type="text/javascript")


def _origin(written: str) -> str:
    """In lower case, and without a port that is the scheme's own."""
    scheme, _, host = written.strip().lower().partition("://")
    return f"{scheme}://{host.removesuffix({'http': ':80', 'https': ':443'}[scheme])}"
