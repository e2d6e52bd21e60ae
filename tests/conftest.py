"""Miniature real things: three small articles, a real index over them, and no way out to the network."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient
from hypothesis import settings as hypothesis_settings

from bot.index.embedder import load_embedder
from bot.pipeline import Bot
from bot.settings import Settings, load_settings
from bot.types import Answer, Event, Text
from bot.web.app import create_app

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# A deadline measures the machine, not the code.
hypothesis_settings.register_profile("wenqu", deadline=None)
hypothesis_settings.load_profile("wenqu")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

ARTICLES = {
    "tea.txt": (
        "龙井茶的故事\n\n龙井茶产于浙江杭州西湖一带,已有一千二百余年历史。"
        "因为当地土壤疏松、雾多雨足,所以茶叶格外鲜嫩。\n\n"
        "1\n\n采摘与炒制\n\n清明前采摘的称为明前茶,每斤干茶约需三万六千个嫩芽。炒制由老师傅徒手在铁锅里完成,全程大约四十分钟。\n\n"
        "国家茶叶博物馆馆长王建国说,好茶一半靠山水,一半靠双手。\n"
    ),
    "bridge.md": (
        "# 赵州桥\n\n赵州桥又名安济桥,位于河北省赵县,由隋代工匠李春设计,建成于公元605年。\n\n"
        "## 结构\n\n桥长64.40米,跨径37.02米。大拱两端各有两个小拱,既减轻桥身重量,又便于排洪。"
        "型号为PPR-9087的传感器守护着它。\n"
    ),
    "city.html": (
        "<html><head><title>站点</title><style>p{}</style></head><body><nav>首页 > 新闻</nav>"
        "<article><h1>西安的轨道交通</h1>"
        "<p>西安地铁二号线于2011年9月16日开通,是西北地区第一条地铁线路。</p><script>alert(1)</script></article></body></html>"
    ),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the reliability checks."""
    parser.addoption("--full", action="store_true", help="the long run of tests/reliability")
    parser.addoption("--seed", help="the seed of tests/reliability, to repeat a run")
    parser.addoption("--promises", metavar="FILE", help="where tests/reliability writes its figures, a JSON line each")


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether the long run was asked for: more points, more seeds, more seconds."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """The seed of this run; `--seed N` repeats one."""
    return int(pytestconfig.getoption("--seed") or random.SystemRandom().randrange(2**32))


@pytest.fixture
def promise(pytestconfig: pytest.Config, request: pytest.FixtureRequest):
    """Records a figure for the report, by promise: what holds, and its numbers by name."""

    def record(identity: str, claim: str, **figures: object) -> None:
        file = pytestconfig.getoption("--promises")
        if file:
            line = {"promise": identity, "claim": claim, "figures": figures, "test": request.node.name}
            with Path(file).open("a", encoding="utf-8") as out:
                out.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")

    return record


@pytest.fixture(scope="session", autouse=True)
def _private_home(tmp_path_factory: pytest.TempPathFactory):
    """No test touches the user's own caches, history or settings."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("WENQU_", "XDG_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("WENQU_ALLOWED_HOSTS", "testserver")  # what TestClient calls the server
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # a hub that nobody can reach, at once
        patch.chdir(home)
        yield


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch):
    """A connection beyond loopback is a failure."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"connection to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def embedder():
    """The bundled embedder."""
    return load_embedder()


def write_articles(folder: Path, articles: dict[str, str] = ARTICLES) -> Path:
    """A corpus folder with the given files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in articles.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings over a fresh corpus of the three articles and an index folder that is not there yet."""
    return load_settings(corpus=write_articles(tmp_path / "corpus"), index=tmp_path / "index")


@pytest.fixture
def own_bot(settings: Settings, embedder) -> Bot:
    """A bot over three articles of this test's own, which it may change."""
    own = Bot(settings, embedder)
    own.refresh()
    return own


@pytest.fixture
def client(own_bot: Bot):
    """A program on this machine that asks an application over the test's own bot."""
    with TestClient(create_app(own_bot), client=("127.0.0.1", 50000)) as client:
        yield client


@pytest.fixture(scope="session")
def bot(tmp_path_factory: pytest.TempPathFactory, embedder) -> Bot:
    """A bot over the three articles; shared, so no test may change its corpus."""
    folder = tmp_path_factory.mktemp("shared-bot")
    shared = Bot(load_settings(corpus=write_articles(folder / "corpus"), index=folder / "index"), embedder)
    shared.refresh()
    return shared


@pytest.fixture(scope="session")
def article_bot(tmp_path_factory: pytest.TempPathFactory, embedder) -> Bot:
    """A bot over the article that the project ships."""
    index = tmp_path_factory.mktemp("article") / "index"
    shipped = Bot(load_settings(corpus=ROOT / "corpus", index=index), embedder)
    shipped.refresh()
    return shipped


class SlowBot:
    """The bot, whose answers take a while, as those of a model do.

    An answer that outlives its test would be counted in another one: `over` ends it, or gives it at once if `released`.
    """

    def __init__(self, bot, settings, seconds=0.0):
        self.bot, self.settings, self.seconds = bot, settings, seconds
        self.asked: list[str] = []
        self.over = threading.Event()
        self.released = False

    def ask(self, question, history=()):
        self.asked.append(question)
        if self.over.wait(self.seconds) and not self.released:
            raise RuntimeError("the test is over")
        if question == "坏":
            raise RuntimeError("broken")
        return self.bot.ask(question, history)


class Configured:
    """A bot, or what stands for one, under other settings."""

    def __init__(self, bot, settings: Settings | None = None, **changes: object):
        self._bot = bot
        self.settings = (settings or bot.settings).model_copy(update=changes)

    def __getattr__(self, name: str):
        return getattr(self._bot, name)


class ShortBot(Configured):
    """A bot whose answers have these short words; its refusals have none."""

    def __init__(self, bot, short: str, **changes: object):
        super().__init__(bot, **changes)
        self._short = short

    def ask(self, question, history=()) -> Answer:
        return self._shortened(self._bot.ask(question, history))

    def stream(self, question, history=()) -> Iterator[Event]:
        for event in self._bot.stream(question, history):
            yield event if isinstance(event, Text) else replace(event, answer=self._shortened(event.answer))

    def _shortened(self, answer: Answer) -> Answer:
        return answer if answer.refused else replace(answer, short=self._short)


class HeldBot(Configured):
    """A bot whose answers wait until they are let go."""

    def __init__(self, bot, **changes: object):
        super().__init__(bot, **changes)
        self.asked: list[str] = []
        self.go = threading.Event()

    def ask(self, question, history=()):
        self.asked.append(question)
        assert self.go.wait(60)
        return self._bot.ask(question, history)


@contextmanager
def served(app) -> Iterator[str]:
    """The address of a real server on loopback that serves an application."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


class JsonReplies:
    """Of a BaseHTTPRequestHandler that answers in JSON, as the API of a platform does."""

    def send_json(self, answer: object) -> None:
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@contextmanager
def platform_api(handler: type[BaseHTTPRequestHandler], **known) -> Iterator[ThreadingHTTPServer]:
    """A server on loopback with what its handler is to know."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    vars(server).update(known)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def wait_for(sent: list, count: int) -> list:
    """The list, once it holds so many, or after 20 seconds."""
    until = time.monotonic() + 20
    while len(sent) < count and time.monotonic() < until:
        time.sleep(0.01)
    return sent


@pytest.fixture(scope="module")
def browser():
    """A Chromium, which the pages are tested in."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Opens the page in a window of its own; whatever happens there, no dialog, no foreign host, no script error."""
    contexts, foreign, problems = [], [], []

    def look(request):
        own = ("http://127.0.0.1", "data:", "blob:", "chrome:", "chrome-extension:")  # the last two by its PDF viewer
        if not request.url.startswith(own):
            foreign.append(request.url)

    def opened(url=address, prepare=lambda page: None, **options):
        options = {"locale": "zh-CN", "reduced_motion": "reduce", **options}
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        context.on("request", look)
        page = context.new_page()
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: "Content Security Policy" in said.text and problems.append(said.text))
        prepare(page)
        page.goto(url)
        page.wait_for_selector("#theme:not(:empty)")  # its script ran
        return page

    yield opened
    for context in contexts:
        context.close()
    assert foreign == []
    assert problems == []


@pytest.fixture
def check():
    """Asserts that axe finds nothing serious in a page; the state says where it did."""
    axe_core = pytest.importorskip("axe_playwright_python")
    axe = (Path(axe_core.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

    def checked(page, state):
        page.evaluate(axe)
        found = page.evaluate("axe.run()")["violations"]
        serious = [
            (state, one["id"], [node["html"][:120] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []

    return checked
