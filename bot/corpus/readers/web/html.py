"""HTML: the article of a page, with its headings, items, tables and links; menus and the like are left out by name."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from difflib import SequenceMatcher

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.child import in_child
from bot.corpus.readers.web.elements import Element, page_of
from bot.corpus.readers.web.markup import BLOCKS, HEADINGS, Walk, site_of
from bot.corpus.readers.web.menus import furniture_of
from bot.corpus.titles import is_title
from bot.text.encoding import decode
from bot.text.fold import fold

# A real news page has fewer than 5,000 tags. Pages with far more, and large ones, are parsed in a process with limits
# (scripts/EXPERIMENTS.md, Large pages).
_MANY_TAGS, _LARGE = 20_000, 1024 * 1024
_BETWEEN = re.compile(r"[_|｜—–»]+|\s-+\s|-(?=[\u3400-\u9fff])")  # what stands between a title and the site's name
_MAX_HEADLINE = 120  # letters
_UTF8 = re.compile(rb"""charset\s*=\s*["']?utf-?8""", re.IGNORECASE)
_HEAD = 4096  # bytes in which a page names its encoding; browsers look at 1,024
_OWN_LINKS = 10  # to the same site, that tell which one the page belongs to
_PUBLISHED = ("article:published_time", "og:published_time", "og:release_date")
_MIN_SHARED = 4  # letters in a row that a headline shares with the page's title
_LINES = frozenset(["span", "strong", "b", "font"])  # of which old pages make their headlines


def read(data: bytes) -> Parsed:
    """The blocks of the article; on a page that is none, of everything but its menus.

    The encoding that the page declares is often wrong and only believed if it is UTF-8 and the bytes are that; else the
    score of the text decides.
    """
    large = len(data) > _LARGE or data.count(b"<") > _MANY_TAGS
    return in_child(__name__, data) if large else parse(data)


def parse(data: bytes) -> Parsed:
    """The same as `read`, in this process."""
    decoded = decode(codecs.BOM_UTF8 + data if _is_utf8(data) else data)
    return parse_text(decoded.text, f"{decoded.damaged} U+FFFD" if decoded.damaged else "")


def parse_text(html: str, warning: str = "") -> Parsed:
    """The same of a page that has been decoded."""
    page = page_of(html)
    named = _named(page)
    headline = _headline(page, named)
    title = headline.text if headline is not None else _own_part(named[0]) if named else ""
    writer = BlockWriter()
    Walk(writer, furniture=furniture_of(page, headline), title=" ".join([title, *named]), site=_site(page)).run(page)
    return writer.parsed(title, warning, _published(page))


def _is_utf8(data: bytes) -> bool:
    """Whether a page says that it is UTF-8, and is: a page with few letters outside ASCII may look like anything."""
    if not _UTF8.search(data[:_HEAD]):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(data.strip())


def _named(page: Element) -> list[str]:
    """What the head of a page says that it is called, for other sites first; the name of the site may stand behind."""
    texts = [one.get("content") for one in page.elements() if one.tag == "meta" and one.get("property") == "og:title"]
    texts += [one.text for one in page.elements() if one.tag == "title"][:1]  # a drawing has such elements as well
    return [" ".join(text.split()) for text in texts if is_title(_own_part(text))]


def _published(page: Element) -> str:
    """When the head of a page says that it was published; "" if it does not say so."""
    said = [one.get("content") for one in page.elements() if one.tag == "meta" and one.get("property") in _PUBLISHED]
    return next(filter(None, said), "")


def _own_part(title: str) -> str:
    """A title without the name of the site behind it."""
    return next((part.strip() for part in _BETWEEN.split(title) if part.strip()), "")


def _site(page: Element) -> str:
    """The site that a page belongs to, as far as its links tell; "" if they do not."""
    for one in page.elements():
        if (one.tag == "link" and one.get("rel") == "canonical") or one.get("property") == "og:url":
            return site_of(one.get("href") or one.get("content"))
    sites = Counter(site for one in page.elements() if one.tag == "a" and (site := site_of(one.get("href"))))
    site, count = sites.most_common(1)[0] if sites else ("", 0)
    return site if count >= _OWN_LINKS and 2 * count > sites.total() else ""


def _headline(page: Element, named: list[str]) -> Element | None:
    """The block with the title of the article: the one that shares most with the title of the page.

    The first heading of a page is often the name of the site; one that shares nothing is taken only if it is the only
    one, and no link.
    """
    best: tuple[float, Element | None] = 0.0, None
    for element in page.elements():
        if _may_be_headline(element):
            weight = 1.5 if element.tag == "h1" else 1.2 if element.tag in HEADINGS else 1.0
            weight /= 1 + (element.link_letters == element.letters)  # the page's entry in a list of pages
            score = weight * max((_likeness(element.text, name) for name in named), default=0.0)
            best = (score, element) if score > best[0] else best
    if best[1] is not None:
        return best[1]
    first = [one for one in page.elements() if one.tag == "h1" and one.letters]
    is_site = bool(first) and (bool(first[0].links) or any(first[0].text in name for name in named))
    return first[0] if first and not is_site and (len(first) == 1 or not named) else None


def _may_be_headline(element: Element) -> bool:
    """Whether an element is a heading or another short line."""
    if not 0 < element.letters <= _MAX_HEADLINE:
        return False
    if element.tag not in BLOCKS and element.tag not in _LINES:
        return False
    return element.tag in HEADINGS or not any(one.tag in BLOCKS for one in element.elements() if one is not element)


def _likeness(line: str, title: str) -> float:
    """How much of a line is the beginning of a title: the letters that they share in a row, less for a longer line."""
    line, title, own = (fold(text).replace(" ", "") for text in (line, title, _own_part(title)))
    if len(own) >= _MIN_SHARED and not any(own[i : i + _MIN_SHARED] in line for i in range(len(own))):
        return 0.0
    match = SequenceMatcher(None, line, title, autojunk=False).find_longest_match()
    is_enough = match.size >= min(_MIN_SHARED, len(own)) and 2 * match.size >= len(line) and match.b < len(own)
    return match.size**2 / len(line) if is_enough else 0.0
