"""Decides whether to answer or refuse, by a calibrated confidence from raw signals, never from a fused rank score.

The weights are fitted by `scripts/calibrate.py` on questions with and without an answer in the corpus.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bot.answer.evidence import Marked
from bot.answer.features import PASSAGE_FEATURES, SENTENCE_FEATURES, coverage, held, letters
from bot.text.fold import fold, language
from bot.types import Hit, Query, Term

FOLDER = Path(__file__).parents[1] / "model" / "refusal"
WEIGHTS, WITHOUT_READER = FOLDER / "weights.json", FOLDER / "without_reader.json"
Weights = Mapping[str, Mapping[str, float]]  # language -> signal -> weight
# The confidence, at least, in what stands below a heading that asks the same: ### 电子发票要打印吗?
_AS_HEADING = 0.9
BY_WORDS = ("coverage", "sentence", "pairs", "run", "cosine", "rarest_missing", "number_missing")
BY_READER = ("worth", "words")
SIGNALS = (*BY_WORDS, *BY_READER)


def signals(query: Query, hit: Hit, marked: Marked) -> dict[str, float]:
    """The raw signals of the best hit, each roughly 0 to 1; they do not depend on the size of the corpus.

    Those of the reader, -1 to 1 and 0 to 1, are there if it read the passage.
    """
    passage = fold(f"{hit.passage.about}\n{hit.passage.text}")
    missing = [(term, 1 - held(term.alternatives, passage)) for term in query.terms]
    sentence = dict(zip(SENTENCE_FEATURES, marked.features.sentence_features[marked.best], strict=True))
    read = dict(zip(PASSAGE_FEATURES, marked.features.passage_features, strict=True))
    found = {
        "coverage": coverage(query, passage),
        "sentence": float(sentence["overlap"] + sentence["stand_in"]),
        "pairs": float(sentence["pairs"]),
        "run": math.sqrt(read["phrase"]),
        "cosine": hit.dense or 0.0,
        "rarest_missing": max((term.rarity * share for term, share in missing), default=1.0),
        # A question about 2023年奥斯卡 is not answered by the Oscars of 2002, however similar the rest is.
        "number_missing": max((share for term, share in missing if _is_number(term)), default=0.0),
    }
    if marked.read is not None:
        found |= {"worth": marked.read.squashed, "words": marked.words.certainty if marked.words else 0.0}
    return found


def confidence(query: Query, hits: list[Hit], marked: Marked | None, weights: Weights) -> float:
    """The probability, 0 to 1, that the first hit answers the query, as a logistic function of its signals."""
    if not hits or marked is None or not query.terms:
        return 0.0
    found = signals(query, hits[0], marked)
    # A bridged question never matches a passage as well as a Chinese one, so each language has its own weights.
    spoken = language(query.folded)
    by_words = _probability(shipped_weights(WITHOUT_READER)[spoken], found)
    if marked.read is None:
        return by_words
    read = _probability(weights[spoken], found)
    if letters(fold(hits[0].passage.heading)) == letters(query.folded):
        return max(read, _AS_HEADING)
    # The words judge a field or a numbered part that the question names: the reader gives a lone line too little.
    return max(read, by_words) if marked.named else read


def _is_number(term: Term) -> bool:
    return term.number or term.source[0].isdecimal()


def _probability(weights: Mapping[str, float], found: Mapping[str, float]) -> float:
    total = sum(weight * found.get(name, 1.0 if name == "bias" else 0.0) for name, weight in weights.items())
    return 1.0 / (1.0 + math.exp(-total))


@cache
def shipped_weights(file: Path = WEIGHTS) -> Weights:
    """The weights fitted by `scripts/calibrate.py`, for passages that the reader read or for others."""
    weights: Weights = json.loads(file.read_text(encoding="utf-8"))
    return weights


def own_weights_file(index: Path) -> Path:
    """The file in which `wenqu calibrate` stores the weights for a user's own corpus."""
    return index / "refusal.json"


def load_weights(index: Path) -> tuple[Weights, str]:
    """The weights fitted to this corpus, else the shipped ones, and the problem with the former ("" if none).

    A damaged file never stops an answer.
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
        f"{own_weights_file(index)} 不可用，改用自带的权重 / unusable; using the shipped one → wenqu calibrate FOLDER"
    )
