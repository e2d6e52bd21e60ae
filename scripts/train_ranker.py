"""Fit the ranker: python scripts/train_ranker.py [--data DIR] [--out DIR].

People's questions (CMRC 2018 train, the fifth that no other model was trained on) are asked of all its paragraphs among
news articles. Only the right article is known, not the right sentence: a passage is worth its own features plus its
best sentence, and the weights are those that put the right article's best passage first (multiple-instance learning).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from training_data import DEFAULT_DATA, read_held_out, read_news, read_raw_passages

from bot.answer import by_hand, features, retrieve
from bot.answer.features import QueryFeatures
from bot.answer.query import understand
from bot.index.candidates import candidates
from bot.index.embedder import load_embedder
from bot.pipeline import Bot
from bot.settings import load_settings

SEED = 20261124
NEWS_ARTICLES = 3_000
CANDIDATES = 12
STEPS = 200
# The weights begin at, and are drawn towards, the evidence's own and these. A penalty ten times as high loses 0.001 on
# the visible sets together.
PENALTY = 0.0003
START = {"lexical": 2.0, "cosine": 3.0, "phrase": 1.0, "coverage": 1.0}
# The fitted weights are averaged with those of plain fusion, for encyclopedia questions are of one kind: a quarter of
# it raises bipar_valid and xquad_even by 0.003 and costs cmrc_dev 0.0003.
FUSION, FUSION_SHARE = {"lexical": 2.5, "cosine": 3.75, "phrase": 2.5}, 0.25
# The first words of an encyclopedia paragraph name its subject; half of the articles carry them as their title.
_SUBJECT = re.compile(r"^[《「“]?([^（(，,。、是为》」”\s]{2,12})")


@dataclass(frozen=True)
class Example:
    """One question: its candidates read, and which of them are of the right article."""

    readings: list[features.PassageFeatures]
    right: list[bool]


def make_corpus(data: Path, folder: Path, rng: random.Random) -> list[tuple[str, str]]:
    """Write the articles; returns (question, name of the article that answers it)."""
    texts = {text: f"wiki{i:05d}" for i, text in enumerate(read_raw_passages(data, "zh_qa_cmrc2018_train"))}
    for text, name in texts.items():
        subject = _SUBJECT.match(text)
        title = f"{subject[1]}\n\n" if subject and rng.random() < 0.5 else ""
        (folder / f"{name}.txt").write_text(title + text, encoding="utf-8")
    for i, text in enumerate(read_news(data, NEWS_ARTICLES)):
        (folder / f"news{i:05d}.txt").write_text(text, encoding="utf-8")
    return [(question, texts[passage]) for question, passage in read_held_out(data, "zh_qa_cmrc2018_train")]


def observe(bot: Bot, question: str, article: str) -> Example | None:
    """The candidates of a question as the ranker sees them; None where no candidate is right."""
    query = understand(question, bot.live.get().store.names)
    vector = retrieve.query_vector(query, bot.embedder)
    found = candidates(bot.live.get(), query, vector)
    points = retrieve.fuse(query, found)
    rows = sorted(points, key=lambda row: (-points[row], row))[:CANDIDATES]
    passages = bot.live.get().store.passages(rows)
    right = [passage.document.startswith(article) for passage in passages]
    if not any(right) or not query.terms:
        return None
    asked = QueryFeatures.from_query(query)
    read = retrieve.read_passages(asked, dict(zip(rows, passages, strict=True)), found)
    return Example(list(read.values()), right)


def fit(examples: list[Example]) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Sentence weights, passage weights, and the share of questions whose right article is first before and after."""
    readings = [reading for example in examples for reading in example.readings]
    x = torch.from_numpy(np.concatenate([r.sentence_features for r in readings])).float()
    g = torch.from_numpy(np.stack([r.passage_features for r in readings])).float()
    passage_of = torch.from_numpy(np.repeat(np.arange(len(readings)), [len(r.folded) for r in readings]))
    question_of = torch.from_numpy(np.repeat(np.arange(len(examples)), [len(e.readings) for e in examples]))
    right = torch.tensor([ok for e in examples for ok in e.right])
    start = [
        torch.tensor([weights.get(name, 0.0) for name in names])
        for names, weights in ((features.SENTENCE_FEATURES, by_hand.WEIGHTS), (features.PASSAGE_FEATURES, START))
    ]
    sentence, passage = (weights.clone().requires_grad_(True) for weights in start)
    optimiser = torch.optim.Adam([sentence, passage], lr=0.05)

    def peaks(values: torch.Tensor, groups: torch.Tensor, count: int) -> torch.Tensor:
        return torch.full((count,), -1e4).scatter_reduce(0, groups, values, "amax")

    def log_sum(values: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
        peak = peaks(values.detach(), groups, len(examples))
        return torch.zeros(len(examples)).index_add(0, groups, torch.exp(values - peak[groups])).log() + peak

    for _ in range(STEPS):
        scores = g @ passage + peaks(x @ sentence, passage_of, len(readings))
        loss = (log_sum(scores, question_of) - log_sum(scores[right], question_of[right])).mean()
        moved = sum((w - begun).square().sum() for w, begun in zip((sentence, passage), start, strict=True))
        optimiser.zero_grad()
        (loss + PENALTY * moved).backward()
        optimiser.step()
    first = right & (scores == peaks(scores, question_of, len(examples))[question_of])
    figures = {
        "right article first, by fusion": float(np.mean([e.right[0] for e in examples])),
        "right article first, by the ranker, before averaging": torch.unique(question_of[first]).numel()
        / len(examples),
    }
    fusion = np.array([FUSION.get(name, 0.0) for name in features.PASSAGE_FEATURES])
    fitted, share = 1 - FUSION_SHARE, FUSION_SHARE
    return fitted * sentence.detach().numpy(), fitted * passage.detach().numpy() + share * fusion, figures


def write(out: Path, sentence: np.ndarray, passage: np.ndarray, lines: str) -> None:
    """The weights as JSON, and the card that says what they were fitted on."""
    out.mkdir(parents=True, exist_ok=True)
    weights = {
        "sentence": dict(zip(features.SENTENCE_FEATURES, (round(float(w), 4) for w in sentence), strict=True)),
        "passage": dict(zip(features.PASSAGE_FEATURES, (round(float(w), 4) for w in passage), strict=True)),
    }
    text = json.dumps(weights, indent=1) + "\n"
    (out / "weights.json").write_text(text, encoding="utf-8")
    (out / "README.md").write_text(
        f"""---
license: apache-2.0
---
# Wenqu's ranker: which passage answers, and which sentence proves it

A linear model over the features of `bot/answer/features.py`, fitted by `python scripts/train_ranker.py`, seed {SEED},
on questions of CMRC 2018 train (CC BY-SA 4.0; the fifth that no other model was trained on), asked of all its
paragraphs among {NEWS_ARTICLES:,} news articles (CRUD-RAG, Apache-2.0; the texts belong to their outlets). None of the
texts is in this folder.

{lines}

sha256 of `weights.json`: `{hashlib.sha256(text.encode()).hexdigest()}`
""",
        encoding="utf-8",
    )


def main() -> None:
    """Gather the candidates, fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--out", type=Path, default=features.WEIGHTS.parent)
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        asks = make_corpus(options.data, corpus, random.Random(SEED))
        bot = Bot(load_settings(corpus=corpus, index=Path(folder) / "index"), load_embedder())
        bot.refresh()
        print(f"{len(asks):,} questions after {time.monotonic() - started:.0f} s", flush=True)
        examples = [example for ask in asks if (example := observe(bot, *ask))]
    print(f"{len(examples):,} examples after {time.monotonic() - started:.0f} s", flush=True)
    sentence, passage, figures = fit(examples)
    lines = f"{len(examples):,} questions, {len(asks) - len(examples):,} without a right candidate left out.\n\n"
    lines += "| on the questions themselves | |\n|---|---|\n"
    lines += "\n".join(f"| {name} | {value:.3f} |" for name, value in figures.items())
    write(options.out, sentence, passage, lines)
    print(lines)
    print((options.out / "weights.json").read_text(encoding="utf-8"))
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
