"""What is not asked of the text of the documents: greetings, thanks, what the bot does, which documents there are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.answer.features import letters
from bot.text.courtesy import is_courtesy, is_pictograph
from bot.text.fold import fold, language

HELLO = {
    "zh": "你好，我是问渠。直接提问，我从文章里找出答案，标出证据；文章里没有的，我会说没有。",
    "en": "Hello, I am Wenqu. Ask me anything: I find the answer in the articles, mark the evidence, and say so "
    "when they hold none.",
}
_REMARKS = {
    "thanks": {"zh": "不客气。还有问题，请接着问。", "en": "You are welcome. Ask on if there is more."},
    "bye": {"zh": "再见。", "en": "Goodbye."},
    "remark": {"zh": "好的。有问题请直接提问。", "en": "All right. Ask me anything about the articles."},
}
LISTED = 10  # titles in the answer to 有哪些文章
WHICH = {"zh": "请说明是哪一份资料。", "en": "Please say which document."}
_EMPTY = {"zh": "现在还没有任何资料。", "en": "There are no documents yet."}
_THANKS, _BYE = re.compile("谢|辛苦|感谢|thank|thx"), re.compile("再见|拜拜|晚安|bye")
_GREETING = re.compile(
    r"[你您]好|大家好|哈[喽啰]|嗨|在[吗么不]|[早晚]上好|[上下中]午好|早安|\b(?:hi|hello|hey|good \w+)\b"
)
_DOCUMENTS = "(?:文章|文档|资料|文件|材料|书|内容|东西|知识库?)"
_HERE = (
    "(?:[你您]们?(?:这里|这儿|那里)?|这里|这儿|这个|知识库|资料库|文档库|库|系统|目前|现在|都|一共|总共|里面?|中|的)*"
)
_HELP = re.compile(
    rf"{_HERE}(?:是谁|是什么人?|是干什么的|是做什么的|叫什么(?:名字)?|[能会]做什么|会什么|能干(?:什么|嘛|啥)"
    r"|可以(?:做|干)(?:什么|啥)|有(?:什么|哪些)(?:功能|用)|能(?:帮我)?(?:做|干)(?:些|点)?(?:什么|啥)|怎么用|如何使用"
    r"|怎么使用|能回答什么(?:问题)?|可以问(?:你)?(?:什么|哪些)(?:问题)?)|(?:使用)?帮助"
    r"|功能介绍|使用说明|/?help|who are you|what are you|what(?:'s| is) your name|what can you do(?: for me)?"
    r"|how (?:do|can) i use (?:you|this)|what can i ask(?: you)?"
)
_WHICH = re.compile(
    rf"{_HERE}(?:有|收录了?|包含了?|包括|读了?|看过|存了?)(?:哪些|什么|哪几[篇份本个]){_DOCUMENTS}"
    rf"|{_HERE}(?:所有)?{_DOCUMENTS}(?:列表|目录|清单)"
    rf"|{_HERE}(?:列出|列举|显示)?(?:所有|全部)的?{_DOCUMENTS}|{_HERE}(?:有)?(?:哪些|哪几[篇份本个]){_DOCUMENTS}"
    r"|(?:what|which) (?:documents|articles|files)"
    r"(?: (?:do you have|are there|can you read|have you read|are (?:in here|available)))?"
    r"|list (?:all )?(?:of )?(?:the |your )?(?:documents|articles|files)"
)
_COUNT = re.compile(
    rf"{_HERE}(?:有|收录了?|包含了?|读了?)?(?:多少|几)[篇份个本种]?{_DOCUMENTS}"
    r"|how many (?:documents|articles|files)(?: (?:do you have|are there|have you read))?"
)
_SUMMARY = re.compile(
    r"(?:请|麻烦)?(?:你|您)?(?:帮我|给我|替我)?(?:用[^,。]{1,8}?)?(?:总结|概括|概述|归纳|摘要|简述|梳理)(?:一下子?|下)?"
    r"(?:关于)?(?P<after>.{1,40}?)"
    r"(?:的?(?:主要)?(?:内容|大意|要点|重点|观点))?"
    r"|(?P<before>.{1,40}?)(?:主要|大概|大致|都|到底)*(?:讲|说|写|谈|介绍)的?了?(?:是|些)*(?:什么|啥)(?:内容|事情?)?"
    r"|(?P<of>.{1,40}?)的(?:主要内容|内容概要|内容摘要|摘要|概要|大意|中心思想|要点)(?:是什么|有哪些)?"
    r"|summari[sz]e (?P<english>.{1,60}?)|(?:what is|what's) (?P<about>.{1,60}?) about"
    r"|(?:give (?:me )?)?a summary of (?P<given>.{1,60}?)"
)
# What stands for the document that was spoken of, or the only one.
THIS = re.compile(
    rf"(?:[这那该本此全]|这里的?|上述|上面的?|以上|整)?(?:[一]?[篇份个本])?(?:的)?(?:{_DOCUMENTS}|全文|本文|文|篇)?(?:全文)?"
    r"|(?:this|that|the|it)? ?(?:whole )?(?:article|document|file|text|paper|book)?"
)
_EDGES = " \t\n?？!！.。…,，~～:：;；"


@dataclass(frozen=True, slots=True)
class Meta:
    """What is asked: `kind` is hello, thanks, bye, remark, help, documents, count or summary, of the document `of`."""

    kind: str
    of: str = ""

    @property
    def small_talk(self) -> bool:
        """Whether nothing is asked that documents could answer."""
        return self.kind not in ("documents", "count", "summary")


def meta(question: str) -> Meta | None:
    """What a message asks besides the text of the documents; None for a question."""
    said = " ".join(fold(question).split()).strip(_EDGES)
    if is_pictograph(question) or re.fullmatch(r"\d", said):  # 👍, 1
        return Meta("remark")
    if is_courtesy(said):
        kinds = (("thanks", _THANKS), ("bye", _BYE), ("hello", _GREETING))
        return Meta(next((kind for kind, pattern in kinds if pattern.search(said)), "remark"))
    bare = re.sub("[吗呢啊呀吧]+$", "", said)
    for kind, pattern in (("help", _HELP), ("documents", _WHICH), ("count", _COUNT)):
        if pattern.fullmatch(bare):
            return Meta(kind)
    if found := _SUMMARY.fullmatch(bare):
        return Meta("summary", next(part for part in found.groups() if part).strip(f"{_EDGES}《》「」“”\"'"))
    return None


def language_of(question: str) -> str:
    """The language of an answer to a message: Chinese to what is of none, as 👍."""
    return language(fold(question)) if re.search(r"[^\W\d]", question) else "zh"


def said_to(asked: Meta, language: str) -> str:
    """What is said to small talk, in the language of the message."""
    return _REMARKS[asked.kind][language] if asked.kind in _REMARKS else HELLO[language]


def listed(titles: list[str], count: int, passages: int, language: str) -> str:
    """Which documents there are: how many, and the first of their titles."""
    if not count:
        return _EMPTY[language]
    names = "\n".join(f"- {title}" for title in titles[:LISTED])
    if language == "zh":
        more = f"\n……还有 {count - LISTED} 份。" if count > LISTED else ""
        return f"现有 {count} 份资料，共 {passages} 个段落：\n{names}{more}"
    more = f"\n… and {count - LISTED} more." if count > LISTED else ""
    return f"{count} documents with {passages} passages:\n{names}{more}"


def named_document(name: str, titles: list[tuple[str, str]]) -> str | None:
    """The id of the one document whose title is a name, else of the one whose title has it; None if none or several.

    `titles` has ids and titles.
    """
    wanted = letters(fold(name))
    if len(wanted) < 2:
        return None
    known = [(identity, letters(fold(title))) for identity, title in titles]
    for fits in (wanted.__eq__, lambda title: wanted in title, lambda title: len(title) > 3 and title in wanted):
        found = [identity for identity, title in known if fits(title)]
        if len(found) == 1:
            return found[0]
    return None
