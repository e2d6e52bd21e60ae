"""HTML: the article's own text without navigation and scripts; headings are lines that begin with `#`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bot.encoding import decode
from bot.readers import Document
from bot.readers.child import in_child

if TYPE_CHECKING:
    from bs4 import Tag

SUFFIXES = (".html", ".htm", ".xhtml")
# A page of real news has under 5,000 tags. What has far more, or is large, is parsed in a process with limits: 5 MB of
# `&` take half a minute.
_MANY_TAGS, _LARGE = 20_000, 1024 * 1024
_LEFT_OUT = frozenset(
    ["script", "style", "noscript", "template", "nav", "header", "footer", "aside", "form", "iframe", "svg"]
)
_BLOCKS = frozenset(
    ["p", "li", "tr", "blockquote", "pre", "div", "section", "article", "figcaption", "dt", "dd", "ul", "ol"]
)
_HEADING = re.compile("h[1-6]")


def read(data: bytes) -> Document:
    """The text of <article> or <main> where there is one, else of <body>, a paragraph a line.

    What the page declares as its encoding is not asked: pages lie about it, and the score of the text does not.
    """
    large = len(data) > _LARGE or data.count(b"<") > _MANY_TAGS
    return in_child(__name__, data) if large else parse(data)


def parse(data: bytes) -> Document:
    """What `read` gives, made in this process."""
    from bs4 import BeautifulSoup

    decoded = decode(data)
    soup = BeautifulSoup(decoded.text, "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    body = soup.find("article") or soup.find("main") or soup.body or soup
    headline = body.find("h1")
    if headline:
        title = headline.get_text(" ", strip=True) or title
    lines = (re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in "".join(_pieces(body)).split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return Document(text, title, warning=f"{decoded.damaged} U+FFFD" if decoded.damaged else "")


def _pieces(body: Tag) -> Iterator[str]:
    """The text of an element with the breaks that its tags stand for.

    One walk with a stack of its own: the tree may be deeper than Python's, and changing it instead took 47 s for a page
    of 10,000 paragraphs.
    """
    from bs4.element import NavigableString, Tag

    waiting: list[Any] = [body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Tag):
            if node.name in _LEFT_OUT:
                continue
            before, after = _breaks(node)
            yield before
            waiting.append(after)
            waiting.extend(reversed([_heading(node)] if _HEADING.fullmatch(node.name) else node.contents))
        elif type(node) in (str, NavigableString):  # not its kinds: comments, declarations
            yield node


def _breaks(tag: Tag) -> tuple[str, str]:
    """What stands for a tag before and after its text."""
    if tag.name in _BLOCKS or _HEADING.fullmatch(tag.name):
        return "\n\n", "\n\n"
    if tag.name in ("td", "th"):
        return "", " "
    return ("\n", "") if tag.name in ("br", "hr") else ("", "")


def _heading(tag: Tag) -> str:
    text = tag.get_text(" ", strip=True)
    return f"{'#' * int(tag.name[1])} {text}" if text else ""
