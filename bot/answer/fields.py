"""Fields of forms and tables, as 采购单位: 某中学, and which of them a question asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_KEY = re.compile(r"(?:^|[\s;|,。(])([^\s;:|,。()]{2,14})(?:\([^()]{1,8}\))?:\s*(?=\S)")
# Where a question stops to name what it asks for: 单位地址|在哪里, 保修期|是几个月, 保证金|多少.
_ASKS = re.compile(r"(?:[是为有在]|位于)?(?:什么|多少|哪|几|谁|怎|如何|多[久长大高]|[呢吗?]).*$|[是为]?[?.。]*$")


_ROW = re.compile(r"[^;:：；]{1,30}: [^;]+; [^;:：；]{1,30}: ")


def is_row(text: str) -> bool:
    """Whether a sentence is a row of a table or a form: several fields, and nothing that its neighbours go on with."""
    return _ROW.match(text) is not None


def keyed(question: str, sentences: Sequence[str]) -> npt.NDArray[np.float64]:
    """1 for each folded sentence with a field whose name the folded question ends in, before it asks; shape (n,)."""
    asked = _ASKS.sub("", question, count=1).strip()
    focus = asked.rpartition("的")[2]
    if len(focus) < 2:
        return np.zeros(len(sentences))
    # Of a row with the fields 序号, 内容 and 要求 the cell 最高限价 is what names the rest.
    cell = re.compile(rf"[:|]\s*{re.escape(focus)}\s*(?:[;|]|$)")
    names = ((cell.search(one), *(_names(key, asked, focus) for key in _KEY.findall(one))) for one in sentences)
    return np.array([float(any(found)) for found in names])


def _names(key: str, asked: str, focus: str) -> bool:
    rest = key.replace(focus, "", 1)
    return asked.endswith(key) or (focus in key and (key.startswith(focus) or rest in asked))
