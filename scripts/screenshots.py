"""Photograph the page's main states, and print what it weighs and how soon an answer begins.

python scripts/screenshots.py OUT needs `pip install -e ".[test]"` and a Chromium.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from PIL import Image
from playwright.sync_api import Browser, Frame, Page, Route, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import served  # noqa: E402

from bot.pipeline import Bot  # noqa: E402
from bot.settings import load_settings  # noqa: E402
from bot.web.app import create_app  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE, LAPTOP, PHONE = (1440, 900), (1024, 768), (390, 844)
QUESTION, ENGLISH, UNANSWERED = "合肥为什么能成功?", "why did Hefei succeed", "红烧肉怎么做"


def ask(page: Page | Frame, question: str) -> None:
    """Ask and wait for the whole answer."""
    page.fill("#question", question)
    page.press("#question", "Enter")
    page.wait_for_selector(".turn:last-child[aria-busy=false]")


def opened(browser: Browser, url: str, size: tuple[int, int], scheme: str = "light", locale: str = "zh-CN") -> Page:
    """The page in a window of that size, once its examples are there."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale=locale, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#examples button")
    return page


def photograph(browser: Browser, url: str, out: Path) -> None:
    """Every state in every window that shows something new."""
    for name, size, scheme, locale in [
        ("wide", WIDE, "light", "zh-CN"),
        ("dark", LAPTOP, "dark", "zh-CN"),
        ("phone", PHONE, "light", "zh-CN"),
        ("phone-dark-en", PHONE, "dark", "en-US"),
    ]:
        page = opened(browser, url, size, scheme, locale)
        page.screenshot(path=out / f"{name}-1-welcome.png")
        ask(page, ENGLISH if locale == "en-US" else QUESTION)
        page.screenshot(path=out / f"{name}-2-answer.png")
        page.click(".source .why")
        page.wait_for_selector(".reasons dl")
        page.screenshot(path=out / f"{name}-3-why.png")
        page.click(".source .open")
        page.wait_for_selector("#article mark")
        page.screenshot(path=out / f"{name}-4-reader.png")
        page.keyboard.press("Escape")
        ask(page, UNANSWERED)
        page.screenshot(path=out / f"{name}-5-refused.png")
        page.click("#show-history")
        page.screenshot(path=out / f"{name}-6-history.png")
        page.context.close()


def photograph_offline(browser: Browser, url: str, out: Path) -> None:
    """A question that does not reach the server."""
    page = opened(browser, url, LAPTOP)
    page.route("**/api/chat", lambda route: route.abort())
    page.fill("#question", QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_selector("#offline:not([hidden])")
    page.screenshot(path=out / "offline.png")
    page.context.close()


def photograph_told(browser: Browser, url: str, out: Path) -> None:
    """An answer as a server gives it that words it by a model, understands follow-ups and takes feedback."""
    page = opened(browser, url, LAPTOP)
    told = {"id": "a1", "mode": "llm", "standalone": QUESTION}

    def tell(route: Route) -> None:
        response = route.fetch()
        body = re.sub(r'"mode": ?"passages"', lambda _: json.dumps(told)[1:-1], response.text())
        route.fulfill(response=response, body=body)

    page.route("**/api/chat", tell)
    page.route("**/api/feedback", lambda route: route.fulfill(status=204))
    ask(page, "合肥它为什么能成功")
    page.click(".thumb.good")
    page.wait_for_selector(".thumb[aria-pressed=true]")
    page.screenshot(path=out / "told.png")
    page.context.close()


def photograph_widget(browser: Browser, around: str, out: Path) -> None:
    """The launcher and the frame on somebody else's page."""
    for name, size in (("widget", LAPTOP), ("widget-phone", PHONE)):
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
        page.goto(around)
        page.wait_for_selector("wenqu-widget", state="attached")
        page.screenshot(path=out / f"{name}-1-launcher.png")
        with page.expect_event("frameattached") as attached:
            page.mouse.click(size[0] - 60, size[1] - 40)
        frame = attached.value
        frame.wait_for_selector("#examples button")
        page.screenshot(path=out / f"{name}-2-open.png")
        ask(frame, QUESTION)
        page.screenshot(path=out / f"{name}-3-answer.png")
        page.close()


def photograph_guide(browser: Browser, url: str, out: Path) -> None:
    """The manual: its contents, a page with tables, one with commands, and a page that is not there."""
    for name, size, scheme in [("wide", WIDE, "light"), ("dark", LAPTOP, "dark"), ("phone", (320, 640), "light")]:
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        for number, path in enumerate(["zh/", "zh/settings", "en/deploying", "zh/nothing"], start=1):
            page.goto(f"{url}/guide/{path}")
            page.wait_for_selector("#theme:not([hidden])")
            page.screenshot(path=out / f"guide-{name}-{number}-{path.replace('/', '-').rstrip('-')}.png")
        page.click("#contents summary")
        page.screenshot(path=out / f"guide-{name}-5-contents.png")
        page.close()


def photograph_for_readme(browser: Browser, url: str, out: Path) -> None:
    """An answer, which README.md shows from bot/guide/images/page.png: in few colours, so that it is small."""
    page = opened(browser, url, (1280, 800))
    ask(page, QUESTION)
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=out / "page.png")
    page.context.close()
    Image.open(out / "page.png").convert("RGB").quantize(64, dither=Image.Dither.NONE).save(
        out / "page.png", optimize=True
    )


@contextmanager
def somebodys_page(script: Callable[[], str]) -> Iterator[str]:
    """The address of a page of another origin that holds the widget of the address that `script` gives."""
    app = FastAPI()

    @app.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse(
            "<!doctype html><html lang=zh-CN><title>小店</title><h1>青岛小店</h1><p>别人的网页。</p>"
            f'<script async src="{script()}/widget.js" data-title="问文章" data-theme="light"></script>'
        )

    with served(app) as url:
        yield url


def first_bytes(url: str, runs: int = 30) -> list[float]:
    """Milliseconds from sending a question to the first byte of the events, sorted."""
    address, taken = urlsplit(url), []
    for i in range(runs):
        connection = http.client.HTTPConnection(address.hostname, address.port)
        connection.connect()
        body = json.dumps({"question": f"{QUESTION}{i}"}).encode()
        begun = time.perf_counter()
        connection.request("POST", "/api/chat", body, {"Content-Type": "application/json"})
        connection.getresponse().read(1)
        taken.append((time.perf_counter() - begun) * 1000)
        connection.close()
    return sorted(taken)


def weight(browser: Browser, url: str) -> int:
    """Bytes of all that a visit loads, its questions' answers apart."""
    page = browser.new_page()
    sizes: list[int] = []
    page.on("response", lambda response: "/api/" not in response.url and sizes.append(len(response.body())))
    page.goto(url)
    page.wait_for_selector("#examples button")
    page.close()
    return sum(sizes)


def main(out: Path) -> None:
    """Serve the shipped article and photograph."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as index:
        home = ""
        with somebodys_page(lambda: home) as around, sync_playwright() as playwright:
            bot = Bot(load_settings(corpus=ROOT / "corpus", index=index, widget_origins=around))
            bot.refresh()
            with served(create_app(bot)) as home:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                photograph(browser, home, out)
                photograph_offline(browser, home, out)
                photograph_told(browser, home, out)
                photograph_widget(browser, around, out)
                photograph_guide(browser, home, out)
                photograph_for_readme(browser, home, out)
                taken = first_bytes(home)
                print(f"first byte of an answer: median {statistics.median(taken):.0f} ms, slowest {taken[-1]:.0f} ms")
                print(f"page weight: {weight(browser, home) / 1000:.1f} kB")
                browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
