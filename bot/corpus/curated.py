"""corpus/answers.yaml: questions with answers that people wrote, which are given word for word.

Like the dictionary, the answers are stored in the generation that was built with them. A question matches one in the
file if they differ only in punctuation and politeness, or if they mean the same: see `Curated.match`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml  # type: ignore[import-untyped]

from bot.corpus.scan import ANSWERS
from bot.errors import ReadError
from bot.text.answer_type import AnswerType
from bot.text.bridge import stem
from bot.text.courtesy import unwrapped
from bot.text.dictionary import NO_DICTIONARY, Dictionary, Problem
from bot.text.encoding import decode
from bot.text.fold import fold, is_chinese, language
from bot.text.terms import content_words, rarity
from bot.types import Embedder, Query, Vectors

FILE, _VECTORS = "answers.json", "answers.npy"
# The mean of the cosine and the share of common words, weighted by rarity, from which two questions are the same.
# At 0.8, 1 of 1,000 near misses is taken for the same question (scripts/EXPERIMENTS.md, Curated answers).
THRESHOLD = 0.8
# A point between digits and the signs in C++, C# and 5% are not punctuation.
_PUNCTUATION = re.compile(r"(?<!\d)\.|\.(?!\d)|[^\w+#%.]")
_PARTICLES = re.compile(r"[吗呢吧啊呀嘛]+$")
_NUMBERS = re.compile(r"[a-z]*\d[a-z0-9.+#-]*|第?[一二三四五六七八九十百千万零〇两]+(?=[年月日号世届期级条章次位名])")
# What is measured: to the search 多高 and 多重 are function words, but they ask different questions.
_MEASURES = re.compile(r"多[大高长重远久深宽厚快]|how (?:many|much|long|far|old|big|large|tall|high|heavy|often)")
_MEASURE_RARITY = 0.8
_UNDECIDED = re.compile(r"有没有|是不是|能不能|会不会|要不要|可不可以|好不好|对不对")
_NOT = re.compile(r"没有|不|没|非|无|未|勿|\bnot\b|n't\b|\bno\b|\bnever\b")


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """An answer written by people, the ways to ask for it, and its source."""

    questions: tuple[str, ...]
    answer: str
    source: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What two questions are compared by: words with their rarity, numbers, negation, answer types and language."""

    words: dict[str, float]
    numbers: frozenset[str]
    denies: bool
    types: frozenset[str]
    language: str

    @classmethod
    def from_question(cls, folded: str, dictionary: Dictionary) -> Shape:
        """The shape of a folded question; all names of one thing are reduced to the same one."""
        asked = unwrapped(folded)
        own, left = dictionary.named(asked)
        names = [min(name, *dictionary.others(name)) for name in own] if own else []
        plain = (word if is_chinese(word) else stem(word) for word in content_words(left))
        words = {word: rarity(word) for word in (*names, *plain)}
        words |= dict.fromkeys(_MEASURES.findall(asked), _MEASURE_RARITY)
        return cls(
            words,
            frozenset(_NUMBERS.findall(asked)),
            len(_NOT.findall(_UNDECIDED.sub("", asked))) % 2 == 1,
            frozenset(AnswerType.from_query(Query(asked, asked, (), asked)).names),
            language(asked),
        )

    def overlap(self, other: Shape) -> float:
        """The share of common words, weighted by rarity, of the side that shares less; 0 to 1.

        It is 0 if each side has a word that the other lacks, because one thing then replaces another (青岛 for 合肥),
        and if the numbers, the negation, the language or the kind of answer differ.
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
    """The question without differences of script, case, punctuation, politeness and final particles."""
    asked = unwrapped(" ".join(fold(question).split()))
    bare = _PUNCTUATION.sub("", asked)
    return _PARTICLES.sub("", bare) or bare


class Curated:
    """The curated answers of a corpus, with a vector for every way to ask for them."""

    def __init__(
        self,
        entries: Iterable[CuratedAnswer] = (),
        problems: Iterable[Problem] = (),
        vectors: Vectors | None = None,
        dictionary: Dictionary = NO_DICTIONARY,
    ) -> None:
        """`vectors` has one row for each question, in order; without it only identical questions match."""
        self.entries, self.problems = list(entries), list(problems)
        self._vectors, self._dictionary = vectors, dictionary
        self._rows = [(question, entry) for entry in self.entries for question in entry.questions]
        self._by_key = {question_key(question): entry for question, entry in reversed(self._rows)}
        self._shapes: dict[int, Shape] = {}

    def match(self, folded: str, *vectors: Vectors) -> CuratedAnswer | None:
        """The curated answer to a question, given its folded text and its vectors (the nearest counts), or None."""
        if same := self._by_key.get(question_key(folded)):
            return same
        if self._vectors is None or not self._rows:
            return None
        cosines = np.max([self._vectors @ vector for vector in vectors], axis=0)
        asked = Shape.from_question(folded, self._dictionary)
        best, found = THRESHOLD, None
        # Below this cosine even full overlap cannot reach the threshold.
        for row in np.flatnonzero(cosines >= 2 * THRESHOLD - 1):
            score = (float(cosines[row]) + asked.overlap(self._shape(int(row)))) / 2
            if score >= best:
                best, found = score, self._rows[row][1]
        return found

    def _shape(self, row: int) -> Shape:
        if row not in self._shapes:
            folded = " ".join(fold(self._rows[row][0]).split())
            self._shapes[row] = Shape.from_question(folded, self._dictionary)
        return self._shapes[row]

    def report(self) -> dict[str, Any]:
        """What `wenqu info` shows: the counts, and the first question and the source of each answer."""
        return {
            "answers": len(self.entries),
            "questions": len(self._rows),
            "entries": [f"{entry.questions[0]} ({entry.source})" for entry in self.entries],
        }

    def save(self, folder: Path, embedder: Embedder) -> None:
        """Write the answers and their vectors into a generation; writes no files if there are none."""
        if not self.entries and not self.problems:
            return
        content = {
            "entries": [asdict(entry) for entry in self.entries],
            "problems": [(p.line, p.reason, p.file) for p in self.problems],
        }
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        # Encoded as queries, not as passages, because both sides of the comparison are questions.
        vectors = [embedder.encode_query(question) for question, _ in self._rows]
        np.save(folder / _VECTORS, np.array(vectors, dtype=np.float32).reshape(-1, embedder.dim), allow_pickle=False)


NO_ANSWERS = Curated()


def load_curated(folder: Path, dictionary: Dictionary) -> Curated:
    """The curated answers that a verified generation was built with."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return NO_ANSWERS
    entries = [CuratedAnswer(**{**entry, "questions": tuple(entry["questions"])}) for entry in content["entries"]]
    problems = [Problem(*problem) for problem in content["problems"]]
    return Curated(entries, problems, np.load(folder / _VECTORS, allow_pickle=False), dictionary)


def only_usable(found: Sequence[tuple[int, CuratedAnswer]], file: str) -> tuple[list[CuratedAnswer], list[Problem]]:
    """The answers without those that repeat an earlier question, because one question has one answer.

    Each answer comes with its line in the file.
    """
    entries: list[CuratedAnswer] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for line, entry in found:
        keys = {question_key(question) for question in entry.questions}
        if twice := sorted(seen[key] for key in keys if key in seen):
            problems.append(Problem(line, f"第 {twice[0]} 行已有这个问题 / already asked on line {twice[0]}", file))
            continue
        seen |= dict.fromkeys(keys, line)
        entries.append(entry)
    return entries, problems


_MAX_BYTES, _MAX_QUESTION, _MAX_ANSWER, _MAX_SOURCE = 1024 * 1024, 200, 4000, 300
_KEYS = ("questions", "answer", "source", "url")
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")
}
FORM = "应写 questions、answer、source、url / write questions, answer, source, url"


class _Unusable(Exception):
    """Raised for a line (from 0) that cannot be used, with the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Loads nodes but refuses aliases, because a few lines of them can expand to gigabytes."""

    def compose_node(self, parent: yaml.Node, index: object) -> yaml.Node:
        """The next node. Raises _Unusable at an alias or a tag."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _Unusable(event.start_mark.line, "不能使用 * 别名 / * aliases are not allowed")
        node = super().compose_node(parent, index)
        if node.tag not in _PLAIN_TAGS:
            raise _Unusable(node.start_mark.line, f"不能使用标签 / tags are not allowed: {node.tag}"[:100])
        return node


def read_answers(file: Path) -> Curated:
    """The curated answers in a file. Nothing is fatal: whatever cannot be used is listed in the problems."""
    try:
        if file.stat().st_size > _MAX_BYTES:
            return Curated(problems=[Problem(0, f"超过 / over {_MAX_BYTES // 1024} KB", ANSWERS)])
        content = decode(file.read_bytes()).text
    except OSError as error:
        return Curated(problems=[Problem(0, f"无法读取 / cannot be read: {error.strerror}", ANSWERS)])
    except ReadError as error:
        return Curated(problems=[] if error.code == "E-EMPTY" else [Problem(0, f"{error.code} {error}", ANSWERS)])
    found: list[tuple[int, CuratedAnswer]] = []
    problems: list[Problem] = []
    for line, result in entries_of(content):
        if isinstance(result, CuratedAnswer):
            found.append((line + 1, result))
        else:
            problems.append(Problem(line + 1, result, ANSWERS))
    entries, twice = only_usable(found, ANSWERS)
    return Curated(entries, sorted([*problems, *twice], key=lambda problem: problem.line))


def entries_of(content: str) -> Iterator[tuple[int, CuratedAnswer | str]]:
    """Each entry, or the reason why it cannot be used, with its line (from 0)."""
    try:
        nodes = [(0, node) for node in _items(content)]
    except _Unusable:  # one bad item makes the whole file invalid YAML, so parse the items one by one
        nodes = []
        for first, item in pieces(content):
            try:
                nodes += [(first, node) for node in _items(item)]
            except _Unusable as problem:
                yield first + problem.line, str(problem)
    for first, node in nodes:
        try:
            yield first + node.start_mark.line, _entry(node)
        except _Unusable as problem:
            yield first + problem.line, str(problem)


def _items(content: str) -> list[yaml.Node]:
    """The items of a YAML list. Raises _Unusable if the text is something else."""
    try:
        root = yaml.compose(content, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        before = content[: getattr(error, "position", 0)]  # the position of a character that YAML does not allow
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
        line = mark.line if mark else before.count("\n")
        raise _Unusable(line, f"YAML 格式不对，可以把文字放进引号 / not YAML, quotes may help: {reason}") from error
    except RecursionError as error:
        raise _Unusable(0, "嵌套太深 / nested too deeply") from error
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise _Unusable(root.start_mark.line, f"应为列表，每条以 - 开头 / expected a list, each item after a -; {FORM}")
    items: list[yaml.Node] = root.value
    return items


def pieces(content: str) -> Iterator[tuple[int, str]]:
    """The text of each item with its first line (from 0); an item begins where the first item's dash is repeated."""
    lines = content.split("\n")
    dash = next((re.match(r" *", line).group() for line in lines if line.lstrip(" ").startswith("- ")), "")  # type: ignore[union-attr]
    starts = [number for number, line in enumerate(lines) if line.startswith((f"{dash}- ", f"{dash}-\t"))] or [0]
    starts[0] = 0
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield start, "\n".join(lines[start:end])


def _entry(node: yaml.Node) -> CuratedAnswer:
    """The curated answer in an item. Raises _Unusable."""
    line = node.start_mark.line
    if not isinstance(node, yaml.MappingNode):
        raise _Unusable(line, FORM)
    fields: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name not in _KEYS:
            raise _Unusable(key.start_mark.line, f"没有这个字段 / no such field: {name[:20]}; {FORM}")
        if name in fields:
            raise _Unusable(key.start_mark.line, f"重复 / twice: {name}")
        fields[name] = value
    if missing := [name for name in _KEYS[:3] if name not in fields]:
        raise _Unusable(line, f"缺少 / missing: {', '.join(missing)}")
    asked = fields["questions"]
    questions = asked.value if isinstance(asked, yaml.SequenceNode) else [asked]
    url = _text(fields["url"], _MAX_SOURCE) if "url" in fields else ""
    if not re.fullmatch(r"(https?://[^\s<>()\[\]\"]+)?", url):
        raise _Unusable(fields["url"].start_mark.line, "url 应为网址 / url must be a web address: https://…")
    variants = tuple(dict.fromkeys(_question(question) for question in questions))
    if not variants:
        raise _Unusable(asked.start_mark.line, "缺少 / missing: questions")
    return CuratedAnswer(variants, _text(fields["answer"], _MAX_ANSWER), _text(fields["source"], _MAX_SOURCE), url)


def _question(node: yaml.Node) -> str:
    question = " ".join(_text(node, _MAX_QUESTION).split())
    if not re.search(r"\w", fold(question)):
        raise _Unusable(node.start_mark.line, "问题是空的 / the question is empty")
    return question


def _text(node: yaml.Node, limit: int) -> str:
    """The text of a scalar, as written. Raises _Unusable if it is empty or longer than `limit` characters."""
    if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
        raise _Unusable(node.start_mark.line, "应为文字 / expected text")
    if len(node.value) > limit:
        raise _Unusable(node.start_mark.line, f"超过 {limit} 字 / longer than {limit} characters")
    return str(node.value).strip()
