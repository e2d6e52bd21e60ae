"""Text as retrieval sees it: folding with offsets kept, sentences, terms, and how rare a term is.

Everything that compares text (the index, the queries, the evidence) folds and cuts it with these functions and no
others, so that both sides always agree. The original characters are never changed: offsets lead back to them.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from bot import segmenter

if TYPE_CHECKING:
    from opencc import OpenCC

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff々〇"
HAN_WORD = re.compile(f"[{HAN}]+")
# An identifier is kept whole: 5g, ppr-9087, v1.2.3, c++, 92.93, 7+n. Letters and digits of any script but Han.
_IDENTIFIER = rf"[^\W_{HAN}]+(?:[-_.+'/][^\W_{HAN}]+)*(?:\+\+|#)?"
_TOKEN = re.compile(rf"(?P<han>[{HAN}]+)|(?P<identifier>{_IDENTIFIER})")
_SENTENCE_END = re.compile(r"""(?:[。！？!?…]+|\.(?=\s|$))[”’"'」』）)》】\]]*|\n+""")
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]")


class _FoldTable(dict[int, str]):
    """Character -> folded characters, filled as characters are met."""

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
    if decomposed[:1] < "\u0530":  # Latin, Greek, Cyrillic lose their accents, pinyin its tones: hé féi -> he fei
        return "".join(c for c in decomposed if not unicodedata.combining(c))
    return "".join(_traditional_to_simplified().convert(c) if HAN_WORD.match(c) else c for c in folded)


_FOLD = _FoldTable()


# Code -> code, of characters that fold to one; 0 of others, and of those that were not met yet.
_FOLD_TO_ONE = np.zeros(0x10000, dtype=np.uint32)
_SHORT = 80  # characters up to which str.translate is as fast; 340 take it 40 us, and 10 us by array


def fold(text: str) -> str:
    """The search form of `text`: NFKC, lower case, simplified script, no accents and no invisible characters.

    Folding is done character by character, so that the same character always folds alike, whatever stands beside it.
    """
    if len(text) <= _SHORT:
        return text.translate(_FOLD)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    try:
        folded = _FOLD_TO_ONE[codes]
    except IndexError:  # rare characters of more than 16 bits
        return text.translate(_FOLD)
    others: set[int] = set()
    if not folded.all():
        others = set(codes[folded == 0].tolist())
        for code in others:
            if len(_FOLD[code]) == 1:
                _FOLD_TO_ONE[code] = ord(_FOLD[code])
        folded = np.where(folded == 0, codes, folded)
    whole = folded.tobytes().decode("utf-32-le", "surrogatepass")
    for code in others:  # nothing folds to a character that itself folds to another
        whole = whole.replace(chr(code), _FOLD[code])
    return whole


def fold_with_offsets(text: str) -> tuple[str, list[int]]:
    """The folded text and, for each of its characters, the offset in `text` that it came from."""
    folded: list[str] = []
    offsets: list[int] = []
    for offset, character in enumerate(text):
        piece = _FOLD[ord(character)]
        folded.append(piece)
        offsets.extend([offset] * len(piece))
    return "".join(folded), offsets


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Half-open offsets of the sentences of `text[start:end]`, without white space at either side.

    A sentence ends after 。！？!?… or a full stop before white space, closing quotes included, or at a line break.
    """
    end = len(text) if end is None else end
    position = start
    while position < end:
        match = _SENTENCE_END.search(text, position, end)
        stop = match.end() if match else end
        left, right = position, stop
        while left < right and text[left].isspace():
            left += 1
        while right > left and text[right - 1].isspace():
            right -= 1
        if left < right:
            yield left, right
        position = stop


def words(folded: str) -> list[str]:
    """Search-mode words of folded text in reading order; an identifier comes whole, then in its parts.

    ppr-9087 gives ppr-9087, ppr and 9087, so that any of them finds it. 上海交通大学 gives itself and its words.
    """
    found: list[str] = []
    for match in _TOKEN.finditer(folded):
        run = match.group()
        if match.lastgroup == "han":
            found.extend(segmenter.cut_for_search(run))
        else:
            found.append(run)
            parts = re.findall(r"\d+|[^\W\d]+", run)
            if len(parts) > 1 and not re.fullmatch(r"[\d.]+", run):
                found.extend(parts)
    return found


def bigrams(folded: str) -> list[str]:
    """Pairs of neighbouring Han characters, and a number with the character after it (7月, 60亿).

    They find what the dictionary cuts elsewhere: names and new words that jieba does not know.
    """
    found: list[str] = []
    for match in HAN_WORD.finditer(folded):
        run = match.group()
        found.extend(run[i : i + 2] for i in range(len(run) - 1))
    found.extend(re.findall(rf"\d+[{HAN}]", folded))
    return found


# Function words of questions, in both languages. Content words never belong here: lists that held 安全 or 决定 made
# full-text search blind to them. Dropped from queries only, so a change needs no new index.
QUESTION_WORDS = frozenset(
    """
    什么 为什么 为何 为啥 怎么 怎样 怎么样 如何 是否 多少 多久 多大 多长 几 哪 哪个 哪些 哪里 哪儿 哪几 哪一 哪位
    哪年 哪天 哪种 谁 何 何时 何地 何人 几个 几位 几种 几年 吗 呢 吧 啊 的 了 是 在 和 与 及 或 被 把 将 对 从 向 由
    于 以 为 为了 而 其 它 他 她 它们 他们 她们 这 那 这个 那个 这些 那些 有 没有 能 会 可以 个 件 位 请 请问 告诉 我
    你 您 我们 一下 关于 之 地 得 着 过 都 也 就 还 又 并 且 到 上 下 中 里 凭什么 属于 叫 叫做 名叫
    a an the of in on at to for from by with and or as is are was were be been being do does did done has have
    had what which who whom whose when where why how many much long that this these those it its he she his her
    their they i you we my your our me can could will would should may might there than then s
    """.split()  # noqa: SIM905  a list literal would take 200 lines
)


def content_words(folded: str) -> list[str]:
    """The words of a folded query that carry its meaning, each once, in order."""
    return [word for word in dict.fromkeys(words(folded)) if word not in QUESTION_WORDS]


def content_bigrams(folded: str) -> list[str]:
    """The bigrams of a folded query, each once; none spans or lies inside a question word (为什么能 gives no 么能)."""
    kept = (word if word not in QUESTION_WORDS else " " for word in _cut(folded))
    return list(dict.fromkeys(bigrams("".join(kept))))


def _cut(folded: str) -> Iterator[str]:
    """The words of folded text and all that lies between them."""
    position = 0
    for match in HAN_WORD.finditer(folded):
        yield folded[position : match.start()]
        yield from segmenter.cut(match.group())
        position = match.end()
    yield folded[position:]


# ln(60 million / 1): what the rarest word of jieba's dictionary scores.
_RAREST = 17.0
# A number or a Latin word is not in jieba's dictionary; as rare as a Chinese word met 600 times in its 60 million.
_OUTSIDE = 0.68


@lru_cache(maxsize=65_536)
def rarity(term: str) -> float:
    """How much it means that a text holds `term`: 0 for the commonest, 1 for a word that the dictionary lacks.

    -ln(frequency / total) over jieba's dictionary, scaled. Unlike a document frequency it does not change with the
    corpus, so a corpus of one article and one of a million weigh a question alike.
    """
    if frequency := segmenter.frequency(term):
        return min(1.0, math.log(segmenter.TOTAL / frequency) / _RAREST)
    if not HAN_WORD.search(term):
        return _OUTSIDE
    return 1.0 if len(term) > 1 else 0.5


def is_chinese(text: str) -> bool:
    """Whether the text holds a Han character."""
    return HAN_WORD.search(text) is not None


def language(folded: str) -> str:
    """The language that a question is answered in, and whose weights judge it: zh or en."""
    return "zh" if is_chinese(folded) else "en"
