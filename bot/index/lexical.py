"""The lexical leg: BM25 over five fields of every passage, by tantivy, with terms cut by bot.text.

tantivy only splits fields at white space, so that index and queries always agree on what a word is.
"""

from __future__ import annotations

import copy
import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import tantivy

from bot.corpus.scan import collection_of
from bot.errors import IndexDamaged, IndexUnwritable
from bot.text.canonical import canonical_tokens
from bot.text.dates import day_number, last_day_number
from bot.text.dictionary import NO_DICTIONARY, Dictionary
from bot.text.fold import fold
from bot.text.terms import bigrams, content_bigrams
from bot.types import Passage, Query, Scope

# How much a match in each field counts. `grams` holds the bigrams of the text: a safety net for words that jieba cuts
# differently in different contexts.
FIELD_WEIGHTS = {"body": 1.0, "title": 0.4, "heading": 0.4, "file": 0.4}
GRAM_WEIGHT = 0.35
_ANALYZER = "terms"
_HEAP_BYTES = 64 * 1024 * 1024
_REMEMBERED = 65_536  # document frequencies, about 10 MB


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", fast=True, indexed=True)
    for field in (*FIELD_WEIGHTS, "grams"):
        builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option="freq")
    builder.add_unsigned_field("day", fast=True, indexed=True)
    builder.add_text_field("collection", tokenizer_name="raw", index_option="basic")
    return builder.build()


def _register(index: tantivy.Index) -> tantivy.Index:
    index.register_tokenizer(_ANALYZER, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    return index


def _tokens(terms: list[str]) -> str:
    """Terms as a field of tantivy; a dictionary word with spaces stays one token."""
    return " ".join(term.replace(" ", "_") for term in terms)


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Turns tantivy's errors about a full or broken disk into IndexUnwritable."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise IndexUnwritable(folder, error) from error


@dataclass(frozen=True, slots=True)
class Fields:
    """A passage as tantivy stores it: the tokens of each field, separated by spaces, its collection, its date."""

    body: str
    title: str
    heading: str
    file: str
    grams: str
    collection: str
    date: str

    @classmethod
    def from_passage(cls, passage: Passage, dictionary: Dictionary = NO_DICTIONARY) -> Fields:
        """The fields of a passage; the words of `dictionary` are kept whole."""
        folded = fold(passage.text)
        others = (fold(passage.title), fold(passage.heading), fold(passage.file))
        body, title, heading, file = map(dictionary.words, (folded, *others))
        # A file is often named after its title, whose words must not count twice.
        file = [word for word in file if word not in title]
        body, title, heading, file = (
            [*found, *canonical_tokens(text)]
            for found, text in zip((body, title, heading, file), (folded, *others), strict=True)
        )
        grams, collection = " ".join(bigrams(folded)), collection_of(passage.document)
        return cls(_tokens(body), _tokens(title), _tokens(heading), _tokens(file), grams, collection, passage.date)


class LexicalWriter:
    """Builds a lexical index in a folder, or extends an existing one without ever changing one of its files."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, which is made if missing. Raises IndexUnwritable, as do the other methods."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with _written(folder):
            self._index = _register(tantivy.Index(_schema(), path=str(folder)))
            # A single thread keeps documents in the order of adding, so that ties always come out in the same order.
            self._writer = self._index.writer(heap_size=_HEAP_BYTES, num_threads=1)

    def add(self, row: int, fields: Fields) -> None:
        """Add one passage under its row number."""
        document = tantivy.Document()
        document.add_unsigned("row", row)
        document.add_text("body", fields.body)
        document.add_text("title", fields.title)
        document.add_text("heading", fields.heading)
        document.add_text("file", fields.file)
        document.add_text("grams", fields.grams)
        document.add_text("collection", _named(fields.collection))
        document.add_unsigned("day", day_number(fields.date))
        with _written(self._folder):
            self._writer.add_document(document)

    def remove(self, rows: Sequence[int]) -> None:
        """Remove the passages with these rows. They still count in BM25's document frequencies."""
        if rows:
            with _written(self._folder):
                # Deleting by term would take the number for a signed one and find nothing.
                gone = tantivy.Query.term_set_query(self._index.schema, "row", list(rows))
                self._writer.delete_documents_by_query(gone)

    def close(self) -> None:
        """Write everything to disk."""
        with _written(self._folder):
            self._writer.commit()
            self._writer.wait_merging_threads()

    def abandon(self) -> None:
        """Close the files of an unfinished index as they are; does nothing after `close`."""
        with suppress(ValueError, OSError, RuntimeError):  # the disk is full, or `close` has used the writer up
            self._writer.wait_merging_threads()
        del self._writer, self._index


class LexicalIndex:
    """An index made by LexicalWriter, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        """Open the folder. Raises IndexDamaged."""
        try:
            self._index = _register(tantivy.Index.open(str(self._lockable(folder))))
            # Otherwise a thread polls for changes and writes a lock into a folder that may have been replaced.
            self._index.config_reader(reload_policy="Manual")
        except (ValueError, OSError) as error:
            raise IndexDamaged(folder, error) from error
        self._schema = self._index.schema
        self._searcher = self._index.searcher()
        self._only: list[tantivy.Query] = []  # the conditions of what is searched
        # Cached because a word of an English question has 30 translations, each looked up in three fields.
        self._frequencies = lru_cache(_REMEMBERED)(partial(_document_frequencies, self._searcher))

    def _lockable(self, folder: Path) -> Path:
        """The folder, or if it is read-only a temporary one with links to its files: tantivy needs to write a lock."""
        if os.access(folder, os.W_OK):
            return folder
        links = Path(tempfile.mkdtemp(prefix="wenqu-"))
        weakref.finalize(self, shutil.rmtree, links, ignore_errors=True)
        for file in folder.iterdir():
            if not file.name.endswith(".lock"):
                (links / file.name).symlink_to(file.resolve())
        return links

    def within(self, scope: Scope) -> LexicalIndex:
        """The same index in which only some documents are searched."""
        seen = copy.copy(self)
        seen._only = []
        if scope.collections is not None:
            names = [_named(name) for name in sorted(scope.collections)]
            seen._only.append(_filter(tantivy.Query.term_set_query(self._schema, "collection", names)))
        if scope.since or scope.until:
            days = day_number(scope.since), last_day_number(scope.until) or 99_999_999
            within = tantivy.Query.range_query(self._schema, "day", tantivy.FieldType.Unsigned, *days)
            seen._only.append(_filter(within))
        return seen

    def search(self, query: Query, k: int, rows: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """The `k` best (row, BM25 score), best first, ties in row order; only among `rows` if they are given."""
        clauses = [clause for term in query.terms for clause in self._term_clauses(term.alternatives)]
        for gram in content_bigrams(query.translated):
            clauses.append(self._clause("grams", gram, GRAM_WEIGHT))
        if not clauses:
            return []
        only = list(self._only)
        if rows is not None:
            only.append(_filter(tantivy.Query.term_set_query(self._schema, "row", list(rows))))
        asked = _any_of(clauses)
        if only:
            asked = tantivy.Query.boolean_query([(tantivy.Occur.Must, one) for one in (*only, asked)])
        found = self._searcher.search(asked, k, count=False).hits
        found_rows = self._searcher.fast_field_values("row", [address for _, address in found])
        return sorted(
            ((int(row or 0), float(score)) for row, (score, _) in zip(found_rows, found, strict=True)),
            key=lambda x: (-x[1], x[0]),
        )

    def knows(self, term: str) -> bool:
        """Whether any passage has the term."""
        return any(self._frequencies(term))

    def _clause(self, field: str, term: str, weight: float) -> tantivy.Query:
        return tantivy.Query.boost_query(tantivy.Query.term_query(self._schema, field, _tokens([term]), "freq"), weight)

    def _term_clauses(self, alternatives: Mapping[str, float]) -> list[tantivy.Query]:
        """One word of the query: its best alternative counts, in every field that has it; empty if no field does."""
        options = []
        for alternative, weight in self._levelled(alternatives).items():
            # Fields that lack the word are left out: only 1 in 6 translations occurs in titles at all.
            fields = [
                self._clause(field, alternative, weight * boost)
                for (field, boost), frequency in zip(FIELD_WEIGHTS.items(), self._frequencies(alternative), strict=True)
                if frequency
            ]
            options += [_any_of(fields)] if fields else []
        return options if len(options) < 2 else [tantivy.Query.disjunction_max_query(options)]

    def _levelled(self, alternatives: Mapping[str, float]) -> Mapping[str, float]:
        """The weights, scaled so that every alternative has the same idf, however rare it is itself.

        The document frequency of a word is that of its translations together (probabilistic structured queries, Darwish
        and Oard 2003). Otherwise an odd translation that occurs once would outweigh the one that all articles use.
        """
        if len(alternatives) == 1:
            return alternatives
        count = self._searcher.num_docs
        # A name may occur only in a title, or only in the name of a file, which all its passages share.
        frequency = {term: max(of[:-1]) or of[-1] for term in alternatives if (of := self._frequencies(term))}
        held = {term: weight for term, weight in alternatives.items() if frequency[term]}
        if not held:
            return dict(list(alternatives.items())[:1])
        together = min(count, sum(weight * frequency[term] for term, weight in held.items()))
        worth = _idf(count, together)
        return {term: weight * worth / _idf(count, frequency[term]) for term, weight in held.items()}


def _named(collection: str) -> str:
    """A collection as a term: the one of the corpus folder itself has no name, and a term needs a character."""
    return f"/{collection}"


def _filter(query: tantivy.Query) -> tantivy.Query:
    """The query as a condition that adds nothing to the score."""
    return tantivy.Query.const_score_query(query, 0.0)


def _any_of(clauses: list[tantivy.Query]) -> tantivy.Query:
    return (
        clauses[0] if len(clauses) == 1 else tantivy.Query.boolean_query([(tantivy.Occur.Should, c) for c in clauses])
    )


def _document_frequencies(searcher: tantivy.Searcher, term: str) -> list[int]:
    """The number of passages with the term in each field."""
    return [searcher.doc_freq(field, _tokens([term])) for field in FIELD_WEIGHTS]


def _idf(count: int, frequency: float) -> float:
    """BM25's inverse document frequency, as tantivy computes it."""
    return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))
