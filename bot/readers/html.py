"""HTML: the article's own text without navigation and scripts; headings are lines that begin with `#`."""

from __future__ import annotations

import re

from bot.encoding import decode
from bot.readers import Document

SUFFIXES = (".html", ".htm", ".xhtml")
_LEFT_OUT = ["script", "style", "noscript", "template", "nav", "header", "footer", "aside", "form", "iframe", "svg"]
_BLOCKS = ["p", "li", "tr", "blockquote", "pre", "div", "section", "article", "figcaption", "dt", "dd", "ul", "ol"]


def read(data: bytes) -> Document:
    """The text of <article> or <main> where there is one, else of <body>, a paragraph a line.

    What the page declares as its encoding is not asked: pages lie about it, and the score of the text does not.
    """
    from bs4 import BeautifulSoup, Tag

    decoded = decode(data)
    soup = BeautifulSoup(decoded.text, "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    body = soup.find("article") or soup.find("main") or soup.body or soup
    if not isinstance(body, Tag):
        return Document(decoded.text, title)
    headline = body.find("h1")
    if headline:
        title = headline.get_text(" ", strip=True) or title
    for tag in body.find_all(_LEFT_OUT):
        tag.decompose()
    for tag in body.find_all(re.compile("^h[1-6]$")):
        level = "#" * int(tag.name[1])
        heading = tag.get_text(" ", strip=True)
        tag.replace_with(f"\n\n{level} {heading}\n\n" if heading else "\n")
    for tag in body.find_all(["br", "hr"]):
        tag.replace_with("\n")
    for tag in body.find_all(["td", "th"]):
        tag.append(" ")
    for tag in body.find_all(_BLOCKS):
        tag.insert_before("\n\n")
        tag.append("\n\n")
    lines = (re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in body.get_text().split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return Document(text, title, warning=f"{decoded.damaged} U+FFFD" if decoded.damaged else "")
