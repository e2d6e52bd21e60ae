"""The part of a passage that is shown around its evidence, for all surfaces: pieces of text, each marked or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.text.fold import fold, language
from bot.text.printable import printable
from bot.types import Answer, Evidence, Hit, Span

PAGE = {"zh": " · 第 {} 页", "en": " · page {}"}
CURATED = {"zh": "人工整理 · 来源：", "en": "Curated · source: "}

# A passage that is longer than the excerpt by no more than this is shown whole.
_SPARED = 80


def source_name(hit: Hit, page: int = 0, words: str = "zh") -> str:
    """The name of a source in an answer: the article's title, the passage's heading and the page, if there is one.

    `words` is the language in which the page is said.
    """
    passage = hit.passage
    name = printable(" › ".join(filter(None, (passage.title or passage.document, passage.heading))))
    return name + PAGE[words].format(page) if page else name


def curated_label(answer: Answer) -> str:
    """The label before the source of a curated answer, in the language of the question."""
    return CURATED[language(fold(answer.query))]


def pieces(evidence: Evidence, around: int | None) -> Iterator[tuple[str, bool]]:
    """(text, whether it is marked) in order, with `around` characters before and after the marks (None: everything).

    An ellipsis shows where the passage continues.
    """
    text = evidence.hit.passage.text
    start, end = excerpt(text, evidence.spans, around)
    yield ("…" if start else ""), False
    position = start
    for span in evidence.spans:
        yield printable(text[position : span.start]), False
        yield printable(text[span.start : span.end]), True
        position = span.end
    yield printable(text[position:end]) + ("…" if end < len(text) else ""), False


def excerpt(text: str, spans: Sequence[Span], around: int | None) -> tuple[int, int]:
    """Where the part of a text begins and ends that has `around` characters before and after its spans."""
    if around is None or len(text) <= 2 * around + _SPARED or not spans:
        return 0, len(text)
    start, first = max(0, spans[0].start - around), spans[0].start
    while 0 < start < first and not text[start].isalnum():  # skip the punctuation of a sentence that is not shown
        start += 1
    return start, min(len(text), spans[-1].end + around)
