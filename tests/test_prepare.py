"""Articles that other processes prepare come out as if this one had, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.corpus.cache import DocumentCache
from bot.corpus.scan import Skipped, scan
from bot.index import prepare
from bot.index.prepare import Preparer, Recipe, prepared
from bot.text.dictionary import NO_DICTIONARY


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(450):
        (folder / f"{number:03d}.txt").write_text(
            f"第{number}篇\n\n龙井茶产于浙江杭州西湖一带,编号{number}。\n", encoding="utf-8"
        )
    (folder / "200.txt").write_bytes(b"")
    return folder


def results(corpus: Path, tmp_path: Path):
    recipe = Recipe(corpus, 500, NO_DICTIONARY)
    files, _ = scan(corpus)
    return recipe, files, prepared(files, recipe, DocumentCache(tmp_path / "documents.sqlite", "gen-000001"))


def test_other_processes_prepare_what_this_one_would_in_order(corpus, tmp_path):
    recipe, files, found = results(corpus, tmp_path)
    found = list(found)
    own = Preparer(recipe)
    assert [file for file, _ in found] == files
    for file, result in found:
        expected = own.prepare(file)
        if isinstance(expected, Skipped):
            assert result == expected
        else:
            assert (result.document, result.passages, result.digest) == (
                expected.document,
                expected.passages,
                expected.digest,
            )
    assert [file.path for file, result in found if isinstance(result, Skipped)] == ["200.txt"]
    words = {word for _, result in found if not isinstance(result, Skipped) for word in result.names.get("xihu", ())}
    assert words == {"西湖"}


def test_the_work_of_a_process_that_was_killed_is_done_by_this_one(corpus, tmp_path, monkeypatch):
    workers = []
    begin = prepare._Worker.__init__

    def remembered(worker, recipe):
        begin(worker, recipe)
        workers.append(worker)

    monkeypatch.setattr(prepare._Worker, "__init__", remembered)
    _, files, found = results(corpus, tmp_path)
    first = next(found)
    for worker in workers:
        worker._process.kill()
    assert [file for file, _ in [first, *found]] == files
    assert all(worker._process.poll() is not None for worker in workers)
