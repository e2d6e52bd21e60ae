"""Fit the refusal's confidence: python scripts/calibrate.py [--data DIR] [--out DIR].

Small corpora are made of texts that no model was trained on (see training_data.py). Questions about a text of the
corpus have an answer; questions about any other text, and search queries of other kinds, have none. A logistic
regression (bot/calibration.py) over the raw signals of the first hit gives the probability that the answer is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from reader_data import pseudo_english
from training_data import DEFAULT_DATA, read_held_out, read_held_out_of_reading, read_news, read_pairs

from bot import calibration
from bot.answer import refusal
from bot.index.embedder import load_embedder
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.types import Embedder

SEED = 20261124
# (contexts with questions, news articles around them, how often). A single one is what a new user has, and its word
# statistics are the poorest; among thousands something always shares words with a question that has no answer.
CORPORA = [(1, 0, 40), (5, 0, 16), (30, 0, 8), (200, 0, 3), (600, 2000, 1)]
QUESTIONS = 60  # of each class and corpus, at most; of the largest ten times as many
SETS = ("cmrc2018_train", "drcd_train_part", "news_train", "webqa", "checklist_train")
SENTENCES = 6  # translated sentences make one made-up article
# A translated sentence repeats every word of its passage; a question names other things too. This share of an English
# sentence's words is replaced by words of another one.
REPLACED = 0.3
# What is added to the bias of every fit. Questions of other kinds than those fitted on have lower signals: of
# web_queries 0.26 were refused wrongly without it and 0.13 with it, and of the held-out questions without an answer
# 0.07 and 0.14 were answered. In English the signals tell less, so it is less.
LENIENT = {"zh": 1.33, "en": 0.8}
UNRELATED = {"zh": ["zh_query-title_qbqtc_rel", "zh_sim_simclue_pos"], "en": ["en-zh_insurance_questions"]}


@dataclass(frozen=True)
class Source:
    """Texts with the questions that each answers, and queries that none does."""

    texts: list[tuple[str, list[str]]]
    unrelated: list[str]


def sources(data: Path, rng: random.Random) -> list[Source]:
    """People's questions, the same in pseudo-English, and English sentences on made-up articles of their translations.

    The reader was trained on pseudo-English; the sentences keep the fit from trusting it as much in real English.
    """
    people = [(q, text) for name in SETS for q, text, answers in read_held_out_of_reading(data, name) if answers]
    chinese, foreign = ([q for n in UNRELATED[x] for q, _ in read_pairs(data, n)] for x in ("zh", "en"))
    english = pseudo_english(data)
    translated = [(english.question(question, rng), text) for question, text in people]
    made = [Source(_by_text(people), chinese), Source(_by_text(row for row in translated if row[0]), foreign)]
    for name in ("en-zh_tatoeba", "en-zh_python_docs"):
        pairs = [(en, zh) for en, zh in read_held_out(data, name) if len(en.split()) >= 4 and len(zh) >= 6]
        rng.shuffle(pairs)
        words = [word for en, _ in pairs for word in en.split()]
        pairs = [(_reworded(en, words, rng), zh) for en, zh in pairs]
        groups = [pairs[i : i + SENTENCES] for i in range(0, len(pairs), SENTENCES)]
        made.append(Source([("\n".join(zh for _, zh in group), [en for en, _ in group]) for group in groups], foreign))
    return made


def _by_text(rows: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for question, text in rows:
        found.setdefault(text, []).append(question)
    return list(found.items())


def _reworded(sentence: str, words: list[str], rng: random.Random) -> str:
    return " ".join(rng.choice(words) if rng.random() < REPLACED else word for word in sentence.split())


def gather(source: Source, size: int, news: list[str], embedder: Embedder, rng: random.Random):
    """Language -> observations on one random corpus of `size` texts among `news`."""
    rng.shuffle(source.texts)
    inside, outside = source.texts[:size], source.texts[size:]
    answerable = [q for _, questions in inside for q in questions]
    other = [q for _, questions in outside for q in questions]
    count = min(QUESTIONS * (10 if news else 1), len(answerable), len(other))
    asked = [(q, True) for q in rng.sample(answerable, count)]
    asked += [(q, False) for q in rng.sample(other, count - count // 3)]
    asked += [(q, False) for q in rng.sample(source.unrelated, count // 3)]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, text in enumerate([*(text for text, _ in inside), *news]):
            (corpus / f"{number}.txt").write_text(text, encoding="utf-8")
        bot = Bot(load_settings(corpus=corpus, index=Path(folder) / "index"), embedder)
        bot.refresh()
        return calibration.observe(bot, asked)


def plot(fits: dict[str, calibration.Fit], file: Path) -> None:
    """The reliability plot: of the questions given a confidence, the share that have an answer."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(4.2, 4.2), dpi=110)
    axes.plot([0, 1], [0, 1], color="0.8")
    for language, fitted in fits.items():
        guess, truth = (np.array(column, dtype=float) for column in zip(*fitted.guesses, strict=True))
        bins = np.minimum((guess * 10).astype(int), 9)
        used = [b for b in range(10) if (bins == b).sum() >= 10]
        points = ([guess[bins == b].mean() for b in used], [truth[bins == b].mean() for b in used])
        axes.plot(*points, marker="o", label=language)
    axes.set(xlabel="confidence", ylabel="share with an answer", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Software": None})


def main() -> None:
    """Gather the signals, fit, print the figures, write the weights and their card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--out", type=Path, default=refusal.WEIGHTS.parent)
    options = parser.parse_args()
    rng = random.Random(SEED)
    embedder = load_embedder()
    observed: dict[str, list] = {"zh": [], "en": []}
    for source in sources(options.data, rng):
        for size, around, times in CORPORA:
            news = list(read_news(options.data, around)) if around else []
            for _ in range(times):
                for language, found in gather(source, size, news, embedder, rng).items():
                    observed[language] += found
    lines = []
    shown: dict[str, calibration.Fit] = {}
    for file, names in ((refusal.WITHOUT_READER, refusal.BY_WORDS), (refusal.WEIGHTS, refusal.SIGNALS)):
        shown = {language: calibration.fit(found, names=names) for language, found in observed.items()}
        fitted = {x: {**f.weights, "bias": round(f.weights["bias"] + LENIENT[x], 4)} for x, f in shown.items()}
        weights = json.dumps(fitted, indent=1) + "\n"
        (options.out / file.name).write_text(weights, encoding="utf-8")
        lines += [
            f"| {file.stem} | {language} | {f.answerable:,} | {f.unanswerable:,} | {f.auroc:.3f} "
            f"| {f.false_refusal:.3f} | {f.false_answer:.3f} |"
            for language, f in shown.items()
        ]
        print(weights)
    plot(shown, options.out / "reliability.png")
    write(options.out, lines)
    print("\n".join(lines))


def write(out: Path, lines: list[str]) -> None:
    """The card that says what the weights were fitted on."""
    table = "\n".join(lines)
    digest = hashlib.sha256((out / refusal.WEIGHTS.name).read_bytes()).hexdigest()
    (out / "README.md").write_text(
        f"""---
license: apache-2.0
---
# Wenqu's refusal: when to say 「资料中没有」

A logistic regression for each language over the raw signals of the first hit (`bot/answer/refusal.py`), fitted by
`python scripts/calibrate.py`, seed {SEED}, on corpora of 1 to 600 texts, the largest among news articles, made of
texts that the reader was not trained on: CMRC 2018 train (CC BY-SA 4.0), DRCD (CC BY-SA 3.0), WebQA,
DuReader-checklist, questions on news (none stated), the same in pseudo-English, Tatoeba (CC BY 2.0 FR) and Python
documentation (CC0) with {REPLACED:.0%} of the words of the English replaced; questions without an answer also from
QBQTC, SimCLUE (none stated) and the insurance questions (GPL-3.0); news from CRUD-RAG (Apache-2.0; the texts belong to
their outlets).
`without_reader.json` is for passages that the reader cannot read. To the biases {LENIENT["zh"]} (zh) and
{LENIENT["en"]} (en) are added, so that questions of other kinds are not refused. The table and the plot are without
them: five-fold cross-validation, threshold 0.5.

| weights | language | answerable | unanswerable | AUROC | false refusal | false answer |
|---|---|---|---|---|---|---|
{table}

![Reliability: confidence against the share of questions with an answer](reliability.png)

sha256 of `weights.json`: `{digest}`
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
