"""The manual at /guide: the Markdown pages of bot/guide as pages in the style of the question page."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from bot.web.markdown import Rendered, rendered

BOT = Path(__file__).parents[1]
GUIDE = BOT / "guide"
# What stands in the contents, in the order in which one turns the pages: Chinese heading, English heading, pages.
CONTENTS = (
    ("开始", "Start", ("documents", "asking", "commands", "python")),
    ("内容", "Content", ("dictionary", "curated-answers", "journal")),
    ("使用", "Use", ("page", "http-api", "openai", "mcp")),
    ("渠道", "Channels", ("slack", "wechat", "wecom")),
    ("模型", "Models", ("llm", "models")),
    ("运行", "Running", ("settings", "deploying", "promises", "scale")),
    ("质量", "Quality", ("evaluation", "figures")),
)
PAGES = tuple(name for _, _, names in CONTENTS for name in names)
# Files of the package that pages link to, by the name under which they are downloaded.
FILES = {"slack-manifest.yaml": BOT / "channels" / "slack-manifest.yaml"}
WORDS = {
    "zh": {
        "lang": "zh-CN",
        "other": "en",
        "manual": "使用手册",
        "lead": "问渠怎么用、怎么设、怎么部署，一事一页。",
        "contents": "目录",
        "skip": "跳到正文",
        "tools": "工具",
        "ask": "提问",
        "switch": "English",
        "pager": "翻页",
        "prev": "上一页",
        "next": "下一页",
        "gone": "没有这一页",
        "look": "手册里没有这一页，请从目录里找。",
        "sentence": "。",
    },
    "en": {
        "lang": "en",
        "other": "zh",
        "manual": "Manual",
        "lead": "How Wenqu is used, set up and run: one page a subject.",
        "contents": "Contents",
        "skip": "Skip to the text",
        "tools": "Tools",
        "ask": "Ask",
        "switch": "中文",
        "pager": "Other pages",
        "prev": "Previous",
        "next": "Next",
        "gone": "No such page",
        "look": "The manual has no such page. The contents list those that it has.",
        "sentence": ". ",
    },
}
_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · 问渠 Wenqu</title>
<link rel="icon" href="/static/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/style.css">
<link rel="stylesheet" href="/static/guide.css">
<script type="module" src="/static/guide.js"></script>
</head>
<body>
<a class="skip" href="#text">{skip}</a>
<header>
  <a class="home" href="/"><img src="/static/mark.svg" alt="" width="34" height="34">
    <span>问渠 <small lang="en">Wenqu</small></span></a>
  <nav aria-label="{tools}">
    <a href="/">{ask}</a>
    <button id="theme" type="button" hidden></button>
    <a href="/guide/{other}/{name}" lang="{other_lang}" hreflang="{other_lang}">{switch}</a>
  </nav>
</header>
<div class="columns">
<nav class="contents" aria-label="{contents}"><details id="contents"><summary>{contents}</summary>
{list}</details></nav>
<main id="text" tabindex="-1">
{body}{turn}</main>
</div>
</body>
</html>
"""


router = APIRouter(include_in_schema=False)
router.mount("/guide/images", StaticFiles(directory=GUIDE / "images"))


Accepted = Annotated[str, Header(alias="accept-language")]


@router.get("/guide")
def choose(accepted: Accepted = "") -> RedirectResponse:
    """On to the manual in the language that the browser prefers."""
    return RedirectResponse(f"/guide/{preferred(accepted)}/", headers={"Vary": "Accept-Language"})


@router.get("/guide/files/{name}")
def download(name: str, accepted: Accepted = "") -> Response:
    """A file that a page links to; 404 for every other."""
    return FileResponse(FILES[name], filename=name) if name in FILES else _gone(preferred(accepted))


@router.get("/guide/{language}/")
def overview(language: str, accepted: Accepted = "") -> HTMLResponse:
    """The contents as a page of their own."""
    return HTMLResponse(overview_html(language)) if language in WORDS else _gone(preferred(accepted))


@router.get("/guide/{language}/{name}")
def page(language: str, name: str, accepted: Accepted = "") -> HTMLResponse:
    """A page of the manual; 404 in its style when there is none of that name."""
    if language not in WORDS:
        return _gone(preferred(accepted))
    return HTMLResponse(page_html(language, name)) if name in PAGES else _gone(language)


def preferred(accepted: str) -> str:
    """The language of the manual that an Accept-Language header likes best; Chinese where it names none of ours."""
    liked = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, weight = part.strip().lower().partition(";q=")
        language = tag.split("-")[0]
        if language in WORDS and re.fullmatch(r"[01](\.\d{1,3})?", weight or "1"):
            liked.append((-float(weight or 1), place, language))
    return min(liked)[2] if liked else "zh"


@cache
def text_of(language: str, name: str) -> Rendered:
    """A page's own text, its links leading to where the manual is served."""
    source = (GUIDE / language / f"{name}.md").read_text(encoding="utf-8")
    return rendered(source, lambda address: served_at(address, language))


@cache
def page_html(language: str, name: str) -> str:
    """A page of the manual, whole."""
    return _shell(language, _title(language, name), text_of(language, name).html, name)


@cache
def overview_html(language: str) -> str:
    """The page that lists the pages, each with its first sentence."""
    words = WORDS[language]
    body = [f"<h1>{words['manual']}</h1>\n<p>{words['lead']}</p>"]
    for heading, names in _groups(language):
        body.append(f'<h2>{heading}</h2>\n<dl class="pages">')
        for name in names:
            sentence = re.match(r".*?(。|[.:：](?= |$)|$)", text_of(language, name).lead)
            body.append(f"<dt>{_link(language, name)}</dt><dd>{html.escape(sentence[0] if sentence else '')}</dd>")
        body.append("</dl>")
    return _shell(language, words["manual"], "\n".join(body) + "\n")


def _gone(language: str) -> HTMLResponse:
    words = WORDS[language]
    text = f"<h1>{words['gone']}</h1>\n<p>{words['look']}</p>\n"
    return HTMLResponse(_shell(language, words["gone"], text), 404)


def _shell(language: str, title: str, body: str, name: str = "") -> str:
    words = WORDS[language]
    return _PAGE.format(
        **words,
        other_lang=WORDS[words["other"]]["lang"],
        title=html.escape(title),
        name=name,
        list=_contents(language, name),
        body=body,
        turn=_turn(language, name) if name else "",
    )


def _contents(language: str, current: str) -> str:
    """The list of all pages; the current one shows its parts."""
    lines = []
    for heading, names in _groups(language):
        lines.append(f"<p>{heading}</p>\n<ul>")
        for name in names:
            if name == current:
                link = _link(language, name, ' aria-current="page"') + _parts(text_of(language, name))
            else:
                link = _link(language, name)
            lines.append(f"<li>{link}</li>")
        lines.append("</ul>")
    return "\n".join(lines)


def _groups(language: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for chinese, english, names in CONTENTS:
        yield chinese if language == "zh" else english, names


def _parts(text: Rendered) -> str:
    """Links to the second-level headings of a page."""
    headings = [heading for heading in text.headings if heading.level == 2]
    links = (f'<li><a href="#{one.anchor}">{html.escape(one.text)}</a></li>' for one in headings)
    return f"<ul>{''.join(links)}</ul>" if headings else ""


def _turn(language: str, name: str) -> str:
    """Links to the page before and the one after."""
    words, place, links = WORDS[language], PAGES.index(name), []
    for way, other in (("prev", place - 1), ("next", place + 1)):
        if 0 <= other < len(PAGES):
            link = _link(language, PAGES[other], f' class="{way}" rel="{way}"', f"<small>{words[way]}</small> ")
            links.append(link)
    return f'<nav class="pager" aria-label="{words["pager"]}">{"".join(links)}</nav>\n'


def _link(language: str, name: str, attributes: str = "", before: str = "") -> str:
    return f'<a href="/guide/{language}/{name}"{attributes}>{before}{html.escape(_title(language, name))}</a>'


def _title(language: str, name: str) -> str:
    return text_of(language, name).headings[0].text


def served_at(address: str, language: str) -> str | None:
    """Where what a page links to is served; None for a file of the repository that is not."""
    if re.match(r"[a-z][a-z0-9+.-]*:|[/#]", address):
        return address
    path, mark, part = address.partition("#")
    path = posixpath.normpath(f"{language}/{path}")
    if found := re.fullmatch(r"(zh|en)/([a-z-]+)\.md", path):
        return f"/guide/{found[1]}/{found[2]}{mark}{part}"
    if path.startswith("images/"):
        return f"/guide/{path}"
    return f"/guide/files/{name}" if (name := posixpath.basename(path)) in FILES else None
