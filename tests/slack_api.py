"""A Slack of our own on loopback: its Web API over HTTP, and its Socket Mode over a web socket."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

BOT_TOKEN = "xoxb-canary-token"
APP_TOKEN = "xapp-canary-token"


class SlackApi:
    """Takes the calls of one test down and answers them as Slack does."""

    def __init__(self):
        self.calls: list[tuple[str, dict]] = []
        self.errors: dict[str, list[str]] = {}  # the errors that a method still answers with
        self.limited: list[str] = []  # the methods that answer 429 once
        self.socket_url = ""
        self.url = ""

    def named(self, method: str) -> list[dict]:
        return [params for name, params in self.calls if name == method]

    def wait_for(self, method: str, count: int) -> list[dict]:
        """The calls of a method, once there are so many, or after 20 seconds; while the server that makes them runs."""
        until = time.monotonic() + 20
        while len(self.named(method)) < count and time.monotonic() < until:
            time.sleep(0.02)
        return self.named(method)

    def answer(self, method: str, params: dict, token: str) -> tuple[int, dict]:
        expected = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if not method.startswith("respond/") and token != f"Bearer {expected}":
            return 200, {"ok": False, "error": "invalid_auth"}
        if method in self.limited:
            self.limited.remove(method)
            return 429, {"ok": False, "error": "ratelimited"}
        self.calls.append((method, params))
        if self.errors.get(method):
            return 200, {"ok": False, "error": self.errors[method].pop()}
        return 200, {"ok": True, "url": self.socket_url, "user_id": "UBOT", "bot_id": "BBOT", "team_id": "T1"}


@contextmanager
def slack_api():
    """The Web API, as long as it is open."""
    api = SlackApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            params = dict(parse_qsl(address.query))
            params |= json.loads(body) if body.startswith("{") else dict(parse_qsl(body))
            method = address.path.removeprefix("/api").lstrip("/")
            status, content = api.answer(method, params, self.headers.get("Authorization", ""))
            data = b"ok" if method.startswith("respond/") else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if data != b"ok" else "text/html")
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

    with Server(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}/api/"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield api
        finally:
            server.shutdown()


class SocketMode:
    """What Slack's end of the web socket sends and gets."""

    def __init__(self):
        self.acks: queue.Queue[dict] = queue.Queue()
        self.closed = threading.Event()
        self.envelopes: list[dict] = []

    async def __call__(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        for envelope in self.envelopes:
            await socket.send_json(envelope)
        async for message in socket:
            self.acks.put(json.loads(message.data))
        self.closed.set()
        return socket


@contextmanager
def socket_mode(api: SlackApi, *envelopes: dict):
    """Socket Mode's end at Slack, which sends the envelopes to whoever connects."""
    slack, loop, ready = SocketMode(), asyncio.new_event_loop(), threading.Event()
    slack.envelopes = list(envelopes)

    async def start():
        app = web.Application()
        app.router.add_get("/link", slack)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        api.socket_url = f"ws://127.0.0.1:{runner.addresses[0][1]}/link"
        ready.set()
        return runner

    runner = loop.create_task(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    assert ready.wait(5)
    try:
        yield slack
    finally:
        asyncio.run_coroutine_threadsafe(runner.result().cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
