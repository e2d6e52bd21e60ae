"""The contract of every engine: ids and scores are those of the exact one."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import faiss
import numpy as np
import pytest

from bot.errors import IndexDamaged, SettingsError
from bot.index.engines import ENGINES, engine_class
from bot.index.engines.exact import ExactEngine as Exact
from bot.index.engines.faiss import EXACT_UP_TO

DIM, COUNT = 32, 500


def unit_vectors(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def _a_server_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """milvus-lite stands in for the server of an engine that needs one."""
    monkeypatch.setattr(sys.modules[__name__], "engine_class", partial(engine_class, url=str(tmp_path / "lite.db")))


def filled(name: str):
    engine = engine_class(name)(DIM)
    vectors = unit_vectors(COUNT, seed=1)
    engine.add(vectors[:200])
    engine.add(vectors[200:])
    return engine


def test_the_folder_holds_the_reference_and_the_default():
    assert {"exact", "faiss"} <= set(ENGINES)


def test_search_gives_the_rows_and_scores_of_the_exact_engine(name):
    exact, engine = filled("exact"), filled(name)
    assert len(engine) == COUNT
    for query in unit_vectors(20, seed=2):
        rows, scores = engine.search(query, 10)
        wanted_rows, wanted_scores = exact.search(query, 10)
        assert list(scores) == sorted(scores, reverse=True)
        np.testing.assert_allclose(scores, wanted_scores, atol=2e-3)
        assert len(set(rows) & set(wanted_rows)) >= 9  # half precision may swap the tenth with the eleventh
        np.testing.assert_allclose(engine.scores(query, rows), exact.scores(query, rows), atol=2e-3)


def test_a_vector_finds_itself_with_score_one(name):
    engine = filled(name)
    rows, scores = engine.search(unit_vectors(COUNT, seed=1)[300], 1)
    assert rows[0] == 300
    assert scores[0] == pytest.approx(1.0, abs=2e-3)


def test_fewer_vectors_than_asked_for_and_none_at_all(name):
    engine = engine_class(name)(DIM)
    query = unit_vectors(1, seed=3)[0]
    assert len(engine.search(query, 5)[0]) == 0
    assert len(engine.scores(query, np.empty(0, dtype=np.int64))) == 0
    engine.add(unit_vectors(2, seed=4))
    rows, scores = engine.search(query, 5)
    assert sorted(rows) == [0, 1]
    assert len(scores) == 2


def test_saved_and_loaded_it_answers_alike(name, tmp_path: Path):
    engine = filled(name)
    path = tmp_path / "向量.bin"
    engine.save(path)
    loaded = engine_class(name).load(path, DIM, COUNT)
    query = unit_vectors(1, seed=5)[0]
    for left, right in zip(engine.search(query, 10), loaded.search(query, 10), strict=True):
        np.testing.assert_array_equal(left, right)


def test_to_what_was_loaded_more_is_added(name, tmp_path: Path):
    filled(name).save(tmp_path / "vectors")
    engine = engine_class(name).load(tmp_path / "vectors", DIM, COUNT)
    more = unit_vectors(3, seed=6)
    engine.add(more)
    engine.save(tmp_path / "again")
    engine = engine_class(name).load(tmp_path / "again", DIM, COUNT + 3)
    assert engine.search(more[1], 1)[0].tolist() == [COUNT + 1]


def test_a_file_of_other_vectors_is_refused_by_name(name, tmp_path: Path):
    path = tmp_path / "vectors"
    filled(name).save(path)
    for dim, count in ((DIM, COUNT + 1), (DIM * 2, COUNT)):
        with pytest.raises(IndexDamaged, match="vectors"):
            engine_class(name).load(path, dim, count)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IndexDamaged, match="vectors"):
        engine_class(name).load(path, DIM, COUNT)


def test_beyond_the_exact_size_nearly_all_of_the_best_are_found_with_exact_scores(tmp_path: Path):
    # A hundred directions that all vectors lean on, as those of texts do.
    generator = np.random.default_rng(6)
    leaning = generator.standard_normal((EXACT_UP_TO + 1, 100)) @ generator.standard_normal((100, DIM))
    vectors = (leaning / np.linalg.norm(leaning, axis=1, keepdims=True)).astype(np.float32)
    engine, exact = engine_class("faiss")(DIM), Exact(DIM)
    engine.add(vectors)
    exact.add(vectors)
    engine.save(tmp_path / "vectors")
    engine = engine_class("faiss").load(tmp_path / "vectors", DIM, len(vectors))
    right = 0
    for query in vectors[::200]:
        rows, scores = engine.search(query, 10)
        right += len(set(rows) & set(exact.search(query, 10)[0]))
        np.testing.assert_allclose(scores, exact.scores(query, rows), atol=2e-3)
    other = engine_class("faiss").load(tmp_path / "vectors", DIM, len(vectors))
    other.add(-vectors[:2])  # what is mapped stays as it is
    assert len(other) == len(engine) + 2
    assert other.search(-vectors[1], 1)[0].tolist() == [len(vectors) + 1]
    other.save(tmp_path / "more")
    assert len(engine_class("faiss").load(tmp_path / "more", DIM, len(vectors) + 2)) == len(other)
    assert right >= 0.95 * 10 * len(vectors[::200])
    with pytest.raises(IndexDamaged, match="vectors"):
        engine_class("faiss").load(tmp_path / "vectors", DIM, len(vectors) - 1)


def test_a_search_takes_one_thread_whoever_asks():
    engine = filled("faiss")
    query = unit_vectors(1, seed=7)[0]

    def asked_elsewhere() -> int:
        faiss.omp_set_num_threads(4)  # as a thread finds it on four cores
        engine.search(query, 10)
        return faiss.omp_get_max_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asked_elsewhere).result() == 1


def test_an_unknown_engine_names_those_there_are():
    with pytest.raises(SettingsError, match="exact"):
        engine_class("nowhere")


def test_the_exact_engine_orders_equal_scores_by_row():
    engine = Exact(2)
    engine.add(np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32))
    assert list(engine.search(np.array([1, 0], dtype=np.float32), 3)[0]) == [0, 2, 1]
