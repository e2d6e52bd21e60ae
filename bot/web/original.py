"""The original of a document, for a browser to show or to keep; nothing in it may act on our pages."""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import PurePosixPath

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from bot.web.admission import placed
from bot.web.source import line_page
from bot.web.state import TheBot

GONE_LINE = "原文件已改动或不在了 / the original file has changed or is gone"
# What a browser shows by itself and what cannot run in it; everything else is kept as a file.
SHOWN = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
SANDBOX = "default-src 'none'; frame-ancestors 'none'; sandbox"
# Safari shows no PDF in a sandbox, and the viewers' own styles are inline. A PDF cannot act on the page that serves it.
_FOR_PDF = SANDBOX.replace("sandbox", "style-src 'unsafe-inline'")

router = APIRouter()


class OpenedFile(FileResponse):
    """A file that is open already, so that what was checked is what is sent, whole or in ranges."""

    def __init__(self, file: BufferedReader, name: str, frame_ancestors: str = "'none'") -> None:
        """Take an open file; it is closed once it is sent. `name` is what a browser calls it.

        `frame_ancestors` are the origins whose pages may frame it.
        """
        suffix = PurePosixPath(name).suffix.lower()
        self._file = file
        rights = _FOR_PDF if suffix == ".pdf" else SANDBOX
        super().__init__(
            f"/dev/fd/{file.fileno()}",
            headers={"Content-Security-Policy": rights.replace("ancestors 'none'", f"ancestors {frame_ancestors}")},
            media_type=SHOWN.get(suffix, "application/octet-stream"),
            filename=name,
            stat_result=os.fstat(file.fileno()),
            content_disposition_type="inline" if suffix in SHOWN else "attachment",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file:
            await super().__call__(scope, receive, send)


# The place is given back before the file is sent: a slow reader of a long file holds up no question.
@router.get(
    "/source/{passage}/file",
    dependencies=[Depends(placed, scope="function")],
    response_class=Response,
    summary="The original file that a passage is from; 404 when it has changed since",
)
def original(passage: str, bot: TheBot) -> Response:
    """The file: a PDF or a picture to be shown, any other to be kept."""
    found = bot.original(passage)
    if found is None:
        return HTMLResponse(line_page(GONE_LINE), 404)
    path, file = found
    return OpenedFile(file, PurePosixPath(path).name)
