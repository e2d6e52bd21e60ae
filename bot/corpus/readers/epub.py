"""Books (.epub): the chapters in the order of reading, each read as the web page that it is.

Parsed in a child process. Pages that only list the chapters are left out; the names of the chapters in the book's own
table of contents become headings where the pages have none.
"""

from __future__ import annotations

import codecs
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from posixpath import dirname, join, normpath
from typing import Any
from urllib.parse import unquote

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.archive import check
from bot.corpus.readers.child import in_child
from bot.corpus.readers.images import worth_showing
from bot.errors import ReadError
from bot.text.fold import fold
from bot.types import Block

# Ways to make the letters of fonts unreadable, which do not concern the text.
_OF_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_NAVIGATION = re.compile(r"(?:目\s*[录錄次]|(?:table of )?contents|导航|導航|nav|toc)", re.IGNORECASE)
_LISTED = 0.6  # of the letters of a page that lists the chapters are the names of chapters
_LONG_PARAGRAPH = 500  # letters, those of a passage
_NEAR_TOP = 12  # blocks in which the name of a chapter may stand
# In XHTML every element may be empty as `<title/>`; the rules of HTML would take all that follows for its content.
_EMPTY = re.compile(rb"<([A-Za-z][\w:-]*)((?:\s[^<>]*)?)/>")
_VOID = frozenset(b"area base br col embed hr img input link meta param source track wbr".split())


@dataclass(frozen=True, slots=True)
class _Chapter:
    """A place in the book's table of contents: its name and its depth, from 1."""

    name: str
    level: int


def read(data: bytes) -> Parsed:
    """The text of a book. Raises ReadError E-BOMB, E-PASSWORD and those of in_child."""
    return in_child(__name__, data)


def parse(data: bytes) -> Parsed:
    """The same, in this process. The paths in the archive are only ever names in it, never on the disk."""
    check(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return _Book(archive).parsed()


class _Book:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {normpath(name): name for name in archive.namelist()}
        container = self._xml("META-INF/container.xml")
        package = next((one.get("full-path", "") for one in _all(container, "rootfile")), "")
        self._package = self._xml(package)
        self._folder = dirname(package)
        self._items = {one.get("id", ""): one for one in _all(self._package, "item")}
        self._spine = [
            self._path(self._items[reference.get("idref", "")].get("href", ""))
            for reference in _all(self._package, "itemref")
            if reference.get("idref", "") in self._items
        ]
        self._refuse_locked()

    def parsed(self) -> Parsed:
        """The whole book."""
        title = next((" ".join("".join(one.itertext()).split()) for one in _all(self._package, "title")), "")
        writer = BlockWriter()
        self._cover(writer)
        chapters = self._chapters()
        navigation = {self._path(one.get("href", "")) for one in self._items.values() if _is_navigation(one)}
        pages = [(path, page) for path in dict.fromkeys(self._spine) if (page := self._page(path)) is not None]
        repeated = _repeated(page for _, page in pages)
        for path, page in pages:
            if path in navigation or _lists_chapters(page, chapters):
                writer.leave_out(page.text, "contents table")
                continue
            names = chapters.get(path, [])
            blocks, missing = _with_headings(page, names)
            blocks, running = _without(blocks, page.text, repeated)
            if running:
                writer.leave_out(running, "repeated title")
            for chapter in missing:
                writer.heading(chapter.name, chapter.level)
            writer.append(replace(page, blocks=tuple(blocks)))
        return writer.parsed(title)

    def _path(self, href: str) -> str:
        """The path in the archive of what the package refers to."""
        return normpath(join(self._folder, unquote(href.partition("#")[0])))

    def _bytes(self, path: str) -> bytes:
        name = self._names.get(normpath(path))
        return self._archive.read(name) if name is not None else b""

    def _xml(self, path: str) -> Any:
        from defusedxml.ElementTree import ParseError, fromstring

        data = self._bytes(path)
        try:
            return fromstring(data.removeprefix(codecs.BOM_UTF8).strip())
        except ParseError:
            what = f"the book has no sound {path or 'package'}"
            raise ReadError(
                "E-PARSE", "电子书的目录文件损坏", what, "重新下载，或另存 / download or save it again"
            ) from None

    def _refuse_locked(self) -> None:
        """Raise ReadError if pages of the book are encrypted."""
        if "META-INF/encryption.xml" not in self._names:
            return
        for entry in _all(self._xml("META-INF/encryption.xml"), "EncryptedData"):
            method = next((one.get("Algorithm", "") for one in _all(entry, "EncryptionMethod")), "")
            paths = {normpath(unquote(one.get("URI", ""))) for one in _all(entry, "CipherReference")}
            if method not in _OF_FONTS and paths & set(self._spine):
                raise ReadError(
                    "E-PASSWORD",
                    "电子书有版权保护",
                    "the book is encrypted (DRM)",
                    "用没有加密的版本 / use one without it",
                )

    def _cover(self, writer: BlockWriter) -> None:
        named = {one.get("content", "") for one in _all(self._package, "meta") if one.get("name") == "cover"}
        for key, item in self._items.items():
            if key in named or "cover-image" in item.get("properties", "").split():
                data = self._bytes(self._path(item.get("href", "")))
                if worth_showing(data):
                    writer.picture(data)
                    return

    def _page(self, path: str) -> Parsed | None:
        """A page of the book; None if it has no text, as one with a picture only."""
        from bot.corpus.readers.web import html

        data = self._bytes(path)
        if not path.lower().endswith((".xhtml", ".html", ".htm", ".xml")) or not data.strip():
            return None
        data = _EMPTY.sub(_with_end, data)
        if b"encoding=" not in data[:100] or b"utf-8" in data[:100].lower():
            data = codecs.BOM_UTF8 + data.removeprefix(codecs.BOM_UTF8)
        try:
            page = html.parse(data)
        except ReadError as error:
            if error.code == "E-EMPTY":
                return None
            raise
        return _lines_apart(page) if page.text.strip() else None

    def _chapters(self) -> dict[str, list[_Chapter]]:
        """The names of the chapters by the path of the page on which they begin."""
        found: dict[str, list[_Chapter]] = {}
        for item in self._items.values():
            path = self._path(item.get("href", ""))
            if "nav" in item.get("properties", "").split():
                entries = _of_navigation(self._xml(path))
            elif item.get("media-type") == "application/x-dtbncx+xml":
                entries = _of_ncx(self._xml(path))
            else:
                continue
            for href, chapter in entries:
                page = normpath(join(dirname(path), unquote(href.partition("#")[0])))
                known = found.setdefault(page, [])
                if _NAVIGATION.fullmatch(chapter.name) is None and chapter.name not in [one.name for one in known]:
                    known.append(chapter)
        return found


def _all(element: Any, name: str) -> list[Any]:
    """All elements of a name, in any name space."""
    return [one for one in element.iter() if isinstance(one.tag, str) and one.tag.rpartition("}")[2] == name]


def _is_navigation(item: Any) -> bool:
    return "nav" in item.get("properties", "").split()


def _with_end(match: re.Match[bytes]) -> bytes:
    return match[0] if match[1].lower() in _VOID else b"<%b%b></%b>" % (match[1], match[2], match[1])


def _of_navigation(page: Any) -> Iterator[tuple[str, _Chapter]]:
    """The address and the name of each chapter in the navigation page of EPUB 3."""
    waiting = [(page, 0)]
    while waiting:
        element, depth = waiting.pop()
        name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        if name == "a" and depth and (text := " ".join("".join(element.itertext()).split())):
            yield element.get("href", ""), _Chapter(text, min(6, depth))
        waiting += [(child, depth + (name == "ol")) for child in reversed(element)]


def _of_ncx(page: Any) -> Iterator[tuple[str, _Chapter]]:
    """The same of the table of contents of EPUB 2."""
    waiting = [(page, 0)]
    while waiting:
        element, depth = waiting.pop()
        is_point = isinstance(element.tag, str) and element.tag.rpartition("}")[2] == "navPoint"
        if is_point:
            depth += 1
            label = next((one for one in element if one.tag.rpartition("}")[2] == "navLabel"), None)
            content = next((one for one in element if one.tag.rpartition("}")[2] == "content"), None)
            text = " ".join("".join(label.itertext()).split()) if label is not None else ""
            if text and content is not None:
                yield content.get("src", ""), _Chapter(text, min(6, depth))
        waiting += [(child, depth) for child in reversed(element)]


def _key(text: str) -> str:
    """A text as it is compared: without spaces and marks, in one form."""
    return re.sub(r"[\W_]+", "", fold(text))


def _lists_chapters(page: Parsed, chapters: Mapping[str, Iterable[_Chapter]]) -> bool:
    """Whether a page is a table of contents: most of its letters are the names of several chapters."""
    names = {_key(chapter.name) for entries in chapters.values() for chapter in entries}
    lines = [_key(line) for line in page.text.split("\n")]
    listed = [line for line in lines if line in names]
    return len(listed) > 2 and sum(map(len, listed)) > _LISTED * sum(map(len, lines))


def _lines_apart(page: Parsed) -> Parsed:
    """The page with the lines of long paragraphs as paragraphs: many books end every paragraph with a line break."""
    blocks: list[Block] = []
    for block in page.blocks:
        if block.kind != "paragraph" or block.end - block.start <= _LONG_PARAGRAPH:
            blocks.append(block)
            continue
        start = block.start
        for line in page.text[block.start : block.end].split("\n"):
            if line.strip():
                blocks.append(replace(block, start=start, end=start + len(line)))
            start += len(line) + 1
    return replace(page, blocks=tuple(blocks))


def _with_headings(page: Parsed, chapters: Iterable[_Chapter]) -> tuple[list[Block], list[_Chapter]]:
    """The blocks of a page with the names of its chapters as headings, and the chapters that it does not name."""
    blocks = list(page.blocks)
    keys = [_key(page.text[block.start : block.end]) for block in blocks]
    headings = "".join(key for key, block in zip(keys, blocks, strict=True) if block.kind == "heading")
    missing: list[_Chapter] = []
    for number, chapter in enumerate(chapters):
        key = _key(chapter.name)
        if not key or key in headings:
            continue
        # Only the first chapter of a page stands at its top.
        within = range(len(blocks) if number else min(_NEAR_TOP, len(blocks)))
        found = next((at for at in within if keys[at] == key), None)
        if found is not None:
            blocks[found] = replace(blocks[found], kind="heading", level=chapter.level)
        elif number == 0 and not any(block.kind == "heading" for block in blocks[:_NEAR_TOP]):
            missing.append(chapter)
    return blocks, missing


def _repeated(pages: Iterable[Parsed]) -> str:
    """The heading that stands above most pages of a book, as its title does; "" if there is none."""
    first = [
        page.text[page.blocks[0].start : page.blocks[0].end]
        for page in pages
        if page.blocks and page.blocks[0].kind == "heading"
    ]
    text, times = Counter(first).most_common(1)[0] if first else ("", 0)
    return text if times > 2 and 2 * times > len(first) else ""


def _without(blocks: list[Block], text: str, repeated: str) -> tuple[list[Block], str]:
    """The blocks without the heading that all pages repeat, and that heading if it was there."""
    if repeated and blocks and text[blocks[0].start : blocks[0].end] == repeated:
        return blocks[1:], repeated
    return blocks, ""
