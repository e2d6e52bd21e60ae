"""An index over documents whose blocks a test writes itself, as a reader would."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from bot.corpus.blocks import Parsed
from bot.corpus.passages import cut
from bot.corpus.scan import SourceFile, document_id
from bot.index.build import build_index
from bot.index.lexical import Fields
from bot.index.opened import Index
from bot.index.prepare import Prepared
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.text.dictionary import NO_DICTIONARY
from bot.types import Document


def bot_over(
    folder: Path,
    embedder,
    documents: Mapping[str, Parsed],
    files: Mapping[str, bytes] | None = None,
    base: Index | None = None,
) -> Bot:
    """A bot over such documents, by path; `files` are the bytes of those whose original matters.

    With a generation as `base` the run goes on from it.
    """
    corpus = folder / "corpus"
    for path in documents:
        file = corpus / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((files or {}).get(path, b"of no matter"))
    settings = load_settings(corpus=corpus, index=folder / "index")

    def read(file: SourceFile) -> Prepared:
        parsed = documents[file.path]
        identity = document_id(file.path)
        title = parsed.title or Path(file.path).stem
        document = Document(identity, title, parsed.text, file.path, parsed.blocks, parsed.pages, parsed.left_out)
        passages = [(one, Fields.from_passage(one, NO_DICTIONARY)) for one in cut(document, settings.passage_size)]
        digest = hashlib.sha256((corpus / file.path).read_bytes()).hexdigest()
        return Prepared(file, document, digest, parsed.warning, passages, {}, parsed.pictures)

    seen = [_state(corpus, path) for path in sorted(documents)]
    build_index(settings, embedder, shares=read, base=base, seen=(seen, []))
    return Bot(settings, embedder)


def _state(corpus: Path, path: str) -> SourceFile:
    status = (corpus / path).stat()
    return SourceFile(path, status.st_size, status.st_mtime_ns)
