"""What the reader found in a passage."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LONGEST_SPAN = 40  # tokens, about 60 characters
_HALF_WORTH = 6.0


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a sentence that answer best, in characters of its folded text, and how likely just they do."""

    start: int
    end: int
    certainty: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader found in a passage. The scores are log-odds against "not here": above 0 it answers."""

    sentences: npt.NDArray[np.float32]  # of each sentence
    worth: float  # that any of them answers
    ends: npt.NDArray[np.float32]  # log-probability of each token as the first and the last of the answer
    spans: npt.NDArray[np.int32]  # of each token in the folded text of its sentence
    sentence_of: npt.NDArray[np.int32]  # of each token

    def words(self, sentence: int) -> Words | None:
        """The best words of a sentence; None if no token stands in it."""
        mine = np.flatnonzero(self.sentence_of == sentence)
        if not len(mine):
            return None
        ones = np.ones((len(mine), len(mine)), bool)
        sums = self.ends[mine, 0][:, None] + self.ends[mine, 1]
        sums = np.where(np.triu(ones) & ~np.triu(ones, _LONGEST_SPAN), sums, -np.inf)
        first, last = divmod(int(sums.argmax()), len(mine))
        start, end = self.spans[mine[first], 0], self.spans[mine[last], 1]
        return Words(int(start), int(end), math.exp(sums[first, last]))

    @property
    def squashed(self) -> float:
        """`worth` within -1..1, so that one passage cannot outweigh everything else that is known."""
        return math.tanh(self.worth / _HALF_WORTH)
