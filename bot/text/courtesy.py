"""What people say around a question: greetings, thanks, requests to look something up, and how to answer.

「老师您好,我想问下借期是几天,急用」 asks 借期是几天. Only listed forms at the beginning and the end are set aside,
so that no content is: a word such as 整理 or 说明 counts as a request only where 请, 帮我 or 一下 says so.
"""

from __future__ import annotations

import re

_COURTESY = (
    r"(?:太[^,，。!！?？]{1,3}(?=[了啦])|(?:真|挺|很|好|有点|这么)(?:[好棒贵多少快慢大小长短久远近]|便宜|不错|简单|麻烦)"
    r"|(?:非常|十分|太|多)?(?:感谢|谢)|麻烦|辛苦|打扰|不客气|没事|没关系|不好意思|抱歉|对不起|[你您]好|大家好|哈[喽啰]|嗨|在[吗么不]"
    r"|[早晚]上好|[上下中]午好|早安|晚安|再见|拜拜|好|行|可以|嗯+|哦+|噢+|啊|对|是的|没错|收到|明白|懂|清楚|知道|了解|原来如此|[哈嘿呵]{2,}"
    r"|(?:many )?thanks|thank you|thx|ok(?:ay)?|hi|hello|hey|good (?:morning|afternoon|evening)|great|good|nice|cool"
    r"|fine|got it|i see|understood|sure|(?:good)?bye)"
    r"(?:谢|了|啊|呀|啦|哦|哈|喔|吧|嘞|你们?|您|大家|各位|医生|老师|师傅|小姐|先生|客服|亲|的"
    r"| (?:you|very much|so much|a lot|there|again)\b)*+"
)
_GAP = r"[\s,，.。!！~～、;；]"
# Possessive, because 200 times 哈 could be cut in more ways than there is time to try.
_ONLY = re.compile(rf"(?:{_COURTESY}{_GAP}*+)++", re.IGNORECASE)
_FIRST = re.compile(rf"(?:{_COURTESY}{_GAP}++)++", re.IGNORECASE)

_ME = "(?:给|帮|替|为|跟|和|向)(?:我们?|咱们?|忙)"
_BRIEFLY = "(?:一下子?|一?下|下)"
_TELL = (
    "(?:查询|检索|搜索|查找|查查|查看|查|找|搜|问|看看|看|整理|列出|列举|列|归纳|汇总|介绍|说明|解释|讲解|讲|说|回答|输出"
    "|分析|概述|描述)"
)
_DOCUMENTS = "(?:知识库|资料库?|文档|文件|文章|材料|上下文|已知(?:信息|内容)|检索结果)"
_GIVEN = "(?:以下|以上|上述|下面|上面|给定|提供|已有|现有|你|我们?|上传|本地|相关|这些|这份)"
_MANNER = "(?:简洁|简短|简要|专业|详细|准确|通俗|清晰|表格|列表|条目|中文|英文|markdown|要点|一句话|自己)"
_OPENINGS = (
    r"(?:你|您|大家|老师|医生|客服|师傅|各位|亲|小助手|机器人)*[你您]?好(?:的|啊|呀)?(?=[\s,:。!~;?])",
    r"(?:老师|医生|客服|师傅|各位|亲|亲爱的|小助手|机器人|那么|那个|嗨|在吗|哈喽|不好意思|打扰一?下?了?|抱歉)(?=[\s,:。!~;?])",
    rf"(?:请问?|麻烦|劳烦|劳驾|拜托|烦请)(?:你们?|您们?|老师)?(?:一下|下)?(?=[\s,:])|请(?:问|教){_BRIEFLY}?",
    rf"(?:请|麻烦|劳烦|烦请)?(?:你|您)?(?:只|仅|严格)?(?:根据|基于|结合|参考|依据|按照?)(?:{_GIVEN}|的)*{_DOCUMENTS}(?:中|里面?)?(?:的?(?:内容|信息))?"
    r"(?:[,:。]|(?=用|以|来|回答|告诉))",
    r"(?:请|来)?(?:回答|解答|告诉我)(?:用户的?)?(?:以下|下面|下列|这个)?(?:的?问题)?[,:。]+",
    rf"(?:请|麻烦)?(?:用|以)(?:{_MANNER}|[和、,的且而又])+(?:语言|方式|形式|格式|口吻|语气|话)?(?:来|给出)?(?:{_TELL}{_BRIEFLY}?)?[,:]*",
    rf"(?:请|麻烦|劳烦|烦请|能不能|能否|可以|可否|能|可不可以)*(?:你|您)?(?:再|先|快)?(?:{_ME})(?:再|先)?(?:{_TELL}){_BRIEFLY}?(?:关于)?",
    rf"(?:请|麻烦|劳烦|烦请)(?:你|您)?(?:再|先)?(?:{_TELL}){_BRIEFLY}?(?:关于)?(?!书|会|信|表)",
    rf"{_TELL}{_BRIEFLY}(?:关于)?|(?:说说|讲讲|谈谈|聊聊|查查|看看|介绍介绍|列出|列举出?)(?:关于)?",
    rf"(?:我|我们|咱|咱们|本人|有人)?(?:就是)?(?:现在|今天)?(?:很|特别|非常)?(?:想|想要|需要|要)(?:请?问|请教|咨询|知道|了解|查询?|看|确认|清楚){_BRIEFLY}?(?:关于)?",
    r"(?:有谁|有人|有没有人|你|您|你们)(?:知道|了解|清楚)(?:吗|么)?[,:?\s]*(?=.)",
    r"(?:请|麻烦|能不能|能否|可以|可不可以)*(?:你|您)?告诉(?:我们?|一下)+|我很好奇",
    r"(?:在)?(?:知识库|资料库|文档库|资料|文档)(?:中|里面?)的?(?=.{2})|(?:有)?关于(?=.+的(?:情况|信息|资料|内容))",
    r"(?:please|kindly|(?:can|could|would|will) you(?: please)?(?= (?:tell|explain|show|give|help|find|check|list))"
    r"|(?:tell|show|give|help) me(?: about(?= ))?|i (?:want|would like|'d like|need) to (?:know|ask|find out)"
    r"(?: about)?|do you know|may i ask|excuse me"
    r"|(?:according to|based on) the (?:documents?|context|files?|knowledge base))\b",
)
_CLOSINGS = (
    r"(?:非常|十分|太|多|先)?(?:谢谢|感谢|多谢|(?<=[\s,。;?!])(?:谢|麻烦|辛苦|拜托|劳烦|打扰))+"
    r"(?:了|啦|你们?|您们?|老师|大家|各位|告诉我|告知|解答|回复|一下|哈|啊|哦|谢谢)*",
    r"(?<=[\s,。;?!])(?:很|挺|特别|比较)?(?:急用?|着急|在线等|急急+)(?:啊|呀|的)*",
    r"(?<=[\s,。;?!])(?:好吗|可以吗|行吗|能吗|可以不|好不好|行不行)",
    r"(?<=[\s,。;?!])(?:请|麻烦|帮忙|帮我)(?:你|您)?(?:用|以)?[^,。;?!]{0,12}?(?:回答|告诉我|说明|解答|回复)(?:我|问题|一下|我一下|即可|就行|就好)*",
    r"(?<= )(?:please|thanks|thank you)(?: (?:very much|a lot|so much))?",
)
_OPENING = re.compile(rf"(?:(?:{'|'.join(_OPENINGS)})[\s,:。!~;?]*)+")
_CLOSING = re.compile(rf"[\s,。;!~]*(?:{'|'.join(_CLOSINGS)})[\s,。.;!?~]*$")
PICTOGRAPH = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]")
_CONTENT = re.compile(r"\w")


def is_courtesy(said: str) -> bool:
    """Whether a message holds only greetings, thanks and remarks."""
    return _ONLY.fullmatch(said) is not None


def is_pictograph(said: str) -> bool:
    """Whether a message has pictographs, as 👍, and no letter or number; signs and arrows say nothing."""
    return PICTOGRAPH.search(said) is not None and not _CONTENT.search(said)


def without_first_courtesy(said: str) -> str:
    """A message without the greetings and thanks that it begins with."""
    return _FIRST.sub("", said, count=1)


def unwrapped(folded: str) -> str:
    """The folded question without what is said around it; the whole of it if nothing else is said."""
    left = folded
    for _ in range(4):  # 「麻烦您,帮我查一下…,谢谢,急用」
        shorter = _CLOSING.sub("", left, count=1)
        opening = _OPENING.match(shorter)
        shorter = shorter[opening.end() :] if opening else shorter
        if shorter == left or not _CONTENT.search(shorter):
            break
        left = shorter
    return left
