"""A follow-up question made to stand alone: 「那青岛呢?」 after 「合肥为什么能成功?」 is 「青岛为什么能成功?」.

Deterministic, and careful: a question that names its own subject is never changed, nor is one that no rule knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from bot import pronouns
from bot.mentions import ASK, NAMES, NOUN, TIME, VERBAL, Word, chunks, is_relational, topics, words
from bot.text import QUESTION_WORDS, is_chinese
from bot.types import Turn

MAX_TURNS = 3  # how many turns are looked back on, the most recent first
_MAX_FOLLOW_UP = 200  # characters; a longer question says itself what it is about
_MAX_UNDERSTOOD = 2_000
_END = " \t\n?？!！.。…,，"
_LEAD = r"(?:(?:那么?|但是?|可是|所以|请问|又|(?:and|but|so|then|ok(?:ay)?)\b)[\s,，]*)*"
_TAIL = r"(?:呢|啊|呀|吗|的呢)?[\s?？!！.。…]*"

_SWITCH = re.compile(
    r"(?:那么|那(?!不勒斯|曲|英)|还有|至于|如果是|换成|要是)?[\s,，]*(?P<zh>[^?？]{1,40}?)呢[\s?？!！。]*"
    r"|(?:(?:and|but|so|ok(?:ay)?)[\s,]+)*(?:what|how)\s+about\s+(?P<about>[^?？]{1,80}?)[\s?？!.]*"
    r"|and[\s,]+(?:for\s+|in\s+)?(?P<and>[^?？]{1,60}?)\s*[?？]+",
    re.IGNORECASE,
)
# A verb or a partner of the conversation: no mere thing is named.
_NO_THING = re.compile(
    r"[了着过吗是有我你您]|^(?:他|她|它|这|那)们?$"
    r"|\b(?:is|are|was|were|did|do|does|has|have|can|could|will|would|should|you|me|i|if|when|who|why|how|what)\b",
    re.IGNORECASE,
)

_COUNT = "第?[一二三四五六七八九十0-9]+"
_ORDINAL = re.compile(_COUNT + "([\u4e00-\u9fff]{1,3})")  # 二号线, 第三届

# What an elliptic question asks for: (as users say it, put into a Chinese question, put into an English one).
_ELLIPSES = (
    (
        r"[这那]?(?:又?是|会)?(?:为什么|为何|为啥|凭什么|什么原因|怎么回事|怎么会)(?:会?这样)?|原因(?:是什么|何在)?"
        r"|why(?: (?:is|was))?(?: (?:that|this|it|so|not))?|how come",
        "为什么",
        "why",
    ),
    (
        r"[这那]?(?:是|在)*(?:什么时候|何时|几时|哪一?[年天])(?:的事?情?)?"
        r"|when(?: (?:was|is|did))?(?: (?:that|this|it))?(?: happen)?|(?:in )?(?:what|which) year",
        "什么时候",
        "when",
    ),
    (
        r"[这那]?(?:是|在)*(?:哪里|哪儿|何处|何地|什么地方)的?"
        r"|where(?: (?:was|is|did))?(?: (?:that|this|it))?(?: happen)?",
        "在哪里",
        "where",
    ),
    (r"(?:是)?(?:怎么|怎样|如何)(?:做|做到)?的?|how(?: so| did (?:that|it) happen)?", "怎么", "how"),
    (r"[这那]?是?(?:谁|哪位|什么人)|who(?: (?:is|was) (?:that|it))?|by whom", "是谁", "who"),
    (r"[是有]?多少[钱人个家件次年]?|how (?:much|many)", "多少", "how many"),
    (r"[是有]?多[久长]|how long", "多久", "how long"),
    (
        r"还有(?:吗|别的|什么|哪些|谁|其他的?)?|(?:然后|接着|后来|具体|比如|例如|别的|其他的?)"
        r"|(?:what|anything|who|where) else|(?:what|which) others?|for example|such as",
        "还有哪些",
        "what else",
    ),
)
_ELLIPTIC = tuple((re.compile(f"{_LEAD}(?P<said>{said}){_TAIL}", re.IGNORECASE), zh, en) for said, zh, en in _ELLIPSES)
# Said as the user said it, where the last question is of the same language: 多高 is not 多久.
_OWN_WORDS = frozenset({"是谁", "多少", "多久"})
_JOINED = re.compile(
    rf"(?:,(?:{'|'.join(zh for _, zh, _ in _ELLIPSES)})|, and (?:{'|'.join(en for *_, en in _ELLIPSES)}))$"
)
# Adverbs that ask stand where another one stood: 合肥为什么成功 -> 合肥什么时候成功.
_ADVERBS = (
    ("为什么", re.compile("为什么|为何|为啥|凭什么")),
    ("什么时候", re.compile("(?:是|在)?(?:什么时候|何时|哪一?[年天])(?!的)")),
    ("在哪里", re.compile("是?在?(?:哪里|哪儿|何处|何地|什么地方)|在哪")),
    ("怎么", re.compile("怎么样?|怎样|如何")),
    ("why", re.compile(r"^why\b", re.IGNORECASE)),
    ("when", re.compile(r"^when\b", re.IGNORECASE)),
    ("where", re.compile(r"^where\b", re.IGNORECASE)),
    ("how", re.compile(r"^how\b(?! (?:many|much|long|far|old|big))", re.IGNORECASE)),
)
# How a question begins that has no subject. 谁 and 什么 can be subjects themselves: 「谁难产了?」 stands
# alone, and so may 「怎么退票?」.
_NO_SUBJECT = re.compile(
    "[是还有在会能要曾共]*(?:为什么|为何|为啥|什么时候|何时|哪一?[年天]|哪里|哪儿|何处|多久)"
    "|(?:是|还?有|一?共有?)(?=谁|哪|什么|多少|几|多)"
)
_MAX_BARE = 14  # characters of a question that has no subject
_MAX_REST = 4  # of them, those that are neither asked for nor an adverb: 「什么时候开始施行?」


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question made to stand alone by the last turns, or unchanged; at most 2,000 characters."""
    turns = [turn for turn in reversed(history[-MAX_TURNS:]) if turn.question.strip()]
    if not turns or len(question) > _MAX_FOLLOW_UP:
        return question
    for rule in (_elliptic, pronouns.replaced, _switched, _bare):
        understood = rule(question.strip(), turns)
        if understood and len(understood) <= _MAX_UNDERSTOOD:
            return understood
    return question


def resolved(turns: Iterable[Turn]) -> list[Turn]:
    """The turns with each question made to stand alone by those before it, for a history that holds what was typed."""
    found: list[Turn] = []
    for turn in turns:
        found.append(Turn(standalone(turn.question, found), turn.answer))
    return found


def _elliptic(question: str, turns: list[Turn]) -> str:
    """「为什么?」 after 「合肥暂停了什么?」 -> 「合肥暂停了什么,为什么?」."""
    base = _JOINED.sub("", turns[0].question.strip(_END))
    for pattern, zh, en in _ELLIPTIC:
        found = pattern.fullmatch(question)
        if not found:
            continue
        asked = zh if is_chinese(base) else en
        if asked in dict(_ADVERBS):
            for adverb, stood in _ADVERBS:
                if is_chinese(adverb) == is_chinese(base) and stood.search(base):
                    return stood.sub(asked, base, count=1) + "?"
        elif zh in _OWN_WORDS and is_chinese(found["said"]) == is_chinese(base):
            asked = found["said"]
        return f"{base},{asked}?" if is_chinese(base) else f"{base}, and {asked}?"
    return ""


def _switched(question: str, turns: list[Turn]) -> str:
    """「那青岛呢?」 -> the last question with 青岛 in the place of what is of its kind."""
    found = _SWITCH.fullmatch(question)
    thing = found and (found["zh"] or found["about"] or found["and"]).strip()
    if not thing or _NO_THING.search(thing) or len(thing.split()) > 6:
        return ""
    new = words(thing)
    if not new or any(word.kind == ASK for word in new):
        return ""
    base = next((turn.question for turn in turns if topics(turn.question)), "")
    if not base:
        return ""
    named = any(word.kind in NAMES for word in new)
    if "的" in thing and any(word.kind == TIME for word in new):  # 网易2022年的营收: it stands alone
        return ""
    relational = (is_relational(thing) and new[-1].kind == NOUN) or ("的" in thing and not named)
    if relational:
        return "" if named else _of_topic(thing, base)
    return _replaced(base, thing, new)


def _of_topic(thing: str, base: str) -> str:
    about = "、".join(chunk.of(base) for chunk in topics(base)[:2])
    if is_chinese(thing):
        return f"{about}的{thing}呢?"
    return f"what about {thing} of {about}?"


def _replaced(base: str, thing: str, new: list[Word]) -> str:
    kinds = {word.kind for word in new}
    old = words(base)
    if kinds == {TIME}:
        times = [word for word in old if word.kind == TIME]
        start, end = (times[0].start, times[-1].end if _adjacent(times) else times[0].end) if times else (0, 0)
        return base[:start] + thing + base[end:]
    if (line := _ORDINAL.fullmatch(thing)) and (other := re.search(_COUNT + re.escape(line[1]), base)):
        return base[: other.start()] + thing + base[other.end() :]
    same = [word for word in old if len(new) == 1 and word.kind == new[0].kind and word.kind in NAMES]
    topic = [word for word in topics(base)[0].words if TIME in kinds or word.kind != TIME]
    start, end = (same[0].start, same[0].end) if same else (topic[0].start, topic[-1].end)
    if len(new) > 1 and base.startswith(new[-1].text, end):  # 机器学习 -> 深度学习, where 学习 was taken for a verb
        end += len(new[-1].text)
    return base[:start] + thing.removesuffix("'s") + base[end:]


def _adjacent(times: list[Word]) -> bool:
    return all(left.end == right.start for left, right in pairwise(times))


def _bare(question: str, turns: list[Turn]) -> str:
    """「震级是多少?」, 「什么时候成立的?」 -> with the topic of the last question before it."""
    said = re.sub(rf"^{_LEAD}", "", question)
    if not is_chinese(said) or len(said) > _MAX_BARE or not any(word.kind == ASK for word in words(said)):
        return ""
    base = next((turn.question for turn in turns if topics(turn.question)), "")
    own = [c for c in chunks(said) if not c.asked and any(word.kind != VERBAL for word in c.words)]
    if not base or any(chunk.named for chunk in own) or re.search("[我你您咱]", said):
        return ""
    about = "、".join(chunk.of(base) for chunk in topics(base)[:2])
    rest = "".join(word.text for word in words(said) if word.kind != ASK and word.text not in QUESTION_WORDS)
    if not own and _NO_SUBJECT.match(said) and len(rest) <= _MAX_REST:
        return about + said
    if len(own) == 1 and own[0].start == 0 and own[0].words[-1].kind == NOUN and own[0].trimmed() is None:
        return f"{about}的{said}"
    return ""
