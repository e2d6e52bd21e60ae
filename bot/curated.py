"""corpus/answers.yaml: questions with the answer that people wrote for them, given word for word.

As with the dictionary, what is read here is kept in the generation that it made. A question is taken for one of the
file's when it is the same but for punctuation and politeness, or when it says the same: see `Curated.match`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot import text
from bot.answer_type import AnswerType
from bot.bridge import stem
from bot.dictionary import NO_DICTIONARY, Dictionary, Problem
from bot.types import Embedder, Query, Vectors

FILE, _VECTORS = "answers.json", "answers.npy"
# Half the cosine and half the share of the words, weighed by rarity, that both hold. At 0.8 54 of 100 paraphrases
# are taken for the same question and 1 of 1,000 near misses (scripts/EXPERIMENTS.md, Curated answers).
THRESHOLD = 0.8
_OPENING = re.compile(
    r"^(?:(?:请问|请教|你好|您好|我很好奇|please|tell me|do you know"
    r"|(?:你|您|你们|有谁|谁|有人|有没有人|我想|我很?想要?|想|我)(?:知道|了解|清楚|问)(?:一下|下)?"
    r"|(?:你|您)?(?:可以|能|可不可以|能不能)?请?告诉(?:我|一下)+)[\s,:。!?~]*)+(?=.*\w)"
)
# A point between digits and the signs of C++, C# and 5% are no punctuation.
_PUNCTUATION = re.compile(r"(?<!\d)\.|\.(?!\d)|[^\w+#%.]")
_PARTICLES = re.compile(r"[吗呢吧啊呀嘛]+$")
_NUMBERS = re.compile(r"[a-z]*\d[a-z0-9.+#-]*|第?[一二三四五六七八九十百千万零〇两]+(?=[年月日号世届期级条章次位名])")
# What is measured: 多高 and 多重 are function words to the search, but another question.
_MEASURES = re.compile(r"多[大高长重远久深宽厚快]|how (?:many|much|long|far|old|big|large|tall|high|heavy|often)")
_MEASURE_RARITY = 0.8
_UNDECIDED = re.compile(r"有没有|是不是|能不能|会不会|要不要|可不可以|好不好|对不对")
_NOT = re.compile(r"没有|不|没|非|无|未|勿|\bnot\b|n't\b|\bno\b|\bnever\b")


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """An answer written by people, the ways to ask for it, and where it is from."""

    questions: tuple[str, ...]
    answer: str
    source: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is compared of a question: its words with their rarity, its numbers, whether it denies, what it asks for."""

    words: dict[str, float]
    numbers: frozenset[str]
    denies: bool
    types: frozenset[str]
    language: str

    @classmethod
    def of(cls, folded: str, dictionary: Dictionary) -> Shape:
        """The shape of a folded question; a thing of many names goes by one of them."""
        asked = _OPENING.sub("", folded)
        own, left = dictionary.named(asked)
        names = [min(name, *dictionary.others(name)) for name in own] if own else []
        plain = (word if text.is_chinese(word) else stem(word) for word in text.content_words(left))
        words = {word: text.rarity(word) for word in (*names, *plain)}
        words |= dict.fromkeys(_MEASURES.findall(asked), _MEASURE_RARITY)
        return cls(
            words,
            frozenset(_NUMBERS.findall(asked)),
            len(_NOT.findall(_UNDECIDED.sub("", asked))) % 2 == 1,
            frozenset(AnswerType.of(Query(asked, asked, (), asked)).names),
            text.language(asked),
        )

    def overlap(self, other: Shape) -> float:
        """The share of the words, by rarity, that the other holds too, of the side that shares less; 0 to 1.

        0 where both sides have a word of their own: one thing stands in the place of another, 青岛 of 合肥. Likewise
        where the numbers differ, one side denies, or another kind of answer is asked for.
        """
        shared = self.words.keys() & other.words.keys()
        replaced = len(shared) < len(self.words) and len(shared) < len(other.words)
        other_kind = self.types and other.types and not self.types & other.types
        differs = (self.numbers, self.denies, self.language) != (other.numbers, other.denies, other.language)
        if not shared or replaced or other_kind or differs:
            return 0.0
        weight = sum(self.words[word] for word in shared)
        return weight / max(sum(self.words.values()), sum(other.words.values()))


def question_key(question: str) -> str:
    """What is left of a question without script, case, punctuation, politeness and final particles."""
    asked = _OPENING.sub("", " ".join(text.fold(question).split()))
    bare = _PUNCTUATION.sub("", asked)
    return _PARTICLES.sub("", bare) or bare


class Curated:
    """The answers of a corpus, with the vector of every way to ask for them."""

    def __init__(
        self,
        entries: Iterable[CuratedAnswer] = (),
        problems: Iterable[Problem] = (),
        vectors: Vectors | None = None,
        dictionary: Dictionary = NO_DICTIONARY,
    ) -> None:
        """Without vectors (rows in the order of the questions) only the same question matches."""
        self.entries, self.problems = list(entries), list(problems)
        self._vectors, self._dictionary = vectors, dictionary
        self._rows = [(question, entry) for entry in self.entries for question in entry.questions]
        self._by_key = {question_key(question): entry for question, entry in reversed(self._rows)}
        self._shapes: dict[int, Shape] = {}

    def match(self, folded: str, vector: Vectors) -> CuratedAnswer | None:
        """The answer to a question, by its folded text and its vector; None where people wrote none."""
        if same := self._by_key.get(question_key(folded)):
            return same
        if self._vectors is None or not self._rows:
            return None
        cosines = self._vectors @ vector
        asked = Shape.of(folded, self._dictionary)
        best, found = THRESHOLD, None
        # With a cosine below this no overlap reaches the threshold.
        for row in np.flatnonzero(cosines >= 2 * THRESHOLD - 1):
            score = (float(cosines[row]) + asked.overlap(self._shape(int(row)))) / 2
            if score >= best:
                best, found = score, self._rows[row][1]
        return found

    def _shape(self, row: int) -> Shape:
        if row not in self._shapes:
            folded = " ".join(text.fold(self._rows[row][0]).split())
            self._shapes[row] = Shape.of(folded, self._dictionary)
        return self._shapes[row]

    def report(self) -> dict[str, Any]:
        """What `wenqu info` shows: the counts, and of each answer its first question and its source."""
        return {
            "answers": len(self.entries),
            "questions": len(self._rows),
            "entries": [f"{entry.questions[0]} ({entry.source})" for entry in self.entries],
        }

    def save(self, folder: Path, embedder: Embedder) -> None:
        """Write them into a generation, with their vectors; without anything to keep there are no files."""
        if not self.entries and not self.problems:
            return
        content = {
            "entries": [asdict(entry) for entry in self.entries],
            "problems": [(p.line, p.reason, p.file) for p in self.problems],
        }
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        # As queries, not as passages: both sides of the comparison are questions.
        vectors = [embedder.encode_query(question) for question, _ in self._rows]
        np.save(folder / _VECTORS, np.array(vectors, dtype=np.float32).reshape(-1, embedder.dim), allow_pickle=False)


NO_ANSWERS = Curated()


def load_curated(folder: Path, dictionary: Dictionary) -> Curated:
    """The answers that a verified generation was made with."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return NO_ANSWERS
    entries = [CuratedAnswer(**{**entry, "questions": tuple(entry["questions"])}) for entry in content["entries"]]
    problems = [Problem(*problem) for problem in content["problems"]]
    return Curated(entries, problems, np.load(folder / _VECTORS, allow_pickle=False), dictionary)


def only_usable(found: Sequence[tuple[int, CuratedAnswer]], file: str) -> tuple[list[CuratedAnswer], list[Problem]]:
    """The answers, each with its line, but those that ask what an earlier one asks: one question has one answer."""
    entries: list[CuratedAnswer] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for line, entry in found:
        keys = {question_key(question) for question in entry.questions}
        if twice := sorted(seen[key] for key in keys if key in seen):
            problems.append(Problem(line, f"第 {twice[0]} 行已经问过 / asked before, on line {twice[0]}", file))
            continue
        seen |= dict.fromkeys(keys, line)
        entries.append(entry)
    return entries, problems
