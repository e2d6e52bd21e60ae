"""Replaces the pronouns of a question by what they stand for in earlier turns: 它, 他们, 这家公司, 那里, it, his."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.answer.topic import about, shaped
from bot.answer.translated import chinese_name
from bot.text.fold import HAN, is_chinese
from bot.text.mentions import (
    ASK,
    NAME,
    NAMES,
    NOUN,
    ORGANISATION,
    PERSON,
    PLACE,
    TIME,
    VERBAL,
    Chunk,
    chunks,
    topics,
    words,
)
from bot.text.segmenter import MAX_CHARS
from bot.text.sentences import sentences
from bot.text.terms import rarity
from bot.types import Turn

_END = " \t\n?？!！.。…,，"
_WHO = re.compile("(.+)是谁|who (?:is|was) (.+)", re.IGNORECASE)  # 科大讯飞的董事长是谁
_KIND_NOUNS = {
    PERSON: "人|先生|女士|学者|作家|导演|演员|运动员|教授|球员|科学家|企业家",
    PLACE: "城市|城|市|省|县|国家|国|地方|地区|地",
    NOUN: "公司|企业|机构|学校|大学|产品|商品|设备|机器|机型|型号|软件|系统|项目|电影|影片|片子|片|电视剧|剧|作品|书"
    "|球队|比赛|店|门店|景区|酒店|支行|医院|博物馆|赛事|团队|技术|平台|会议|活动|手机",
}
# 上面说的这款, 刚才提到的公司: where it was said adds nothing.
_BEFORE = (
    "(?:(?:上面|上文|前面|之前|以上|刚[才刚])(?:[我你]们?)?所?(?:(?:[说提讲问聊查]|介绍|讨论)[过到及]*)?的?|上述的?)"
)
_MEASURE = "一?[家个座位所种支部项款场届本条次些台辆套件门份张批笔版]"
_POINTING = f"(?:这|那|该|此)(?:{_MEASURE})?"
_DETERMINER = f"(?:{_BEFORE}?{_POINTING}|{_BEFORE})"
_NOT_THEN = "(?!那(?:城(?!市)|市|省|县|国(?!家)|地(?![方区])))"  # 那城西支行呢: 那 is then
# One of a kind of goods, whatever follows: 这款多少钱, 这台电机.
_ONE_OF_GOODS = (
    f"{_BEFORE}?(?:[这那该]一?[款台辆套](?:[茶车书菜药酒灯表包笔锁](?=[多是有能会怎在几哪什适要的]))?"
    "|[这那]个(?=[是有能要会可贵好多怎在什]))"
)
_PRONOUNS = (
    (PERSON, re.compile(rf"(?<![其吉])[他她](?:们)?(?![人国乡杀])|{_DETERMINER}(?:{_KIND_NOUNS[PERSON]})")),
    (PLACE, re.compile(rf"[那这][里儿]|当地(?!时间|人|居民)|{_NOT_THEN}{_DETERMINER}(?:{_KIND_NOUNS[PLACE]})")),
    (
        NOUN,
        re.compile(
            rf"(?<!其)它们?|{_DETERMINER}(?:{_KIND_NOUNS[NOUN]})|{_ONE_OF_GOODS}|^其(?:中(?:的|有)?)?(?![他它实次余])"
        ),
    ),
)
_THIS = r"\b(?:this|that)\s+"
_ENGLISH_PRONOUNS = (
    (PERSON, re.compile(rf"\b(?:he|she|his|her|him)\b|{_THIS}(?:person|man|woman)\b", re.IGNORECASE)),
    (PLACE, re.compile(rf"{_THIS}(?:city|place|country|province)\b", re.IGNORECASE)),
    (NOUN, re.compile(rf"\b(?:its?|they|their|them)\b|{_THIS}(?:company|firm|project|film|event)\b", re.IGNORECASE)),
)
# The beginning of an English question whose pronoun must refer to an earlier turn: how many people did it ...
_OPENING = re.compile(
    r"(?:(?:how (?:many|much)|which|what)(?: \S+){0,3} )?(?:\S+ )?"
    r"\b(?:is|are|was|were|did|does|do|has|have|had|can|could|will|would|should|about)\s*$",
    re.IGNORECASE,
)
_POSSESSIVE = frozenset({"its", "his", "her", "their"})
_OBJECTIVE = re.compile(r"her\s+(?:to|at|in|on|for|with|about|by|as|and|when|after|from|off|out)\b", re.IGNORECASE)
# An "it" that stands for nothing: is it true that ..., how long does it take to ..., what time is it.
_EMPTY_IT = re.compile(
    r"\bit\b.*\b(?:that|to|for)\b|\b(?:time|day|date|year) is it\b|\bit (?:rain|snow|true|possible|the (?:first|last))",
    re.IGNORECASE,
)


def replaced(question: str, turns: Sequence[Turn]) -> str:
    """「它的前身是什么?」 -> 「寒武纪的前身是什么?」; "" if no pronoun can be replaced."""
    for kind, pattern in _PRONOUNS if is_chinese(question) else _ENGLISH_PRONOUNS:
        found = pattern.search(question)
        if not found or _explained(question, found, kind):
            continue
        if not is_chinese(question) and _EMPTY_IT.search(question):
            continue
        referent = _referent(kind, "们" in found.group(), turns, is_chinese(question))
        if referent:
            after = question[found.end() :].strip(_END)
            owns = found.group().lower() in _POSSESSIVE and not _OBJECTIVE.match(question, found.start())
            ending = "'s" if owns and after else "的" if found.group().startswith("其") else ""
            return shaped(question[: found.start()] + referent + ending + question[found.end() :])
    return _repeated(question, turns)


def _repeated(question: str, turns: Sequence[Turn]) -> str:
    """「该办法何时施行?」 -> 「差旅费管理办法何时施行?」, where the topic ends like what is pointed at."""
    topic = about(question, turns)
    for found in re.finditer(rf"(?:{_BEFORE}?(?:[该此]|[这那]{_MEASURE})|{_BEFORE})([{HAN}]{{2,}})", question):
        for length in range(min(len(topic) - 1, len(found[1])), 1, -1):
            if topic.endswith(found[1][:length]):
                return shaped(question[: found.start()] + topic + question[found.start(1) + length :])
    return ""


def _explained(question: str, found: re.Match[str], kind: str) -> bool:
    """Whether the question itself names what the pronoun may stand for, or has it in a quotation or a name."""
    start = found.start()
    before = [chunk for chunk in chunks(question) if chunk.end <= start]
    if is_chinese(question):
        if re.search('[「“《"]', question[:start]) or _inside_name(question, start):
            return True
        asked = kind != PLACE  # 哪位作家在他的书里: 他 is the writer; 哪些企业在那里: 那里 is not the companies
        return any(
            any(word.kind not in (TIME, VERBAL) for word in chunk.words) and (asked or not chunk.asked)
            for chunk in before
        )
    if not before:
        return False
    possessive = found.group().lower() in _POSSESSIVE
    return possessive or any(chunk.named for chunk in before) or not _OPENING.match(question[:start])


def _inside_name(question: str, position: int) -> bool:
    """Whether a name continues at this position, or a word that the dictionary lacks ends there: 巴吞他尼府."""
    found = [word for word in words(question) if word.kind != ASK and word.start < position <= word.end]
    return any(word.kind in NAMES if position < word.end else rarity(word.text) == 1.0 for word in found)


def _referent(kind: str, many: bool, turns: Sequence[Turn], in_chinese: bool) -> str:
    """What a pronoun stands for: a thing of its kind in the last turns, or their topic; "" if unknown."""
    for turn in turns:
        asked = topics(turn.question)
        if kind == PERSON:
            who = _persons(turn)
            if who:
                return "和".join(who) if many else who[0]
            if described := _WHO.fullmatch(turn.question.strip(_END)):
                return described[1] or described[2]
        if kind == PLACE and is_chinese(turn.question):
            places = [word.text for chunk in asked for word in chunk.words if word.kind == PLACE]
            return places[0] if places else ""
        if kind == PERSON and asked and not _may_be_person(asked[0], many):
            continue
        if asked:
            if in_chinese and not is_chinese(turn.question):
                return chinese_name(turn.question, asked[0], turn.answer)
            return asked[0].within(turn.question)
        told = _first_sentence(turn.answer)
        if found := topics(told):
            return found[0].within(told)
    return ""


def _may_be_person(topic: Chunk, many: bool) -> bool:
    """Whether a topic can be called he or she; a company is called 他们."""
    last = topic.words[-1].text
    foreign = any(
        word.kind == NAME and word.text.isalpha() and not word.text.isupper() and not is_chinese(word.text)
        for word in topic.words
    )
    kinds = {PERSON, ORGANISATION, NAME} if many else {PERSON, ORGANISATION}
    return foreign or any(word.kind in kinds for word in topic.words) or re.search("[人者员生长师]$", last) is not None


def _persons(turn: Turn) -> list[str]:
    """The persons named first in the answer if the question asks who; otherwise those in the question."""
    asked = [word.text for word in words(turn.question) if word.kind == PERSON]
    told = [word.text for word in words(_first_sentence(turn.answer)) if word.kind == PERSON]
    new = list(dict.fromkeys(person for person in told if person not in turn.question))
    asks_who = re.search(r"谁|哪位|创始人|\bwho\b", turn.question, re.IGNORECASE)
    return new if asks_who and new else asked or new


def _first_sentence(answer: str) -> str:
    return next((answer[start:end] for start, end in sentences(answer[:MAX_CHARS])), "")
