"""The name of a document, from how the lines at its beginning look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.corpus.titles import is_title

_TOP = 40  # lines among which the name stands
_LONGEST, _LONGEST_LINE = 100, 60  # letters
_LARGE = 1.15  # times the size of the text
_LEAST = 2.0  # points from which a line is taken
_HAN = "\u3400-\u9fff"

_STOP = re.compile(r"第\s*[一二三四五六七八九十百零〇\d]+\s*[编編章節节条條]")
_NUMBERED = re.compile(r"(?:[一二三四五六七八九十]+[、.．]|[（(][一二三四五六七八九十\d]+[)）]|\d+(?:\.\d+)*[、.．\s])")
_PARENTHESIS = re.compile(r"[（(【\[〔].*[)）】\]〕]")
_DIGIT = r"[\d〇○零一二三四五六七八九十Xx×_\s]"
_DATE = re.compile(rf"[（(]?{_DIGIT}{{2,}}年{_DIGIT}*(?:月{_DIGIT}*日?)?.{{0,2}}[)）]?|[\d\s./\-年月日:：]+")
_DOCUMENT_NUMBER = re.compile(
    r".*[〔\[［（(【]\s*(?:19|20)\d\d\s*[〕\]］）)】]\s*第?\s*[\d×XＸx]*\s*号?.{0,3}(?:\s.*)?|.*第\s*\d+\s*号"
    r"|[（(](?:19|20)\d\d[)）].{1,14}号.*"
)
_FIELD = re.compile(r"[^：:《》]{1,14}[：:].*|.*[：:]")
_SENTENCE = re.compile("[。；;！!]|，.*，")
_NOISE = re.compile(
    r"(?:机密|绝密|秘密|急件|特急|平急|内部资料|内部使用|公开|受控|正本|副本|密级)[★☆\s\d年]*|(?:版本|version|v\s?\d).{0,10}"
    r"|(?:签字|盖章|签章|图片|logo|修订|编号).{0,6}|第?\s*\d+\s*页",
    re.IGNORECASE,
)
_ORGANISATION = re.compile(
    r"[^的于关]{2,}(?:公司|局|委员会|厅|部|院|所|中心|[中小大]学|学校|政府|银行|集团|协会|学会|办公室|处|科|党组|党委|队)"
    r"(?:[（(].{1,8}[)）])?"
)
_KIND = re.compile(
    r".*(?:文件|文本|条例|办法|规定|细则|规则|规范|规程|标准|通知|公告|通告|公报|公示|决定|决议|意见|批复|复函|函|请示|报告|报告书|纪要|方案|计划|计划书|规划"
    r"|预案|合同|合同书|协议|协议书|章程|制度|手册|指南|指引|说明|说明书|须知|大纲|教程|教案|讲义|论文|简介|名单|清单|一览表|登记表|申请表|表|书|法|法典|解释"
    r"|宣言|讲话|总结|白皮书|蓝皮书|年报|月报|周报|简历|试卷|试题|题库|词典|汇编|全文|要点|要求|设计|守则|准则|公约|目标|问答|流程)"
    r"(?:\s*[（(].{1,20}[)）])?(?:[》」].*)?"
)
# Names that many documents have, and that say what a document is about only with the project's name.
_GENERIC = re.compile(
    r"(?:政府|服务|货物|工程|设备|公开|竞争性|邀请|单一来源|国内|国际|自主|采购|项目|施工|监理|设计|比价|第[一二三]次|[（(].{1,8}[)）])*"
    r"(?:(?:招标|投标|磋商|谈判|询价|比选|采购|响应|遴选|竞价|询比|资格预审|竞标|谈价)(?:采购)?(?:文件|书)|合同|合同书|协议书|通知|公告|报告|说明书"
    r"|采购需求|实施方案|项目建议书|可行性研究报告|需求规格说明书|用户手册|操作手册|使用手册|使用说明书)"
)
# Names of the owner's: with them stands whose they are.
_OWNED = re.compile(
    r"(?:学生|员工|职工|新生|家长|质量|安全|管理|财务|行政|人事|内控)*(?:手册|章程|规章制度|管理制度|制度汇编)"
    r"|(?:民\s*事|刑\s*事|行\s*政|执\s*行).{0,8}(?:判决|裁定|调解|决定)书"
)
_SERIES = re.compile(r".*(?:国家|行业|地方|团体|企业)标准(?:\s*[（(].{1,12}[)）])?")  # what a standard belongs to
_THESIS = re.compile(r".{0,12}(?:学位|毕业|学年|课程)(?:论文|设计).{0,8}")
_PROJECT = re.compile(r"(?:采购|招标|工程)?项目(?:名称)?|工程名称|标的名称|(?:论文|毕业设计)?题目|论文标题|课题名称")


@dataclass(frozen=True, slots=True)
class CoverLine:
    """A line with its look: `size` in points, `level` of a heading or 0, `is_styled` if its style is that of titles."""

    text: str
    size: float = 0.0
    bold: bool = False
    centred: bool = False
    level: int = 0
    is_styled: bool = False


@dataclass(frozen=True, slots=True)
class _Group:
    """Lines that follow one another and look alike: a name that is broken over lines."""

    text: str
    place: int
    last: int
    line: CoverLine


def title_of(lines: Sequence[CoverLine], body: float, stated: str = "") -> str:
    """The name of a document whose first lines these are; "" if none of them is one.

    `body` is the size of the text, in points. `stated` is what the properties of the file call it: they are often those
    of the file that it was made from, so that they count only if the lines hold them.
    """
    top = list(_top(lines[:_TOP]))
    groups = list(_groups(top, body))
    scored = [(_score(group, top, body, lines, stated), -group.place, group) for group in groups]
    best = max(scored, key=lambda one: one[:2], default=None)
    if best and _THESIS.fullmatch(best[2].text) and (subject := _project(top)):
        return subject
    if best and best[0] >= _LEAST:
        return _whole(best[2], groups, top, body)
    held = _bare(stated)
    if held and is_title(stated) and any(held in _bare(line.text) for line in lines):
        return stated
    first = top[0].text if top else ""
    plain = bool(first) and _may_be_title(first) and not _NUMBERED.match(first)
    return _joined([first]) if plain and _KIND.fullmatch(_joined([first])) else ""


def _top(lines: Sequence[CoverLine]) -> Iterator[CoverLine]:
    """The lines above the first chapter or the first paragraph of text."""
    for line in lines:
        text = line.text.strip()
        if _STOP.match(text) and not line.is_styled:
            return
        if len(text) > _LONGEST_LINE and "。" in text:
            return
        yield line


def _groups(lines: Sequence[CoverLine], body: float) -> Iterator[_Group]:
    run: list[tuple[int, CoverLine]] = []
    for place, line in enumerate(lines):
        fits = _may_be_title(line.text) and _stands_out(line, body)
        if run and not (fits and _continues(run, line)):
            yield _group(run)
            run = []
        if fits:
            run.append((place, line))
    if run:
        yield _group(run)


def _group(run: Sequence[tuple[int, CoverLine]]) -> _Group:
    return _Group(_joined([line.text for _, line in run]), run[0][0], run[-1][0], run[0][1])


def _continues(run: Sequence[tuple[int, CoverLine]], line: CoverLine) -> bool:
    """Whether a line goes on with the name above it: it looks the same, and the name is not complete."""
    above = run[-1][1]
    text = _joined([one.text for _, one in run])
    if (above.size, above.bold, above.centred, above.level) != (line.size, line.bold, line.centred, line.level):
        return False
    if len(text) + len(line.text) > _LONGEST or bool(_han(text)) != bool(_han(line.text)):
        return False
    complete = bool(_KIND.fullmatch(text))
    return not (complete and (_ORGANISATION.fullmatch(_joined([line.text])) or line.level or len(text) > 12))


def _may_be_title(text: str) -> bool:
    text = text.strip()
    if (
        not is_title(text)
        or text.startswith(("—", "-"))
        or len(text) > _LONGEST_LINE
        or _SENTENCE.search(text)
        or len(_bare(text)) < 2
    ):
        return False
    return not any(
        one.fullmatch(text) for one in (_PARENTHESIS, _DATE, _DOCUMENT_NUMBER, _FIELD, _NOISE)
    ) and not _STOP.match(text)


def _stands_out(line: CoverLine, body: float) -> bool:
    large = bool(body) and line.size >= body * _LARGE
    return line.is_styled or line.centred or large or line.bold or line.level == 1


def _score(group: _Group, top: Sequence[CoverLine], body: float, lines: Sequence[CoverLine], stated: str) -> float:
    """How much a group looks like the name of its document."""
    line, text = group.line, group.text
    points = -0.3 * group.place
    if line.is_styled and sum(one.is_styled for one in lines) <= 3:
        points += 12
    if line.centred:
        points += 3
    if body and line.size >= body * _LARGE:
        points += min(6.0, 1 + 6 * (line.size / body - 1))
    points += 1.5 * line.bold
    if line.level:
        same = sum(one.level == line.level for one in lines)
        points += 2 if same == 1 or group.place == 0 or _KIND.fullmatch(text) else -3
    points += 3 * bool(_KIND.fullmatch(text))
    points += 4 * bool(stated and _bare(stated) == _bare(text))
    points -= 5 * bool(_ORGANISATION.fullmatch(text)) + 8 * bool(_NUMBERED.match(text) or _THESIS.fullmatch(text))
    points -= 8 * bool(_SERIES.fullmatch(text)) + 4 * (len(_bare(text)) < 3) + 2 * (not _han(text))
    # The head of a notice names who sends it; its number stands below, and its title below that.
    below = [one.text.strip() for one in top[group.last + 1 : group.last + 4]]
    if any(_DOCUMENT_NUMBER.fullmatch(one) and len(one) < 40 for one in below) and group.place < 3:
        points -= 10 * (text.endswith(("文件", "令")) or bool(_ORGANISATION.fullmatch(text)))
    return points


def _whole(best: _Group, groups: Sequence[_Group], top: Sequence[CoverLine], body: float) -> str:
    """The name with what it needs to be told from others: 招标文件 is one of many without its project."""
    if not _GENERIC.fullmatch(best.text) and not _OWNED.fullmatch(best.text):
        below = next((one for one in groups if one.place == best.last + 1), None)
        if below and _GENERIC.fullmatch(below.text) and not _KIND.fullmatch(best.text):
            return _joined([best.text, below.text])
        return best.text
    project = _project(top)
    if project and len(project) + len(best.text) <= _LONGEST:
        return project if project.endswith(best.text) else _joined([project, best.text])
    above = next((one for one in groups if one.last == best.place - 1), None)
    if not above or above.line.size < body * _LARGE or len(above.text) < 4 or _NUMBERED.match(above.text):
        return best.text
    is_owner = bool(_ORGANISATION.fullmatch(above.text))
    return best.text if is_owner and not _OWNED.fullmatch(best.text) else _joined([above.text, best.text])


def _project(lines: Sequence[CoverLine]) -> str:
    """What stands behind or below 项目名称."""
    for place, line in enumerate(lines):
        label, colon, value = line.text.strip().replace(":", "：").partition("：")
        if _PROJECT.fullmatch("".join(label.split())) and (colon or len(label) > 2):
            if not value.strip() and place + 1 < len(lines):
                value = lines[place + 1].text
            value = _joined([value])
            if len(_bare(value)) >= 4 and not _FIELD.fullmatch(value) and not _SENTENCE.search(value):
                return value
    return ""


def _joined(texts: Sequence[str]) -> str:
    """Lines as one, without the spaces that spread Chinese letters over a line."""
    text = " ".join(" ".join(texts).split())
    return re.sub(
        rf"(?<=[{_HAN}，、。：（）《》“”]) (?=[{_HAN}\d（）《》“”])|(?<=[\d）)》”]) (?=[{_HAN}（《“])", "", text
    )


def _bare(text: str) -> str:
    return "".join(re.findall(r"\w", text)).casefold()


def _han(text: str) -> list[str]:
    return re.findall(f"[{_HAN}]", text)
