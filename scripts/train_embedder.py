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
import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
from training_data import DEFAULT_DATA, news_pairs, read_pairs

from bot.text import segmenter

SEED = 20261124
DIMENSION = 256
VOCABULARY = {"words": 36_000, "characters": 8_000, "english": 18_000}
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
    ("zh_prc_law_title-article", 20_000),
    ("zh_classical-modern", 10_000),
    ("en-zh_cedict_gloss", 200_000),
    ("en-zh_tatoeba", 21_000),
    ("en-zh_3am_captions", 15_000),
    ("en-zh_python_docs", 30_000),
    ("en-zh_insurance_questions", 10_000),
    ("en-zh_taiwan_law_lines", 50_000),
]
NEWS_PER_ARTICLE = 2
_WORD = re.compile(r"[a-z]+|\d+")
_HAN_CHARACTER = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")


def build_tokenizer(texts: list[str]):
    """A `tokenizers` Unigram over jieba's words, every Han character met, and the commonest English words."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    jieba = segmenter()
    han: Counter[str] = Counter()
    english: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for text in texts:
        english.update(_WORD.findall(text))
        characters.update(text)
        for run in re.findall("[\u4e00-\u9fff]+", text):
            han.update(jieba.cut(run[:400], HMM=False))
    chinese = [word for word, _ in han.most_common() if len(word) > 1 and jieba.FREQ.get(word)]
    single = [c for c, _ in characters.most_common() if _HAN_CHARACTER.match(c)]
    symbols = [c for c in characters if c.isascii() and not c.isspace()]
    pieces = [("<unk>", 0.0)]
    total = jieba.total
    for word in chinese[: VOCABULARY["words"]]:
        pieces.append((word, math.log(jieba.FREQ[word] / total)))
    for character in single[: VOCABULARY["characters"]]:
        pieces.append((character, math.log(max(1, jieba.FREQ.get(character, 0)) / total)))
    english_total = sum(english.values())
    words = [(w, math.log(n / english_total)) for w, n in english.most_common(VOCABULARY["english"]) if len(w) > 1]
    pieces += words
    # A single letter or sign costs more than any word, so that a known word is never spelled out.
    pieces += [(symbol, -20.0) for symbol in symbols]
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


def load_sets(data: Path, rng: random.Random) -> dict[str, list[tuple[str, str]]]:
    """Every training set by name, shuffled and capped."""
    sets = {}
    for name, cap in SETS:
        pairs = read_pairs(data, name)
        rng.shuffle(pairs)
        sets[name] = [(q, p[:600]) for q, p in pairs[:cap] if q.strip() and p.strip()]
    sets["news"] = news_pairs(data, NEWS_PER_ARTICLE, rng)
    return sets


def train(sets: dict[str, list[tuple[str, str]]], tokenizer, out: Path, epochs: int, batch: int, rate: float):
    """Train with in-batch negatives, one set a batch, so that the negatives are of the positive's own kind."""
    import torch
    from datasets import Dataset, DatasetDict
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from sentence_transformers.training_args import BatchSamplers, MultiDatasetBatchSamplers

    torch.manual_seed(SEED)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=DIMENSION)], device="cpu")
    data = DatasetDict(
        {
            name: Dataset.from_dict({"anchor": [q for q, _ in pairs], "positive": [p for _, p in pairs]})
            for name, pairs in sets.items()
        }
    )
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(out / "checkpoints"),
        num_train_epochs=epochs,
        per_device_train_batch_size=batch,
        learning_rate=rate,
        warmup_steps=0.1,
        batch_sampler=BatchSamplers.NO_DUPLICATES_HASHED,
        multi_dataset_batch_sampler=MultiDatasetBatchSamplers.PROPORTIONAL,
        seed=SEED,
        data_seed=SEED,
        save_strategy="no",
        report_to="none",
        logging_steps=100,
        disable_tqdm=True,
        use_cpu=True,
    )
    loss = MultipleNegativesRankingLoss(model)
    SentenceTransformerTrainer(model=model, args=arguments, train_dataset=data, loss=loss).train()
    return model


def save(model, tokenizer, out: Path) -> None:
    """Write the folder that both sentence-transformers and model2vec read: float16 vectors, the unknown token zero.

    model2vec leaves the unknown token out and sentence-transformers takes it along; a zero vector keeps the two alike.
    """
    from model2vec import StaticModel

    table = model[0].embedding.weight.detach().numpy().astype(np.float32)
    table /= np.sqrt(np.mean(np.sum(table**2, axis=1)))
    table[0] = 0.0
    static = StaticModel(table.astype(np.float16), tokenizer, config={}, normalize=True, max_length=None)
    static.save_pretrained(str(out))
    (out / "1_Normalize").mkdir(exist_ok=True)
    (out / "1_Normalize" / "config.json").write_text("{}\n", encoding="utf-8")
    shutil.rmtree(out / "checkpoints", ignore_errors=True)


def write_card(out: Path, sets: dict[str, list[tuple[str, str]]], seconds: float, command: str) -> None:
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

Trained by `{command}` in {seconds / 60:.0f} minutes on two CPU cores, seed {SEED}, with
sentence-transformers' MultipleNegativesRankingLoss. Its figures stand in `scripts/EXPERIMENTS.md`.
sha256 of `model.safetensors`: `{digest}`

Trained on (pairs; sources and their licences as stated: CMRC 2018 CC BY-SA 4.0; NLPCC-KBQA, KgCLUE, QBQTC, SimCLUE
none stated; lawyer-llama, CSL, LCTT and CRUD-RAG news Apache-2.0, the news texts belong to their outlets;
Classical-Modern and 3AM MIT; CC-CEDICT CC BY-SA 4.0; Tatoeba CC BY 2.0 FR; Python documentation CC0; insurance
questions GPL-3.0; statutes public). None of the texts is in this folder.

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
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "bot" / "model" / "embedder")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rate", type=float, default=0.2)
    options = parser.parse_args()
    started = time.monotonic()
    rng = random.Random(SEED)
    sets = load_sets(options.data, rng)
    print(json.dumps({name: len(pairs) for name, pairs in sets.items()}))
    tokenizer = build_tokenizer([text for pairs in sets.values() for pair in pairs for text in pair])
    print(f"{tokenizer.get_vocab_size()} tokens after {time.monotonic() - started:.0f} s", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    model = train(sets, tokenizer, options.out, options.epochs, options.batch, options.rate)
    save(model, tokenizer, options.out)
    write_card(options.out, sets, time.monotonic() - started, "python scripts/train_embedder.py")


if __name__ == "__main__":
    main()
