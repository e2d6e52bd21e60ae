"""Fits the confidence for refusals to questions that a corpus answers and questions that it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.answer import evidence, refusal, retrieve
from bot.answer.query import understand
from bot.errors import CorpusError
from bot.evaluation import Question, auroc
from bot.pipeline import Bot
from bot.text.fold import language

# With fewer questions of a class, the shipped weights are not changed.
MIN_QUESTIONS = 10
# How strongly a fit is pulled towards its starting weights: a few questions change them a little, thousands a lot.
PENALTY = 0.5
Array = npt.NDArray[np.float64]
Observations = Sequence[tuple[Mapping[str, float], bool]]  # signals, and whether the corpus answers


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights for one language, and how they perform in cross-validation at the given threshold.

    `guesses` pairs each held-out confidence with whether the question is answerable.
    """

    weights: dict[str, float]
    answerable: int
    unanswerable: int
    auroc: float
    false_refusal: float
    false_answer: float
    guesses: tuple[tuple[float, bool], ...]


def observe(bot: Bot, questions: Sequence[tuple[str, bool]]) -> dict[str, list[tuple[Mapping[str, float], bool]]]:
    """Language -> for each question, the raw signals of its first hit and whether the corpus answers it."""
    found: dict[str, list[tuple[Mapping[str, float], bool]]] = {"zh": [], "en": []}
    index = bot.live.get()
    for text, answerable in questions:
        query = understand(text, index.store.names, index.dictionary)
        vector = retrieve.query_vector(query, bot.embedder)
        asked, candidates = retrieve.looked_up(index, query, vector)
        hits = retrieve.ranked(index, asked, candidates, 1, bot.reader)
        if hits and query.terms:
            (marked,) = evidence.mark(asked, [hits[0].passage], vector, bot.embedder, bot.reader)
            found[language(query.folded)].append((refusal.signals(asked.query, hits[0], marked), answerable))
    return found


def fit(
    observations: Observations,
    start: Mapping[str, float] | None = None,
    threshold: float = 0.5,
    folds: int = 5,
    names: Sequence[str] = refusal.SIGNALS,
) -> Fit:
    """A logistic regression with balanced classes, regularised towards `start`, with figures from held-out folds.

    A signal that an observation lacks counts as 0.

    Raises CorpusError if either class has fewer than 10 questions.
    """
    x: Array = np.array([[1.0, *(signals.get(name, 0.0) for name in names)] for signals, _ in observations])
    y = np.array([answerable for _, answerable in observations], dtype=bool)
    if min(y.sum(), (~y).sum()) < MIN_QUESTIONS:
        raise CorpusError(
            f"问题太少：{int(y.sum())} 个有答案，{int((~y).sum())} 个没有答案",
            f"each kind of question needs at least {MIN_QUESTIONS}",
            "add questions; leave evidence_any empty for those without an answer",
        )
    begin = np.array([(start or {}).get(name, 0.0) for name in ("bias", *names)])
    fold = np.random.default_rng(0).permutation(len(y)) % folds
    guesses = np.zeros(len(y))
    for held_out in range(folds):
        weights = _minimise(x[fold != held_out], y[fold != held_out], begin, names)
        guesses[fold == held_out] = _sigmoid(x[fold == held_out] @ weights)
    weights = _minimise(x, y, begin, names)
    yes, no = guesses[y], guesses[~y]
    return Fit(
        dict(zip(("bias", *names), (round(float(w), 4) for w in weights), strict=True)),
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


def _minimise(x: Array, y: npt.NDArray[np.bool_], begin: Array, names: Sequence[str]) -> Array:
    """The weights with the least log loss, with both classes weighted equally."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    share = np.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum()))

    def loss(weights: Array) -> tuple[float, Array]:
        z = x @ weights
        value = share @ np.logaddexp(0, np.where(y, -z, z)) + PENALTY * np.sum((weights - begin) ** 2)
        slope = x.T @ (share * (_sigmoid(z) - y)) + 2 * PENALTY * (weights - begin)
        return float(value), slope

    # Whatever a sample says, evidence must never lower the confidence and missing terms must never raise it.
    bounds = [(None, None), *((None, 0) if name.endswith("_missing") else (0, None) for name in names)]
    found: Array = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found


def recalibrate(bot: Bot, questions: Sequence[Question]) -> dict[str, Fit]:
    """Fit the weights to a user's own questions and store them in the index folder, where the bot finds them.

    A language with too few questions keeps the shipped weights; raises CorpusError if both have too few.
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
