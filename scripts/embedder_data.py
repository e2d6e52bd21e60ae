"""The training pairs of the embedder: the sets of the data folder, news cloze pairs, and pseudo-English queries.

A pseudo-English query is a Chinese one with its words replaced by English words of the bridge, so that the common words
of the news and of the questions meet across the languages, not only those of the small parallel sets.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

from training_data import read_news, read_pairs

from bot.text import segmenter
from bot.text.fold import fold
from bot.text.sentences import sentences

Pairs = list[tuple[str, str]]
# (set, most pairs of it). Statutes and captions are capped: their sentences are alike and would drown the questions.
SETS = [
    ("zh_qa_cmrc2018_train", 10_000),
    ("zh_qa_nlpcc_kbqa", 24_000),
    ("zh_qa_kgclue", 22_000),
    ("zh_qa_legal_advice", 5_000),
    ("zh_qa_lawyer_llama_article", 3_000),
    ("zh_query-title_qbqtc_rel", 15_000),
    ("zh_sim_simclue_pos", 24_000),
    ("zh_csl_title-abstract", 2_000),
    ("zh_lctt_heading-section", 30_000),
    ("zh_prc_law_title-article", 10_000),
    ("zh_classical-modern", 10_000),
    ("en-zh_cedict_gloss", 200_000),
    ("en-zh_tatoeba", 21_000),
    ("en-zh_3am_captions", 15_000),
    ("en-zh_python_docs", 30_000),
    ("en-zh_insurance_questions", 10_000),
    ("en-zh_taiwan_law_lines", 30_000),
]
# Set -> how many pseudo-English copies of each of its queries.
PSEUDO_ENGLISH = {
    "zh_qa_cmrc2018_train": 4,
    "zh_qa_nlpcc_kbqa": 1,
    "zh_qa_kgclue": 1,
    "zh_qa_legal_advice": 1,
    "zh_query-title_qbqtc_rel": 1,
    "zh_sim_simclue_pos": 1,
    "zh_lctt_heading-section": 1,
}
NEWS_CHINESE, NEWS_ENGLISH = 3, 2  # cloze pairs an article
CMRC_CHINESE, CMRC_ENGLISH = 6, 6  # cloze pairs a passage: the only encyclopedia among the data
WINDOW = (180, 420)  # characters of a cloze passage, about the passage size of the index
SENTENCE_KEPT = 0.5  # of cloze passages: exact words are learnt where it is, words of the same matter where it is not
UNKNOWN_KEPT = 0.3  # of words without an English word; numbers and Latin words stay
_FUNCTION_WORDS = re.findall(
    r"\w+", "the of in and to a is was for on by did what which how when who where many does were are from with at that"
)
_PIECE = re.compile("[\u3400-\u9fff]+|[a-z]+|\\d+(?:\\.\\d+)?")


class PseudoEnglish:
    """Chinese words to English words at random, by the bridge turned round: P(en | zh) ~ P(zh | en) P(en)."""

    def __init__(self, bridge: Path, counts: Counter[str]) -> None:
        """`counts`: English word -> how often it stands in the parallel sets."""
        choices: dict[str, list[tuple[str, float]]] = defaultdict(list)
        rows = sqlite3.connect(bridge).execute("SELECT source, terms FROM bridge WHERE kind IN ('word', 'phrase')")
        for english, terms in rows:
            # Flatter priors bring words such as "genus" for 属于: P(zh | en) is 1 for a word met once.
            prior = min(counts[word] for word in english.split())
            if prior < 2:
                continue
            for chinese, probability in json.loads(terms).items():
                choices[chinese].append((english, probability * prior))
        self._choices = {}
        for chinese, found in choices.items():
            best = sorted(found, key=lambda choice: -choice[1])[:4]
            self._choices[chinese] = ([word for word, _ in best], list(accumulate(weight for _, weight in best)))

    def query(self, words: Iterable[str], rng: random.Random) -> str:
        """The words in English, unknown ones mostly dropped, with some English function words; may be empty."""
        found = [english for word in words for english in self._word(word, rng)]
        if not found:
            return ""
        found += rng.choices(_FUNCTION_WORDS, k=rng.randint(0, 2 + len(found) // 3))
        return " ".join(found)

    def _word(self, word: str, rng: random.Random) -> list[str]:
        if word.isascii():
            return [word]
        if word in self._choices:
            english, weights = self._choices[word]
            return [english[bisect(weights, rng.random() * weights[-1])]]
        if len(word) > 2:
            parts = list(segmenter.reference().cut_for_search(word, HMM=False))[:-1]
            return [english for part in parts for english in self._word(part, rng)]
        return self._unknown(word, rng)

    def _unknown(self, word: str, rng: random.Random) -> list[str]:
        """What a word becomes that the bridge lacks."""
        return [word] if len(word) > 1 and rng.random() < UNKNOWN_KEPT else []


def split(folded: str) -> list[str]:
    """Words of folded text: jieba's for Chinese, runs of letters, numbers."""
    found = []
    for piece in _PIECE.findall(folded):
        found.extend([piece] if piece.isascii() else segmenter.reference().cut(piece[:400], HMM=False))
    return found


def some_words(words: list[str], rng: random.Random) -> list[str]:
    """Two to eight of the words of two and more characters, in their order, as a question would name them."""
    content = [i for i, word in enumerate(words) if len(word) > 1]
    chosen = sorted(rng.sample(content, min(len(content), rng.randint(2, 8))))
    return [words[i] for i in chosen]


def cloze(text: str, count: int, english: PseudoEnglish | None, rng: random.Random) -> Pairs:
    """(a sentence or some of its words, the passage about it): the inverse cloze task, Lee et al. 2019."""
    spans = [(start, end) for start, end in sentences(text) if end - start >= 10]
    pairs = []
    for start, end in rng.sample(spans, min(count, len(spans))):
        size = rng.randint(*WINDOW)
        left = max(0, start - rng.randint(0, size))
        right = max(end, left + size)
        kept = rng.random() < SENTENCE_KEPT
        passage = text[left:right] if kept else text[left:start] + text[end : right + end - start]
        query = text[start:end][:120]
        if english or rng.random() < 0.5:
            words = split(query)
            words = some_words(words, rng) if rng.random() < 0.6 else words
            query = english.query(words, rng) if english else "".join(words)
        if query and len(passage) >= 60:
            pairs.append((query, passage))
    return pairs


def load_sets(data: Path, bridge: Path, rng: random.Random) -> dict[str, Pairs]:
    """Every training set by name, folded, shuffled and capped."""
    sets: dict[str, Pairs] = {}
    for name, cap in SETS:
        pairs = read_pairs(data, name)
        rng.shuffle(pairs)
        sets[name] = [(q, p[:600]) for q, p in pairs[:cap] if q.strip() and p.strip()]
    counts = Counter(
        word for name in sets if name.startswith("en-zh") for q, _ in sets[name] for word in re.findall("[a-z]+", q)
    )
    english = PseudoEnglish(bridge, counts)
    for name, copies in PSEUDO_ENGLISH.items():
        made = [(english.query(split(q[:120]), rng), p) for q, p in sets[name] for _ in range(copies)]
        sets[f"pseudo-en_{name}"] = [(q, p) for q, p in made if q]
    articles = [fold(article) for article in read_news(data)]
    sets["news"] = [pair for text in articles for pair in cloze(text, NEWS_CHINESE, None, rng)]
    sets["pseudo-en_news"] = [pair for text in articles for pair in cloze(text, NEWS_ENGLISH, english, rng)]
    passages = list(dict.fromkeys(p for _, p in sets["zh_qa_cmrc2018_train"]))
    sets["cmrc_cloze"] = [pair for text in passages for pair in cloze(text, CMRC_CHINESE, None, rng)]
    sets["pseudo-en_cmrc_cloze"] = [pair for text in passages for pair in cloze(text, CMRC_ENGLISH, english, rng)]
    return sets
