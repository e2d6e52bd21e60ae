"""Lines of a PDF become paragraphs, headings and items again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bot.corpus.readers.pdf.layout import Line, Table, seam
from bot.types import BlockKind

LARGER = 1.12  # letters of a heading are at least this many times as large as those of the text below it
_LONGEST = 60  # letters of a heading
_LONGEST_BOLD = 40
_MAX_LINES = 3
_INDENTED = 0.05  # the share of lines that begin paragraphs in a document that indents these
_MIN_INTERRUPTED = 30  # letters of a paragraph that goes on in another column
_MAX_BETWEEN = 10  # tables, captions and notes between the parts of a paragraph
_SENTENCE_END = re.compile(r"[。！？!?…：:；;.][”’」』）)\"'\]］\d]*$")
_SENTENCE = re.compile(r"[。！？!?；;，,、…：:][”’」』）)\"']*$")
_FACT = re.compile(r"[^：:]{1,12}[：:]\s*\S")
_CHAPTER = re.compile(r"第\s*[一二三四五六七八九十百零〇\d]+\s*[编篇章节部](?:\s*分)?(?![一-鿿]*[。，；])")
_ARTICLE = re.compile(r"第\s*[一二三四五六七八九十百零〇\d]+\s*条(?:之[一二三四五六七八九十])?")
_NUMBER = re.compile(
    r"[一二三四五六七八九十]{1,3}\s*[、.．]|[(（]\s*[一二三四五六七八九十]{1,3}\s*[)）]|\d{1,2}(?:[.．]\d{1,2}){1,4}(?![\d%％])[.．、]?"
    r"|\d{1,3}\s*[、．]|\d{1,2}\.(?![\da-z])|[(（]\s*\d{1,3}\s*[)）]|\d{1,2}\s*[)）]|[①-⑳]|\d{1,2}(?=\s+[^\s\d])|[\[［]\d{1,3}[\]］]"
)
_BULLET = re.compile(r"[•●○■□◆◇▪❖➢✓✗☑☒★▲△※]\s*|[·–—-]\s+")
_CAPTION = re.compile(
    r"(?:[图表]|附[图表]|Fig(?:ure)?\.?|Table)\s*[\d一二三四五六七八九十]+(?:[-–.．]\d+)*(?=[\s:：.．\u4e00-\u9fff])",
    re.I,
)
# What numbers mean, from the outermost to the innermost.
_KINDS = (
    (re.compile(r"第.*[编篇部]"), 1),
    (re.compile(r"第.*章"), 2),
    (re.compile(r"第.*节"), 3),
    (re.compile(r"[一二三四五六七八九十]+\s*[、.．]"), 4),
    (re.compile(r"[(（]\s*[一二三四五六七八九十]"), 5),
    (re.compile(r"\d+(?:[.．]\d+){3,}"), 9),
    (re.compile(r"\d+(?:[.．]\d+){2}"), 8),
    (re.compile(r"\d+[.．]\d+"), 7),
    (re.compile(r"\d+"), 6),
    (re.compile(r"[(（\d]"), 8),
    (re.compile(r"[①-⑳]"), 9),
)
_OUTER = re.compile(r"[一二三四五六七八九十]+\s*[、.．]|\d+[.．]\d+$")
_DATE = re.compile(r"[\d一二三四五六七八九十〇○零]{2,4}\s*年[\s\d一二三四五六七八九十月日]*(?:编制|印发|发布)?")
_PLAIN = 4  # where a heading without a number stands among them


@dataclass(slots=True)
class Paragraph:
    """Lines that are one text: a new page begins at each of `breaks`, offsets in `text`."""

    lines: list[Line]
    text: str = ""
    breaks: list[int] = field(default_factory=list)
    kind: BlockKind = "paragraph"
    number: str = ""
    level: int = 0

    def join(self) -> None:
        """Make `text` and `breaks` from the lines."""
        parts = [self.lines[0].text]
        length = len(parts[0])
        for before, line in pairwise(self.lines):
            cut, blank = seam(before.text, line.text)
            if cut:
                parts[-1] = parts[-1][:-1]
            parts += [blank, line.text]
            length += len(blank) - cut
            self.breaks += [length] * (line.page - before.page)
            length += len(line.text)
        self.text = "".join(parts)

    @property
    def page(self) -> int:
        """The page on which it begins, from 0."""
        return self.lines[0].page

    @property
    def size(self) -> float:
        """The size of most of its letters, in points."""
        return max(self.lines, key=lambda line: line.right - line.left).size

    @property
    def bold(self) -> bool:
        """Whether all its lines are mostly bold."""
        return all(line.bold for line in self.lines)


def paragraphs(items: Sequence[Line | Table]) -> list[Paragraph | Table]:
    """The paragraphs and tables of a document, in reading order, each with its kind."""
    _widen(items)
    habits = _habits([item for item in items if isinstance(item, Line)])
    found: list[Paragraph | Table] = []
    for item in items:
        before = found[-1] if found else None
        if isinstance(item, Table):
            found.append(item)
        elif isinstance(before, Paragraph) and _goes_on(before, item, habits):
            before.lines.append(item)
        elif (above := _interrupted(found, item, habits)) is not None:
            above.lines.append(item)
        else:
            found.append(Paragraph([item]))
    for one in found:
        if isinstance(one, Paragraph):
            one.join()
    _classify(found)
    return found


def _widen(items: Sequence[Line | Table]) -> None:
    """Set the right edge of each line's column to where full lines of its size end.

    A column of a page with few lines is as wide as most in the document; letters of small print may go further than
    those of the text.
    """
    lines = [item for item in items if isinstance(item, Line)]
    widths = Counter(round((line.frame[1] - line.frame[0]) / 8) for line in lines if not line.is_fixed)
    usual = 8 * max((width for width, count in widths.items() if count >= max(3, 0.1 * len(lines))), default=0)
    groups: dict[tuple[int, int, bool], list[Line]] = defaultdict(list)
    for line in lines:
        if not line.is_fixed and 0.3 * usual < line.frame[1] - line.frame[0] < usual:
            line.frame = (line.frame[0], line.frame[0] + usual)
        groups[round(line.frame[0] / 8), round(line.size), line.is_fixed].append(line)
    for its in groups.values():
        at_left = sum(line.left - line.frame[0] < 3 * line.size for line in its)
        if 2 * at_left < len(its):  # centred lines say nothing of the edge
            continue
        width = _full_width([line.right - line.frame[0] for line in its], its[0].size)
        for line in its:
            if 0.6 * (line.frame[1] - line.frame[0]) < width:
                line.frame = (line.frame[0], line.frame[0] + width)


def _full_width(rights: list[float], size: float) -> float:
    """Where full lines end: the furthest place near which at least three lines do; 0 without such a place."""
    ordered = sorted(rights, reverse=True)
    least = max(3, len(ordered) // 20)
    return next((a for a, b in zip(ordered, ordered[least - 1 :], strict=False) if a - b <= 1.2 * size), 0.0)


@dataclass(frozen=True, slots=True)
class _Habits:
    """How a document is set: the usual distance of lines in letter sizes, for each size; whether it indents."""

    leading: dict[int, float]
    indents: bool


def _habits(lines: Sequence[Line]) -> _Habits:
    gaps: dict[int, list[float]] = defaultdict(list)
    for above, below in pairwise(lines):
        gap = above.base - below.base
        if above.page == below.page and above.frame == below.frame and 0 < gap < 4 * below.size:
            gaps[round(below.size)].append(gap / below.size)
    indented = sum(1.2 * line.size < line.left - line.frame[0] < 4 * line.size for line in lines)
    leading = {size: sorted(its)[len(its) // 2] for size, its in gaps.items()}
    return _Habits(leading, indented > _INDENTED * len(lines))


def _interrupted(found: list[Paragraph | Table], line: Line, habits: _Habits) -> Paragraph | None:
    """The paragraph that a line at the top of a column continues, past tables, captions and notes between them.

    These are put before the paragraph if it begins on their page.
    """
    for back in range(2, min(len(found), _MAX_BETWEEN) + 1):
        above, between = found[-back], found[len(found) - back + 1 :]
        if not _floats(between[0], line):
            return None
        if not isinstance(above, Paragraph) or _floats(above, line):
            continue
        if len(above.lines) == 1 and len(above.lines[0].text) < _MIN_INTERRUPTED:
            return None
        last = above.lines[-1]
        is_open = not _SENTENCE_END.search(last.text)
        elsewhere = (last.page, last.frame) != (line.page, line.frame)
        if not is_open or not elsewhere or not _goes_on(above, line, habits):
            return None
        if all(one.page == above.page for one in between):
            found[len(found) - back :] = [*between, above]
        return above
    return None


def _floats(one: Paragraph | Table, line: Line) -> bool:
    """Whether a table, a caption or a note in small print may stand between the parts of a paragraph."""
    if isinstance(one, Table):
        return True
    return one.size <= 0.95 * line.size or bool(_CAPTION.match(one.lines[0].text))


def _goes_on(paragraph: Paragraph, line: Line, habits: _Habits) -> bool:
    """Whether a line continues a paragraph."""
    before = paragraph.lines[-1]
    size = max(before.size, line.size)
    if abs(before.size - line.size) > 0.12 * size or not 0 <= line.page - before.page <= 1:
        return False
    same_column = line.page == before.page and abs(line.frame[0] - before.frame[0]) < size
    gap = before.base - line.base
    if same_column and gap > 1.35 * max(1.0, habits.leading.get(round(line.size), 1.5)) * line.size:
        return False
    if len(before.text) == len(line.text) == 1 and same_column and abs(before.left - line.left) < 0.5 * size:
        return line.text.isalpha()  # a title that is written downwards
    if len(before.segments) > 1 or len(line.segments) > 1 or _begins(paragraph, line):
        return False
    if same_column and _is_centred_below(before, line):
        return True
    if not _is_full(before, line) and not (same_column and _is_cut(before, line)):
        return False
    if before.bold != line.bold and len(paragraph.lines) == 1 and _SENTENCE.search(before.text):
        return False
    if _is_indented(before, line):
        # An item or a note of which the other lines hang behind the first.
        hangs = _starts(before.text) or not _SENTENCE_END.search(before.text)
        return len(paragraph.lines) == 1 and same_column and bool(hangs)
    inner = line.left - line.frame[0]
    if abs(inner - (before.left - before.frame[0])) < 0.5 * size and inner > 1.2 * size:
        return not _SENTENCE_END.search(before.text)
    return habits.indents or not _SENTENCE_END.search(before.text)


def _begins(paragraph: Paragraph, line: Line) -> bool:
    """Whether a line begins with a number or a name that shows a new paragraph."""
    before = paragraph.lines[-1]
    if _FACT.match(line.text) and (
        re.search(r"[。；;]$", before.text) or (_FACT.match(before.text) and len(paragraph.lines) == 1)
    ):
        return True
    return _starts(line.text) and (
        not _is_full(before, line)
        or bool(_SENTENCE.search(before.text))
        or _is_indented(before, line)
        or line.left - line.frame[0] > 1.2 * line.size
    )


def _is_centred_below(before: Line, line: Line) -> bool:
    """Whether a line is the second of a title of several lines, each in the middle."""
    same = abs(_centre(before) - _centre(line)) < 0.6 * line.size and before.bold == line.bold
    wide = before.right - before.left > 0.5 * (before.frame[1] - before.frame[0])
    return same and wide and line.left - line.frame[0] > 1.5 * line.size and before.left <= line.left


def _centre(line: Line) -> float:
    return (line.left + line.right) / 2


def _is_indented(before: Line, line: Line) -> bool:
    """Whether a line begins further to the right than the one before it."""
    return (line.left - line.frame[0]) > (before.left - before.frame[0]) + 1.2 * line.size


def _is_full(before: Line, line: Line) -> bool:
    """Whether the next word would not have fitted into a line."""
    free = before.frame[1] - before.right
    word = re.match(r"[!-~]+", line.text)
    needed = 0.55 * before.size * min(25, len(word[0])) + 0.5 * before.size if word else 0.0
    return free < max(2.3 * before.size, needed)


def _is_cut(before: Line, line: Line) -> bool:
    """Whether a line that is nearly full stops in the middle of a sentence and the next goes on at the same place."""
    wide = before.right - before.left > 0.8 * (before.frame[1] - before.frame[0])
    return wide and not _SENTENCE.search(before.text) and line.left <= before.left + 0.3 * line.size


def _starts(text: str) -> bool:
    """Whether a line begins as chapters, articles and items do."""
    return bool(
        _CHAPTER.match(text)
        or _ARTICLE.match(text)
        or _NUMBER.match(text)
        or _BULLET.match(text)
        or _CAPTION.match(text)
    )


def _classify(found: list[Paragraph | Table]) -> None:
    """Give each paragraph its kind: heading, item, caption or paragraph."""
    texts = [one for one in found if isinstance(one, Paragraph)]
    prose = _prose_sizes(texts)
    body = max(prose, key=lambda size: prose[size], default=0.0)
    bold_body = sum(len(one.text) for one in texts if one.bold) > 0.4 * sum(len(one.text) for one in texts)
    above: list[tuple[int, int, bool]] = []  # size, rank and whether numbered, of the headings above
    for place, one in enumerate(found):
        if not isinstance(one, Paragraph):
            continue
        one.number = _number(one.text)
        if _CAPTION.match(one.text) and len(one.text) <= 2 * _LONGEST and not one.text.endswith(("。", "；", "，")):
            one.kind, one.number = "caption", ""
        elif _is_heading(one, _below(found, place, body), prose, bold_body):
            one.kind = "heading"
            style = (round(one.size), _rank(one.number), bool(one.number))
            while above and not _is_above(above[-1], style):
                above.pop()
            above.append(style)
            one.level = min(6, len(above))
        elif one.number:
            one.kind = "item"
            one.level = {5: 2, 8: 2, 9: 3}.get(_rank(one.number), 1)


def _is_above(outer: tuple[int, int, bool], inner: tuple[int, int, bool]) -> bool:
    """Whether a heading of one style may have one of another below it: by numbers if both have one, else by size."""
    if outer[2] and inner[2]:
        return outer[1] < inner[1]
    return outer[0] > inner[0] or (outer[0] == inner[0] and outer[1] < inner[1])


def _prose_sizes(texts: Sequence[Paragraph]) -> dict[int, int]:
    """Sizes in points of which at least a third is running text -> how many letters of it; others make headings."""
    running: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for one in texts:
        size = round(one.size)
        total[size] += len(one.text)
        if len(one.lines) > _MAX_LINES or (len(one.lines) > 1 and one.text.endswith(("。", "；", "."))):
            running[size] += len(one.text)
    most = max(total.values(), default=0)
    return {
        size: count * size
        for size, count in total.items()
        if 3 * running[size] >= count or (not running and count == most)
    }


def _below(found: Sequence[Paragraph | Table], place: int, body: float) -> tuple[float, bool]:
    """The size and weight of the next text that is not in the style of the paragraph at `place`."""
    this = found[place]
    assert isinstance(this, Paragraph)
    for other in found[place + 1 : place + 5]:
        if isinstance(other, Table):
            break
        if round(other.size) != round(this.size) or other.bold != this.bold:
            return other.size, other.bold
        if len(other.text) > _LONGEST:
            return other.size, other.bold
    return body, False


def _is_heading(one: Paragraph, below: tuple[float, bool], prose: dict[int, int], bold_body: bool) -> bool:
    text = one.text
    if len(text) > _LONGEST or len(one.lines) > _MAX_LINES or not re.search(r"[^\W\d_]", text):
        return False
    if re.search(r"[。；;，,！!]$", text) or _ARTICLE.match(text):
        return False
    chapter = _CHAPTER.match(text)
    if chapter and len(text) <= _LONGEST_BOLD:
        return True
    if _FACT.match(text) or _DATE.fullmatch(text):
        return False
    larger = one.size >= LARGER * below[0] and round(one.size) not in prose
    strong = one.bold and not bold_body and not below[1] and len(text) <= _LONGEST_BOLD
    if (larger or strong) and len(one.lines[0].segments) == 1:
        return not _BULLET.match(text) and (bool(one.number) or not text.endswith(("：", ":")))
    # A number alone makes a heading only of the kinds that are hardly used for items.
    return (
        bool(_OUTER.match(one.number))
        and len(one.lines) == 1
        and len(text) <= 30
        and not re.search("[。；;，,？?：:]", text)
    )


def _number(text: str) -> str:
    """The number or bullet that a text begins with; "" without one."""
    for pattern in (_CHAPTER, _ARTICLE, _NUMBER, _BULLET):
        match = pattern.match(text)
        if match and match.end() < len(text):
            return match[0].rstrip()
    return ""


def _rank(number: str) -> int:
    if not number:
        return _PLAIN
    return next((rank for pattern, rank in _KINDS if pattern.match(number)), _PLAIN)
