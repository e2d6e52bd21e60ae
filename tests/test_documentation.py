"""README and manual: what they say can be done can be done, their links lead somewhere, both languages say the same."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer
from conftest import ROOT
from markdown_it import MarkdownIt
from markdown_it.token import Token
from serving import serving

from bot.cli import cli
from bot.settings import load_settings
from bot.web.markdown import rendered

pytestmark = pytest.mark.slow

GUIDE = ROOT / "bot" / "guide"
ENGLISH = [ROOT / "README.md", *sorted((GUIDE / "en").glob("*.md"))]
READ = [*ROOT.glob("*.md"), *sorted(GUIDE.rglob("*.md"))]
# Blocks that make an environment or take minutes: the whole suite is one of them, and CI runs both.
INSTALLS = re.compile(r"\bscripts/(run|test)\b")
ADDRESS = "http://127.0.0.1:8000"  # where the pages say that the server is


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def twin_of(path: Path) -> Path:
    return GUIDE / "zh" / path.name if path.parent.name == "en" else ROOT / "README.zh-CN.md"


def tokens_of(path: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))


def blocks_of(path: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page, each as what stands behind its fence and its text without comments."""
    fences = [token for token in tokens_of(path) if token.type == "fence"]
    return [(token.info.strip(), without_comments(token.content)) for token in fences]


def without_comments(code: str) -> str:
    lines = (re.sub(r"(^|\s+)(#|//|<!--)\s.*$", "", line) for line in code.splitlines())
    return "\n".join(line for line in lines if line)


def links_of(path: Path) -> Iterator[str]:
    for token in tokens_of(path):
        for child in token.children or ():
            yield from (str(child.attrs[name]) for name in ("href", "src") if name in child.attrs)


def anchors_of(path: Path) -> set[str]:
    text = rendered(path.read_text(encoding="utf-8"), lambda address: address)
    return {heading.anchor for heading in text.headings}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_is_read_in_three_minutes(name):
    assert (ROOT / name).stat().st_size <= 8192


@pytest.mark.parametrize("path", READ, ids=name_of)
def test_every_link_leads_to_what_there_is(path):
    broken = []
    for link in links_of(path):
        target, _, part = unquote(link).partition("#")
        file = (path.parent / target).resolve() if target else path
        if re.match(r"https?:|mailto:", link):
            continue
        if not file.is_relative_to(ROOT) or not file.exists() or (part and part not in anchors_of(file)):
            broken.append(link)
    assert broken == []


def test_every_page_has_a_twin():
    assert {path.name for path in (GUIDE / "en").glob("*.md")} == {path.name for path in (GUIDE / "zh").glob("*.md")}


@pytest.mark.parametrize("path", ENGLISH, ids=name_of)
def test_both_languages_have_the_same_parts(path):
    ours, theirs = tokens_of(path), tokens_of(twin_of(path))
    assert levels(theirs) == levels(ours)
    assert blocks_of(twin_of(path)) == blocks_of(path)
    assert first_columns(theirs) == first_columns(ours)


def levels(tokens: list[Token]) -> list[str]:
    return [token.tag for token in tokens if token.type == "heading_open"]


def first_columns(tokens: list[Token]) -> list[list[str]]:
    """Of each row of each table the code in its first cell: names are the same in both languages, words are not."""
    cells = [tokens[place + 2] for place, token in enumerate(tokens) if token.type == "tr_open"]
    return [sorted(child.content for child in cell.children or () if child.type == "code_inline") for cell in cells]


def test_the_pages_of_settings_are_what_the_settings_say():
    script = [sys.executable, str(ROOT / "scripts" / "settings_page.py"), "--check"]
    ran = subprocess.run(script, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_of_commands_names_every_command_and_no_other(language):
    named = set(re.findall(r"`wenqu ([a-z]+)[^`]*`", (GUIDE / language / "commands.md").read_text(encoding="utf-8")))
    assert named == set(typer.main.get_command(cli).commands)


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Runs code as a user would: `wenqu` on the path, a home and a folder of its own, no setting from outside."""
    tools = tmp_path_factory.mktemp("tools")
    # A server's error is a failure of its block: plain curl would exit with 0.
    for name, line in (
        ("wenqu", f'exec "{sys.executable}" -m bot "$@"'),
        ("python", f'exec "{sys.executable}" "$@"'),
        ("curl", f'exec "{shutil.which("curl")}" --fail-with-body "$@"'),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    home = tmp_path_factory.mktemp("user")
    known = {name: value for name, value in os.environ.items() if not name.startswith("WENQU_")}
    known |= {"HOME": str(home), "PATH": f"{tools}:{known['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(folder: Path, kind: str, code: str) -> subprocess.CompletedProcess[str]:
        shell = ["sh", "-euc", code] if kind == "sh" else [sys.executable, "-W", "error", "-c", code]
        pipe = subprocess.PIPE
        ran = subprocess.Popen(
            shell, cwd=folder, env=known, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        try:
            out, errors = ran.communicate(timeout=120)
        finally:  # what does not end, such as a server, ends here with all that it started
            with suppress(ProcessLookupError):
                os.killpg(ran.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(shell, ran.returncode, out, errors)

    return run


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a server over the shipped article."""
    folder = folder_of(tmp_path_factory.mktemp("served"))
    settings = load_settings(corpus=folder / "corpus", index=folder / "index")
    with serving(settings, folder / "errors", WENQU_MCP="true") as server:
        yield server.url


def folder_of(folder: Path) -> Path:
    shutil.copytree(ROOT / "corpus", folder / "corpus")
    return folder


def to_run(path: Path) -> list[tuple[str, str]]:
    """The blocks that run here, each with its kind; the text as it is, its comments too."""
    fences = [token for token in tokens_of(path) if token.type == "fence"]
    shown = [(token.info.strip(), token.content) for token in fences]
    return [(kind, code) for kind, code in shown if kind in ("sh", "python") and not INSTALLS.search(code)]


# Once for both languages: the blocks of twins are the same, as is tested above.
@pytest.mark.parametrize("path", [path for path in ENGLISH if to_run(path)], ids=name_of)
def test_every_block_runs(path, tmp_path, command: Callable, request):
    folder, session = folder_of(tmp_path), ""
    for kind, code in to_run(path):
        if kind == "python":  # the blocks of a page are one session
            session += code
            code = session
        if ADDRESS in code:
            code = code.replace(ADDRESS, request.getfixturevalue("address"))
        ran = command(folder, kind, code)
        assert ran.returncode == 0, f"{name_of(path)}:\n{code}\n{ran.stdout}{ran.stderr}"


def test_a_block_that_fails_is_seen(tmp_path, command, address):
    folder = folder_of(tmp_path)
    assert command(folder, "sh", "wenqu ask '合肥为什么能成功?' | grep -q 创投").returncode == 0
    for kind, code in (
        ("sh", "wenqu ask\ntrue"),
        ("sh", f"curl -s {address}/nothing"),
        ("python", "from bot import no"),
    ):
        assert command(folder, kind, code).returncode != 0, code
