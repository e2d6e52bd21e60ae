"""bot.web.mcp through the client of the SDK: in memory, over HTTP, over standard input and output."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import anyio
import httpx
import pytest
from conftest import ROOT, Configured, ShortBot, served, write_articles
from fastapi.testclient import TestClient
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from pydantic import SecretStr

from bot import __version__
from bot.channels.message import source_url
from bot.errors import WenquError
from bot.pipeline import REFUSAL, Bot
from bot.settings import load_settings
from bot.web import mcp as surface
from bot.web.app import create_app
from bot.web.source import GONE_LINE

QUESTION = "赵州桥由谁设计?"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "an older client", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


async def check(client: Client, bot: Bot) -> None:
    """Everything that a client does: list, search, ask, read, and three mistakes."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"search", "ask", "read_article"}
    assert client.server_info.version == __version__
    for tool in tools.values():
        assert tool.annotations.read_only_hint is True
        assert " / " in tool.description  # Chinese and English
        assert tool.output_schema["type"] == "object"
    assert tools["ask"].input_schema["required"] == ["question"]

    found = (await client.call_tool("search", {"question": QUESTION, "k": 2})).structured_content["passages"]
    hits = bot.search(QUESTION, 2)
    assert [passage["id"] for passage in found] == [hit.passage.id for hit in hits]
    assert found[0]["text"] == hits[0].passage.text
    assert [passage["score"] for passage in found] == [round(hit.score, 4) for hit in hits]

    answer = bot.ask(QUESTION)
    got = (await client.call_tool("ask", {"question": QUESTION})).structured_content
    assert (got["answer"], got["refused"]) == (answer.text, False)
    assert got["confidence"] == round(answer.confidence, 4)
    (source, *_) = got["sources"]
    text = answer.evidence[0].hit.passage.text
    assert source["evidence"] == [text[span.start : span.end] for span in answer.evidence[0].spans]
    assert (source["number"], source["title"], source["id"]) == (1, "赵州桥", answer.evidence[0].hit.passage.id)
    assert source["url"] is None  # no public address is set
    refused = (await client.call_tool("ask", {"question": "火星上最高的山叫什么名字?"})).structured_content
    assert (refused["refused"], refused["answer"], refused["sources"]) == (True, REFUSAL["zh"], [])

    for identity in (source["id"], source["article"]):
        page = (await client.call_tool("read_article", {"id": identity})).structured_content
        assert (page["title"], page["next_offset"]) == ("赵州桥", None)
        assert text in page["text"]

    for name, arguments, words in (
        ("ask", {"question": "？"}, "问题是空的"),
        ("read_article", {"id": "none"}, GONE_LINE),
        ("search", {"question": QUESTION, "k": 0}, "greater than or equal to 1"),
    ):
        result = await client.call_tool(name, arguments)
        assert result.is_error, name
        assert words in result.content[0].text
        assert "Traceback" not in result.content[0].text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_in_memory(bot, mode):
    async def run() -> None:
        async with Client(surface.make_server(bot), mode=mode) as client:
            assert "问渠" in client.instructions
            await check(client, bot)

    anyio.run(run)


def test_the_short_answer_is_told_first(bot):
    async def run() -> None:
        async with Client(surface.make_server(ShortBot(bot, "李春"))) as client:
            result = await client.call_tool("ask", {"question": QUESTION})
            assert result.structured_content["short"] == "李春"
            assert result.structured_content["answer"] == bot.ask(QUESTION).text
            assert next(iter(json.loads(result.content[0].text).items())) == ("short", "李春")
            refused = await client.call_tool("ask", {"question": "火星上最高的山叫什么名字?"})
            assert refused.structured_content["short"] == ""

    anyio.run(run)


def test_over_http_in_both_addresses_and_protocols(bot):
    async def run(url: str, mode: str) -> None:
        async with Client(url, mode=mode, read_timeout_seconds=30) as client:
            await check(client, bot)

    with served(create_app(Configured(bot, mcp=True))) as url:
        anyio.run(run, f"{url}/mcp", "auto")
        anyio.run(run, f"{url}/mcp/", "legacy")
        for address in (f"{url}/mcp", f"{url}/mcp/"):  # no redirect: many clients lose the body with it
            response = httpx.post(address, json=INITIALIZE, headers=ACCEPT)
            assert response.status_code == 200
            assert "2025-06-18" in response.text
        assert httpx.get(f"{url}/livez").json() == {"status": "ok"}


def test_over_standard_input_and_output(tmp_path, bot):
    # The index is built first: what that says must not reach the protocol.
    environment = {"WENQU_CORPUS": str(write_articles(tmp_path / "corpus")), "WENQU_INDEX": str(tmp_path / "index")}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "bot", "mcp"], env={**os.environ, **environment}, cwd=ROOT
    )

    async def run() -> None:
        with (tmp_path / "errors").open("w+") as errors:
            async with Client(stdio_client(server, errlog=errors), read_timeout_seconds=60) as client:
                await check(client, bot)

    anyio.run(run)
    said = (tmp_path / "errors").read_text(encoding="utf-8")
    assert "gen-000001" in said
    assert "Traceback" not in said


def test_nothing_but_the_protocol_is_on_standard_output(tmp_path):
    environment = {"WENQU_CORPUS": str(write_articles(tmp_path / "corpus")), "WENQU_INDEX": str(tmp_path / "index")}
    done = subprocess.run(
        [sys.executable, "-m", "bot", "mcp"],
        input="",
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=ROOT,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "gen-000001" in done.stderr


def test_a_long_article_is_read_in_pages_and_linked(tmp_path, embedder):
    corpus = write_articles(tmp_path / "corpus", {"long.txt": "长文\n\n" + "青山依旧在,几度夕阳红。\n" * 2_000})
    settings = load_settings(corpus=corpus, index=tmp_path / "index", public_url="https://wenqu.example")
    bot = Bot(settings, embedder)
    bot.refresh()
    whole = bot.live.get().store.document("long.txt").text

    async def run() -> None:
        async with Client(surface.make_server(bot)) as client:
            read, offset = "", 0
            while offset is not None:
                page = (await client.call_tool("read_article", {"id": "long.txt", "offset": offset})).structured_content
                assert page["length"] == len(whole)
                assert len(page["text"]) <= surface.PAGE
                read, offset = read + page["text"], page["next_offset"]
            assert read == whole
            (passage,) = (await client.call_tool("search", {"question": "夕阳", "k": 1})).structured_content["passages"]
            assert passage["url"].startswith(f"https://wenqu.example/source/{passage['id']}?")
            got = (await client.call_tool("ask", {"question": "青山依旧在,几度什么红?"})).structured_content
            assert got["sources"][0]["url"] == source_url(
                bot.ask("青山依旧在,几度什么红?").evidence[0], settings.public_url
            )

    anyio.run(run)


def test_a_bug_keeps_its_inside_to_itself(bot, monkeypatch):
    def broken(question: str):
        raise RuntimeError("canary")

    monkeypatch.setattr(bot, "ask", broken)

    async def run() -> None:
        async with Client(surface.make_server(bot)) as client:
            result = await client.call_tool("ask", {"question": QUESTION})
            assert result.is_error
            assert "canary" not in result.content[0].text

    anyio.run(run)


def test_with_a_key_only_its_bearers_are_served_and_no_log_shows_it(bot, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    settings = bot.settings.model_copy(update={"mcp": True, "api_key": SecretStr("canary-9c1e")})

    async def run(url: str) -> None:
        async with (
            create_mcp_http_client(headers={"Authorization": "Bearer canary-9c1e"}) as http,
            Client(streamable_http_client(url, http_client=http), read_timeout_seconds=30) as client,
        ):
            await check(client, bot)

    with served(create_app(Configured(bot, settings))) as url:
        anyio.run(run, f"{url}/mcp")
        for header in ({}, {"Authorization": "Bearer canary-9c1f"}, {"Authorization": b"Bearer \xe9"}):
            response = httpx.post(f"{url}/mcp", json=INITIALIZE, headers={**ACCEPT, **header})
            assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")
            assert httpx.get(f"{url}/mcp/", headers=header).status_code == 401
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not any("canary" in record.getMessage() for record in ours)
    assert "canary" not in "".join(capfd.readouterr())


def test_only_known_hosts_and_origins_are_served(bot):
    settings = bot.settings.model_copy(update={"mcp": True, "public_url": "https://wenqu.example/qa"})
    with TestClient(create_app(Configured(bot, settings)), base_url="http://127.0.0.1:8000") as client:

        def status(**headers: str) -> int:
            return client.post("/mcp", json=INITIALIZE, headers={**ACCEPT, **headers}).status_code

        assert status() == 200
        assert status(Host="localhost") == status(Host="wenqu.example") == status(Host="wenqu.example:443") == 200
        assert status(Host="evil.example") == 421
        assert status(Host="127.0.0.1.evil.example") == 421
        assert status(Origin="https://wenqu.example") == status(Origin="http://localhost:3000") == 200
        assert status(Origin="https://evil.example") == 403


def test_it_is_off_by_default(bot):
    with TestClient(create_app(bot), base_url="http://127.0.0.1:8000") as client:
        assert client.post("/mcp", json=INITIALIZE, headers=ACCEPT).status_code == 404


def test_without_the_sdk_the_message_names_the_cure_and_questions_still_work(bot, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    with pytest.raises(WenquError, match=r'pip install "wenqu\[mcp\]"'):
        create_app(Configured(bot, mcp=True))
    with TestClient(create_app(bot)) as client:
        assert client.post("/api/ask", json={"question": QUESTION}).status_code == 200


def test_the_sdk_is_not_imported_unless_it_is_used():
    code = "import sys, bot.web.app, bot.cli, bot.web.mcp; print([m for m in sys.modules if m.split('.')[0] == 'mcp'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
