"""One document as it was read, block by block, with what was left out and why: `wenqu info FILE`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bot.corpus.loss import Loss, loss, reason_in_words
from bot.corpus.passages import cut
from bot.corpus.scan import ANSWERS, Skipped, SourceFile, document_id, read_document, scan
from bot.errors import CorpusError, IndexDamaged, IndexMismatch, IndexMissing, ReadError
from bot.index.store import Store
from bot.pipeline import Bot
from bot.text.dictionary import DICTIONARY
from bot.text.printable import printable
from bot.types import Block, Document, LeftOut

_KINDS = {
    "heading": "标题",
    "paragraph": "段落",
    "item": "条目",
    "row": "表格行",
    "code": "代码",
    "caption": "图表名",
    "formula": "公式",
}
_MOST_SHOWN = 20  # files of which a part of the name fits


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is no document of the index, and why."""

    skipped: Skipped

    def to_dict(self) -> dict[str, Any]:
        """The path, the code, the reason and the cure."""
        reason, _, cure = self.skipped.reason.partition(" → ")
        return {"path": self.skipped.path, "code": self.skipped.code, "reason": reason, "cure": cure}


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A document, how many passages it has, what became of its letters, and whether it stands in the index as it is."""

    document: Document
    passages: int
    loss: Loss
    warning: str
    is_indexed: bool

    def to_dict(self) -> dict[str, Any]:
        """The document with its blocks and what was left out, all offsets in `text`."""
        document = self.document
        return {
            "path": document.path,
            "title": document.title,
            "indexed": self.is_indexed,
            "warning": self.warning,
            "passages": self.passages,
            "letters": self.loss.letters,
            "kept": self.loss.kept,
            "share": round(self.loss.share, 4),
            "text": document.text,
            "pages": list(document.pages),
            "blocks": [{**asdict(block), "page": document.page(block.start)} for block in document.blocks],
            "left_out": [asdict(one) for one in document.left_out],
        }


def look(bot: Bot, name: str) -> ReadFile | SkippedFile:
    """What the index has of a file, or else what reading it now makes of it.

    `name` is a path in the corpus or on this machine, or a part of a path that fits one file only. Raises CorpusError
    if it fits none or several.
    """
    store = _store(bot)
    corpus = bot.settings.corpus
    files, skipped = scan(corpus) if corpus.is_dir() else ([], [])
    indexed: list[SourceFile | Skipped] = [*store.files, *store.skipped()] if store else []
    known = {document_id(one.path) for one in [*files, *skipped, *indexed]}
    path = _path(name, known - {DICTIONARY, ANSWERS}, corpus)
    if path is None:  # a file outside the corpus
        file = Path(name)
        return _read_now(file.parent, SourceFile(file.name, 0, 0), bot)
    current = next((one for one in files if document_id(one.path) == path), None)
    if store and (current is None or current in store.files):
        document = store.document(path)
        if document:
            return _seen(document, store.warnings().get(document.path, ""), bot, is_indexed=True)
        skipped = [*skipped, *store.skipped()]
    unread = next((one for one in skipped if document_id(one.path) == path), None)
    if unread or not current:
        return SkippedFile(unread or Skipped(path, "E-READ", "文件已经不在 / the file is gone"))
    return _read_now(corpus, current, bot)


def _store(bot: Bot) -> Store | None:
    """The store of the live generation, if there is a usable one."""
    try:
        return bot.live.get().store
    except (IndexMissing, IndexDamaged, IndexMismatch):
        return None


def _path(name: str, known: Iterable[str], corpus: Path) -> str | None:
    """The path in the corpus that a name means; None for an existing file elsewhere. Raises CorpusError."""
    known = sorted(known)
    wanted = unicodedata.normalize("NFC", name).removeprefix("./")
    if wanted in known:
        return wanted
    if Path(name).is_file():
        file, folder = Path(name).resolve(), corpus.resolve()
        inside = document_id(file.relative_to(folder).as_posix()) if file.is_relative_to(folder) else ""
        return inside if inside in known else None
    part = wanted.casefold()
    found = [path for path in known if part in (Path(path).name.casefold(), Path(path).stem.casefold())]
    found = found or [path for path in known if part in path.casefold()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CorpusError(f"没有这份资料：{name}", f"no file of {corpus} has this in its name", f"ls -R '{corpus}'")
    more = " …" if len(found) > _MOST_SHOWN else ""
    shown = "".join(f"\n  {path}" for path in found[:_MOST_SHOWN])
    raise CorpusError(f"有 {len(found)} 份资料的名字含有 {name}", f"name one of these files:{shown}{more}")


def _read_now(folder: Path, file: SourceFile, bot: Bot) -> ReadFile | SkippedFile:
    try:
        read = read_document(folder, file)
    except ReadError as error:
        return SkippedFile(Skipped(file.path, error.code, str(error)))
    return _seen(read.document, read.warning, bot, is_indexed=False)


def _seen(document: Document, warning: str, bot: Bot, *, is_indexed: bool) -> ReadFile:
    passages = cut(document, bot.settings.passage_size)
    return ReadFile(document, len(passages), loss(document, passages), warning, is_indexed)


def render(console: Console, seen: ReadFile | SkippedFile) -> None:
    """Print a document block by block, what was left out of it in its place, and the figures; or why it was skipped."""
    if isinstance(seen, SkippedFile):
        about = seen.to_dict()
        console.print(Text(printable(f"{about['path']}: 跳过 / skipped {about['code']} {about['reason']}"), "yellow"))
        if about["cure"]:
            console.print(Text(printable(f"  → {about['cure']}")))
        return
    document = seen.document
    page = 0
    for part in _in_order(document):
        begun = part.page if isinstance(part, LeftOut) else document.page(part.start)
        if begun > page:
            page = begun
            console.print(Text(f"── 第 {page} 页 / page {page} ──", style="dim"))
        console.print(_left_out(part) if isinstance(part, LeftOut) else _block(document, part))
    console.print()
    console.print(Text(printable(document.path), style="bold"))
    console.print(Text(printable(f"  标题 / title: {document.title}")))
    style = "yellow" if seen.loss.is_much else ""
    console.print(Text(printable(f"  {seen.passages} 个段落 / passages; {seen.loss}"), style=style))
    if seen.warning:
        console.print(Text(printable(f"  注意 / note: {seen.warning}"), style="yellow"))
    if not seen.is_indexed:
        console.print(Text("  刚刚读的，不在索引里 / read just now, not in the index", style="dim"))


def _in_order(document: Document) -> Iterator[Block | LeftOut]:
    """The blocks and what was left out, by place; what was left out before the block that follows it."""
    left_out = sorted(document.left_out, key=lambda one: one.at)
    for block in document.blocks:
        while left_out and left_out[0].at <= block.start:
            yield left_out.pop(0)
        yield block
    yield from left_out


def _block(document: Document, block: Block) -> Text:
    number = block.table or block.level
    label = f"{_KINDS[block.kind]} {block.kind}" + (f" {number}" if number else "")
    text = printable(document.text[block.start : block.end]).replace("\n", "\n    ")
    shown = Text(f"{label}  ", style="cyan")
    return shown.append(text, style="bold" if block.kind == "heading" else "default")


def _left_out(one: LeftOut) -> Text:
    text = printable(one.text).replace("\n", "\n    ")
    return Text(f"略去 left out ({reason_in_words(one.reason)})  {text}", style="dim")
