"""What of a passage is shown around its evidence, for every surface: pieces of text, each marked or not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.text import fold, language
from bot.types import Answer, Evidence, Hit, Span

CURATED = {"zh": "人工整理 · 来源:", "en": "Curated · source: "}

# Escape sequences and direction marks of an article must not drive somebody's terminal or turn a message around.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)
# Characters that a passage may be longer than what is shown of it, for the sake of not cutting it for a few words.
_SPARED = 80


def printable(text: str) -> str:
    """The text without control characters, direction marks and what is no character."""
    return _UNPRINTABLE.sub("", text)


def source_name(hit: Hit) -> str:
    """What an answer calls a source: the article's title and the passage's heading."""
    passage = hit.passage
    return printable(" › ".join(filter(None, (passage.title or passage.article_id, passage.heading))))


def curated_label(answer: Answer) -> str:
    """What stands before the source of an answer that people wrote, in the language of the question."""
    return CURATED[language(fold(answer.query))]


def pieces(evidence: Evidence, around: int | None) -> Iterator[tuple[str, bool]]:
    """(text, whether it is marked) in order: `around` characters before and after the marks, None for all.

    An ellipsis stands where the passage goes on.
    """
    text = evidence.hit.passage.text
    start, end = _shown(text, evidence.spans, around)
    yield ("…" if start else ""), False
    position = start
    for span in evidence.spans:
        yield printable(text[position : span.start]), False
        yield printable(text[span.start : span.end]), True
        position = span.end
    yield printable(text[position:end]) + ("…" if end < len(text) else ""), False


def _shown(text: str, spans: tuple[Span, ...], around: int | None) -> tuple[int, int]:
    if around is None or len(text) <= 2 * around + _SPARED or not spans:
        return 0, len(text)
    start, first = max(0, spans[0].start - around), spans[0].start
    while 0 < start < first and not text[start].isalnum():  # the end of a sentence that is not shown
        start += 1
    return start, min(len(text), spans[-1].end + around)
