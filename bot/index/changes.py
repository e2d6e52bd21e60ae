"""A generation that continues the previous one: changes are stored beside its files, so that no work is repeated.

gen-000013/  passages.sqlite  vectors.faiss   hard links to the files of gen-000012; some of their rows no longer count
             lexical/                         links to its files, and new files with the changes
             delta/passages.sqlite  vectors.faiss   everything that changed since the main files were made
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.corpus.scan import ANSWERS, Skipped, SourceFile
from bot.index.engines import vectors_file
from bot.index.engines.layered import DELTA
from bot.index.lexical import LexicalWriter
from bot.index.opened import Index
from bot.index.store import DeltaWriter
from bot.text.dictionary import DICTIONARY
from bot.types import Engine

# With fewer files the whole corpus is indexed in 2 s, so a delta is not worth it.
_WHOLE_UNDER = 400
# At most this share of the main file's passages, and at most this many, may be gone or replaced: each run copies the
# delta and syncs it to disk, and its vectors are compared one by one.
_MOST_CHANGED, _MOST_PASSAGES = 0.05, 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """What a run over the corpus has to do, and what it keeps from `base`."""

    base: Index
    files: list[SourceFile]  # to be read
    replaced: list[str]  # paths whose old entries no longer count
    skipped: list[Skipped]  # unchanged files that were skipped before and still are

    @classmethod
    def since(cls, base: Index, files: Sequence[SourceFile]) -> Self | None:
        """What changed since a generation was made; None if the whole corpus should be read instead."""
        before, now = base.store.files, set(files)
        replaced = {file.path for file in before ^ now}
        if len(files) < _WHOLE_UNDER or not base.rows[0] or DICTIONARY in replaced or base.degraded:
            return None
        if base.server:  # a collection on a server belongs to one generation
            return None
        passages, articles = base.manifest["passages"], base.manifest["articles"]
        changed = sum(base.rows[1:]) + len(base.store.gone) + 2 * len(replaced) * passages / articles
        # Twice, because a replaced passage counts both as gone and as new.
        if changed > 2 * min(_MOST_CHANGED * base.rows[0], _MOST_PASSAGES):
            return None
        unchanged = {file.path for file in before & now}
        skipped = [one for one in base.store.skipped() if one.path in unchanged]
        no_articles = {DICTIONARY, ANSWERS}  # read at every run
        to_read = [file for file in files if file not in before and file.path not in no_articles]
        return cls(base, to_read, sorted(replaced | no_articles), skipped)

    def carry_on(self, folder: Path) -> bool:
        """Copy `base` into an empty folder, the main files as hard links; False if links are impossible there."""
        main = ("passages.sqlite", vectors_file(folder, self.base.manifest["engine"]).name)
        try:
            for path in self.base.manifest["files"]:
                there = folder / path
                there.parent.mkdir(exist_ok=True)
                if path.startswith(f"{DELTA}/"):
                    shutil.copyfile(self.base.folder / path, there)
                elif path in main or path.startswith("lexical/"):
                    os.link(self.base.folder / path, there)
        except OSError:  # leave no link behind, because writing to it would change `base`
            shutil.rmtree(folder)
            folder.mkdir()
            return False
        (folder / DELTA).mkdir(exist_ok=True)
        return True

    def parts(self, folder: Path, engine: type[Engine], opened: ExitStack) -> tuple[DeltaWriter, LexicalWriter, Engine]:
        """The store, lexical index and engine that the run writes to, with the replaced entries removed.

        `opened` closes them, even if the run fails.
        """
        manifest = self.base.manifest
        vectors = vectors_file(folder / DELTA, manifest["engine"])
        counts = sum(self.base.rows), manifest["passages"], manifest["articles"]
        store = DeltaWriter(folder / DELTA / "passages.sqlite", folder / "passages.sqlite", counts)
        opened.callback(store.abandon)
        lexical = LexicalWriter(folder / "lexical")
        opened.callback(lexical.abandon)
        lexical.remove([row for path in self.replaced for row in store.remove(path)])
        dim = manifest["dim"]
        return store, lexical, engine.load(vectors, dim, self.base.rows[1]) if vectors.exists() else engine(dim)
