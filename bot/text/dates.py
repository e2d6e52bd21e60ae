"""The date of a document by its name, its first lines or its properties, as ISO 8601: 2023-07-28, 2023-07, 2023."""

from __future__ import annotations

import re
from datetime import date

from bot.text.numerals import chinese

_YEAR, _MONTH, _DAY = r"(?P<y>(?:19|20)\d\d)", r"(?P<m>1[0-2]|0?[1-9])", r"(?P<d>3[01]|[12]\d|0?[1-9])"
_FORMS = [
    re.compile(rf"(?<!\d){_YEAR} ?年 ?(?:{_MONTH} ?月 ?(?:{_DAY} ?[日号])?)?"),
    re.compile(rf"(?<!\d){_YEAR}(?P<s>[-/._]){_MONTH}(?:(?P=s){_DAY})?(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"),
]
_BARE_YEAR = re.compile(rf"(?<!\d){_YEAR}(?!\d)")
_HAN_YEAR = re.compile(r"[一二三四五六七八九〇零○]{4}(?= ?年)")
_HAN_PART = re.compile(r"(?<=[年月 ])[一二三四五六七八九十]{1,3}(?= ?[月日号])")
_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_PARTS = {chinese(number): str(number) for number in range(1, 32)}
# A line that says when the document is from, and not what it tells of.
_SAYS_WHEN = re.compile("日期|时间|发布|公布|印发|施行|更新|修订|编制|签发|来源|date|updated|published", re.IGNORECASE)
_LONGEST_LINE, _LINES, _HEAD = 40, 8, 2000
_SENTENCE = re.compile("[。！？!?；;]")


def date_in_name(name: str) -> str:
    """The date in the name of a file, "" without one; a year alone counts too, as in 年报2023."""
    return checked_date(name)


def date_in_head(text: str) -> str:
    """The date that one of the first lines says that the document is from; "" without one.

    A line says so if it is short and no sentence, or begins with a date in brackets: （2023年7月28日通过）,
    发布时间：2023-07-28 10:00, [2023-07-28] 新华社北京电.
    """
    for line in [line.strip() for line in text[:_HEAD].splitlines() if line.strip()][:_LINES]:
        if line[0] in "[［【（(" and (found := _first(line[:24])):
            return found
        if len(line) > _LONGEST_LINE or _SENTENCE.search(line) or not (found := _first(line)):
            continue
        if _SAYS_WHEN.search(line) or _is_most(line):
            return found
    return ""


def checked_date(said: str) -> str:
    """A date as somebody or a property wrote it, as ISO 8601; "" if it is none."""
    if found := _first(said):
        return found
    year = _BARE_YEAR.search(_in_digits(said))
    return year["y"] if year else ""


def day_number(iso: str) -> int:
    """A date as a number that sorts as dates do: 20230728, 20230700 for a month, 20230000 for a year, 0 for none."""
    year, month, day = ([int(part) for part in iso.split("-")] + [0, 0])[:3] if iso else (0, 0, 0)
    return year * 10_000 + month * 100 + day


def last_day_number(iso: str) -> int:
    """The number of the last day that a date covers: 20239999 for 2023, 20230799 for 2023-07."""
    return day_number(iso) + {4: 9999, 7: 99}.get(len(iso), 0)


def _is_most(line: str) -> bool:
    """Whether little but a date stands in a line."""
    return any(2 * len(match[0]) >= len(line) for form in _FORMS for match in form.finditer(_in_digits(line)))


def _first(text: str) -> str:
    """The first date of a text, in the form that says most of it."""
    plain = _in_digits(text)
    found = [match for form in _FORMS for match in form.finditer(plain)]
    for match in sorted(found, key=lambda one: (one.start(), -len(one[0]))):
        parts = match.groupdict()
        year, month, day = (int(parts.get(part) or 0) for part in "ymd")
        try:
            date(year, month or 1, day or 1)
        except ValueError:
            continue
        return f"{year}" + (f"-{month:02d}" if month else "") + (f"-{day:02d}" if day else "")
    return ""


def _in_digits(text: str) -> str:
    """The text with Chinese years, months and days in digits: 二〇二三年七月 is 2023年7月."""
    text = _HAN_YEAR.sub(lambda match: match[0].translate(_DIGITS), text)
    return _HAN_PART.sub(lambda match: _PARTS.get(match[0], match[0]), text)
