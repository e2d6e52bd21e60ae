"""A suite: a folder of evaluation folders, each of which is indexed and asked by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.evaluation import DIALOGUES, QUESTIONS, Outcome, ask_all, read_folder
from bot.index.build import Summary, build_index
from bot.index.embedder import load_embedder
from bot.pipeline import Bot
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Case:
    """An evaluation folder of a suite: its name, what became of its documents, and of its questions."""

    name: str
    summary: Summary
    outcomes: list[Outcome]


def cases(folder: Path) -> list[Path]:
    """The evaluation folders of a suite, by name; none if the folder is one itself.

    Every folder with documents is one, so that a misnamed file of questions is not passed over.
    """
    if not folder.is_dir() or any((folder / name).is_file() for name in (QUESTIONS, DIALOGUES)):
        return []
    return sorted(entry for entry in folder.iterdir() if (entry / "corpus").is_dir())


def ask_each(folders: Iterable[Path], settings: Settings) -> Iterator[Case]:
    """Each case as soon as it has been asked. All questions are read before the first is asked.

    Raises as `read_folder` does, and CorpusError if nothing of a corpus can be read.
    """
    asked = [(folder, read_folder(folder)) for folder in folders]
    embedder = load_embedder(settings.model)
    for folder, questions in asked:
        with TemporaryDirectory() as index:
            # An engine that is a server would keep the vectors of an index that is gone.
            own = settings.model_copy(update={"corpus": folder / "corpus", "index": Path(index), "engine": "exact"})
            summary = build_index(own, embedder)
            yield Case(folder.name, summary, ask_all(Bot(own, embedder), questions))
