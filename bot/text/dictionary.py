"""corpus/dictionary.txt: the user's own words, which are kept whole, and names that mean the same thing.

One entry per line: a word (`创投思维`), or `别名 = 本名` (several aliases separated by , or 、). `#` begins a comment.
The dictionary is stored in the generation that was built with it, so that questions are cut the way the index was.
jieba is global to the process and never learns these words: the text is cut around them before jieba sees it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import ReadError
from bot.text.encoding import decode
from bot.text.fold import HAN, fold
from bot.text.terms import QUESTION_WORDS, words

DICTIONARY = "dictionary.txt"  # in the corpus folder itself, not in a folder below
FILE = "dictionary.json"  # in a generation
_MAX_CHARS = 50
_COMMENT = re.compile(r"(?:^|\s)#.*")  # C# is a word
# A Latin word does not match inside a longer identifier: ai is not in openai, gpt-4 stays gpt-4.
_LETTER = rf"[^\W_{HAN}]"
_JOINED_BEFORE = re.compile(rf"(?:(?<={_LETTER})|(?<={_LETTER}[-_.+'/])){_LETTER}")
_JOINED_AFTER = re.compile(rf"(?<={_LETTER})(?:[-_.+'/]?{_LETTER}|\+\+|#)")


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that cannot be used, and why; lines count from 1, and 0 means the whole file."""

    line: int
    reason: str
    file: str = DICTIONARY

    @property
    def place(self) -> str:
        """Where to fix it: dictionary.txt:3."""
        return f"{self.file}:{self.line}" if self.line else self.file


class Dictionary:
    """The user's words and aliases, all folded. Without entries it cuts text as bot.text.terms does."""

    def __init__(self, entries: Iterable[Sequence[str]] = (), problems: Iterable[Problem] = ()) -> None:
        """Each entry lists the folded names of one thing, the 本名 first; a word without aliases is a list of one."""
        self.entries = [tuple(entry) for entry in entries]
        self.problems = list(problems)
        self._others: dict[str, dict[str, None]] = {}
        for entry in self.entries:
            for name in entry:
                self._others.setdefault(name, {}).update(dict.fromkeys(other for other in entry if other != name))
        self._by_first: dict[str, list[str]] = {}
        for word in sorted(self._others, key=lambda word: (-len(word), word)):
            self._by_first.setdefault(word[0], []).append(word)
        self._cut: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """The number of words, aliases included."""
        return len(self._others)

    def others(self, word: str) -> list[str]:
        """The other names of the thing that a word of the dictionary names; empty for a word without aliases."""
        return list(self._others[word])

    def words(self, folded: str) -> list[str]:
        """The words of folded text as bot.text.terms cuts them, with the dictionary's words both whole and cut.

        The parts are kept because a question may name just one of them; jieba's search mode does the same.
        """
        found: list[str] = []
        for piece, own in self._pieces(folded):
            found.extend(self._parts(piece) if own else words(piece))
        return found

    def named(self, folded: str) -> tuple[list[str], str]:
        """The dictionary's words in a folded question, each once, and the rest of the question, still to be cut.

        A name that has aliases is looked for as a whole and removed from the rest: an article that uses another name
        for the thing cannot be expected to contain the parts of this one.
        """
        pieces = list(self._pieces(folded))
        found = list(dict.fromkeys(piece for piece, own in pieces if own))
        left = (f" {'' if self._others[piece] else piece} " if own else piece for piece, own in pieces)
        return found, " ".join("".join(left).split())

    def _pieces(self, folded: str) -> Iterator[tuple[str, bool]]:
        """The text in order, cut into words of the dictionary (True, the longest match wins) and the rest (False)."""
        position = begun = 0
        while self._by_first and position < len(folded):
            word = self._word_at(folded, position)
            if not word:
                position += 1
                continue
            if begun < position:
                yield folded[begun:position], False
            yield word, True
            begun = position = position + len(word)
        if begun < len(folded):
            yield folded[begun:], False

    def _word_at(self, folded: str, position: int) -> str:
        # Looked up by first character, because a regular expression of all words would try each at every position.
        for word in self._by_first.get(folded[position], ()):
            if (
                folded.startswith(word, position)
                and not _JOINED_BEFORE.match(folded, position)
                and not _JOINED_AFTER.match(folded, position + len(word))
            ):
                return word
        return ""

    def _parts(self, word: str) -> list[str]:
        if word not in self._cut:
            pieces = (word[i:j] for i in range(len(word)) for j in range(i + 1, len(word) + 1))
            nested = (piece for piece in pieces if piece in self._others and not piece.isascii())
            self._cut[word] = list(dict.fromkeys([*words(word), *nested, word]))
        return self._cut[word]

    def report(self) -> dict[str, Any]:
        """What `wenqu info` shows: the counts, and the entries in their folded form."""
        return {
            "words": len(self),
            "aliases": sum(len(entry) - 1 for entry in self.entries),
            "entries": [" = ".join(filter(None, (", ".join(entry[1:]), entry[0]))) for entry in self.entries],
        }

    def save(self, folder: Path) -> None:
        """Write the dictionary into a generation; an empty one writes no file."""
        if self.entries or self.problems:
            content = {"entries": self.entries, "problems": [(p.line, p.reason) for p in self.problems]}
            (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


NO_DICTIONARY = Dictionary()


def load_dictionary(folder: Path) -> Dictionary:
    """The dictionary that a verified generation was built with."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return NO_DICTIONARY
    return Dictionary(content["entries"], [Problem(*problem) for problem in content["problems"]])


def read_dictionary(file: Path) -> Dictionary:
    """The dictionary in a file. Nothing is fatal: whatever cannot be used is listed in its problems."""
    try:
        content = decode(file.read_bytes()).text
    except OSError as error:
        return Dictionary(problems=[Problem(0, f"无法读取 / cannot be read: {error.strerror}")])
    except ReadError as error:
        return Dictionary(problems=[] if error.code == "E-EMPTY" else [Problem(0, f"{error.code} {error}")])
    groups: dict[str, dict[str, None]] = {}  # aliases of one name may be spread over several lines
    problems: list[Problem] = []
    for number, line in enumerate(content.split("\n"), start=1):
        try:
            for name, *aliases in _entries(_COMMENT.sub("", fold(line)).strip()):
                groups.setdefault(name, {name: None}).update(dict.fromkeys(aliases))
        except ValueError as error:
            problems.append(Problem(number, str(error)))
    return Dictionary(map(tuple, groups.values()), problems)


def _entries(line: str) -> list[list[str]]:
    """The entries of a folded line, each with its 本名 first. Raises ValueError with a reason that users can read."""
    if not line:
        return []
    left, equals, right = line.partition("=")
    names = [_checked(name) for name in re.split("[,、]", left)]
    if not equals:
        return [[name] for name in names]
    if re.search("[=,、]", right):
        raise ValueError("等号右边只能有一个本名 / only one name may stand after the =")
    name = _checked(right)
    if name in names:
        raise ValueError(f"别名与本名相同 / the alias and the name are the same: {name}")
    return [[name, *names]]


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not re.search(r"\w", name):
        raise ValueError("缺少词语 / a word is missing")
    if len(name) > _MAX_CHARS:
        raise ValueError(f"超过 {_MAX_CHARS} 字 / longer than {_MAX_CHARS} characters: {name[:20]}…")
    if name in QUESTION_WORDS:
        raise ValueError(f"虚词不能作词条 / a function word cannot be a dictionary entry: {name}")
    return name
