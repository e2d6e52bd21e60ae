"""Article to passages: cut on sentence borders, headings carried apart, offsets exact.

Knows nothing of files or of the index. Everything of an article is in a passage, is its title or a heading, or is named
in the list of dropped lines.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bot.text import fold, sentences
from bot.types import Article, Passage

# The largest of 200, 300, 400 and 500 characters was the best on every visible set but one (scripts/EXPERIMENTS.md).
DEFAULT_SIZE = 500
MAX_HEADING = 40
HEADING_SEPARATOR = " › "
# A line is junk when it stands this often in one article: sites repeat their headline between sections.
MIN_REPEATS = 3

_MARKDOWN_HEADING = re.compile(r"(?P<level>#{1,6})\s+(?P<heading>.*)")
_SECTION_NUMBER = re.compile(r"(?:0?\d{1,2}|[一二三四五六七八九十]{1,3}|[IVXⅠ-Ⅻ]{1,4})[.、．]?")
_NUMBERED_HEADING = re.compile(
    r"(?:第[一二三四五六七八九十百\d]+[章节篇部编回]|[一二三四五六七八九十]{1,3}、|【[^】]+】$)"
)
_CAPTION = re.compile(r"(?:图为|图[:：]|图\s?\d+[:：]|图源|图片来源|[（(]图|[▲△▼↑↓]|\S{0,12}\s?[/／]摄)")
_NAVIGATION = re.compile(
    r"(?:快捷搜索|当前位置|您的位置|相关阅读|上一篇|下一篇|分享到|扫一扫|首页\s*[>»|｜/]|home\s*[>»|/]|skip to)",
    re.IGNORECASE,
)
_SENTENCE_MARK = re.compile("[。！？!?…；;]")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that is in no passage: where it stands, and why: `repeated`, `navigation`, `caption`, ..."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    kind: str  # body, heading, title or the reason for which it is dropped
    heading: str = ""
    level: int = 1


def cut(article: Article, size: int = DEFAULT_SIZE) -> tuple[list[Passage], list[Dropped]]:
    """The passages of an article in reading order, and the lines that became no passage.

    A passage has at most `size` characters. Paragraphs stay whole where they fit, neighbours in one section are joined
    while they fit, and a longer one is cut at sentence borders with one sentence of overlap.
    """
    passages: list[Passage] = []
    dropped: list[Dropped] = []
    above: list[_Line] = []  # the headings that the current line stands under, the outermost first
    idle: list[_Line] = []  # headings that no passage carries yet
    run: list[tuple[int, int]] = []

    def flush() -> None:
        if run:
            heading = HEADING_SEPARATOR.join(line.heading for line in above)
            passages.extend(_passage(article, heading, start, end) for start, end in _pack(article.text, run, size))
            idle[:] = [line for line in idle if line not in above]
            run.clear()

    for line in _classify(article):
        if line.kind == "body":
            run.append((line.start, line.end))
            continue
        flush()
        if line.kind == "heading":
            above = [*(x for x in above if x.level < line.level), line]
            idle.append(line)
        elif line.kind != "title":
            dropped.append(Dropped(line.start, line.end, line.kind))
    flush()
    dropped.extend(Dropped(line.start, line.end, "heading without text") for line in idle)
    return passages, dropped


def _passage(article: Article, heading: str, start: int, end: int) -> Passage:
    text = article.text[start:end]
    # The same text at the same place keeps its id from one generation to the next.
    identity = hashlib.sha256(f"{article.id}\0{start}\0{text}".encode()).hexdigest()[:16]
    return Passage(identity, article.id, article.title, heading, text, start, end)


def _classify(article: Article) -> Iterator[_Line]:
    spans = [(m.start(), m.end()) for m in re.finditer(r"[^\s\n](?:[^\n]*[^\s])?", article.text)]
    texts = [article.text[start:end] for start, end in spans]
    repeats = Counter(fold(text) for text in texts)
    title = fold(article.title)
    number_before = False
    for index, ((start, end), text) in enumerate(zip(spans, texts, strict=True)):
        following = texts[index + 1] if index + 1 < len(texts) else ""
        markdown = _MARKDOWN_HEADING.fullmatch(text)
        if title and fold(markdown["heading"] if markdown else text) == title:
            yield _Line(start, end, "title" if index < 5 else "repeated")
        elif markdown:
            yield _Line(start, end, "heading", markdown["heading"].strip(), len(markdown["level"]))
        elif (repeats[fold(text)] >= MIN_REPEATS and len(text) >= 4) or not re.search(r"\w", text):
            yield _Line(start, end, "repeated" if re.search(r"\w", text) else "ornament")
        elif _NAVIGATION.match(text) and len(text) <= 100 and not _SENTENCE_MARK.search(text):
            yield _Line(start, end, "navigation")
        elif _CAPTION.match(text) and len(text) <= 80 and not text.endswith("。"):
            yield _Line(start, end, "caption")
        elif _SECTION_NUMBER.fullmatch(text) and (not following or _may_be_heading(following)):
            yield _Line(start, end, "section number")
            number_before = True
            continue
        elif _may_be_heading(text) and following and (number_before or _NUMBERED_HEADING.match(text)):
            yield _Line(start, end, "heading", text)
        else:
            yield _Line(start, end, "body")
        number_before = False


def _may_be_heading(line: str) -> bool:
    return len(line) <= MAX_HEADING and not re.search("[。;；,，]", line)


def _pack(text: str, paragraphs: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Join neighbours while they fit into `size`; cut what alone is longer."""
    start = end = -1
    for left, right in paragraphs:
        if start >= 0 and right - start <= size:
            end = right
            continue
        if start >= 0:
            yield start, end
            start = -1
        if right - left > size:
            yield from _split(text, left, right, size)
        else:
            start, end = left, right
    if start >= 0:
        yield start, end


def _split(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Windows of whole sentences of about equal length, each beginning with the last sentence of the one before."""
    pieces = [piece for left, right in sentences(text, start, end) for piece in _hard_cut(text, left, right, size)]
    target = (end - start) / math.ceil((end - start) / size)
    first = 0
    while first < len(pieces):
        last = first
        while last + 1 < len(pieces) and pieces[last + 1][1] - pieces[first][0] <= size:
            if pieces[last][1] - pieces[first][0] >= target and pieces[-1][1] - pieces[last][0] <= size:
                break  # long enough, and all that is left fits into the next window
            last += 1
        yield pieces[first][0], pieces[last][1]
        if last + 1 == len(pieces):
            return
        overlaps = last > first and pieces[last + 1][1] - pieces[last][0] <= size
        first = last if overlaps else last + 1


def _hard_cut(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """A sentence as it is, or in parts of at most `size` characters, after a comma or a space where there is one."""
    while end - start > size:
        border = max(text.rfind(mark, start + size // 2, start + size) for mark in ",，、;； ")
        stop = border + 1 if border >= 0 else start + size
        yield start, stop
        start = stop
    if start < end:
        yield start, end
