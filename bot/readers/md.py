"""Markdown: the words without the marks; headings stay lines that begin with `#`, tables one row a line."""

from __future__ import annotations

import re

from bot.encoding import decode
from bot.readers import Document

SUFFIXES = (".md", ".markdown")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def read(data: bytes) -> Document:
    """Paragraphs, list items, table rows and code as plain lines; HTML, images' addresses and links' targets left out."""
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    def inline(token: Token) -> str:
        parts = []
        for child in token.children or ():
            if child.type in ("text", "code_inline"):
                parts.append(child.content)
            elif child.type in ("softbreak", "hardbreak"):
                parts.append("\n")
            elif child.type == "image":
                parts.append(child.content)
        return "".join(parts)

    decoded = decode(data)
    lines: list[str] = []
    row: list[str] | None = None
    prefix = ""
    title = ""
    for token in MarkdownIt("commonmark").enable("table").parse(_FRONT_MATTER.sub("", decoded.text)):
        if token.type == "heading_open":
            prefix = token.markup[:1].replace("=", "#").replace("-", "#") * int(token.tag[1]) + " "
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close" and row is not None:
            lines.append(" | ".join(row) + "\n")
            row = None
        elif token.type in ("fence", "code_block"):
            lines.append(token.content.rstrip("\n") + "\n")
        elif token.type == "inline":
            text = inline(token)
            if row is not None:
                row.append(text)
            else:
                title = title or (text if prefix == "# " else "")
                lines.append(prefix + text + "\n")
                prefix = ""
        elif token.type in ("paragraph_close", "table_close", "heading_close"):
            lines.append("")
    return Document("\n".join(lines), title, warning=f"{decoded.damaged} U+FFFD" if decoded.damaged else "")
