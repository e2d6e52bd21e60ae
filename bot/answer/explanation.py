"""Why each passage ranks where it does: the terms it contains, each leg's rank and score, the confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.answer.features import holds
from bot.text.fold import fold
from bot.types import Answer, Hit, Passage, Query, Term, hit_to_dict


@dataclass(frozen=True, slots=True)
class Match:
    """A term of the query that a passage contains: as which `alternative`, and in which fields."""

    term: Term
    alternative: str
    fields: tuple[str, ...]  # of body, title, heading


@dataclass(frozen=True, slots=True)
class ExplainedHit:
    """A hit with the terms that it contains and those that it lacks."""

    hit: Hit
    matches: tuple[Match, ...]
    missing: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The hits for a question, explained, together with the outcome of `Bot.ask`.

    The bot refuses if `confidence`, which is that of the first hit, is below `threshold`. `mode`, `standalone` and
    `degraded` are those of the answer.
    """

    query: str
    terms: tuple[Term, ...]
    hits: tuple[ExplainedHit, ...]
    confidence: float
    threshold: float
    refused: bool
    generation: str
    mode: str
    standalone: str
    degraded: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The one JSON shape of an explanation, for every surface."""
        return {
            "query": self.query,
            "terms": [_term_to_dict(term) for term in self.terms],
            "hits": [_explained_to_dict(explained) for explained in self.hits],
            "confidence": round(self.confidence, 4),
            "threshold": self.threshold,
            "refused": self.refused,
            "generation": self.generation,
            "mode": self.mode,
            "standalone": self.standalone,
            "degraded": dict(self.degraded),
        }


def explained(query: Query, hits: Sequence[Hit], answer: Answer, threshold: float) -> Explanation:
    """Why the hits of an answer rank where they do."""
    return Explanation(
        answer.query,
        query.terms,
        tuple(ExplainedHit(hit, *matches(query, hit.passage)) for hit in hits),
        answer.confidence,
        threshold,
        answer.refused,
        answer.generation,
        answer.mode,
        answer.standalone,
        answer.degraded,
    )


def matches(query: Query, passage: Passage) -> tuple[tuple[Match, ...], tuple[Term, ...]]:
    """The terms of the query that a passage contains, each as its heaviest alternative there, and those that it lacks.

    Terms are matched as for the confidence: Chinese ones anywhere, Latin ones as whole words.
    """
    fields = {"body": fold(passage.text), "title": fold(passage.title), "heading": fold(passage.heading)}
    fields["file"] = fold(passage.file)
    found: list[Match] = []
    missing: list[Term] = []
    for term in query.terms:
        for alternative in sorted(term.alternatives, key=lambda name: -term.alternatives[name]):
            held = tuple(field for field, text in fields.items() if holds(text, alternative))
            if held:
                found.append(Match(term, alternative, held))
                break
        else:
            missing.append(term)
    return tuple(found), tuple(missing)


def _term_to_dict(term: Term) -> dict[str, Any]:
    weights = {alternative: round(weight, 4) for alternative, weight in term.alternatives.items()}
    return {"source": term.source, "alternatives": weights, "rarity": round(term.rarity, 4)}


def _explained_to_dict(explained: ExplainedHit) -> dict[str, Any]:
    return {
        **hit_to_dict(explained.hit),
        "matches": [
            {
                "source": match.term.source,
                "alternative": match.alternative,
                "weight": round(match.term.alternatives[match.alternative], 4),
                "rarity": round(match.term.rarity, 4),
                "fields": list(match.fields),
            }
            for match in explained.matches
        ],
        "missing": [term.source for term in explained.missing],
    }
