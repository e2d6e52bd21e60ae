"""What the channels promise, measured on a real server: python scripts/check_channels.py [--events N] [--seconds S].

A server process answers Slack and WeCom with a bot that takes S seconds, as one with a language model does. N messages
a channel are signed and delivered, one of them eleven times under different event ids, while the platforms' APIs are
played here. Prints how fast messages were acknowledged, how many answers came, and whether SIGTERM lost any.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np

from bot.channels.tencent import Crypto, sealed, written

SECRET, TOKEN, KEY, CORP = "0" * 32, "token", "a" * 43, "ww0123456789abcdef"
QUESTION = "合肥为什么能成功?"


class Platform(BaseHTTPRequestHandler):
    """Slack's and WeCom's API: hands out a token and counts the messages that are sent."""

    def do_GET(self) -> None:
        self._answer({"errcode": 0, "access_token": "t", "expires_in": 7200})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0]
        if path.endswith(("chat.postMessage", "message/send")):
            self.server.sent.append(path)
        self._answer({"ok": True, "errcode": 0, "ts": "1.0"})

    def _answer(self, found: dict) -> None:
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve(options: argparse.Namespace) -> None:
    """The server under test: the shipped article, Slack and WeCom, and a bot that takes its time."""
    import uvicorn
    from fastapi import FastAPI

    from bot.channels import slack, wecom
    from bot.channels.tencent_api import Api
    from bot.pipeline import Bot
    from bot.settings import load_settings

    class SlowBot(Bot):
        def ask(self, question: str, history=()):
            time.sleep(options.seconds)
            return super().ask(question, history)

    slack.API = f"{options.platform}/api/"
    settings = load_settings(
        index=options.index, slack_bot_token="xoxb-1", slack_signing_secret=SECRET, wecom_agent_id=1
    )
    bot = SlowBot(settings)
    bot.refresh()
    app = FastAPI()
    app.include_router(slack.router(bot, settings))
    crypto = Crypto.from_keys(TOKEN, KEY, CORP, "WENQU_WECOM_AES_KEY")
    app.include_router(wecom.routes(bot, settings, crypto, Api.wecom(CORP, "secret", options.platform)))
    uvicorn.run(app, port=options.port, log_level="warning", timeout_graceful_shutdown=10)


def slack_request(number: int) -> tuple[str, dict]:
    """A direct message, signed."""
    from slack_sdk.signature import SignatureVerifier

    now = str(int(time.time()))
    event = {
        "type": "message",
        "channel_type": "im",
        "channel": "D1",
        "user": "U1",
        "text": QUESTION,
        "ts": f"{number}.1",
    }
    envelope = {"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": f"Ev{secrets.token_hex(5)}"}
    body = json.dumps({**envelope, "event": event, "authorizations": [], "event_time": 1})
    made = SignatureVerifier(SECRET).generate_signature(timestamp=now, body=body)
    headers = {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": made, "Content-Type": "application/json"}
    return "/slack/events", {"content": body, "headers": headers}


def wecom_request(number: int) -> tuple[str, dict]:
    """A text message, encrypted."""
    fields = {"ToUserName": CORP, "FromUserName": "u", "CreateTime": 1, "MsgType": "text", "Content": QUESTION}
    now, nonce = int(time.time()), secrets.token_hex(6)
    found = sealed(Crypto.from_keys(TOKEN, KEY, CORP, ""), written({**fields, "MsgId": str(number)}), nonce, now)
    query = {"msg_signature": found["MsgSignature"], "timestamp": str(now), "nonce": nonce}
    return "/wecom", {"content": written({"Encrypt": found["Encrypt"]}), "params": query}


def deliver(client: httpx.Client, requests: list[tuple[str, dict]]) -> np.ndarray:
    """Seconds until each was acknowledged, 16 at a time."""

    def timed(request: tuple[str, dict]) -> float:
        path, content = request
        begun = time.monotonic()
        response = client.post(path, **content)
        assert response.status_code == 200, response.text
        return time.monotonic() - begun

    with ThreadPoolExecutor(16) as pool:
        return np.array(list(pool.map(timed, requests)))


def wait_for(sent: list[str], count: int, seconds: float) -> int:
    """How many messages were sent once `count` were, or the time is over."""
    until = time.monotonic() + seconds
    while len(sent) < count and time.monotonic() < until:
        time.sleep(0.1)
    return len(sent)


def check(options: argparse.Namespace) -> None:
    """Start the platforms and the server, deliver, count."""
    platform = ThreadingHTTPServer(("127.0.0.1", 0), Platform)
    platform.sent = []
    threading.Thread(target=platform.serve_forever, daemon=True).start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        arguments = {
            "--serve": "", "--port": port, "--seconds": options.seconds, "--index": Path(folder) / "index",
            "--platform": f"http://127.0.0.1:{platform.server_port}",
        }  # fmt: skip
        command = [sys.executable, __file__, *(str(word) for pair in arguments.items() for word in pair if word != "")]
        server = subprocess.Popen(command)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                measure(client, platform.sent, server, options)
        finally:
            server.kill()
            server.wait()


def measure(client: httpx.Client, sent: list[str], server: subprocess.Popen, options: argparse.Namespace) -> None:
    """Deliver to a server that is starting, and print what it did."""
    for _ in range(600):
        try:
            client.get("/")
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    for name, make in {"slack": slack_request, "wecom": wecom_request}.items():
        sent.clear()
        requests = [make(number) for number in range(options.events)] + [make(0) for _ in range(10)]
        seconds = deliver(client, requests)
        wait_for(sent, options.events, options.events * options.seconds / 32 + 60)
        time.sleep(options.seconds + 1)  # a second answer to the one that was delivered eleven times would come now
        p50, p99 = np.percentile(seconds, [50, 99])
        print(
            f"{name}: {options.events} messages, one of them delivered 11 times; acknowledged p50 {p50:.3f} s, "
            f"p99 {p99:.3f} s, slowest {seconds.max():.3f} s; answers sent {len(sent)}"
        )
    sent.clear()
    deliver(client, [slack_request(10**6 + number) for number in range(20)])
    server.send_signal(signal.SIGTERM)
    code = server.wait(timeout=120)
    print(f"SIGTERM with 20 answers under way: {len(sent)} sent before the end, exit code {code}")


def main() -> None:
    """Parse the command line; check, or be the server under test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    for name, kind in {"--port": int, "--platform": str, "--index": Path}.items():
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    serve(options) if options.serve else check(options)


if __name__ == "__main__":
    main()
