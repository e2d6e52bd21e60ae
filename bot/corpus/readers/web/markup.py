"""Blocks from the elements of a page: what is a heading, an item, a row, code; what of the page is shown at all."""

from __future__ import annotations

import contextlib
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bot.corpus.blocks import BlockWriter, clean
from bot.corpus.readers.images import MAX_BYTES, worth_showing
from bot.corpus.readers.web.elements import NO_TEXT, Element
from bot.corpus.readers.web.grids import grid_of, is_data_table, whole
from bot.corpus.readers.web.mathml import formula, tex
from bot.text.numerals import chinese, roman

HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_BLOCKS_NAMES = (
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p "
    "pre search section summary table tbody td tfoot th thead tr ul"
)
BLOCKS = frozenset(_BLOCKS_NAMES.split())
# Without any text for readers; what else is in NO_TEXT may say something and goes to the report.
_SILENT = frozenset(["script", "style", "head", "title", "template", "rp"])
_CONTROLS = frozenset(["select", "textarea", "option"])
_BLOCK_STYLE = re.compile(r"display\s*:\s*(?:block|flex|grid|list-item|table)\b", re.IGNORECASE)
_NO_MARKER = re.compile(r"list-style(?:-type)?\s*:[^;]*\bnone\b", re.IGNORECASE)
_CHINESE_MARKER = re.compile(
    r"list-style(?:-type)?\s*:[^;]*(?:cjk-ideographic|simp-chinese|trad-chinese)", re.IGNORECASE
)
_OWN_NUMBER = re.compile(
    r"\s*(?:[（(]?(?:\d+|[一二三四五六七八九十百]+)(?:[)）、．]|\.(?!\d))|第[\d一二三四五六七八九十百]+|[①-⑳])"
)
_HAN = "\u3400-\u9fff\uf900-\ufaff\u3000-\u303f\uff00-\uffef"
_BREAK_IN_HAN = re.compile(f"(?<=[{_HAN}])[ \t]*\n\\s*(?=[{_HAN}])")
_SPACES = re.compile(r"[ \t\n\r\f]+")
_NO_WIDTH = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")
_SENTENCE_END = re.compile(r"[。；;]\s*$")
_MAX_HEADING = 120  # letters; more is a paragraph that somebody wanted to be large
_SUPERSCRIPT = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")
_MAX_POWER = 8  # letters and digits
_FILE_NAME = re.compile(r"(?:.*\.(?:png|jpe?g|gif|webp|svg|bmp)|img|image|图片|图像|picture|photo)", re.IGNORECASE)
_MANY_LINKS = 3  # a paragraph of an encyclopedia has more, and would drown in addresses
_LONG_ADDRESS = 200
_DOMAINS = frozenset(["com", "cn", "net", "org", "gov", "edu", "ac", "co", "info", "top", "xyz", "example"])
_LINK_BLOCK = 0.9  # of its letters
_BUTTON_WITH_TEXT = 10  # letters


class _Alternative(str):
    """The description of a picture, in place of the picture."""


class _Address(str):
    """Where the link leads whose text stands before it."""


@dataclass(slots=True)
class _Frame:
    """An element that says what the text in it becomes; a `number` belongs to the first block only."""

    tag: str
    kind: str
    level: int = 0
    number: str = ""
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class _End:
    """The end of an element that has been entered."""

    element: Element
    has_frame: bool
    is_block: bool
    flushes: int
    position: int


class Walk:
    """Writes the blocks of elements in reading order."""

    def __init__(
        self,
        writer: BlockWriter,
        *,
        furniture: Mapping[Element, str] | None = None,
        all_links: bool = False,
        title: str = "",
        site: str = "",
    ) -> None:
        """`furniture` are elements to leave out, with the reason; `title` is that of the page, to know its repetitions.

        With `all_links` every link is followed by its address, else only those in the prose of a page that lead to
        another site than its own.
        """
        self._writer = writer
        self._furniture = furniture or {}
        self._all_links = all_links
        self._title = title
        self._site = site
        self._buffer: list[str] = []
        self._frames: list[_Frame] = []
        self._terms: list[str] = []
        self._flushes = 0
        self._lists: list[tuple[Element, int]] = []

    def run(self, root: Element) -> None:
        """Write what is in an element. Needs no recursion because trees can be deeper than Python's stack."""
        waiting: list[Element | str | _End] = list(reversed(root.children))
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                self._buffer.append(_collapsed(one))
            elif isinstance(one, _End):
                self._leave(one)
            elif not self._is_left_out(one) and not self._is_writtenwhole(one):
                waiting.append(self._enter(one))
                waiting.extend(reversed(one.children))
        self._flush()
        self._flush_terms()

    def _is_left_out(self, element: Element) -> bool:
        """Whether an element is not part of the text; what it says goes to the report."""
        tag = element.tag
        if _is_formula(element):
            return False
        if tag in _SILENT or _is_mark(element):
            return True
        if element in self._furniture:
            reason = self._furniture[element]
        elif element.is_hidden or tag in NO_TEXT or _repeats_formula(element):
            reason = "hidden text"
        elif tag in _CONTROLS or (tag == "button" and not _is_button_with_text(element)):
            reason = "menu"
        else:
            return False
        if tag in BLOCKS:
            self._flush()
        self._writer.leave_out(shown_text(element), reason)
        return True

    def _is_writtenwhole(self, element: Element) -> bool:
        """Whether an element is something that is written at once, and is now written."""
        tag = element.tag
        if tag == "br":
            self._buffer.append("\n")
        elif tag == "img":
            self._picture(element)
        elif tag == "input":
            if element.get("type").lower() in ("checkbox", "radio"):
                self._buffer.append("☑ " if "checked" in element.attributes else "☐ ")
        elif tag == "math" or _is_formula(element):
            self._formula(element)
        elif tag == "pre":
            self._flush()
            self._preformatted(element)
        elif tag == "table" and is_data_table(element):
            self._flush()
            self._table(element)
        else:
            return False
        return True

    def _enter(self, element: Element) -> _End:
        is_block = element.tag in BLOCKS or bool(_BLOCK_STYLE.search(element.get("style")))
        if is_block:
            self._flush()
        frame = self._frame(element)
        if frame:
            self._frames.append(frame)
        if element.tag in ("ol", "ul", "menu", "dir"):
            self._lists.append((element, _first_number(element)))
        elif element.tag == "a" and self._buffer and isinstance(self._buffer[-1], _Address):
            self._buffer.append(" ")  # links side by side are apart on the page
        elif element.tag == "rt":
            self._buffer.append("（")
        return _End(element, frame is not None, is_block, self._flushes, len(self._buffer))

    def _leave(self, end: _End) -> None:
        element = end.element
        if end.is_block:
            self._flush()
        if end.has_frame:
            self._frames.pop()
        if element.tag in ("ol", "ul", "menu", "dir"):
            self._lists.pop()
        elif element.tag == "a":
            has_text = end.flushes == self._flushes and any(piece.strip() for piece in self._buffer[end.position :])
            self._buffer.append(_Address(self._address(element) if has_text else ""))
        elif element.tag == "sup" and end.flushes == self._flushes and element.letters <= _MAX_POWER:
            self._superscript(end.position)
        elif element.tag == "rt":
            self._buffer.append("）")
        elif element.tag == "dl":
            self._flush_terms()

    def _frame(self, element: Element) -> _Frame | None:
        tag = element.tag
        if tag in HEADINGS:
            return _Frame(tag, "heading", HEADINGS[tag])
        if tag == "li":
            return _Frame(tag, "item", max(1, len(self._lists)), self._next_number(element))
        if tag in ("dt", "dd", "figcaption", "caption"):
            return _Frame(tag, {"dt": "term", "dd": "description"}.get(tag, "caption"), max(1, len(self._lists) + 1))
        return None

    def _next_number(self, item: Element) -> str:
        """What the next item of the innermost list begins with: its number, or "" in a list without numbers."""
        if not self._lists:
            return ""
        around, number = self._lists[-1]
        if around.tag != "ol":
            return ""
        number = whole(item.get("value"), number)
        self._lists[-1] = (around, number + (-1 if "reversed" in around.attributes else 1))
        style = f"{around.get('style')};{item.get('style')}"
        if _NO_MARKER.search(style) or _OWN_NUMBER.match(_beginning(item)):
            return ""
        if _CHINESE_MARKER.search(style) and 0 < number < 100:
            return f"{chinese(number)}、"
        return f"{_counted(number, item.get('type') or around.get('type'))}{around.get('data-after-number') or '.'}"

    def _flush(self) -> None:
        """Write the text that has been gathered as a block of the kind that the elements around it say."""
        if not self._buffer:
            return
        pieces, self._buffer = self._buffer, []
        self._flushes += 1
        said = "".join(piece for piece in pieces if not isinstance(piece, _Alternative))
        pieces = [one for one in pieces if not (isinstance(one, _Alternative) and one in said)]
        text = clean(self._with_addresses(pieces))
        if not text.strip("☐☑ \n"):
            return
        frame = self._frames[-1] if self._frames else None
        if frame is None:
            alone = all(isinstance(piece, _Alternative) or not piece.strip() for piece in pieces)
            # An empty line made of line breaks parts paragraphs, on pages that have no other way.
            for paragraph in [text] if alone else _EMPTY_LINE.split(self._with_addresses(pieces)):
                self._writer.add("caption" if alone else "paragraph", clean(paragraph))
        else:
            self._write(frame, text)

    def _write(self, frame: _Frame, text: str) -> None:
        item = next((one for one in reversed(self._frames) if one.kind == "item"), None)
        number = item.number if item and not item.is_used else ""
        if frame.kind == "heading":
            if item:
                item.is_used = True
            if len(text) > _MAX_HEADING or _SENTENCE_END.search(text):
                self._writer.paragraph(f"{number} {text}")
            else:
                self._writer.heading(text, frame.level, number)
        elif frame.kind == "caption":
            self._writer.add("caption", text)
        elif frame.kind == "term":
            self._terms.append(text)
        elif frame.kind == "description":
            self._description(text, frame)
        elif frame.is_used:
            self._writer.paragraph(text)
        else:
            frame.is_used = True
            self._writer.item(text, number, frame.level)

    def _description(self, text: str, frame: _Frame) -> None:
        """What is said of a term, after the term, so that it reads by itself."""
        term = "、".join(self._terms)
        self._terms.clear()
        if term and not term.endswith(("：", ":", "？", "?")):
            term += "："
        self._writer.item(f"{term} {text}" if term.isascii() and term else f"{term}{text}", "", frame.level)

    def _flush_terms(self) -> None:
        for term in self._terms:
            self._writer.item(term)
        self._terms.clear()

    def _with_addresses(self, pieces: list[str]) -> str:
        """The text of the pieces, with the addresses of its links if they are few or all are wanted."""
        text = "".join(piece for piece in pieces if not isinstance(piece, _Address))
        addresses = {piece for piece in pieces if isinstance(piece, _Address) and piece}
        if not addresses or (len(addresses) > _MANY_LINKS and not self._all_links):
            return text
        written = {address for address in addresses if _bare_address(address) in text}
        return "".join(
            f"（{piece}）"
            if isinstance(piece, _Address) and piece and piece not in written
            else ""
            if isinstance(piece, _Address)
            else piece
            for piece in pieces
        )

    def _address(self, link: Element) -> str:
        """Where a link leads, if a reader would ask for it; "" if not."""
        target = _SPACES.sub("", link.get("href"))
        scheme = target.partition(":")[0].lower()
        if not target or target.startswith("#"):
            return ""
        if scheme in ("mailto", "tel"):
            return unquote(target.partition(":")[2].partition("?")[0])
        if self._all_links:
            path = target.partition("#")[0].partition("?")[0]
            is_document = path.lower().endswith((".md", ".markdown")) and "://" not in target
            return "" if scheme == "javascript" or is_document else _readable(target)
        if scheme not in ("http", "https") or len(target) > _LONG_ADDRESS or _is_in_list_of_links(link):
            return ""
        if site_of(target) in ("", self._site):
            return ""
        return _readable(target)

    def _picture(self, image: Element) -> None:
        self._inline_picture(image.get("src"))
        alternative = _collapsed(image.get("alt")).strip()
        name = unquote(urlsplit(image.get("src")).path if "://" in image.get("src") else image.get("src"))
        stem = name.rpartition("/")[2].rpartition(".")[0]
        if _FILE_NAME.fullmatch(alternative) or (alternative and alternative == stem):
            self._writer.leave_out(alternative, "hidden text")
        elif len(alternative) > 4 and alternative in self._title:
            self._writer.leave_out(alternative, "repeated title")
        elif alternative.startswith("{\\displaystyle"):
            self._buffer.append(tex(alternative))
        elif alternative:
            self._buffer.append(_Alternative(alternative))

    def _inline_picture(self, source: str) -> None:
        """Keep a picture that the page itself holds; none is ever fetched."""
        head, _, content = source.partition(",")
        if head.startswith("data:image/") and head.endswith(";base64") and len(content) < 2 * MAX_BYTES:
            with contextlib.suppress(ValueError):
                data = b64decode(unquote(content))
                if worth_showing(data):
                    self._writer.picture(data)

    def _formula(self, element: Element) -> None:
        """A formula: within its line, or as a block if it has a line of its own."""
        is_math = element.tag == "math"
        text = formula(element) if is_math else tex(element.text)
        if element.get("display") == "block" or "mode=display" in element.get("type"):
            self._flush()
            self._writer.add("formula", clean(text))
        else:
            self._buffer.append(text)

    def _superscript(self, position: int) -> None:
        """Make the text from a position of the buffer a power, which must not become part of the number before it."""
        text = "".join(self._buffer[position:]).strip()
        raised = text.translate(_SUPERSCRIPT)
        is_power = all(ord(letter) in _SUPERSCRIPT for letter in text)
        self._buffer[position:] = [raised if is_power else text]

    def _preformatted(self, element: Element) -> None:
        """Code as it stands; prose that only keeps its line breaks becomes paragraphs."""
        text = "".join(_lines(element))
        letters = [c for c in text if c.isalpha()]
        if re.fullmatch(r"\s*\d+(?:\s+\d+)+\s*", text):
            self._writer.leave_out(text, "line number")
        elif 2 * sum("\u3400" <= c <= "\u9fff" for c in letters) > len(letters) and "。" in text:
            for paragraph in re.split(r"\n\s*\n", text):
                self._writer.paragraph(paragraph)
        else:
            self._writer.code(text)

    def _table(self, table: Element) -> None:
        for child in table.children:
            if isinstance(child, Element) and child.tag == "caption":
                self._writer.add("caption", clean(self._inner(child)))
        self._writer.table(*grid_of(table, self._inner))

    def _inner(self, element: Element) -> str:
        """The text of a cell or a caption; what was left out in it is left out here."""
        around: Element | None = element
        while around is not None and around.tag != "table":
            if self._is_left_out(around):
                return ""
            around = around.parent
        writer = BlockWriter()
        walk = Walk(writer, furniture=self._furniture, all_links=self._all_links, title=self._title, site=self._site)
        walk.run(element)
        parsed = writer.parsed()
        for one in parsed.left_out:
            self._writer.leave_out(one.text, one.reason)
        for picture in parsed.pictures:
            self._writer.picture(picture.data)
        return walk.text

    @property
    def text(self) -> str:
        """The text that has been written, one line per block."""
        return re.sub(r"\n+", "\n", self._writer.parsed().text)


def shown_text(element: Element) -> str:
    """The text in an element, without scripts."""
    pieces = []
    waiting: list[Element | str] = [element]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            pieces.append(one)
        elif one.tag not in _SILENT:
            if one.tag in BLOCKS or one.tag in ("a", "option", "br"):
                pieces.append(" ")
            waiting.extend(reversed(one.children))
    return _SPACES.sub(" ", "".join(pieces)).strip()


def site_of(address: str) -> str:
    """The name that all addresses of a site share: example for https://news.example.com.cn/; "" if there is none."""
    host = urlsplit(address).hostname if address.startswith(("http://", "https://", "//")) else None
    names = [name for name in (host or "").split(".") if name]
    while len(names) > 1 and (names[-1] in _DOMAINS or len(names[-1]) == 2):
        names.pop()
    return names[-1] if host and "." in host else ""


def _collapsed(text: str) -> str:
    """Text with single spaces, and none where a line of the source breaks between Chinese characters."""
    return _SPACES.sub(" ", _BREAK_IN_HAN.sub("", text.translate(_NO_WIDTH)))


def _lines(element: Element) -> Iterator[str]:
    """The text of an element with its line breaks as they stand."""
    waiting: list[Element | str] = [element]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif one.tag == "br":
            yield "\n"
        elif not one.is_hidden and one.tag not in NO_TEXT:
            waiting.extend(reversed(one.children))


def _beginning(element: Element) -> str:
    """The first letters of an element."""
    return next((text.strip() for text in element.texts() if text.strip()), "")[:20]


def _is_button_with_text(button: Element) -> bool:
    """Whether a button is what opens an answer, as in lists of questions, and not a command."""
    around = button.parent
    return button.letters >= _BUTTON_WITH_TEXT or (
        around is not None and (around.tag in HEADINGS or around.tag in ("summary", "dt"))
    )


def _repeats_formula(element: Element) -> bool:
    """Whether an element shows to the eye the formula that stands before it as MathML."""
    around = element.parent
    if element.get("aria-hidden") != "true" or around is None or len(around.children) > 3:
        return False
    first = around.children[0]
    return isinstance(first, Element) and first is not element and any(one.tag == "math" for one in first.elements())


def _is_formula(element: Element) -> bool:
    """Whether an element is a script with TeX in it, as MathJax keeps it."""
    return element.tag == "script" and element.get("type").startswith("math/tex")


def _is_mark(element: Element) -> bool:
    """Whether an element is only a sign that links to the heading beside it."""
    return element.tag == "a" and not element.letters and element.get("href").startswith("#")


def _is_in_list_of_links(link: Element) -> bool:
    """Whether the block around a link is nothing but links, and stands among others of its kind."""
    block = link.parent
    while block is not None and block.tag not in BLOCKS:
        block = block.parent
    if block is None or block.link_letters < _LINK_BLOCK * block.letters:
        return False
    around = block.parent
    return block.links > 1 or (around is not None and around.links > 2 and 2 * around.link_letters > around.letters)


def _readable(address: str) -> str:
    """An address with its Chinese letters as people write them."""
    decoded = re.sub(r"(?:%[89A-Fa-f][0-9A-Fa-f])+", lambda found: unquote(found[0]), address)
    return address if "\ufffd" in decoded else decoded


def _bare_address(address: str) -> str:
    """An address without its scheme and the slash at its end, as people write it."""
    return re.sub(r"^https?://(?:www\.)?", "", address).rstrip("/")


def _first_number(around: Element) -> int:
    """The number of the first item of a list."""
    if "reversed" in around.attributes:
        items = sum(isinstance(child, Element) and child.tag == "li" for child in around.children)
        return whole(around.get("start"), items)
    return whole(around.get("start"), 1)


def _counted(number: int, kind: str) -> str:
    """A number in the way that the `type` of a list says: 1, a, A, i or I."""
    if kind in ("a", "A") and number > 0:
        letters = ""
        while number:
            number, rest = divmod(number - 1, 26)
            letters = chr(ord(kind) + rest) + letters
        return letters
    if kind in ("i", "I") and 0 < number < 50:  # no list has more items with such numbers
        return roman(number) if kind == "I" else roman(number).lower()
    return str(number)
