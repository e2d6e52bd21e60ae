"""What a question asks for (a cause, a number, a date, ...), and whether a sentence holds something of that type.

Deterministic patterns over folded text; how much each match counts is learned (`bot/model/ranker`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.types import Query

_NUMERAL = "[0-9.,一二三四五六七八九十百千万亿两零〇半]+"
# Type of answer: (how a question asks for it, what an answering sentence contains). All patterns match folded text.
_PATTERNS = {
    "cause": (
        r"为什么|为何|为啥|凭什么|原因|怎么会|何以|\bwhy\b|\breason|\bcauses?\b",
        r"因为|由于|因此|所以|使得|使|让|皆因|缘于|源于|得益于|归功|凭借|正是|原因|导致|为了|以致|从而|离不开|关键|因",
    ),
    "rank": (r"第几|排名|名次|\brank(?:ed|ing)?\b", rf"第\s*{_NUMERAL}|排名|位列|名列|居首|榜首"),
    "number": (
        r"多少|几|多大|多高|多长|多远|多重|占比|比例|\bhow (?:many|much|long|far|old|big|large|tall)|\bnumber of",
        rf"{_NUMERAL}\s*[^\s\W\d年月日]|百分之|[\d.,]*\d",
    ),
    "date": (
        r"什么时候|何时|哪一?[年天日月]|几[年月日号]|时间|日期|多久|什么年|\bwhen\b|\bwhat (?:year|date|day|month)",
        r"\d+\s*[年月日号世点时]|[一二三四五六七八九十〇零]+[年月日]|世纪|年代|时期|上午|下午|今年|去年|明年|昨天|今天",
    ),
    "person": (
        r"谁|哪位|何人|什么人|\bwho(?:se|m)?\b",
        r"[说称道曾由与和]|先生|女士|教授|主席|总统|董事长|创始人|作者|导演|将军|国王|皇帝|博士|·",
    ),
    "place": (
        r"哪里|哪儿|何处|何地|什么地方|在哪|位于|哪[个一座]?(?:国|省|市|城|县|地)"
        r"|\bwhere\b|\bwhich (?:city|country|place)",
        r"[省市县区州国岛山河湖海港城镇村路街]|位于|地处|坐落|于",
    ),
    "list": (
        r"哪些|哪几|哪两|哪三|分别|有什么|\bwhich \w+s\b|\bwhat are\b|\blist\b",
        r"、|以及|包括|分别|和|与|;|,.*,",
    ),
    "name": (
        r"又[被叫称]|别[称名]|又名|简称|全[称名]|[称叫名]为?什么|名[字称]是|叫什么|什么名|\bcalled\b|\bnamed?\b",
        r"又名|又称|也称|亦称|别[称名]|俗[称名]|简称|全[称名]|称为|称作|叫做|名为|名叫|原名|学名|即",
    ),
    "definition": (
        r"什么是|是什么[?？。\s]*$|指的?是?什么|什么意思|\bwhat (?:is|are|was) (?:an? |the )?\w+\??$|\bmean",
        r"是指|指的是|是一[种个家款部座所位名]|定义|意思|即|是",
    ),
}
TYPES = tuple(_PATTERNS)
_ASKS = {name: re.compile(asks) for name, (asks, _) in _PATTERNS.items()}
_ANSWERS = {name: re.compile(answers) for name, (_, answers) in _PATTERNS.items()}
# The measure word after 多少, 几 or 第几: 第几位 expects 第14位, 多少件 expects 2.5万件.
_MEASURE = re.compile(r"(第)?(?:多少|几)([\u4e00-\u9fff])")
# Quantities that are asked for without a measure word: (how they are asked for, the measure they come in).
_NAMED_MEASURES = tuple(
    (re.compile(asked), re.compile(measure))
    for asked, measure in (
        (r"排名|名次|\brank", rf"第\s*{_NUMERAL}"),
        (r"哪一?年|哪个年份|\b(?:what|which) year\b", r"\d{2,4}\s*年|[一二三四五六七八九零〇]{2,4}年"),
        (
            r"多少钱|价格|售价|费用|\bhow much (?:money|did|does|do)\b|\bprice|\bcosts?\b",
            rf"{_NUMERAL}\s*(?:[a-z]{{2}})?[元镑]",
        ),
        (r"网址|网站|链接|官网|下载地址|\burl\b|\bwebsite|\blink\b", r"https?://|www\.|[a-z0-9]\.[a-z]{2,}/"),
        (r"邮箱|电子邮件|\be-?mail", r"[\w.+-]+@[\w-]"),
        (r"电话|手机号|号码|分机|热线|\b(?:tele)?phone", r"\d[\d-]{2,}\d"),
        (r"百分之几|占比|比例|比率|\bpercent|\bproportion|\bshare of\b", rf"{_NUMERAL}%|百分之|分之|成[,。;]"),
    )
)
# The noun that stands for the answer: 什么机构, 哪个城市, 哪一年. The sentence that answers often lacks it.
_STAND_IN = re.compile(
    r"(?:什么样的|什么|哪一?[个些种位家座款部场届项类]|哪些|哪几[个种]|何种|哪)([\u4e00-\u9fff]{1,4})"
)
# A line without any punctuation that asks, as the entries of a list of questions do.
_LONGEST_QUESTION = 24
_UNMARKED = re.compile("怎么|如何|怎样|为什么|什么时候|哪里|哪些|多少钱|多久|吗$|呢$|是什么$|有什么")
_MARKED = re.compile("[。,;:!…、.]")
_CLOSING = "”’\"'」』）)】 "


@dataclass(frozen=True, slots=True)
class AnswerType:
    """The types a question asks for, the measures its number may come in, and the nouns that stand for the answer."""

    names: tuple[str, ...]
    measures: tuple[re.Pattern[str], ...]
    stand_ins: tuple[str, ...]

    @classmethod
    def from_query(cls, query: Query) -> AnswerType:
        """What the query asks for; no types when it says nothing about its answer."""
        folded = query.folded
        names = tuple(name for name, pattern in _ASKS.items() if pattern.search(folded))
        measures = tuple(
            re.compile(f"{ordinal}{_NUMERAL}\\s*{re.escape(measure)}") for ordinal, measure in _MEASURE.findall(folded)
        )
        named = tuple(measure for asked, measure in _NAMED_MEASURES if asked.search(folded))
        return cls(names, measures + named, tuple(_STAND_IN.findall(folded)))

    def held(self, sentences: Sequence[str], question: str) -> dict[str, list[bool]]:
        """For each type asked for, which folded sentences hold something of it that is not already in the question."""
        return {name: [_says_new(_ANSWERS[name], one, question) for one in sentences] for name in self.names}

    def found(self, folded: str, question: str) -> Iterator[tuple[int, int]]:
        """Where the text holds something of a type asked for that is not already in the folded question."""
        for name in self.names:
            yield from (match.span() for match in _ANSWERS[name].finditer(folded) if _is_new(match[0], question))

    def measured_at(self, folded: str) -> Iterator[tuple[int, int]]:
        """Where the text holds a number in the measure asked for."""
        for pattern in self.measures:
            yield from (match.span() for match in pattern.finditer(folded))

    def measured(self, folded: str) -> bool:
        """Whether the text holds a number in the measure asked for: 件 after 多少件."""
        return any(pattern.search(folded) for pattern in self.measures)

    def stands_in(self, term: str) -> bool:
        """Whether a term is just the noun that stands for the answer: 机构 in 由什么机构发行."""
        return any(noun.startswith(term) for noun in self.stand_ins)


def _says_new(pattern: re.Pattern[str], folded: str, question: str) -> bool:
    return any(_is_new(match[0], question) for match in pattern.finditer(folded))


def _is_new(found: str, question: str) -> bool:
    return len(found) == 1 or found not in question


def is_question(sentence: str) -> bool:
    """Whether the sentence is a question. It then proves nothing, and the sentence after it is likely the answer.

    A short line that asks and ends in no mark is one too: 复诊怎么预约.
    """
    bare = sentence.rstrip(_CLOSING)
    if bare.endswith(("?", "？")):
        return True
    return len(bare) <= _LONGEST_QUESTION and _UNMARKED.search(bare) is not None and not _MARKED.search(bare)
