"""Letters of a PDF with their places and sizes, and what makes them true where fonts are not.

All places are in points, turned so that most of the text of a page reads from left to right; y grows upwards.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from bot.text.encoding import MIN_SCORE, score

_NARROW = set("０１２３４５６７８９％．／＠＋－＝＜＞＿＆＃＊［］") | {
    chr(code) for code in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_MIN_PAIRS = 5  # of letters of a font that show how wide it is
_OVERLAPPING = 0.75  # the distance between Chinese letters, against their size, that would make them overlap
_HIGH = re.compile("[\x80-\xff]")
_CONTROL = re.compile("[\x7f-\x9f]")
_MOJIBAKE = 0.3  # the share of letters from U+0080 to U+00FF that no European text reaches


class Glyph(NamedTuple):
    """A letter: from `left` to `right` on the line at height `base`; `spaced` if white space comes before it."""

    text: str
    left: float
    right: float
    base: float
    size: float
    bold: bool
    spaced: bool
    font: int = 0


def measured(glyphs: list[Glyph]) -> list[Glyph]:
    """The letters with their true size where a font draws them smaller than it says, and narrow letters as such.

    Founder's fonts have Chinese letters of half the size that they declare, and Latin ones under full-width codes.
    """
    pitches: dict[tuple[int, int], list[float]] = defaultdict(list)
    for one, after in pairwise(glyphs):
        if (
            "\u3400" <= one.text <= "\u9fff"
            and one.font == after.font
            and one.base == after.base
            and after.left > one.left
        ):
            pitches[one.font, round(one.size)].append((after.left - one.left) / (one.size or 1.0))
    scales: dict[tuple[int, int], float] = {}
    for font, its in pitches.items():
        usual = sorted(its)[len(its) // 5]  # not the mean, because justified lines are spread
        if len(its) >= _MIN_PAIRS and usual < _OVERLAPPING:
            scales[font] = usual
    if not scales and not any("\uff01" <= glyph.text <= "\uff5e" for glyph in glyphs):
        return glyphs
    found = []
    for glyph in glyphs:
        width = glyph.right - glyph.left
        if glyph.text in _NARROW and width < 0.9 * glyph.size:
            glyph = glyph._replace(text=plain(glyph.text))
        if scale := scales.get((glyph.font, round(glyph.size))):
            glyph = glyph._replace(size=glyph.size * scale, right=glyph.left + width * scale)
        found.append(glyph)
    return found


def plain(text: str) -> str:
    """The usual form of a letter: 一 for the radical ⼀, a for ａ."""
    return unicodedata.normalize("NFKC", text)


def decoded(glyphs: list[Glyph]) -> list[Glyph]:
    """The letters of a page, those put together that are the two bytes of one Chinese letter in GBK.

    Fonts that are not embedded say WinAnsi (cp1252) of such bytes. All stay as they are if they do not read better.
    """
    high = len(_HIGH.findall("".join([glyph.text for glyph in glyphs])))
    if not high or high < _MOJIBAKE * len(glyphs):
        return glyphs
    found: list[Glyph] = []
    place = 0
    while place < len(glyphs):
        one = glyphs[place]
        other = glyphs[place + 1] if place + 1 < len(glyphs) else None
        letter = _of_bytes(one.text, other.text) if other and not other.spaced else ""
        if other and letter:
            found.append(one._replace(text=letter, right=other.right))
        else:
            found.append(one)
        place += 2 if letter else 1
    after = "".join(glyph.text for glyph in found)
    return found if score(after) >= max(MIN_SCORE, score("".join(one.text for one in glyphs))) else glyphs


def with_bullets(glyphs: list[Glyph]) -> list[Glyph]:
    """The letters, those with the code of a control sign as what fonts draw for it, which is a bullet as a rule."""
    if not _CONTROL.search("".join([glyph.text for glyph in glyphs])):
        return glyphs
    return [glyph._replace(text="•") if _CONTROL.match(glyph.text) else glyph for glyph in glyphs]


def _of_bytes(first: str, second: str) -> str:
    """The Chinese letter of two bytes in GBK that were read as cp1252; "" if they are none."""
    pair = b""
    for text in (first, "\xad" if second == "-" else second):  # PDFium takes this byte for a hyphen
        try:
            pair += text.encode("cp1252")
        except UnicodeEncodeError:
            if len(text) > 1 or text > "\xff":
                return ""
            pair += text.encode("latin-1")
    if pair[0] < 0x81 or len(pair) != 2:
        return ""
    try:
        return pair.decode("gb18030")
    except UnicodeDecodeError:
        return ""
