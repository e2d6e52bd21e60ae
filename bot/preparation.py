"""What becomes of one file before it is indexed: its article, cut into passages, and these into words.

It depends on the file, the dictionary and the model alone, so any machine may do it: see scripts/ingest.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.corpus import SourceFile, read_article
from bot.dictionary import Dictionary
from bot.documents import DocumentCache
from bot.lexical import Words
from bot.passages import Dropped, cut
from bot.types import Article, Passage, Vectors


@dataclass(frozen=True, slots=True)
class Prepared:
    """An article with its passages, the words and, where they were made already, the vectors of each."""

    article: Article
    digest: str  # sha256 of the file
    warning: str
    passages: list[Passage]
    dropped: list[Dropped]
    words: list[Words]
    vectors: Vectors | None = None


# What was prepared of a file, None where it was not, or of other bytes than the file has now.
Shards = Callable[[SourceFile], Prepared | None]


def prepare(
    corpus: Path, file: SourceFile, size: int, dictionary: Dictionary, documents: DocumentCache | None = None
) -> Prepared:
    """The file as it will be indexed, in passages of at most `size` characters. Raises ReadError."""
    article, digest, warning = read_article(corpus, file, documents)
    passages, dropped = cut(article, size)
    words = [Words.of(passage, dictionary) for passage in passages]
    return Prepared(article, digest, warning, passages, dropped, words)
