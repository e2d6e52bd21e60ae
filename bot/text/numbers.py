"""The numbers in a text, however they are written: 1200, 一千二百, 60亿, 6 billion."""

from __future__ import annotations

import re
from collections.abc import Iterator

_DIGITS = re.compile(
    r"(\d+(?:,\d{3})*(?:\.\d+)?)\s*([百千]万|[十万]亿|[十百千万亿]|thousand|million|billion|trillion)?"
)
NUMERAL = "[〇零一二两三四五六七八九十百千万亿]"  # a character of a number in Chinese
_NUMERALS = re.compile(rf"(?<![\d十百千万亿]){NUMERAL}+")
UNITS = {
    "十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8, "百万": 10**6, "千万": 10**7, "十亿": 10**9,
    "万亿": 10**12, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
_NUMERAL = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2}


def numbers(folded: str, least: int = 1) -> Iterator[tuple[float, ...]]:
    """Each number in folded text: its value (6 billion and 60亿 are 6e9), then the value of its digits alone.

    Chinese numerals shorter than `least` characters are skipped: 一些 contains no number.
    """
    for digits, unit in _DIGITS.findall(folded):
        value = float(digits.replace(",", ""))
        yield (value * UNITS[unit], value) if unit else (value,)
    for run in _NUMERALS.findall(folded):
        if len(run) >= least:
            yield (numeral(run),)


def numeral(run: str) -> float:
    """The value of Chinese numerals: 三万六千 is 36000, 三亿五千万 is 350000000, 二〇一一 is 2011, 一千二 is 1200."""
    total = section = digit = 0
    short = 1  # what a last digit counts: in 一千二 hundreds, in 一千零二 ones
    for character in run:
        if character in _NUMERAL:
            digit = digit * 10 + _NUMERAL[character]
            short = short if _NUMERAL[character] else 1
            continue
        unit = UNITS[character]
        if character == "亿":  # 六万亿: it multiplies the 万 before it too
            total = (total + section + digit or 1) * unit
        elif character == "万":
            total += (section + digit or 1) * unit
        else:
            section += (digit or 1) * unit
        section, digit, short = section if unit < 10**4 else 0, 0, unit // 10
    return float(total + section + digit * (short if digit < 10 else 1))
