"""The reader in torch, for training; `bot/answer/reader/network.py` computes the same with numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bot.answer.reader.inputs import HEAD, PASSAGE_INPUTS, QUESTION_INPUTS, SENTENCE_INPUTS, TOKEN_FEATURES

CHARACTERS_A_TOKEN = 4
CHARACTER_WIDTH = 32
OWN_WIDTH = 32  # of the vectors that are learned for the commonest words
OWN_LEFT_OUT = 0.25  # of the words, whose learned vectors a batch does without
HEADS = 2
TAPS = 3
NOWHERE = -1e4


@dataclass(frozen=True)
class Shape:
    """What a reader is made of: its width, and its body, `conv` or `transformer`."""

    width: int = 96
    body: str = "conv"


class LockedDropout(nn.Module):
    """Dropout of whole features, the same for all tokens of a passage: drawing one a token took a fifth of the time."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """X (n, tokens, width)."""
        if not self.training:
            return x
        return x * functional.dropout(x.new_ones(len(x), 1, x.shape[2]), self.share)


class Convolution(nn.Module):
    """A gated depthwise convolution over three tokens, with a residual connection."""

    def __init__(self, width: int, dilation: int = 1, drop: float = 0.15) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.taps = nn.Parameter(torch.randn(TAPS, width) / TAPS**0.5)
        self.gated = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.dilation = dilation
        self.drop = LockedDropout(drop)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """X (n, tokens, width), mask (n, tokens) of 0 and 1."""
        length, reach = x.shape[1], TAPS // 2 * self.dilation
        padded = functional.pad(self.norm(x) * mask.unsqueeze(-1), (0, 0, reach, reach))
        mixed = sum(padded[:, i * self.dilation : i * self.dilation + length] * self.taps[i] for i in range(TAPS))
        value, gate = self.gated(mixed).chunk(2, -1)
        return x + self.drop(self.out(value * torch.sigmoid(gate)))


class Attention(nn.Module):
    """Self-attention, with a residual connection; the convolutions around it know what is near."""

    def __init__(self, width: int, drop: float = 0.15) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.drop = LockedDropout(drop)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        n, length, width = x.shape
        q, k, v = self.qkv(self.norm(x)).view(n, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask.bool()[:, None, None, :])
        return x + self.drop(self.out(mixed.transpose(1, 2).reshape(n, length, width)))


class Transformer(nn.Module):
    """A layer of self-attention and one of a wide perceptron."""

    def __init__(self, width: int, drop: float = 0.15) -> None:
        super().__init__()
        self.attention = Attention(width, drop)
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.wide, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = LockedDropout(drop)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention(x, mask)
        return x + self.drop(self.out(functional.gelu(self.wide(self.norm(x)))))


class Reader(nn.Module):
    """Start, end and sentence scores, and that of "not here", for passages with one question each."""

    def __init__(self, shape: Shape, table: np.ndarray, characters: np.ndarray, own: np.ndarray) -> None:
        """`table` (vocabulary, dim) of the embedder; `characters` (vocabulary, 4) and `own` (vocabulary,) are rows."""
        super().__init__()
        d = shape.width
        wide = torch.from_numpy(table.astype(np.float32))
        norm = wide.norm(dim=1, keepdim=True)
        self.register_buffer("words", wide / (norm + 1e-6), persistent=False)
        self.register_buffer("weight", torch.log(norm + 1e-3), persistent=False)
        self.register_buffer("character_rows", torch.from_numpy(characters.astype(np.int64)), persistent=False)
        self.register_buffer("own_rows", torch.from_numpy(own.astype(np.int64)), persistent=False)
        self.characters = nn.Embedding(int(characters.max()) + 1, CHARACTER_WIDTH, padding_idx=0)
        self.own = nn.Embedding(int(own.max()) + 1, OWN_WIDTH, padding_idx=0)
        nn.init.normal_(self.characters.weight, std=0.1)
        nn.init.normal_(self.own.weight, std=0.1)
        self.token = nn.Linear(table.shape[1] + 1 + CHARACTERS_A_TOKEN * CHARACTER_WIDTH + OWN_WIDTH, d)
        self.features = nn.Linear(len(TOKEN_FEATURES), d)
        self.sentence = nn.Linear(len(SENTENCE_INPUTS), d)
        self.kind = nn.Linear(len(QUESTION_INPUTS), d)
        self.asked = nn.Parameter(torch.zeros(d))
        self.encoder = nn.ModuleList([Convolution(d), Convolution(d, 2)])
        self.similar = nn.Linear(d, d, bias=False)
        self.cosine = nn.Parameter(torch.tensor(4.0))
        self.mix = nn.Linear(4 * d + 1 + len(TOKEN_FEATURES), d)
        self.body = nn.ModuleList(
            [Convolution(d), Convolution(d, 3), Attention(d), Convolution(d), Convolution(d, 4)]
            if shape.body == "conv"
            else [Transformer(d), Transformer(d)]
        )
        self.norm = nn.RMSNorm(d, eps=1e-5)
        self.ends = nn.Linear(d, 2)
        self.sentence_score = nn.Linear(len(SENTENCE_INPUTS), 1, bias=False)
        self.none = nn.Linear(d, d)
        self.none_score = nn.Linear(d + len(PASSAGE_INPUTS) + len(QUESTION_INPUTS), 1)
        self.drop = LockedDropout(0.25)

    def tokens(self, ids: Tensor) -> Tensor:
        """What each token is by itself."""
        own = self.own(self.own_rows[ids])
        if self.training:  # by these it learned its questions by heart
            own = own * (torch.rand(*ids.shape, 1) > OWN_LEFT_OUT)
        parts = [self.words[ids], self.weight[ids], self.characters(self.character_rows[ids]).flatten(-2), own]
        return self.drop(self.token(torch.cat(parts, -1)))

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of starts and ends (n, tokens, 2), of "not here" (n,), and of sentences by their features (n, s)."""
        question, asked_mask = batch["question"], batch["question_mask"]
        ids, mask, features = batch["ids"], batch["mask"], batch["token_features"]
        kind = self.kind(batch["question_features"]).unsqueeze(1)
        sentence = self.sentence(batch["sentence_features"])
        of = batch["sentence_of"].unsqueeze(-1).expand(-1, -1, sentence.shape[-1])
        q = self.tokens(question) + self.asked + kind
        c = self.tokens(ids) + self.features(features) + kind + sentence.gather(1, of)
        for layer in self.encoder:
            q, c = layer(q, asked_mask), layer(c, mask)
        outside = (1 - asked_mask).unsqueeze(1) * NOWHERE
        cosines = self.words[ids] @ self.words[question].transpose(1, 2) + outside
        alike = self.similar(c) @ q.transpose(1, 2) / math.sqrt(q.shape[-1]) + self.cosine * cosines
        aligned = (alike + outside).softmax(-1) @ q
        peak = (alike + outside).max(-1).values + (1 - mask) * NOWHERE
        about = peak.softmax(-1).unsqueeze(1) @ c
        x = self.mix(
            torch.cat([c, aligned, c * aligned, c * about, cosines.max(-1).values.unsqueeze(-1), features], -1)
        )
        for layer in self.body:
            x = layer(x, mask)
        x = self.norm(x)
        ends = self.ends(x) + ((1 - mask + features[:, :, HEAD]) * NOWHERE).unsqueeze(-1)
        pooled = (self.none(x) + ((1 - mask) * NOWHERE).unsqueeze(-1)).max(1).values
        whole = torch.cat([pooled, batch["passage_features"], batch["question_features"]], -1)
        return ends, self.none_score(whole).squeeze(-1), self.sentence_score(batch["sentence_features"]).squeeze(-1)


def sentence_scores(ends: Tensor, by_features: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """The score of each sentence, (n, s): that of all its starts and of all its ends, and that of its features."""
    of, count = batch["sentence_of"], by_features.shape[1]
    peak = ends.amax(1, keepdim=True).detach()
    powers = torch.exp(ends - peak) * batch["mask"].unsqueeze(-1)
    sums = torch.zeros(len(ends), count, 2).scatter_add(1, of.unsqueeze(-1).expand(-1, -1, 2), powers)
    logs = torch.log(sums + 1e-9) + peak
    return logs.sum(-1) + by_features + (1 - batch["sentence_mask"]) * NOWHERE
