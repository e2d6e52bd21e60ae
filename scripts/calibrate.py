"""Fit the refusal's confidence: python scripts/calibrate.py [--data DIR] [--out DIR].

Small corpora are made of passages that no model was trained on (see training_data.py). Questions about a passage of the
corpus have an answer, questions about any other passage, and search queries of other kinds, have none. A logistic
regression (bot/calibration.py) over the raw signals of the first hit gives the probability that the answer is there.
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
from training_data import DEFAULT_DATA, read_held_out, read_news, read_pairs

from bot import calibration, refusal
from bot.embedder import load_embedder
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.types import Embedder

SEED = 20261124
# (articles with questions, news articles around them, how often). A single article is what a new user has, and its word
# statistics are the poorest; among thousands something always shares words with a question that has no answer.
CORPORA = {
    "zh": [(1, 0, 40), (5, 0, 12), (30, 0, 6), (200, 0, 2), (250, 3000, 2)],
    "en": [(1, 0, 40), (5, 0, 12), (30, 0, 6), (200, 0, 2), (250, 1000, 1)],
}
QUESTIONS = 60  # of each class and corpus, at most; of the largest ten times as many
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


def gather(source: Source, size: int, news: list[str], embedder: Embedder, rng: random.Random):
    """Language -> observations on one random corpus of `size` articles among `news`."""
    rng.shuffle(source.articles)
    inside, outside = source.articles[:size], source.articles[size:]
    answerable = [q for _, queries in inside for q in queries]
    rng.shuffle(answerable)
    other = [q for _, queries in outside for q in queries]
    count = min(QUESTIONS * (10 if news else 1), len(answerable), len(other))
    unrelated = rng.sample(source.unrelated, count // 3)
    asked = [(q, True) for q in answerable[:count]]
    asked += [(q, False) for q in (*rng.sample(other, count - len(unrelated)), *unrelated)]
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
        for size, around, times in CORPORA[source.language]:
            news = list(read_news(options.data, around)) if around else []
            for _ in range(times):
                for language, found in gather(source, size, news, embedder, rng).items():
                    observed[language] += found
    fits = {language: calibration.fit(found) for language, found in observed.items()}
    lines = [
        f"| {language} | {f.answerable:,} | {f.unanswerable:,} | {f.auroc:.3f} "
        f"| {f.false_refusal:.3f} | {f.false_answer:.3f} |"
        for language, f in fits.items()
    ]
    write(options.out, {language: f.weights for language, f in fits.items()}, lines)
    plot(fits, options.out / "reliability.png")
    print("\n".join([json.dumps({language: f.weights for language, f in fits.items()}, indent=1), *lines]))


def write(out: Path, fitted: dict[str, dict[str, float]], lines: list[str]) -> None:
    """The weights as JSON, and the card that says what they were fitted on."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(fitted, indent=1) + "\n"
    (out / "weights.json").write_text(text, encoding="utf-8")
    table = "\n".join(lines)
    (out / "README.md").write_text(
        f"""---
license: apache-2.0
---
# Wenqu's refusal: when to say 「资料中没有」

A logistic regression for each language over the raw signals of the first hit (`bot/refusal.py`), fitted by
`python scripts/calibrate.py`, seed {SEED}, on corpora of 1 to 250 articles, the largest among news articles, made of
passages that no model was trained on: CMRC 2018 train (CC BY-SA 4.0), Tatoeba (CC BY 2.0 FR), Python documentation
(CC0); questions without an answer also from QBQTC, SimCLUE (none stated) and the insurance questions (GPL-3.0); news
from CRUD-RAG (Apache-2.0; the texts belong to their outlets). The English "questions" are sentences with
{REPLACED:.0%} of their words replaced. Five-fold cross-validation, threshold 0.5:

| language | answerable | unanswerable | AUROC | false refusal | false answer |
|---|---|---|---|---|---|
{table}

![Reliability: confidence against the share of questions with an answer](reliability.png)

sha256 of `weights.json`: `{hashlib.sha256(text.encode()).hexdigest()}`
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
