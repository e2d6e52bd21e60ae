"""A summary that says nothing of its own: the sentences of a document that stand for the most of it.

Each sentence counts by how near it is to all others (degree centrality over sentence vectors, Erkan and Radev 2004,
LexRank), by how early it stands, and less the more it repeats one that was taken already (maximal marginal relevance,
Carbonell and Goldstein 1998).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from bot.text.answer_type import is_question
from bot.text.fold import fold
from bot.text.sentences import sentences
from bot.types import Embedder, Passage, Span

SUMMED_UP = {
    "zh": "《{title}》中最能代表全文的 {count} 句原文：",
    "en": "The {count} sentences that stand for the whole of “{title}”, in its own words:",
}
SENTENCES = 4
_MOST = 400  # sentences of a document that are compared; what comes later is left out
_SHORTEST, _LONGEST = 12, 160  # characters of a sentence that can stand for others
_EARLY = 0.15  # what the first sentence has before the last, in cosines
_REPEATED = 0.5  # what a sentence loses for being like one that was taken, of their cosine
# A sentence that begins so leans on the one before it.
_LEANS = re.compile(
    "但|而|因此|所以|此外|另外|同时|然而|这|那|其|它|他|她|对此|例如|比如|如|并|也|又|还|则|于是|不过|可见"
)


def summary(passages: Sequence[Passage], embedder: Embedder) -> list[tuple[Passage, Span]]:
    """The sentences that stand for a document whose passages are given, in reading order; fewer of a short one."""
    found = [
        (passage, Span(start, end))
        for passage in passages
        for start, end in sentences(passage.text)
        if _SHORTEST <= end - start <= _LONGEST and not is_question(fold(passage.text[start:end]))
    ][:_MOST]
    if not found:
        return [(passage, Span(0, len(passage.text))) for passage in passages[:1]]
    texts = [fold(passage.text[span.start : span.end]) for passage, span in found]
    vectors = embedder.encode_passages(texts)
    alike = vectors @ vectors.T
    worth = alike.mean(axis=1) - _EARLY * np.arange(len(found)) / len(found)
    worth -= [0.1 * bool(_LEANS.match(text)) for text in texts]
    taken: list[int] = []
    while len(taken) < min(SENTENCES, len(found)):
        repeated = alike[:, taken].max(axis=1) if taken else np.zeros(len(found))
        scores = worth - _REPEATED * repeated
        scores[taken] = -np.inf
        taken.append(int(scores.argmax()))
    return [found[i] for i in sorted(taken)]
