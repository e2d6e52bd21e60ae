"""The lexical leg: BM25 over four fields of every passage, by tantivy, over terms that bot.text cut.

tantivy cuts nothing itself: its fields are split at white space only, so that index and query always agree.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import tantivy

from bot.dictionary import NO_DICTIONARY, Dictionary
from bot.errors import IndexDamaged, IndexUnwritable
from bot.text import bigrams, content_bigrams, fold
from bot.types import Passage, Query

# What a match in a field is worth (table in scripts/EXPERIMENTS.md). `grams` holds the bigrams of the text and is the
# safety net for words that jieba cuts in another way here than there.
FIELD_WEIGHTS = {"body": 1.0, "title": 0.4, "heading": 0.4}
GRAM_WEIGHT = 0.35
_ANALYZER = "terms"
_HEAP_BYTES = 64 * 1024 * 1024
_REMEMBERED = 65_536  # document frequencies, some 10 MB


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", fast=True, indexed=True)
    for field in (*FIELD_WEIGHTS, "grams"):
        builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()


def _register(index: tantivy.Index) -> tantivy.Index:
    index.register_tokenizer(_ANALYZER, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    return index


def _tokens(terms: list[str]) -> str:
    """Terms as tantivy's field takes them; a word of the dictionary may hold blanks, but is one token."""
    return " ".join(term.replace(" ", "_") for term in terms)


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """What tantivy says about a disk that is full or broken, as our error."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise IndexUnwritable(folder, error) from error


@dataclass(frozen=True, slots=True)
class Fields:
    """A passage as tantivy takes it: the tokens of each field, blanks between them."""

    body: str
    title: str
    heading: str
    grams: str

    @classmethod
    def of(cls, passage: Passage, dictionary: Dictionary = NO_DICTIONARY) -> Fields:
        """The fields of a passage; `dictionary` holds the words that are cut whole."""
        folded = fold(passage.text)
        body, title, heading = map(dictionary.words, (folded, fold(passage.title), fold(passage.heading)))
        return cls(_tokens(body), _tokens(title), _tokens(heading), " ".join(bigrams(folded)))


class LexicalWriter:
    """Builds a lexical index in a folder, or goes on with the one that is there: no file of it is ever changed."""

    def __init__(self, folder: Path) -> None:
        """Begin or go on."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with _written(folder):
            self._index = _register(tantivy.Index(_schema(), path=str(folder)))
            # One thread keeps the documents in the order of adding: equal scores always come in the same order.
            self._writer = self._index.writer(heap_size=_HEAP_BYTES, num_threads=1)

    def add(self, row: int, fields: Fields) -> None:
        """Add one passage under its row."""
        document = tantivy.Document()
        document.add_unsigned("row", row)
        document.add_text("body", fields.body)
        document.add_text("title", fields.title)
        document.add_text("heading", fields.heading)
        document.add_text("grams", fields.grams)
        with _written(self._folder):
            self._writer.add_document(document)

    def remove(self, rows: Sequence[int]) -> None:
        """Remove the passages of some rows. They still count in BM25's document frequencies."""
        if rows:
            with _written(self._folder):
                # Not by term: that takes the number for a signed one and finds nothing.
                gone = tantivy.Query.term_set_query(self._index.schema, "row", list(rows))
                self._writer.delete_documents_by_query(gone)

    def close(self) -> None:
        """Write everything to disk."""
        with _written(self._folder):
            self._writer.commit()
            self._writer.wait_merging_threads()


class LexicalIndex:
    """An index that LexicalWriter made, opened by memory map."""

    def __init__(self, folder: Path) -> None:
        """Open the folder. Raises IndexDamaged."""
        try:
            self._index = _register(tantivy.Index.open(str(self._lockable(folder))))
            # Else a thread looks every half second for a change, and writes a lock into a folder that is no more ours.
            self._index.config_reader(reload_policy="Manual")
        except (ValueError, OSError) as error:
            raise IndexDamaged(folder, error) from error
        self._schema = self._index.schema
        self._searcher = self._index.searcher()
        # A word of an English question has 30 translations, in three fields: asking for all of them took 0.9 ms.
        self._frequencies = lru_cache(_REMEMBERED)(partial(_document_frequencies, self._searcher))

    def _lockable(self, folder: Path) -> Path:
        """The folder or, where nothing may be written, one of links to its files: tantivy writes a lock to read."""
        if os.access(folder, os.W_OK):
            return folder
        links = Path(tempfile.mkdtemp(prefix="wenqu-"))
        weakref.finalize(self, shutil.rmtree, links, ignore_errors=True)
        for file in folder.iterdir():
            if not file.name.endswith(".lock"):
                (links / file.name).symlink_to(file.resolve())
        return links

    def search(self, query: Query, k: int, rows: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """The `k` best (row, BM25 score), best first, equal scores in row order; of the given `rows` alone, if any."""
        clauses = [clause for term in query.terms for clause in self._term_clauses(term.alternatives)]
        for gram in content_bigrams(query.translated):
            clauses.append(self._clause("grams", gram, GRAM_WEIGHT))
        if not clauses:
            return []
        asked = _any_of(clauses)
        if rows is not None:
            only = tantivy.Query.const_score_query(tantivy.Query.term_set_query(self._schema, "row", list(rows)), 0.0)
            asked = tantivy.Query.boolean_query([(tantivy.Occur.Must, only), (tantivy.Occur.Must, asked)])
        found = self._searcher.search(asked, k, count=False).hits
        found_rows = self._searcher.fast_field_values("row", [address for _, address in found])
        return sorted(
            ((int(row or 0), float(score)) for row, (score, _) in zip(found_rows, found, strict=True)),
            key=lambda x: (-x[1], x[0]),
        )

    def _clause(self, field: str, term: str, weight: float) -> tantivy.Query:
        return tantivy.Query.boost_query(tantivy.Query.term_query(self._schema, field, _tokens([term]), "freq"), weight)

    def _term_clauses(self, alternatives: Mapping[str, float]) -> list[tantivy.Query]:
        """One word of the query: its best alternative counts, in every field that holds it. None where none does."""
        options = []
        for alternative, weight in self._levelled(alternatives).items():
            # A clause for a field that lacks the word costs time in every passage: of 60 translations, 1 in 6 stands in
            # titles.
            fields = [
                self._clause(field, alternative, weight * boost)
                for (field, boost), frequency in zip(FIELD_WEIGHTS.items(), self._frequencies(alternative), strict=True)
                if frequency
            ]
            options += [_any_of(fields)] if fields else []
        return options if len(options) < 2 else [tantivy.Query.disjunction_max_query(options)]

    def _levelled(self, alternatives: Mapping[str, float]) -> Mapping[str, float]:
        """The weights such that each alternative is worth what the word is, however rare the alternative itself is.

        The document frequency of a word is that of its translations together (probabilistic structured queries, Darwish
        and Oard 2003). Otherwise the oddest translation, met once, outweighs the one that all articles use.
        """
        if len(alternatives) == 1:
            return alternatives
        count = self._searcher.num_docs
        frequency = {term: max(self._frequencies(term)) for term in alternatives}  # a name may stand in a title alone
        held = {term: weight for term, weight in alternatives.items() if frequency[term]}
        if not held:
            return dict(list(alternatives.items())[:1])
        together = min(count, sum(weight * frequency[term] for term, weight in held.items()))
        worth = _idf(count, together)
        return {term: weight * worth / _idf(count, frequency[term]) for term, weight in held.items()}


def _any_of(clauses: list[tantivy.Query]) -> tantivy.Query:
    return (
        clauses[0] if len(clauses) == 1 else tantivy.Query.boolean_query([(tantivy.Occur.Should, c) for c in clauses])
    )


def _document_frequencies(searcher: tantivy.Searcher, term: str) -> list[int]:
    """How many passages hold the term, field by field."""
    return [searcher.doc_freq(field, _tokens([term])) for field in FIELD_WEIGHTS]


def _idf(count: int, frequency: float) -> float:
    """BM25's inverse document frequency, as tantivy computes it."""
    return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))


def passage_terms(fields: Fields) -> list[str]:
    """All terms of a passage in one list, for an engine that holds them in one field; bigrams are marked as such."""
    return f"{fields.title} {fields.heading} {fields.body}".split() + [_gram(pair) for pair in fields.grams.split()]


def query_terms(query: Query) -> list[str]:
    """What such an engine is asked for: every alternative of every word, and the bigrams."""
    words = [alternative.replace(" ", "_") for term in query.terms for alternative in term.alternatives]
    return [*words, *map(_gram, content_bigrams(query.translated))]


def _gram(pair: str) -> str:
    return f"g{pair}"
