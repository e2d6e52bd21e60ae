"""Train the bridge's term table: python scripts/train_bridge.py [--data DIR] [--out DIR].

P(Chinese word | English word) by IBM Model 1 (Brown et al. 1993) with a NULL word, over dictionary glosses and parallel
sentences, kept where the reverse probability agrees; phrases of two words by the Dice coefficient. Out comes one SQLite
table: kind (word, stem or phrase), source, terms ({term: probability} as JSON).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import random
import re
import sqlite3
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from training_data import DEFAULT_DATA, read_pairs

from bot.text import segmenter
from bot.text.bridge import english_words, stem
from bot.text.fold import is_chinese
from bot.text.terms import QUESTION_WORDS

SEED = 20261124
SETS = [
    ("en-zh_cedict_gloss", 200_000),
    ("en-zh_tatoeba", 21_000),
    ("en-zh_3am_captions", 25_000),
    ("en-zh_python_docs", 49_000),
    ("en-zh_insurance_questions", 10_000),
    ("en-zh_taiwan_law_lines", 40_000),
]
ITERATIONS = 6
MAX_WORDS = 24  # longer sides are cut: a pair of 24 x 24 words already says little about any one word
# Many and weak beat few and sure, since lexical.py levels how rare they are: 6 translations of 0.04 and more reach
# MRR@10 0.871 on English xquad_even and 0.343 on bipar_valid, 12 of 0.015 0.879 and 0.353, these 0.888 and 0.366.
KEEP = 30
MIN_PROBABILITY = 0.004
MIN_FORWARD, MIN_AGREEMENT = 0.003, 0.012
MIN_PHRASE_COUNT, MIN_DICE = 2, 0.25
# Glosses explain in brackets what is not the translation: "(Tw)", "CL:個|个[ge4]", "[Hezhou]".
_GLOSS_NOTE = re.compile(r"\([^)]*\)|\[[^]]*\]|cl:\S*|\b(?:abbr|variant|see|also|written|pr)\b\.?(?: for| of| to)?")


def load(data: Path) -> list[tuple[list[str], list[str]]]:
    """(English words, Chinese words) of every pair, function words left out on both sides."""
    jieba = segmenter.reference()
    rng = random.Random(SEED)
    loaded = []
    for name, cap in SETS:
        pairs = read_pairs(data, name)
        rng.shuffle(pairs)
        for english, chinese in pairs[:cap]:
            if name == "en-zh_cedict_gloss":
                english = _GLOSS_NOTE.sub(" ", english)
            source = [w for w in english_words(english) if w not in QUESTION_WORDS][:MAX_WORDS]
            target = [w for w in jieba.cut(chinese[:400]) if is_chinese(w) and w not in QUESTION_WORDS][:MAX_WORDS]
            if source and target:
                loaded.append((source, target))
    return loaded


def model_one(pairs: list[tuple[list[str], list[str]]], iterations: int = ITERATIONS):
    """IBM Model 1 in both directions over one table of co-occurrences: {word: {term: probability}} and its reverse."""
    sources = {word: i for i, word in enumerate(dict.fromkeys(w for s, _ in pairs for w in s), start=1)}
    targets = {word: i for i, word in enumerate(dict.fromkeys(w for _, t in pairs for w in t), start=1)}
    left, right, left_word, right_word = [], [], [], []  # one entry for each (position, position) of a pair
    slots_right = slots_left = 0
    for source, target in pairs:
        s = np.array([0] + [sources[w] for w in source], dtype=np.int32)  # 0 is NULL
        t = np.array([0] + [targets[w] for w in target], dtype=np.int32)
        grid_s, grid_t = np.repeat(s, len(t)), np.tile(t, len(s))
        left_word.append(grid_s)
        right_word.append(grid_t)
        left.append(np.repeat(np.arange(len(s), dtype=np.int32) + slots_left, len(t)))
        right.append(np.tile(np.arange(len(t), dtype=np.int32) + slots_right, len(s)))
        slots_left += len(s)
        slots_right += len(t)
    s, t, slot_s, slot_t = map(np.concatenate, (left_word, right_word, left, right))
    key, inverse = np.unique(s.astype(np.int64) * (len(targets) + 1) + t, return_inverse=True)
    key_s, key_t = key // (len(targets) + 1), key % (len(targets) + 1)

    def expectation_maximisation(given, slot, keep):
        probability = np.ones(len(key), dtype=np.float64)
        entry, entry_slot = inverse[keep], slot[keep]
        for _ in range(iterations):
            share = probability[entry]
            total = np.bincount(entry_slot, weights=share)
            counts = np.bincount(entry, weights=share / total[entry_slot], minlength=len(key))
            norm = np.bincount(given, weights=counts)
            probability = counts / np.maximum(norm[given], 1e-12)
        return probability

    forward = expectation_maximisation(key_s, slot_t, t > 0)  # P(t | s): each target slot shares itself over sources
    backward = expectation_maximisation(key_t, slot_s, s > 0)  # P(s | t)
    real = (key_s > 0) & (key_t > 0) & (forward > MIN_FORWARD)
    names_s, names_t = ["", *sources], ["", *targets]
    table: dict[str, dict[str, float]] = defaultdict(dict)
    for i in np.flatnonzero(real):
        agreement = float(np.sqrt(forward[i] * backward[i]))
        if agreement > MIN_AGREEMENT:
            table[names_s[key_s[i]]][names_t[key_t[i]]] = agreement
    return table


def keep_best(options: dict[str, float]) -> dict[str, float]:
    """The best translations, their weights scaled so that the best has its share among all."""
    total = sum(options.values())
    best = sorted(options.items(), key=lambda item: -item[1])[:KEEP]
    return {term: round(value / total, 3) for term, value in best if value / total >= MIN_PROBABILITY}


def phrases(pairs: list[tuple[list[str], list[str]]]) -> dict[str, dict[str, float]]:
    """Two English words that together mean one Chinese word: Dice coefficient over the pairs."""
    count_phrase: Counter[str] = Counter()
    count_term: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    for source, target in pairs:
        two = {f"{a} {b}" for a, b in itertools.pairwise(source)}
        terms = set(target)
        count_phrase.update(two)
        count_term.update(terms)
        if len(two) * len(terms) <= 100:
            together.update((p, t) for p in two for t in terms)
    table: dict[str, dict[str, float]] = defaultdict(dict)
    for (phrase, term), n in together.items():
        dice = 2 * n / (count_phrase[phrase] + count_term[term])
        if n >= MIN_PHRASE_COUNT and dice >= MIN_DICE:
            table[phrase][term] = dice
    return table


def write_table(file: Path, result: dict[str, dict[str, dict[str, float]]]) -> None:
    """Write the table anew; a source without terms is left out."""
    file.unlink(missing_ok=True)
    rows = [
        (kind, source, json.dumps(terms, ensure_ascii=False, separators=(",", ":")))
        for kind, part in sorted(result.items())
        for source, terms in sorted(part.items())
        if terms
    ]
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TABLE bridge (kind TEXT, source TEXT, terms TEXT, PRIMARY KEY (kind, source)) WITHOUT ROWID"
        )
        connection.executemany("INSERT INTO bridge VALUES (?, ?, ?)", rows)


def main() -> None:
    """Parse the command line, train, write the table and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "bot" / "model" / "bridge")
    options = parser.parse_args()
    started = time.monotonic()
    pairs = load(options.data)
    print(f"{len(pairs):,} pairs after {time.monotonic() - started:.0f} s", flush=True)
    table = model_one(pairs)
    frequency = Counter(word for source, _ in pairs for word in set(source))
    stems: dict[str, Counter[str]] = defaultdict(Counter)
    for word, translations in table.items():
        for term, value in translations.items():
            stems[stem(word)][term] += value * frequency[word]
    result = {
        "word": {w: keep_best(o) for w, o in sorted(table.items()) if frequency[w] >= 2},
        "stem": {s: keep_best(o) for s, o in sorted(stems.items())},
        "phrase": {p: keep_best(o) for p, o in sorted(phrases(pairs).items())},
    }
    # A stem whose only word is in the table, with the same answer, says nothing new.
    result["stem"] = {s: o for s, o in result["stem"].items() if result["word"].get(s) != o}
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "terms.sqlite"
    write_table(file, result)
    minutes = (time.monotonic() - started) / 60
    sizes = ", ".join(f"{len(part):,} {name}s" for name, part in result.items())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    sets = "\n".join(f"- {name}, at most {cap:,}" for name, cap in SETS)
    (options.out / "README.md").write_text(
        f"""---
language: [en, zh]
license: cc-by-sa-4.0
---
# Wenqu's bridge: English words to Chinese terms with probabilities

{sizes}; {file.stat().st_size / 1e6:.1f} MB.
Learned by IBM Model 1 in both directions ({ITERATIONS} iterations) and the Dice coefficient, by
`python scripts/train_bridge.py` in {minutes:.0f} minutes on two CPU cores, seed {SEED}, from {len(pairs):,} pairs:

{sets}

(CC-CEDICT CC BY-SA 4.0, Tatoeba CC BY 2.0 FR, 3AM MIT, Python documentation CC0, insurance questions GPL-3.0, statutes
public.) It is no copy of the dictionary: a term is kept where both directions of the model agree.
sha256 of `terms.sqlite`: `{digest}`
""",
        encoding="utf-8",
    )
    print(f"{sizes}; {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
