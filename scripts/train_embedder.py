"""Train the bundled static embedder: python scripts/train_embedder.py [--data DIR] [--out DIR] [--epochs N].

One table of token vectors (sentence-transformers' StaticEmbedding): a text's vector is the mean of its tokens' vectors,
of unit length. The tokenizer is a Unigram of jieba's words and of the English words of the training data, so that the
model folder needs neither jieba nor torch to be read. Runs on the CPU; prints how long it took.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from embedder_data import Pairs, load_sets
from training_data import DEFAULT_DATA

from bot.text import segmenter

SEED = 20261124
MODELS = Path(__file__).parents[1] / "bot" / "model"
DIMENSION = 256
VOCABULARY = {"words": 40_000, "characters": 8_000, "english": 26_000}
COUNTED_TEXTS = 150_000  # texts that decide which words are common
SCALE = 20.0  # of the cosines before the softmax, as in sentence-transformers' MultipleNegativesRankingLoss
_WORD = re.compile(r"[a-z]+|\d+")
_HAN_CHARACTER = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")


def unigram(words: dict[str, float], symbols: Iterable[str]):
    """A `tokenizers` Unigram over words with their log probabilities, and the signs between them."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    # A single letter or sign costs more than any word, so that a known word is never spelled out.
    pieces = [("<unk>", 0.0), *words.items(), *((symbol, -20.0) for symbol in symbols)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"[a-z]+|[0-9]+|[^a-z0-9]+"), behavior="isolated"),
            pre_tokenizers.Punctuation(behavior="isolated"),
        ]
    )
    return tokenizer


def build_tokenizer(texts: list[str]):
    """A Unigram over the commonest words of jieba's dictionary, every Han character met, and common English words."""
    jieba = segmenter.reference()
    english: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for text in texts:
        english.update(_WORD.findall(text))
        characters.update(text)
    known = {word: math.log(n / jieba.total) for word, n in jieba.FREQ.items() if n and not word.isascii()}
    known |= {c: math.log(max(1, jieba.FREQ.get(c, 0)) / jieba.total) for c in characters if _HAN_CHARACTER.match(c)}
    symbols = sorted(c for c in characters if c.isascii() and not c.isspace())
    # All of the dictionary cuts the texts first, so that a word counts where it stands as a word.
    whole = unigram(known, symbols)
    counts = np.zeros(whole.get_vocab_size(), np.int64)
    for left in range(0, len(texts), 1_000):
        for encoding in whole.encode_batch_fast(texts[left : left + 1_000]):
            np.add.at(counts, encoding.ids, 1)
    found = (whole.id_to_token(i) for i in np.argsort(-counts, kind="stable") if counts[i])
    words = [w for w in found if len(w) > 1 and w in known][: VOCABULARY["words"]]
    single = [c for c, _ in characters.most_common() if _HAN_CHARACTER.match(c)][: VOCABULARY["characters"]]
    total = sum(english.values())
    latin = {w: math.log(n / total) for w, n in english.most_common(VOCABULARY["english"]) if len(w) > 1}
    return unigram({w: known[w] for w in [*words, *single]} | latin, symbols)


class Tokens:
    """The token ids of many texts, end to end."""

    def __init__(self, tokenizer, texts: list[str]) -> None:
        """Encode all of them, once: 169 M characters took four minutes on two busy cores."""
        parts = []
        for left in range(0, len(texts), 10_000):
            parts.extend(np.array(e.ids, np.int32) for e in tokenizer.encode_batch_fast(texts[left : left + 10_000]))
        self._ids = np.concatenate(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self._lengths = np.array([len(part) for part in parts])

    def bags(self, rows: np.ndarray):
        """The ids of some texts and where each begins, as EmbeddingBag takes them."""
        import torch

        lengths = self._lengths[rows]
        offsets = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(self._ends[rows] - lengths - offsets, lengths)
        return torch.from_numpy(self._ids[places].astype(np.int64)), torch.from_numpy(offsets)


def batches(groups: list[np.ndarray], size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The pairs of all sets once, one set a batch: the negatives are of the positive's own kind. A rest is left out."""
    found = []
    for group in groups:
        mixed = rng.permutation(group)
        count = max(1, len(mixed) // size)
        found.extend(np.array_split(mixed, count) if count == 1 else mixed[: count * size].reshape(count, size))
    rng.shuffle(found)
    return found


def train(pairs: np.ndarray, groups: list[np.ndarray], tokens: Tokens, tokenizer, options: argparse.Namespace):
    """The table of vectors, shape (tokens, DIMENSION), by in-batch negatives in both directions.

    `pairs`: rows of `tokens`, shape (n, 2). A plain loop, for sentence-transformers' trainer tokenizes anew in every
    epoch, which takes as long as the training. Texts that are the same are no negatives of one another.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    table = torch.nn.EmbeddingBag(tokenizer.get_vocab_size(), DIMENSION, mode="mean")
    optimizer = torch.optim.Adam(table.parameters(), lr=options.rate, fused=True)
    plan = [batch for _ in range(options.epochs) for batch in batches(groups, options.batch, rng)]
    started = time.monotonic()
    for step, rows in enumerate(plan):
        share = step / len(plan)
        optimizer.param_groups[0]["lr"] = options.rate * min(share / 0.05, (1 - share) / 0.95)
        query, passage = (normalize(table(*tokens.bags(pairs[rows, side]))) for side in (0, 1))
        scores = SCALE * query @ passage.T
        same = np.equal.outer(pairs[rows, 1], pairs[rows, 1]) | np.equal.outer(pairs[rows, 0], pairs[rows, 0])
        np.fill_diagonal(same, False)
        scores = scores.masked_fill(torch.from_numpy(same), -1e4)
        target = torch.arange(len(rows))
        loss = cross_entropy(scores, target) + 0.5 * cross_entropy(scores.T, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"{step}/{len(plan)} loss {loss.item():.3f} {time.monotonic() - started:.0f} s", flush=True)
    return table.weight.detach().numpy()


def save(table: np.ndarray, tokenizer, out: Path) -> None:
    """Write the folder that both sentence-transformers and model2vec read: float16 vectors, the unknown token zero.

    model2vec leaves the unknown token out and sentence-transformers takes it along; a zero vector keeps the two alike.
    """
    from model2vec import StaticModel

    table = table / np.sqrt(np.mean(np.sum(table**2, axis=1)))
    table[0] = 0.0
    static = StaticModel(table.astype(np.float16), tokenizer, config={}, normalize=True, max_length=None)
    static.save_pretrained(str(out))
    (out / "1_Normalize").mkdir(exist_ok=True)
    (out / "1_Normalize" / "config.json").write_text("{}\n", encoding="utf-8")


def write_card(out: Path, sets: dict[str, Pairs], seconds: float, command: str) -> None:
    """The model card: data, command, size and sha256. The figures of the model stand in scripts/EXPERIMENTS.md."""
    rows = "\n".join(f"| {name} | {len(pairs):,} |" for name, pairs in sets.items())
    digest = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
    out.joinpath("README.md").write_text(
        f"""---
language: [zh, en]
license: apache-2.0
library_name: model2vec
---
# Wenqu's bundled embedder

A static Chinese-English text embedder: {DIMENSION} dimensions, float16, {size:.1f} MB.
A text is the mean of its tokens' vectors at unit length.
`SentenceTransformer("bot/model/embedder")` and `model2vec.StaticModel.from_pretrained(...)` give the same vectors.
The tokenizer is a Unigram of the words of jieba's dictionary (MIT) and of English words of the training data.

Trained by `{command}` in {seconds / 60:.0f} minutes on two CPU cores, seed {SEED}, with in-batch negatives
in both directions. Its figures stand in `scripts/EXPERIMENTS.md`.
sha256 of `model.safetensors`: `{digest}`

Trained on (pairs; sources and their licences as stated: CMRC 2018 CC BY-SA 4.0; NLPCC-KBQA, KgCLUE, QBQTC, SimCLUE
none stated; lawyer-llama, CSL, LCTT and CRUD-RAG news Apache-2.0, the news texts belong to their outlets;
Classical-Modern and 3AM MIT; CC-CEDICT CC BY-SA 4.0; Tatoeba CC BY 2.0 FR; Python documentation CC0; insurance
questions GPL-3.0; statutes public). None of the texts is in this folder. `cloze` pairs are a sentence and its passage
(inverse cloze task); `pseudo-en` queries are Chinese ones put into English word by word by the bridge's term table.

| set | pairs |
|---|---|
{rows}
""",
        encoding="utf-8",
    )


def main() -> None:
    """Parse the command line, train, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--out", type=Path, default=MODELS / "embedder")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rate", type=float, default=0.2)
    options = parser.parse_args()
    started = time.monotonic()
    sets = load_sets(options.data, MODELS / "bridge" / "terms.sqlite", random.Random(SEED))
    print(json.dumps({name: len(pairs) for name, pairs in sets.items()}))
    rows: dict[str, int] = {}
    flat = [(q, p) for pairs in sets.values() for q, p in pairs]
    pairs = np.array([[rows.setdefault(text, len(rows)) for text in pair] for pair in flat])
    ends = np.cumsum([len(pairs) for pairs in sets.values()])
    groups = np.split(np.arange(len(pairs)), ends[:-1])
    texts = list(rows)
    tokenizer = build_tokenizer(random.Random(SEED).sample(texts, min(len(texts), COUNTED_TEXTS)))
    tokens = Tokens(tokenizer, texts)
    print(f"{tokenizer.get_vocab_size()} tokens after {time.monotonic() - started:.0f} s", flush=True)
    table = train(pairs, groups, tokens, tokenizer, options)
    options.out.mkdir(parents=True, exist_ok=True)
    save(table, tokenizer, options.out)
    write_card(options.out, sets, time.monotonic() - started, "python scripts/train_embedder.py")


if __name__ == "__main__":
    main()
