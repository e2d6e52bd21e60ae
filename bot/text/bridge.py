"""English to Chinese: each English word becomes the weighted Chinese terms that may translate it.

Words go through a learned table (`bot/model/bridge`, made by `scripts/train_bridge.py`), names through a table of names
(`bot/model/names`) and the pinyin of the corpus's own words: "Hefei" finds 合肥 because some article contains 合肥.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from bot.text.names import MOST_WORDS, chinese_names
from bot.text.pinyin import Names, named
from bot.text.terms import QUESTION_WORDS, rarity
from bot.types import Term

TABLE = Path(__file__).parents[1] / "model" / "bridge" / "terms.sqlite"
_ENGLISH_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?")
# The words of a phrase still count beside the phrase: "star market" is 科创板, but a text may only say 市场.
_PART_WEIGHT = 0.3
# The exponent that flattens the table's probabilities; a square root gained 0.01 MRR@10 on bipar_valid
# (scripts/EXPERIMENTS.md, The bridge).
_SHARPNESS = 0.4
_MAX_PINYIN_WORDS = 4
# A word of the corpus that matches by pinyin counts in full unless the table suggests another meaning.
PINYIN_WEIGHT = 1.0


@cache
def _table() -> sqlite3.Connection:
    # A database that is read word by word, because loading the same table from JSON cost 100 MB at every start.
    return sqlite3.connect(TABLE.as_uri() + "?mode=ro&immutable=1", uri=True, check_same_thread=False)


@lru_cache(maxsize=4096)
def _look_up(kind: str, source: str) -> Mapping[str, float]:
    """The Chinese terms of a word, stem or phrase with their probabilities; empty if the table lacks it."""
    row = _table().execute("SELECT terms FROM bridge WHERE kind = ? AND source = ?", (kind, source)).fetchone()
    found: dict[str, float] = json.loads(row[0]) if row else {}
    return found


@cache
def _stemmer() -> Any:
    import snowballstemmer  # type: ignore[import-untyped]

    return snowballstemmer.stemmer("english")


def stem(word: str) -> str:
    """The stem of an English word (Snowball): succeeded, succeeds -> succeed."""
    return str(_stemmer().stemWord(word))


def english_words(folded: str) -> list[str]:
    """The Latin words and numbers of folded text in order, without a possessive 's."""
    return [word.removesuffix("'s") for word in _ENGLISH_WORD.findall(folded)]


def bridge_english(words: list[str], names: Names) -> list[Term]:
    terms: list[Term] = []
    position = 0
    while position < len(words):
        length, translations = _longest_match(words, position, names)
        source = " ".join(words[position : position + length])
        if source not in QUESTION_WORDS and all(source != term.source for term in terms):
            terms.append(_bridged_term(source, translations))
        position += length
    return terms


def _bridged_term(source: str, translations: Mapping[str, float]) -> Term:
    weight = {alternative: rarity(alternative) * share for alternative, share in translations.items()}
    total = sum(translations.values())
    # A word is as rare as its translations are; a word that nothing is known about is probably a name, hence rare.
    rare = sum(weight.values()) / total if total else 1.0
    return Term(source, {source: 1.0, **translations}, rare)


def _longest_match(words: list[str], position: int, names: Names) -> tuple[int, dict[str, float]]:
    """How many words from `position` on form one term, and its translations with weights of at most 1."""
    for length in range(min(MOST_WORDS, len(words) - position), 1, -1):
        part = words[position : position + length]
        if known := chinese_names(" ".join(part)):
            return length, dict.fromkeys(known, 1.0)
        if length > _MAX_PINYIN_WORDS:
            continue
        if spelled := named(part, names):
            return length, dict.fromkeys(spelled, PINYIN_WEIGHT)
        if length == 2 and (found := _look_up("phrase", " ".join(part))):
            parts = {t: p * _PART_WEIGHT for word in part for t, p in _translations(word).items()}
            return 2, {**parts, **_scaled(found)}
    word = words[position]
    translations = _translations(word)
    if word in QUESTION_WORDS:
        return 1, translations
    read = {name: _pinyin_weight(name, translations) for name in named([word], names)}
    return 1, {**translations, **read, **dict.fromkeys(chinese_names(word), 1.0)}


def _pinyin_weight(name: str, translations: Mapping[str, float]) -> float:
    """1 if the table agrees or knows nothing (Hefei: 合肥市); less if the word is likely English (women: 我们)."""
    agrees = any(name in translation or translation in name for translation in translations)
    return PINYIN_WEIGHT if agrees or not translations else 0.5 * PINYIN_WEIGHT


def _translations(word: str) -> dict[str, float]:
    if word in QUESTION_WORDS:
        return {}
    found = _look_up("word", word) or _look_up("stem", stem(word)) or _look_up("word", stem(word))
    return _scaled(found) if found else {}


def _scaled(options: Mapping[str, float]) -> dict[str, float]:
    """Weights scaled so that the best is 1: a word whose meaning is spread over synonyms must not count for less."""
    best = max(options.values())
    return {term: (value / best) ** _SHARPNESS for term, value in options.items()}
