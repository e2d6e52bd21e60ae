"""The search form of text: differences of width, case, script, accents and invisible characters are removed.

Everything that compares text (index, queries, evidence) folds it with this one function, so that both sides always
agree. The original text is never changed.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from opencc import OpenCC

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff々〇"
HAN_WORD = re.compile(f"[{HAN}]+")
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]")


class _FoldTable(dict[int, str]):
    """Character -> folded characters, filled on demand."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_character(chr(code))
        return folded


@cache
def _traditional_to_simplified() -> OpenCC:
    import opencc

    return opencc.OpenCC("t2s")


def _fold_character(character: str) -> str:
    if _INVISIBLE.match(character) or (ord(character) < 32 and character not in "\t\n\r"):
        return ""
    folded = unicodedata.normalize("NFKC", character).casefold()
    decomposed = unicodedata.normalize("NFKD", folded)
    if decomposed[:1] < "\u0530":  # Latin, Greek and Cyrillic lose accents, pinyin loses tones: hé féi -> he fei
        return "".join(c for c in decomposed if not unicodedata.combining(c))
    return "".join(_traditional_to_simplified().convert(c) if HAN_WORD.match(c) else c for c in folded)


_FOLD = _FoldTable()


# Code -> code for characters that fold to one character; 0 for the others and for those not seen yet.
_FOLD_TO_ONE = np.zeros(0x10000, dtype=np.uint32)
_SHORT = 80  # characters; above this the array is faster than str.translate


def fold(text: str) -> str:
    """The search form of `text`: NFKC, lower case, simplified script, without accents and invisible characters.

    Each character is folded by itself, so that it always folds the same way, whatever its neighbours are.
    """
    if len(text) <= _SHORT:
        return text.translate(_FOLD)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    try:
        folded = _FOLD_TO_ONE[codes]
    except IndexError:  # rare characters beyond 16 bits
        return text.translate(_FOLD)
    others: set[int] = set()
    if not folded.all():
        others = set(codes[folded == 0].tolist())
        for code in others:
            if len(_FOLD[code]) == 1:
                _FOLD_TO_ONE[code] = ord(_FOLD[code])
        folded = np.where(folded == 0, codes, folded)
    whole = folded.tobytes().decode("utf-32-le", "surrogatepass")
    for code in others:  # safe in any order: no folded character is itself changed by folding
        whole = whole.replace(chr(code), _FOLD[code])
    return whole


def unfolded(text: str, start: int, end: int) -> tuple[int, int]:
    """The offsets in the text of what is `fold(text)[start:end]`."""
    ends = list(accumulate(len(fold(character)) for character in text))
    return bisect_right(ends, start), bisect_left(ends, end) + 1


def is_chinese(text: str) -> bool:
    """Whether the text contains a Han character."""
    return HAN_WORD.search(text) is not None


def language(folded: str) -> str:
    """The language of a question, zh or en; it decides the language of the answer and the weights that judge it."""
    return "zh" if is_chinese(folded) else "en"
