"""What the features of a sentence are worth by weights that were set by hand.

They judge evidence where there is no reader, and are one of the reader's inputs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.answer.features import SENTENCE_FEATURES
from bot.text.answer_type import TYPES

# Fitting them without labelled sentences always lost evidence F1
# (scripts/EXPERIMENTS.md, Evidence). What distinguishes articles does not distinguish sentences.
WEIGHTS = {
    "overlap": 1.0,
    "pairs": 1.0,
    "local": 3.0,
    "local_pairs": 2.0,
    "before": 1.5,
    "topic": 0.6,
    "answers": 3.0,
    "question": -3.0,
    "measured": 1.5,
    **{f"type:{name}": 0.6 for name in TYPES},
}
_WEIGHTS = np.array([WEIGHTS.get(name, 0.0) for name in SENTENCE_FEATURES])


def worth(sentence_features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What the features of each sentence are worth by the weights set by hand, shape (sentences,)."""
    points: npt.NDArray[np.float64] = sentence_features @ _WEIGHTS
    return points
