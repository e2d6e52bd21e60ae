"""The page in a real Chromium, against a real server over a real index."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import CHROMIUM, Configured, ShortBot, served, write_articles
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, StreamingResponse
from PIL import Image
from playwright.sync_api import expect
from written import bot_over

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.tables import Cell
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.types import evidence_to_dict
from bot.web.app import create_app
from bot.web.guide import PAGES

STATIC = Path(__file__).parents[1] / "bot" / "web" / "static"
QUESTION, SENTENCE = "西安地铁二号线何时开通?", "西安地铁二号线于2011年9月16日开通,是西北地区第一条地铁线路。"
SHORT = "2011年9月16日"
# Ways in which text from elsewhere tries to become script, address or layout of a page.
PAYLOADS = (Path(__file__).parent / "page_payloads.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
PHONE = {"width": 390, "height": 844}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


def sse(*events: tuple[str, object]) -> str:
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)


@pytest.fixture(scope="module")
def address(bot):
    with served(create_app(bot)) as url:
        yield url


def ask(page, question):
    page.fill("#question", question)
    page.press("#question", "Enter")
    finish(page)


def finish(page):
    """Wait for the whole answer: its sources stand there a while before its text."""
    page.wait_for_selector(".turn:last-child[aria-busy=false]")


def settle(page, expression, value):
    """Wait until an expression has a value; the page's own policy forbids Playwright's wait_for_function."""
    for _ in range(100):
        if page.evaluate(expression) == value:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{expression} is {page.evaluate(expression)}")


def answer_of(page):
    return page.inner_text(".turn:last-child .answer")


def test_a_question_in_chinese_has_its_sentence_marked(visit):
    page = visit()
    ask(page, QUESTION)
    assert answer_of(page) == f"{SENTENCE} [1]"
    assert page.inner_text(".source:first-of-type mark") == SENTENCE
    assert page.inner_text("#status") == f"2011年9月16日 {SENTENCE} [1]"  # what a screen reader is told, once


def test_a_citation_leads_to_its_source(visit):
    page = visit(viewport={"width": 390, "height": 400})
    ask(page, QUESTION)
    page.click(".answer .cite")
    assert page.evaluate("document.activeElement.dataset.number") == "1"
    expect(page.locator(".source:first-of-type .place")).to_be_in_viewport()


def test_a_question_in_english_in_an_english_page(visit):
    page = visit(locale="en-US")
    assert page.inner_text("#send") == "Ask"
    ask(page, "Who designed the Zhaozhou bridge?")
    assert "李春设计" in page.inner_text(".source:first-of-type mark")
    chinese = page.evaluate("[...document.querySelectorAll('button, summary, dt, h3, .note')].map(b => b.textContent)")
    page.click("#language")
    assert page.inner_text("#send") == "提问"
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    own = [said for said in chinese if re.search("[一-鿿]", said)]
    assert set(own) <= {"中文", *page.locator("#examples button").all_text_contents()}


def test_the_examples_are_answered(visit, bot):
    page = visit()
    page.wait_for_selector("#examples button")
    examples = page.locator("#examples button").all_text_contents()
    assert 3 <= len(examples) <= 4
    page.click("#examples button >> nth=0")
    finish(page)
    assert page.inner_text(".question") == examples[0]
    assert page.locator(".source").count() >= 1


@contextmanager
def slow_server(bot):
    """The bot behind a chat that waits: sources at once, then a piece of the answer each time the other is released."""
    app, pieces = FastAPI(), threading.Semaphore(0)

    @app.post("/api/chat")
    async def chat() -> StreamingResponse:
        answer = bot.ask(QUESTION)

        async def events():
            yield sse(("sources", [evidence_to_dict(one) for one in answer.evidence]))
            yield sse(("short", {"text": answer.short})) if answer.short else ""
            for i in range(0, len(answer.text), 4):
                while not pieces.acquire(blocking=False):
                    await asyncio.sleep(0.01)
                yield sse(("delta", {"text": answer.text[i : i + 4]}))
            yield sse(("done", answer.to_dict()))

        return StreamingResponse(events(), media_type="text/event-stream")

    app.mount("/", create_app(bot))
    with served(app) as url:
        yield url, pieces
        pieces.release(1000)


def test_the_sources_come_first_and_stop_stops(visit, bot):
    with slow_server(bot) as (url, pieces):
        page = visit(url)
        page.fill("#question", QUESTION)
        page.press("#question", "Enter")
        page.wait_for_selector(".source mark")
        assert SENTENCE[:4] not in answer_of(page)
        pieces.release(2)
        expect(page.locator(".answer")).to_have_text(SENTENCE[:8])
        page.fill("#question", "下一个问题")
        page.press("#question", "Enter")  # neither asks nor stops: what is typed waits
        assert page.input_value("#question") == "下一个问题"
        assert page.locator(".turn").count() == 1
        page.click("#stop")
        expect(page.locator(".turn .note")).to_contain_text("已停止")
        assert answer_of(page) == SENTENCE[:8]
        expect(page.locator("#send")).to_be_visible()
        page.press("#question", "Escape")
        page.click(".turn .note button")  # again
        page.wait_for_selector(".source mark")
        page.press("#question", "Escape")
        expect(page.locator(".turn .note")).to_contain_text("已停止")
        page.close()


def test_a_short_answer_is_there_before_the_text(visit, bot):
    with slow_server(ShortBot(bot, SHORT)) as (url, pieces):
        page = visit(url)
        page.fill("#question", QUESTION)
        page.press("#question", "Enter")
        page.wait_for_selector(".short strong")
        assert SENTENCE[:4] not in answer_of(page)
        assert page.inner_text("#status") == SHORT
        pieces.release(1000)
        finish(page)
        page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_a_short_answer_stands_above_its_sentence_and_is_bold_in_its_mark(visit, check, bot, width, scheme):
    with served(create_app(ShortBot(bot, SHORT))) as url:
        page = visit(url, viewport={"width": width, "height": 720}, color_scheme=scheme)
        ask(page, QUESTION)
        for _ in range(2):
            short, answer = page.locator(".short"), page.locator(".answer")
            assert (short.inner_text(), answer_of(page)) == (SHORT, f"{SENTENCE} [1]")
            assert short.bounding_box()["y"] < answer.bounding_box()["y"]
            assert page.locator(".source mark strong").all_text_contents() == [SHORT]
            assert page.inner_text(".source:first-of-type mark") == SENTENCE
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            check(page, "short answer")
            page.reload()  # the browser keeps it
        ask(page, "红烧肉怎么做")
        expect(page.locator(".turn:last-child .short")).to_be_hidden()
        ask(page, QUESTION)
        assert page.text_content("#status") == f"{SHORT}\n\n{SENTENCE} [1]"
        page.close()


def test_enter_that_ends_a_composition_does_not_send(visit):
    page = visit()
    page.fill("#question", QUESTION)
    for how in ("isComposing: true", "keyCode: 229"):
        page.evaluate(
            "document.querySelector('#question').dispatchEvent("
            f"new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true, cancelable: true, {how}}}))"
        )
    page.press("#question", "Shift+Enter")
    assert page.locator(".turn").count() == 0
    assert page.input_value("#question") == QUESTION + "\n"
    page.press("#question", "Enter")
    finish(page)
    assert page.locator(".turn").count() == 1


@pytest.mark.parametrize("width", [1440, 390])
def test_the_reader_opens_the_article_at_the_mark(visit, width, tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("long")
    filler = "\n\n".join(f"这是第{i}段,讲的是别的事情😀,与地铁毫无关系。" for i in range(120))
    articles = {"long.txt": f"西安的轨道交通\n\n{filler}\n\n{SENTENCE}\n\n{filler}\n"}
    bot = Bot(load_settings(corpus=write_articles(folder / "c", articles), index=folder / "i"), embedder)
    bot.refresh()
    with served(create_app(bot)) as url:
        page = visit(url, viewport={"width": width, "height": 800})
        ask(page, QUESTION)
        assert page.inner_text(".source:first-of-type mark") == SENTENCE
        page.click(".source .open")
        page.wait_for_selector("#article mark")
        assert page.inner_text("#article mark") == SENTENCE
        expect(page.locator("#article mark")).to_be_in_viewport()
        assert page.locator("#article > *").count() == 242
        page.keyboard.press("Home")
        settle(page, "document.querySelector('#article').scrollTop", 0)
        page.click("#to-mark")
        expect(page.locator("#article mark")).to_be_in_viewport()
        page.keyboard.press("Escape")
        assert not page.locator("#reader").is_visible()
        assert page.evaluate("document.activeElement.className") == "open"
        settle(page, "history.state?.pane ?? ''", "")  # going back is under way
        page.goto(url + page.get_attribute("#apart", "href"))
        assert page.inner_text("mark") == SENTENCE
        page.close()


def handbook() -> Parsed:
    """Two pages with a wide table, a list, code, a picture and a line in Arabic."""
    names = ("代号", "专业名称", "文史类最低", "理工类最低", "选考科目要求", "学费", "备注")
    majors = ("法学", "汉语言文学", "计算机科学与技术", "临床医学", "国际经济与贸易")
    rows = [
        [f"{n:02}", majors[n % 5], "" if n % 2 else f"{600 + n}", f"{620 + n}", "不限", "5,500", ""] for n in range(24)
    ]
    writer = BlockWriter()
    writer.begin_page()
    writer.heading("录取分数", 1)
    writer.add("caption", "表1 最低分")
    writer.table([[Cell(text) for text in row] for row in [names, *rows]], 1)
    writer.begin_page()
    writer.heading("报名办法😀", 2)
    writer.item("登录网站填写考生号。", "（一）")
    writer.item("照片为JPG格式。", "1.", 2)
    writer.code("print('已提交')  # " + "很长的一行" * 30)
    file = io.BytesIO()
    Image.new("RGB", (900, 90), "red").save(file, "PNG")
    writer.picture(file.getvalue())
    writer.add("caption", "图1 报名流程")
    writer.paragraph("مرحبا بكم في الجامعة، الرسوم 160 يوان.")
    return writer.parsed("招生手册")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (320, "light")])
def test_a_document_looks_like_what_it_is(visit, check, tmp_path, embedder, width, scheme):
    bot = bot_over(tmp_path, embedder, {"手册.pdf": handbook()}, {"手册.pdf": b"%PDF-1.4"})
    with served(create_app(bot)) as url:
        page = visit(url, viewport={"width": width, "height": 720}, color_scheme=scheme)
        ask(page, "代号22的专业理工类最低多少分?")
        assert page.inner_text(".source:first-of-type .page") == "第 1 页"
        page.click(".source .open >> nth=0")
        page.wait_for_selector("#article mark")
        assert page.locator("#article mark").all_text_contents() == [
            "22",
            "计算机科学与技术",
            "622",
            "642",
            "不限",
            "5,500",
        ]
        expect(page.locator("#article mark >> nth=0")).to_be_in_viewport()
        table = page.locator("#article table")
        expect(table.locator("th").first).to_be_in_viewport()  # the names of the columns stay in sight
        assert table.locator("tr:has-text('643') td").all_text_contents()[:4] == ["23", "临床医学", "", "643"]
        assert page.locator("#article li").all_text_contents() == ["（一）登录网站填写考生号。", "1. 照片为JPG格式。"]
        assert page.locator("#article :is(h3, h4)").all_text_contents() == ["录取分数", "报名办法😀"]
        assert page.locator("#article .page").all_text_contents() == ["第 1 页", "第 2 页"]
        picture = page.locator("#article img")
        picture.scroll_into_view_if_needed()
        settle(page, "document.querySelector('#article img').naturalWidth", 900)
        assert picture.get_attribute("alt") == "图1 报名流程"
        assert picture.bounding_box()["width"] < min(900, width)
        for box in ("document.documentElement", "document.querySelector('#article')"):
            assert page.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")
        check(page, "reader")
        assert page.get_attribute("#original", "href").endswith("/file#page=1")
        assert page.request.get(url + page.get_attribute("#original", "href")).body() == b"%PDF-1.4"
        apart = url + page.get_attribute("#apart", "href")
        page.click("#reader .close")
        page.click("#language")
        assert page.inner_text(".source:first-of-type .page") == "page 1"
        settle(page, "history.state?.pane ?? ''", "")  # going back is under way
        page.goto(apart)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("mark").count() == 6
        expect(page.locator("mark >> nth=0")).to_be_in_viewport()
        check(page, "page without script")
        page.close()


def test_why_is_one_click_away(visit):
    page = visit()
    ask(page, "赵州桥由谁设计?")
    page.click(".source:first-of-type .why")
    page.wait_for_selector(".reasons dl")
    told = page.inner_text(".reasons")
    for part in ("设计 正文", "赵州桥 正文·标题", "名次 1", "阈值 0.40"):
        assert part in told, told
    page.click(".source:first-of-type .why")
    assert not page.locator(".reasons dl").is_visible()


def test_dark_follows_the_system_and_the_button(visit):
    def paper(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = visit(color_scheme="light"), visit(color_scheme="dark")
    assert paper(light) == "rgb(247, 244, 236)"
    assert paper(dark) == "rgb(20, 25, 27)"
    light.click("#theme")
    light.click("#theme")
    assert paper(light) == paper(dark)
    light.reload()
    assert paper(light) == paper(dark)


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_nothing_is_wider_than_a_phone(visit, locale):
    page = visit(viewport=PHONE, locale=locale, has_touch=True)

    def fits():
        return page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.wait_for_selector("#examples button")
    assert fits()
    ask(page, "赵州桥由谁设计?" + "很" * 60 + "w" * 200)
    ask(page, "赵州桥由谁设计?")
    page.click(".turn:last-child .why >> nth=0")
    page.wait_for_selector(".reasons dl")
    assert fits()
    overlaps = page.evaluate(
        "(() => { const h = document.querySelector('h1').getBoundingClientRect();"
        "return document.querySelector('nav').getBoundingClientRect().left < h.left + 40 })()"
    )
    assert not overlaps
    page.click(".turn:last-child .open >> nth=0")
    page.wait_for_selector("#article mark")
    assert fits()


def test_payloads_are_only_text(visit, tmp_path, embedder):
    assert len(PAYLOADS) == len(set(PAYLOADS)) == 60
    body = "\n\n".join(f"第{i}种写法说的是赵州桥由李春设计: {payload}" for i, payload in enumerate(PAYLOADS))
    articles = {
        "a.txt": f"{PAYLOADS[0]}\n\n1\n\n{PAYLOADS[6]}\n\n{body}\n",
        "b.txt": f"{PAYLOADS[10]}\n\n1\n\n{PAYLOADS[20]}\n\n{body}\n",
    }
    bot = Bot(load_settings(corpus=write_articles(tmp_path / "c", articles), index=tmp_path / "i"), embedder)
    bot.refresh()
    with served(create_app(bot)) as url:
        page = visit(url)
        page.evaluate("addEventListener('securitypolicyviolation', () => window.violated = true)")
        asked = ["\n".join(PAYLOADS[i : i + 4]) for i in range(0, len(PAYLOADS), 4)]
        for question in asked:
            ask(page, question)
        assert page.locator(".question").all_text_contents() == asked
        ask(page, "赵州桥由谁设计?")
        page.click(".turn:last-child .why >> nth=0")
        page.wait_for_selector(".reasons dl")
        page.click(".turn:last-child .open >> nth=0")
        page.wait_for_selector("#article mark")
        article = page.text_content("#article")
        assert [payload for payload in PAYLOADS if payload not in article] == []
        page.keyboard.press("Escape")
        invent_answer(page)
        ask(page, "全部")
        said = page.text_content(".turn:last-child")
        assert [payload for payload in PAYLOADS if said.count(payload) < 5] == []
        page.reload()
        page.wait_for_selector(".turn")
        page.click("#show-history")
        assert page.locator("#conversations li").count() == 1
        assert not page.evaluate("window.violated")
        page.close()


def invent_answer(page):
    """From now on the server answers with every payload as title, heading, passage, answer, reason and more."""
    evidence = [
        {
            "number": i,
            "spans": [{"start": 0, "end": 3}],
            "passage": {"id": payload, "article": payload, "title": payload, "heading": payload, "text": payload}
            | {"start": 0, "end": len(payload)},
            "score": 1,
        }
        for i, payload in enumerate(PAYLOADS, start=1)
    ]
    whole = "\n".join(PAYLOADS)
    done = {"text": whole, "evidence": evidence, "refused": False, "confidence": 1, "mode": "curated", "id": "x"}
    done |= {"degraded": {"llm": whole}, "curated_source": whole, "standalone": whole, "short": whole}
    body = sse(("sources", evidence), ("short", {"text": whole}), ("delta", {"text": whole}), ("done", done))
    page.route("**/api/chat", lambda route: route.fulfill(content_type="text/event-stream; charset=utf-8", body=body))


def test_everything_works_by_keyboard_alone(visit):
    page = visit()

    def walk(selector, key="Tab"):
        for _ in range(40):
            if page.evaluate(f"document.activeElement.matches('{selector}')"):
                return
            page.keyboard.press(key)
        raise AssertionError(f"no way to {selector}")

    assert page.evaluate("document.activeElement.id") == "question"
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    finish(page)
    assert page.evaluate("document.activeElement.id") == "question"
    walk(".why", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".reasons dl")
    walk(".open", "Shift+Tab")
    page.keyboard.press("Space")
    page.wait_for_selector("#article mark")
    assert page.evaluate("document.activeElement.id") == "article"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "open"
    walk("#show-history", "Shift+Tab")
    page.keyboard.press("Enter")
    walk(".name")
    page.keyboard.press("Enter")
    assert not page.locator("#history").is_visible()
    walk(".skip", "Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "question"


def test_axe_finds_nothing_serious(visit, check):
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme, viewport={"width": 1280, "height": 800})
        page.wait_for_selector("#examples button")
        check(page, "welcome")
        ask(page, "红烧肉怎么做")
        ask(page, "赵州桥由谁设计?")
        page.click(".turn:last-child .why >> nth=0")
        page.wait_for_selector(".reasons dl")
        page.route("**/api/chat", lambda route: route.abort())
        page.fill("#question", QUESTION)
        page.press("#question", "Enter")
        page.wait_for_selector("#offline:not([hidden])")
        check(page, "answers")
        page.click(".open >> nth=0")
        page.wait_for_selector("#article mark")
        check(page, "reader")
        page.keyboard.press("Escape")
        page.click("#show-history")
        check(page, "history")


def test_conversations_stay_in_the_browser_and_can_be_deleted(visit):
    page = visit()
    ask(page, QUESTION)
    ask(page, "赵州桥由谁设计?")
    page.reload()
    assert page.locator(".question").all_text_contents() == [QUESTION, "赵州桥由谁设计?"]
    assert page.locator(".source mark").count() >= 2
    page.click("#fresh")
    assert page.locator(".turn").count() == 0
    ask(page, "龙井茶产于哪里?")
    page.go_back()
    page.click("#show-history")
    assert page.locator("#conversations bdi").all_text_contents() == ["龙井茶产于哪里?", QUESTION]
    page.click("#conversations li >> nth=0 >> button:last-child")
    assert page.locator("#conversations bdi").all_text_contents() == [QUESTION]
    page.click("#conversations .name")
    assert page.locator(".turn").count() == 2
    page.click("#show-history")
    page.click("#forget")
    assert page.locator("#conversations .name").count() == 1  # asks first, in the button
    page.click("#forget")
    assert page.locator("#conversations .name").count() == 0
    page.reload()
    assert page.locator(".turn").count() == 0


def test_a_conversation_is_renamed_found_and_exported(visit):
    page = visit()
    ask(page, QUESTION)
    page.click("#fresh")
    ask(page, "赵州桥由谁设计?")
    page.click("#show-history")
    page.locator("#conversations li", has_text="西安").get_by_text("改名").click()
    page.fill("#conversations input", "地铁的事")
    page.keyboard.press("Enter")
    expect(page.locator("#conversations bdi")).to_have_text(["赵州桥由谁设计?", "地铁的事"])
    page.fill("#look", "西北地区")  # stands in the answer only
    expect(page.locator("#conversations bdi")).to_have_text(["地铁的事"])
    with page.expect_download() as download:
        page.locator("#conversations").get_by_text("导出").click()
    assert download.value.suggested_filename == "地铁的事.md"
    said = Path(download.value.path()).read_text(encoding="utf-8")
    assert said.startswith("# 地铁的事\n\n## 西安地铁二号线何时开通?\n\n")
    assert f"{SENTENCE} [1]" in said
    assert "1. 西安的轨道交通 (city.html)" in said
    page.fill("#look", "没有这个词")
    expect(page.locator("#conversations")).to_have_text("没有这样的对话。")


def test_two_tabs_of_one_conversation_lose_nothing(visit):
    page = visit()
    ask(page, QUESTION)
    other = page.context.new_page()
    other.goto(page.url)
    ask(other, "赵州桥由谁设计?")
    expect(page.locator(".question")).to_have_text([QUESTION, "赵州桥由谁设计?"])  # seen here too
    ask(page, "龙井茶产于哪里?")
    ask(other, "炒制要多久?")
    page.reload()
    expect(page.locator(".question")).to_have_text([QUESTION, "赵州桥由谁设计?", "龙井茶产于哪里?", "炒制要多久?"])


@pytest.mark.parametrize("width", [1440, 390])
def test_back_closes_the_pane_and_keeps_the_conversation(visit, width):
    page = visit(viewport={"width": width, "height": 800})
    ask(page, QUESTION)
    page.click(".source .open")
    page.wait_for_selector("#article mark")
    page.go_back()
    expect(page.locator("#reader")).to_be_hidden()
    expect(page.locator(".question")).to_have_text([QUESTION])
    page.click(".source .open")
    page.wait_for_selector("#article mark")
    page.click("#reader .close")
    expect(page.locator("#reader")).to_be_hidden()
    settle(page, "history.state?.pane ?? ''", "")
    page.go_back()
    expect(page.locator("#welcome")).to_be_visible()  # one step, as before the pane was opened


def test_a_question_that_is_too_long_is_said_while_it_is_typed(visit):
    page = visit()
    page.fill("#question", "长" * 2001)
    expect(page.locator("#long")).to_contain_text("2001")
    expect(page.locator("#send")).to_be_disabled()
    page.press("#question", "Enter")
    assert page.locator(".turn").count() == 0
    page.fill("#question", QUESTION)
    expect(page.locator("#long")).to_be_hidden()
    ask(page, QUESTION)
    assert answer_of(page) == f"{SENTENCE} [1]"


DAMAGED = ["{", "null", "7", '[1, null, {}, {"id": 1}]', '[{"id": "a", "at": 1, "turns": [{"question": "q"}]}]']
FORBIDDEN = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }"


def test_damaged_storage_is_passed_over(visit):
    page = visit()
    for damaged in DAMAGED:
        page.evaluate("text => localStorage.setItem('wenqu.conversations', text)", damaged)
        page.click("#show-history")
        assert page.locator("#conversations .name").count() == 0
        page.keyboard.press("Escape")
    ask(page, QUESTION)
    page.reload()
    assert page.locator(".turn").count() == 1


@pytest.mark.parametrize("script", [FORBIDDEN, FULL], ids=["forbidden", "full"])
def test_without_storage_the_visit_is_remembered(visit, script):
    page = visit(prepare=lambda page: page.add_init_script(script))
    ask(page, QUESTION)
    page.click("#fresh")
    page.click("#show-history")
    assert page.inner_text("#kept") == "浏览器不让保存,关掉页面对话就没有了。"
    page.click("#conversations .name")
    assert page.inner_text(".question") == QUESTION


def test_the_folders_that_are_asked_are_chosen_by_chips(visit, check, embedder, tmp_path):
    for name, number in {"甲厂": 6210, "乙厂": 6220}.items():
        said = f"{name}值班\n\n{name}值班电话是{number},值班长是张三丰。\n"
        write_articles(tmp_path / "c" / name, {"值班.txt": said})
    bot = Bot(load_settings(corpus=tmp_path / "c", index=tmp_path / "i"), embedder)
    bot.refresh()
    with served(create_app(bot)) as url:
        page = visit(url, viewport={"width": 320, "height": 700})
        chips = page.locator("#scope button")
        expect(chips).to_have_text(["乙厂", "甲厂"])
        chips.nth(0).click()
        expect(chips.nth(0)).to_have_attribute("aria-pressed", "true")
        ask(page, "值班电话是多少")
        assert "6220" in answer_of(page)
        page.click(".turn:last-child .why >> nth=0")
        page.wait_for_selector(".reasons dl")
        check(page, "folders")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.reload()
        expect(page.locator(".question small")).to_have_text("乙厂")
        expect(chips.nth(0)).to_have_attribute("aria-pressed", "true")
        chips.nth(0).click()
        chips.nth(1).click()
        ask(page, "值班电话是多少")
        assert "6210" in answer_of(page)


def test_without_folders_there_is_nothing_to_choose(visit):
    page = visit()
    page.wait_for_selector("#examples button")
    expect(page.locator("#scope")).to_be_hidden()


def test_errors_are_said_in_words(visit):
    page = visit()
    ask(page, "??")
    assert "问题是空的" in page.inner_text(".turn:last-child .error")
    page.route("**/api/chat", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    ask(page, QUESTION)
    assert "服务器出错了 (502)" in page.inner_text(".turn:last-child .error")
    page.unroute("**/api/chat")
    cut = sse(("sources", []), ("delta", {"text": "开"}))
    page.route("**/api/chat", lambda route: route.fulfill(content_type="text/event-stream", body=cut))
    ask(page, QUESTION)
    assert "回答没有收完" in page.inner_text(".turn:last-child .error")
    page.unroute("**/api/chat")
    page.click(".turn:last-child .error button")
    finish(page)
    assert answer_of(page) == f"{SENTENCE} [1]"


def test_an_unreachable_server_is_said_and_found_again(visit):
    page = visit()
    page.context.set_offline(True)
    ask(page, QUESTION)
    expect(page.locator("#offline")).to_be_visible()
    assert "没有送到" in page.inner_text(".turn .error")
    page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()
    page.click(".turn .error button")
    finish(page)
    assert answer_of(page) == f"{SENTENCE} [1]"
    page.route("**/api/chat", lambda route: route.abort())
    ask(page, QUESTION)
    page.click("#again")
    expect(page.locator("#offline")).to_be_hidden()


def test_feedback_is_sent_taken_back_and_remembered(visit, bot):
    done = bot.ask(QUESTION).to_dict() | {"id": "a7", "mode": "llm", "standalone": "西安地铁二号线哪年开通?"}
    body, verdicts = sse(("sources", done["evidence"]), ("done", done)), []

    def rated(route):
        verdicts.append(route.request.post_data_json)
        route.fulfill(status=204)

    page = visit()
    ask(page, QUESTION)
    with page.expect_response("**/api/feedback") as real:
        page.click(".thumb.good")
    assert real.value.status == 204  # the server knows the answer that it gave
    unknown = sse(("sources", []), ("done", done | {"id": "", "evidence": []}))
    page.route("**/api/chat", lambda route: route.fulfill(content_type="text/event-stream", body=unknown))
    ask(page, "未登记的?")
    assert page.locator(".turn:last-child .thumb").count() == 0  # an answer without an id cannot be judged
    page.unroute("**/api/chat")
    page.route("**/api/chat", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    page.route("**/api/feedback", rated)
    ask(page, "它呢?")
    notes = page.inner_text(".turn:last-child .notes")
    assert "理解为:西安地铁二号线哪年开通?" in notes
    assert "语言模型" in notes
    last = page.locator(".turn:last-child")
    for button in (".thumb.good", ".thumb.bad", ".thumb.bad", ".thumb.good"):
        with page.expect_response("**/api/feedback"):
            last.locator(button).click()
    assert verdicts == [{"answer": "a7", "verdict": verdict} for verdict in (1, -1, 0, 1)]
    expect(last.locator(".thumb.good")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator(".turn:last-child .thumb.good")).to_have_attribute("aria-pressed", "true")


def test_a_question_carries_the_turns_before_it_within_the_limit_of_a_body(visit):
    page = visit()
    ask(page, "赵州桥由谁设计?")
    with page.expect_request("**/api/chat") as sent:
        ask(page, QUESTION)
    body = sent.value.post_data_json
    assert body["question"] == QUESTION
    assert body["history"] == [{"question": "赵州桥由谁设计?", "answer": body["history"][0]["answer"]}]
    assert "李春" in body["history"][0]["answer"]
    told = "turns => import('/static/api.js').then(api => api.history(turns))"
    short = [{"question": str(i), "answer": {"text": "答"}} for i in range(12)]
    assert [turn["question"] for turn in page.evaluate(told, short)] == [str(i) for i in range(2, 12)]
    long = [{"question": "长" * 2000, "answer": {"text": "😀" * 3000}} for _ in range(10)]
    bounded = page.evaluate(told, long)
    assert bounded
    assert len(json.dumps(bounded, ensure_ascii=False).encode()) + 6 * 2000 < 64 * 1024


def test_a_copy_holds_the_answer_the_sentence_and_its_address(visit, address, bot):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    ask(page, QUESTION)
    page.click(".actions button")
    expect(page.locator(".said")).to_have_text("已复制")
    copied = page.evaluate("navigator.clipboard.readText()")
    whole = f"{SENTENCE} [1]\n\n[1] 西安的轨道交通\n「{SENTENCE}」\n{address}/source/"
    assert copied.startswith(f"2011年9月16日\n\n{whole}")
    done = bot.ask(QUESTION).to_dict() | {"short": SHORT}
    told = page.evaluate("done => import('/static/answer.js').then(answer => answer.citation(done))", done)
    assert told.startswith(f"{SHORT}\n\n{whole}")


def test_the_page_is_light_and_its_texts_are_in_both_languages():
    served_files = [file for file in STATIC.iterdir() if file.name != "widget.js"]
    assert sum(file.stat().st_size for file in served_files) < 120_000
    text = (STATIC / "i18n.js").read_text(encoding="utf-8")
    chinese, english = text.split("\n  en: {")
    keys = re.compile(r"(?:[,{]|^) *(\w+): \"", re.MULTILINE)
    assert sorted(keys.findall(chinese.split("zh: {")[1])) == sorted(keys.findall(english.split("};")[0]))
    for file in STATIC.glob("*.js"):
        assert len(file.read_text(encoding="utf-8").splitlines()) < 250, file.name


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_of_the_manual_fits_a_small_phone(visit, address, language):
    page = visit(viewport={"width": 320, "height": 640}, locale="en-US", has_touch=True)
    for name in ("", *PAGES):
        page.goto(f"{address}/guide/{language}/{name}")
        expect(page.locator("#theme")).to_be_visible()  # the page's script ran
        assert page.evaluate("document.documentElement.scrollWidth") == 320, name
        expect(page.locator("#contents a >> nth=0")).to_be_hidden()
        expect(page.locator("h1")).to_be_in_viewport()
    page.goto(f"{address}/guide/{language}/settings")
    page.locator(".wide >> nth=0").press("ArrowRight")
    settle(page, "document.querySelector('.wide').scrollLeft > 0", True)


def test_the_manual_is_found_and_read_by_keyboard(visit, address):
    page = visit(locale="en-US")
    assert page.get_attribute("#manual", "href") == "/guide/en/"
    page.click("#language")
    page.focus("#manual")
    page.keyboard.press("Enter")
    page.wait_for_url("**/guide/zh/")
    page.click("#contents >> text=设置")
    page.wait_for_url("**/guide/zh/settings")
    assert page.inner_text("h1") == "设置"
    expect(page.locator("[aria-current]")).to_be_in_viewport()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # past the contents
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "PRE"
    page.focus("header nav a[hreflang]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/guide/en/settings")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.click(".home")
    expect(page.locator("#send")).to_have_text("提问")  # reading in English chose no language


def test_the_manual_wears_the_theme_of_the_page(visit, address):
    page = visit(color_scheme="light")
    page.click("#theme")
    page.click("#theme")
    page.goto(f"{address}/guide/en/settings")
    settle(page, "getComputedStyle(document.body).backgroundColor", "rgb(20, 25, 27)")
    assert page.get_attribute("#theme", "aria-label") == "Theme: dark"
    page.click("#theme")
    settle(page, "getComputedStyle(document.body).backgroundColor", "rgb(247, 244, 236)")


def test_axe_finds_nothing_serious_in_the_manual(visit, check, address):
    for scheme in ("light", "dark"):
        for width in (1280, 320):
            page = visit(color_scheme=scheme, viewport={"width": width, "height": 800})
            for path in ("zh/", "zh/settings", "en/slack", "en/openai", "zh/deploying", "en/nothing"):
                page.goto(f"{address}/guide/{path}")
                expect(page.locator("#theme")).to_be_visible()
                if width == 320:
                    page.click("#contents summary")
                check(page, f"{path} {scheme} {width}")


@contextmanager
def somebodys_page(script):
    """Another origin's page, which holds the widget of the address that `script` gives."""
    app = FastAPI()

    @app.get("/")
    def page() -> HTMLResponse:
        tag = f'<script async src="{script()}/widget.js" data-title="问小店" data-lang="zh" data-theme="dark"></script>'
        return HTMLResponse(f"<!doctype html><html lang=en><title>Shop</title><h1>Shop</h1>{tag}")

    with served(app) as url:
        yield url


def test_the_widget_answers_on_the_pages_that_may_hold_it_and_on_no_other(browser, bot):
    home = ""
    with somebodys_page(lambda: home) as around, somebodys_page(lambda: home) as stranger:
        settings = bot.settings.model_copy(update={"widget_origins": f"https://other.test, {around.upper()}"})
        with served(create_app(Configured(bot, settings))) as home:
            context = browser.new_context(viewport=PHONE, locale="en-US")
            page = context.new_page()
            page.goto(around)
            page.wait_for_selector("wenqu-widget", state="attached")
            with page.expect_event("frameattached") as attached:
                page.mouse.click(330, 800)
            frame = attached.value
            frame.wait_for_selector("#leave:not([hidden])")
            assert frame.inner_text("#name") == "问小店"
            assert frame.inner_text("#send") == "提问"
            assert frame.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 25, 27)"
            frame.fill("#question", QUESTION)
            frame.press("#question", "Enter")
            frame.wait_for_selector(".turn[aria-busy=false] .source mark")  # while it is busy, Escape stops the answer
            assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
            box = page.locator("wenqu-widget").bounding_box()
            page.evaluate("postMessage({wenqu: 'close'}, '*')")  # not from the frame: not heard
            assert page.locator("wenqu-widget").bounding_box() == box
            frame.press("#question", "Escape")
            expect(frame.locator("#question")).to_be_hidden()
            page.mouse.click(330, 800)
            expect(frame.locator("#question")).to_be_focused()

            page.goto(stranger)
            page.wait_for_selector("wenqu-widget", state="attached")
            with page.expect_event("frameattached") as attached:
                page.mouse.click(330, 800)
            attached.value.wait_for_load_state()
            assert not attached.value.url.startswith(f"{home}/widget")  # the browser's own error page
            assert attached.value.locator("#question").count() == 0
            context.close()
