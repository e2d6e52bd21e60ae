"""Where the sentences of a text begin and end."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE_END = re.compile(r"""(?:[。！？!?…]+|\.(?=\s|$))[”’"'」』）)》】\]]*|\n+""")

# 4. begins an item; R. in Bernard R. Sarchet is the initial of a name.
_ITEM_NUMBER = re.compile(r"\s*\d{1,3}\.")
_INITIAL = re.compile(r"\s[A-Z]\.")


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Half-open offsets, in `text`, of the sentences of `text[start:end]`, without surrounding white space.

    A sentence ends after 。！？!?… or a full stop before white space, including closing quotes, or at a line break. The
    number of an item and the initial of a name end none.
    """
    end = len(text) if end is None else end
    position = start
    while position < end:
        match = _SENTENCE_END.search(text, position, end)
        while match and match[0] == "." and _ends_none(text, position, match.end()):
            match = _SENTENCE_END.search(text, match.end(), end)
        stop = match.end() if match else end
        left, right = position, stop
        while left < right and text[left].isspace():
            left += 1
        while right > left and text[right - 1].isspace():
            right -= 1
        if left < right:
            yield left, right
        position = stop


def _ends_none(text: str, start: int, end: int) -> bool:
    """Whether the full stop at the end of a part of the text is one of a number or an initial."""
    return bool(_ITEM_NUMBER.fullmatch(text, start, end) or _INITIAL.fullmatch(text, max(start, end - 3), end))
