"""While another process writes the journal for seconds, nothing that a user waits for waits for it."""

from __future__ import annotations

import asyncio
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median

import httpx
import pytest
from conftest import SlowBot, served, wait_for, write_articles
from everywhere import SECRETS, SLACK_SECRET, TOKEN
from slack_api import slack_api
from test_wecom_bot import SUBSCRIBE, connected, until

from bot import journal as journal_module
from bot.channels import slack
from bot.channels.claims import Claims
from bot.channels.desk import Desk, Inbound
from bot.channels.tencent import signature, written
from bot.journal import FILE, Journal
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.types import Answer
from bot.web.app import create_app

pytestmark = pytest.mark.slow

QUESTION = "赵州桥由谁设计?"
HELD_SECONDS = 5.0


@pytest.fixture
def built(tmp_path, embedder) -> Bot:
    """A bot with Slack and WeChat on, its journal not yet opened."""
    secrets = {name: value for name, value in SECRETS.items() if name != "wechat_aes_key"}
    bot = Bot(load_settings(corpus=write_articles(tmp_path / "corpus"), index=tmp_path / "index", **secrets), embedder)
    bot.refresh()
    return bot


@contextmanager
def held(file, seconds: float = 0.0) -> Iterator[Callable[[], bool]]:
    """Another connection holds the write lock of the file during the block, and at least for so long.

    Gives whether that time is not over yet.
    """
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    end = time.monotonic() + seconds
    yield lambda: time.monotonic() < end
    time.sleep(max(0.0, end - time.monotonic()))
    other.execute("ROLLBACK")
    other.close()


def slack_message(client: httpx.Client) -> int:
    """Deliver a signed mention; the status of its acknowledgement."""
    event = {"type": "app_mention", "user": "U1", "text": QUESTION, "ts": "17.1", "channel": "C1"}
    body = json.dumps({"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event})
    stamp = str(int(time.time()))
    digest = hmac.new(SLACK_SECRET.encode(), f"v0:{stamp}:{body}".encode(), "sha256").hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
    headers["Content-Type"] = "application/json"
    return client.post("/slack/events", content=body, headers=headers).status_code


def wechat_message(client: httpx.Client, text: str = QUESTION, number: int = 1) -> str:
    """Deliver a signed message; the body of the reply."""
    fields = {"ToUserName": "gh_1", "FromUserName": "o1", "CreateTime": "1", "MsgType": "text"}
    stamp, nonce = str(int(time.time())), f"n{number}"
    asked = {"signature": signature(TOKEN, stamp, nonce), "timestamp": stamp, "nonce": nonce}
    body = written({**fields, "Content": text, "MsgId": str(number)})
    return client.post("/wechat", params=asked, content=body.encode()).text


def seconds_of(request: Callable[[], httpx.Response], begun: float) -> float:
    """How long after `begun` a request was answered."""
    assert request().status_code == 200
    return time.monotonic() - begun


def test_the_page_and_the_channels_go_on_while_another_process_holds_the_journal(built, monkeypatch):
    with slack_api() as api, ThreadPoolExecutor(80) as pool:
        monkeypatch.setattr(slack, "API", api.url)
        with served(create_app(built)) as url, httpx.Client(base_url=url, timeout=30) as client:
            for path in ("/livez", "/"):
                assert client.get(path).status_code == 200
            assert client.post("/api/search", json={"question": QUESTION}).status_code == 200  # the index is loaded
            alive: list[Future[float]] = []
            asked: list[Future[float]] = []
            with held(built.settings.index / FILE, HELD_SECONDS) as is_held:
                acknowledged = pool.submit(slack_message, client)
                replied = pool.submit(wechat_message, client)
                # Each goes out at its time, whether those before were answered or not: a server that stands still is
                # late for all of them.
                while is_held():
                    time.sleep(0.1)
                    alive.append(pool.submit(seconds_of, lambda: client.get("/livez"), time.monotonic()))
                    if len(alive) % 5 == 0:
                        ask = lambda: client.post("/api/ask", json={"question": QUESTION})  # noqa: E731
                        asked.append(pool.submit(seconds_of, ask, time.monotonic()))
            livez, answers = ([one.result() for one in found] for found in (alive, asked))
            assert median(livez) < 0.05, sorted(livez)
            assert median(answers) < 0.5, sorted(answers)
            # What could not be claimed meanwhile was neither lost nor acknowledged before it was.
            assert acknowledged.result() == 200
            assert "李春" in (replied.result() or wechat_message(client))
            (posted,) = wait_for(api.named("chat.postMessage"), 1)
            assert "李春" in posted["text"]
            platforms = sorted(one.platform for one in Journal.from_settings(built.settings).recent(50))
    assert platforms == ["slack", *["web"] * len(asked), "wechat"]


def answer(question: str = QUESTION) -> Answer:
    return Answer(question, "答", False, 0.25, (), "passages", {}, "gen-000001")


@pytest.fixture
def journal(tmp_path) -> Iterator[Journal]:
    """A journal that is open already."""
    journal = Journal(tmp_path / FILE)
    journal.open()
    yield journal
    journal.close()


def test_an_answer_gets_its_id_at_once_and_its_record_is_written_later(journal):
    other = Journal(journal.file)
    other.open()
    with held(journal.file):
        begun = time.monotonic()
        known = [journal.keep(answer(f"{number}"), "web") for number in range(3)]
        assert time.monotonic() - begun < 2  # a fifth of a second each
        assert all(one.id for one in known)
        assert other.recent(5) == []  # a read waits for nobody
    other.close()
    assert journal.record_feedback(known[0].id, "U", 1)  # it knows the answer, whether that was written yet or not
    assert [asked.liked for asked in journal.recent(5)] == [0, 0, 1]


def test_closing_writes_what_waits(journal):
    behind = threading.Event()
    journal._thread.submit(behind.wait)  # its thread has not come to the answer yet
    known = journal.keep(answer(), "web")
    journal.close()
    other = Journal(journal.file)
    assert [asked.id for asked in other.recent(5)] == [known.id]
    other.close()
    behind.set()


def test_a_record_that_fails_later_is_a_line_in_the_log(journal, monkeypatch, caplog):
    monkeypatch.setattr(journal_module, "_PATIENCE_SECONDS", 0.5)
    journal.close()
    journal.open()
    with held(journal.file):
        assert journal.keep(answer(), "web").id
        wait_for(caplog.records, 1)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["an answer is not in the journal"]
    assert journal.recent(5) == []


def test_the_reply_to_a_message_is_read_while_another_process_writes(tmp_path):
    claims = Claims(tmp_path / FILE)
    assert claims.claim(["wechat:A:1"])
    claims.keep_reply("wechat:A:1", "答")
    with held(claims.file):
        begun = time.monotonic()
        assert claims.reply("wechat:A:1") == "答"
        assert not claims.owes("wechat", "o1")
        assert time.monotonic() - begun < 1
    claims.close()


@pytest.fixture
def slow(bot, tmp_path) -> SlowBot:
    slow = SlowBot(bot, load_settings(index=tmp_path / "index", wecom_bot_id="BOT", wecom_bot_secret="s3cr3t"))
    yield slow
    slow.over.set()


def test_a_message_whose_delivery_was_given_up_while_it_was_claimed_is_answered(slow):
    sent = []

    async def run():
        desk = Desk(slow)

        async def handle(inbound):
            sent.append((await desk.answer(inbound)).text)

        async with desk.open("slack", handle):
            with held(desk.claims.file):
                delivery = asyncio.create_task(desk.take(Inbound("slack", "T", "C", "U", "1", QUESTION), handle))
                await asyncio.sleep(0.2)
                delivery.cancel()
                assert sent == []  # it is claimed before anything else

    asyncio.run(run())
    (text,) = sent
    assert "李春" in text


def test_a_server_ends_though_the_journal_stays_locked(slow, monkeypatch):
    monkeypatch.setattr("bot.channels.desk._DRAIN_SECONDS", 0.2)
    monkeypatch.setattr(journal_module, "_PATIENCE_SECONDS", 1.0)

    async def handle(inbound):
        raise AssertionError("it was never claimed")

    async def run(locked):
        desk = Desk(slow)
        async with desk.open("slack", handle):
            locked.enter_context(held(desk.claims.file))
            for number in range(20):
                desk.start(desk.take(Inbound("slack", "T", "C", "U", str(number), QUESTION), handle))
            await asyncio.sleep(0.1)
        return desk

    with ExitStack() as locked:
        begun = time.monotonic()
        asyncio.run(run(locked))._writes.shutdown()
        assert time.monotonic() - begun < 10  # one wait, not one for each message


def test_wecoms_acks_are_read_while_a_message_is_claimed(slow):
    async def run():
        async with connected(slow, ping=0.05, ack=0.5) as (server, channel):
            with held(channel._desk.claims.file):
                await server.say(QUESTION)
                await until(lambda: len(server.of("ping")) > 20)
                assert slow.asked == []
            return await server.final(), server.of(SUBSCRIBE)

    text, subscriptions = asyncio.run(run())
    assert "李春" in text
    assert len(subscriptions) == 1
