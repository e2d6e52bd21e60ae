"""Answer or decline: one calibrated confidence from raw signals, never from a fused rank score.

The weights are fitted by `scripts/calibrate.py` on questions with and without an answer in the corpus.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bot.evidence import Marked
from bot.ranker import PASSAGE_FEATURES, SENTENCE_FEATURES, coverage, held
from bot.text import fold, language
from bot.types import Hit, Query

WEIGHTS = Path(__file__).parent / "model" / "refusal" / "weights.json"
Weights = Mapping[str, Mapping[str, float]]  # language -> signal -> weight
SIGNALS = ("coverage", "sentence", "pairs", "run", "cosine", "rarest_missing", "number_missing")


def signals(query: Query, hit: Hit, marked: Marked) -> dict[str, float]:
    """The raw signals of the best hit, each about 0 to 1; the same for a corpus of one article and of a million."""
    passage = fold(f"{hit.passage.title}\n{hit.passage.heading}\n{hit.passage.text}")
    missing = [(term, 1 - held(term.alternatives, passage)) for term in query.terms]
    sentence = dict(zip(SENTENCE_FEATURES, marked.reading.sentence_features[marked.best], strict=True))
    read = dict(zip(PASSAGE_FEATURES, marked.reading.passage_features, strict=True))
    return {
        "coverage": coverage(query, passage),
        "sentence": float(sentence["overlap"] + sentence["stand_in"]),
        "pairs": float(sentence["pairs"]),
        "run": math.sqrt(read["phrase"]),
        "cosine": hit.dense or 0.0,
        "rarest_missing": max((term.rarity * share for term, share in missing), default=1.0),
        # 2023年奥斯卡 is not answered by the Oscars of 2002, however much else they share.
        "number_missing": max((share for term, share in missing if term.source[0].isdigit()), default=0.0),
    }


def confidence(query: Query, hits: list[Hit], marked: Marked | None, weights: Weights) -> float:
    """The probability, 0 to 1, that the first hit answers the query: a logistic function of its signals."""
    if not hits or marked is None or not query.terms:
        return 0.0
    # A bridged question never covers a passage as a Chinese one does, so each language has weights of its own.
    own = weights[language(query.folded)]
    found = signals(query, hits[0], marked)
    total = own["bias"] + sum(own[name] * found[name] for name in SIGNALS)
    return 1.0 / (1.0 + math.exp(-total))


@cache
def shipped_weights() -> Weights:
    """The weights that `scripts/calibrate.py` fitted."""
    weights: Weights = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return weights


def own_weights_file(index: Path) -> Path:
    """Where `wenqu calibrate` keeps the weights of a user's own corpus."""
    return index / "refusal.json"


def load_weights(index: Path) -> tuple[Weights, str]:
    """The weights fitted to this corpus, else the shipped ones; and what is wrong with the former ("": nothing).

    A damaged file costs the refit, never the answer.
    """
    try:
        weights: Weights = json.loads(own_weights_file(index).read_text(encoding="utf-8"))
        complete = all(isinstance(weights[x][name], float | int) for x in ("zh", "en") for name in ("bias", *SIGNALS))
        return (weights, "") if complete else (shipped_weights(), _damaged(index))
    except FileNotFoundError:
        return shipped_weights(), ""
    except (OSError, ValueError, KeyError, TypeError):
        return shipped_weights(), _damaged(index)


def _damaged(index: Path) -> str:
    return (
        f"{own_weights_file(index)} 不可用,使用自带的权重 / cannot be used, the shipped one is → wenqu calibrate FOLDER"
    )
