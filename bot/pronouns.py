"""Pronouns of a question replaced by what they stand for in the turns before: 它, 他们, 这家公司, 那里, it, his."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.mentions import ASK, NAMES, NOUN, PERSON, PLACE, TIME, VERBAL, chunks, topics, words
from bot.segmenter import MAX_CHARS
from bot.text import is_chinese, rarity, sentences
from bot.types import Turn

_END = " \t\n?？!！.。…,，"
_WHO = re.compile("(.+)是谁")  # 科大讯飞的董事长是谁
_KIND_NOUNS = {
    PERSON: "人|先生|女士|学者|作家|导演|演员|运动员|教授|球员|科学家|企业家",
    PLACE: "城市|城|市|省|县|国家|国|地方|地区|地",
    NOUN: "公司|企业|机构|学校|大学|产品|项目|电影|影片|片子|片|电视剧|剧|作品|书|球队|比赛"
    "|赛事|团队|技术|平台|会议|活动|手机",
}
_DETERMINER = "(?:这|那|该|此)(?:一?[家个座位所种支部项款场届本条次些])?"
_PRONOUNS = (
    (PERSON, re.compile(rf"(?<![其吉])[他她](?:们)?(?![人国乡杀])|{_DETERMINER}(?:{_KIND_NOUNS[PERSON]})")),
    (PLACE, re.compile(rf"[那这][里儿]|当地|{_DETERMINER}(?:{_KIND_NOUNS[PLACE]})")),
    (NOUN, re.compile(rf"(?<!其)它们?|{_DETERMINER}(?:{_KIND_NOUNS[NOUN]})|^其(?:中(?:的|有)?)?(?![他它实次余])")),
)
_THIS = r"\b(?:this|that)\s+"
_ENGLISH_PRONOUNS = (
    (PERSON, re.compile(rf"\b(?:he|she|his|her|him)\b|{_THIS}(?:person|man|woman)\b", re.IGNORECASE)),
    (PLACE, re.compile(rf"{_THIS}(?:city|place|country|province)\b", re.IGNORECASE)),
    (NOUN, re.compile(rf"\b(?:its?|they|their|them)\b|{_THIS}(?:company|firm|project|film|event)\b", re.IGNORECASE)),
)
# How an English question goes on before a pronoun that it cannot explain itself: how many people did it ...
_OPENING = re.compile(
    r"(?:(?:how (?:many|much)|which|what)(?: \S+){0,3} )?(?:\S+ )?"
    r"\b(?:is|are|was|were|did|does|do|has|have|had|can|could|will|would|should|about)\s*$",
    re.IGNORECASE,
)
_POSSESSIVE = frozenset({"its", "his", "her", "their"})
_OBJECTIVE = re.compile(r"her\s+(?:to|at|in|on|for|with|about|by|as|and|when|after|from|off|out)\b", re.IGNORECASE)
# It that stands for nothing: is it true that ..., how long does it take to ..., what time is it.
_EMPTY_IT = re.compile(
    r"\bit\b.*\b(?:that|to|for)\b|\b(?:time|day|date|year) is it\b|\bit (?:rain|snow|true|possible|the (?:first|last))",
    re.IGNORECASE,
)


def replaced(question: str, turns: Sequence[Turn]) -> str:
    """「它的前身是什么?」 -> 「寒武纪的前身是什么?」, unless the question itself names what it can stand for."""
    for kind, pattern in _PRONOUNS if is_chinese(question) else _ENGLISH_PRONOUNS:
        found = pattern.search(question)
        if not found or _explained(question, found, kind):
            continue
        if not is_chinese(question) and _EMPTY_IT.search(question):
            continue
        referent = _referent(kind, "们" in found.group(), turns)
        if referent:
            after = question[found.end() :].strip(_END)
            owns = found.group().lower() in _POSSESSIVE and not _OBJECTIVE.match(question, found.start())
            ending = "'s" if owns and after else "的" if found.group().startswith("其") else ""
            return question[: found.start()] + referent + ending + question[found.end() :]
    return ""


def _explained(question: str, found: re.Match[str], kind: str) -> bool:
    """Whether the question itself names what the pronoun may stand for, or holds it in a quotation or in a name."""
    start = found.start()
    before = [chunk for chunk in chunks(question) if chunk.end <= start]
    if is_chinese(question):
        if re.search('[「“《"]', question[:start]) or _inside_name(question, start):
            return True
        asked = kind != PLACE  # 哪位作家在他的书里: he is the writer; 哪些企业在那里: there is another place
        return any(
            any(word.kind not in (TIME, VERBAL) for word in chunk.words) and (asked or not chunk.asked)
            for chunk in before
        )
    if not before:
        return False
    possessive = found.group().lower() in _POSSESSIVE
    return possessive or any(chunk.named for chunk in before) or not _OPENING.match(question[:start])


def _inside_name(question: str, position: int) -> bool:
    """Whether a name goes on there, or a word ends that the dictionary lacks: 巴吞他尼府."""
    found = [word for word in words(question) if word.kind != ASK and word.start < position <= word.end]
    return any(word.kind in NAMES if position < word.end else rarity(word.text) == 1.0 for word in found)


def _referent(kind: str, many: bool, turns: Sequence[Turn]) -> str:
    """What a pronoun stands for: of its kind in the last question, in the answer, or the topic; "" where unknown."""
    for turn in turns:
        asked = topics(turn.question)
        if kind == PERSON:
            who = _persons(turn)
            if who:
                return "和".join(who) if many else who[0]
            if described := _WHO.fullmatch(turn.question.strip(_END)):
                return described[1]
        if kind == PLACE and is_chinese(turn.question):
            places = [word.text for chunk in asked for word in chunk.words if word.kind == PLACE]
            return places[0] if places else ""
        about = asked or topics(_first_sentence(turn.answer))
        if about:
            return about[0].of(turn.question if asked else _first_sentence(turn.answer))
    return ""


def _persons(turn: Turn) -> list[str]:
    """The persons that the answer names first where the question asks who, or else those of the question."""
    asked = [word.text for word in words(turn.question) if word.kind == PERSON]
    told = [word.text for word in words(_first_sentence(turn.answer)) if word.kind == PERSON]
    new = list(dict.fromkeys(person for person in told if person not in turn.question))
    asks_who = re.search(r"谁|哪位|创始人|\bwho\b", turn.question, re.IGNORECASE)
    return new if asks_who and new else asked or new


def _first_sentence(answer: str) -> str:
    return next((answer[start:end] for start, end in sentences(answer[:MAX_CHARS])), "")
