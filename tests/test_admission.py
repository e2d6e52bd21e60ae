"""bot.web.admission: who asks too often is told when to come back, and who cannot be served now is told at once."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Configured, HeldBot, SlowBot, wait_for
from fastapi import HTTPException
from fastapi.testclient import TestClient

from bot.errors import SettingsError
from bot.settings import load_settings
from bot.web import admission
from bot.web.admission import Admission
from bot.web.app import create_app

QUESTION = {"question": "赵州桥由谁设计?"}


def client_at(bot, address: str, **changes: object) -> TestClient:
    app = create_app(Configured(bot, **changes))
    return TestClient(app, client=(address, 50_000))


def test_a_client_that_asks_too_often_is_told_when_to_come_back(bot):
    with client_at(bot, "203.0.113.5", rate_limit="3/minute; 100/hour") as client:
        answers = [client.post("/api/ask", json=QUESTION) for _ in range(3)]
        assert [a.status_code for a in answers] == [200] * 3
        for forged in ("198.51.100.1", "127.0.0.1"):
            over = client.post("/api/search", json=QUESTION, headers={"X-Forwarded-For": forged})
            assert over.status_code == 429
        assert 1 <= int(over.headers["retry-after"]) <= 60
        assert (over.headers["ratelimit-limit"], over.headers["ratelimit-remaining"]) == ("3", "0")
        assert over.json()["error"]["code"] == "too_many_questions"
        assert client.get("/livez").status_code == client.get("/").status_code == 200
        chat = {"model": "wenqu", "messages": [{"role": "user", "content": "赵州桥由谁设计?"}]}
        refused = client.post("/v1/chat/completions", json=chat)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "testclient"])
def test_this_machine_may_ask_as_often_as_it_likes(bot, address: str):
    with client_at(bot, address, rate_limit="1/hour") as client:
        assert {client.post("/api/search", json=QUESTION).status_code for _ in range(3)} == {200}


def test_an_ipv6_network_is_one_client(bot):
    with client_at(bot, "2001:db8::1", rate_limit="1/hour") as client:
        assert client.post("/api/search", json=QUESTION).status_code == 200
        assert client.post("/api/search", json=QUESTION).status_code == 429

    async def counted() -> list[int]:
        admission = Admission(load_settings(rate_limit="1/hour"))
        found = []
        for address in ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"):
            try:
                async with admission.admitted(address):
                    found.append(200)
            except HTTPException as error:
                found.append(error.status_code)
        return found

    assert asyncio.run(counted()) == [200, 429, 200]


def test_a_full_server_says_so_at_once_and_serves_who_waits(monkeypatch):
    monkeypatch.setattr(admission, "_QUEUE", 2)
    monkeypatch.setattr(admission, "_PATIENCE_SECONDS", 0.2)

    async def run() -> None:
        admission = Admission(load_settings(max_concurrent=1))
        done = asyncio.Event()

        async def hold() -> None:
            async with admission.admitted(""):
                await done.wait()

        async def outcome() -> tuple[int, float]:
            begun = time.monotonic()
            try:
                async with admission.admitted(""):
                    return 200, time.monotonic() - begun
            except HTTPException as error:
                assert error.headers == {"Retry-After": "1"}
                return error.status_code, time.monotonic() - begun

        first = asyncio.create_task(hold())
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(outcome()) for _ in range(2)]
        await asyncio.sleep(0.01)
        status, seconds = await outcome()  # the queue is full
        assert status == 503
        assert seconds < 0.1
        assert [status for status, _ in await asyncio.gather(*waiting)] == [503, 503]  # their patience ended
        late = asyncio.create_task(outcome())
        await asyncio.sleep(0.05)
        done.set()
        await first
        assert (await late)[0] == 200
        cancelled = asyncio.create_task(hold())  # whoever leaves gives the place back
        done.clear()
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        assert (await outcome())[0] == 200

    asyncio.run(run())


def test_every_answering_route_holds_a_place_until_its_answer_is_sent(bot):
    slow = SlowBot(bot, bot.settings.model_copy(update={"max_concurrent": 1}), seconds=0.5)
    slow.generation, slow.search, slow.source = bot.generation, bot.search, bot.source
    app = create_app(slow)
    with TestClient(app) as client:
        with ThreadPoolExecutor(8) as pool:
            begun = time.monotonic()
            codes = list(pool.map(lambda _: client.post("/api/ask", json=QUESTION).status_code, range(8)))
        assert set(codes) == {200, 503}  # one at a time: those that waited for two seconds in vain were told
        assert codes.count(200) >= 3
        assert time.monotonic() - begun < 20


READS = ["/api/examples", "/api/source/none", "/source/none", "/source/none/file"]


@pytest.mark.parametrize("path", READS)
def test_what_reads_the_index_takes_a_place_as_questions_do(bot, monkeypatch, path: str):
    monkeypatch.setattr(admission, "_PATIENCE_SECONDS", 0.1)
    held = HeldBot(bot, max_concurrent=1)
    with TestClient(create_app(held)) as client, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.post, "/api/ask", json=QUESTION)
        wait_for(held.asked, 1)
        try:
            busy = client.get(path)
        finally:
            held.go.set()
        assert (busy.status_code, busy.json()["error"]["code"]) == (503, "busy")
        assert asked.result().status_code == 200
        assert client.get(path).status_code in (200, 404)


@pytest.mark.parametrize("path", READS)
def test_a_page_that_is_opened_uses_up_no_question(bot, path: str):
    with client_at(bot, "203.0.113.5", rate_limit="1/hour") as client:
        assert {client.get(path).status_code for _ in range(3)} <= {200, 404}
        assert client.post("/api/search", json=QUESTION).status_code == 200
        assert client.post("/api/search", json=QUESTION).status_code == 429
        assert client.get(path).status_code in (200, 404)


@pytest.mark.parametrize("value", ["5", "5/fortnight", "0/minute", "-1/hour", "5/minute,5/hour", "5/minute;"])
def test_a_limit_that_cannot_be_read_names_its_variable(value: str):
    with pytest.raises(SettingsError, match="WENQU_RATE_LIMIT"):
        load_settings(rate_limit=value)


def test_without_a_limit_nobody_is_counted(bot):
    with client_at(bot, "203.0.113.5", rate_limit="") as client:
        assert {client.post("/api/search", json=QUESTION).status_code for _ in range(40)} == {200}
