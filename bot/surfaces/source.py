"""The page that a cited source links to: the whole article, its passage set off and the evidence marked."""

# No `from __future__ import annotations` here: FastAPI must see the annotations of functions that close over the bot.
import html
import re
from itertools import pairwise

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from bot.pipeline import Bot
from bot.settings import Settings
from bot.types import Article, Passage

GONE = "资料已更新,请重新提问 / No such passage: the articles have changed, ask again."
_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="/static/mark.svg"><link rel="stylesheet" href="/static/style.css"></head>
<body><header><h1>{title}</h1></header><main class="article">{text}</main></body></html>"""
_SPANS = re.compile(r"\d{1,6}-\d{1,6}(?:,\d{1,6}-\d{1,6}){0,9}")


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """The one route; always on."""
    routes = APIRouter()

    @routes.get("/source/{passage}", include_in_schema=False)
    def source(passage: str, mark: str = "") -> HTMLResponse:
        found = bot.source(passage)
        if found is None:
            return HTMLResponse(_PAGE.format(title="问渠 Wenqu", text=GONE), 404)
        cited, article = found
        title = html.escape(article.title or article.id)
        return HTMLResponse(_PAGE.format(title=title, text=_marked(article, cited, _spans(mark, len(cited.text)))))

    return routes


def _spans(mark: str, length: int) -> list[tuple[int, int]]:
    """The spans of `10-30,40-55` that lie within a text and follow one another; none where it reads otherwise."""
    found = [tuple(map(int, span.split("-"))) for span in mark.split(",")] if _SPANS.fullmatch(mark) else []
    borders = [border for span in found for border in span]
    rising = all(left <= right for left, right in pairwise([0, *borders, length]))
    return [(start, end) for start, end in found] if rising else []


def _marked(article: Article, cited: Passage, spans: list[tuple[int, int]]) -> str:
    shown, position = [], 0
    for start, end in spans:
        shown.append(html.escape(cited.text[position:start]))
        shown.append(f"<mark>{html.escape(cited.text[start:end])}</mark>")
        position = end
    shown.append(html.escape(cited.text[position:]))
    before, after = html.escape(article.text[: cited.start]), html.escape(article.text[cited.end :])
    return f'{before}<span class="cited" id="cited">{"".join(shown)}</span>{after}'
