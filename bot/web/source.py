"""The page that a cited source links to: the article, its passage set off and the evidence marked."""

from __future__ import annotations

import html
import re
from itertools import pairwise
from urllib.parse import quote

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from bot.types import Document, Passage
from bot.web.admission import placed
from bot.web.markup import ArticleMarkup
from bot.web.state import TheBot

# In both languages, as an error of ours takes them.
GONE = ("资料已更新，请重新提问", "no such passage: the articles have changed, ask again")
GONE_LINE = " / ".join(GONE)
ORIGINAL = "打开原文 / open original"
_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="/static/mark.svg"><link rel="stylesheet" href="/static/style.css"></head>
<body><header class="of"><h1>{title}</h1>{links}</header><main class="article">{text}</main></body></html>"""
_SPANS = re.compile(r"\d{1,6}-\d{1,6}(?:,\d{1,6}-\d{1,6}){0,9}")


router = APIRouter()


@router.get("/source/{passage}", dependencies=[Depends(placed)], include_in_schema=False)
def source(passage: str, bot: TheBot, mark: str = "") -> HTMLResponse:
    """The page of a passage; `mark` says which spans of it are evidence, as `10-30,40-55`."""
    found = bot.source(passage)
    if found is None:
        return HTMLResponse(line_page(GONE_LINE), 404)
    cited, article = found
    title = html.escape(article.title or article.id)
    spans = [(cited.start + start, cited.start + end) for start, end in _spans(mark, len(cited.text))]
    return HTMLResponse(
        _PAGE.format(
            title=title,
            links=_original(article, cited, spans),
            text=ArticleMarkup(article, cited, spans, bot.pictures(article.id)),
        )
    )


def _original(article: Document, cited: Passage, spans: list[tuple[int, int]]) -> str:
    """The link to the original file, a PDF at the page of the first mark."""
    page = article.page(spans[0][0] if spans else cited.start)
    place = f"#page={page}" if page and article.path.lower().endswith(".pdf") else ""
    address = f"/source/{quote(cited.id, safe='')}/file{place}"
    return f'<a class="original" href="{address}" rel="noopener" target="_blank">{ORIGINAL}</a>'


def line_page(line: str) -> str:
    """A page of one line."""
    return _PAGE.format(title="问渠 Wenqu", links="", text=f"<p>{html.escape(line)}</p>")


def _spans(mark: str, length: int) -> list[tuple[int, int]]:
    """The spans of `10-30,40-55` that lie within a text and follow one another; none where it reads otherwise."""
    found = [tuple(map(int, span.split("-"))) for span in mark.split(",")] if _SPANS.fullmatch(mark) else []
    borders = [border for span in found for border in span]
    rising = all(left <= right for left, right in pairwise([0, *borders, length]))
    return [(start, end) for start, end in found] if rising else []
