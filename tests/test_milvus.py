"""The engine milvus, hybrid on milvus-lite: the answers of the local engine, and what happens without its server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from test_engines import DIM, unit_vectors

from bot.errors import EngineDown, SettingsError
from bot.index.build import build_index
from bot.index.engines import engine_class
from bot.index.engines.exact import ExactEngine as Exact
from bot.index.engines.milvus import PREFIX, joined
from bot.pipeline import Bot
from bot.settings import load_settings

pytestmark = pytest.mark.slow

pytest.importorskip("milvus_lite")
SERVER = os.environ.get("MILVUS_SERVER") or shutil.which("milvus-server")
QUESTIONS = ["龙井茶产于哪里?", "赵州桥是谁设计的?", "9087", "西安地铁二号线何时开通?", "Who designed Zhaozhou bridge?"]


@pytest.fixture
def remote(settings, tmp_path: Path, embedder):
    made = Bot(settings.model_copy(update={"engine": "milvus", "engine_url": str(tmp_path / "lite.db")}), embedder)
    made.refresh()
    yield made
    made.live.get().engine._client.close()


def found(bot: Bot, question: str):
    return [hit.passage.id for hit in bot.search(question, 10)]


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_answers_as_the_local_engine_does(remote, bot, question):
    assert found(remote, question) == found(bot, question)
    mine, local = remote.ask(question), bot.ask(question)
    assert (mine.text, mine.refused, mine.mode) == (local.text, local.refused, local.mode)
    assert not mine.degraded


def test_on_the_shipped_article_too(article_bot, tmp_path: Path, embedder):
    settings = load_settings(
        corpus=ROOT / "corpus", index=tmp_path / "index", engine="milvus", engine_url=str(tmp_path / "lite.db")
    )
    remote = Bot(settings, embedder)
    remote.refresh()
    for question in ("合肥的大模型发展得怎么样?", "人工智能格局如何重塑?", "Liu Qingfeng"):
        assert found(remote, question) == found(article_bot, question)
    remote.live.get().engine._client.close()


def test_both_legs_are_on_the_server(remote):
    engine = remote.live.get().engine
    assert engine.holds_words()
    vector = remote.embedder.encode_query("无关")
    by_words = engine.search_fused(vector, ["ppr-9087"], 1)
    passages = remote.live.get().store.passages(list(map(int, by_words)))
    assert any("PPR-9087" in passage.text for passage in passages)


def test_two_generations_have_two_collections_and_older_ones_are_dropped(remote):
    names = set()
    for _ in range(3):
        build_index(remote.settings, remote.embedder)
        names.add(remote.live.get().engine._collection)
        held = {n for n in remote.live.get().engine._client.list_collections() if n.startswith(PREFIX)}
        assert remote.live.get().engine._collection in held
        assert len(held) == 2
    assert len(names) == 3


def test_without_its_server_words_alone_answer(remote, settings, embedder):
    gone = remote.settings.model_copy(update={"engine_url": "http://127.0.0.1:9"})
    answer = Bot(gone, embedder).ask("赵州桥是谁设计的?")
    assert answer.mode == "lexical_only"
    assert "李春" in answer.text
    assert "127.0.0.1:9" in answer.degraded["vectors"]


def test_a_collection_that_is_gone_is_told_and_words_answer(remote):
    engine = remote.live.get().engine
    engine._client.drop_collection(engine._collection)
    answer = remote.ask("赵州桥是谁设计的?")
    assert answer.mode == "lexical_only"
    assert "李春" in answer.text
    assert remote.live.get().degraded == {}  # what one answer lacked is not said of another


def test_without_an_address_the_setting_is_named(settings, embedder):
    with pytest.raises(SettingsError, match="WENQU_ENGINE_URL"):
        Bot(settings.model_copy(update={"engine": "milvus"}), embedder).refresh()


def test_terms_reach_the_server_whole():
    assert joined(["c++", "a.b_c", "合肥"]) == "cx2bx2b ax2ebx5fc 合肥"
    assert len(joined(["词" * 50] * 10_000).encode()) <= 60_000


def test_a_server_that_says_nothing_is_asked_once_and_left_to_rest(remote, embedder):
    """What listens and never answers is the slowest way to be down."""
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            try:
                while True:
                    connections.append(listener.accept()[0])
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        silent = remote.settings.model_copy(update={"engine_url": f"http://127.0.0.1:{listener.getsockname()[1]}"})
        bot = Bot(silent, embedder)
        first = bot.ask("赵州桥是谁设计的?")
        tried = len(connections)
        later = [bot.ask(question) for question in QUESTIONS]
        assert tried
        assert len(connections) == tried
        assert {answer.mode for answer in [first, *later]} == {"lexical_only"}
        assert first.timings["retrieve"] < 5000  # a second and a bit; a search of its own may take 30
        assert bot.live.get().degraded == {}
        listener.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()


def test_a_run_that_fails_leaves_nothing_on_the_server(remote):
    client = remote.live.get().engine._client
    before = client.list_collections()

    def stop(file):
        if file.path == "tea.txt":
            raise KeyboardInterrupt
        return

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("bot.index.build._BATCH", 1)
        build_index(remote.settings, remote.embedder, shares=stop)
    assert client.list_collections() == before
    assert not list(remote.settings.index.glob(".building-*"))


def test_an_index_run_without_the_server_is_one_line(settings, tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WENQU_ENGINE": "milvus"}
    run = subprocess.run(
        [sys.executable, "-m", "bot", "index", "--corpus", settings.corpus, "--index", settings.index],
        env={**environment, "WENQU_ENGINE_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 2
    assert "127.0.0.1:9" in run.stderr
    assert "Traceback" not in run.stderr
    assert "→" in run.stderr


@contextmanager
def milvus_server(folder: Path):
    """The server of the package `milvus`, with its own folder, ended by its process group."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [SERVER, "--data", str(folder), "--proxy-port", str(port)]
    server = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True, cwd=folder.parent)
    try:
        for line in server.stdout:  # it says so once it is up
            if "Ctrl+C" in line:
                break
        yield server, f"http://127.0.0.1:{port}"
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        server.stdout.close()


@pytest.mark.skipif(not SERVER, reason="pip install milvus==2.3.5, or MILVUS_SERVER=.../milvus-server")
def test_on_a_real_server(settings, bot, embedder, tmp_path: Path):
    """The dense leg on the newest server that a package index has; it is older than the lexical one."""
    data = tmp_path / "server"
    with milvus_server(data) as (server, url):
        engine, exact = engine_class("milvus", url)(DIM), Exact(DIM)
        vectors = unit_vectors(500, seed=1)
        for one in (engine, exact):
            one.add(vectors)
        engine.save(tmp_path / "vectors.milvus")
        for query in unit_vectors(20, seed=2):
            rows, scores = engine.search(query, 10)
            wanted, wanted_scores = exact.search(query, 10)
            assert len(set(rows) & set(wanted)) >= 9  # HNSW is not exact
            np.testing.assert_allclose(scores[0], wanted_scores[0], atol=1e-5)
        assert not engine.holds_words()
        engine.drop((tmp_path / "vectors.milvus").read_bytes())
        with pytest.raises(EngineDown):
            engine.search(query, 10)

        remote = Bot(settings.model_copy(update={"engine": "milvus", "engine_url": url}), embedder)
        remote.refresh()
        for question in QUESTIONS:
            assert found(remote, question) == found(bot, question)
            assert not remote.ask(question).degraded

        def kill(file):
            os.killpg(server.pid, signal.SIGKILL)

        with pytest.raises(EngineDown):  # it goes down in the middle of a run
            build_index(remote.settings, embedder, shares=kill)
        answer = remote.ask("赵州桥是谁设计的?")
        assert (answer.mode, "李春" in answer.text) == ("lexical_only", True)
