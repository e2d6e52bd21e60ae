"""Which parts of a web page are its furniture: menus, lists of other articles, boxes to log in, lines of copyright.

Told by place and behaviour: before the headline or after the text, with letters that are mostly links. A page that is
mostly links by nature is left whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from bot.corpus.readers.web.elements import NO_TEXT, Element
from bot.corpus.readers.web.grids import is_data_table
from bot.corpus.readers.web.markup import BLOCKS, HEADINGS, site_of

_SENTENCE = re.compile(r"[。！？；!?;]|[，,][^，,]{4,}[，,]|[a-z]\.(?:\s|$)")
_NAME = re.compile(
    r"\bnav|nav\b|menu|crumb|side-?bar|foot(?!note)|copy-?right|login|share(?!holder)|comment|relate|recommend|tool-?bar|pager|qr-?code|advert"
    r"|hot-?(?:news|words?|list|rank)|\bads?\b",
    re.IGNORECASE,
)
_COMMENTS = re.compile(r"comment(?!ary)|pinglun", re.IGNORECASE)
_TAGS = frozenset(["nav", "footer", "aside", "menu"])
_ROLES = frozenset(["navigation", "contentinfo", "complementary", "search", "banner", "dialog"])
_COPYRIGHT = re.compile(r"ICP[备证]|公网安备|版权所有|Copyright|©|All Rights Reserved", re.IGNORECASE)
_OTHERS = re.compile(r"相关|推荐|延伸阅读|热门|热点|排行|猜你|喜欢|更多|上一[篇页]|下一[篇页]")
_NEIGHBOURS = re.compile(r"[<«【\[\s]*[上下前后]一?[篇页条则]")
_CRUMB = re.compile(r"[>»›＞→]|(?:当前|现在|所在)的?位置")
_FILE = re.compile(r"\.(?:docx?|xlsx?|pptx?|pdf|wps|et|zip|rar|7z|apk|exe|txt|csv|ofd)(?:$|[?#])", re.IGNORECASE)
_DATE = re.compile(r"(?:19|20)\d\d[-/.年]")
_FIELD = re.compile(r"[：:\d０-９]")
_PARAGRAPHS = frozenset(["p", "li", "blockquote", "dd"])
_ALL, _MOST, _MIXED = 0.8, 0.5, 1 / 3  # shares of the letters of a block that are links
_SITES = 3  # that a list of addresses leads to; a menu leads to its own site
_TINY = 30  # letters: 扫一扫下载APP, 我已授权
_FEW, _MAX_FOOT = 40, 400  # letters of sentences in a block that is named as furniture, without and with a copyright
_MAX_NAMED = 300  # letters of a block of which only the class says that it is furniture
_MAX_COPYRIGHT, _MAX_CRUMB, _MAX_REST = 250, 60, 60


def furniture_of(page: Element, headline: Element | None) -> dict[Element, str]:
    """The elements of a page to leave out, each with the reason; `headline` is the one with the article's title."""
    return _Judge(page, headline).furniture()


class _Judge:
    """Looks at a page from above; what is furniture as a whole is not looked into."""

    def __init__(self, page: Element, headline: Element | None) -> None:
        self._page = page
        self._found: dict[Element, str] = {}
        self._place = {element: place for place, element in enumerate(page.elements())}
        self._tables = {one for one in self._place if one.tag == "table" and _is_large_table(one)}
        self._sentences, own = _sentences(page)
        named = {one for one in self._place if self._is_named(one) and 2 * self._sentences[one] < self._sentences[page]}
        text = _text_container({one: letters for one, letters in own.items() if not named & set(_upwards(one))})
        self._holders = {around for element in own for around in [element.parent] if element.tag in _PARAGRAPHS}
        # What holds the text or the headline is no furniture.
        self._inside = {*_upwards(text), *_upwards(headline)}
        self._article = next((one for one in _upwards(text) if one in set(_upwards(headline))), None)
        begin = headline or text
        self._text = text
        self._begin = self._place[begin] if begin else 0
        self._end = max((self._place[one] for one in text.elements()), default=0) if text else 0
        self._title = headline.text if headline else ""
        self._title_letters = headline.letters if headline else 0

    def furniture(self) -> dict[Element, str]:
        """The elements to leave out; none if nothing worth the name of a text would be left."""
        entered = self._look()
        left_out = self._look_again(entered)
        if sum(one.links for one in self._found) > _SITES:
            self._leave_out_small(entered)
        has_text = self._sentences[self._page] > sum(self._sentences[one] for one in self._found)
        has_table = any(one.tag == "table" and is_data_table(one) for one in entered)
        if not has_text and not has_table and 2 * left_out > self._page.letters:
            return {}
        return self._found

    def _look(self) -> list[Element]:
        """Judge each block once, the outer ones first; the blocks that stay."""
        entered: list[Element] = []
        waiting = [self._page]
        while waiting:
            element = waiting.pop()
            reason = "" if element in self._inside or element.tag not in BLOCKS else self._reason(element)
            if reason:
                self._found[element] = reason
                continue
            entered.append(element)
            if element.tag != "table" or not is_data_table(element):
                waiting.extend(reversed(_shown(element)))
        return entered

    def _reason(self, element: Element) -> str:
        """Why a block is furniture, "" if it is not."""
        is_outside = not self._begin <= self._place[element] <= self._end
        if is_outside and self._place[element] > self._end and _COMMENTS.search(_name(element)):
            return "comments"
        if is_outside and self._is_named(element) and self._says_little(element):
            return "menu"
        if self._is_wrapper(element):
            return ""
        if element.links > 2 and element.link_letters >= _ALL * element.letters and self._is_contents(element):
            return "contents table"
        if self._is_menu(element):
            return "menu"
        if is_outside and (_is_list_of_teasers(element) or (element.links and _NEIGHBOURS.match(_beginning(element)))):
            return "menu"
        if element.letters == self._title_letters and element.text == self._title:
            return "repeated title"
        text = element.text if is_outside and element.letters <= _MAX_COPYRIGHT else ""
        if _COPYRIGHT.search(text) and not _is_among(self._holders, element):
            return "menu"
        is_crumb = element.links and element.letters <= _MAX_CRUMB and self._place[element] < self._begin
        return "menu" if is_crumb and _CRUMB.search(text) else ""

    def _is_named(self, element: Element) -> bool:
        """Whether the page itself calls a block furniture; the name of a class does not make a table furniture."""
        if element.tag in _TAGS or element.get("role") in _ROLES:
            return True
        is_little = element.letters <= _MAX_NAMED or element.link_letters >= _MIXED * element.letters
        return is_little and bool(_NAME.search(_name(element))) and not self._tables & set(element.elements())

    def _is_wrapper(self, element: Element) -> bool:
        """Whether an element only holds another one, which will be judged in its place."""
        children = _shown(element)
        return len(children) == 1 and children[0].letters == element.letters and children[0].tag in BLOCKS

    def _is_contents(self, element: Element) -> bool:
        """Whether most links of a block lead to places on the page."""
        targets = [one.get("href") for one in element.elements() if one.tag == "a" and one.letters]
        return 2 * sum(target.startswith("#") and len(target) > 1 for target in targets) > len(targets)

    def _says_little(self, element: Element) -> bool:
        """Whether there are few sentences in a block, or those that stand at the foot of a site."""
        sentences = self._sentences[element]
        return sentences <= _FEW or (sentences <= _MAX_FOOT and bool(_COPYRIGHT.search(element.text)))

    def _is_menu(self, element: Element) -> bool:
        """Whether a block is mostly links, and not a list that the text gives."""
        share = element.link_letters / max(1, element.letters)
        if share < _MIXED or element.links < 2 or 10 * self._sentences[element] > element.letters:
            return False
        if element.tag == "li" or self._has_date(element):
            return False
        if element.tag == "table" and is_data_table(element) and (share < _ALL or _has_header(element)):
            return False
        is_menu = (
            share >= _ALL
            or (share >= _MOST and element.links > 2)
            or (element.links > 3 and not self._sentences[element])
        )
        return is_menu and not self._is_given(element)

    def _is_given(self, element: Element) -> bool:
        """Whether links belong to the text: files, addresses of many sites, or a list among its paragraphs."""
        links = [one.get("href") for one in element.elements() if one.tag == "a"]
        if any(_FILE.search(link) or link.startswith(("mailto:", "tel:")) for link in links):
            return True
        if self._place[element] < self._begin:
            return False
        names_others = _NAME.search(_name(element)) or _OTHERS.search(_text_before(element))
        if _is_among(self._holders, element) or (self._text is not None and self._text in _upwards(element)):
            return not names_others
        sites = {site_of(link) for link in links} - {""}
        is_in_article = self._article is not None and self._article in _upwards(element)
        return is_in_article and not names_others and len(sites) >= max(_SITES, len(links) / 2)

    def _look_again(self, entered: list[Element]) -> int:
        """Leave out what stands around furniture and says nothing by itself; the letters that are left out."""
        gone = dict.fromkeys(self._found, 0)
        for element in reversed(entered):
            children = _shown(element)
            for heading, below in pairwise(children):
                if below in self._found and heading not in self._found and self._is_small(heading):
                    is_heading = heading.tag in HEADINGS or any(one.tag in HEADINGS for one in heading.elements())
                    if is_heading and heading not in self._inside:
                        self._found[heading] = self._found[below]
            gone[element] = sum(child.letters if child in self._found else gone.get(child, 0) for child in children)
            rest = element.letters - gone[element]
            if (
                element not in self._inside
                and element.tag in BLOCKS
                and gone[element] > rest
                and rest <= _MAX_REST
                and not self._sentences[element]
                and not self._has_date(element)
            ):
                self._found[element] = "menu"
        return gone.get(self._page, 0)

    def _has_date(self, element: Element) -> bool:
        """Whether an element between the headline and the end of the text says when, among the links to share it."""
        return self._begin <= self._place[element] <= self._end and bool(_DATE.search(element.text))

    def _is_small(self, element: Element) -> bool:
        return element.letters <= _TINY and not self._sentences[element]

    def _leave_out_small(self, entered: list[Element]) -> None:
        """Leave out the scattered words of a page with menus that stand before the headline or outside the article."""
        if self._article is None:
            return
        inner = set(self._article.elements())
        for element in entered:
            if element in self._inside or element.tag not in BLOCKS or not self._is_small(element):
                continue
            is_apart = element not in inner or self._place[element] < self._begin
            if is_apart and not _FIELD.search(element.text):
                self._found[element] = "menu"


def _shown(element: Element) -> list[Element]:
    """The elements directly in one of which the page shows a text."""
    return [one for one in element.children if isinstance(one, Element) and one.letters]


def _upwards(element: Element | None) -> Iterator[Element]:
    """An element and those around it."""
    while element is not None:
        yield element
        element = element.parent


def _name(element: Element) -> str:
    return f"{element.get('class')} {element.get('id')}"


def _is_large_table(table: Element) -> bool:
    """Whether a table has several rows that are no links."""
    if not is_data_table(table) or 2 * table.link_letters >= table.letters:
        return False
    return sum(one.tag == "tr" for one in table.elements()) > 1


def _has_header(table: Element) -> bool:
    return any(one.tag in ("th", "caption", "thead") for one in table.elements())


def _is_among(holders: set[Element | None], element: Element) -> bool:
    """Whether paragraphs with sentences stand beside an element."""
    return element.parent in holders


def _is_list_of_teasers(element: Element) -> bool:
    """Whether a block has several headings, which all lead to other pages."""
    if element.links < 2:
        return False
    headings = [one for one in element.elements() if one.tag in HEADINGS and one.letters]
    targets = [one.get("href") for heading in headings for one in heading.elements() if one.tag == "a"]
    is_linked = all(2 * one.link_letters > one.letters for one in headings)
    return len(headings) > 1 and is_linked and not any(target.startswith("#") for target in targets)


def _text_before(element: Element) -> str:
    """The text directly before an element or at its beginning, if it is short."""
    siblings = _shown(element.parent) if element.parent is not None else []
    place = next((number for number, one in enumerate(siblings) if one is element), 0)
    before = siblings[place - 1].text if place and siblings[place - 1].letters <= _TINY else ""
    return f"{_beginning(element)} {before}"


def _beginning(element: Element) -> str:
    """The first letters of an element."""
    return next((text.strip() for text in element.texts() if text.strip()), "")[:_TINY]


def _sentences(page: Element) -> tuple[dict[Element, int], dict[Element, int]]:
    """How many letters of sentences outside links are in each element, and in each block's own text."""
    pieces: dict[Element, list[str]] = {}
    waiting: list[tuple[Element, Element]] = [(page, page)]
    while waiting:
        element, block = waiting.pop()
        if element.tag == "a" or element.tag in NO_TEXT or element.is_hidden:
            continue
        block = element if element.tag in BLOCKS else block
        for child in element.children:
            if isinstance(child, str):
                pieces.setdefault(block, []).append(child)
            else:
                waiting.append((child, block))
    own: dict[Element, int] = {}
    for block, texts in pieces.items():
        text = " ".join(texts)
        if _SENTENCE.search(text):
            own[block] = sum(map(str.isalnum, text))
    total = dict(own)
    for element in reversed(list(page.elements())):
        total[element] = total.get(element, 0) + sum(total[one] for one in element.children if isinstance(one, Element))
    return total, own


def _text_container(own: dict[Element, int]) -> Element | None:
    """The element whose paragraphs have the most sentences; paragraphs in an inner element count half."""
    scores: dict[Element, float] = {}
    for element, letters in own.items():
        around = element.parent if element.tag in _PARAGRAPHS or element.tag in HEADINGS else element
        if around is not None:
            scores[around] = scores.get(around, 0) + letters
            if around.parent is not None:
                scores[around.parent] = scores.get(around.parent, 0) + letters / 2
    return max(scores, key=lambda one: scores[one], default=None)
