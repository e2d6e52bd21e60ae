"""A question to weighted Chinese terms: Chinese words stand for themselves, English words and pinyin are bridged.

English words go through a learned table (`bot/model/bridge`, made by `scripts/train_bridge.py`); names go through
pinyin, by the words of the corpus itself: "Hefei" finds 合肥 because some article says 合肥.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from bot.dictionary import NO_DICTIONARY, Dictionary
from bot.errors import QueryError
from bot.pinyin import Names, named, spelled_question
from bot.text import HAN, QUESTION_WORDS, content_words, fold, is_chinese, rarity
from bot.types import Query, Term

TABLE = Path(__file__).parent / "model" / "bridge" / "terms.sqlite"
_ENGLISH_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?")
# Without a table entry that says otherwise, a pinyin reading of the corpus's own words counts in full.
_PINYIN_WEIGHT = 1.0
# The words of a phrase still count beside the phrase: "star market" is 科创板, and its 市场 may be all that is written.
_PART_WEIGHT = 0.3
# The table's probabilities are flattened: MRR@10 on English xquad_even and bipar_valid is 0.867 and 0.333 as they
# stand, 0.871 and 0.343 by their square roots (scripts/EXPERIMENTS.md).
_SHARPNESS = 0.4
_MAX_PINYIN_WORDS = 4
# An English question may name a Chinese thing: "What was 北京冬奥会's slogan?"
_ENGLISH_QUESTION = re.compile(
    r"(?:what|who|whose|when|where|why|which|how|is|are|was|were|do|does|did|has|have|can)\s+[^\W\d_]"
)


@cache
def _table() -> sqlite3.Connection:
    # Looked up a word at a time: reading the same table as JSON took 0.45 s and 100 MB of every start.
    return sqlite3.connect(TABLE.as_uri() + "?mode=ro&immutable=1", uri=True, check_same_thread=False)


@lru_cache(maxsize=4096)
def _look_up(kind: str, source: str) -> Mapping[str, float]:
    """The Chinese terms of a word, stem or phrase with their probabilities; empty where the table lacks it."""
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
    """The Latin words and numbers of folded text in order, a possessive 's left out."""
    return [word.removesuffix("'s") for word in _ENGLISH_WORD.findall(folded)]


def checked_question(question: str, limit: int) -> str:
    """The question without control characters. Raises QueryError when it is empty, too long or not valid text."""
    try:
        question.encode("utf-8")
    except UnicodeEncodeError:
        raise QueryError(
            "问题含有无效字符", "the question holds invalid characters", "重新输入 / type it again"
        ) from None
    cleaned = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", question).strip()
    folded = fold(cleaned)  # what is searched: one character of Arabic may fold to 18
    if (length := max(len(cleaned), len(folded))) > limit:
        raise QueryError(
            f"问题太长: {length} 字,最多 {limit} 字",
            f"the question is too long: {length} characters, at most {limit}",
        )
    if not re.search(rf"[\w{HAN}]", folded):  # Python 3.11 takes the newest Han characters for unassigned
        raise QueryError("问题是空的", "the question is empty", "输入一句话 / type a sentence")
    return cleaned


def understand(question: str, names: Names, dictionary: Dictionary = NO_DICTIONARY) -> Query:
    """The query that every leg is asked; `names` are the pinyin readings of the corpus's words.

    The dictionary's words come first, then Chinese terms in reading order, then bridged ones.
    """
    folded = " ".join(fold(question).split())
    folded = spelled_question(folded, names) or folded
    own_words, left = dictionary.named(folded)
    terms = [Term(word, {word: 1.0}, rarity(word)) for word in content_words(left) if is_chinese(word)]
    latin = [word for word in dict.fromkeys(content_words(left)) if not is_chinese(word)]
    if not latin and not own_words:
        return Query(question, folded, tuple(terms), folded)
    if is_chinese(folded) and not _ENGLISH_QUESTION.match(folded):
        # A name or a code inside a Chinese question: as it stands, or by its pinyin.
        bridged = [_own_term(word, {term: _PINYIN_WEIGHT for term in names.get(word, ())}) for word in latin]
    else:
        bridged = _bridge_english(english_words(left), names)
        covered = {word for term in bridged for word in term.source.split()}
        bridged += [_own_term(word, {}) for word in latin if word not in covered and not word.isalpha()]
    cut = {term.source for term in (*terms, *bridged)}
    own = [_named_term(name, dictionary.others(name)) for name in own_words if name not in cut]
    others = tuple(dict.fromkeys(other for name in own_words for other in dictionary.others(name)))
    best = filter(None, (_best_translation(term) for term in bridged))
    return Query(question, folded, (*own, *terms, *bridged), " ".join([folded, *others, *best]), others)


def _best_translation(term: Term) -> str:
    """The heaviest Chinese alternative, the shortest of equals: 合肥 before 合肥工业大学; "" where there is none."""
    chinese = [alternative for alternative in term.alternatives if is_chinese(alternative)]
    return min(chinese, key=lambda word: (-term.alternatives[word], len(word)), default="")


def _own_term(word: str, translations: Mapping[str, float]) -> Term:
    alternatives = {word: 1.0, **translations}
    return Term(word, alternatives, max(rarity(alternative) for alternative in alternatives))


def _named_term(name: str, others: Sequence[str]) -> Term:
    # As rare as its commonest name: a nickname that jieba lacks must not make 合肥 count for more than it did.
    return Term(name, dict.fromkeys([name, *others], 1.0), min(map(rarity, [name, *others])))


def _bridge_english(words: list[str], names: Names) -> list[Term]:
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
    # What a word means is as rare as its translations are; a word that nothing is known of is a name, hence rare.
    rare = sum(weight.values()) / total if total else 1.0
    return Term(source, {source: 1.0, **translations}, rare)


def _longest_match(words: list[str], position: int, names: Names) -> tuple[int, dict[str, float]]:
    """How many words from `position` on are one term, and its translations with weights of at most 1."""
    for length in range(min(_MAX_PINYIN_WORDS, len(words) - position), 1, -1):
        part = words[position : position + length]
        if spelled := named(part, names):
            return length, dict.fromkeys(spelled, _PINYIN_WEIGHT)
        if length == 2 and (found := _look_up("phrase", " ".join(part))):
            parts = {t: p * _PART_WEIGHT for word in part for t, p in _translations(word).items()}
            return 2, {**parts, **_scaled(found)}
    word = words[position]
    translations = _translations(word)
    read = () if word in QUESTION_WORDS else named([word], names)
    return 1, {**translations, **{name: _pinyin_weight(name, translations) for name in read}}


def _pinyin_weight(name: str, translations: Mapping[str, float]) -> float:
    """1 where the table knows nothing else or agrees (Hefei: 合肥市); less for what is rather English: women, 我们."""
    agrees = any(name in translation or translation in name for translation in translations)
    return _PINYIN_WEIGHT if agrees or not translations else 0.5 * _PINYIN_WEIGHT


def _translations(word: str) -> dict[str, float]:
    if word in QUESTION_WORDS:
        return {}
    found = _look_up("word", word) or _look_up("stem", stem(word)) or _look_up("word", stem(word))
    return _scaled(found) if found else {}


def _scaled(options: Mapping[str, float]) -> dict[str, float]:
    """Weights with the best at 1: a word whose meaning is spread over synonyms is not thereby worth less."""
    best = max(options.values())
    return {term: (value / best) ** _SHARPNESS for term, value in options.items()}
