"""Markdown becomes the inside of a page: CommonMark and tables, no HTML, anchors at the headings."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level from 1, its anchor, which no other heading of the page has, and its words."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered text: its headings, the words of its first paragraph, and the whole as HTML."""

    headings: tuple[Heading, ...]
    lead: str
    html: str


def rendered(source: str, address: Callable[[str], str | None]) -> Rendered:
    """A Markdown text as HTML.

    `address` says where the target of a link or an image is served; a link of which it returns None becomes plain text.
    """
    tokens, headings, lead = _markdown().parse(source), list[Heading](), ""
    for token in tokens:
        _align(token)
        _lead(token.children or (), address)
        _join_lines(token.children or ())
    for token, content in pairwise(tokens):
        if token.type == "heading_open":
            headings.append(_heading(token, content, {heading.anchor for heading in headings}))
        elif token.type == "paragraph_open":
            lead = lead or _words(content)
    return Rendered(tuple(headings), lead, _markdown().renderer.render(tokens, _markdown().options, {}))


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it: lower case, hyphens for spaces, letters of any script stay."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def _markdown() -> MarkdownIt:
    """The parser. What may be wider than a phone is put into a box that scrolls, and that the keyboard reaches."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", lambda *_: '<div class="wide" tabindex="0"><table>\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    for kind in ("fence", "code_block"):
        markdown.add_render_rule(kind, _code)
    return markdown


def _code(self: object, tokens: Sequence[Token], place: int, *_: object) -> str:
    return f'<pre tabindex="0"><code>{html.escape(tokens[place].content)}</code></pre>\n'


def _heading(token: Token, content: Token, taken: set[str]) -> Heading:
    """The heading, its anchor written into its tag; the second of a name is called name-1."""
    words = _words(content)
    anchor, count = slug(words), 0
    while anchor in taken:
        count += 1
        anchor = f"{slug(words)}-{count}"
    token.attrSet("id", anchor)
    return Heading(int(token.tag[1:]), anchor, words)


def _words(inline: Token) -> str:
    return "".join(" " if child.type == "softbreak" else child.content for child in inline.children or ())


def _align(token: Token) -> None:
    """A class says how a column is aligned: the page's policy lets no style attribute act."""
    style = str(token.attrs.pop("style", ""))
    if style.startswith("text-align:"):
        token.attrSet("class", style.removeprefix("text-align:"))


def _join_lines(inline: Sequence[Token]) -> None:
    """Between two Chinese characters the end of a line is no space."""
    for place, token in enumerate(inline):
        if token.type == "softbreak":
            before = next((other.content[-1] for other in reversed(inline[:place]) if other.content), " ")
            after = next((other.content[0] for other in inline[place + 1 :] if other.content), " ")
            if all(unicodedata.east_asian_width(letter) in "WF" for letter in (before, after)):
                token.type = "text"  # an empty one


def _lead(inline: Sequence[Token], address: Callable[[str], str | None]) -> None:
    """Rewrite the targets of links and images."""
    tag = "a"
    for token in inline:
        if token.type == "image":
            token.attrSet("src", address(str(token.attrs["src"])) or "")
        elif token.type == "link_open":
            target = address(str(token.attrs["href"]))
            tag = "span" if target is None else "a"
            token.attrs = {} if target is None else {**token.attrs, "href": target}
        if token.type in ("link_open", "link_close"):
            token.tag = tag
