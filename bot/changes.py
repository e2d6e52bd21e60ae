"""A generation that goes on from the one before: what changed since stands beside it, so that nothing is made twice.

gen-000013/  passages.sqlite  vectors.faiss   the very files of gen-000012 (links), in which some rows are gone
             lexical/                         its files, and those of what came after
             delta/passages.sqlite  vectors.faiss   all that changed since the main files were made
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.corpus import ANSWERS, Skipped, SourceFile
from bot.delta import FOLDER
from bot.dictionary import DICTIONARY
from bot.index import Index, vectors_file
from bot.lexical import LexicalWriter
from bot.store import DeltaWriter
from bot.types import Engine

# A corpus of fewer files is indexed whole in 2 s, and then it is as if it had never been another.
_WHOLE_UNDER = 400
# Of the main file's passages so many may be gone or replaced, and no more than so many in all. Each run copies and
# syncs the delta, 2.3 kB a passage, and its vectors are searched one by one.
_MOST_CHANGED, _MOST_PASSAGES = 0.05, 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """What a run over the corpus does, and what it leaves as it is in `base`."""

    base: Index
    files: list[SourceFile]  # to be read
    replaced: list[str]  # paths whose old entries no longer count
    skipped: list[Skipped]  # unchanged files that were skipped and stay so

    @classmethod
    def since(cls, base: Index, files: Sequence[SourceFile]) -> Self | None:
        """What changed since a generation was made; None where the whole corpus had better be read."""
        before, now = base.store.files, set(files)
        replaced = {file.path for file in before ^ now}
        if len(files) < _WHOLE_UNDER or DICTIONARY in replaced or base.degraded:
            return None
        if base.server:  # a collection on a server belongs to one generation
            return None
        passages, articles = base.manifest["passages"], base.manifest["articles"]
        changed = sum(base.rows[1:]) + len(base.store.gone) + 2 * len(replaced) * passages / articles
        # A passage that is replaced is gone and comes anew.
        if changed > 2 * min(_MOST_CHANGED * base.rows[0], _MOST_PASSAGES):
            return None
        unchanged = {file.path for file in before & now}
        skipped = [one for one in base.store.skipped() if one.path in unchanged]
        no_articles = {DICTIONARY, ANSWERS}  # read at every run
        to_read = [file for file in files if file not in before and file.path not in no_articles]
        return cls(base, to_read, sorted(replaced | no_articles), skipped)

    def carry_on(self, folder: Path) -> bool:
        """Put what `base` holds into an empty folder, the main files as links; False where there can be none."""
        main = ("passages.sqlite", vectors_file(folder, self.base.manifest["engine"]).name)
        try:
            for path in self.base.manifest["files"]:
                there = folder / path
                there.parent.mkdir(exist_ok=True)
                if path.startswith(f"{FOLDER}/"):
                    shutil.copyfile(self.base.folder / path, there)
                elif path in main or path.startswith("lexical/"):
                    os.link(self.base.folder / path, there)
        except OSError:  # no link may stay: what is written into it would be written into `base`
            shutil.rmtree(folder)
            folder.mkdir()
            return False
        (folder / FOLDER).mkdir(exist_ok=True)
        return True

    def parts(self, folder: Path, engine: type[Engine]) -> tuple[DeltaWriter, LexicalWriter, Engine]:
        """What the run writes to, without what is replaced."""
        manifest = self.base.manifest
        vectors = vectors_file(folder / FOLDER, manifest["engine"])
        counts = sum(self.base.rows), manifest["passages"], manifest["articles"]
        store = DeltaWriter(folder / FOLDER / "passages.sqlite", folder / "passages.sqlite", counts)
        lexical = LexicalWriter(folder / "lexical")
        lexical.remove([row for path in self.replaced for row in store.remove(path)])
        dim = manifest["dim"]
        return store, lexical, engine.load(vectors, dim, self.base.rows[1]) if vectors.exists() else engine(dim)
