"""The reader's network in numpy: gated convolutions over the tokens, one look at the question, one at the passage.

The word-in-question features are those of FastQA (Weissenborn et al. 2017), the look at the question that of BiDAF (Seo
et al. 2017), the convolutions are gated as those of Dauphin et al. 2017. `scripts/reader_model.py` is the same network
in torch, for training.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.answer.reader.inputs import HEAD, Inputs
from bot.index.embedder import StaticEmbedder

Floats = npt.NDArray[np.float32]

_TAPS = 3
_HEADS = 2
_CHARACTERS_A_TOKEN = 4
_DILATIONS = {"encoder.0": 1, "encoder.1": 2, "body.0": 1, "body.1": 3, "body.3": 1, "body.4": 4}
_BODY = ("body.0", "body.1", "body.2", "body.3", "body.4")
_ATTENTION = "body.2"
_EPSILON = np.float32(1e-5)
_NOWHERE = np.float32(-1e4)


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits: of tokens as start and end, of "not here" for each passage, and of sentences."""

    ends: Floats  # (tokens, 2)
    none: Floats  # (passages,)
    sentences: Floats  # (sentences,)


class Network:
    """The trained weights of a file. Raises OSError, ValueError or KeyError for a file that is not one of them."""

    def __init__(self, file: Path, embedder: StaticEmbedder) -> None:
        """Read the weights; the vectors of words are the embedder's."""
        from safetensors import safe_open

        with safe_open(file, "numpy") as opened:
            shape = json.loads(opened.metadata()["shape"])
            stored = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  it is no mapping
        if shape["body"] != "conv":
            raise ValueError(f"a body of {shape['body']}")
        self._embedder = embedder
        self._own_rows = stored.pop("own_rows").astype(np.int64)
        self._rows = {chr(code): row for row, code in enumerate(stored.pop("inventory").tolist(), start=1)}
        self._w = _ready({name: value.astype(np.float32) for name, value in stored.items()})
        if len(self._own_rows) != len(embedder):
            raise ValueError(f"{len(self._own_rows)} rows for {len(embedder)} tokens")
        # The rows of each token's characters, filled in when it is first met.
        self._letters = np.full((len(embedder), _CHARACTERS_A_TOKEN), -1, np.int32)

    def scores(self, x: Inputs) -> Scores:
        """The scores of every token, sentence and passage of the inputs."""
        w = self._w
        own, vectors = self._tokens(x.ids, x.surfaces)
        asked, asked_vectors = self._tokens(x.question, x.question_surfaces)
        kind = x.question_features @ w["kind.weight"] + w["kind.bias"]
        question = asked + w["asked"] + kind
        for name in ("encoder.0", "encoder.1"):
            question = self._convolution(name, question)
        tokens = own + x.token_features @ w["features.weight"] + (w["features.bias"] + kind)
        tokens += (x.sentence_features @ w["sentence.weight"] + w["sentence.bias"])[x.sentence_of]
        cosines = vectors @ asked_vectors.T
        # One passage after the other: its arrays fit into the cache, and no row is padded.
        borders = np.searchsorted(x.passage_of[x.sentence_of], np.arange(len(x.passage_features) + 1))
        rows = [slice(*border) for border in itertools.pairwise(borders.tolist())]
        read = [self._read(tokens[row], question, cosines[row], x.token_features[row]) for row in rows]
        ends = np.concatenate([y @ w["ends.weight"] + w["ends.bias"] for y in read])
        ends[x.token_features[:, HEAD] > 0] = _NOWHERE
        pooled = np.stack([(y @ w["none.weight"]).max(axis=0) + w["none.bias"] for y in read])
        everywhere = np.broadcast_to(x.question_features, (len(rows), len(x.question_features)))
        whole = np.column_stack([pooled, x.passage_features, everywhere])
        none = (whole @ w["none_score.weight"] + w["none_score.bias"])[:, 0]
        by_features = (x.sentence_features @ w["sentence_score.weight"])[:, 0]
        return Scores(ends, none, _sentence_logs(ends, x) + by_features)

    def _read(self, c: Floats, question: Floats, cosines: Floats, features: Floats) -> Floats:
        """What each token of a passage is for the question, (tokens, width)."""
        w = self._w
        for name in ("encoder.0", "encoder.1"):
            c = self._convolution(name, c)
        alike = (c @ w["similar.weight"]) @ question.T
        alike += w["cosine"] * cosines
        peak = alike.max(axis=1, keepdims=True)
        alike -= peak
        np.exp(alike, out=alike)
        alike /= alike.sum(axis=1, keepdims=True)
        weight = np.exp(peak - peak.max())
        about = (weight / weight.sum()).T @ c
        # The mix of c, what each token is aligned with, and the products of c with that and with the whole passage; as
        # sums, because what is the same for all tokens then goes into the weights.
        aligned = alike @ question
        x: Floats = c @ (w["mix.c"] + about.T * w["mix.about"])
        x += alike @ (question @ w["mix.aligned"])
        np.multiply(aligned, c, out=aligned)
        x += aligned @ w["mix.both"]
        x += np.column_stack([cosines.max(axis=1), features]) @ w["mix.features"]
        x += w["mix.bias"]
        for name in _BODY:
            x = self._attention(x) if name == _ATTENTION else self._convolution(name, x)
        return _normal(x) * w["norm.weight"]

    def _tokens(self, ids: npt.NDArray[np.int32], surfaces: list[str]) -> tuple[Floats, Floats]:
        """What each token is by itself, (n, width), and the direction of its vector, (n, dim)."""
        w = self._w
        unique, first, back = np.unique(ids, return_index=True, return_inverse=True)
        vectors = self._embedder.vectors(unique)
        size = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
        vectors /= size + np.float32(1e-6)
        for i in np.flatnonzero(self._letters[unique, 0] < 0).tolist():
            letters = surfaces[first[i]][:_CHARACTERS_A_TOKEN] if unique[i] != self._embedder.unknown else ""
            self._letters[unique[i]] = [
                *(self._rows.get(one, 0) for one in letters),
                *[0] * (_CHARACTERS_A_TOKEN - len(letters)),
            ]
        rows = self._letters[unique]
        characters = w["characters.weight"][rows].reshape(len(unique), -1)
        parts = [vectors, np.log(size + np.float32(1e-3)), characters, w["own.weight"][self._own_rows[unique]]]
        tokens = np.concatenate(parts, axis=1) @ w["token.weight"] + w["token.bias"]
        return tokens[back], vectors[back]

    def _convolution(self, name: str, x: Floats) -> Floats:
        """The rows of x, (tokens, width), plus their gated convolution."""
        w = self._w
        length, width = x.shape
        dilation = _DILATIONS[name]
        reach = dilation * (_TAPS // 2)
        padded = np.zeros((length + 2 * reach, width), np.float32)
        _normal(x, out=padded[reach : reach + length])
        taps = w[f"{name}.taps"]
        mixed = padded[:length] * taps[0]
        for i in range(1, _TAPS):
            mixed += padded[i * dilation : i * dilation + length] * taps[i]
        both = mixed @ w[f"{name}.gated.weight"]
        both += w[f"{name}.gated.bias"]
        gate = np.exp(both[:, width:])  # of the negative, see _ready
        gate += 1
        out: Floats = np.divide(both[:, :width], gate, out=gate) @ w[f"{name}.out.weight"]
        out += w[f"{name}.out.bias"]
        out += x
        return out

    def _attention(self, x: Floats) -> Floats:
        """The rows of x, (tokens, width), plus what they take from each other."""
        w = self._w
        length, width = x.shape
        qkv = _normal(x) @ w[f"{_ATTENTION}.qkv.weight"] + w[f"{_ATTENTION}.qkv.bias"]
        q, k, v = qkv.reshape(length, 3, _HEADS, width // _HEADS).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        mixed = (scores @ v) / scores.sum(axis=-1, keepdims=True)
        out: Floats = mixed.transpose(1, 0, 2).reshape(length, width) @ w[f"{_ATTENTION}.out.weight"]
        out += w[f"{_ATTENTION}.out.bias"]
        out += x
        return out


def _ready(stored: dict[str, Floats]) -> dict[str, Floats]:
    """The weights as they are used, with what is the same for every passage worked into them."""
    w = dict(stored)
    for name in list(w):
        if name.endswith(".weight") and w[name].ndim == 2 and name not in ("characters.weight", "own.weight"):
            w[name] = w[name].T  # linear layers are multiplied from the right
    for name in _DILATIONS:
        w[f"{name}.taps"] = w[f"{name}.taps"] * w[f"{name}.norm.weight"]
        width = w[f"{name}.taps"].shape[1]
        sign = np.repeat(np.array([1, -1], np.float32), width)  # the gate is 1 / (1 + exp(-x))
        w[f"{name}.gated.weight"] = w[f"{name}.gated.weight"] * sign
        w[f"{name}.gated.bias"] = w[f"{name}.gated.bias"] * sign
    width = w["asked"].shape[0]
    scale = np.ones(3 * width, np.float32)
    scale[:width] = 1 / math.sqrt(width // _HEADS)
    w[f"{_ATTENTION}.qkv.weight"] = w[f"{_ATTENTION}.norm.weight"][:, None] * w[f"{_ATTENTION}.qkv.weight"] * scale
    w[f"{_ATTENTION}.qkv.bias"] = w[f"{_ATTENTION}.qkv.bias"] * scale
    w["similar.weight"] = w["similar.weight"] / np.float32(math.sqrt(width))
    mix = w.pop("mix.weight")
    parts = np.split(mix, [width, 2 * width, 3 * width, 4 * width])
    w |= dict(zip(("mix.c", "mix.aligned", "mix.both", "mix.about", "mix.features"), parts, strict=True))
    return {name: np.ascontiguousarray(value) for name, value in w.items()}


def _normal(x: Floats, out: Floats | None = None) -> Floats:
    """Each row scaled to a mean square of 1."""
    size = np.einsum("ij,ij->i", x, x)
    size /= x.shape[1]
    size += _EPSILON
    normal: Floats = np.multiply(x, (1 / np.sqrt(size))[:, None], out=out)
    return normal


def _sentence_logs(ends: Floats, x: Inputs) -> Floats:
    """For each sentence the sum of the log-sums of its tokens' starts and of their ends."""
    count = len(x.sentence_features)
    token_passage = x.passage_of[x.sentence_of]
    peaks = np.maximum.reduceat(ends, np.searchsorted(token_passage, np.arange(len(x.passage_features))))
    powers = np.exp(ends - peaks[token_passage])
    sums = np.stack([np.bincount(x.sentence_of, powers[:, i], count) for i in (0, 1)], axis=1)
    logs: Floats = (np.log(sums + 1e-9) + peaks[x.passage_of]).sum(axis=1).astype(np.float32)
    return logs
