"""Retrieval on the evaluation sets: python scripts/evaluate.py [TABLE].

    legs      sets x {lexical, dense, hybrid}: hit@1, hit@5, MRR@10; ends with 1 when a hybrid is below its lexical leg
    sizes     the passage size from 200 to 500 characters
    fusion    ways to join the two legs
    evidence  the marked sentence against the gold sentences of cmrc_evidence, in the right article
    encodings pieces of news articles, written in every encoding and read back

Sets are folders of --eval in the format of `wenqu eval`; indexes are kept under --work, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import opencc
from training_data import DEFAULT_DATA, read_news

from bot import evidence, retriever
from bot.bridge import understand
from bot.embedder import load_embedder
from bot.encoding import decode
from bot.errors import IndexMismatch, ReadError
from bot.evaluation import Question, is_relevant, read_questions
from bot.pipeline import Bot
from bot.settings import ROOT, load_settings
from bot.text import fold
from bot.types import Passage

SETS = ["qingdao", "xquad_even", "cmrc_dev", "drcd_dev", "bipar_valid", "rgb_zh"]
SEED = 1
Scores = dict[int, float]


class Prepared:
    """One set at one passage size: for each answerable question its candidates and which of them are relevant."""

    def __init__(self, options: argparse.Namespace, name: str, size: int) -> None:
        folder = options.eval / name
        self.name = name
        settings = load_settings(corpus=folder / "corpus", index=options.work / f"{name}-{size}", passage_size=size)
        bot = Bot(settings, options.embedder)
        try:
            bot.refresh()
        except IndexMismatch:  # of an earlier model
            (settings.index / "CURRENT").unlink()
            bot.refresh()
        questions = [question for question in read_questions(folder) if question.evidence]
        random.Random(SEED).shuffle(questions)
        self.questions: list[tuple[Question, Scores, Scores, set[int]]] = []
        self.shipped: dict[str, list[int]] = {}
        for question in questions[: options.limit]:
            query = understand(question.text, bot.index.store.names)
            vector = retriever.query_vector(query, options.embedder)
            hits = retriever.search(bot.index, query, vector, 10)
            rank = next((i for i, hit in enumerate(hits, start=1) if is_relevant(question, hit.passage)), 0)
            self.shipped.setdefault(question.lang, []).append(rank)
            lexical, dense = retriever.candidates(bot.index, query, vector)
            rows = sorted({*lexical, *dense})
            passages = zip(rows, bot.index.store.passages(rows), strict=True)
            self.questions.append((question, lexical, dense, {r for r, p in passages if is_relevant(question, p)}))

    def ranks(self, fuse: Callable[[Scores, Scores], Scores]) -> dict[str, list[int]]:
        """Language -> the rank (0: past ten) of the first relevant passage of each question."""
        found: dict[str, list[int]] = {}
        for question, lexical, dense, relevant in self.questions:
            fused = fuse(lexical, dense)
            best = sorted(fused, key=lambda row: (-fused[row], row))[:10]
            rank = next((i for i, row in enumerate(best, start=1) if row in relevant), 0)
            found.setdefault(question.lang, []).append(rank)
        return found


def mrr(ranks: Sequence[int]) -> float:
    """Mean reciprocal rank."""
    return float(np.mean([1 / rank if rank else 0.0 for rank in ranks]))


def hit(ranks: Sequence[int], k: int) -> float:
    """Share of ranks from 1 to k."""
    return float(np.mean([0 < rank <= k for rank in ranks]))


def order(scores: Scores) -> Scores:
    """Row -> rank from 1."""
    return {row: i for i, row in enumerate(sorted(scores, key=lambda r: (-scores[r], r)), start=1)}


def reciprocal_ranks(constant: int) -> Callable[[Scores, Scores], Scores]:
    """Reciprocal rank fusion, Cormack et al. 2009."""

    def fuse(lexical: Scores, dense: Scores) -> Scores:
        ranks = [order(lexical), order(dense)]
        return {row: sum(1 / (constant + r[row]) for r in ranks if row in r) for row in {*lexical, *dense}}

    return fuse


def best_score(weight: float) -> Callable[[Scores, Scores], Scores]:
    """Convex combination of BM25 over the question's best BM25, and cosine."""

    def fuse(lexical: Scores, dense: Scores) -> Scores:
        best = max(lexical.values(), default=1.0)
        return {row: (1 - weight) * lexical.get(row, 0.0) / best + weight * dense[row] for row in dense}

    return fuse


def standard_scores(weight: float) -> Callable[[Scores, Scores], Scores]:
    """Convex combination of z scores over the candidates."""

    def z(scores: Scores, rows: Sequence[int]) -> np.ndarray:
        values = np.array([scores.get(row, 0.0) for row in rows])
        return (values - values.mean()) / (values.std() + 1e-9)

    def fuse(lexical: Scores, dense: Scores) -> Scores:
        rows = sorted(dense)
        return dict(zip(rows, (1 - weight) * z(lexical, rows) + weight * z(dense, rows), strict=True))

    return fuse


def points(worth: float) -> Callable[[Scores, Scores], Scores]:
    """BM25 plus `worth` points for a cosine of 1."""
    return lambda lexical, dense: {row: lexical.get(row, 0.0) + worth * dense[row] for row in dense}


def only_lexical(lexical: Scores, dense: Scores) -> Scores:
    """The lexical leg alone."""
    return lexical


def only_dense(lexical: Scores, dense: Scores) -> Scores:
    """The dense leg alone, by the rows that it brought itself or that the lexical leg brought."""
    return dense


def legs(options: argparse.Namespace) -> int:
    """Print the table of legs; the number of sets on which the hybrid is below its lexical leg."""
    ways = ["lexical", "dense", "hybrid"]
    print("| set | lang | n | " + " | ".join(f"{way} hit@1 | hit@5 | MRR@10" for way in ways) + " |")
    print("|---|---|---|" + "---|" * 3 * len(ways))
    below = 0
    for name in options.sets:
        prepared = Prepared(options, name, options.size)
        found = {
            "lexical": prepared.ranks(only_lexical),
            "dense": prepared.ranks(only_dense),
            "hybrid": prepared.shipped,
        }
        for lang in sorted(found["hybrid"], reverse=True):
            cells = [f"{hit(r[lang], 1):.4f} | {hit(r[lang], 5):.4f} | {mrr(r[lang]):.4f}" for r in found.values()]
            print(f"| {name} | {lang} | {len(found['hybrid'][lang])} | " + " | ".join(cells) + " |", flush=True)
            below += mrr(found["hybrid"][lang]) < mrr(found["lexical"][lang])
    print(f"\nhybrid below its lexical leg by MRR@10: {below} of the rows above")
    return below


def table(options: argparse.Namespace, rows: dict[str, Callable[[str], dict[str, list[int]]]]) -> int:
    """Print MRR@10 of rows x (set, language), with the mean over the columns."""
    printed = False
    for label, ranks in rows.items():
        found = {f"{name} {lang}": mrr(r) for name in options.sets for lang, r in sorted(ranks(name).items())}
        if not printed:
            print("| | " + " | ".join(found) + " | mean |\n|" + "---|" * (len(found) + 2))
            printed = True
        cells = " | ".join(f"{value:.4f}" for value in found.values())
        print(f"| {label} | {cells} | {np.mean(list(found.values())):.4f} |", flush=True)
    return 0


def sizes(options: argparse.Namespace) -> int:
    """Print MRR@10 by passage size."""
    return table(
        options,
        {str(s): lambda name, s=s: Prepared(options, name, s).shipped for s in (200, 300, 400, 500)},
    )


def fusion(options: argparse.Namespace) -> int:
    """Print MRR@10 by way of fusion."""
    prepared = {name: Prepared(options, name, options.size) for name in options.sets}
    ways = {
        "lexical": only_lexical,
        "dense": only_dense,
        **{f"reciprocal ranks, {k}": reciprocal_ranks(k) for k in (10, 60)},
        **{f"best score, {w}": best_score(w) for w in (0.2, 0.4)},
        **{f"z scores, {w}": standard_scores(w) for w in (0.2, 0.4)},
        **{f"points, {w}": points(w) for w in (5, 10, 15, 20, 30)},
    }
    rows = {label: lambda name, f=fuse: prepared[name].ranks(f) for label, fuse in ways.items()}
    return table(options, {**rows, "as shipped": lambda name: prepared[name].shipped})


def overlap_f1(left: str, right: str) -> float:
    """F1 over the characters of two texts."""
    common = sum((Counter(left) & Counter(right)).values())
    return 2 * common / (len(left) + len(right)) if common else 0.0


def evidence_table(options: argparse.Namespace) -> int:
    """Print evidence F1, answer inside the marked text, and share of the article marked."""
    folder = options.eval / "cmrc_evidence"
    f1, inside, share = [], [], []
    for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()[: options.limit]:
        row = json.loads(line)
        text = (folder / "corpus" / f"{row['article']}.txt").read_text(encoding="utf-8")
        query = understand(row["question"], {})
        vector = retriever.query_vector(query, options.embedder)
        spans = evidence.mark(query, Passage("", "", "", "", text, 0, len(text)), vector, options.embedder).spans
        marked = fold("".join(text[span.start : span.end] for span in spans))
        f1.append(max(overlap_f1(marked, fold(gold)) for gold in row["gold_evidence"]))
        inside.append(any(fold(answer) in marked for answer in row["evidence_any"]))
        share.append(len(marked) / len(text))
    print(f"questions {len(f1)}, F1 {np.mean(f1):.4f}, answer inside {np.mean(inside):.4f}, share {np.mean(share):.4f}")
    return 0


def encodings(options: argparse.Namespace) -> int:
    """Print the share of pieces of 4 to 400 characters that are read as they were written."""
    rng = random.Random(SEED)
    articles = [text for text in read_news(DEFAULT_DATA, 2_000) if len(text) > 400]
    traditional = opencc.OpenCC("s2t")
    lengths = (4, 8, 16, 64, 400)
    print("| written in | " + " | ".join(f"{length} characters" for length in lengths) + " |")
    print("|---|" + "---|" * len(lengths))
    for name in ("utf-8", "gb18030", "big5", "utf-16-le", "utf-16-be"):
        cells = []
        for length in lengths:
            right = tried = 0
            while tried < 500:
                article = rng.choice(articles)
                start = rng.randrange(len(article) - length)
                piece = article[start : start + length]
                piece = (traditional.convert(piece) if name == "big5" else piece).strip()
                try:
                    data = piece.encode(name)
                except UnicodeEncodeError:  # Big5 lacks some characters
                    continue
                if len(re.findall("[\u4e00-\u9fff]", piece)) < 3:
                    continue
                tried += 1
                right += _read(data) == piece
            cells.append(f"{right / tried:.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    return 0


def _read(data: bytes) -> str:
    try:
        return decode(data).text
    except ReadError:
        return ""


def main() -> int:
    """Parse the command line and print one table."""
    tables = {"legs": legs, "sizes": sizes, "fusion": fusion, "evidence": evidence_table, "encodings": encodings}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=tables, nargs="?", default="legs")
    parser.add_argument("--eval", type=Path, default=ROOT.parent / "shared" / "eval")
    parser.add_argument("--work", type=Path, default=ROOT / "index" / "eval")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--size", type=int, default=load_settings().passage_size)
    parser.add_argument("--limit", type=int, default=None, help="most questions of a set")
    options = parser.parse_args()
    options.embedder = load_embedder()
    return 1 if tables[options.table](options) else 0


if __name__ == "__main__":
    sys.exit(main())
