"""What the last turns of a dialogue are about, and how a question for an attribute of it is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.answer.translated import chinese_name
from bot.text.fold import is_chinese
from bot.text.mentions import NOUN, Word, chunks, owner_of, topics
from bot.types import Turn

_AND = re.compile(r"\s*(?:[和与跟同及、比,，]|还是|以及|and|or|vs\.?)\s*", re.IGNORECASE)
# How a question for an attribute ends, by how the attribute ends; for others 呢 asks.
_SHAPES = tuple(
    (re.compile(f".*(?:{attribute})"), asked)
    for attribute, asked in (
        (
            "(?<!法)人|[^人成动]员|[局校院行站馆店厂场队会社部处科组县省镇村事]长|经理|主[管任席]|总裁|作者|导演|主演|教练|老板"
            "|书记|[冠亚季]军",
            "是谁?",
        ),
        ("地[址点]|产地|位置|总部|首都|省会", "在哪里?"),
        ("日期|时间", "是什么时候?"),
        ("[^学周]期|期限|年限|时长", "是多久?"),
        ("门票|票价|[租押定罚佣薪订奖]金|保证金|工资|补[贴助]|津贴|[车房餐话]补", "是多少钱?"),
        (
            "[率额值费度]|(?<!质)量|(?<!评)价|(?<!参)数|[得比积]分|(?:端口|分机|[工学编帐账证]|电话|手机)号|价格|费用|支出|投资|里程"
            "|库[存容]|金额|成本|面积|人口|收入|营收|利润|尺寸|大小|海拔|[水体]温|[上下]限|电话|热线|分机|端口|密码|电压|电流|扭矩"
            "|[内外直半]径|排名|名次|年龄|续航",
            "是多少?",
        ),
    )
)
# Words in front of an attribute that do not say whose it is: 预约电话, 办公地点, 最高温度.
_ANYBODYS = frozenset(
    """
    预约 办公 营业 联系 咨询 服务 开放 办理 受理 购买 下载 登录 注册 报名 上市 发布 首发 官方 研发 生产 设计 施工 建设
    监理 主办 承办 发证 主管 具体 详细 主要 额定 最大 最高 最低 最小 最多 最少 平均 总 全年 一般 大概
    分别 到底 监听 连接 访问 默认
    """.split()  # noqa: SIM905  a list literal would take 40 lines
)


def about(question: str, turns: Sequence[Turn]) -> str:
    """The topic of the last turn that has one, as the language of the question calls it; "" if none has."""
    for turn in turns:
        if found := topics(turn.question)[:2]:
            if is_chinese(question) and not is_chinese(turn.question):
                return chinese_name(turn.question, found[0], turn.answer)
            joined = len(found) > 1 and _AND.fullmatch(turn.question, found[0].end, found[1].start)
            return "、".join(chunk.within(turn.question) for chunk in (found if joined else found[:1]))
    return ""


def compared(turns: Sequence[Turn]) -> tuple[str, str] | None:
    """The two things that a turn joins, 「X1和X2有什么不同?」, or those that the last two turns name."""
    for base in [turn.question for turn in turns]:
        for left in [*topics(base)[:1], *chunks(base)]:
            joined = _AND.match(base, left.end)
            rest = base[joined.end() :] if joined else ""
            if (right := topics(rest)[:1]) and right[0].start == 0:
                return left.within(base), right[0].within(rest)
    named = [chunk[0].within(turn.question) for turn in turns if (chunk := topics(turn.question)) and chunk[0].named]
    different = list(dict.fromkeys(named))
    return (different[1], different[0]) if len(different) > 1 else None


def is_anybodys(said: Sequence[Word]) -> bool:
    """Whether words name an attribute and not whose it is: 端口号, 预约电话, but not 邮箱容量 or 出生率."""
    *before, noun = said
    owner = owner_of(noun.text)
    if noun.kind != NOUN or owner is None or (len(owner) > 1 and owner not in _ANYBODYS):
        return False
    return all(word.text in _ANYBODYS for word in before)


def shaped(asked: str) -> str:
    """「星瀚X2的价格呢?」 -> 「星瀚X2的价格是多少?」; other texts as they are."""
    found = re.fullmatch(r"(.+的)?(.+?)呢?[?？]*", asked)
    shape = found and next((end for pattern, end in _SHAPES if pattern.fullmatch(found[2])), "")
    return f"{found[1] or ''}{found[2]}{shape}" if found and shape and asked.rstrip("?？").endswith("呢") else asked
