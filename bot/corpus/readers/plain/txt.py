"""Plain text: what its lines are is told by their numbers, their length, and what stands around them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.plain.pasted import table_at
from bot.corpus.titles import is_title
from bot.text.encoding import decode
from bot.text.fold import fold
from bot.text.marks import chapter_of, number_of

_LONGEST_TITLE, _LONGEST_HEADING, _SHORTEST_HEADLINE = 60, 40, 6
_TOP = 5  # lines among which the title is looked for
_ATX = re.compile(r"(#{1,6})\s+(.*?)\s*#*")
_BRACKETED = re.compile("【[^】]{1,38}】")
_SECTION_NUMBER = re.compile(r"0?(\d{1,2})[.、．]?")
_NOT_IN_HEADINGS = re.compile("[。;；,，：:]")
_SENTENCE = re.compile("[。！？!?…；;]")
_CHINESE_LEVEL, _BRACKET_LEVEL = 4, 4
# What stands above the headline of a page that was copied whole, or below its last sentence.
_MENU = re.compile(
    r"(?:快捷搜索|当前位置|您的位置|相关阅读|上一篇|下一篇|分享到|扫一扫|首页\s*[>»|｜/]|home\s*[>»|/]|skip to)",
    re.IGNORECASE,
)
# The caption of a picture that was not copied, where it stands between the repeated headline and a section number.
_CAPTION = re.compile(r"图为|图\s?\d*[:：]|图源|图片来源|[（(]图")
# The first line of a downloaded book that sends its readers elsewhere.
_ADVERTISEMENT = re.compile(
    r"QQ群|加群|微信号|公众号|https?:|www\.|\.com|下载|更多.{0,6}书|好书|电子书|整理制作|TXT", re.IGNORECASE
)
_BOOK = re.compile(r"[\[【《『]\s*(?P<title>[^\]】》』/／]{1,40}?)\s*(?:[/／](?P<author>[^\]】》』]*))?[\]】》』]")
_FRAMED = re.compile(r"\*(?:\s.*)?\s\*|\*{3,}")
# Lines are wrapped at a width if this share of them is that wide and most of these end within a sentence.
_WRAPPED, _NARROWEST = 0.4, 40


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that holds something: its text, whether it follows the one before it directly, and its indentation."""

    text: str
    close: bool
    indent: int = 0


def read(data: bytes) -> Parsed:
    """Headings, items, tables and paragraphs of plain text. Raises ReadError E-EMPTY, E-BINARY and E-ENC."""
    decoded = decode(data)
    lines = _unwrapped(_lines(decoded.text))
    writer = BlockWriter()
    title = _title(lines)
    _Reading(lines, title, writer).write()
    return writer.parsed(title, f"{decoded.damaged} U+FFFD" if decoded.damaged else "")


def _lines(text: str) -> list[_Line]:
    found: list[_Line] = []
    close = False
    for raw in text.split("\n"):
        bare = raw.strip()
        if _FRAMED.fullmatch(bare):
            bare = bare.strip("*").strip()
        if bare:
            found.append(_Line(bare, close, _width(raw) - _width(raw.lstrip())))
        close = bool(bare)
    return found


def _unwrapped(lines: list[_Line]) -> list[_Line]:
    """The lines with those that were wrapped at a fixed width put together again."""
    widths = Counter(_width(line.text) + line.indent for line in lines)
    full = max(widths, key=lambda width: (widths[width] + widths[width - 1], width), default=0)
    long = [line for line in lines if full - 2 <= _width(line.text) + line.indent <= full]
    inside = sum(not _SENTENCE.search(line.text[-2:]) for line in long)
    if full < _NARROWEST or len(long) < max(5, _WRAPPED * len(lines)) or 2 * inside < len(long):
        return lines
    found: list[_Line] = []
    goes_on = False
    for line in lines:
        starts = not line.close or line.indent > 1 or bool(number_of(line.text)[0])
        if goes_on and found and not starts:
            found[-1] = replace(found[-1], text=_joined(found[-1].text, line.text))
        else:
            found.append(line)
        goes_on = _width(line.text) + line.indent >= full - 2
    return found


def _joined(left: str, right: str) -> str:
    latin = left[-1].isascii() and right[0].isascii()
    return f"{left} {right}" if latin else left + right


def _width(text: str) -> int:
    """Columns: two for a Chinese character, one for any other."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _title(lines: Sequence[_Line]) -> str:
    """The headline that a copied page repeats, a book's name in brackets, or the first line if it reads like a title.

    "" if there is none of these.
    """
    texts = [line.text for line in lines]
    top = next((text for text in texts[:_TOP] if not _MENU.match(text)), "")
    if texts.count(top) > 1 and _SHORTEST_HEADLINE <= len(top) <= _LONGEST_TITLE and is_title(top):
        return top
    for text in texts[:_TOP]:
        if book := _BOOK.fullmatch(text):
            return book["title"]
    first = _ATX.sub(r"\2", texts[0]) if texts else ""
    if len(first) > _LONGEST_TITLE or _ADVERTISEMENT.search(first) or not is_title(first):
        return ""
    unfit = re.search("[。；;]|[，,：:]$|[ \u3000]{3}", first) or number_of(first)[0] or len(texts) < 2
    return "" if unfit else first


class _Reading:
    """One pass over the lines of a text, written block by block."""

    def __init__(self, lines: Sequence[_Line], title: str, writer: BlockWriter) -> None:
        self.lines, self.title, self.writer = lines, fold(title), writer
        self.texts = [line.text for line in lines]
        self.headline = next((i for i, text in enumerate(self.texts) if self._is_title(text)), -1)
        sentences = [i for i, text in enumerate(self.texts) if _SENTENCE.search(text)]
        self.last_sentence = sentences[-1] if sentences else len(lines)
        self.sections = _section_numbers(self.texts)
        self.headings = set(_numbered_headings(self.texts))
        # The lines with the empty ones between them, which divide tables.
        self.spaced: list[str] = []
        self.places: list[int] = []
        for line in lines:
            self.spaced += [line.text] if line.close or not self.spaced else ["", line.text]
            self.places.append(len(self.spaced) - 1)
        self.depths: list[str] = []  # the styles of numbers of the list that is open

    def write(self) -> None:
        """Write all blocks."""
        number = 0
        while number < len(self.lines):
            line = self.lines[number]
            table = None if self._is_single(number) else table_at(self.spaced, self.places[number])
            if table:
                self.writer.table(table.grid)
                self.depths.clear()
                end = self.places[number] + table.lines
                while number < len(self.lines) and self.places[number] < end:
                    number += 1
                continue
            self._one(number, line)
            number += 1

    def _is_single(self, number: int) -> bool:
        """Whether a line is certainly no part of a table."""
        return number in self.headings or number in self.sections or len(self.texts[number]) > 200

    def _one(self, number: int, line: _Line) -> None:
        text, writer = line.text, self.writer
        reason = self._furniture(number, text)
        if reason:
            writer.leave_out(text, reason)
        elif level := self._heading_level(number):
            self.depths.clear()
            title, _ = chapter_of(text)
            atx, book = _ATX.fullmatch(text), _BOOK.fullmatch(text)
            writer.heading(atx[2] if atx else title or (book["title"] if book else text), level)
            if book and book["author"]:
                writer.paragraph(book["author"])
            if title and text.startswith("正文"):
                writer.leave_out("正文", "chapter mark")
        elif mark := number_of(text)[0]:
            writer.add("item", text, level=self._depth(text), number=mark, close=line.close)
        elif re.search(r"\w", text):
            self.depths.clear()
            writer.add("paragraph", text, close=line.close)

    def _is_title(self, text: str) -> bool:
        book = _BOOK.fullmatch(text)
        return bool(self.title) and fold(book["title"] if book else text.lstrip("#").strip()) == self.title

    def _furniture(self, number: int, text: str) -> str:
        """Why a line is furniture, by where it stands and what it does; "" if it is text."""
        if number in self.sections:
            return "section number"
        if self._is_title(text) and number > self.headline and len(text) >= _SHORTEST_HEADLINE:
            return "repeated title"
        if _SENTENCE.search(text):
            return ""
        if _MENU.match(text) and (number < self.headline or number > self.last_sentence):
            return "menu"
        framed = number - 1 > self.headline and self._is_title(self.texts[number - 1]) and number + 1 in self.sections
        return "caption" if framed and _CAPTION.match(text) else ""

    def _heading_level(self, number: int) -> int:
        text = self.texts[number]
        if atx := _ATX.fullmatch(text):
            return len(atx[1])
        if number == self.headline:
            return 1
        if number in self.headings:
            return chapter_of(text)[1] or _CHINESE_LEVEL
        if number - 1 in self.sections:
            return 2
        followed = number + 1 < len(self.texts)
        return _BRACKET_LEVEL if followed and _BRACKETED.fullmatch(text) else 0

    def _depth(self, text: str) -> int:
        style = number_of(text)[1]
        if style in self.depths:
            del self.depths[self.depths.index(style) + 1 :]
        else:
            self.depths.append(style)
        return len(self.depths)


def _section_numbers(texts: Sequence[str]) -> set[int]:
    """The lines that are the number of the section whose heading follows.

    They are all the lines that hold only a number, rise by one from 1, and have prose between them: other numbers are
    data.
    """
    found = [(i, int(match[1])) for i, text in enumerate(texts) if (match := _SECTION_NUMBER.fullmatch(text))]
    if not found or [value for _, value in found] != list(range(1, len(found) + 1)):
        return set()
    ends = [i for i, _ in found[1:]] + [len(texts)]
    for (start, _), end in zip(found, ends, strict=True):
        heading = texts[start + 1] if start + 1 < end else "。"
        prose = any("。" in text for text in texts[start + 2 : end])
        if not prose or len(heading) > _LONGEST_HEADING or _NOT_IN_HEADINGS.search(heading):
            return set()
    return {i for i, _ in found}


def _numbered_headings(texts: Sequence[str]) -> Iterator[int]:
    """The lines that begin a chapter, and those numbered 一、 if text follows most of them, not the next number.

    Where the next number follows at once they are the items of a list.
    """
    series: list[int] = []
    for number, text in enumerate([*texts, "第一章"]):
        title, level = chapter_of(text)
        if level and len(title) <= _LONGEST_HEADING and not re.search("[。;；]", title):
            yield from _if_headings(texts, series)
            series = []
            if number + 1 < len(texts):
                yield number
        elif number_of(text)[1] == "chinese":
            if text.startswith("一") and series:
                yield from _if_headings(texts, series)
                series = []
            series.append(number)


def _if_headings(texts: Sequence[str], series: Sequence[int]) -> Iterator[int]:
    short = [i for i in series if len(texts[i]) <= _LONGEST_HEADING and not _NOT_IN_HEADINGS.search(texts[i])]
    followed = [i for i in short[:-1] or short if i + 1 < len(texts) and number_of(texts[i + 1])[1] != "chinese"]
    if short and 2 * len(followed) > len(short[:-1] or short):
        yield from (i for i in short if i + 1 < len(texts))
