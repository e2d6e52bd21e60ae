"""Changes corpus/answers.yaml entry by entry; what people wrote there by hand stays as it is, letter for letter."""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from filelock import FileLock, Timeout

from bot.corpus.curated import CuratedAnswer, entries_of, only_usable, pieces
from bot.corpus.files import own_folder, put_in
from bot.corpus.scan import ANSWERS
from bot.errors import ReadError, StoreError
from bot.text.encoding import decode

_LOCK_SECONDS = 10
_BEFORE = re.compile(r"\s*(?:#|---|$)")  # lines before the first entry: comments, the beginning of a YAML document
_WIDE = 10_000  # characters of a line: one that is folded reads badly and compares badly


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An entry of the file. `id` is a hash of its text, so that one that somebody else changed is not overwritten."""

    id: str
    entry: CuratedAnswer


class CuratedFile:
    """The answers of a corpus folder, as people change them. Several processes may do so at once."""

    def __init__(self, corpus: Path) -> None:
        """Nothing is read yet; the file may be missing."""
        self._corpus = corpus

    def entries(self) -> list[WrittenAnswer]:
        """Every entry that can be used, in the order of the file. Raises StoreError if the file cannot be read."""
        _, items = _split(self._read())
        return [WrittenAnswer(_identity(item), entry) for item in items for entry in _usable(item)]

    def write(self, entry: CuratedAnswer, instead: str = "") -> str:
        """Write an entry at the end of the file, or in the place of the one with an id; returns its id.

        Raises StoreError: E-ANSWER if it cannot be used, E-GONE if the other one has changed.
        """
        item = _dumped(entry)
        self._change(instead, item)
        return _identity(item)

    def remove(self, identity: str) -> None:
        """Take an entry out. Raises StoreError, E-GONE if it has changed."""
        self._change(identity, "")

    def _change(self, identity: str, item: str) -> None:
        lock = FileLock(own_folder(self._corpus) / "answers.lock", timeout=_LOCK_SECONDS)
        try:
            with lock:
                put_in(self._corpus, ANSWERS, io.BytesIO(_changed(self._read(), identity, item).encode()))
        except Timeout as error:
            raise StoreError(
                "E-BUSY", "别人正在改动", "somebody else is changing it", "再试一次 / try again"
            ) from error

    def _read(self) -> str:
        try:
            return decode((self._corpus / ANSWERS).read_bytes()).text
        except FileNotFoundError:
            return ""
        except ReadError as error:
            if error.code == "E-EMPTY":
                return ""
            raise StoreError(*error.parts) from error
        except OSError as error:
            raise StoreError("E-WRITE", f"{ANSWERS} 无法读取", f"it cannot be read: {error.strerror}") from error


def _split(content: str) -> tuple[str, list[str]]:
    """What stands before the first entry, and the text of each; joined they are the file."""
    if not content.strip():
        return content, []
    *others, last = [text for _, text in pieces(content)]
    items = [*(f"{text}\n" for text in others), last if last.endswith("\n") else f"{last}\n"]
    lines = items[0].splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if not _BEFORE.match(line)), len(lines))
    items[0] = "".join(lines[first:])
    return "".join(lines[:first]), [item for item in items if item]


def _changed(content: str, identity: str, item: str) -> str:
    """The file with an item written in the place of another, or at the end; without an item the other is removed."""
    head, items = _split(content)
    place = next((i for i, one in enumerate(items) if _identity(one) == identity), None)
    if identity and place is None:
        raise StoreError("E-GONE", "这条答案已被改动", "this answer was changed meanwhile", "重新打开 / open it again")
    indent = next((one[: len(one) - len(one.lstrip(" "))] for one in items if one.strip()), "")
    written = ["".join(f"{indent}{line}" for line in item.splitlines(keepends=True))] if item else []
    at = slice(place, place + 1) if place is not None else slice(len(items), len(items))
    expected = [_usable(one) for one in items]
    expected[at] = [_usable(item)] if item else []
    items[at] = written
    changed = head + "".join(items)
    wanted = [entry for some in expected for entry in some]
    if [entry for _, entry in _all(changed)] != wanted:
        raise StoreError("E-ANSWERS", f"{ANSWERS} 有写错的地方", "the file has mistakes", "wenqu index")
    _, problems = only_usable(_all(changed), ANSWERS)
    before = only_usable(_all(content), ANSWERS)[1]
    if len(problems) > len(before):
        raise StoreError(
            "E-ANSWER",
            "已有这个问题",
            f"this question is there already: {problems[-1].reason}",
            "改问法 / ask otherwise",
        )
    return changed


def _all(content: str) -> list[tuple[int, CuratedAnswer]]:
    return [(line + 1, found) for line, found in entries_of(content) if isinstance(found, CuratedAnswer)]


def _usable(item: str) -> list[CuratedAnswer]:
    return [entry for _, entry in _all(item)]


def _dumped(entry: CuratedAnswer) -> str:
    """An entry as YAML. Raises StoreError if it could not be read back."""
    fields = {name: value for name, value in asdict(entry).items() if value}
    item: str = yaml.safe_dump(
        [{**fields, "questions": list(entry.questions)}], allow_unicode=True, sort_keys=False, width=_WIDE
    )
    for _, found in entries_of(item):
        if not isinstance(found, CuratedAnswer):
            raise StoreError("E-ANSWER", "这条答案不能用", f"this answer cannot be used: {found}")
    return item


def _identity(item: str) -> str:
    return hashlib.sha256(textwrap.dedent(item).strip().encode()).hexdigest()[:16]
