"""The pictures of documents, by their hash."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Response

from bot.web.admission import placed
from bot.web.original import SANDBOX
from bot.web.state import TheBot

GONE_LINE = "没有这张图片 / no such picture"
# A hash names the same bytes for ever; private, because it may have been asked with a key.
_HEADERS = {"Cache-Control": "private, max-age=31536000, immutable", "Content-Security-Policy": SANDBOX}

router = APIRouter()


@router.get(
    "/picture/{hash}",
    dependencies=[Depends(placed, scope="function")],
    response_class=Response,
    summary="A picture of a document: PNG, JPEG, GIF or WebP",
)
def picture(hash: str, bot: TheBot) -> Response:
    """Its bytes; 404 where no document has it any more."""
    found = bot.picture(hash)
    if found is None:
        raise HTTPException(404, GONE_LINE)
    return Response(found[0], media_type=found[1], headers=_HEADERS)
