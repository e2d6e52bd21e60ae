"""What a model wrote, a sentence at a time: citations that exist, and a sign at each sentence that nothing supports.

A sentence leaves here only when it is whole and checked, so a marker that comes in pieces is never seen in pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from bot.excerpt import printable
from bot.ranker import coverage
from bot.text import fold, language
from bot.types import Evidence, Query

UNSUPPORTED = {"zh": "(资料未证实)", "en": " (not in the articles)"}
# The share of a sentence's words, by rarity and without those of the question, that the passages must hold. Of 56
# hand-made sentences about the shipped article the worst that is true has 0.45, the best that is not 0.42; with the
# question's words, which both kinds repeat, the two overlap from 0.56 to 0.60 (scripts/EXPERIMENTS.md).
_SUPPORT = 0.43
_OPEN, _CLOSE = r"[\[［【〔]", r"[\]］】〕]"
_NAMED = r"(?:\^|资料|来源|段落|文献|passages?|sources?)?"
_LIST = r"\d+(?:[ \t]*[,，、;；\-–—~～][ \t]*\d+)*"
# [1], ［１］, 【1】, [1, 2], [1-3], [^1], [来源 1], 【1†source】: what models write for a citation.
_MARKER = rf"{_OPEN}[ \t]*{_NAMED}[ \t]*{_LIST}[ \t]*(?:†[^\]］】〕\n]*)?{_CLOSE}"
_MARKERS = re.compile(rf"[ \t]*{_MARKER}(?:[ \t]*{_MARKER})*", re.IGNORECASE)
# A marker that its line breaks off.
_HALF = re.compile(rf"[ \t]*{_OPEN}[ \t]*{_NAMED}[ \t\d,，、;；\-–—~～]*(?:†[^\n]*)?$", re.IGNORECASE | re.MULTILINE)
_SHOWN = re.compile(r"\[(\d+)\]")
_CLOSERS = "”’\"'」』))》"
# The end of a sentence with the citations behind it, once the next character shows that no more of them follow.
_END = re.compile(
    rf"(?:[。!?!?…]+|\.(?=\s)|\n)[{_CLOSERS}]*(?:\s*{_MARKER})*\s*(?=[^\s\[［【〔。!?!?….{_CLOSERS}])", re.IGNORECASE
)
_DECORATION = re.compile(r"\*\*|__|`|^\s*#+\s", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*\)")
_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s<>()()\u4e00-\u9fff,。]+", re.IGNORECASE)
# A sentence that only says that the passages are silent, and one that only leads to a list, prove nothing.
_SILENT = re.compile(
    r"(?:资料|段落|文章|原文)[^。,,]{0,8}(?:没有|未|并无|不含)|没有(?:提到|说明|相关)|"
    r"(?:passages?|articles?|sources?)\W+(?:(?:provided|above|given)\W+)?(?:do|does|did|don't|doesn't)\b"
)
_LEADS_ON = (":", "：")
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s*")
_DIGITS = re.compile(
    r"(\d+(?:,\d{3})*(?:\.\d+)?)\s*([百千]万|[十万]亿|[十百千万亿]|thousand|million|billion|trillion)?"
)
_NUMERALS = re.compile(r"(?<![\d十百千万亿])[〇零一二两三四五六七八九十百千万亿]+")
_UNITS = {
    "十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8, "百万": 10**6, "千万": 10**7, "十亿": 10**9,
    "万亿": 10**12, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
_NUMERAL = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2}


class Checker:
    """Checks one answer against its evidence; `understood` makes a query of a sentence."""

    def __init__(self, question: str, evidence: Sequence[Evidence], understood: Callable[[str], Query]) -> None:
        """Fold the passages once."""
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
        """The sentences as they become whole; "" between them, so that whoever waits may leave at any moment."""
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
        """One sentence as it may be shown, with the white space that followed it."""
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
        """Without emphasis, links and what drives a terminal; an address stays only if a passage holds it."""
        text = _LINK.sub(r"\1", _DECORATION.sub("", printable(written)))
        return _ADDRESS.sub(lambda address: address[0] if fold(address[0]) in self._all else "", text)

    def supported(self, sentence: str, cited: Sequence[int]) -> bool:
        """Whether all its numbers stand in the passages, and enough of its words in those that it cites (or in any)."""
        folded = fold(_ITEM.sub("", sentence)).strip()
        if any(not set(found[:1]) & self._numbers for found in numbers(folded, least=3)):
            return False
        if folded.endswith(_LEADS_ON) or _SILENT.search(folded):
            return True
        query = self._understood(sentence)
        said = replace(query, terms=tuple(term for term in query.terms if term.source not in self._asked))
        compared = "\n".join(self._folded[number] for number in cited) if cited else self._all
        # A number counts as held, however the passage writes it: 1200, 一千二百.
        compared += "\n" + " ".join(re.findall(r"[\d.,]*\d", folded))
        return not said.terms or coverage(said, compared) >= _SUPPORT


def cited_only(text: str, known: Iterable[int]) -> str:
    """The text with each run of markers as [1][2]: known numbers, each once. A removal may form a marker: repeated."""
    known = frozenset(known)

    def kept(run: re.Match[str]) -> str:
        named = dict.fromkeys(
            number for marker in re.findall(_MARKER, run[0], re.I) for number in _named(marker, known)
        )
        space = run[0][: len(run[0]) - len(run[0].lstrip())]
        return space + "".join(f"[{number}]" for number in named) if named else ""

    while (again := _MARKERS.sub(kept, text)) != text:
        text = again
    return text


def _named(marker: str, known: frozenset[int]) -> Iterator[int]:
    """The known numbers that a marker names, those within a range too."""
    for first, last in re.findall(r"(\d+)(?:[ \t]*[\-–—~～][ \t]*(\d+))?", marker.split("†")[0]):
        if len(first) < 6 and len(last) < 6:
            yield from sorted(number for number in known if int(first) <= number <= int(last or first))


def numbers(folded: str, least: int = 1) -> Iterator[tuple[float, ...]]:
    """Each number that folded text names: its value (6 billion and 60亿 are 6e9), then what its digits alone say.

    Chinese numerals count from `least` characters on: 一些 names no number.
    """
    for digits, unit in _DIGITS.findall(folded):
        value = float(digits.replace(",", ""))
        yield (value * _UNITS[unit], value) if unit else (value,)
    for run in _NUMERALS.findall(folded):
        if len(run) >= least:
            yield (_numeral(run),)


def _numeral(run: str) -> float:
    """The value of Chinese numerals: 三万六千 is 36000, 二〇一一 is 2011."""
    total = section = digit = 0
    for character in run:
        if character in _NUMERAL:
            digit = digit * 10 + _NUMERAL[character]
        elif character in "万亿":
            total = (total + section + digit or 1) * _UNITS[character]
            section = digit = 0
        else:
            section += (digit or 1) * _UNITS[character]
            digit = 0
    return float(total + section + digit)
