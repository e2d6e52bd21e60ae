"""Prepares a question for retrieval: checks it, folds it, and cuts it into weighted Chinese terms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.errors import QueryError
from bot.text.asking import cut_ordinals, without_asking
from bot.text.bridge import PINYIN_WEIGHT, bridge_english, english_words
from bot.text.canonical import cut_numbers
from bot.text.courtesy import is_pictograph, unwrapped
from bot.text.dictionary import NO_DICTIONARY, Dictionary
from bot.text.fold import HAN, fold, is_chinese
from bot.text.names import chinese_names
from bot.text.pinyin import Names, spelled_question
from bot.text.terms import NUMBER_RARITY, content_words, rarity
from bot.types import Query, Term

# An English question that may contain a Chinese name: "What was 北京冬奥会's slogan?"
_ENGLISH_QUESTION = re.compile(
    r"(?:what|who|whose|when|where|why|which|how|is|are|was|were|do|does|did|has|have|can)\s+[^\W\d_]"
)


def checked_question(question: str, limit: int) -> str:
    """The question without control characters. Raises QueryError if it is empty, too long or not valid text.

    `limit` is in characters, of the question and of its folded form.
    """
    try:
        question.encode("utf-8")
    except UnicodeEncodeError:
        raise QueryError(
            "问题含有无效字符", "the question contains invalid characters", "重新输入 / type it again"
        ) from None
    cleaned = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", question).strip()
    folded = fold(cleaned)  # can be longer than the question: one Arabic character may fold to 18
    if (length := max(len(cleaned), len(folded))) > limit:
        raise QueryError(
            f"问题太长：{length} 字，最多 {limit} 字",
            f"the question is too long: {length} characters, at most {limit}",
        )
    # HAN, because \w of Python 3.11 lacks the newest Han characters; 👍 says something too.
    if not re.search(rf"[\w{HAN}]", folded) and not is_pictograph(cleaned):
        raise QueryError("问题是空的", "the question is empty", "输入一句话 / type a sentence")
    return cleaned


def understand(question: str, names: Names, dictionary: Dictionary = NO_DICTIONARY) -> Query:
    """The query for both legs; `names` maps pinyin to words of the corpus.

    Terms from the dictionary come first, then Chinese terms in reading order, then bridged ones.
    """
    folded = unwrapped(" ".join(fold(question).split()))
    folded = spelled_question(folded, names) or folded
    own_words, left = dictionary.named(folded)
    ordinals, left = cut_ordinals(left)
    amounts, left = cut_numbers(without_asking(left))
    numbered = [Term(source, ways, rarity(source), number=True) for source, ways in ordinals.items()]
    numbered += [Term(source, ways, NUMBER_RARITY, number=True) for source, ways in amounts.items()]
    terms = numbered + [Term(word, {word: 1.0}, rarity(word)) for word in content_words(left) if is_chinese(word)]
    latin = [word for word in dict.fromkeys(content_words(left)) if not is_chinese(word)]
    if not latin and not own_words:
        return Query(question, folded, tuple(terms), folded)
    if is_chinese(folded) and not _ENGLISH_QUESTION.match(folded):
        # A Latin name or code in a Chinese question counts as it is, by its Chinese name, or by its pinyin.
        bridged = [
            _own_term(word, dict.fromkeys((*chinese_names(word), *names.get(word, ())), PINYIN_WEIGHT))
            for word in latin
        ]
    else:
        bridged = bridge_english(english_words(left), names)
        covered = {word for term in bridged for word in term.source.split()}
        bridged += [_own_term(word, {}) for word in latin if word not in covered and not word.isalpha()]
    cut = {term.source for term in (*terms, *bridged)}
    own = [_named_term(name, dictionary.others(name)) for name in own_words if name not in cut]
    others = tuple(dict.fromkeys(other for name in own_words for other in dictionary.others(name)))
    best = filter(None, (_best_translation(term) for term in bridged))
    return Query(question, folded, (*own, *terms, *bridged), " ".join([folded, *others, *best]), others)


def named_in_full(query: Query, names: Mapping[str, str]) -> Query:
    """The query with each of its abbreviations as one term, which the full name expresses too."""
    if not names:
        return query
    terms = [term for term in query.terms if not any(term.source in short for short in names)]
    own = [Term(short, {short: 1.0, name: 1.0}, max(rarity(short), rarity(name))) for short, name in names.items()]
    return replace(query, terms=(*own, *terms), translated=" ".join([query.translated, *names.values()]))


def _best_translation(term: Term) -> str:
    """The heaviest Chinese alternative, the shortest of equals (合肥 before 合肥工业大学); "" if there is none."""
    chinese = [alternative for alternative in term.alternatives if is_chinese(alternative)]
    return min(chinese, key=lambda word: (-term.alternatives[word], len(word)), default="")


def _own_term(word: str, translations: Mapping[str, float]) -> Term:
    alternatives = {word: 1.0, **translations}
    return Term(word, alternatives, max(rarity(alternative) for alternative in alternatives))


def _named_term(name: str, others: Sequence[str]) -> Term:
    # As rare as its commonest name, so that a nickname that jieba lacks does not make 合肥 count for more.
    return Term(name, dict.fromkeys([name, *others], 1.0), min(map(rarity, [name, *others])))
