"""bot.web.watch: what is dropped into the corpus of a served bot is found without a restart."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest
from conftest import write_articles
from serving import serving

from bot.errors import EngineDown
from bot.index.publish import writing
from bot.pipeline import Bot
from bot.web import watch
from bot.web.watch import Watch

pytestmark = pytest.mark.slow

ADDED = {"dam.md": "# 都江堰\n\n都江堰由李冰父子修建,位于四川成都平原西部。\n"}
QUESTION = "都江堰由谁修建?"


def soon(true: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def watched(settings, embedder):
    bot = Bot(settings, embedder)
    bot.refresh()
    watching = Watch(bot)
    watching.start()
    time.sleep(0.5)  # the system begins to tell of changes
    yield bot
    watching.stop()
    watching.join(10)
    assert not watching.is_alive()


def test_what_is_added_changed_and_deleted_is_noticed(watched):
    assert watched.ask(QUESTION).refused
    write_articles(watched.settings.corpus, ADDED)
    assert soon(lambda: "李冰" in watched.ask(QUESTION).text)
    write_articles(watched.settings.corpus, {"dam.md": "都江堰由诸葛亮修建,小说里这样写。"})
    assert soon(lambda: "诸葛亮" in watched.ask(QUESTION).text)
    (watched.settings.corpus / "dam.md").unlink()
    assert soon(lambda: watched.ask(QUESTION).refused)


def test_many_changes_at_once_are_one_run(watched):
    write_articles(watched.settings.corpus, {f"{n}.txt": f"第{n}座桥建于{1000 + n}年。" for n in range(50)})
    assert soon(lambda: watched.live.get().manifest["articles"] == 53)
    assert int(watched.live.get().generation.removeprefix("gen-")) <= 3


def test_what_cannot_be_indexed_is_logged_and_the_next_change_is_tried_again(watched, monkeypatch, caplog):
    refresh = watched.refresh
    with monkeypatch.context() as patch:
        patch.setattr(watched, "refresh", lambda: (_ for _ in ()).throw(EngineDown("http://vectors", "away")))
        write_articles(watched.settings.corpus, ADDED)
        assert soon(lambda: "http://vectors" in caplog.text)
    assert watched.refresh == refresh
    assert not watched.ask("赵州桥由谁设计?").refused
    write_articles(watched.settings.corpus, {"bridge.txt": "赵州桥由鲁班设计,传说如此。"})
    assert soon(lambda: "李冰" in watched.ask(QUESTION).text)


def test_it_waits_for_another_process_that_writes(watched):
    with writing(watched.settings.index):
        write_articles(watched.settings.corpus, ADDED)
        time.sleep(1)
        assert watched.ask(QUESTION).refused
    assert soon(lambda: "李冰" in watched.ask(QUESTION).text)


def test_a_corpus_that_cannot_be_watched_is_said_once(settings, embedder, caplog, monkeypatch):
    def none(*_, **__):
        raise OSError(28, "no space left: inotify watches")

    monkeypatch.setattr(watch, "watch", none)
    watching = Watch(Bot(settings, embedder))
    watching.run()
    assert "not watched" in caplog.text


@pytest.mark.parametrize(("on", "workers"), [(True, 1), (True, 2), (False, 1)])
def test_a_server_answers_from_an_article_that_was_just_dropped_into_its_corpus(settings, tmp_path, on, workers):
    server = serving(settings, tmp_path / "said", WENQU_WATCH=on, WENQU_WORKERS=workers)
    with server as served, httpx.Client(base_url=served.url, timeout=30) as client:

        def answer() -> str:
            return client.post("/api/ask", json={"question": QUESTION}).json()["text"]

        assert "李冰" not in answer()
        time.sleep(1)
        write_articles(settings.corpus, ADDED)
        assert soon(lambda: "李冰" in answer(), 20 if on else 3) == on
