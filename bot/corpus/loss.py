"""What became of the letters of a document: how many are in passages, and how many were left out, by reason."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.corpus.passages import HEADING_SEPARATOR
from bot.text.fold import fold
from bot.types import Document, LeftOut, Passage

# A run names a document of which a smaller share became passages: the law of loss (design.md 4).
ENOUGH = 2 / 3
# What readers leave out, in Chinese; in English it is called as here.
_REASONS = {
    "running head": "页眉页脚",
    "page number": "页码",
    "contents table": "目录",
    "menu": "菜单",
    "hidden text": "隐藏文字",
    "repeated title": "重复的题目",
    "advertisement": "广告",
    "form control": "表单控件",
    "deletion": "修订删除",
    "comment": "批注",
    "line number": "行号",
    "comments": "评论",
    "section number": "章节编号",
    "chapter mark": "章节标记",
    "watermark": "水印",
    "ornament": "装饰符号",
    "caption": "图片说明",
    "picture name": "图片名",
    "not cut": "未切分",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """Letters and digits of a document: all of them, those that are searched, and those left out, by reason.

    What is neither searched nor left out for a reason would be a fault of the reader or of the cutting.
    """

    letters: int
    kept: int
    left_out: Mapping[str, int]

    @property
    def share(self) -> float:
        """The share of the letters that is searched, from 0 to 1; 0 for a document without letters."""
        return self.kept / self.letters if self.letters else 0.0

    @property
    def reasons(self) -> str:
        """What is not searched, in words: each reason in Chinese and English, with its letters."""
        other = self.letters - self.kept - sum(self.left_out.values())
        counts = Counter(self.left_out) + Counter({"not cut": other})
        return ", ".join(f"{reason_in_words(reason)} {count}" for reason, count in counts.most_common() if count)

    def __str__(self) -> str:
        """The share and the reasons, in Chinese and English."""
        share = f"{math.floor(100 * self.share)}%" if self.kept else "没有内容 / nothing"
        return f"{share} 成为段落 / became passages" + (f" ({self.reasons})" if self.reasons else "")

    @property
    def is_much(self) -> bool:
        """Whether so much is missing that the user has to know."""
        return self.kept == 0 or self.share < ENOUGH


def loss(document: Document, passages: Sequence[Passage]) -> Loss:
    """The letters of a document that `passages`, which were cut from it, hold in their texts, headings and titles."""
    left_out = letters_by_reason(document.left_out)
    text, place = document.text, 0
    lost = 0
    for start, end in [*kept_spans(document, passages), (len(text), len(text))]:
        lost += letters(text[place:start])  # mostly the white space between blocks
        place = end
    in_blocks = letters(text)
    return Loss(in_blocks + left_out.total(), in_blocks - lost, left_out)


def letters_by_reason(left_out: Iterable[LeftOut]) -> Counter[str]:
    """How many letters were left out for each reason."""
    found: Counter[str] = Counter()
    for one in left_out:
        found[one.reason] += letters(one.text)
    return found


def kept_spans(document: Document, passages: Sequence[Passage]) -> Iterator[tuple[int, int]]:
    """What of the document's text is in passages, or in their headings or title; in order, nothing twice."""
    headings = {part for heading in {one.heading for one in passages} for part in heading.split(HEADING_SEPARATOR)}
    title = fold(document.title)
    fields = []
    for block in document.blocks:
        text = document.text[block.start : block.end]
        is_title = len(text) <= 2 * len(title) and fold(text) == title  # long texts are not folded, to save time
        if passages and (is_title or (block.kind == "heading" and text in headings)):
            fields.append((block.start, block.end))
    reached = 0
    for start, end in sorted([*((one.start, one.end) for one in passages), *fields]):
        if end > reached:
            yield max(start, reached), end
            reached = end


def reason_in_words(reason: str, between: str = " ") -> str:
    """A reason why something was left out, in Chinese and English."""
    return f"{_REASONS[reason]}{between}{reason}" if reason in _REASONS else reason


def letters(text: str) -> int:
    """How many letters and digits a text has."""
    return sum(map(str.isalnum, text))
