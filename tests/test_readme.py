"""Both READMEs stay true: the file tree, the commands, the settings, and that they are twins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT

from bot.cli import cli
from bot.settings import Settings

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
FOLDERS_OF_ONE_LINE = (
    "tests/",
    "corpus/",
    "index/",
    "bot/static/",
    "bot/model/embedder/",
    "bot/model/bridge/",
    "bot/model/ranker/",
    "bot/model/refusal/",
    "scripts/benchmark/",
)


@pytest.fixture(params=READMES, ids=["en", "zh"])
def text(request: pytest.FixtureRequest) -> str:
    return request.param.read_text(encoding="utf-8")


def tree(text: str) -> set[str]:
    """The paths of the file tree: the code block whose first line is README.md."""
    block = re.search(r"```text\n(README\.md .*?)```", text, re.DOTALL)
    assert block
    paths, folders = set(), []
    for line in block[1].splitlines():
        name = line.split(" # ")[0].rstrip()
        depth = (len(name) - len(name.lstrip())) // 2
        folders = [*folders[:depth], name.strip()]
        paths.add("".join(folders))
    return paths


def present() -> set[str]:
    """What there is to be named: the files of the top level, of bot/ and of scripts/."""
    found = {path.name for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")}
    for folder in (ROOT / "bot", ROOT / "scripts"):
        for path in folder.rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in name and not name.startswith(FOLDERS_OF_ONE_LINE):
                found.add(name)
    return found


def test_the_file_tree_names_every_file_and_no_other(text):
    named = tree(text)
    assert present() - named == set()
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_the_commands_are_those_of_the_command_line(text):
    registered = {command.name or command.callback.__name__ for command in cli.registered_commands}
    registered |= {group.name for group in cli.registered_groups}
    assert set(re.findall(r"^\| `wenqu (\w+)` \|", text, re.MULTILINE)) == registered


def test_the_settings_table_is_the_settings(text):
    rows = dict(re.findall(r"^\| `(WENQU_\w+)` \| `([^`]*)` \|", text, re.MULTILINE))
    fields = {
        f"WENQU_{name.upper()}": field.default.relative_to(ROOT).as_posix()
        if isinstance(field.default, Path)
        else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert rows == fields


def test_the_readmes_are_twins():
    english, chinese = (path.read_text(encoding="utf-8") for path in READMES)

    def skeleton(text: str) -> list[str]:
        # A heading as its marks, for its words are translated; of a table row the first cell, which is not.
        return re.findall(r"^(?:##(?= )|```\w*|\| `[^`]*`)", text, re.MULTILINE)

    def examples(text: str) -> list[str]:
        return [re.sub(r"\s+#.*", "", block) for block in re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)]

    assert skeleton(english) == skeleton(chinese)
    assert examples(english) == examples(chinese)
    assert tree(english) == tree(chinese)


def test_links_lead_to_files(text):
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / target).exists(), target
