"""corpus/dictionary.txt: the user's own words, cut whole, and names that stand for one another.

One entry a line: a word (`创投思维`), or `别名 = 本名` (several aliases apart by , or 、). `#` begins a comment.
What is read here is kept in the generation that it made, so that a question is cut as its index was. jieba, which is
one for the whole process, never learns these words: the text is cut around them before jieba sees it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import text
from bot.encoding import decode
from bot.errors import ReadError

DICTIONARY = "dictionary.txt"  # in the corpus folder itself, not in a folder below
FILE = "dictionary.json"  # in a generation
_MAX_CHARS = 50
_COMMENT = re.compile(r"(?:^|\s)#.*")  # C# is a word
# A Latin word is not met inside a longer identifier: ai is not in openai, gpt-4 stays gpt-4.
_LETTER = rf"[^\W_{text.HAN}]"
_JOINED_BEFORE = re.compile(rf"(?:(?<={_LETTER})|(?<={_LETTER}[-_.+'/])){_LETTER}")
_JOINED_AFTER = re.compile(rf"(?<={_LETTER})(?:[-_.+'/]?{_LETTER}|\+\+|#)")


@dataclass(frozen=True, slots=True)
class Problem:
    """A line (from 1; 0 is the whole file) that is not used, and why."""

    line: int
    reason: str
    file: str = DICTIONARY

    @property
    def place(self) -> str:
        """Where to mend it: dictionary.txt:3."""
        return f"{self.file}:{self.line}" if self.line else self.file


class Dictionary:
    """Words and aliases over folded text. Without entries it cuts as bot.text does."""

    def __init__(self, entries: Iterable[Sequence[str]] = (), problems: Iterable[Problem] = ()) -> None:
        """Each entry holds the folded names of one thing, the 本名 first; a word without aliases stands alone."""
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
        """How many words it holds, aliases included."""
        return len(self._others)

    def others(self, word: str) -> list[str]:
        """The other names of what a word of the dictionary names; empty for a word without aliases."""
        return list(self._others[word])

    def words(self, folded: str) -> list[str]:
        """The words of folded text as bot.text.words cuts them, but those of the dictionary whole as well as cut.

        The parts stay, for a question may name a part alone: jieba's own search mode does the same with long words.
        """
        found: list[str] = []
        for piece, own in self._pieces(folded):
            found.extend(self._parts(piece) if own else text.words(piece))
        return found

    def named(self, folded: str) -> tuple[list[str], str]:
        """The dictionary's words in a folded question, each once, and the question that is left to cut.

        A name that has others is asked for as a whole, so it is not left: no article that calls the thing by its other
        name could hold the parts of this one.
        """
        pieces = list(self._pieces(folded))
        found = list(dict.fromkeys(piece for piece, own in pieces if own))
        left = (f" {'' if self._others[piece] else piece} " if own else piece for piece, own in pieces)
        return found, " ".join("".join(left).split())

    def _pieces(self, folded: str) -> Iterator[tuple[str, bool]]:
        """The text in order, in pieces that are words of the dictionary (True, the longest first) and the rest."""
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
        # By its first character, not by a regular expression of all words: that tries 10,000 words at every position.
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
            self._cut[word] = list(dict.fromkeys([*text.words(word), *nested, word]))
        return self._cut[word]

    def report(self) -> dict[str, Any]:
        """What `wenqu info` shows: the counts and the entries as they are compared."""
        return {
            "words": len(self),
            "aliases": sum(len(entry) - 1 for entry in self.entries),
            "entries": [" = ".join(filter(None, (", ".join(entry[1:]), entry[0]))) for entry in self.entries],
        }

    def save(self, folder: Path) -> None:
        """Write it into a generation; without anything to keep there is no file."""
        if self.entries or self.problems:
            content = {"entries": self.entries, "problems": [(p.line, p.reason) for p in self.problems]}
            (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


NO_DICTIONARY = Dictionary()


def load_dictionary(folder: Path) -> Dictionary:
    """The dictionary that a verified generation was made with."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return NO_DICTIONARY
    return Dictionary(content["entries"], [Problem(*problem) for problem in content["problems"]])


def read_dictionary(file: Path) -> Dictionary:
    """The dictionary that a file says. Nothing is fatal: what cannot be used is among its problems."""
    try:
        content = decode(file.read_bytes()).text
    except OSError as error:
        return Dictionary(problems=[Problem(0, f"无法读取 / cannot be read: {error.strerror}")])
    except ReadError as error:
        return Dictionary(problems=[] if error.code == "E-EMPTY" else [Problem(0, f"{error.code} {error}")])
    groups: dict[str, dict[str, None]] = {}  # aliases of one name that stand on several lines are one entry
    problems: list[Problem] = []
    for number, line in enumerate(content.split("\n"), start=1):
        try:
            for name, *aliases in _entries(_COMMENT.sub("", text.fold(line)).strip()):
                groups.setdefault(name, {name: None}).update(dict.fromkeys(aliases))
        except ValueError as error:
            problems.append(Problem(number, str(error)))
    return Dictionary(map(tuple, groups.values()), problems)


def _entries(line: str) -> list[list[str]]:
    """The entries of a folded line, each with its 本名 first. Raises ValueError with the reason, for people."""
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
        raise ValueError(f"别名与本名相同 / alias and name are the same: {name}")
    return [[name, *names]]


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not re.search(r"\w", name):
        raise ValueError("缺一个词 / a word is missing")
    if len(name) > _MAX_CHARS:
        raise ValueError(f"超过 {_MAX_CHARS} 字 / longer than {_MAX_CHARS} characters: {name[:20]}…")
    if name in text.QUESTION_WORDS:
        raise ValueError(f"这是虚词,不能当作词 / a function word cannot be a word of the dictionary: {name}")
    return name
