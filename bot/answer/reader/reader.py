"""Reads the best passages: which sentence of each answers the question, which words of it, or that none does.

The network is trained by `scripts/train_reader.py` on people's questions with marked answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.answer.features import QueryFeatures, passage_features
from bot.answer.reader.inputs import Inputs, inputs
from bot.answer.reader.network import Network, Scores
from bot.answer.reader.reading import Reading
from bot.index.embedder import BUNDLED_FOLDER, StaticEmbedder
from bot.types import Embedder, Passage

SHIPPED = Path(__file__).parents[2] / "model" / "reader" / "model.safetensors"
_MOST_TOKENS = 800  # of a passage; passages have about 320, only those without any known word have more


class Reader:
    """The trained reader; reads each passage by itself, whatever else there is."""

    def __init__(self, file: Path = SHIPPED, embedder: StaticEmbedder | None = None) -> None:
        """Load the network. Raises OSError, ValueError or KeyError if the file is missing or damaged."""
        _one_thread()
        self._words = embedder or StaticEmbedder(BUNDLED_FOLDER)
        self._network = Network(file, self._words)

    def read(self, asked: QueryFeatures, passages: Sequence[Passage]) -> list[Reading | None]:
        """A reading of each passage, made once per query; None for one that it cannot read."""
        new = [one for one in dict.fromkeys(passages) if one not in asked.read]
        if new:
            asked.read.update(zip(new, self._read(asked, new), strict=True))
        return [asked.read[one] for one in passages]

    def _read(self, asked: QueryFeatures, passages: Sequence[Passage]) -> list[Reading | None]:
        x = inputs(asked, passage_features(asked, passages), self._words)
        sizes = np.bincount(x.passage_of[x.sentence_of], minlength=len(passages))
        if not len(x.question) or not sizes.all() or sizes.max() > _MOST_TOKENS:
            readable = [one for one, size in zip(passages, sizes, strict=True) if 0 < size <= _MOST_TOKENS]
            if not len(x.question) or not readable:
                return [None] * len(passages)
            found = dict(zip(readable, self._read(asked, readable), strict=True))
            return [found.get(one) for one in passages]
        scores = self._network.scores(x)
        return [_reading(x, scores, number) for number in range(len(passages))]


def _one_thread() -> None:
    """Let numpy multiply matrices in one thread: the reader's are so small that a busy machine pays for any other.

    Beside a program that used both cores, two threads took 918 ms a question and one took 27.
    """
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    for library in ThreadpoolController().select(internal_api="openblas").lib_controllers:
        if "numpy" in library.filepath:
            library.set_num_threads(1)


def _reading(x: Inputs, scores: Scores, passage: int) -> Reading:
    first, last = np.searchsorted(x.passage_of, [passage, passage + 1])
    first += 1  # its head, which is not part of its text
    a, b = np.searchsorted(x.sentence_of, [first, last])
    none = scores.none[passage]
    sentences = scores.sentences[first:last] - 2 * none
    ends = scores.ends[a:b]
    totals = np.logaddexp(np.logaddexp.reduce(ends, axis=0), none)
    worth = float(np.logaddexp.reduce(sentences))
    return Reading(sentences, worth, ends - totals, x.spans[a:b], x.sentence_of[a:b] - np.int32(first))


def load_reader(embedder: Embedder) -> tuple[Reader | None, str]:
    """The shipped reader and "", or None and why there is none: an answer then rests on the weights set by hand."""
    try:
        return Reader(SHIPPED, embedder if isinstance(embedder, StaticEmbedder) and embedder.bundled else None), ""
    except Exception as error:  # safetensors raises bare exceptions for a damaged file
        return None, (
            f"{SHIPPED} 不可用，改用手设的权重 / unusable, using the weights set by hand: {error} → "
            "pip install --force-reinstall --no-deps wenqu"
        )
