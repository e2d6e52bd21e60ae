"""The guide's page on deploying: its nginx site in front of a real `wenqu serve --workers 2`."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from conftest import ROOT, write_articles
from model_server import model_server
from serving import serving

from bot.index.build import build_index
from bot.settings import load_settings

pytestmark = pytest.mark.slow

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
NAME = "wenqu.example.com"
QUESTION = {"question": "赵州桥由谁设计?"}
MEBIBYTE = 1024 * 1024
EVENTS = (b"sources", b"delta", b"done")


class Site(NamedTuple):
    """The port of nginx and that of the server behind it."""

    port: int
    behind: int


class ProxiedConnection(http.client.HTTPConnection):
    """A connection from any address: nginx is told by a line of the PROXY protocol, as load balancers do."""

    def __init__(self, port: int, address: str) -> None:
        super().__init__("127.0.0.1", port, timeout=60)
        self._address = address

    def connect(self) -> None:
        super().connect()
        self.sock.sendall(f"PROXY TCP4 {self._address} 127.0.0.1 40000 80\r\n".encode())


class Reply(NamedTuple):
    """A response, and its lines, each with the seconds after which it came."""

    status: int
    kind: str
    lines: list[tuple[float, bytes]]

    def json(self):
        return json.loads(b"".join(line for _, line in self.lines))


def asked(site: Site, address: str, path: str = "/api/search", body: object = QUESTION, **headers: str) -> Reply:
    """What a client at an address is answered; a GET without a body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Host": NAME, "Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    with closing(ProxiedConnection(site.port, address)) as connection:
        begun = time.monotonic()
        connection.request("POST" if content else "GET", path, content or None, sent)
        with connection.getresponse() as response:
            lines = [(time.monotonic() - begun, line) for line in iter(response.readline, b"")]
        return Reply(response.status, response.headers["Content-Type"], lines)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def configuration(folder: Path, port: int, behind: int) -> str:
    """The site of the guide in a configuration of its own, at a port of its own."""
    page = (ROOT / "bot" / "guide" / "en" / "deploying.md").read_text(encoding="utf-8")
    site = re.search(r"```nginx\n(.*?)```", page, re.DOTALL)[1]
    # Who connects is said by the client of the test, so that several addresses can ask over loopback.
    listen = f"listen 127.0.0.1:{port} proxy_protocol; set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;"
    for old, new in (("listen 80;", listen), ("127.0.0.1:8000", f"127.0.0.1:{behind}")):
        assert old in site
        site = site.replace(old, new)
    assert f"server_name {NAME};" in site
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root; " if os.geteuid() == 0 else ""
    return f"{user}daemon off; pid {folder}/pid; events {{}} http {{ access_log off; {temporary} {site} }}"


@contextmanager
def nginx(folder: Path, behind: int) -> Iterator[Site]:
    """A real nginx before a port."""
    site = Site(free_port(), behind)
    (folder / "nginx.conf").write_text(configuration(folder, *site), encoding="utf-8")
    said = folder / "nginx.errors"
    process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", said])
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", site.port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, said.read_text(encoding="utf-8")
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield site
        assert "[crit]" not in said.read_text(encoding="utf-8")
    finally:
        process.terminate()
        process.wait(20)


def words(handler) -> None:
    """A model that says an answer in three pieces, half a second apart."""
    handler.begin()
    for piece in ("赵州桥由隋代工匠", "李春设计,建成于公元605年[1]。", "它位于河北省赵县[1]。"):
        handler.piece(piece)
        handler.wait(0.5)
    handler.piece("", "stop")
    handler.send(b"data: [DONE]\n\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory, embedder):
    if NGINX is None:
        pytest.skip("there is no nginx on this machine")
    folder = tmp_path_factory.mktemp("site")
    settings = load_settings(corpus=write_articles(folder / "corpus"), index=folder / "index")
    build_index(settings, embedder)
    with (
        model_server(words) as model,
        serving(
            settings,
            folder / "errors",
            WENQU_WORKERS=2,
            WENQU_PUBLIC_URL=f"http://{NAME}",
            WENQU_RATE_LIMIT="2/minute",
            WENQU_LLM_URL=model.url,
            WENQU_LLM_MODEL="m",
        ) as server,
        nginx(folder, server.port) as found,
    ):
        assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
        yield found
        assert "Traceback" not in server.said


def test_an_answer_streams_through(site):
    reply = asked(site, "203.0.113.1", "/api/chat")
    assert (reply.status, reply.kind.partition(";")[0]) == (200, "text/event-stream")
    begun = {name: [at for at, line in reply.lines if line.strip() == b"event: " + name] for name in EVENTS}
    assert begun[b"sources"][0] < begun[b"done"][0] - 1  # the model takes one and a half seconds
    assert begun[b"delta"][-1] - begun[b"delta"][0] > 0.4
    done = next(line for _, line in reversed(reply.lines) if line.startswith(b"data: "))
    assert "李春" in json.loads(done.removeprefix(b"data: "))["text"]


def test_a_body_of_a_mebibyte_passes_and_a_byte_more_is_refused_in_our_words(site):
    room = MEBIBYTE - len(b'{"question": ""}')
    least = asked(site, "203.0.113.2", body=b'{"question": "' + b"x" * room + b'"}')
    assert (least.status, least.json()["error"]["code"]) == (422, "invalid_request")
    over = asked(site, "203.0.113.2", body=b'{"question": "' + b"x" * (room + 1) + b'"}')
    assert (over.status, over.kind) == (413, "application/json")
    direct = httpx.post(f"http://127.0.0.1:{site.behind}/api/search", content=b"x" * (MEBIBYTE + 1))
    assert over.json() == direct.json()


def test_a_name_that_is_not_ours_is_refused(site):
    refused = asked(site, "203.0.113.3", Host="evil.example")
    assert (refused.status, refused.json()["error"]["code"]) == (421, "unknown_host")
    assert asked(site, "203.0.113.3").status == 200


def test_clients_are_counted_apart_and_cannot_pretend_to_be_others(site):
    codes = [asked(site, "203.0.113.4").status for _ in range(40)]
    assert set(codes) == {200, 429}
    assert codes.count(200) == 4  # two a minute, of each worker
    assert asked(site, "203.0.113.5").status == 200
    for forged in ("198.51.100.1", "127.0.0.1", "203.0.113.6, 127.0.0.1", "::1"):
        assert asked(site, "203.0.113.4", X_Forwarded_For=forged).status == 429, forged


def test_figures_are_for_this_machine_only(site):
    for headers in ({}, {"X_Forwarded_For": "127.0.0.1"}):
        assert asked(site, "203.0.113.7", "/metrics", body=b"", **headers).status == 403
    assert httpx.get(f"http://127.0.0.1:{site.behind}/metrics").status_code == 200


def test_links_and_pages_of_the_site_are_its_own(site):
    chat = {"model": "wenqu", "messages": [{"role": "user", "content": QUESTION["question"]}]}
    reply = asked(site, "203.0.113.8", "/v1/chat/completions", chat)
    assert reply.json()["citations"][0].startswith(f"http://{NAME}/source/")
    assert asked(site, "203.0.113.8", Origin=f"http://{NAME}").status == 200
    assert asked(site, "203.0.113.8", Origin="http://evil.example").status == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_proxy_on_this_machine_is_believed_over_either_protocol(settings, embedder, tmp_path, host):
    build_index(settings, embedder)
    with serving(settings, tmp_path / "errors", WENQU_HOST=host) as server:
        assert httpx.get(f"{server.url}/metrics").status_code == 200
        forwarded = httpx.get(f"{server.url}/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
        assert forwarded.status_code == 403
