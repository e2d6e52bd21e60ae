"""Carries a dialogue from English into Chinese: names, words and short questions, where the bridge is sure of them."""

from __future__ import annotations

import re

from bot.text.bridge import bridge_english, english_words
from bot.text.fold import is_chinese
from bot.text.mentions import Chunk, chunks
from bot.text.terms import QUESTION_WORDS, rarity

# A word is sure if its next best translation has at most this share: 成功 for "succeed", none for "number", which may
# be 数量, 人数 or 编号.
_SURE = 0.82
# How a question begins, and the Chinese one; {name} is its topic, {words} are the others.
_QUESTIONS = tuple(
    (re.compile(english, re.IGNORECASE), chinese)
    for english, chinese in (
        (r"why\b", "{name}为什么{words}?"),
        (r"when\b", "{name}什么时候{words}?"),
        (r"where\b", "{name}在哪里{words}?"),
        (r"how many\b", "{name}有多少{words}?"),
        (r"wh(?:at|ich) (?:is|are|was|were) the\b", "{name}的{words}是什么?"),
        (r"who (?:is|are|was|were) the\b", "{name}的{words}是谁?"),
        (r"who\b", "{name}是谁{words}的?"),
    )
)


def chinese_word(english: str) -> str:
    """The Chinese for an English word, "" unless one translation is far better than the others.

    The bridge learned from statutes and manuals, so a translation counts for more the commoner it is in Chinese.
    """
    found: dict[str, float] = {}
    for term in bridge_english(english_words(english.lower()), {}):
        if found:
            return ""
        found = {word: weight * (1 - rarity(word)) for word, weight in term.alternatives.items() if is_chinese(word)}
    best = sorted(found, key=lambda word: -found[word])[:2]
    return best[0] if best and (len(best) == 1 or found[best[1]] <= _SURE * found[best[0]]) else ""


def chinese_name(english: str, topic: Chunk, answer: str) -> str:
    """What a Chinese answer calls the topic of an English question; its English name if the answer does not say."""
    terms = bridge_english(english_words(english[topic.start :].lower()), {})
    known = [word for term in terms for word in term.alternatives if is_chinese(word)]
    for chunk in chunks(answer):
        name = chunk.within(answer)
        if is_chinese(name) and any(name in word or word in name for word in known):
            return name
    return topic.within(english)


def chinese_question(english: str, topic: str, name: str, answer: str) -> str:
    """An English question in Chinese, asked of `name` instead of its topic; "" if a word of it is not sure.

    「Why did Hefei succeed?」 and 北京 -> 「北京为什么成功?」. The Chinese answer may tell a word that is not sure.
    """
    left = [word for word in english_words(english.replace(topic, " ").lower()) if word not in QUESTION_WORDS]
    said = [chinese_word(word) or _told(word, answer) for word in left]
    for begins, chinese in _QUESTIONS:
        if begins.match(english) and all(said) and (said or chinese.startswith("{name}在")):
            return chinese.format(name=name, words="".join(said))
    return ""


def _told(english: str, answer: str) -> str:
    """The translation of a word that stands in the answer, "" if none does."""
    options = bridge_english([english], {})[0].alternatives
    told = [word for word in options if is_chinese(word) and len(word) > 1 and word in answer]
    return max(told, key=lambda word: options[word], default="")
