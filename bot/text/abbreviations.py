"""What a text calls a thing that a question abbreviates: 发改委 is 国家发展和改革委员会 there.

An abbreviation takes characters of the name in order, each the first of a word, the last perhaps the last of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot.text import segmenter
from bot.text.fold import HAN_WORD
from bot.text.terms import QUESTION_WORDS

_SHORTEST, _LONGEST = 2, 5  # characters of an abbreviation
_APART = 6  # characters of the name from one to the next of the abbreviation
_LONGER = 2  # characters that the name has more than its abbreviation


def abbreviated(folded: str, texts: Sequence[str]) -> dict[str, str]:
    """Parts of the folded question that none of the folded texts has, each with the name in a text that it shortens."""
    whole = "\n".join(texts)
    found: dict[str, str] = {}
    said = lambda word: len(word) > 1 and word in whole  # noqa: E731
    lacking = [part for part in _parts(folded, said) if part not in whole and all(letter in whole for letter in part)]
    runs = [match[0] for text in texts for match in HAN_WORD.finditer(text)] if lacking else []
    for part in lacking:
        if any(part in one or one in part for one in found):
            continue
        name = next((name for run in runs if (name := _name(part, run))), "")
        if name:
            found[part] = name
    return found


def _parts(folded: str, said: Callable[[str], bool]) -> Iterator[str]:
    """Runs of adjacent content words of 2 to 5 characters that neither begin nor end in a word said, longest first."""
    parts = []
    for match in HAN_WORD.finditer(folded):
        words = segmenter.cut(match[0])
        for i in range(len(words)):
            for j in range(i + 1, len(words) + 1):
                part = "".join(words[i:j])
                if words[j - 1] in QUESTION_WORDS or len(part) > _LONGEST:
                    break
                if said(words[i]) or said(words[j - 1]):
                    continue
                # A word of the dictionary is said as it is, but for names that it has in short: 发改委.
                if len(part) > _SHORTEST or not segmenter.frequency(part):
                    parts.append(part)
    yield from sorted(dict.fromkeys(parts), key=len, reverse=True)


def _name(part: str, run: str) -> str:
    """The first name in a run of Han characters that the part abbreviates; "" if there is none."""
    if part[0] not in run or part[-1] not in run:
        return ""
    starts, ends, word_end = set(), set(), {}
    position = 0
    for word in segmenter.cut(run):
        for piece in {word, *segmenter.cut_for_search(word)}:
            at = position + word.index(piece)
            starts.add(at)
            ends.add(at + len(piece) - 1)
        for at in range(position, position + len(word)):
            word_end[at] = position + len(word)
        position += len(word)
    for first in sorted(starts):
        if run[first] != part[0]:
            continue
        at = first
        for number, letter in enumerate(part[1:], start=2):
            allowed = starts | ends if number == len(part) else starts
            at = next((i for i in range(at + 1, at + 1 + _APART) if i in allowed and run[i : i + 1] == letter), -1)
            if at < 0:
                break
        if at >= 0 and word_end[at] - first >= len(part) + _LONGER:
            return run[first : word_end[at]]
    return ""
