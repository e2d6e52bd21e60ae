"""Which characters of a passage prove the answer: its sentences, scored by what the question asks for.

Deterministic, no model but the embedder: the same question and passage always mark the same characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.text import fold, sentences
from bot.types import Embedder, Passage, Query, Span, Vectors

_NUMERAL = "[0-9.,一二三四五六七八九十百千万亿两零〇]+"
# Kind of answer: (how a question asks for it, what a sentence that answers holds). All over folded text.
_KINDS = {
    "why": (
        r"为什么|为何|为啥|凭什么|原因|怎么会|\bwhy\b|\breason",
        r"因为|由于|因此|所以|使得|使|让|皆因|缘于|源于|得益于|归功|凭借|正是|原因|导致|为了|以致|从而|离不开|关键",
    ),
    "rank": (r"第几|排名|名次|\brank(?:ed|ing)?\b", rf"第\s*{_NUMERAL}|排名|位列|名列|居首|榜首"),
    "number": (
        r"多少|几|多大|多高|多长|多远|占比|比例|\bhow (?:many|much|long|far|old|big|large|tall)|\bnumber of",
        r"\d|[一二三四五六七八九十百千万亿两半]+[个位名家所座条件种次倍年月日天人元%分岁]|百分之",
    ),
    "date": (
        r"什么时候|何时|哪一?[年天日月]|几[年月日号]|时间|日期|\bwhen\b|\bwhat (?:year|date|day|month)",
        r"\d+\s*[年月日号世点时]|[一二三四五六七八九十〇零]+[年月日]|世纪|年代|时期|上午|下午|今年|去年|明年|昨天|今天",
    ),
    "person": (
        r"谁|哪位|何人|\bwho(?:se|m)?\b",
        r"[说称道曾由]|先生|女士|教授|主席|总统|董事长|创始人|作者|导演|将军|国王|皇帝|博士|·",
    ),
    "place": (
        r"哪里|哪儿|何处|何地|什么地方|在哪|哪[个一座]?(?:国|省|市|城|县|地)|\bwhere\b|\bwhich (?:city|country|place)",
        r"[省市县区州国岛山河湖海港城镇村路街]|位于|地处|坐落",
    ),
    "list": (r"哪些|哪几|分别|有什么|\bwhich \w+s\b|\bwhat are\b|\blist\b", r"、.*、|以及|包括|分别|和|;"),
}
_ASKS = {kind: re.compile(asks) for kind, (asks, _) in _KINDS.items()}
_ANSWERS = {kind: re.compile(answers) for kind, (_, answers) in _KINDS.items()}
# The measure word after 多少, 几 or 第几: 第几位 wants 第14位, 多少件 wants 2.5万件.
_MEASURE = re.compile(r"(第)?(?:多少|几)([一-鿿])")
_CLOSING = "”’\"'」』）)】 "
# How a sentence's score is made up. Chosen by hand on made-up questions and checked on all visible sets.
_OVERLAP, _ASKED, _BEFORE, _DENSE = 1.0, 0.25, 0.3, 0.2
# 多少件 answered by 件 after a number says more than any number does.
_MEASURED = 0.5
# A sentence that is a question proves nothing, and the one after it answers what the question names.
_ASKS_ITSELF = -0.5
# A second sentence is marked when it is the best one's neighbour and nearly as good.
_SECOND = 0.92


@dataclass(frozen=True, slots=True)
class Marked:
    """The marked spans of a passage, and how good the best sentence is (higher is better, about 0 to 1.8)."""

    spans: tuple[Span, ...]
    score: float
    overlap: float


def asked_for(query: Query) -> list[str]:
    """The kinds of answer that the question wants: why, number, date, person, place, list."""
    return [kind for kind, pattern in _ASKS.items() if pattern.search(query.folded)]


def _measure_patterns(query: Query) -> list[re.Pattern[str]]:
    found = _MEASURE.findall(query.folded)
    return [re.compile(f"{ordinal}{_NUMERAL}{re.escape(measure)}") for ordinal, measure in found]


def _is_question(sentence: str) -> bool:
    return sentence.rstrip(_CLOSING).endswith(("?", "？"))


def coverage(query: Query, folded: str) -> float:
    """The share of the query's terms that the folded text holds, each weighed by its rarity: 0 to 1.

    A Chinese term counts wherever its characters stand, a Latin one as a whole word.
    """
    total = sum(term.rarity for term in query.terms)
    held = sum(term.rarity * _held(term.alternatives, folded) for term in query.terms)
    return held / total if total else 0.0


def _held(alternatives: Mapping[str, float], folded: str) -> float:
    return max((weight for term, weight in alternatives.items() if _holds(folded, term)), default=0.0)


def _holds(folded: str, term: str) -> bool:
    if term not in folded:
        return False
    return not term.isascii() or re.search(rf"(?<![a-z0-9]){re.escape(term)}(?![a-z0-9])", folded) is not None


def mark(query: Query, passage: Passage, vector: Vectors | None, embedder: Embedder) -> Marked:
    """The sentence of the passage that best proves an answer; two where cause or list runs over into the next.

    `vector` is the query's unit vector; without it the words decide alone.
    """
    spans = list(sentences(passage.text))
    if not spans:
        return Marked((Span(0, len(passage.text)),), 0.0, 0.0)
    texts = [passage.text[start:end] for start, end in spans]
    overlaps = [coverage(query, fold(text)) for text in texts]
    dense = _similarities(vector, texts, embedder)
    kinds = asked_for(query)
    measures = _measure_patterns(query)
    scores = []
    for i, text in enumerate(texts):
        folded = fold(text)
        asked = _ASKED * sum(_ANSWERS[kind].search(folded) is not None for kind in kinds) / max(1, len(kinds))
        measured = _MEASURED * any(pattern.search(folded) for pattern in measures)
        before = overlaps[i - 1] * (1.0 if _is_question(texts[i - 1]) else _BEFORE) if i else 0.0
        itself = _ASKS_ITSELF if _is_question(text) else 0.0
        scores.append(_OVERLAP * overlaps[i] + max(asked, measured) + before + _DENSE * dense[i] + itself)
    best = int(np.argmax(scores))
    chosen = [best]
    if {"why", "list"} & set(kinds):
        beside = [i for i in (best - 1, best + 1) if 0 <= i < len(scores) and scores[i] >= _SECOND * scores[best]]
        chosen = sorted([best, *beside[:1]])
    return Marked(_joined(passage.text, [spans[i] for i in chosen]), float(scores[best]), overlaps[best])


def _similarities(vector: Vectors | None, texts: Sequence[str], embedder: Embedder) -> Sequence[float]:
    if vector is None:
        return [0.0] * len(texts)
    similarities: Sequence[float] = (embedder.encode_passages(texts) @ vector).tolist()
    return similarities


def _joined(text: str, spans: list[tuple[int, int]]) -> tuple[Span, ...]:
    """Neighbouring sentences of one line become one span; a line break is never marked."""
    joined = [spans[0]]
    for start, end in spans[1:]:
        if "\n" in text[joined[-1][1] : start]:
            joined.append((start, end))
        else:
            joined[-1] = (joined[-1][0], end)
    return tuple(Span(start, end) for start, end in joined)
