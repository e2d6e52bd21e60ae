"""Fit the refusal's confidence: python scripts/calibrate.py [--data DIR] [--out DIR].

Small corpora are made of passages that no model was trained on (see training_data.py). Questions about a passage of the
corpus have an answer, questions about any other passage, and search queries of other kinds, have none. A logistic
regression over the raw signals of the first hit gives the probability that the answer is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from training_data import DEFAULT_DATA, read_held_out, read_pairs

from bot import evidence, refusal, retriever
from bot.bridge import understand
from bot.embedder import load_embedder
from bot.evaluation import auroc
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.types import Embedder

SEED = 20261124
# Articles in a corpus: a single one is what a new user has, and its word statistics are the poorest.
CORPUS_SIZES = [1] * 40 + [5] * 12 + [30] * 6 + [200] * 2
QUESTIONS = 60  # of each class and corpus, at most
SENTENCES = 6  # translated sentences make one made-up article
# A translated sentence repeats every word of its passage; a question names other things too. This share of an English
# sentence's words is replaced by words of another one.
REPLACED = 0.3
UNRELATED = {"zh": ["zh_query-title_qbqtc_rel", "zh_sim_simclue_pos"], "en": ["en-zh_insurance_questions"]}


@dataclass(frozen=True)
class Source:
    """Articles with the questions that each answers, and queries that none does."""

    language: str
    articles: list[tuple[str, list[str]]]
    unrelated: list[str]


def sources(data: Path, rng: random.Random) -> list[Source]:
    """Chinese questions on encyclopedia paragraphs; English sentences on made-up articles of their translations."""
    made = []
    unrelated = {language: [q for n in names for q, _ in read_pairs(data, n)] for language, names in UNRELATED.items()}
    by_passage: dict[str, list[str]] = {}
    for query, passage in read_held_out(data, "zh_qa_cmrc2018_train"):
        by_passage.setdefault(passage, []).append(query)
    made.append(Source("zh", list(by_passage.items()), unrelated["zh"]))
    for name in ("en-zh_tatoeba", "en-zh_python_docs"):
        pairs = [(en, zh) for en, zh in read_held_out(data, name) if len(en.split()) >= 4 and len(zh) >= 6]
        rng.shuffle(pairs)
        words = [word for en, _ in pairs for word in en.split()]
        pairs = [(_reworded(en, words, rng), zh) for en, zh in pairs]
        groups = [pairs[i : i + SENTENCES] for i in range(0, len(pairs), SENTENCES)]
        articles = [("\n".join(zh for _, zh in group), [en for en, _ in group]) for group in groups]
        made.append(Source("en", articles, unrelated["en"]))
    return made


def _reworded(sentence: str, words: list[str], rng: random.Random) -> str:
    return " ".join(rng.choice(words) if rng.random() < REPLACED else word for word in sentence.split())


def observe(source: Source, size: int, embedder: Embedder, rng: random.Random) -> list[tuple[list[float], int]]:
    """(signals, 1 where the corpus answers) for questions of one random corpus of `size` articles."""
    rng.shuffle(source.articles)
    inside, outside = source.articles[:size], source.articles[size:]
    asked = [(q, 1) for _, queries in inside for q in queries]
    rng.shuffle(asked)
    other = [q for _, queries in outside[:QUESTIONS] for q in queries]
    count = min(QUESTIONS, len(asked))
    asked = asked[:count] + [(q, 0) for q in rng.sample(other, count - count // 3)]
    asked += [(q, 0) for q in rng.sample(source.unrelated, count // 3)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, (text, _) in enumerate(inside):
            (corpus / f"{number}.txt").write_text(text, encoding="utf-8")
        bot = Bot(load_settings(corpus=corpus, index=Path(folder) / "index"), embedder)
        bot.refresh()
        for question, answerable in asked:
            query = understand(question, bot.index.store.names)
            vector = retriever.query_vector(query, embedder)
            hits = retriever.search(bot.index, query, vector, 1)
            if not hits or not query.terms:
                continue
            marked = evidence.mark(query, hits[0].passage, vector, embedder)
            found = refusal.signals(query, hits[0], marked)
            rows.append(([found[name] for name in refusal.SIGNALS], answerable))
    return rows


def main() -> None:
    """Gather the signals, fit, print the figures, write the weights and their card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--out", type=Path, default=refusal.WEIGHTS.parent)
    options = parser.parse_args()
    rng = random.Random(SEED)
    embedder = load_embedder()
    rows, languages = [], []
    for source in sources(options.data, rng):
        for size in CORPUS_SIZES:
            found = observe(source, size, embedder, rng)
            rows += found
            languages += [source.language] * len(found)
    fitted, lines = {}, []
    for language in ("zh", "en"):
        mine = [row for row, name in zip(rows, languages, strict=True) if name == language]
        x, y = np.array([s for s, _ in mine]), np.array([a for _, a in mine])
        model = LogisticRegression(C=10.0, class_weight="balanced")
        guess = cross_val_predict(model, x, y, cv=5, method="predict_proba")[:, 1]
        model.fit(x, y)
        weights = zip(refusal.SIGNALS, model.coef_[0], strict=True)
        fitted[language] = {"bias": float(model.intercept_[0]), **{name: float(w) for name, w in weights}}
        yes, no = guess[y == 1], guess[y == 0]
        lines.append(
            f"| {language} | {len(yes):,} | {len(no):,} | {auroc(list(yes), list(no)):.3f} "
            f"| {np.mean(yes < 0.5):.3f} | {np.mean(no >= 0.5):.3f} |"
        )
    write(options.out, fitted, lines)
    print("\n".join([json.dumps(fitted, indent=1), *lines]))


def write(out: Path, fitted: dict[str, dict[str, float]], lines: list[str]) -> None:
    """The weights as JSON, and the card that says what they were fitted on."""
    out.mkdir(parents=True, exist_ok=True)
    rounded = {lang: {name: round(value, 4) for name, value in w.items()} for lang, w in fitted.items()}
    text = json.dumps(rounded, indent=1) + "\n"
    (out / "weights.json").write_text(text, encoding="utf-8")
    table = "\n".join(lines)
    (out / "README.md").write_text(
        f"""---
license: apache-2.0
---
# Wenqu's refusal: when to say 「资料中没有」

A logistic regression for each language over the raw signals of the first hit (`bot/refusal.py`), fitted by
`python scripts/calibrate.py`, seed {SEED}, on corpora of 1 to 200 articles made of passages that no model was trained
on: CMRC 2018 train (CC BY-SA 4.0), Tatoeba (CC BY 2.0 FR), Python documentation (CC0); questions without an answer also
from QBQTC, SimCLUE (none stated) and the insurance questions (GPL-3.0). The English "questions" are sentences with
{REPLACED:.0%} of their words replaced. Five-fold cross-validation, threshold 0.5:

| language | answerable | unanswerable | AUROC | false refusal | false answer |
|---|---|---|---|---|---|
{table}

sha256 of `weights.json`: `{hashlib.sha256(text.encode()).hexdigest()}`
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
