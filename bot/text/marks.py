"""The numbers and bullets that items and headings of plain text begin with."""

from __future__ import annotations

import re

_CHINESE = "一二三四五六七八九十百千零〇两"
_DIGITS = r"[\d０-９]"
# Each style of numbering, in the order in which documents nest them. 3.5元 and 2024.1.5 are no numbers of items.
_STYLES = {
    "article": rf"第\s?(?:[{_CHINESE}]{{1,7}}|{_DIGITS}{{1,4}})\s?[条條款项步](?:之[{_CHINESE}])?",
    "chinese": rf"[{_CHINESE}]{{1,3}}[、．.](?!{_DIGITS})",
    "chinese in brackets": rf"[（(〔][{_CHINESE}]{{1,3}}[）)〕][、.]?",
    "decimal": rf"{_DIGITS}{{1,3}}(?:[、．]|[.](?!{_DIGITS})|[)）])",
    "decimals": rf"{_DIGITS}{{1,2}}(?:[.．]{_DIGITS}{{1,2}}){{1,4}}(?=[\s\u3000])",
    "decimal in brackets": rf"[（(]{_DIGITS}{{1,3}}[）)]",
    "circled": "[①-⑳⑴-⒇❶-❿㈠-㈩]",
    "letter": r"[A-Za-z][.、)）](?=[\s\u3000]|[\u4e00-\u9fff])",
    "bullet": r"[•·●○■□◆◇▪➢➤✓✔★☆▲△▼※►–—*+-](?=[\s\u3000]|[\u4e00-\u9fff])",
}
_NUMBER = re.compile("|".join(f"(?P<{name.replace(' ', '_')}>{pattern})" for name, pattern in _STYLES.items()))
_PARTS = (("编編部卷", 1), ("章回篇", 2), ("节節", 3))
_CHAPTER = re.compile(
    rf"(?:正文\s+)?(?P<title>第\s?(?:[{_CHINESE}]{{1,7}}|{_DIGITS}{{1,4}})\s?(?P<part>[编編部卷章回篇节節])(?![\w])(?:[\s\u3000:：、]*(?P<rest>.*))?)"
)


def number_of(line: str) -> tuple[str, str]:
    """The number or bullet that a line begins with, and its style; ("", "") without one."""
    match = _NUMBER.match(line)
    return (match[0], match.lastgroup or "") if match else ("", "")


def chapter_of(line: str) -> tuple[str, int]:
    """The title of the chapter that a line begins, as 第三回 and what follows, and its level; ("", 0) if none."""
    match = _CHAPTER.fullmatch(line)
    if not match:
        return "", 0
    return match["title"].strip(), next(level for parts, level in _PARTS if match["part"] in parts)
