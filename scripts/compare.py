"""Compare settings on the evaluation sets: python scripts/compare.py TABLE.

    sizes     the passage size from 200 to 500 characters
    fusion    ways to join the two legs
    encodings pieces of news articles, written in every encoding and read back
    curated   which questions are taken for the same, by rule and by threshold
    dense     FAISS indexes on sentences of the news corpus, --limit of them, by recall, time and bytes
    segmenters words of the news corpus that jieba and rjieba cut in different ways

What was chosen by these tables, and why, stands in EXPERIMENTS.md.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice

import faiss
import numpy as np
import opencc
from evaluate import Prepared, Scores, mrr, only_dense, only_lexical, options_of
from training_data import read_news, read_pairs

from bot.corpus.curated import Shape, question_key
from bot.errors import ReadError
from bot.index.embedder import load_embedder
from bot.text import segmenter
from bot.text.dictionary import NO_DICTIONARY
from bot.text.encoding import decode
from bot.text.fold import HAN, fold
from bot.text.sentences import sentences

SEED = 1


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


def encodings(options: argparse.Namespace) -> int:
    """Print the share of pieces of 4 to 400 characters that are read as they were written."""
    rng = random.Random(SEED)
    articles = [text for text in read_news(options.data, 2_000) if len(text) > 400]
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


Scored = list[tuple[float, float, float]]  # cosine, overlap, overlap though one word stands in another's place


def _scored(firsts: Sequence[str], seconds: Sequence[str], pairs: Sequence[tuple[int, int]], embedder) -> Scored:
    one, two = embedder.encode_passages(firsts), embedder.encode_passages(seconds)
    shapes = [
        [Shape.from_question(" ".join(fold(text).split()), NO_DICTIONARY) for text in side]
        for side in (firsts, seconds)
    ]
    found = []
    for i, j in pairs:
        a, b = shapes[0][i], shapes[1][j]
        weight = sum(a.words[word] for word in a.words.keys() & b.words.keys())
        share = weight / max(sum(a.words.values()), sum(b.words.values()), 1e-9)
        found.append((float(one[i] @ two[j]), a.overlap(b), share))
    return found


def _nearest(vectors: np.ndarray, rows: int, k: int) -> list[tuple[int, int]]:
    """For each of the first rows its k nearest among all, itself left out."""
    near = vectors[:rows] @ vectors.T
    near[np.arange(rows), np.arange(rows)] = -1
    return [(i, int(j)) for i, row in enumerate(near) for j in np.argpartition(-row, k)[:k]]


def curated(options: argparse.Namespace) -> int:
    """Print the shares of paraphrases and of near misses that each rule takes for the same question."""
    embedder = load_embedder()
    asks = re.compile("[?吗呢]|什么|怎么|如何|为何|哪|谁|多少|几")
    same = [(a, b) for a, b in read_pairs(options.data, "zh_sim_simclue_pos") if asks.search(a) and asks.search(b)]
    same = [(a, b) for a, b in same if max(len(a), len(b)) <= 40 and question_key(a) != question_key(b)]
    firsts, seconds = [a for a, _ in same], [b for _, b in same]
    facts = dict(pair for name in ("zh_qa_kgclue", "zh_qa_nlpcc_kbqa") for pair in read_pairs(options.data, name))
    asked = random.Random(SEED).sample([question for question in facts if len(question) <= 60], len(facts) // 2)
    vectors = embedder.encode_passages(asked)
    near = [(i, j) for i, j in _nearest(vectors, 6000, 4) if facts[asked[i]] != facts[asked[j]]]
    sets = {
        "paraphrases": _scored(firsts, seconds, [(i, i) for i in range(len(same))], embedder),
        "near misses": _scored(asked, asked, near, embedder),
    }
    rules: dict[str, Callable[[float, float, float], float]] = {
        "cosine": lambda cosine, overlap, share: cosine,
        "shared words": lambda cosine, overlap, share: share,
        "half and half": lambda cosine, overlap, share: (cosine + share) / 2,
        "half and half, vetoes": lambda cosine, overlap, share: (cosine + overlap) / 2,
    }
    print(f"| rule | threshold | {' | '.join(f'{name} ({len(rows)})' for name, rows in sets.items())} |")
    print("|---|---|" + "---|" * len(sets))
    for label, rule in rules.items():
        for threshold in (0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
            taken = [np.mean([rule(*row) >= threshold for row in rows]) for rows in sets.values()]
            print(f"| {label} | {threshold} | " + " | ".join(f"{share:.4f}" for share in taken) + " |")
    return 0


def segmenters(options: argparse.Namespace) -> int:
    """Print how many words of the news corpus rjieba cuts otherwise than jieba, and the commonest differences."""
    jieba = segmenter.reference()
    print("| mode | jieba's words | of them not rjieba's | per 10,000 |\n|---|---|---|---|")
    differences: Counter[str] = Counter()
    pairs = {"cut": (jieba.cut, segmenter.cut), "search": (jieba.cut_for_search, segmenter.cut_for_search)}
    for mode, (theirs, ours) in pairs.items():
        total = different = 0
        for article in read_news(options.data):
            for run in re.findall(f"[{HAN}]+", fold(article)):
                expected, found = list(theirs(run)), list(ours(run))
                total += len(expected)
                if expected != found:
                    lost, new = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
                    different += max(lost.total(), new.total())
                    differences[f"{mode}: {' '.join(lost)} -> {' '.join(new)}"] += 1
        print(f"| {mode} | {total:,} | {different:,} | {10_000 * different / total:.3f} |", flush=True)
    for difference, count in differences.most_common(40):
        print(count, difference)
    return 0


def _sentence_vectors(options: argparse.Namespace, count: int) -> np.ndarray:
    """Vectors of the first sentences of the news corpus, kept in the work folder."""
    kept = options.work / f"sentences-{count}.npy"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        every = (text[a:b] for text in read_news(options.data) for a, b in sentences(text) if b - a >= 10)
        wanted = islice(every, count)
        parts = [options.embedder.encode_passages(part) for part in iter(lambda: list(islice(wanted, 4096)), [])]
        np.save(kept, np.concatenate(parts).astype(np.float16), allow_pickle=False)
    return np.load(kept, mmap_mode="r")


def _dense_row(index: faiss.Index, queries: np.ndarray, wanted: np.ndarray) -> tuple[float, float, float]:
    """Recall@10, and the median and 99th percentile of a query in milliseconds of one thread."""
    times, right = [], 0
    for query, rows in zip(queries, wanted, strict=True):
        begun = time.thread_time()
        found = index.search(query[None], 10)[1][0]
        times.append((time.thread_time() - begun) * 1000)
        right += len(set(found) & set(rows))
    return right / wanted.size, float(np.median(times)), float(np.percentile(times, 99))


def dense(options: argparse.Namespace) -> int:
    """Print recall@10 against exact search, CPU milliseconds a query, CPU seconds to build, and bytes."""
    vectors = _sentence_vectors(options, options.limit or 250_000)
    asked = [question for question, _ in read_pairs(options.data, "zh_qa_cmrc2018_train")[::20]]
    queries = options.embedder.encode_passages(asked)
    exact = faiss.IndexFlatIP(vectors.shape[1])
    for left in range(0, len(vectors), 50_000):
        exact.add(vectors[left : left + 50_000].astype(np.float32))
    wanted = exact.search(queries, 10)[1]
    del exact
    faiss.omp_set_num_threads(1)
    lists = int(4 * len(vectors) ** 0.5)
    print(f"{len(vectors):,} vectors, {len(queries)} questions, {lists} lists")
    print("| index | recall@10 | p50 ms | p99 ms | build s | MB |\n|---|---|---|---|---|---|")
    kinds = {"SQfp16": (), "SQ8": (), f"IVF{lists},SQfp16": (16, 32, 64), f"IVF{lists},SQ8": (16, 32, 64)}
    for kind, efforts in {**kinds, "HNSW32,SQ8": (64, 128, 256), "PQ128x4fs,Refine(SQfp16)": (2, 5, 10)}.items():
        begun = time.process_time()
        index = faiss.index_factory(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        step = max(1, len(vectors) // (64 * lists))
        index.train(vectors[::step].astype(np.float32))
        for left in range(0, len(vectors), 50_000):
            index.add(vectors[left : left + 50_000].astype(np.float32))
        built, size = time.process_time() - begun, faiss.serialize_index(index).nbytes / 1e6
        for effort in efforts or (0,):
            if effort:
                name = {"I": "nprobe", "H": "efSearch", "P": "k_factor_rf"}[kind[0]]
                faiss.ParameterSpace().set_index_parameter(index, name, effort)
            recall, median, slow = _dense_row(index, queries, wanted)
            label = f"{kind} {effort or ''}".strip()
            print(f"| {label} | {recall:.3f} | {median:.2f} | {slow:.2f} | {built:.0f} | {size:.0f} |", flush=True)
    return 0


def main() -> int:
    """Parse the command line and print one table."""
    tables = {
        "sizes": sizes,
        "fusion": fusion,
        "encodings": encodings,
        "curated": curated,
        "dense": dense,
        "segmenters": segmenters,
    }
    options = options_of(__doc__, tables)
    return tables[options.tables[0]](options)


if __name__ == "__main__":
    sys.exit(main())
