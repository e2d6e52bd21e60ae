"""What may be the title of a document: its name, and nothing that many documents or every page of one share."""

from __future__ import annotations

import re

_NUMBERED = re.compile(r"第\s*[一二三四五六七八九十百零〇\d]+\s*[章节編编篇部条条卷回]")
# Headings that name a part of any document, and what programs write into the properties of a file.
_PARTS = re.compile(
    r"(?:目\s*[录錄次]|(?:table of )?contents|[前引序]\s*言|序|摘\s*要|abstract|附\s*[录件]\s*\S{0,3}"
    r"|正\s*文|封\s*面|[首主]\s*页|(?:untitled|无标题|新建|未命名|microsoft word).*"
    r"|(?:文档|document|幻灯片|slide|sheet|工作表)\s*\d*"
    r"|\(anonymous\)|powerpoint.*)",
    re.IGNORECASE,
)
_LONGEST = 120  # letters


def is_title(text: str) -> bool:
    """Whether a text can be the title of a document: no chapter, no 目录, nothing that a program filled in."""
    bare = text.strip(" \u3000·-—_*#")
    if not bare or len(bare) > _LONGEST or not re.search(r"[^\W\d_]", bare):
        return False
    return not _NUMBERED.match(bare) and not _PARTS.fullmatch(bare)
