"""Engines on a server: they may also store the terms of passages, and their collections can outlive an index folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from bot.errors import EngineDown
from bot.index.engines import engine_of, vectors_file
from bot.index.lexical import Fields
from bot.settings import Settings
from bot.text.terms import content_bigrams
from bot.types import Query, Rows, Vectors


@runtime_checkable
class LexicalEngine(Protocol):
    """What an engine offers in addition to Engine if it also stores the terms of passages.

    Only the order of its results is used; the scores for fusion, ranking and refusal are computed here.
    """

    def holds_words(self) -> bool:
        """False if the server is too old for the lexical leg."""
        ...

    def add_passages(self, vectors: Vectors, terms: Sequence[Sequence[str]]) -> None:
        """Append vectors and the terms of their passages."""
        ...

    def search_fused(self, query: Vectors, terms: Sequence[str], k: int) -> Rows:
        """The `k` best rows of each leg, fused by rank, best first."""
        ...

    @classmethod
    def drop(cls, state: bytes) -> None:
        """Remove the collection that is named in `state`, a file written by `save`. Raises EngineDown."""
        ...


def collections_of(settings: Settings) -> dict[Path, bytes]:
    """File -> content of the files that name this index's collections on the server, also of interrupted runs."""
    if not issubclass(engine_of(settings), LexicalEngine):
        return {}
    name = vectors_file(Path(), settings.engine).name
    files = [file for pattern in ("gen-*", ".building-*") for file in settings.index.glob(f"{pattern}/{name}")]
    return {file: file.read_bytes() for file in files}


def drop_gone(settings: Settings, held: dict[Path, bytes]) -> None:
    """Remove from the server the collections of folders that are gone; if it is down, the next run will."""
    for file, state in held.items():
        if file.exists():
            continue
        engine = engine_of(settings)
        assert issubclass(engine, LexicalEngine)
        try:
            engine.drop(state)
        except EngineDown:
            later = settings.index / f".building-dropped-{file.parent.name.removeprefix('.building-')}"
            later.mkdir(exist_ok=True)
            (later / file.name).write_bytes(state)


def passage_terms(fields: Fields) -> list[str]:
    """All terms of a passage in one list, for an engine with a single field; bigrams are marked as such."""
    return f"{fields.title} {fields.heading} {fields.file} {fields.body}".split() + [
        _gram(pair) for pair in fields.grams.split()
    ]


def query_terms(query: Query) -> list[str]:
    """The terms that such an engine searches for: every alternative of every word, and the bigrams."""
    words = [alternative.replace(" ", "_") for term in query.terms for alternative in term.alternatives]
    return [*words, *map(_gram, content_bigrams(query.translated))]


def _gram(pair: str) -> str:
    return f"g{pair}"
