"""The terms of folded text: words, identifiers and character pairs, and how rare a term is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache

from bot.text import segmenter
from bot.text.fold import HAN, HAN_WORD

# Identifiers are kept whole: 5g, ppr-9087, v1.2.3, c++, 92.93, 7+n. Letters and digits of any script except Han.
_IDENTIFIER = rf"[^\W_{HAN}]+(?:[-_.+'/][^\W_{HAN}]+)*(?:\+\+|#)?"
_TOKEN = re.compile(rf"(?P<han>[{HAN}]+)|(?P<identifier>{_IDENTIFIER})")


def words(folded: str) -> list[str]:
    """Search-mode words of folded text in reading order; an identifier comes first whole, then in parts.

    ppr-9087 gives ppr-9087, ppr and 9087, so that any of them finds it; 上海交通大学 gives itself and its words.
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
    """Pairs of adjacent Han characters, and numbers with the character after them (7月, 60亿).

    They find what jieba does not know and cuts inconsistently: names and new words.
    """
    found: list[str] = []
    for match in HAN_WORD.finditer(folded):
        run = match.group()
        found.extend(run[i : i + 2] for i in range(len(run) - 1))
    found.extend(re.findall(rf"\d+[{HAN}]", folded))
    return found


# Function words of questions, in both languages. Content words must not be added: lists with 安全 or 决定 made the
# search blind to them. Only queries drop these words, so a change needs no new index.
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
    """The words of a folded query that carry meaning, each once, in order."""
    return [word for word in dict.fromkeys(words(folded)) if word not in QUESTION_WORDS]


def content_bigrams(folded: str) -> list[str]:
    """The bigrams of a folded query, each once; none touches a question word (为什么能 gives no 么能)."""
    kept = (word if word not in QUESTION_WORDS else " " for word in _cut(folded))
    return list(dict.fromkeys(bigrams("".join(kept))))


def _cut(folded: str) -> Iterator[str]:
    """The words of folded text and everything between them."""
    position = 0
    for match in HAN_WORD.finditer(folded):
        yield folded[position : match.start()]
        yield from segmenter.cut(match.group())
        position = match.end()
    yield folded[position:]


# A word of frequency 1 in jieba's dictionary, ln(60 million / 1) rounded down, has rarity 1.
_RAREST = 17.0
# The rarity of numbers and Latin words, which jieba's dictionary lacks: that of a Chinese word of frequency 600.
NUMBER_RARITY = 0.68


@lru_cache(maxsize=65_536)
def rarity(term: str) -> float:
    """How much a match of `term` means: 0 for the commonest word, 1 for a Chinese word that the dictionary lacks.

    -ln(frequency / total) over jieba's dictionary, scaled. Unlike a document frequency it does not depend on the
    corpus, so a corpus of one article and one of a million weigh a question the same.
    """
    if frequency := segmenter.frequency(term):
        return min(1.0, math.log(segmenter.TOTAL / frequency) / _RAREST)
    if not HAN_WORD.search(term):
        return NUMBER_RARITY
    return 1.0 if len(term) > 1 else 0.5
