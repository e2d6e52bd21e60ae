"""Fit the refusal's confidence to questions that a corpus answers and questions that it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot import evidence, refusal, retriever
from bot.bridge import understand
from bot.errors import CorpusError
from bot.evaluation import Question, auroc
from bot.pipeline import Bot
from bot.ranker import Asked
from bot.text import language

# Fewer questions of a class than this say too little to move the shipped weights.
MIN_QUESTIONS = 10
# How strongly a refit is drawn to the weights it starts from: 20 questions move them a little, 2,000 freely.
PENALTY = 0.5
Array = npt.NDArray[np.float64]
Observations = Sequence[tuple[Mapping[str, float], bool]]  # signals, and whether the corpus answers


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights of one language, and how they do in cross-validation at the threshold that was asked for."""

    weights: dict[str, float]
    answerable: int
    unanswerable: int
    auroc: float
    false_refusal: float
    false_answer: float
    guesses: tuple[tuple[float, bool], ...]


def observe(bot: Bot, questions: Sequence[tuple[str, bool]]) -> dict[str, list[tuple[Mapping[str, float], bool]]]:
    """Language -> the raw signals of each question's first hit, and whether the corpus answers it."""
    found: dict[str, list[tuple[Mapping[str, float], bool]]] = {"zh": [], "en": []}
    index = bot.index
    for text, answerable in questions:
        query = understand(text, index.store.names, index.dictionary)
        asked = Asked.of(query)
        vector = retriever.query_vector(query, bot.embedder)
        hits = retriever.search(index, asked, vector, 1)
        if hits and query.terms:
            (marked,) = evidence.mark(asked, [hits[0].passage], vector, bot.embedder)
            found[language(query.folded)].append((refusal.signals(query, hits[0], marked), answerable))
    return found


def fit(
    observations: Observations, start: Mapping[str, float] | None = None, threshold: float = 0.5, folds: int = 5
) -> Fit:
    """A logistic regression with balanced classes, drawn to `start`; its figures are of held-out folds.

    Raises CorpusError when either class has fewer than 10 questions.
    """
    x: Array = np.array([[1.0, *(signals[name] for name in refusal.SIGNALS)] for signals, _ in observations])
    y = np.array([answerable for _, answerable in observations], dtype=bool)
    if min(y.sum(), (~y).sum()) < MIN_QUESTIONS:
        raise CorpusError(
            f"问题太少: {int(y.sum())} 个有答案,{int((~y).sum())} 个没有答案",
            f"each kind of question needs at least {MIN_QUESTIONS}",
            "add questions, those without an answer with an empty evidence_any",
        )
    begin = np.array([(start or {}).get(name, 0.0) for name in ("bias", *refusal.SIGNALS)])
    fold = np.random.default_rng(0).permutation(len(y)) % folds
    guesses = np.zeros(len(y))
    for held_out in range(folds):
        weights = _minimise(x[fold != held_out], y[fold != held_out], begin)
        guesses[fold == held_out] = _sigmoid(x[fold == held_out] @ weights)
    weights = _minimise(x, y, begin)
    yes, no = guesses[y], guesses[~y]
    return Fit(
        dict(zip(("bias", *refusal.SIGNALS), (round(float(w), 4) for w in weights), strict=True)),
        len(yes),
        len(no),
        auroc(list(yes), list(no)) or 0.0,
        float(np.mean(yes < threshold)),
        float(np.mean(no >= threshold)),
        tuple(zip(guesses.tolist(), y.tolist(), strict=True)),
    )


def _sigmoid(z: Array) -> Array:
    result: Array = 1.0 / (1.0 + np.exp(-np.clip(z, -50, 50)))
    return result


def _minimise(x: Array, y: npt.NDArray[np.bool_], begin: Array) -> Array:
    """The weights of the least log loss, each class counting as much as the other."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    share = np.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum()))

    def loss(weights: Array) -> tuple[float, Array]:
        z = x @ weights
        value = share @ np.logaddexp(0, np.where(y, -z, z)) + PENALTY * np.sum((weights - begin) ** 2)
        slope = x.T @ (share * (_sigmoid(z) - y)) + 2 * PENALTY * (weights - begin)
        return float(value), slope

    # What speaks for an answer never lowers the confidence and what is missing never raises it, whatever a sample says.
    bounds = [(None, None), *((None, 0) if name.endswith("_missing") else (0, None) for name in refusal.SIGNALS)]
    found: Array = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found


def recalibrate(bot: Bot, questions: Sequence[Question]) -> dict[str, Fit]:
    """Refit to a user's own questions and keep the weights beside the index, where the bot finds them.

    A language with too few questions keeps the shipped weights. Raises CorpusError when that is so for both.
    """
    observed = observe(bot, [(question.text, bool(question.evidence)) for question in questions])
    fits: dict[str, Fit] = {}
    problem: CorpusError | None = None
    for name, observations in sorted(observed.items(), key=lambda item: -len(item[1])):
        try:
            fits[name] = fit(observations, refusal.shipped_weights()[name], bot.settings.threshold)
        except CorpusError as error:
            problem = problem or error
    if not fits and problem is not None:
        raise problem
    weights = {**refusal.shipped_weights(), **{name: fitted.weights for name, fitted in fits.items()}}
    file = refusal.own_weights_file(bot.settings.index)
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")
    temporary.replace(file)
    return fits
