"""What a question names: its words with their kinds, and its topic, from jieba's tags and a few patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import dropwhile

from bot.text import segmenter
from bot.text.fold import HAN, fold, is_chinese
from bot.text.terms import QUESTION_WORDS

PERSON, PLACE, ORGANISATION, NAME = "person", "place", "organisation", "name"
TIME, NOUN, VERBAL, ASK, FUNCTION, OTHER = "time", "noun", "verbal", "ask", "function", "other"
NAMES = frozenset({PERSON, PLACE, ORGANISATION, NAME})
_NOMINAL = NAMES | {TIME, NOUN, VERBAL}
_TITLE = "《[^》]+》|「[^」]+」|“[^”]+”"
_SPAN = r"(?:\d{1,2}月(?:\d{1,2}[日号])?|[上下]半年|第?[一二三四1-4]季度|全年)"
_YEAR = r"(?:\d{2,4}|[一二三四五六七八九零〇]{4})年(?:代|初|底|度)?|[今去明前]年"
_DAY = "[上下中]午|[早晚]上|凌晨|[上下这本]个?(?:月|周|季度|星期)|(?:周|星期|礼拜)[一二三四五六日天末]|工作日|节假日"
_TIME = rf"[今昨明前后]天|目前|现在|(?:{_YEAR})(?:的?{_SPAN})?|{_SPAN}|\b(?:19|20)\d\d\b|{_DAY}"
_ASK = (
    "(?:是|在)?(?:什么时候|什么地方|哪里|哪儿|何时|何地|何处)|为什么|为何|为啥|凭什么|怎么样|怎么|怎样|如何|什么|是否"
    "|哪一?[年天月日个位些种家座所支部款]|哪几[个位种家座所年]|哪(?!吒)|谁|何人|多少[个家件位名种所座]?|多[久大长高远]|第?几(?=[个位年种家所名天次月岁号点楼层级])"
)
# Matched first; jieba only cuts the text in between, because it would split 哪天 into 哪/天 and 《流浪地球2》 at the 2.
_FIXED = re.compile(
    rf"(?P<title>{_TITLE})|(?P<line>(?:\d{{1,3}}|[一二三四五六七八九十]{{1,3}})号(?:线|楼|[门店厅馆院库]))"
    rf"|(?P<time>{_TIME})|(?P<ask>{_ASK})|(?P<block>[A-Z][座栋区馆厅](?![域别]))"
    r"|(?P<latin>[a-zA-Z\u00c0-\u024f\d][a-zA-Z\u00c0-\u024f\d'’.&+/-]*)"
)
_FIXED_KINDS = {"title": NAME, "line": NOUN, "block": NAME, "time": TIME, "ask": ASK}
_ASKS_NOUN = re.compile("什么$|^哪|^多少|^第?几")
_HAN_RUN = re.compile(f"[{HAN}]+")
_KINDS = {"nr": PERSON, "ns": PLACE, "nt": ORGANISATION, "nz": NAME}
_NOMINAL_TAGS = ("n", "j", "an", "l", "b", "t", "s")
_FUNCTION_TAGS = ("c", "d", "p", "r", "u", "y", "e", "o")
# Nouns that jieba's dictionary has as verbs or adjectives: 支行, 判决书, 合同.
_NOUNS = re.compile("[分支总][行店局部厂校队社站所院馆]|..+[书单证表]|合同|清单")
_PART = re.compile("第.+[章节篇编卷回条款项步点包课]")
# Words that must not count as places: jieba tags 上市, for one, as a city.
NO_PLACES = frozenset({"上市", "城市", "都市", "落户", "超市", "股市", "重镇", "首都"})
# Single characters that are never part of a name that jieba broke up (科大/讯/飞, 汤臣/倍/健).
_LOOSE = frozenset("有是在能会要被把对向从给让由于去来做说到用叫为当和与及的了着过吗呢吧也都还就才又不没个")
_GLUED = "是有在的了要"
# Relational nouns: they belong to something else and name nothing by themselves. 「季军呢?」 asks for the third place
# in the event that was mentioned before, 「端口号是多少?」 for the port of the database.
_RELATIONAL = re.compile(
    # people
    "(?:导演|编剧|主演|演员|作者|作家|主席|总裁|市长|教练|老板|经理|主管|主任|书记|秘书|领导|设计[师者]|冠军|亚军|季军|成员|对手|员工"
    "|(?:创始|发明|负责|联系|承办|经办|主持|对接|责任|管理|审批|代表|监护|值班|值守|保管|收件|委托|受益|申请|签字|法)人"
    "|(?:管理|讲解|检查|监督|操作|维护|保管|安全|联络|保洁|服务)员|[局校院行站馆店厂场所队班会社部处科组县省镇村事船]长"
    "|(?:施工|建设|监理|主办|承办|发证|主管)(?:单位|机构)|供应商|[制生]造商|生产商|厂[家商]|品牌"
    # places, and how something is reached
    "|首都|省会|总部|产地|地[址点]|位置|网址|官网|链接|邮[箱编]|电话|手机号|热线|分机号?|[帐账]号|密码|口令|端口|号码"
    "|(?:端口|电话|手机|工|学|编|型|批|证|证件|文|订单|版本|注册)号|版本"
    # names and results
    "|口号|主题|吉祥物|会徽|前身|全称|简称|别名|名[字称次]|含义|意思|成绩|排名|得分|分数|比分|结果|后果|影响|作用|用途|意义|原因|理由|目的"
    # money
    "|市值|营收|收入|利润|产值|票房|票价|门票|售价|总价|价格|单价|报价|金额|费用|成本|[奖租押定罚佣薪订]金|保证金|工资|津贴|奖励|补[贴助]"
    "|[车房餐话]补|优惠|折扣|库[存容]|余额|总?(?:支出|投资|里程)|销量"
    # measures and times
    "|面积|人口|规模|规格|尺寸|大小|震级|扭矩|[内外直半]径|电压|电流|续航|海拔|[水体]温|[高长宽厚深精硬浓温湿速亮强海]度|[上下]限|限额"
    "|时[间长]|日期|周期|期限|年限|寿命|(?:保质|保修|质保|有效|工|任|租)期|保修|质保|售后"
    # parts and properties
    "|颜色|材质|口味|配置|参数|性能|功能|特色|特点|优[势点]|劣势|缺点|型号|处理器|屏幕|电池|内存|硬盘|摄像头|外壳|水箱|尘盒|电机|接口|产品"
    "|标准|要求|条件|流程|步骤|手续|材料|仪式"
    "|[率量额值价龄数费])$"
)
# Words of a request, before the thing that it is about: 帮我查一下.
_REQUEST = re.compile(
    "(?:请问?|麻烦|帮忙?|[给替]?我|想|要|你|您|能不能|能否|可[以否]|再|先|查|搜|找|问|说|讲|介绍|说明|解释|讲解|列出|告诉|知道|了解|咨询|关于"
    "|一下|下|看|那么?)+"
)
# Verbs that begin a predicate, though a noun may follow; other verbs before a noun belong to it: 结算数据库, 退货政策.
_PREDICATES = frozenset(
    """
    需要 应该 应当 包括 包含 属于 支持 位于 要求 负责 拥有 具有 具备 采用 规定 允许 提供 适合 收费 打算 准备 得到 获得
    成为 担任 来自 有没有 是不是 能不能 要不要 没有 就是 还是 不能 不会 不要
    """.split()  # noqa: SIM905  a list literal would take 35 lines
)
# Verbs that jieba may take for nouns and that end a subject where one of _AFTER_VERB follows: 结算数据库部署在哪里.
_PLACING = frozenset(
    """
    部署 安装 存放 摆放 放置 设立 设置 坐落 座落 举行 举办 召开 发生 出生 毕业 成立 建立 创办 创立 保存 存储 安排 登记
    注册 生产 出版 发表 上市 开业 停放 停靠 发布 公布 印发 开始 结束
    """.split()  # noqa: SIM905
)
# What people do with a thing: the subject of 申请居住证需要什么 is 居住证.
_ACTIONS = frozenset({"申请", "办理", "购买", "参加", "领取", "缴纳", "补办", "提取", "更换", "报考", "注销", "关于"})
_AFTER_VERB = ("在", "于", "到", "给", "自", "了", "过", "着")
_AFTER_SUBJECT = frozenset({"的", "是", "有", "要", "需要", "应该", "怎么", "如何"})
_MAX_SUBJECT = 16  # characters; a longer beginning says more than what the question is about
# Words that are capitalised at the beginning of an English question without being names.
_STARTERS = QUESTION_WORDS | {
    *("tell", "give", "name", "list", "show", "describe", "explain", "please", "compare", "and", "but", "so", "ok")
}
# A lower-case English word may be a verb; right after an auxiliary it is the subject: why did hefei ...
_SUBJECT = re.compile(
    r"\b(?:is|are|was|were|did|does|do|has|have|had|can|could|will|would|should)\s+(?:the\s+|an?\s+)?$", re.IGNORECASE
)
# The last noun of an English question, and what an article begins, up to a participle: the settlement service deployed.
_OF = re.compile(r"\bof (?:the |an? )?([a-z][\w-]*(?: [a-z][\w-]*){0,3})[?.! ]*$")
_THE = re.compile(r"(?<=the )([a-z][\w-]*(?: (?!\w*(?:ed|ing)\b)[a-z][\w-]*){0,2})(?=[ ?.!]|$)")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, its half-open offsets in the text, and its kind."""

    text: str
    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Adjacent nominal words: 2023年土耳其地震. `asked`: 哪些 or 多少 asks for it; `owner`: 的 follows it."""

    words: tuple[Word, ...]
    asked: bool
    owner: bool

    @property
    def start(self) -> int:
        """Offset of the first character."""
        return self.words[0].start

    @property
    def end(self) -> int:
        """Offset after the last character."""
        return self.words[-1].end

    @property
    def named(self) -> bool:
        """Whether it contains a name."""
        return any(word.kind in NAMES for word in self.words)

    @property
    def nominal(self) -> bool:
        """Whether it contains more than times and verbs."""
        return any(word.kind not in (TIME, VERBAL) for word in self.words)

    def within(self, text: str) -> str:
        """Its characters in the text that it came from, without a possessive 's."""
        return text[self.start : self.end].removesuffix("'s")

    def trimmed(self) -> Chunk | None:
        """The chunk without relational nouns and what is said of a day; None if nothing is left.

        卡塔尔世界杯季军 -> 卡塔尔世界杯, 食堂周五供应 -> 食堂.
        """
        late = [
            i for i, word in enumerate(self.words) if i and word.kind == TIME and not re.search(r"[年月\d]", word.text)
        ]
        kept = list(self.words[: late[0]] if late else self.words)
        while kept and kept[-1].kind == NOUN and is_relational(kept[-1].text):
            kept.pop()
        left = Chunk(tuple(kept), self.asked, self.owner)
        return left if left.nominal else None


def is_relational(noun: str) -> bool:
    """Whether a noun belongs to something else and names nothing by itself: 季军, 总导演, 增长率, but not 人工智能."""
    return owner_of(noun) is not None


def owner_of(noun: str) -> str | None:
    """What stands before the relational part of a noun: 公司 of 公司地址, "" of 地址; None if it is not relational."""
    found = _RELATIONAL.search(noun)
    return noun[: found.start()] if found else None


@lru_cache(maxsize=64)  # a follow-up asks ten times and more for the words of the question before it
def words(text: str) -> tuple[Word, ...]:
    """The words of a text in reading order; only its first 2,000 characters are read."""
    text = text[: segmenter.MAX_CHARS]
    found: list[Word] = []
    position = 0
    for match in [*_FIXED.finditer(text), None]:
        start = match.start() if match else len(text)
        for run in _HAN_RUN.finditer(text, position, start):
            found.extend(_tagged(run.group(), run.start()))
        if match:
            position = match.end()
            kind = _FIXED_KINDS.get(str(match.lastgroup)) or _latin_kind(match, not found)
            whole = match.group().rstrip(".'’-/&")
            found.append(Word(whole, start, start + len(whole), kind))
    return tuple(found)


def _latin_kind(match: re.Match[str], first: bool) -> str:
    word = match.group().rstrip(".'’").removesuffix("'s").removesuffix("’s")
    letter = len(word) == 1 and word.isupper() and is_chinese(match.string)  # 产品A
    if word.isdigit() or (not letter and word.lower() in (_STARTERS if first else QUESTION_WORDS)):
        return OTHER
    return NAME if word != word.lower() else NOUN


def _tagged(run: str, offset: int) -> Iterator[Word]:
    """The words of a run of Han characters; adjacent single characters that jieba left over become one word."""
    # jieba's tags only know simplified characters; folding that would change the length is skipped to keep offsets.
    simplified = "".join(folded if len(folded := fold(character)) == 1 else character for character in run)
    broken: list[Word] = []
    for said, tag in _parted(segmenter.tagged(simplified)):
        word = Word(run[: len(said)], offset, offset + len(said), _kind(said, tag))
        run, offset = run[len(said) :], word.end
        if len(said) == 1 and tag[0] in "nvagzjbdmq" and said not in _LOOSE:
            broken.append(word)
            continue
        yield from _mended(broken)
        broken = []
        yield word
    yield from _mended(broken)


def _parted(tagged: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The words without the verb or particle that jieba glued to a word that it does not know: 桥有, 衡在, 要交."""
    for word, tag in tagged:
        if len(word) == 1 or segmenter.frequency(word):
            yield word, tag
        elif word[-1] in _GLUED:
            yield from ((word[:-1], "n"), (word[-1], "u"))
        elif word[0] in _GLUED:
            yield from ((word[0], "u"), (word[1:], "v"))
        else:
            yield word, tag


def _mended(broken: list[Word]) -> list[Word]:
    if len(broken) < 2:
        return broken
    return [Word("".join(word.text for word in broken), broken[0].start, broken[-1].end, NOUN)]


def _kind(word: str, tag: str) -> str:
    if word in ("我国", "全国", "本国"):
        return PLACE
    if word in NO_PLACES or re.search("[你我您]", word) or (len(word) == 1 and tag in ("nr", "ns")):
        return OTHER
    if is_relational(word) and tag[0] in "nvr":  # jieba tags 吉祥物 as a person and 前身 as a pronoun
        return NOUN
    if tag[0] == "n" and any(_is_place(word + end) for end in "市省"):  # 合肥 is tagged n
        return PLACE
    if len(word) > 1 and tag[0] != "m" and not segmenter.frequency(word):  # an unknown word is probably a name
        return _KINDS.get(tag[:2], NAME if tag[0] == "n" else NOUN)
    if _NOUNS.fullmatch(word):
        return NOUN
    if tag == "vn":
        return VERBAL
    if tag.startswith(_FUNCTION_TAGS):
        return FUNCTION
    return _KINDS.get(tag[:2]) or (NOUN if tag.startswith(_NOMINAL_TAGS) or _PART.fullmatch(word) else OTHER)


def _is_place(word: str) -> bool:
    return segmenter.frequency(word) > 0 and segmenter.tagged(word) == [(word, "ns")]


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
    # "STAR Market" is one name, "hefei succeed" is two words.
    return gap in ("", "·") or (gap == " " and left.kind == right.kind == NAME)


def topics(text: str) -> list[Chunk]:
    """What a text is about, the likeliest first: the things it names, or else its subject or first noun.

    Relational nouns are a topic only where there is no other.
    """
    found = chunks(text)
    kept = [
        whole
        for chunk in found
        if not chunk.asked and (whole := chunk.trimmed() or (chunk if chunk.owner and chunk.nominal else None))
    ]
    named = [chunk for chunk in kept if chunk.named or (chunk.owner and chunk is kept[0])]
    if not is_chinese(text):
        return named or _common(text, [chunk for chunk in kept if _SUBJECT.search(text[: chunk.start])][:1])
    subject = _subject(text)
    whole = subject.trimmed() if subject else None
    if any(chunk.named for chunk in named):  # 新版星瀚X1: the subject has more than the name
        return [whole, *named[1:]] if whole and named[0].start > whole.start and named[0].end == whole.end else named
    if whole:
        return [whole]
    relational = [chunk for chunk in found if not chunk.asked and chunk.nominal]
    others = [_qualified(kept[0], text)] if kept else relational[:1]
    return named or others or ([subject] if subject else [])


def _common(text: str, subject: list[Chunk]) -> list[Chunk]:
    """The topic of an English question that has no name: the billing database of "What is the port of the ...?"."""
    found = _OF.search(text) or (_THE.match(text, subject[0].start) if subject else None)
    said = [word for word in words(text) if found and found.start(1) <= word.start and word.end <= found.end(1)]
    return [Chunk(tuple(said), False, False)] if said else subject


def _subject(text: str) -> Chunk | None:
    """The words before the predicate of a Chinese question, if any: 结算数据库 of 结算数据库部署在哪里."""
    said = list(dropwhile(lambda word: _REQUEST.fullmatch(word.text), words(text)))
    end = said[0].start if said else 0
    found: list[Word] = []
    after = ""
    for word in said:
        after = word.text
        first = not found and word.kind == OTHER and word.text not in _LOOSE  # 陪 of 陪产假, 新 of 新员工
        if word.start != end or not (first or _belongs(word)) or (found and word.kind == TIME):
            break
        found.append(word)
        end = word.end
    if len(found) > 1 and found[0].text in _ACTIONS:
        found.pop(0)
    if found and text.startswith(_AFTER_VERB, found[-1].end):
        perfect = text[found[-1].end] in "了过着"
        if perfect or found[-1].kind in (OTHER, VERBAL) or found[-1].text in _PLACING:
            found.pop()
    # A verb is a subject where a verb follows: 立案要交什么.
    if not any(word.kind in NAMES or word.kind == NOUN for word in found) and after not in _AFTER_SUBJECT:
        return None
    if not found or found[-1].end - found[0].start not in range(2, _MAX_SUBJECT):
        return None
    return Chunk(tuple(found), False, text.startswith("的", found[-1].end))


def _belongs(word: Word) -> bool:
    """Whether a word may be part of a subject."""
    if word.kind in (ASK, FUNCTION) or word.text in QUESTION_WORDS or word.text in _PREDICATES:
        return False
    return word.kind != OTHER or len(word.text) > 1


def _qualified(chunk: Chunk, text: str) -> Chunk:
    """An object with what qualifies it, without the verb that governs it: 结算数据库 of 谁负责结算数据库."""
    before = [word for word in words(text) if word.end <= chunk.start]
    own = list(chunk.words)
    while before and before[-1].end == own[0].start and _belongs(before[-1]):
        own.insert(0, before.pop())
    if len(own) > len(chunk.words) and not (before and before[-1].text in _PREDICATES):
        own.pop(0)
    return Chunk(tuple(own), chunk.asked, chunk.owner)
