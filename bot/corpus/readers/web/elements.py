"""A page as a tree of elements, by the rules that browsers follow for broken pages (HTML5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

# Elements whose text no page shows.
_NO_TEXT_NAMES = "script style head title template rp noscript iframe object embed canvas audio video svg"
NO_TEXT = frozenset(_NO_TEXT_NAMES.split())
_SENTENCE_END = re.compile("[。！？；]")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Element:
    """An element: the name of its tag, its attributes, and what stands in it, elements and texts in reading order.

    `letters` counts the letters and digits in it that the page shows, `link_letters` those of them in links, `links`
    the links with a text.
    """

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)
    parent: Element | None = None
    letters: int = 0
    link_letters: int = 0
    links: int = 0

    def get(self, name: str) -> str:
        """The value of an attribute, "" without it."""
        return self.attributes.get(name, "")

    def elements(self) -> Iterator[Element]:
        """The elements in it, itself first, in reading order; with a stack because trees can be very deep."""
        waiting = [self]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(child for child in reversed(one.children) if isinstance(child, Element))

    def texts(self) -> Iterator[str]:
        """The texts in it in reading order, white space as it stands."""
        waiting: list[Element | str] = [self]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                yield one
            else:
                waiting.extend(reversed(one.children))

    def shown_texts(self) -> Iterator[str]:
        """The texts in it that the page shows."""
        waiting: list[Element | str] = [self]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                yield one
            elif one.tag not in NO_TEXT and not one.is_hidden:
                waiting.extend(reversed(one.children))

    @property
    def text(self) -> str:
        """Its text with single spaces."""
        return " ".join("".join(self.texts()).split())

    @property
    def is_hidden(self) -> bool:
        """Whether the page never shows it. `visibility: hidden` does not count: articles have it until a script ran."""
        return "hidden" in self.attributes or bool(_HIDDEN_STYLE.search(self.get("style")))


def page_of(html: str) -> Element:
    """The <html> element of a page; comments and what is in <template> are not in the tree."""
    from selectolax.lexbor import LexborHTMLParser

    parsed = LexborHTMLParser(html)  # the nodes live as long as this
    root = parsed.root
    if root is None:
        return Element("html")
    page = _element(root, None)
    waiting = [(root, page)]
    while waiting:
        node, element = waiting.pop()
        child = node.first_child
        while child is not None:
            if child.is_text_node:
                element.children.append(child.text_content or "")
            elif child.is_element_node:
                below = _element(child, element)
                element.children.append(below)
                waiting.append((child, below))
            child = child.next
    _reveal(page)
    _count(page)
    return page


def _reveal(page: Element) -> None:
    """Show what the page shows at a click, such as the answer to a question, and a text that waits for a script."""
    opened = {
        one.get(name).removeprefix("#")
        for one in page.elements()
        for name in ("aria-controls", "data-target", "data-bs-target", "href")
        if name != "href" or one.get(name).startswith("#")
    }
    hidden = [one for one in page.elements() if one.is_hidden]
    waits = bool(hidden) and not any(map(_SENTENCE_END.search, page.shown_texts()))
    for element in hidden:
        is_window = element.get("role") in ("dialog", "alertdialog") or "modal" in element.get("class")
        is_opened = element.get("role") == "tabpanel" or element.get("id") in opened - {""}
        is_text = waits and any(map(_SENTENCE_END.search, element.texts()))
        if (is_opened and not is_window) or is_text:
            element.attributes.pop("hidden", None)
            element.attributes.pop("style", None)


def _count(page: Element) -> None:
    """Fill in the counts of all elements, the inner ones first."""
    for element in reversed(list(page.elements())):
        if element.tag in NO_TEXT or element.is_hidden:
            continue
        for child in element.children:
            if isinstance(child, str):
                element.letters += sum(map(str.isalnum, child))
            else:
                element.letters += child.letters
                element.link_letters += child.link_letters
                element.links += child.links
        if element.tag == "a":
            element.link_letters = element.letters
            element.links = int(element.letters > 0)


def _element(node: LexborNode, parent: Element | None) -> Element:
    attributes = {name: value or "" for name, value in node.attributes.items()}
    return Element(node.tag or "", attributes, parent=parent)
