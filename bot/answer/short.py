"""The short answer: the words of the marked sentence that answer by themselves, where the reader is sure of them."""

from __future__ import annotations

import re

from bot.answer.evidence import Marked
from bot.answer.features import QueryFeatures
from bot.text.fold import unfolded
from bot.types import Passage

# Chosen on the held-out tenth of the training questions (scripts/EXPERIMENTS.md, The reader).
_SURE = 0.05
_LONGEST = 40  # characters; longer words are the sentence over again
# A cause or a way wants its sentence, not a few words of it.
_SENTENCES = frozenset({"cause"})
_WAYS = re.compile("怎么|怎样|如何|咋|\\bhow (?:do|does|did|can|to|should)\\b")
_EDGES = " \t,，。.;；:：、!！?？"
_PAIRS = {"(": ")", "（": "）", "“": "”", "「": "」", "『": "』", "[": "]", "【": "】"}


def short_answer(asked: QueryFeatures, passage: Passage, marked: Marked) -> str:
    """The words that answer, as they stand in the passage; "" if a sentence is wanted or the reader is not sure."""
    words = marked.words
    if words is None or words.certainty < _SURE:
        return ""
    if _SENTENCES & set(asked.type.names) or _WAYS.search(asked.query.folded):
        return ""
    start, end = marked.features.spans[marked.best]
    first, last = unfolded(passage.text[start:end], words.start, words.end)
    return _trimmed(passage.text[start + first : start + last])


def _trimmed(words: str) -> str:
    """The words without punctuation around them and without half a pair of brackets; "" if they are too long."""
    words = words.strip(_EDGES)
    for left, right in _PAIRS.items():
        if words.count(left) != words.count(right):
            words = words.strip(left + right).strip(_EDGES)
        elif words.startswith(left) and words.endswith(right) and words.count(left) == 1:
            words = words[1:-1].strip(_EDGES)
    return words if len(words) <= _LONGEST and "\n" not in words else ""
