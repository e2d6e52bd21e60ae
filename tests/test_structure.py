"""The shape of the code: imports point down from room to room, one file reads the environment, nothing unpickles."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from conftest import ROOT

BOT = ROOT / "bot"
# From the ground up. Files on one floor of the hall (journal, evaluation) lie in the order of their names here.
FLOORS = "types errors settings text corpus index answer pipeline library"
FLOORS += " journal evaluation suite calibration channels web cli"
FLOOR = {name: number for number, name in enumerate(["__version__", *FLOORS.split(), "__init__", "__main__"])}
FILES = {path.relative_to(BOT): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(BOT.rglob("*.py"))}


def rooms_of(tree: ast.Module) -> set[str]:
    """The rooms that a file imports, wherever the import stands."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("bot.")}


def climbing(path: Path, tree: ast.Module) -> list[str]:
    """The imports of a file that do not point down, each as `file -> room`."""
    own = path.parts[0].removesuffix(".py")
    above = (room for room in rooms_of(tree) if room != own and FLOOR.get(room, 99) >= FLOOR[own])
    return [f"{path} -> {room}" for room in above]


def test_imports_point_down():
    assert [line for path, tree in FILES.items() for line in climbing(path, tree)] == []


def test_an_upward_import_is_found():
    tree = ast.parse("from bot.web import app\nimport bot.cli.commands\nfrom bot.text.fold import fold\n")
    assert sorted(climbing(Path("answer/x.py"), tree)) == ["answer/x.py -> cli", "answer/x.py -> web"]


def test_no_two_classes_have_one_name():
    classes = [node.name for tree in FILES.values() for node in tree.body if isinstance(node, ast.ClassDef)]
    assert [name for name, count in Counter(classes).items() if count > 1] == []


def test_only_settings_reads_the_environment():
    found = [str(path) for path in FILES if re.search(r"\benviron\b|\bgetenv\b", (BOT / path).read_text("utf-8"))]
    assert found == []  # settings.py reads through pydantic-settings
