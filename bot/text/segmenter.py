"""Cuts Chinese into words, and tells how common a word is according to jieba's dictionary.

jieba is the reference. rjieba (jieba-rs), which has the same dictionary and the same model of unknown words, does the
work because it is 25 times as fast (scripts/EXPERIMENTS.md, Segmenters).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import platformdirs

if TYPE_CHECKING:
    from jieba import Tokenizer  # type: ignore[import-untyped]

T = TypeVar("T")
# jieba's HMM is quadratic on runs of single-character words: 100,000 characters took 23 s.
MAX_CHARS = 2_000
TOTAL = 60_101_967  # sum of all frequencies in jieba's dictionary; counting would cost every start 0.1 s
# The characters that jieba treats as Chinese. It leaves others alone, but jieba-rs would join some of them into words.
_KNOWN = re.compile("[\u4e00-\u9fd5]+|.", re.DOTALL)
_PLAIN = re.compile(f"[\u4e00-\u9fd5]{{1,{MAX_CHARS}}}")


def cut(run: str) -> list[str]:
    """The words of a run of Han characters, in order; joined, they give the run again."""
    return _cut(run, _rjieba().cut)


def cut_for_search(run: str) -> list[str]:
    """The words of a run of Han characters, each preceded by the shorter words inside it."""
    return _cut(run, _rjieba().cut_for_search)


@cache
def _rjieba() -> ModuleType:
    import rjieba

    return rjieba


def tagged(run: str) -> list[tuple[str, str]]:
    """The words of a run of Han characters in order, each with the tag that jieba gives it: 北京 is ns."""
    return _cut(run, _rjieba().tag)


def _cut(run: str, cut_piece: Callable[[str], list[T]]) -> list[T]:
    if _PLAIN.fullmatch(run):
        return cut_piece(run)
    return [word for piece in _pieces(run) for word in cut_piece(piece)]


def _pieces(run: str) -> Iterator[str]:
    for match in _KNOWN.finditer(run):
        piece = match.group()
        for left in range(0, len(piece), MAX_CHARS):
            yield piece[left : left + MAX_CHARS]


def frequency(word: str) -> int:
    """The frequency of a word in jieba's dictionary; 0 for a word that is not in it."""
    lines, target = _sorted_lines(), b"\n" + word.encode("utf-8", "replace") + b" "
    low, high = 0, len(lines) - 1  # positions of line breaks; the target's line, if any, begins between them
    while low < high:
        begin = lines.rfind(b"\n", 0, (low + high) // 2 + 1)
        if lines[begin : begin + len(target)] < target:
            low = lines.find(b"\n", begin + 1)
        else:
            high = begin
    found = lines.startswith(target, low)
    return int(lines[low + len(target) : lines.index(b"\n", low + 1)].split(b" ", 1)[0]) if found else 0


@cache
def _sorted_lines() -> bytes:
    """The dictionary's lines sorted by word, for binary search: jieba's own dict of words and prefixes takes 83 MB."""
    return b"\n" + b"\n".join(sorted(_dictionary_file().read_bytes().splitlines())) + b"\n"


def _dictionary_file() -> Path:
    package = importlib.util.find_spec("jieba")  # locates jieba without importing it
    assert package and package.origin
    return Path(package.origin).with_name("dict.txt")


@cache
def fingerprint() -> str:
    """Name, version and dictionary of the segmenter; another segmenter could not find the words this one indexed."""
    digest = hashlib.sha256(_dictionary_file().read_bytes()).hexdigest()[:16]
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("jieba", "rjieba"))
    return f"{' '.join(versions)} {digest}"


def _is_private(folder: Path) -> bool:
    """Whether the folder exists, or was just created, and only this user may write to it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        folder.chmod(0o700)
    except OSError:
        return False
    return True


@cache
def reference() -> Tokenizer:
    """The tokenizer of jieba with its dictionary loaded (0.5 s), cached where only this user can write.

    By default jieba loads a marshal file from the shared temporary folder, where any user could have put it.
    """
    import jieba

    jieba.setLogLevel(logging.CRITICAL)
    private = platformdirs.user_cache_path("wenqu") / "jieba"
    # Without a private folder there is no cache, and jieba parses its dictionary again.
    jieba.dt.tmp_dir = str(private) if _is_private(private) else "/nonexistent"
    jieba.dt.initialize()
    return jieba.dt
