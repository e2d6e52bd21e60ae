"""bot.index.opened and bot.index.build: generations, damage found by name, nothing embedded twice."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from conftest import write_articles

from bot.corpus.scan import scan
from bot.errors import CorpusError, IndexBusy, IndexDamaged, IndexMismatch, IndexMissing, IndexUnwritable
from bot.index.build import build_index
from bot.index.generations import current_generation
from bot.index.opened import is_stale, open_index
from bot.index.publish import writing
from bot.settings import load_settings


def test_a_generation_holds_every_file_with_its_checksum(settings, embedder):
    summary = build_index(settings, embedder)
    assert (summary.articles, summary.generation, summary.skipped) == (3, "gen-000001", [])
    index = open_index(settings, embedder)
    folder = settings.index / index.generation
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(index.manifest["files"]) == {f for f in files if f != "manifest.json" and not f.endswith(".lock")}
    assert {"passages.sqlite", "vectors.faiss"} <= files
    assert index.manifest["passages"] == summary.passages == len(index.engine)
    assert current_generation(settings.index).startswith("gen-000001 ")


def test_every_damaged_file_is_found_by_name_before_it_is_used(settings, embedder):
    build_index(settings, embedder)
    folder = settings.index / "gen-000001"
    names = [*json.loads((folder / "manifest.json").read_text())["files"], "manifest.json"]
    assert len(names) >= 5
    for name in names:
        file = folder / name
        sound = file.read_bytes()
        middle = len(sound) // 2
        for damage in (
            sound[:middle],
            sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :],
            sound + b"x",
            b"",
        ):
            file.write_bytes(damage)
            with pytest.raises(IndexDamaged, match=file.name):
                open_index(settings, embedder)
        file.unlink()
        with pytest.raises(IndexDamaged, match=file.name):
            open_index(settings, embedder)
        file.write_bytes(sound)
    open_index(settings, embedder)  # the null control: the sound files are taken


def test_a_damaged_current_is_found(settings, embedder):
    build_index(settings, embedder)
    for text in ("gen-000001 " + "0" * 64, "../elsewhere x", "", "gen-000009 x"):
        (settings.index / "CURRENT").write_text(text)
        with pytest.raises(IndexDamaged, match="wenqu index"):
            open_index(settings, embedder)


def test_no_index_names_the_command(settings, embedder):
    with pytest.raises(IndexMissing, match="wenqu index"):
        open_index(settings, embedder)


def test_another_model_or_passage_size_is_a_mismatch_that_names_what_differs(settings, embedder):
    build_index(settings, embedder)

    class OtherModel:
        dim = embedder.dim
        fingerprint = "static:other"
        encode_query = embedder.encode_query
        encode_passages = embedder.encode_passages

    with pytest.raises(IndexMismatch, match=r"model.*wenqu index"):
        open_index(settings, OtherModel())
    other = load_settings(corpus=settings.corpus, index=settings.index, passage_size=100)
    with pytest.raises(IndexMismatch, match="passage_size: 500 -> 100"):
        open_index(other, embedder)


def test_added_changed_and_deleted_files_make_the_index_stale(settings, embedder):
    build_index(settings, embedder)
    assert not is_stale(scan(settings.corpus), open_index(settings, embedder))
    for change in (
        lambda: (settings.corpus / "new.txt").write_text("新的文章。", encoding="utf-8"),
        lambda: (settings.corpus / "tea.txt").write_text("改过的龙井茶文章。", encoding="utf-8"),
        lambda: (settings.corpus / "bridge.md").unlink(),
    ):
        change()
        assert is_stale(scan(settings.corpus), open_index(settings, embedder))
        build_index(settings, embedder)
        assert not is_stale(scan(settings.corpus), open_index(settings, embedder))
    index = open_index(settings, embedder)
    assert index.store.document("bridge.md") is None
    assert index.store.document("new.txt").text == "新的文章。"


def test_an_unchanged_passage_is_never_embedded_twice(settings, embedder):
    first = build_index(settings, embedder)
    assert first.embedded == first.passages
    assert build_index(settings, embedder).embedded == 0
    (settings.corpus / "new.txt").write_text("只有这一段是新的。", encoding="utf-8")
    assert build_index(settings, embedder).embedded == 1
    (settings.index / "cache.sqlite").write_bytes(b"not a database" * 100)
    assert build_index(settings, embedder).embedded == first.passages + 1


def vectors(settings) -> bytes:
    return max(settings.index.glob("gen-*")).joinpath("vectors.faiss").read_bytes()


def test_a_flipped_bit_in_the_cache_never_reaches_an_index(settings, embedder):
    build_index(settings, embedder)
    sound = vectors(settings)
    with sqlite3.connect(settings.index / "cache.sqlite") as cache:
        key, content = cache.execute("SELECT key, content FROM vectors").fetchone()
        flipped = bytes([content[0] ^ 1]) + content[1:]
        cache.execute("UPDATE vectors SET content = ? WHERE key = ?", (flipped, key))
    cache.close()
    assert build_index(settings, embedder).embedded == 1
    assert vectors(settings) == sound
    assert build_index(settings, embedder).embedded == 0


def test_whatever_happens_to_the_caches_the_index_is_the_same(settings, embedder, seed):
    rng = random.Random(seed)
    build_index(settings, embedder)
    sound = vectors(settings)
    for number in range(30):
        file = settings.index / ("cache.sqlite" if number % 3 else "documents.sqlite")
        data = bytearray(file.read_bytes())
        for _ in range(rng.choice((1, 20, 400))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        file.write_bytes(bytes(data[: rng.randrange(len(data))] if number % 5 == 0 else data))
        build_index(settings, embedder)
        assert vectors(settings) == sound
    assert build_index(settings, embedder).embedded == 0


def test_a_cache_of_the_first_release_is_made_anew_and_said(settings, embedder):
    settings.index.mkdir()
    with sqlite3.connect(settings.index / "cache.sqlite") as cache:
        cache.execute("CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB, generation TEXT) WITHOUT ROWID")
    cache.close()
    summary = build_index(settings, embedder)
    assert summary.embedded == summary.passages
    assert [place for place, _ in summary.warnings] == ["cache.sqlite"]
    assert build_index(settings, embedder).warnings == []


def test_a_failed_run_says_which_file_and_leaves_nothing_behind(settings, embedder, monkeypatch):
    build_index(settings, embedder)
    before = current_generation(settings.index)
    monkeypatch.setattr("bot.index.build.vectors_file", lambda folder, engine: folder / "none" / "vectors.faiss")
    with pytest.raises(IndexUnwritable, match=r"none/vectors\.faiss.*df -h"):
        build_index(settings, embedder)
    assert current_generation(settings.index) == before
    assert not list(settings.index.glob(".building-*"))


def test_the_previous_generation_stays_and_older_ones_and_leftovers_go(settings, embedder):
    for _ in range(3):
        build_index(settings, embedder)
    (settings.index / ".building-000009").mkdir()
    build_index(settings, embedder)
    assert sorted(p.name for p in settings.index.iterdir() if p.is_dir()) == ["gen-000003", "gen-000004"]


def test_a_failed_run_leaves_the_old_index_alone(settings, embedder):
    build_index(settings, embedder)
    before = current_generation(settings.index)
    for file in settings.corpus.iterdir():
        file.unlink()
    with pytest.raises(CorpusError, match=r"\.txt"):
        build_index(settings, embedder)
    assert current_generation(settings.index) == before
    open_index(settings, embedder)


def test_two_writers_do_not_meet(settings, embedder, monkeypatch):
    monkeypatch.setattr("bot.index.publish._LOCK_SECONDS", 0.1)
    with writing(settings.index), pytest.raises(IndexBusy):
        build_index(settings, embedder)


def test_bad_files_are_skipped_by_code_and_the_good_ones_indexed(settings, embedder):
    write_articles(settings.corpus, {"empty.txt": "", "slides.key": "x"})
    (settings.corpus / "binary.txt").write_bytes(bytes(range(256)) * 20)
    summary = build_index(settings, embedder)
    assert summary.articles == 3
    found = {skipped.path: skipped.code for skipped in summary.skipped}
    assert found == {"empty.txt": "E-EMPTY", "slides.key": "E-FORMAT", "binary.txt": "E-BINARY"}
    index = open_index(settings, embedder)
    assert {s.path: s.code for s in index.store.skipped()} == found
    assert not is_stale(
        scan(settings.corpus), index
    )  # a file that cannot be read does not make every question index again


def test_two_files_of_the_same_text_are_two_articles(settings, embedder):
    shutil.copy(settings.corpus / "tea.txt", settings.corpus / "茶 copy.txt")
    assert build_index(settings, embedder).articles == 4


def test_passages_come_back_as_they_were_cut(settings, embedder):
    build_index(settings, embedder)
    store = open_index(settings, embedder).store
    for passage in store.passages([2, 0, 1]):
        article = store.document(passage.document)
        assert article.text[passage.start : passage.end] == passage.text
        assert store.passage(passage.id) == passage
    assert store.passage("none") is None


@pytest.mark.parametrize("where", ["_Builder._finish", "LexicalWriter"])
def test_a_run_that_fails_closes_what_it_opened(settings, embedder, monkeypatch, where):
    """A server that watches its corpus tries again and again: what stays open would add up."""
    failures = []

    def broken(builder):
        failures.append(builder)  # a traceback that somebody keeps holds the builder too
        raise OSError(28, "No space left on device", "vectors.faiss")

    monkeypatch.setattr(f"bot.index.build.{where}", broken)
    with pytest.raises(IndexUnwritable) as kept:
        build_index(settings, embedder)
    held = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert failures and kept
    assert [path for path in held if path.startswith(f"{settings.index}/")] == []
