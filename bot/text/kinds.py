"""Kinds of answers that show by how they are written: a text without any price does not say what something costs.

Only kinds that are written in few ways, and are asked for in plain words, so that nothing else is taken for the
question or for its answer.
"""

from __future__ import annotations

import re

# 价格怎么算, 为什么涨价 and 哪些因素影响价格 ask for something else than a price.
_ABOUT_IT = re.compile(
    r"怎么|怎样|如何|为什么|为何|哪|因素|区别|影响|涨|跌|高吗|贵吗|\bhow (?:is|are|do|does|did|can)\b|\bwhy\b"
)
_NUMERAL = "[一二两三四五六七八九十百千万亿]"
# A number in another measure is no price: 605年, 64.40米, 第3名.
_NO_PRICE = r"\s*(?:[a-z年月日号时点分秒米公里厘毫岁周天个人名位次种家%届期级楼层度斤克吨页台辆]|平方|小时)"
_CURRENCY = "[美欧日港台韩澳加英]?[元圆镑块毛]|卢[布比]|铢|法郎|先令|文|两|贯"
# Kind: how a question asks for it, and what a text that answers must have somewhere.
_KINDS = {
    "price": (
        r"多少钱|几块钱|什么价|(?:价格|票价|售价|价钱|报价|门票|月租|房租)(?:大概|一般|现在)?(?:是|要)?(?:多少|几.?)?[?？\s]*$"
        r"|\bhow much (?:does|do|did|is|are)\b.*\bcost|\bwhat does .* cost\b",
        rf"(?<![\d第.]){_NUMERAL}{{2,}}(?!{_NO_PRICE})|(?<![\d.第a-z-])\d[\d.,]*(?![\d.,])(?!{_NO_PRICE})"
        rf"|(?:\d|{_NUMERAL}|几)[余多来]?\s*(?:{_CURRENCY})|[¥$€£]|免费|免收|免票|不收费|不要钱|点券|金币",
    ),
    "clock": (
        r"几点|几时(?:开|关|上|下|起|停)"
        r"|\bwhat time (?:is|does|do|did|will)\b.*\b(?:open|close|start|end|begin|leave|arrive)",
        rf"(?:\d|{_NUMERAL}|半|整)\s*[点时:]\s*(?!间|候|代|期)|上午|下午|全天|凌晨|早上|晚上|中午|正午|午夜|\d\s*[ap]\.?m",
    ),
    "telephone": (
        r"(?:电话|手机|热线|座机|分机)(?:号码?)?(?:是|为)?(?:多少|几.?)?[?？\s]*$|\b(?:phone|telephone) number\b",
        r"(?<![\d.])\d[\d \-]+\d(?![\d.])(?!\s*[年米元万亿人])",
    ),
    "address of a page": (r"网址|官网(?:是|地址)|\b(?:url|web ?site address)\b", r"https?:|www\.|[a-z0-9-]\.[a-z]{2,}"),
    "mail": (r"邮箱(?:是|地址|号)?(?:多少|什么)?[?？\s]*$|\be-?mail address\b", r"[\w.+-]+@[\w-]"),
}
_ASKED = {kind: (re.compile(asked), re.compile(held)) for kind, (asked, held) in _KINDS.items()}


def lacks_kind(question: str, text: str) -> bool:
    """Whether the folded question asks for something of a kind of which the folded text has nothing."""
    if _ABOUT_IT.search(question):
        return False
    return any(asked.search(question) and not held.search(text) for asked, held in _ASKED.values())
