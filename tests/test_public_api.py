"""from bot import Bot: what a program that imports the package can rely on."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, write_articles

import bot as wenqu
from bot import Answer, Bot, Done, Settings, Sources, Text
from bot.errors import CorpusError, SettingsError
from bot.settings import load_settings

QUESTION = "赵州桥由谁设计?"


def test_five_lines_are_enough(tmp_path, embedder, monkeypatch):
    """Relative to the folder of the caller, without an index that was built before."""
    write_articles(tmp_path / "notes")
    monkeypatch.chdir(tmp_path)
    answer = Bot(corpus="notes").ask(QUESTION)
    assert isinstance(answer, Answer)
    assert "李春" in answer.text
    assert answer.evidence[0].hit.passage.title == "赵州桥"
    assert (tmp_path / "index" / "CURRENT").is_file()


def test_corpus_index_and_env_are_of_the_folder_where_the_program_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("WENQU_SOURCES=7\n", encoding="utf-8")
    settings = load_settings()
    assert (settings.corpus, settings.index, settings.sources) == (Path("corpus"), Path("index"), 7)


def test_settings_are_whole_or_single(settings, embedder):
    assert Bot(settings, embedder).settings is settings
    assert Bot(embedder=embedder, corpus=settings.corpus, sources=1).settings.sources == 1
    with pytest.raises(TypeError, match="sources"):
        Bot(settings, embedder, sources=1)
    with pytest.raises(SettingsError, match="WENQU_SOURCES"):
        Bot(embedder=embedder, sources=0)
    assert isinstance(settings, Settings)


def test_the_first_question_builds_the_index_once_whoever_asks(settings, embedder):
    bot = Bot(settings, embedder)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(bot.ask, [QUESTION] * 4))
    assert {answer.generation for answer in answers} == {"gen-000001"}
    assert not any(answer.refused for answer in answers)


def test_without_documents_the_first_question_says_what_to_do(tmp_path, embedder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="empty"):
        Bot(embedder=embedder, corpus=tmp_path / "empty", index=tmp_path / "index").ask(QUESTION)


def test_a_stream_is_the_sources_the_text_and_the_answer(bot):
    first, *pieces, last = bot.stream(QUESTION)
    assert isinstance(first, Sources)
    assert all(isinstance(piece, Text) for piece in pieces)
    assert isinstance(last, Done)
    assert "".join(piece.text for piece in pieces) == last.answer.text
    assert last.answer.evidence == first.answer.evidence


def test_every_public_name_is_there():
    assert all(getattr(wenqu, name) is not None for name in wenqu.__all__)
    assert sorted(wenqu.__all__) == wenqu.__all__
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = wenqu.nothing_like_it
    assert (ROOT / "bot" / "py.typed").is_file()


def test_importing_the_package_costs_nothing():
    code = "import sys, bot; print([name for name in ('numpy', 'pydantic', 'tantivy', 'faiss') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr
