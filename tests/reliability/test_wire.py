"""Any bytes to any route of a real server: a short answer that is no server error, and no traceback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from conftest import Configured, served, wait_for
from everywhere import KEY, SECRETS, SLACK_SECRET, TOKEN, tracebacks
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from requests.exceptions import RequestException
from schemathesis import GenerationMode
from slack_api import slack_api
from slack_sdk.signature import SignatureVerifier

from bot.channels import slack
from bot.channels.tencent import signature
from bot.settings import load_settings
from bot.web.app import create_app

pytestmark = pytest.mark.slow

EVERYTHING = SECRETS | {
    "wecom_token": TOKEN, "wecom_aes_key": KEY, "wecom_corp_id": "wwcanarycorp", "wecom_agent_id": 1,
    "wecom_secret": "canarycorpsecret", "mcp": True, "widget_origins": "https://a.example",
}  # fmt: skip
MAX_BYTES = 64 * 1024
OURS = ("/static/", "/docs-assets/")  # files of ours are as long as they are
QUESTION = {"question": "赵州桥由谁设计?"}
CHAT = {"messages": [{"role": "user", "content": "赵州桥由谁设计?"}]}
GETS = [
    "/", "/livez", "/readyz", "/docs", "/openapi.json", "/api/examples", "/api/search?question=x", "/api/source/x",
    "/source/x?mark=1-2", "/source/x/file", "/static/app.js",
    "/docs-assets/favicon.png", "/widget", "/widget.js", "/v1/models",
    "/v1/models/wenqu", "/wechat", "/wecom", "/mcp", "/metrics", "/version", "/nowhere",
]  # fmt: skip
POSTS = ["/api/ask", "/api/chat", "/api/search", "/api/feedback", "/v1/chat/completions", "/slack/events", "/wechat",
         "/wecom", "/mcp"]  # fmt: skip
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "FOO", "get"]
KINDS = ["application/json", "text/plain", "application/xml", "multipart/form-data; boundary=x", "multipart/form-data",
         "application/x-www-form-urlencoded", "application/json; charset=utf-16", "a" * 300, "\xff/\xfe",
         ""]  # fmt: skip
BODIES = [b"", b"{", b"null", b"\xff\xfe\x00", b"<xml/>", b"[" * 5000, b"9" * 5000, b"\x00" * 500, b"a=b&a=c",
          json.dumps(QUESTION).encode(), b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}',
          b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--"]  # fmt: skip
PATHS = [
    "/%", "/%00", "/%ff%fe", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/static/../../app.py",
    "/static/%2e%2e/app.py",
    "/static/..%2f..%2fsettings.py", "/static//etc/passwd", "/static/", "/static/%00", "/static/" + "a" * 300,
    "/docs-assets/../../x", "/source/", "/source/%2e%2e%2fx", "/source/%2e%2e%2fx/file",
    "/source/x/../../file", "/source/%00?mark=%00", "/source/x?mark=" + "9" * 3000,
    "/source/x?mark=1-2,3-1,-", "/api/source/" + "a" * 5000, "/api/source/%ff", "/api/source/a%2fb", "/api/search",
    "/api/search?question=", "/api/search?question=%00", "/api/search?question=%ff%fe",
    "/api/search?question=x&k=" + "9" * 5000,
    "/api/search?question=x&k=-1", "/api/search?question=x&k=1e400", "/api/search?question=x&question=y&k=1&k=2",
    "/api/search?question=%ed%a0%80", "/api/search?" + "a=1&" * 2000, "/api/search?question=x&explain=perhaps",
    "//", "/./",
    "/?" + "?" * 100, "/#x", "/v1", "/v1/", "/v1/models/", "/v1/models/..%2f..", "/v1/models/%00",
    "/v1//chat/completions",
    "*", "http://evil.example/", "livez", "/wechat?signature=%ff&timestamp=x&nonce=%00", "/wechat?echostr=<script>",
    "/wecom?msg_signature=&timestamp=&nonce=&echostr=%00", "/slack/events/../../x", "/mcp/", "/" + "a/" * 2000,
]  # fmt: skip
HEADERS = [
    "X: " + "a" * 60_000, "X: " + "a" * 70_000, "X: \xff\xfe", "X: \x01", "X", ": x", "X : y", " folded",
    "Cookie: " + "a=b; " * 500,
    "Range: bytes=0-", "Range: bytes=" + "0-0," * 2000, "Range: bytes=9-1", "Range: elephants=1-2",
    "If-Modified-Since: never",
    "If-None-Match: *", "If-Range: \"x\"", "Accept: " + "x/y," * 500, "Accept-Encoding: gzip, br, \xff",
    "Expect: 100-continue", "Expect: x",
    "Upgrade: websocket\r\nConnection: Upgrade", "Upgrade: h2c\r\nConnection: Upgrade", "Content-Encoding: gzip",
    "Authorization: Bearer", "Authorization: \xff\xfe", "Authorization: Basic !!!", "Authorization: " + "a" * 5000,
    "Origin: null",
    "Origin: http://evil.example", "Origin: \xff", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: \xff",
    "Forwarded: for=x",
    "Host: evil.example", "Host: [::1", "Host: a\\b", "Host:", "X-HTTP-Method-Override: DELETE",
    "Last-Event-ID: \xff",
    "Mcp-Session-Id: \xff", "Accept: text/event-stream", "Content-Type: application/json\r\nContent-Type: text/plain",
    "X-Slack-Signature: v0=\xff\r\nX-Slack-Request-Timestamp: \xb2", "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked, chunked",
]  # fmt: skip
LENGTHS = [
    "0",
    "1",
    "5",
    "99",
    "-1",
    "+5",
    "abc",
    "",
    "1e3",
    "0x10",
    "9" * 30,
    "700000",
    "2000000",
    "5, 5",
    "5, 6",
    "\xb2",
]


def request(
    method: str, path: str, body: bytes = b"", kind: str | None = None, *more: str, length: str | None = None
) -> bytes:
    """A request as it goes over the wire; `length` lies about the body."""
    lines = [f"{method} {path} HTTP/1.1", *([] if any(m.startswith("Host:") for m in more) else ["Host: localhost"])]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    if body or length is not None or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1") + body


def handwritten() -> Iterator[bytes]:
    """Requests that are complete, each with something wrong about it."""
    yield from (request(method, path) for path in [*GETS, *POSTS] for method in METHODS)
    yield from (request("POST", path, body, kind) for path in POSTS for body in BODIES for kind in KINDS)
    yield from (request("GET", path) for path in PATHS)
    yield from (request(method, path, b"{}" if method == "POST" else b"", None, header)
                for header in HEADERS for method, path in [("GET", "/"), ("GET", "/static/app.js"), ("POST",
                "/api/ask"),
                ("POST", "/v1/chat/completions"), ("POST", "/mcp")])  # fmt: skip
    body = json.dumps(QUESTION).encode()
    yield from (request("POST", path, body, KINDS[0], length=length) for path in POSTS for length in LENGTHS)
    chunked = "Transfer-Encoding: chunked"
    for chunks in (
        b"0\r\n\r\n",
        b"5\r\nab",
        b"zz\r\nab\r\n0\r\n\r\n",
        b"-1\r\n",
        b"ffffffffffffffff1\r\n",
        b"2;x=y\r\n{}\r\n0\r\nA: b\r\n\r\n",
    ):
        yield from (
            request("POST", path, b"", KINDS[0], chunked).replace(b"Content-Length: 0\r\n", b"") + chunks
            for path in POSTS
        )
        yield request("POST", "/api/ask", b"", KINDS[0], chunked) + chunks
    yield from (b"", b"\r\n" * 50, b"GET", b"GET /\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n")
    yield from (b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 200, b"GET / HTTP/1.1\r\n\r\n")
    yield from (request("GET", "/livez") * 20, b"a" * 100_000)


def valid() -> list[bytes]:
    """One good request of each kind, signed where it must be."""
    stamp, nonce = str(int(time.time())), "n1"
    event = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1",
             "event": {"type": "app_mention", "user": "U1", "text": "赵州桥由谁设计?", "ts": "1.1",
             "channel": "C1"}}  # fmt: skip
    slack = json.dumps(event)
    signed = SignatureVerifier(SLACK_SECRET).generate_signature(timestamp=stamp, body=slack)
    asked = f"/wechat?signature={signature(TOKEN, stamp, nonce)}&timestamp={stamp}&nonce={nonce}&echostr=7"
    rpc = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    feedback = {"answer": "x", "verdict": 1, "comment": "好"}
    history = QUESTION | {"history": [{"question": "它在哪?", "answer": "河北"}]}
    return [
        request("GET", "/"), request("GET", "/static/app.js", b"", None, "Range: bytes=0-9"), request("GET",
        "/source/x?mark=1-2"),
        request("GET", "/api/search?question=%E6%A1%A5&k=3&explain=true"), request("GET", "/v1/models"),
        request("GET", asked),
        *(request("POST", path, json.dumps(body).encode(), "application/json",
        "Accept: application/json, text/event-stream")
          for path, body in [("/api/ask", history), ("/api/chat", QUESTION), ("/api/search", QUESTION),
          ("/api/feedback", feedback),
                             ("/v1/chat/completions", CHAT), ("/v1/chat/completions", CHAT | {"stream": True}),
                             ("/mcp", rpc)]),
        request("POST", "/slack/events", slack.encode(), "application/json", f"X-Slack-Request-Timestamp: {stamp}",
                f"X-Slack-Signature: {signed}"),
        request("POST", asked, b"<xml><Encrypt>x</Encrypt></xml>", "text/xml"),
    ]  # fmt: skip


SCRAPS = [b"\r\n", b"\n",
          b"\x00", b"\xff", b" ", b":", b"%00", b"%ff", b"../", b"\\u d800", b'"', b"{", b"[", b"]]>", b"9" * 400,
          b"A" * 3000, b"\xe2\x80\xa8", b"\r\n\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n",
          b"NaN"]  # fmt: skip


def mutated(chance: random.Random, good: bytes) -> bytes:
    """The request with one to four changes."""
    for _ in range(chance.randint(1, 4)):
        good = changed(chance, good)
    return good


def changed(chance: random.Random, good: bytes) -> bytes:
    """With a byte, a piece or a line that is altered, left out, doubled, moved, put in, or the last one."""
    start = chance.randrange(max(1, len(good)))
    end = min(len(good), start + chance.choice([1, 1, 2, 8, 40]))
    before, piece, after, lines = good[:start], good[start:end], good[end:], good.split(b"\r\n")
    line = chance.randrange(len(lines))
    ways = [
        lambda: before + bytes([chance.randrange(256)]) + good[start + 1 :],
        lambda: before + after,
        lambda: before + piece * chance.choice([2, 3, 50]) + after,
        lambda: before + chance.choice(SCRAPS) + piece + after,
        lambda: b"\r\n".join([*lines[:line], *lines[line + 1 :]]),
        lambda: b"\r\n".join([*lines[:line], lines[line], *lines[line:]]),
        lambda: b"\r\n".join(chance.sample(lines, len(lines))),
        lambda: before,
    ]
    return chance.choice(ways)()


class Watched:
    """An application, and every response that it began: (path, status, bytes)."""

    def __init__(self, app):
        self.app, self.responses = app, []

    async def __call__(self, scope, receive, send):
        response = [scope.get("path", ""), 0, 0]

        async def seen(message):
            if message["type"] == "http.response.start":
                response[1] = message["status"]
                self.responses.append(response)
            response[2] += len(message.get("body", b""))
            await send(message)

        if scope.get("path") == "/boom":  # of the null control
            raise RuntimeError("a bug")
        await self.app(scope, receive, seen)

    def wrong(self) -> list[list]:
        return [one for one in self.responses if one[1] >= 500 or (one[2] > MAX_BYTES and not one[0].startswith(OURS))]


async def exchanged(port: int, data: bytes, patience: float) -> int:
    """The status that comes back, 0 where nothing does in time; all of the response is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(patience):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            await reader.readexactly(
                int(length.split(b":")[1]) if b" 304 " not in head and not data.startswith(b"HEAD") else 0
            )
        return int(head.split()[1])
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return 0
    finally:
        writer.close()


def sent(address: str, requests: list[bytes], patience: float = 0.5) -> list[int]:
    """The statuses of requests, 16 at a time, each over a connection of its own."""

    async def run() -> list[int]:
        free = asyncio.Semaphore(16)

        async def one(data: bytes) -> int:
            async with free:
                return await exchanged(int(address.rsplit(":", 1)[1]), data, patience)

        return await asyncio.gather(*map(one, requests))

    return asyncio.run(run())


@pytest.fixture
def server(bot, tmp_path, monkeypatch):
    """(address, what was answered) of a server with every surface on."""

    @contextlib.contextmanager
    def running():
        everything = load_settings(corpus=bot.settings.corpus, index=tmp_path / "index", **EVERYTHING)
        with slack_api() as api:
            monkeypatch.setattr(slack, "API", api.url)
            watched = Watched(create_app(Configured(bot, everything)))
            with served(watched) as address:
                yield address, watched

    with running() as pair:
        yield pair


def test_requests_that_are_wrong_in_every_way_get_an_answer(server, promise, caplog):
    address, watched = server
    requests = list(handwritten())
    statuses = sent(address, requests)
    bugs = tracebacks(caplog)
    wrong = [
        *watched.wrong(),
        *((data[:80], status) for data, status in zip(requests, statuses, strict=True) if status >= 500),
    ]
    counts = {f"{n}xx": sum(s // 100 == n for s in statuses) for n in (2, 3, 4, 5)}
    promise(
        "P28",
        "hand-written requests to every route",
        requests=len(requests),
        **counts,
        silent=statuses.count(0),
        bugs=len(bugs),
    )
    assert wrong == []
    assert bugs == []
    assert sent(address, [request("GET", "/livez")], 5) == [200]


def test_good_requests_with_bytes_changed_get_an_answer(server, promise, full, seed, caplog):
    address, watched = server
    chance = random.Random(seed)
    good = valid()
    assert all(status < 500 for status in sent(address, good, 10))
    requests = [mutated(chance, chance.choice(good)) for _ in range(2000 if full else 300)]
    statuses = sent(address, requests)
    bugs = tracebacks(caplog)
    wrong = [
        *watched.wrong(),
        *((data[:80], status) for data, status in zip(requests, statuses, strict=True) if status >= 500),
    ]
    counts = {f"{n}xx": sum(s // 100 == n for s in statuses) for n in (2, 3, 4, 5)}
    promise("P28", "mutated requests over raw sockets", requests=len(requests), **counts, silent=statuses.count(0),
            bugs=len(bugs), seed=seed)  # fmt: skip
    assert wrong == [], seed
    assert bugs == [], seed


def test_a_server_error_on_the_wire_would_be_seen(server, caplog):
    address, watched = server
    assert sent(address, [request("GET", "/boom")], 5) == [500]
    watched.responses += [["/api/ask", 503, 0], ["/api/ask", 200, MAX_BYTES + 1], ["/static/x", 200, MAX_BYTES + 1]]
    assert len(watched.wrong()) == 2
    assert wait_for(caplog.records, 1)
    assert tracebacks(caplog) != []


def test_what_the_description_of_the_api_allows_and_forbids_gets_an_answer(server, promise, full, seed, caplog):
    address, watched = server
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    cases = 0
    begun = time.monotonic()
    for operation in (found.ok() for found in schema.get_all_operations()):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=200 if full else 10, deadline=None, database=None, suppress_health_check=list(HealthCheck)
            )
            @hypothesis.seed(seed)
            def each(case):
                nonlocal cases
                if time.monotonic() - begun < (600 if full else 15):  # however slow the machine is
                    cases += 1
                    with contextlib.suppress(
                        RequestException
                    ):  # what is no HTTP is answered, and the connection closed
                        case.call()

            with contextlib.suppress(Unsatisfiable):  # a route without parameters has nothing to get wrong
                each()
    promise("P28", "schemathesis on the real description", cases=cases, server_errors=len(watched.wrong()), seed=seed)
    assert cases >= 20
    assert watched.wrong() == [], seed
    assert tracebacks(caplog) == []
