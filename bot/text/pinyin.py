"""Chinese words found by their pinyin: names in an English question, and whole questions typed in pinyin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bot.text.fold import HAN_WORD
from bot.text.terms import QUESTION_WORDS, rarity

Names = Mapping[str, Sequence[str]]  # joined pinyin without tones -> words of the corpus
_MAX_LETTERS = 24  # of one word: 中国科学院 has 18
# Consonants where pinyin cannot have one: 8 of 10 English words contain such a place and need no look-up.
_NOT_SPELLED = re.compile("[bdfjklmpqtwxy](?![aeiouv])|[zcs](?!h?[aeiouv])|h(?![aeiou])")
_MAX_QUESTION = 120
# QUESTION_WORDS of bot.text.terms by their pinyin, written out because a question would load pypinyin for nothing else.
_WRITTEN = """
ba=把 bei=被 bing=并 cong=从 dao=到 de=的 dou=都 dui=对 duoda=多大 duojiu=多久 duoshao=多少
duochang=多长 gaosu=告诉 ge=个 guanyu=关于 guo=过 hai=还 he=和 hedi=何地 heren=何人 heshi=何时 hui=会
huo=或 jiang=将 jiao=叫 jiaozuo=叫做 jige=几个 jinian=几年 jiu=就 jiwei=几位 jizhong=几种 keyi=可以
le=了 li=里 ma=吗 meiyou=没有 mingjiao=名叫 na=哪 naer=哪儿 nage=哪个 naji=哪几 nali=哪里 nanian=哪年
natian=哪天 nawei=哪位 naxie=哪些 nayi=哪一 nazhong=哪种 ne=呢 neng=能 ni=你 nin=您 pingshenme=凭什么
qing=请 qingwen=请问 ruhe=如何 shang=上 shei=谁 shenme=什么 shi=是 shifou=是否 shui=谁 shuyu=属于
ta=他 tamen=他们 wei=为 weihe=为何 weile=为了 weisha=为啥 weishenme=为什么 wo=我 women=我们 xia=下
xiang=向 ye=也 yi=以 yixia=一下 you=有 yu=与 zai=在 zenme=怎么 zenmeyang=怎么样 zenyang=怎样 zhe=这
zhege=这个 zhexie=这些 zhi=之 zhong=中
"""
_QUESTION_WORDS: dict[str, str] = dict(re.findall(r"(\w+)=(\w+)", _WRITTEN))


def pinyin_of(words: Iterable[str]) -> dict[str, list[str]]:
    """Joined pinyin without tones -> the words with that reading; words of a single Han character are left out."""
    from pypinyin import lazy_pinyin

    names: dict[str, list[str]] = {}
    for word in words:
        if len(word) > 1 and HAN_WORD.fullmatch(word):
            names.setdefault("".join(lazy_pinyin(word)), []).append(word)
    return names


def named(words: Sequence[str], names: Names) -> Sequence[str]:
    """The words of the corpus that Latin words spell, with the surname first or last: Qingfeng Liu is 刘庆峰."""
    parts = [word.replace("'", "") for word in words]
    found = _so_spelled("".join(parts), names)
    return found or (_so_spelled("".join([parts[-1], *parts[:-1]]), names) if len(parts) > 1 else ())


def _so_spelled(letters: str, names: Names) -> Sequence[str]:
    return () if _NOT_SPELLED.search(letters) else names.get(letters, ())


def spelled_question(folded: str, names: Names) -> str:
    """The Chinese of a question typed in pinyin, joined or spaced (hefei weishenme chenggong); "" for any other text.

    Every letter must belong to a word of the corpus or a question word, which rules out English questions (wh, th).
    Among homophones the commonest wins.
    """
    letters = re.sub(r"[\s'?.!,]", "", folded)
    if not re.fullmatch("[a-z]+", letters) or len(letters) > _MAX_QUESTION:
        return ""
    # Position -> the cheapest cut of the letters before it: one point per word, two per single character.
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
    """The commonest word with this spelling, question words first; "" if there is none."""
    word = _QUESTION_WORDS.get(letters, "")
    return word or min(_so_spelled(letters, names), key=lambda name: (rarity(name), name), default="")
