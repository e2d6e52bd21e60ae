"""What a question names: its words with their kinds, and its topic, by jieba's tags and a few patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bot import segmenter
from bot.text import HAN, QUESTION_WORDS, fold, is_chinese

if TYPE_CHECKING:
    from jieba.posseg import POSTokenizer  # type: ignore[import-untyped]

PERSON, PLACE, ORGANISATION, NAME = "person", "place", "organisation", "name"
TIME, NOUN, VERBAL, ASK, OTHER = "time", "noun", "verbal", "ask", "other"
NAMES = frozenset({PERSON, PLACE, ORGANISATION, NAME})
_NOMINAL = NAMES | {TIME, NOUN, VERBAL}
_TITLE = "《[^》]+》|「[^」]+」|“[^”]+”"
_SPAN = r"(?:\d{1,2}月(?:\d{1,2}[日号])?|[上下]半年|第?[一二三四1-4]季度|全年)"
_YEAR = r"(?:\d{2,4}|[一二三四五六七八九零〇]{4})年(?:代|初|底)?|[今去明前]年"
_TIME = rf"[今昨明前后]天|目前|现在|(?:{_YEAR})(?:的?{_SPAN})?|{_SPAN}|\b(?:19|20)\d\d\b"
_ASK = (
    "(?:是|在)?(?:什么时候|什么地方|哪里|哪儿|何时|何地|何处)|为什么|为何|为啥|凭什么|怎么样|怎么|怎样|如何|什么|是否"
    "|哪一?[年天月日个位些种家座所支部款]|哪几[个位种家座所年]|哪(?!吒)|谁|何人|多少[个家件位名种所座]?|多[久大长高远]|第?几(?=[个位年种家所名天次月岁号])"
)
# Found before jieba cuts what is left between them: it would cut 哪/天 in 哪天, 2 and 》 in 《流浪地球2》.
_FIXED = re.compile(
    rf"(?P<title>{_TITLE})|(?P<time>{_TIME})|(?P<ask>{_ASK})"
    r"|(?P<latin>[a-zA-Z\u00c0-\u024f\d][a-zA-Z\u00c0-\u024f\d'’.&+/-]*)"
)
_ASKS_NOUN = re.compile("什么$|^哪|^多少|^第?几")
_HAN_RUN = re.compile(f"[{HAN}]+")
_KINDS = {"nr": PERSON, "ns": PLACE, "nt": ORGANISATION, "nz": NAME}
_NOMINAL_TAGS = ("n", "j", "an", "l", "b", "t")
# jieba holds 上市 for a city.
_NO_PLACES = frozenset({"上市", "城市", "都市", "落户", "超市", "股市"})
# A single character of these never belongs to a name that jieba cut to pieces (科大/讯/飞, 汤臣/倍/健).
_LOOSE = frozenset("有是在能会要被把对向从给让由于去来做说到用叫为当和与及的了着过吗呢吧也都还就才又不没个")
# What is of something: alone it names nothing. 「季军呢?」 asks for the third of what was spoken of.
_RELATIONAL = re.compile(
    "(?:导演|编剧|主演|演员|作者|作家|创始人|负责人|主席|总裁|市长|校长|教练|老板|董事长|首都|省会|口号|主题|吉祥物|会徽"
    "|冠军|亚军|季军|奖金|成绩|排名|名次|得分|分数|比分|前身|全称|简称|别名|名字|名称|含义|意思|面积|人口|市值|营收|收入"
    "|利润|产值|票房|销量|售价|总价|金额|费用|成本|规模|震级|型号|处理器|时间|日期|地点|地址|位置|总部|原因|理由|目的"
    "|意义|作用|影响|结果|优势|劣势|缺点|优点|特点|用途|成员|对手|仪式|员工|产品|[率量额值价龄数费])"
)
_ENDS_RELATIONAL = re.compile(rf".*{_RELATIONAL.pattern}")
# Capitalised at the beginning of an English question, and yet no names.
_STARTERS = QUESTION_WORDS | {
    *("tell", "give", "name", "list", "show", "describe", "explain", "please", "compare", "and", "but", "so", "ok")
}
# An English word in lower case may be a verb; after an auxiliary it is what the question is about: why did hefei ...
_SUBJECT = re.compile(
    r"\b(?:is|are|was|were|did|does|do|has|have|had|can|could|will|would|should)\s+(?:the\s+|an?\s+)?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text from `start` to `end`, and its kind."""

    text: str
    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring nominal words: 2023年土耳其地震. `asked`: it is what 哪些 or 多少 asks for; `owner`: 的 follows."""

    words: tuple[Word, ...]
    asked: bool
    owner: bool

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.words[0].start

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.words[-1].end

    @property
    def named(self) -> bool:
        """Whether it holds a name."""
        return any(word.kind in NAMES for word in self.words)

    def of(self, text: str) -> str:
        """Its characters in the text that it was found in."""
        return text[self.start : self.end].removesuffix("'s")

    def trimmed(self) -> Chunk | None:
        """Without the relational nouns at its end: 卡塔尔世界杯季军 -> 卡塔尔世界杯; None where no more is left."""
        kept = list(self.words)
        while kept and kept[-1].kind == NOUN and is_relational(kept[-1].text):
            kept.pop()
        return (
            Chunk(tuple(kept), self.asked, self.owner)
            if any(word.kind not in (TIME, VERBAL) for word in kept)
            else None
        )


def is_relational(noun: str) -> bool:
    """Whether a noun is of something and names nothing alone: 季军, 总导演, 增长率, but 人工智能 is not."""
    return _ENDS_RELATIONAL.fullmatch(noun) is not None


@cache
def _tagger() -> POSTokenizer:
    tokenizer = segmenter.reference()
    from jieba import posseg  # type: ignore[import-untyped]  # 0.8 s in all, so only for a question that has a history

    assert posseg.dt.tokenizer is tokenizer
    return posseg.dt


def words(text: str) -> list[Word]:
    """The words of a text in reading order; of more than 2,000 characters the first 2,000."""
    text = text[: segmenter.MAX_CHARS]
    found: list[Word] = []
    position = 0
    for match in [*_FIXED.finditer(text), None]:
        start = match.start() if match else len(text)
        for run in _HAN_RUN.finditer(text, position, start):
            found.extend(_tagged(run.group(), run.start()))
        if match:
            position = match.end()
            kind = {"title": NAME, "time": TIME, "ask": ASK}.get(str(match.lastgroup)) or _latin_kind(match, not found)
            whole = match.group().rstrip(".'’-/&")
            found.append(Word(whole, start, start + len(whole), kind))
    return found


def _latin_kind(match: re.Match[str], first: bool) -> str:
    word = match.group().rstrip(".'’").removesuffix("'s").removesuffix("’s")
    if word.isdigit() or word.lower() in (_STARTERS if first else QUESTION_WORDS):
        return OTHER
    return NAME if word != word.lower() else NOUN


def _tagged(run: str, offset: int) -> Iterator[Word]:
    """The words of a run of Han characters; neighbouring single characters that jieba left are one word."""
    # Folded a character at a time where the length stays: the tags know simplified script only.
    simplified = "".join(folded if len(folded := fold(character)) == 1 else character for character in run)
    broken: list[Word] = []
    for pair in _tagger().cut(simplified):
        word = Word(run[: len(pair.word)], offset, offset + len(pair.word), _kind(pair.word, pair.flag))
        run, offset = run[len(pair.word) :], word.end
        if len(pair.word) == 1 and pair.flag[0] in "nvagzjbdmq" and pair.word not in _LOOSE:
            broken.append(word)
            continue
        yield from _mended(broken)
        broken = []
        yield word
    yield from _mended(broken)


def _mended(broken: list[Word]) -> list[Word]:
    if len(broken) < 2:
        return broken
    return [Word("".join(word.text for word in broken), broken[0].start, broken[-1].end, NOUN)]


def _kind(word: str, tag: str) -> str:
    if word in ("我国", "全国", "本国"):
        return PLACE
    if word in _NO_PLACES or re.search("[你我您]", word) or (len(word) == 1 and tag in ("nr", "ns")):
        return OTHER
    if is_relational(word) and tag[0] in "nvr":  # jieba holds 吉祥物 for a person and 前身 for a pronoun
        return NOUN
    if tag[0] == "n" and any(_tagger().word_tag_tab.get(word + end) == "ns" for end in "市省"):  # 合肥 is a plain noun
        return PLACE
    if len(word) > 1 and tag[0] != "m" and not segmenter.frequency(word):  # what the dictionary lacks is rather a name
        return _KINDS.get(tag[:2], NAME if tag[0] == "n" else NOUN)
    if tag == "vn":
        return VERBAL
    return _KINDS.get(tag[:2]) or (NOUN if tag.startswith(_NOMINAL_TAGS) else OTHER)


def chunks(text: str) -> list[Chunk]:
    """The nominal chunks of a text in reading order."""
    found: list[Chunk] = []
    current: list[Word] = []
    before = ""
    for word in [*words(text), Word("", len(text) + 2, len(text) + 2, OTHER)]:
        if current and not _joins(text, current[-1], word):
            owner = text[current[-1].end :].lstrip().startswith(("的", "'s", "’s"))
            found.append(Chunk(tuple(current), before == ASK, owner))
            before, current = OTHER, []
        if word.kind in _NOMINAL:
            current.append(word)
        else:
            before = ASK if word.kind == ASK and _ASKS_NOUN.search(word.text) else OTHER
    return found


def _joins(text: str, left: Word, right: Word) -> bool:
    if right.kind not in _NOMINAL:
        return False
    gap = text[left.end : right.start]
    # STAR Market is one name; "hefei succeed" are two words.
    return gap in ("", "·") or (gap == " " and left.kind == right.kind == NAME)


def topics(text: str) -> list[Chunk]:
    """What a text is about, the likeliest first: what it names, or else its first noun that says something."""
    kept = [whole for chunk in chunks(text) if not chunk.asked and (whole := chunk.trimmed())]
    named = [chunk for chunk in kept if chunk.named or (chunk.owner and chunk is kept[0])]
    if not named and not is_chinese(text):
        return [chunk for chunk in kept if _SUBJECT.search(text[: chunk.start])][:1]
    return named or kept[:1]
