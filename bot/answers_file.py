"""Reads corpus/answers.yaml: a list of {questions: [...], answer: ..., source: ..., url: ...}.

The YAML is composed and never constructed: a scalar is its own text (a date stays what was written), and no tag makes
an object. What cannot be used is named by its line, and the rest counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from bot.corpus import ANSWERS
from bot.curated import Curated, CuratedAnswer, only_usable
from bot.dictionary import Problem
from bot.encoding import decode
from bot.errors import ReadError
from bot.text import fold

_MAX_BYTES, _MAX_QUESTION, _MAX_ANSWER, _MAX_SOURCE = 1024 * 1024, 200, 4000, 300
_KEYS = ("questions", "answer", "source", "url")
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")
}
FORM = "应为 questions, answer, source, url / write questions, answer, source, url"


class _Unusable(Exception):  # noqa: N818  not an error of the program
    """A line (from 0) that cannot be used, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Nodes without aliases: a few lines of them could stand for gigabytes."""

    def compose_node(self, parent: yaml.Node, index: object) -> yaml.Node:
        """The next node. Raises _Unusable at an alias or a tag."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _Unusable(event.start_mark.line, "不能用 * 别名 / no * aliases here")
        node = super().compose_node(parent, index)
        if node.tag not in _PLAIN_TAGS:
            raise _Unusable(node.start_mark.line, f"不能用标签 / no tags here: {node.tag}"[:100])
        return node


def read_answers(file: Path) -> Curated:
    """The answers that a file holds. Nothing is fatal: what cannot be used is among the problems."""
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
    for line, result in _entries(content):
        if isinstance(result, CuratedAnswer):
            found.append((line + 1, result))
        else:
            problems.append(Problem(line + 1, result, ANSWERS))
    entries, twice = only_usable(found, ANSWERS)
    return Curated(entries, sorted([*problems, *twice], key=lambda problem: problem.line))


def _entries(content: str) -> Iterator[tuple[int, CuratedAnswer | str]]:
    """Each entry, or the reason why it is none, with its line (from 0)."""
    try:
        nodes = [(0, node) for node in _items(content)]
    except _Unusable:  # one bad item spoils the whole text for YAML: take the items one by one
        nodes = []
        for first, item in _pieces(content):
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
    """The items of a list. Raises _Unusable for what is no list of YAML."""
    try:
        root = yaml.compose(content, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        before = content[: getattr(error, "position", 0)]  # of a character that YAML does not allow
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
        line = mark.line if mark else before.count("\n")
        raise _Unusable(line, f"YAML 格式不对,可把文字放进引号 / not YAML, quotes may help: {reason}") from error
    except RecursionError as error:
        raise _Unusable(0, "嵌套太深 / nested too deeply") from error
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise _Unusable(root.start_mark.line, f"应为列表,每条以 - 开头 / a list is wanted, each item after a -; {FORM}")
    items: list[yaml.Node] = root.value
    return items


def _pieces(content: str) -> Iterator[tuple[int, str]]:
    """The text of each item with its first line (from 0), cut where a line begins with the first item's dash."""
    lines = content.split("\n")
    dash = next((re.match(r" *", line).group() for line in lines if line.lstrip(" ").startswith("- ")), "")  # type: ignore[union-attr]
    starts = [number for number, line in enumerate(lines) if line.startswith((f"{dash}- ", f"{dash}-\t"))] or [0]
    starts[0] = 0
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield start, "\n".join(lines[start:end])


def _entry(node: yaml.Node) -> CuratedAnswer:
    """The answer that an item says. Raises _Unusable."""
    line = node.start_mark.line
    if not isinstance(node, yaml.MappingNode):
        raise _Unusable(line, FORM)
    fields: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name not in _KEYS:
            raise _Unusable(key.start_mark.line, f"没有这一项 / no such field: {name[:20]}; {FORM}")
        if name in fields:
            raise _Unusable(key.start_mark.line, f"重复 / twice: {name}")
        fields[name] = value
    if missing := [name for name in _KEYS[:3] if name not in fields]:
        raise _Unusable(line, f"缺少 / missing: {', '.join(missing)}")
    asked = fields["questions"]
    questions = asked.value if isinstance(asked, yaml.SequenceNode) else [asked]
    url = _text(fields["url"], _MAX_SOURCE) if "url" in fields else ""
    if not re.fullmatch(r"(https?://[^\s<>()\[\]\"]+)?", url):
        raise _Unusable(fields["url"].start_mark.line, "url 应为网址 / an address is wanted: https://…")
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
    """The text of a scalar, as written. Raises _Unusable where there is none, or too much."""
    if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
        raise _Unusable(node.start_mark.line, "应为文字 / a text is wanted")
    if len(node.value) > limit:
        raise _Unusable(node.start_mark.line, f"超过 {limit} 字 / longer than {limit} characters")
    return str(node.value).strip()
