"""Makes a follow-up question stand alone: 「那青岛呢?」 after 「合肥为什么能成功?」 becomes 「青岛为什么能成功?」.

Deterministic and cautious: a question that names its own subject, or that no rule matches, is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bot.answer import pronouns
from bot.answer.switched import switched
from bot.answer.topic import about, compared, is_anybodys, shaped
from bot.text.courtesy import is_courtesy, without_first_courtesy
from bot.text.fold import is_chinese
from bot.text.mentions import ASK, FUNCTION, VERBAL, chunks, is_relational, topics, words
from bot.text.terms import QUESTION_WORDS
from bot.types import Turn

MAX_TURNS = 3  # how many earlier turns are considered, the most recent first
_MAX_FOLLOW_UP = 200  # characters; a longer question says by itself what it is about
_MAX_UNDERSTOOD = 2_000
_END = " \t\n?？!！.。…,，"
_LEAD = r"(?:(?:那么?|但是?|可是|所以|请问|又|(?:and|but|so|then|ok(?:ay)?)\b)[\s,，]*)*"
_TAIL = r"(?:呢|啊|呀|吗|的呢)?[\s?？!！.。…]*"

# What an elliptical question asks for: (as users say it, as put into a Chinese question, into an English one).
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
    (r"[是有]?多[久长大高重宽深厚远快]|how long", "多久", "how long"),
    (
        r"还有(?:吗|别的|什么|哪些|谁|其他的?)?|(?:然后|接着|后来|具体|比如|例如|别的|其他的?)"
        r"|(?:what|anything|who|where) else|(?:what|which) others?|for example|such as",
        "还有哪些",
        "what else",
    ),
)
_ELLIPTIC = tuple((re.compile(f"{_LEAD}(?P<said>{said}){_TAIL}", re.IGNORECASE), zh, en) for said, zh, en in _ELLIPSES)
# Kept as the user said it if the last question is in the same language: 多长 is not 多久.
_OWN_WORDS = frozenset({"是谁", "多少", "多久"})
_OF_THINGS = re.compile("有?多[大高重宽深厚远快长]")  # 多长 asks about the bridge, 多久 about what was asked of it
_JOINED = re.compile(
    rf"(?:,(?:{'|'.join(zh for _, zh, _ in _ELLIPSES)})|, and (?:{'|'.join(en for *_, en in _ELLIPSES)}))$"
)
# A question adverb takes the place of another one: 合肥为什么成功 -> 合肥什么时候成功.
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
# How a question without a subject begins. 谁 and 什么 can be subjects themselves: 「谁难产了?」 stands alone, and so
# may 「怎么退票?」.
_NO_SUBJECT = re.compile(
    "[是还有在会能要曾共]*(?:为什么|为何|为啥|什么时候|何时|哪一?[年天]|(?:哪[里儿]|何处)(?!可以|能)|多久)"
    "|(?:是|需?要|带|交|准备|提供)+(?=谁|哪|什么|多少|几|多)|(?:还?有|一?共有?)(?=谁|哪|多少|几|多)"
)
_MAX_BARE = 14  # characters of a question without a subject
_MAX_REST = 4  # of these, characters outside question and function words: 「什么时候开始施行?」
# A verb without the thing it is done to, or one that describes a thing: 「谁负责?」, 「怎么预约?」, 「支持快充吗?」
_HOW = "(?:[由找向跟归]?谁|怎么样?|怎样|如何|在?哪里|去哪里?|几[点号楼层]|什么时候|多久|能|要|可以|会|需要|是否|来|去)"
_DONE = (
    "(?:负责|设计|发明|创[办立]|建造|编写|写|提出|管理?|[批核]准|审[批核]|主持|[领跟]投|投资|生产|制造|[承主举]办|办理?|申请"
    "|[预补][约定订办]|安装|使?用|购?买|联系|登录|下载|取消|更?换|处理|计?算|修改|设置|重置|关闭|打开|启动|升级|删除|添加|查看"
    "|导[出入]|绑定|保养|清洗|维?修|走|[开关]门|营业|开放|到账|生效|执行|[施实]行|截止|退|查询?|收费|免费|防水)"
)
_NO_OBJECT = re.compile(
    f"(?:(?:儿童|小孩|老人|孕妇|学生|个人|外地人|新人)(?=能|可以))?{_HOW}*{_DONE}(?:的|吗|一次)*"
    "(?:[需得]?要)?(?:多少钱|多久|几天|[什哪][么些](?:材料|手续|条件))?"
    "|(?:支持|适合|适用于?|包[含括邮]|属于|位于|采用|配备|兼容|覆盖)[^的]{0,12}"
    "|(?:部署|安装|存放|毕业|成立|坐落|设立|举[行办]|出生|发生|发表)[在于][^的]{1,8}"
    "|由谁[^的]{1,4}|在[哪几][个座条家栋层号楼间]?[^的]{0,3}"
)
_UNITS = frozenset("钱元块号楼层级岁人分点度米年月日天次个")
# 「哪个更便宜?」 chooses between two things, and 「前者」 names one of them.
_WHICH = re.compile(
    "(?:哪一?[个款家种台部所件条支位项座]|谁)(?:的)?(?P<of>[^?？]{0,6}?)(?:更|最|比较|要)*"
    "(?:[好大小长短快慢高低多少贵久早晚近远强弱轻重新旧]|便宜|划算|实惠|合适|省电|省钱|方便)(?:一?[点些])?[呢啊?？]*"
)
_WHICH_IS = re.compile(r"which(?: one)? (?:is|has|was|costs|lasts|weighs|holds|takes)\b.{1,30}", re.IGNORECASE)
_BOTH = re.compile("[两二]者|[这那]?[两俩][个款家种](?=[呢的都有是哪谁]|之间)|它们?[俩两]个?|它们")
_FIRST, _SECOND = (
    re.compile("前者|[前第]一[个款家种](?=[呢的是有])"),
    re.compile("后者|(?:后一|第二)[个款家种](?=[呢的是有])"),
)


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question, made to stand alone with the help of the last turns, or unchanged; at most 2,000 characters."""
    if len(question) > _MAX_FOLLOW_UP:
        return question
    turns = [turn for turn in reversed(history) if (said := turn.question.strip()) and not _is_courtesy(said)]
    if not turns:
        return question
    said = without_first_courtesy(question.strip())
    for rule in (_elliptic, _chosen, pronouns.replaced, switched, _bare):
        understood = rule(said, turns[:MAX_TURNS])
        if understood and len(understood) <= _MAX_UNDERSTOOD:
            return understood
    return question


def resolved(turns: Iterable[Turn]) -> list[Turn]:
    """The turns of a history as typed, with each question made to stand alone with the help of those before it."""
    found: list[Turn] = []
    for turn in turns:
        found.append(Turn(standalone(turn.question, found), turn.answer))
    return found


def _is_courtesy(said: str) -> bool:
    return len(said) <= _MAX_FOLLOW_UP and is_courtesy(said)


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
            topic = about(question, turns)
            if topic and (_OF_THINGS.fullmatch(asked) or (zh != "是谁" and _asks_of_a_thing(base))):
                return f"{topic}{asked}?"
        return f"{base},{asked}?" if is_chinese(base) else f"{base}, and {asked}?"
    return ""


def _asks_of_a_thing(base: str) -> bool:
    """Whether a question asks what something is like, as 「星瀚X2的特点是什么?」 does, and not what happened."""
    topic = topics(base)
    after = [word for word in words(base) if topic and word.start >= topic[0].end and word.kind not in (ASK, FUNCTION)]
    return bool(topic) and all(is_relational(word.text) or word.text in QUESTION_WORDS for word in after)


def _chosen(question: str, turns: list[Turn]) -> str:
    """「哪个更便宜?」 after 「X1和X2有什么不同?」 -> 「X1和X2哪个更便宜?」; 「后者呢?」 is then X2."""
    which = _WHICH.fullmatch(question.strip(_END))
    which = which if which and all(is_relational(word.text) for word in words(which["of"] or "")) else None
    english = _WHICH_IS.fullmatch(question.strip(_END))
    named = _BOTH.match(question) or _FIRST.match(question) or _SECOND.match(question)
    pair = compared(turns) if which or english or named else None
    if not pair:
        return ""
    if english:
        return f"{question.strip(_END)}, {pair[0]} or {pair[1]}?"
    if which or not named:
        return f"{pair[0]}和{pair[1]}{question}"
    one = pair[0] if _FIRST.match(question) else pair[1] if _SECOND.match(question) else "和".join(pair)
    said = question[: named.start()] + one + question[named.end() :]
    return switched(said, turns) if said.startswith(f"{one}呢") else shaped(said)


def _bare(question: str, turns: list[Turn]) -> str:
    """「震级是多少?」, 「什么时候成立的?」 -> the same with the topic of the last question in front."""
    said = re.sub(rf"^{_LEAD}", "", question)
    asks = any(word.kind == ASK for word in words(said)) or said.rstrip(_END).endswith("吗")
    if not is_chinese(said) or len(said) > _MAX_BARE or not asks or re.search("[我你您咱]", said):
        return ""
    found = [chunk for chunk in chunks(said) if any(word.kind != VERBAL for word in chunk.words)]
    own, topic = [chunk for chunk in found if not chunk.asked], about(said, turns)
    if not topic or any(chunk.named for chunk in own):
        return ""
    rest = "".join(word.text for word in words(said) if word.kind != ASK and word.text not in QUESTION_WORDS)
    if not own and _NO_SUBJECT.match(said) and len(rest) <= _MAX_REST:
        return topic + said
    if _NO_OBJECT.fullmatch(said.strip(_END)):
        return topic + said
    content = [w for w in words(said) if w.kind != ASK and w.text not in QUESTION_WORDS and w.text not in _UNITS]
    if content and is_anybodys(content):
        return f"{topic}的{said}" if content[0].start == 0 else topic + said
    return ""
