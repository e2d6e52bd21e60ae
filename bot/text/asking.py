"""The parts of a question that only ask, and those that point at a part of a document by its number."""

from __future__ import annotations

import re

from bot.text import segmenter
from bot.text.numbers import numbers
from bot.text.numerals import chinese

_NUMERAL = "[〇零一二两三四五六七八九十百]"
# Measures after 多少 and 几 that an answer replaces: 多少度 by 95摄氏度, 多少钱 by 880元, 几点 by 九时.
_MEASURES = "块钱|钱|块|度|点钟|点"
# Which of several versions is meant; the documents seldom say it of themselves.
LATEST = "(?:最新|现行)(?:版本?)?的?"
_ASKING = re.compile(
    rf"{LATEST}|(?P<measured>(?:多少|几)(?:{_MEASURES}))|(?:多长|多久|多少)时间|(?:主要)?(?:内容|意思)(?=是什么|有哪些|包括什么|讲什么)"
)
_HAN = re.compile("[\u4e00-\u9fff]")
# 第三步, 第32条, 第二回: what parts of documents are called. Steps and points of a list often have only the number.
_ORDINAL = re.compile(rf"第\s?(\d{{1,4}}|{_NUMERAL}{{1,7}})\s?([章节篇编卷回]|[条款项步点包])")
_IN_LISTS = "条款项步点"
_LISTED = 0.9  # the weight of a number alone


def without_asking(folded: str) -> str:
    """The folded question without what only asks, as 多少钱 and 几点, because no sentence that answers repeats it.

    A measure that begins a longer word is kept: 多少人口 asks about 人口.
    """
    return _ASKING.sub(lambda match: match[0] if _goes_on(match, folded) else " ", folded)


def _goes_on(match: re.Match[str], folded: str) -> bool:
    following = folded[match.end() : match.end() + 1]
    return bool(match["measured"] and _HAN.match(following) and segmenter.frequency(match[0][-1] + following))


def cut_ordinals(folded: str) -> tuple[dict[str, dict[str, float]], str]:
    """The numbered parts in a folded question, each with the ways to write it and their weights, and the rest of it.

    第三步 is 第3步 too, and in a list 3. or 三、 or (三).
    """
    found: dict[str, dict[str, float]] = {}
    for match in _ORDINAL.finditer(folded):
        value = int(next(numbers(match[1]))[0])
        written = chinese(value)
        ways = dict.fromkeys((f"第{written}{match[2]}", f"第{value}{match[2]}"), 1.0)
        if match[2] in _IN_LISTS:
            ways |= dict.fromkeys((f"{value}.", f"{value}、", f"{written}、", f"({written})", f"({value})"), _LISTED)
        found[match[0]] = ways
    return found, _ORDINAL.sub(" ", folded)
