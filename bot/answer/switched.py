"""Puts another thing into the last question, or asks for an attribute of its topic: 「那青岛呢?」, 「价格呢?」."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from bot.answer.topic import about, is_anybodys, shaped
from bot.answer.translated import chinese_question, chinese_word
from bot.text.fold import HAN, HAN_WORD, is_chinese
from bot.text.mentions import (
    ASK,
    FUNCTION,
    NAME,
    NAMES,
    NOUN,
    OTHER,
    TIME,
    VERBAL,
    Chunk,
    Word,
    chunks,
    is_relational,
    topics,
    words,
)
from bot.types import Turn

_INSTEAD = "(?:那么|那(?!不勒斯|曲|英|[一时次年天种个些样边位])|还有|至于|如果是|换成|要是)"
_THING = re.compile(
    rf"{_INSTEAD}?[\s,，]*(?P<zh>[^?？]{{1,40}}?)呢[\s?？!！。]*"
    rf"|{_INSTEAD}[\s,，]*(?P<led>[^?？,，]{{1,16}}?)[\s?？!！。]*"
    r"|(?P<code>(?=[\w-]*\d)[A-Za-z][\w-]{1,15})[\s?？!！。]*"
    rf"|(?P<alone>[{HAN}]{{2,6}})[\s?？!！。]*"
    r"|(?:(?:and|but|so|ok(?:ay)?)[\s,]+)*(?:what|how)\s+about\s+(?P<about>[^?？]{1,80}?)[\s?？!.]*"
    r"|and[\s,]+(?P<and>[^?？]{1,60}?)\s*[?？]+",
    re.IGNORECASE,
)
# In front of the name of an English thing. What has an article and no capital belongs to the topic: "the price".
_ARTICLE = re.compile(r"(?:(?:for|in|on|at|the|an?|its|their|his|her)\s+)+", re.IGNORECASE)
# A verb or a partner of the conversation: this is more than the name of a thing.
_NO_THING = re.compile(
    r"^(?:他|她|它|这|那)们?$"
    r"|\b(?:is|are|was|were|did|do|does|has|have|can|could|will|would|should|you|me|i|if|when|who|why|how|what)\b",
    re.IGNORECASE,
)
_PREDICATES = frozenset({*"了着过吗是有我你您", "我们", "你们", "咱们"})
_COUNT = "[0-9]+|[零〇一二两三四五六七八九十百千万]+"
_LETTER = "(?<![A-Za-z])[A-Za-z](?![A-Za-z])"
# A case of the thing asked about, which stays: 「超过三天呢?」, 「外地人呢?」
_CASE = re.compile(
    "(?:超过|不[到足满会能]|满|没有?|未|[低高少多大小]于|达到|提前|迟到|逾期|当[天日]).+|.+(?:以[上下内外]|之[前后])"
)
_PERSON = re.compile(".*(?:[人者员生户孩童工]|户口|家长|老师|孕妇|经理|主管|领导)")
# What to do in a case: 「账号被锁呢?」 takes the place of the whole of 「密码忘了」.
_CURE = re.compile("[^,，]+?(?=(?:怎么|如何|该?怎样)(?:办|处理|解决|弄))")
_MAX_WORDS = 6  # of a thing in English


@dataclass(frozen=True, slots=True)
class _Thing:
    """What a follow-up names: without its article, as words, whether it had one, and whether the user wrote English."""

    text: str
    words: tuple[Word, ...]
    has_article: bool
    in_english: bool

    @classmethod
    def of(cls, said: str, in_english: bool) -> _Thing:
        """The thing that was said."""
        text = _ARTICLE.sub("", said, count=1) if _ARTICLE.match(said) else said
        return cls(text, words(text), text != said, in_english)

    @property
    def named(self) -> bool:
        """Whether it has a name."""
        return any(word.kind in NAMES for word in self.words)

    @property
    def relational(self) -> bool:
        """Whether it belongs to something else: 价格, 研发负责人."""
        return is_relational(self.text) and self.words[-1].kind == NOUN


def switched(question: str, turns: Sequence[Turn]) -> str:
    """「那青岛呢?」 -> the last question, with 青岛 in place of the thing of the same kind."""
    found = _THING.fullmatch(question)
    said = found.group(found.lastgroup).strip() if found and found.lastgroup else ""
    if not found or _NO_THING.search(said) or len(said.split()) > _MAX_WORDS:
        return ""
    thing = _Thing.of(said, found.lastgroup in ("about", "and"))
    if not thing.words or any(word.kind == ASK or word.text in _PREDICATES for word in thing.words):
        return ""
    if found.lastgroup == "alone" and not (is_anybodys(thing.words) and not re.search("[率量额值价龄数费]$", said)):
        return ""  # 工龄 may be all that somebody types
    if found.lastgroup == "led" and not _is_name(thing.words):
        return ""
    if "的" in said and any(word.kind == TIME for word in thing.words):  # 网易2022年的营收 stands alone
        return ""
    turn = next((turn for turn in turns if topics(turn.question) or _counted(turn.question, said)), None)
    if not turn or (found.lastgroup == "code" and not _counted(turn.question, said)):
        return ""
    return _put(thing, turn, turns)


def _is_name(said: Sequence[Word]) -> bool:
    loose = any(word.kind == FUNCTION for word in said) or (said[0].kind == OTHER and len(said[0].text) == 1)
    return not loose and any(word.kind in NAMES | {NOUN, TIME} for word in said)


def _put(thing: _Thing, turn: Turn, turns: Sequence[Turn]) -> str:
    base = turn.question
    if thing.in_english and is_chinese(base) and (name := chinese_word(thing.text)):
        chinese = _Thing.of(name, True)
        thing = chinese if chinese.named else thing
    if (
        place := _counted(base, thing.text)
        or _directed(base, thing.text)
        or _timed(base, thing.words)
        or _alike(base, thing)
    ):
        return base[: place[0]] + thing.text + base[place[1] :]
    topic = topics(base)[0]
    persons = _PERSON.fullmatch(topic.within(base)) and _PERSON.fullmatch(thing.text)
    # Another attribute, where the base asks for one of nothing else: 「加班费怎么算?」 「年终奖金呢?」
    others = thing.relational and is_relational(topic.within(base)) and not topic.owner
    attribute = thing.relational and not persons and not others
    if not attribute and is_chinese(base) and _is_case(thing, bool(persons)):
        at = topic.start if topic.owner else topic.end
        return base[:at] + thing.text + base[at:]
    if attribute or _is_part(thing, topic, base):
        return "" if thing.named and thing.relational else _of_topic(thing.text, turns)
    if (trouble := _CURE.match(base)) and any(word.kind in (OTHER, FUNCTION) for word in thing.words[1:]):
        return thing.text + base[trouble.end() :]
    crosses = is_chinese(thing.text) and not is_chinese(base)
    if crosses and (crossed := chinese_question(base, topic.within(base), thing.text, turn.answer)):
        return crossed
    start, end = _replaceable(base, thing.words)
    return base[:start] + thing.text.removesuffix("'s") + base[end:]


def _is_case(thing: _Thing, persons: bool) -> bool:
    person = _PERSON.fullmatch(thing.text) and not persons and not thing.named
    return bool(person or _CASE.fullmatch(thing.text))


def _of_topic(thing: str, turns: Sequence[Turn]) -> str:
    if is_chinese(thing):
        return shaped(f"{about(thing, turns)}的{thing}呢?")
    return f"what about the {thing} of {about(thing, turns)}?"


def _is_part(thing: _Thing, topic: Chunk, base: str) -> bool:
    """Whether the thing is a part of the topic: 滤芯 of 星瀚X2, for another such thing would have a code too."""
    if not is_chinese(thing.text):
        return thing.text == thing.text.lower() and (thing.has_article or (topic.named and is_chinese(base)))
    if "的" in thing.text and not thing.named:
        return True
    coded = any(re.search("[0-9]", word.text) for word in topic.words if word.kind == NAME)
    plain = thing.words[-1].kind == NOUN and not thing.named
    unknown = len(thing.words) == 1 and thing.words[0].kind == NAME  # a word that jieba does not know
    return is_chinese(base) and coded and (plain or unknown) and HAN_WORD.fullmatch(thing.text) is not None


def _counted(base: str, thing: str) -> tuple[int, int] | None:
    """Where the base has the thing with another number or letter in it: X1 for X2, 第四步 for 第五步, B座 for A座."""
    for counted, letter in ((_COUNT, ""), (f"{_COUNT}|{_LETTER}", _LETTER)):
        pieces = re.split(f"({counted})", thing)
        if len(pieces) == 1 or not (any(pieces[::2]) or letter):
            continue
        others = [letter if letter and re.fullmatch(letter, piece) else _count_like(piece) for piece in pieces[1::2]]
        rest = "".join(other + re.escape(piece) for other, piece in zip(others, pieces[2::2], strict=True))
        found = re.search(rf"(?<![A-Za-z0-9]){re.escape(pieces[0])}{rest}(?![0-9])", base, re.IGNORECASE)
        if found:
            return found.span()
    return None


def _count_like(count: str) -> str:
    return rf"[0-9]{{{len(count)}}}" if len(count) == 4 and count.isascii() else f"(?:{_COUNT})"  # 2022年 is no 5年


def _timed(base: str, new: Sequence[Word]) -> tuple[int, int] | None:
    """Where the base says when; its beginning where it does not. None if the thing is no time."""
    if any(word.kind != TIME for word in new):
        return None
    times = [word for word in words(base) if word.kind == TIME]
    for word in times:
        if word.text[0] == new[0].text[0] or word.text[-1] == new[-1].text[-1]:  # 周三 and 周五, 上午 and 下午
            return word.start, word.end
    joined = all(left.end == right.start for left, right in pairwise(times))
    return (times[0].start, times[-1].end if joined else times[0].end) if times else (0, 0)


def _directed(base: str, thing: str) -> tuple[int, int] | None:
    """Where the base has the preposition of the thing, with what follows it: 到上海 for 到广州."""
    if not re.match("[到去在从往向给对].", thing):
        return None
    return next(((c.start - 1, c.end) for c in chunks(base) if base[c.start - 1 : c.start] == thing[0]), None)


def _alike(base: str, thing: _Thing) -> tuple[int, int] | None:
    """Where the base has something that ends like the thing, the longest ending first: 结算数据库 for 回溯数据库."""
    text, new = thing.text, thing.words
    if not is_chinese(text):
        last = re.escape(new[-1].text)
        found = re.search(rf"(?:[\w'-]+ ){{{len(new) - 1}}}{last}\b", base, re.IGNORECASE)
        return found.span() if found and len(new) > 1 else None
    attribute, timely = is_relational(text), any(word.kind == TIME for word in new)
    whole = [*topics(base), *chunks(base)]
    for length in range(len(text) - 1, 0, -1):
        ending = text[-length:]
        ends = [word for word in words(base) if word.kind != ASK and base.endswith(ending, 0, word.end)]
        for word in ends if HAN_WORD.fullmatch(ending) else ():
            if is_relational(word.text) != attribute or base.endswith(text, 0, word.end):
                continue
            begin = min((chunk.start for chunk in whole if chunk.start <= word.start <= chunk.end), default=word.start)
            before = [one for one in words(base) if begin <= one.start < word.start]
            kept = NAMES | {TIME} if attribute else frozenset() if timely else {TIME}
            most = len(new) - 1 if attribute else len(before)
            start = word.start
            while before and most and before[-1].kind not in kept:
                start, most = before.pop().start, most - 1
            return start, word.end
    return None


def _replaceable(base: str, new: Sequence[Word]) -> tuple[int, int]:
    """Where the base has a name of the kind of the thing, or else its topic."""
    same = [word for word in words(base) if len(new) == 1 and word.kind == new[0].kind and word.kind in NAMES]
    if same:
        return same[0].start, same[0].end
    timely = any(word.kind == TIME for word in new)
    topic = [word for word in topics(base)[0].words if timely or word.kind != TIME]
    if all(word.kind in (OTHER, VERBAL) for word in new):  # 换货 for 退款 of 退款政策
        topic = list(takewhile(lambda word: word.kind in (OTHER, VERBAL), topic)) or topic
    start, end = topic[0].start, topic[-1].end
    if len(new) > 1 and base.startswith(new[-1].text, end):  # 机器学习 -> 深度学习, when 学习 was tagged as a verb
        end += len(new[-1].text)
    return start, end
