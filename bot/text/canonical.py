"""Numbers, dates and percentages that are written in many ways: 15000, 1.5万, 一万五千; 2019年, 二〇一九年, 19年.

A question names one way, a document another. Both get the same canonical tokens in the lexical index, and a question's
number counts as held by a passage that has any of its ways. The text that is shown never changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.text import segmenter
from bot.text.numbers import NUMERAL, UNITS, numeral
from bot.text.numerals import chinese

_DIGITS = "[〇零一二三四五六七八九]"
_DAY, _MONTH = r"(?:[12]\d|3[01]|0?[1-9])", r"(?:1[0-2]|0?[1-9])"
_HAN_DAY, _HAN_MONTH = (
    "(?:三十一?|二?十[一二三四五六七八九]?|[一二三四五六七八九])",
    "(?:十[一二]?|[一二三四五六七八九])",
)
_FORM = re.compile(
    rf"(?<![\d.a-z-])(?P<dashed>(?:19|20)\d\d([-/.]){_MONTH}\2{_DAY})(?![\d.-]|[年月])"
    rf"|(?<![\d.])(?P<dated>(?:(?:19|20)\d\d|{_DIGITS}{{4}})年 ?(?:{_MONTH}|{_HAN_MONTH}) ?月"
    rf" ?(?:{_DAY}|{_HAN_DAY}) ?[日号])"
    rf"|(?<![\d.])(?P<year>(?:(?:19|20)?\d\d|{_DIGITS}{{4}})年)"
    rf"|(?<![\d.])(?P<day>{_MONTH} ?月 ?{_DAY} ?[日号])|(?<!{NUMERAL})(?P<han_day>{_HAN_MONTH}月{_HAN_DAY}[日号])"
    rf"|(?<![\d.])(?P<month>{_MONTH} ?月)|(?<!{NUMERAL})(?P<han_month>{_HAN_MONTH}月)"
    rf"|(?P<percent>\d+(?:\.\d+)? ?[%‰]|[百千]分之(?:\d+(?:\.\d+)?|{NUMERAL}+(?:点{_DIGITS}+)?))"
    r"|(?<![\d.a-z-])(?P<amount>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<unit> ?[百千]万| ?[十百千]?[万亿]| ?[千百])?(?![\d.,]*\d|[a-z-])"
    rf"|(?<![第\d〇零一二两三四五六七八九十百千万亿])(?P<numeral>[一二两三四五六七八九十]{NUMERAL}*[十百千万亿]{NUMERAL}*|十[一二三四五六七八九])"
)
_MEASURES = "元块年月日人个位名家件项条座次岁米里吨斤克升倍种份余多公平立天周点分秒课页章"
_WEAK = 0.8  # the weight of a way that leaves something open: 3月15日 for 2021-03-15
_MARK = "="  # begins the canonical tokens of the index, so that no word of a text is one
_LEAST, _MOST = 10, 10**13  # a digit is written in too many places to stand for a number


@dataclass(frozen=True, slots=True)
class Form:
    """A number in folded text: its half-open offsets, its canonical token, and the ways to write it with weights."""

    start: int
    end: int
    token: str
    ways: dict[str, float]


def forms(folded: str) -> Iterator[Form]:
    """The numbers, dates and percentages in folded text, in order."""
    for match in _FORM.finditer(folded):
        made = _MADE[match.lastgroup or ""](match, folded)
        if made is not None:
            token, ways = made
            yield Form(match.start(), match.end(), f"{_MARK}{token}", ways | {match[0]: 1.0})


def canonical_tokens(folded: str) -> list[str]:
    """The canonical tokens of what is written in folded text, but for plain digits, which are words by themselves."""
    return [form.token for form in forms(folded) if not folded[form.start : form.end].isdecimal()]


def cut_numbers(folded: str) -> tuple[dict[str, dict[str, float]], str]:
    """The numbers in a folded question as they are written, each with all its ways and weights, and the rest of it."""
    found: dict[str, dict[str, float]] = {}
    left, position = [], 0
    for form in forms(folded):
        found[folded[form.start : form.end]] = {**form.ways, form.token: 1.0}
        left += [folded[position : form.start], " "]
        position = form.end
    return found, "".join([*left, folded[position:]])


_Made = tuple[str, dict[str, float]] | None


def _dated(match: re.Match[str], folded: str) -> _Made:
    year, month, day = _parts(match[0])
    written = f"{_han_digits(year)}年{chinese(month)}月{chinese(day)}日"
    ways = [f"{year}年{month}月{day}日", f"{year}年{month:02}月{day:02}日", written, written.replace("〇", "零")]
    ways += [f"{year}{mark}{a}{mark}{b}" for mark in "-/." for a, b in ((month, day), (f"{month:02}", f"{day:02}"))]
    weak = dict.fromkeys([*_days(month, day), f"{_MARK}{month:02}-{day:02}"], _WEAK)
    return f"{year}-{month:02}-{day:02}", dict.fromkeys(ways, 1.0) | weak


def _year(match: re.Match[str], folded: str) -> _Made:
    written = match["year"][:-1]
    year = int(written) if written.isdigit() and written.isascii() else int(numeral(written))
    full = year if year > 99 else year + (2000 if year < 50 else 1900)
    han = _han_digits(full)
    ways = [f"{full}年", f"{han}年", f"{han}年".replace("〇", "零"), str(full)]
    # 19年 may also be how long something takes.
    short = {f"{full % 100:02}年": _WEAK, f"{han[2:]}年": _WEAK} if 1950 <= full < 2050 else {}
    return f"{full}年", dict.fromkeys(ways, 1.0) | short


def _days(month: int, day: int) -> list[str]:
    written = f"{chinese(month)}月{chinese(day)}"
    padded = [f"{month:02}月{day:02}日"] if min(month, day) < 10 else []
    return [f"{month}月{day}日", f"{month}月{day}号", f"{written}日", f"{written}号", *padded]


def _day(match: re.Match[str], folded: str) -> _Made:
    month, day = _parts(match[0])
    in_dates = [f"{mark}{a}{mark}{b}" for mark in "-/" for a, b in ((month, day), (f"{month:02}", f"{day:02}"))]
    return f"{month:02}-{day:02}", dict.fromkeys(in_dates, _WEAK) | dict.fromkeys(_days(month, day), 1.0)


def _month(match: re.Match[str], folded: str) -> _Made:
    (month,) = _parts(match[0])
    return f"{month}月", dict.fromkeys([f"{month}月", f"{month:02}月", f"{chinese(month)}月"], 1.0)


def _parts(written: str) -> list[int]:
    """The numbers of a date: 3月15日, 三月十五日."""
    pieces = (piece.strip() for piece in re.split("[年月日号/.-]", written))
    return [int(piece) if piece[0].isascii() else int(numeral(piece)) for piece in pieces if piece]


def _percent(match: re.Match[str], folded: str) -> _Made:
    written = match["percent"]
    of_thousand = written[-1] == "‰" or written[0] == "千"
    value = written.rstrip("%‰ ") if written[0].isdigit() and written[0].isascii() else written[3:]
    if not value[0].isascii():
        whole, _, part = value.partition("点")
        value = f"{numeral(whole):g}" + ("." + "".join(str(int(numeral(digit))) for digit in part) if part else "")
    whole, _, part = value.partition(".")
    han = (chinese(int(whole)) if len(whole) < 9 else whole) + ("点" + _han_digits(part) if part else "")
    name, mark = ("千分之", "‰") if of_thousand else ("百分之", "%")
    return f"{value}{mark}", dict.fromkeys([f"{value}{mark}", f"{value} {mark}", f"{name}{han}", f"{name}{value}"], 1.0)


def _amount(match: re.Match[str], folded: str) -> _Made:
    digits, unit = match["amount"].replace(",", ""), (match["unit"] or "").strip()
    value = float(digits)
    for one in unit:
        value *= UNITS[one]
    plain = match["amount"].isdecimal() and not unit
    if plain and (len(digits) > 7 or digits[0] == "0"):  # a telephone number, a code
        return None
    return _ways(value)


def _numeral(match: re.Match[str], folded: str) -> _Made:
    run, following = match["numeral"], folded[match.end() : match.end() + 2]
    if len(following) > 1 and segmenter.frequency(run + following):  # 二十四节气 is a word of its own
        return None
    if following and following[0] not in _MEASURES:
        if segmenter.frequency(run + following[0]):
            return None
        if segmenter.frequency(run[-1] + following[0]) and run[-1] not in "十百千万亿":
            return None
    return _ways(numeral(run))


def _ways(value: float) -> _Made:
    if not _LEAST <= value < _MOST or value != int(value):
        return None
    whole = int(value)
    ways = [str(whole), f"{whole:,}"]
    if whole < 10**12:
        han = chinese(whole)
        ways += [han, han.replace("二千", "两千").replace("二万", "两万").replace("二百", "两百")]
        if len(han) > 3 and han[-1] in "百千" and han[-3] in "万千":  # 一万五 for 一万五千
            ways.append(han[:-1])
    for unit, size in (("万", 10**4), ("亿", 10**8)):
        if whole >= size // 10 and len(f"{whole / size:.6g}") <= 6 and float(f"{whole / size:.6g}") * size == whole:
            ways.append(f"{whole / size:.6g}{unit}")
    return str(whole), dict.fromkeys(ways, 1.0)


def _han_digits(number: object) -> str:
    """The digits of a number as they are read one by one: 二〇一九."""
    return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(number))


_MADE = {
    "dashed": _dated,
    "dated": _dated,
    "year": _year,
    "day": _day,
    "han_day": _day,
    "month": _month,
    "han_month": _month,
    "percent": _percent,
    "amount": _amount,
    "unit": _amount,  # the last group of an amount that has one
    "numeral": _numeral,
}
