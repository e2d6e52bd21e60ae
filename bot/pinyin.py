"""Chinese words by their pinyin: names in an English question, and a Chinese question typed in Latin letters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from bot.text import QUESTION_WORDS, is_chinese, rarity

Names = Mapping[str, Sequence[str]]  # joined pinyin without tones -> words of the corpus
_MAX_LETTERS = 24  # of one word: 中国科学院 has 18
_MAX_QUESTION = 120
_OTHER_READINGS = {"shei": "谁", "na": "哪", "nali": "哪里", "duoshao": "多少", "jige": "几个"}


def pinyin_of(words: Iterable[str]) -> dict[str, list[str]]:
    """Joined pinyin without tones -> the words so read, for the words of two Han characters or more."""
    from pypinyin import lazy_pinyin

    names: dict[str, list[str]] = {}
    for word in words:
        if len(word) > 1 and all(is_chinese(character) for character in word):
            names.setdefault("".join(lazy_pinyin(word)), []).append(word)
    return names


def named(words: Sequence[str], names: Names) -> Sequence[str]:
    """The words of the corpus that Latin words spell together, the surname first or last: Qingfeng Liu is 刘庆峰."""
    parts = [word.replace("'", "") for word in words]
    return names.get("".join(parts)) or (names.get("".join([parts[-1], *parts[:-1]])) if len(parts) > 1 else ()) or ()


@cache
def _question_words() -> dict[str, str]:
    from pypinyin import lazy_pinyin

    chinese = sorted((word for word in QUESTION_WORDS if is_chinese(word)), key=lambda word: (-rarity(word), word))
    return {**{"".join(lazy_pinyin(word)): word for word in chinese}, **_OTHER_READINGS}


def spelled_question(folded: str, names: Names) -> str:
    """The Chinese of a question typed in pinyin, joined or spaced (hefei weishenme chenggong); "" for any other text.

    Every letter must belong to a word of the corpus or a question word, which no English question (wh, th) does; of
    homophones the commonest is meant.
    """
    letters = re.sub(r"[\s'?.!,]", "", folded)
    if not re.fullmatch("[a-z]+", letters) or len(letters) > _MAX_QUESTION:
        return ""
    # Position -> the fewest words that the letters up to there can be cut into; single characters count double.
    best: dict[int, tuple[int, list[str]]] = {0: (0, [])}
    for start in range(len(letters)):
        if start not in best:
            continue
        cost, words = best[start]
        for end in range(start + 1, min(len(letters), start + _MAX_LETTERS) + 1):
            word = _commonest(letters[start:end], names)
            total = cost + (2 if len(word) == 1 else 1)
            if word and (end not in best or total < best[end][0]):
                best[end] = (total, [*words, word])
    found = best.get(len(letters), (0, []))[1]
    content = [word for word in found if word not in QUESTION_WORDS]
    return "".join(found) if content and len(content) < len(letters) / 3 else ""


def _commonest(letters: str, names: Names) -> str:
    """The commonest word so spelled, question words first; "" where there is none."""
    word = _question_words().get(letters, "")
    return word or min(names.get(letters, ()), key=lambda name: (rarity(name), name), default="")
