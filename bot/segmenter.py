"""What cuts Chinese into words, and how common jieba's dictionary says that a word is.

jieba is the reference. rjieba (jieba-rs), which holds the same dictionary and the same model of unknown words, does the
work: it is 25 times as fast and loads in a fifth of the time (parity: scripts/EXPERIMENTS.md).
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
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from jieba import Tokenizer  # type: ignore[import-untyped]

# The HMM of jieba is quadratic on a run of single-character words: 100,000 characters took 23 s, 2,000 take 0.024 s.
MAX_CHARS = 2_000
TOTAL = 60_101_967  # all frequencies of jieba's dictionary; counting them takes 0.1 s of every start
# What jieba knows to be Chinese. It leaves any other character alone; jieba-rs joins those of the extensions to words.
_KNOWN = re.compile("[\u4e00-\u9fd5]+|.", re.DOTALL)
_PLAIN = re.compile(f"[\u4e00-\u9fd5]{{1,{MAX_CHARS}}}")


def cut(run: str) -> list[str]:
    """The words of a run of Han characters, in order; joined they are the run."""
    return _cut(run, _rjieba().cut)


def cut_for_search(run: str) -> list[str]:
    """The words of a run of Han characters, each after the shorter words that it holds."""
    return _cut(run, _rjieba().cut_for_search)


@cache
def _rjieba() -> ModuleType:
    import rjieba

    return rjieba


def _cut(run: str, cut_piece: Callable[[str], list[str]]) -> list[str]:
    if _PLAIN.fullmatch(run):
        return cut_piece(run)
    return [word for piece in _pieces(run) for word in cut_piece(piece)]


def _pieces(run: str) -> Iterator[str]:
    for match in _KNOWN.finditer(run):
        piece = match.group()
        for left in range(0, len(piece), MAX_CHARS):
            yield piece[left : left + MAX_CHARS]


def frequency(word: str) -> int:
    """How often the dictionary counts a word; 0 where it lacks it."""
    lines, target = _sorted_lines(), b"\n" + word.encode("utf-8", "replace") + b" "
    low, high = 0, len(lines) - 1  # line breaks; the first line that is not before the target begins between them
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
    """The dictionary in the order of its words, which is its own but for 29 lines; read in 0.06 s, 5 MB.

    jieba's own way, a dict of words and their beginnings, takes 0.5 s and 83 MB.
    """
    return b"\n" + b"\n".join(sorted(_dictionary_file().read_bytes().splitlines())) + b"\n"


def _dictionary_file() -> Path:
    package = importlib.util.find_spec("jieba")  # found, not imported
    assert package and package.origin
    return Path(package.origin).with_name("dict.txt")


@cache
def fingerprint() -> str:
    """Name, version and dictionary of what cuts the words; another one would not find what this one wrote."""
    digest = hashlib.sha256(_dictionary_file().read_bytes()).hexdigest()[:16]
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("jieba", "rjieba"))
    return f"{' '.join(versions)} {digest}"


def _is_private(folder: Path) -> bool:
    """Whether there is, or could be made, a folder that only this user may write to."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
            return False
        folder.chmod(0o700)
    except OSError:
        return False
    return True


@cache
def reference() -> Tokenizer:
    """The tokenizer of jieba, its dictionary loaded (0.5 s, 83 MB) with a cache that only this user can write.

    jieba's own default is to load a marshal file from the shared temporary folder, which any user may have put there.
    """
    import jieba

    jieba.setLogLevel(logging.CRITICAL)
    private = platformdirs.user_cache_path("wenqu") / "jieba"
    # Without a folder of one's own jieba builds its dictionary anew, which costs 0.4 s more.
    jieba.dt.tmp_dir = str(private) if _is_private(private) else "/nonexistent"
    jieba.dt.initialize()
    return jieba.dt
