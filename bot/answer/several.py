"""Questions that need more than one passage: of several things, of all things of a kind, and comparisons.

Each thing is asked for by itself; what is higher is said only where both numbers were found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.answer.topic import shaped
from bot.text.fold import HAN, fold
from bot.text.mentions import chunks
from bot.text.numbers import NUMERAL, numbers

MOST = 10  # things that are asked for, at most
LEAST = 2  # that must have an answer
COLON = {"zh": "：", "en": ": "}
_AND = re.compile(r"\s*(?:[和与跟同及、,，]|以及)\s*")
_EACH = re.compile(r"分别|各自|各(?=[是有放在由需为占多几])|都(?=[是有在由])")
# Which of them is more, and of what; 区别 and 不同 ask for it of both.
_WHICH = re.compile(
    r"(?:相比|比较?|之间|中|里)?[,，]?(?P<before>的.{1,12}?)?(?:谁|哪一?[个款家座所种位者辆]?)(?:[^的]{0,4}的)?(?P<attribute>.{0,12}?)"
    r"(?:更|最|比较|要|排得?)?(?P<more>[高低大小多少长短快慢早晚贵重轻强远近厚薄]|便宜|靠前|靠后|久)[些一点的?？呢吗]*"
)
_DIFFERENT = re.compile(
    r"(?:之间|相比)?(?:的(?P<attribute>.{1,12}?))?(?:上|方面)?(?:有(?:什么|哪些|何)|的)?(?:区别|不同|差别|差异|不一样).*"
)
_ALL = re.compile(rf"(?:各个?|每一?[个家座所款位]|所有的?|全部的?)(?P<kind>[{HAN}]{{2,6}}?)(?P<rest>的.+)")
_LESS = frozenset("低小少短慢轻近薄早") | {"便宜", "靠前"}
_NUMBER = re.compile(rf"\d[\d,.]*|{NUMERAL}+")
_RANKS = re.compile("排名|名次|第几")


@dataclass(frozen=True, slots=True)
class Parts:
    """The things of a question with a question for each, and what they are compared by, "" if they are not."""

    things: tuple[str, ...]
    questions: tuple[str, ...]
    more: str = ""
    attribute: str = ""


def parts(question: str, titles: Callable[[], Sequence[str]]) -> Parts | None:
    """The parts of a question that asks of several things or of all of a kind; None for any other.

    `titles` reads those of the documents, among which all of a kind are looked for.
    """
    asked = question.strip(" ?？。!！")
    if found := _ALL.fullmatch(asked):
        return _all_of(found["kind"], _EACH.sub("", found["rest"]), titles())
    group = _joined(asked)
    if group is None:
        return None
    things, before, rest = group
    if which := _WHICH.fullmatch(rest):
        attribute = (which["attribute"] or which["before"] or "").strip("的")
        wanted = [_asked(thing, attribute, which["more"]) for thing in things]
        return Parts(things, tuple(wanted), which["more"], attribute)
    if different := _DIFFERENT.fullmatch(rest):
        attribute = different["attribute"] or ""
        return Parts(things, tuple(_asked(thing, attribute) if attribute else thing for thing in things))
    if not _EACH.search(rest):
        return None
    return Parts(things, tuple(f"{before}{thing}{_EACH.sub('', rest)}?" for thing in things))


def _joined(asked: str) -> tuple[tuple[str, ...], str, str] | None:
    """The things that a question joins by 和 or 、, what stands before them and what stands after them."""
    found = chunks(asked)
    for first in range(len(found) - 1):
        last = first
        while last + 1 < len(found) and _AND.fullmatch(asked, found[last].end, found[last + 1].start):
            last += 1
        if last > first:
            things = tuple(asked[one.start : one.end] for one in found[first : last + 1])
            rest = asked[found[last].end :]
            head = re.match(r".*?[a-z0-9](?=[^\x00-\x7f])", things[-1], re.IGNORECASE)
            if head and all(re.fullmatch(r"[\w.+/-]+", one, re.ASCII) for one in things[:-1]):  # E45和E46报警
                things, rest = (*things[:-1], head[0]), things[-1][len(head[0]) :] + rest
            return (things, asked[: found[first].start], rest) if len(things) <= MOST else None
    return None


def _all_of(kind: str, rest: str, titles: Sequence[str]) -> Parts | None:
    """A question for each thing of a kind that the titles name: 城南支行, 城北支行."""
    named = (re.match(rf"\W*([^\W_]{{1,10}}?{re.escape(kind)})", fold(title)) for title in titles)
    things = tuple(dict.fromkeys(found[1] for found in named if found))
    return Parts(things, tuple(f"{thing}{rest}?" for thing in things)) if 1 < len(things) <= MOST else None


def _asked(thing: str, attribute: str, more: str = "") -> str:
    """The question for an attribute of a thing: 青岛的排名是多少?"""
    return shaped(f"{thing}的{attribute}呢?") if attribute else f"{thing}多{more}?"


def verdict(asked: Parts, said: Sequence[str], language: str) -> str:
    """Which of two things has more of what they are compared by, from the words that answer for each.

    "" unless both are one number in the same unit: 第12位 and 第14位, 200分钟 and 180分钟.
    """
    units = {_NUMBER.sub("", fold(one)).strip() for one in said}
    values = [value for one in said for value, *_ in numbers(fold(one))]
    if not asked.more or len(units) != 1 or len(said) != len(values) or len(values) != 2 or not all(said):
        return ""
    if values[0] == values[1]:
        return EQUAL[language].format(asked.attribute)
    # A rank is the higher the smaller its number is.
    least = (asked.more in _LESS) != bool(_RANKS.search(asked.attribute))
    winner = asked.things[values.index(min(values) if least else max(values))]
    return MORE[language].format(f"{asked.attribute}{'更' if asked.attribute else ''}{asked.more}", winner)


EQUAL = {"zh": "两者的{}相同。", "en": "Both have the same {}."}
MORE = {"zh": "{}的是{}。", "en": "{}: {}."}
