"""/docs: the description of the API, with the assets of the fastapi-offline package instead of FastAPI's CDN."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from bot.web.guard import policy

router = APIRouter()
router.mount("/docs-assets", StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"))


@router.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """Swagger's page over /openapi.json."""
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
