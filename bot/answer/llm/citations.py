"""Checks what a model writes, sentence by sentence: its citations exist, and what nothing supports is marked so.

A sentence is passed on only when it is whole and checked, so a citation that arrives in pieces is never seen in pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from bot.answer.features import coverage
from bot.text.fold import fold, language
from bot.text.numbers import numbers
from bot.text.printable import printable
from bot.types import Evidence, Query

UNSUPPORTED = {"zh": "（资料未证实）", "en": " (not in the articles)"}
# The share of a sentence's words, weighted by rarity, that the passages must contain. Words of the question do not
# count: false sentences repeat them as true ones do. It parts all 56 sentences of the trial in scripts/EXPERIMENTS.md.
_SUPPORT = 0.43
_OPEN, _CLOSE = r"[\[［【〔]", r"[\]］】〕]"
_NAMED = r"(?:\^|资料|来源|段落|文献|passages?|sources?)?"
_LIST = r"\d+(?:[ \t]*[,，、;；\-–—~～][ \t]*\d+)*"
# What models write as a citation: [1], ［１］, 【1】, [1, 2], [1-3], [^1], [来源 1], 【1†source】.
_MARKER = rf"{_OPEN}[ \t]*{_NAMED}[ \t]*{_LIST}[ \t]*(?:†[^\]］】〕\n]*)?{_CLOSE}"
_MARKERS = re.compile(rf"[ \t]*{_MARKER}(?:[ \t]*{_MARKER})*", re.IGNORECASE)
# A citation that is not closed on its line.
_HALF = re.compile(rf"[ \t]*{_OPEN}[ \t]*{_NAMED}[ \t\d,，、;；\-–—~～]*(?:†[^\n]*)?$", re.IGNORECASE | re.MULTILINE)
_SHOWN = re.compile(r"\[(\d+)\]")
_CLOSERS = "”’\"'」』)）》"
# The end of a sentence with the citations behind it; the next character shows that no more citations follow.
_END = re.compile(
    rf"(?:[。！？!?…]+|\.(?=\s)|\n)[{_CLOSERS}]*(?:\s*{_MARKER})*\s*(?=[^\s\[［【〔。！？!?….{_CLOSERS}])",
    re.IGNORECASE,
)
_DECORATION = re.compile(r"\*\*|__|`|^\s*#+\s", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*\)")
_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s<>()（）\u4e00-\u9fff,，。]+", re.IGNORECASE)
# A sentence that says that the passages are silent claims nothing, and neither does one that introduces a list.
_SILENT = re.compile(
    r"(?:资料|段落|文章|原文)[^。,]{0,8}(?:没有|未|并无|不含)|没有(?:提到|说明|相关)|"
    r"(?:passages?|articles?|sources?)\W+(?:(?:provided|above|given)\W+)?(?:do|does|did|don't|doesn't)\b"
)
_LEADS_ON = (":", "：")
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s*")


class Checker:
    """Checks one answer against its evidence; `understood` turns a sentence into a query.

    `cited` is True once a sentence cites a passage that exists.
    """

    def __init__(self, question: str, evidence: Sequence[Evidence], understood: Callable[[str], Query]) -> None:
        """Fold the passages and read their numbers, once."""
        self._understood = understood
        self._asked = {term.source for term in understood(question).terms}
        self._sign = UNSUPPORTED[language(fold(question))]
        self._folded = {
            e.number: fold("\n".join((e.hit.passage.title, e.hit.passage.heading, e.hit.passage.text)))
            for e in evidence
        }
        self._all = "\n".join(self._folded.values())
        self._numbers = {value for found in numbers(self._all) for value in found}
        self.cited = False

    def checked(self, pieces: Iterable[str]) -> Iterator[str]:
        """The sentences as they become whole, and "" after each piece, so that whoever waits can leave at any time."""
        held = ""
        for piece in pieces:
            held += piece
            while end := _END.search(held):
                yield self.sentence(held[: end.end()])
                held = held[end.end() :]
            yield ""
        if held.strip():
            yield self.sentence(held)

    def sentence(self, written: str) -> str:
        """One sentence as it may be shown, with the white space that follows it."""
        text = self._cleaned(written).rstrip()
        while (again := _HALF.sub("", cited_only(text, self._folded))) != text:
            text = again
        space = written[len(written.rstrip()) :]
        found = [int(number) for number in _SHOWN.findall(text)]
        self.cited = self.cited or bool(found)
        bare = _SHOWN.sub("", text)
        if re.search(r"\w", bare) and not self.supported(bare, found):
            text += self._sign
        return text + space if text else ""

    def _cleaned(self, written: str) -> str:
        """The text without emphasis, links and control characters; an address stays only if a passage contains it."""
        text = _LINK.sub(r"\1", _DECORATION.sub("", printable(written)))
        return _ADDRESS.sub(lambda address: address[0] if fold(address[0]) in self._all else "", text)

    def supported(self, sentence: str, cited: Sequence[int]) -> bool:
        """Whether the passages have all its numbers, and those that it cites (or all together) enough of its words."""
        folded = fold(_ITEM.sub("", sentence)).strip()
        if any(not set(found[:1]) & self._numbers for found in numbers(folded, least=3)):
            return False
        if folded.endswith(_LEADS_ON) or _SILENT.search(folded):
            return True
        query = self._understood(sentence)
        said = replace(query, terms=tuple(term for term in query.terms if term.source not in self._asked))
        compared = "\n".join(self._folded[number] for number in cited) if cited else self._all
        # Its numbers were found above, and a passage may write them in another way: 一千二百 for 1200.
        compared += "\n" + " ".join(re.findall(r"[\d.,]*\d", folded))
        return not said.terms or coverage(said, compared) >= _SUPPORT


def cited_only(text: str, known: Iterable[int]) -> str:
    """The text with each run of citations as [1][2]: known numbers only, each once."""
    known = frozenset(known)

    def kept(run: re.Match[str]) -> str:
        named = dict.fromkeys(
            number for marker in re.findall(_MARKER, run[0], re.I) for number in _named(marker, known)
        )
        space = run[0][: len(run[0]) - len(run[0].lstrip())]
        return space + "".join(f"[{number}]" for number in named) if named else ""

    while (again := _MARKERS.sub(kept, text)) != text:  # what is left after a removal may form a citation again
        text = again
    return text


def _named(marker: str, known: frozenset[int]) -> Iterator[int]:
    """The known numbers that a citation names, those within a range too."""
    for first, last in re.findall(r"(\d+)(?:[ \t]*[\-–—~～][ \t]*(\d+))?", marker.split("†")[0]):
        if len(first) < 6 and len(last) < 6:
            yield from sorted(number for number in known if int(first) <= number <= int(last or first))
