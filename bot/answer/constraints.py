"""What tells a question from its neighbours must be in the passage: 丙厂's telephone is not 乙厂's.

A name, a code, a year or a month of the question that a passage lacks, while it has another of the kind in that place,
says that the passage is about the other one. On 1,053 answered questions of cmrc_dev, news_qa and xquad_even this was
found in 5 passages that did answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from bot.answer.features import held
from bot.text import kinds, segmenter
from bot.text.asking import LATEST
from bot.text.dates import day_number
from bot.text.fold import HAN, HAN_WORD, fold, is_chinese, unfolded
from bot.text.mentions import NO_PLACES
from bot.text.terms import QUESTION_WORDS, rarity
from bot.types import Passage, Query, Term

_CODE = re.compile(r"(?=[a-z0-9.+/_-]*\d)(?=[a-z0-9.+/_-]*[a-z])[a-z0-9][a-z0-9.+/_-]+")
_DATES = {
    "年": re.compile(r"(?:\d{4}|[一二三四五六七八九〇零]{4}|(?<!\d)\d{2}) ?年"),
    "月": re.compile(r"(?:\d{1,2}|[一二三四五六七八九十]{1,2}) ?月"),
}
_YEAR = re.compile(r"(?:19|20)\d\d")
_NAMES = frozenset({"nr", "ns", "nt", "nz"})  # jieba's tags of people, places, organisations and other names
_STEMS = "甲乙丙丁戊己庚辛东西南北"
_IN_TURN = f"{_STEMS}一二三四五六七八九十"  # what things of one kind are told apart by
# Who is the one is not the other; 负责人 and 领导 may be any of them.
_ROLES = frozenset(
    """
    董事长 总经理 总裁 首席执行官 创始人 校长 院长 书记 市长 县长 省长 区长 镇长 局长 部长 厅长 处长 科长 行长 所长 馆长
    站长 店长 队长 主教练 秘书长 总编辑 总工程师 监事长
    """.split()  # noqa: SIM905  a list literal would take 25 lines
)
_PREPOSITIONS = "对从在被向把与和为给由当将让使于以据到"
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾"
    "夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿"
    "关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简"
    "车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝"
)
_ASKS = re.compile("[几哪谁何么多少]")
_BESIDE = 2  # letters after a name that must stand in the passage, at least
_REACH = 8  # letters before those that may name another thing
_RARE = 0.5  # a noun at least this rare names what has a field; 公司 and 学校 do not
TOLD = {"zh": "没有“{word}”，有{others}。", "en": "They do not have {word}; they have {others}."}
_OTHERS = 4  # named in a refusal, at most


def replaced(query: Query, passage: Passage, *, keyed: bool = False) -> dict[str, list[str]]:
    """Terms of the query that the passage lacks, each with what it has in their place.

    `keyed` says that the passage answers by a field: then whose field it is must be there, whatever stands instead.
    """
    whole = _whole(passage)
    found = {}
    for term in query.terms:
        if held(term.alternatives, whole):
            continue
        # What the question names too is compared with the term, not put in its place: X1 and X2.
        others = [other for other in dict.fromkeys(_others(term, query.folded, whole)) if other not in query.folded]
        owner = keyed and _owns(term.source, query.folded, whole)
        if others or owner or _has_parts(term.source, query.folded):
            found[term.source] = others[:_OTHERS]
    return {word: others for word, others in found.items() if not any(word != one and word in one for one in found)}


def lacks_kind(query: Query, passage: Passage) -> bool:
    """Whether the query asks for a price, a time of day or a telephone number, and the passage has none at all."""
    return kinds.lacks_kind(query.folded, _whole(passage))


def supported_first(query: Query, passages: Sequence[Passage]) -> list[int]:
    """The places of the passages, those first that hold what the first one lacks, or the latest where that is meant."""
    order = list(range(len(passages)))
    if re.search(LATEST, query.folded):
        return _latest_first(passages)
    lacking = replaced(query, passages[0]) if passages else {}
    if not lacking:
        return order
    terms = [term for term in query.terms if term.source in lacking]
    wholes = [_whole(one) for one in passages]
    return sorted(order, key=lambda i: not all(held(term.alternatives, wholes[i]) for term in terms))


def _whole(passage: Passage) -> str:
    return fold(f"{passage.about}\n{passage.text}")


def _latest_first(passages: Sequence[Passage]) -> list[int]:
    """The places of the passages: first the versions of the first one, the latest first by its name, then its date."""
    years = [max(map(int, _YEAR.findall(fold(one.about))), default=0) for one in passages]
    days = [day_number(one.date) for one in passages]
    bare = [_YEAR.sub("", fold(f"{one.title}\n{one.heading}")) for one in passages]
    return sorted(
        range(len(passages)),
        key=lambda i: (bare[i] != bare[0], (-years[i], -days[i]) if bare[i] == bare[0] else (0, 0)),
    )


def told(query: Query, passages: Sequence[Passage], lacking: Iterable[str], language: str) -> str:
    """What the passages have in place of the words that they lack, in the language asked for; "" if nothing.

    `lacking` are words that `replaced` found for the first passage.
    """
    whole = "\n".join(f"{one.title}\n{one.heading}\n{one.text}" for one in passages)
    each = [replaced(query, one) for one in passages]
    said = []
    for word in lacking:
        others = dict.fromkeys(other for found in each for other in found.get(word, ()))
        if others:
            names = dict.fromkeys(_as_written(other, whole) for other in list(others)[:_OTHERS])
            joined = "、".join(f"“{name}”" for name in names) if language == "zh" else ", ".join(names)
            said.append(TOLD[language].format(word=_as_written(word, query.text), others=joined))
    return " ".join(said) if language == "en" else "".join(said)


def _as_written(folded: str, text: str) -> str:
    """How the text writes a folded word: X3 for x3; the word itself where it folds otherwise."""
    at = fold(text).find(folded)
    return text[slice(*unfolded(text, at, at + len(folded)))] if at >= 0 else folded


def _others(term: Term, question: str, whole: str) -> Iterator[str]:
    """What the passage has in the place of the term."""
    if term.number:
        unit = term.source.rstrip()[-1:]
        if term.source[0] == "第":
            yield from (match[0] for match in re.finditer(f"第[〇零一二两三四五六七八九十百\\d]+{unit}", whole))
        yield from (match[0] for match in _DATES[unit].finditer(whole)) if unit in _DATES else ()
    elif _CODE.fullmatch(term.source):
        codes = _CODE.findall(whole)
        if all(_bare(term.source) != _bare(code) for code in codes):  # kx3200a is kx-3200a
            yield from (code for code in codes if _alike(term.source, code))
    elif term.source in _ROLES:
        yield from (role for role in _ROLES if role in whole)
    elif is_chinese(term.source) and not _ASKS.search(term.source) and not _is_common(term.source):
        beside = _after(term.source, question)
        for before in _before(beside, whole):
            yield from _another(term.source, before)
        if beside and _is_person(term.source):
            yield from _people(beside, whole)


def _is_common(word: str) -> bool:
    """Whether a word is no name though jieba may tag it so: 城市, and what it made up with a preposition, 从巴卜."""
    return word in NO_PLACES or (word[0] in _PREPOSITIONS and not segmenter.frequency(word))


def _alike(code: str, other: str) -> bool:
    """Whether two codes differ in their digits only."""
    return re.sub(r"\d", "", _bare(code)) == re.sub(r"\d", "", _bare(other))


def _bare(code: str) -> str:
    return re.sub("[^a-z0-9]", "", code)


def _after(word: str, question: str) -> str:
    """The words that follow a word in the question, at least two letters of them; "" if others follow."""
    run = HAN_WORD.match(question.partition(word)[2].removeprefix("的"))
    beside = ""
    for one in segmenter.cut(run[0]) if run else []:
        if one in QUESTION_WORDS or _ASKS.search(one):
            break
        beside += one
        if len(beside) >= _BESIDE:
            return beside
    return ""


def _before(words: str, whole: str) -> Iterator[str]:
    """What stands before each place of the words in the passage, on the same line."""
    at = whole.find(words) if words else -1
    while at >= 0:
        line = whole[max(0, at - _REACH) : at].rpartition("\n")[2].removesuffix("的")
        run = re.search(f"[{HAN}]+$", line)
        if run:
            yield run[0]
        at = whole.find(words, at + 1)


def _another(word: str, before: str) -> Iterator[str]:
    """The other thing of the kind of a word that a text ends in: a name for a name, 乙厂 for 丙厂."""
    if word in before:
        return
    end = before[-len(word) :]
    if word[0] in _IN_TURN and end[0] in _IN_TURN and end[1:] == word[1:]:
        if word[0] in _STEMS or not segmenter.frequency(word):
            yield end
        return
    other, tag = segmenter.tagged(before)[-1]
    unknown = not segmenter.frequency(word) and other[-1] == word[-1]
    if len(other) > 1 and tag[:2] in _NAMES and (unknown or _tags(word) & _NAMES):
        yield other


def _people(words: str, whole: str) -> Iterator[str]:
    """The people named before the words on the same line: 刘思远值周三，手机尾号3302."""
    for line in whole.split("\n"):
        for match in HAN_WORD.finditer(line.rpartition(words)[0]):
            yield from (name for name, tag in segmenter.tagged(match[0]) if tag == "nr" and _is_person(name))


def _is_person(word: str) -> bool:
    """Whether a word is a Chinese person's full name; jieba's guesses at words that it does not know are often none."""
    return word[0] in _SURNAMES and 1 < len(word) < 4 and _tags(word) == {"nr"}


def _tags(word: str) -> set[str]:
    return {tag[:2] for _, tag in segmenter.tagged(word)}


def _owns(word: str, question: str, whole: str) -> bool:
    """Whether a word of the question names what has the field that it asks for."""
    if not _names_an_owner(word):
        return False
    return f"{word}的" in question and bool(_after(word, question)) and _after(word, question) in whole


def _has_parts(word: str, question: str) -> bool:
    """Whether a word of the question names what has the numbered part that it asks for: 自助开票第三步."""
    return _names_an_owner(word) and re.search(rf"{re.escape(word)}的?第(?!几)", question) is not None


def _names_an_owner(word: str) -> bool:
    return is_chinese(word) and not _ASKS.search(word) and rarity(word) >= _RARE
