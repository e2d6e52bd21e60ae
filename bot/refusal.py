"""Answer or decline: one calibrated confidence from raw signals, never from a fused rank score.

The weights are fitted by `scripts/calibrate.py` on questions with and without an answer in the corpus.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

from bot.evidence import Marked
from bot.ranker import coverage
from bot.text import fold, is_chinese
from bot.types import Hit, Query

WEIGHTS = Path(__file__).parent / "model" / "refusal" / "weights.json"
SIGNALS = ("passage_coverage", "sentence_coverage", "cosine", "rarest_missing")


def signals(query: Query, hit: Hit, marked: Marked) -> dict[str, float]:
    """The raw signals of the best hit, each about 0 to 1; the same for a corpus of one article and of a million."""
    passage = fold(f"{hit.passage.title}\n{hit.passage.heading}\n{hit.passage.text}")
    missing = [term.rarity * (1 - coverage(Query("", "", (term,), ""), passage)) for term in query.terms]
    return {
        "passage_coverage": coverage(query, passage),
        "sentence_coverage": marked.overlap,
        "cosine": hit.dense or 0.0,
        "rarest_missing": max(missing, default=1.0),
    }


def confidence(query: Query, hits: list[Hit], marked: Marked | None) -> float:
    """The probability, 0 to 1, that the first hit answers the query: a logistic function of its signals."""
    if not hits or marked is None or not query.terms:
        return 0.0
    # A bridged question never covers a passage as a Chinese one does, so each language has weights of its own.
    weights = _weights()["zh" if is_chinese(query.text) else "en"]
    found = signals(query, hits[0], marked)
    total = weights["bias"] + sum(weights[name] * found[name] for name in SIGNALS)
    return 1.0 / (1.0 + math.exp(-total))


@cache
def _weights() -> dict[str, dict[str, float]]:
    weights: dict[str, dict[str, float]] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return weights
