"""Markdown: the words without the marks; headings stay lines that begin with `#`, tables one row a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.encoding import decode
from bot.readers import Document
from bot.readers.child import in_child

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from markdown_it.token import Token

SUFFIXES = (".md", ".markdown")
# A table of 0.9 MB can take 500 MB and 20 s: what is large is parsed in a process with limits.
_LARGE = 256 * 1024
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_BLOCK_ENDS = {"paragraph_close", "heading_close", "table_close"}


def read(data: bytes) -> Document:
    """Paragraphs, list items, table rows and code as plain lines; HTML, targets of links and images left out."""
    return in_child(__name__, data) if len(data) > _LARGE else parse(data)


def parse(data: bytes) -> Document:
    """What `read` gives, made in this process."""
    from markdown_it import MarkdownIt

    decoded = decode(data)
    tokens = MarkdownIt("commonmark").enable("table").parse(_FRONT_MATTER.sub("", decoded.text))
    lines = list(_lines(tokens))
    title = next((line[2:].strip() for line in lines if line.startswith("# ")), "")
    return Document("".join(lines), title, warning=f"{decoded.damaged} U+FFFD" if decoded.damaged else "")


def _lines(tokens: Iterable[Token]) -> Iterator[str]:
    heading = ""
    row: list[str] | None = None
    for token in tokens:
        if token.type == "heading_open":
            heading = "#" * int(token.tag[1]) + " "
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close" and row is not None:
            yield " | ".join(row) + "\n"
            row = None
        elif token.type == "inline" and row is not None:
            row.append(_text(token))
        elif token.type == "inline":
            yield heading + _text(token) + "\n"
            heading = ""
        elif token.type in ("fence", "code_block"):
            yield token.content.rstrip("\n") + "\n\n"
        elif token.type in _BLOCK_ENDS:
            yield "\n"


def _text(token: Token) -> str:
    """The words of an inline token; of an image its description."""
    breaks = {"softbreak": "\n", "hardbreak": "\n"}
    shown = {"text", "code_inline", "image"}
    children = token.children or ()
    return "".join(breaks.get(child.type, child.content if child.type in shown else "") for child in children)
