"""The page of the documents in a real Chromium, against a real server over a folder of the test's own."""

from __future__ import annotations

import re
import threading

import httpx
import pytest
from conftest import ARTICLES, CHROMIUM, served
from documents import drawn_pdf
from playwright.sync_api import expect

from bot.library import let_it_be_empty
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.web.app import create_app

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]

FERRY = "白溪渡口\n\n白溪渡口由陈阿水摆渡,每日六时开航,大风天停航。\n"
HOSTILE = (
    "<html><body><article><h1>页</h1><p>正文在此。<img src=x onerror=alert(1)></p>"
    "<script>alert(2)</script></article></body></html>"
)


@pytest.fixture
def bot(own_bot):
    return own_bot


@pytest.fixture
def address(bot):
    with served(create_app(bot)) as url:
        yield f"{url}/library"


def text_file(name: str, text: str = FERRY) -> dict:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def rows(page) -> list[str]:
    return page.locator("#rows tr").evaluate_all("rows => rows.map(row => row.dataset.id)")


def row(page, identity: str):
    return page.locator(f"#rows tr[data-id='{identity}']")


def test_the_documents_are_listed_searched_and_sorted(visit):
    page = visit()
    expect(page.locator("#rows tr")).to_have_count(3)
    assert rows(page) == sorted(ARTICLES)
    assert row(page, "bridge.md").locator(".open").inner_text() == "赵州桥"
    assert row(page, "bridge.md").locator(".state").inner_text() == "已编入"
    page.fill("#find", "轨道")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.fill("#find", "没有这个")
    expect(page.locator("#none")).to_have_text("没有符合条件的资料。")
    page.fill("#find", "")
    expect(page.locator("#rows tr")).to_have_count(3)
    page.click("th[data-sort=bytes] button")
    expect(page.locator("th[data-sort=bytes]")).to_have_attribute("aria-sort", "descending")
    expect(page.locator("#rows tr").first).to_have_attribute("data-id", "tea.txt")
    page.click("#language")
    expect(row(page, "tea.txt").locator(".state")).to_have_text("indexed")
    assert page.inner_text("h1") == "Documents 3 documents in all"


def test_the_documents_of_some_time_are_listed(visit, own_bot, settings):
    for day in ("2022-03-01", "2023-07-28"):
        (settings.corpus / f"纪要 {day}.txt").write_text(f"纪要\n\n{day}的会。\n", encoding="utf-8")
    own_bot.refresh()
    page = visit()
    expect(page.locator("#rows tr")).to_have_count(5)
    page.fill("#until", "2023-01-01")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert rows(page) == ["纪要 2022-03-01.txt"]
    page.fill("#until", "2024-01-01")
    page.fill("#since", "2023-01-01")
    expect(row(page, "纪要 2023-07-28.txt").locator(".column_date")).to_contain_text("2023-07-28")
    assert rows(page) == ["纪要 2023-07-28.txt"]


def test_files_are_put_in_indexed_and_answered(visit, bot, settings):
    page = visit()
    page.fill("#into", "渡口")
    page.set_input_files("#files", [text_file("ferry.txt"), text_file("x.exe")])
    expect(page.locator("#uploads [data-over=stored]")).to_have_count(1)
    refused = page.locator("#uploads [data-over=refused]")
    expect(refused).to_contain_text("E-FORMAT 不支持的格式")
    expect(row(page, "渡口/ferry.txt").locator(".state")).to_have_text("已编入")
    assert (settings.corpus / "渡口" / "ferry.txt").read_text(encoding="utf-8") == FERRY
    assert "陈阿水" in bot.ask("白溪渡口由谁摆渡?").text
    page.select_option("#collection", "=渡口")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.click("#clear")
    expect(page.locator("#uploading")).to_be_hidden()


def test_a_folder_is_put_in_with_its_folders(visit, settings, tmp_path):
    folder = tmp_path / "站点"
    for number in range(300):
        place = folder / f"第{number % 3}线"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(f"第{number}站\n\n第{number}站有{number}个出口。\n", encoding="utf-8")
    (folder / ".DS_Store").write_bytes(b"x")
    page = visit()
    page.set_input_files("#folder", folder)
    expect(page.locator("#sum")).to_have_text("共 303 份资料", timeout=60_000)
    assert (settings.corpus / "站点" / "第1线" / "100.txt").is_file()
    assert page.locator("#uploads [data-over=refused]").count() == 0
    expect(page.locator("#rows tr")).to_have_count(100)
    page.click("#more")
    expect(page.locator("#rows tr")).to_have_count(200)


def test_files_are_dropped_anywhere_on_the_page(visit):
    page = visit()
    page.evaluate(
        """text => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], "ferry.txt"));
            const options = {dataTransfer, bubbles: true, cancelable: true};
            for (const kind of ["dragenter", "dragover", "drop"])
                document.querySelector("h1").dispatchEvent(new DragEvent(kind, options));
        }""",
        FERRY,
    )
    expect(row(page, "ferry.txt").locator(".state")).to_have_text("已编入")


def test_a_document_is_deleted_and_comes_back(visit, settings):
    page = visit()
    row(page, "tea.txt").locator(".remove").click()
    expect(page.locator("#note")).to_contain_text("已删除：龙井茶的故事")
    expect(row(page, "tea.txt")).to_have_count(0)
    assert not (settings.corpus / "tea.txt").exists()
    page.click("#note button >> nth=0")
    expect(row(page, "tea.txt").locator(".state")).to_have_text("已编入")
    assert (settings.corpus / "tea.txt").read_text(encoding="utf-8") == ARTICLES["tea.txt"]


def test_what_was_skipped_says_how_to_cure_it(visit, bot, settings):
    (settings.corpus / "坏.docx").write_bytes(b"no zip")
    (settings.corpus / "旧.caj").write_bytes(b"HN")
    bot.refresh()
    page = visit()
    page.select_option("#state", "=skipped")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(row(page, "旧.caj")).to_contain_text("E-FORMAT 不支持的格式")
    expect(row(page, "旧.caj")).to_contain_text("→ 打印为 .pdf")
    row(page, "坏.docx").locator(".open").click()
    expect(page.locator("#as-read .error")).to_contain_text("E-")
    page.keyboard.press("Escape")
    expect(page.locator("#document")).to_be_hidden()


def test_a_document_is_seen_as_it_was_read_beside_its_original(visit, bot, settings):
    pages = ("白溪渡口由陈阿水摆渡,每日六时开航。", "大风天停航,渡船系在北岸。")
    draws = (lambda canvas, said=said: canvas.drawString(80, 600, said) for said in pages)
    (settings.corpus / "两页.pdf").write_bytes(drawn_pdf(*draws))
    bot.refresh()
    page = visit(viewport={"width": 1280, "height": 800})
    row(page, "两页.pdf").locator(".open").click()
    expect(page.locator("#as-read")).to_contain_text("大风天停航")
    assert page.get_attribute("#beside iframe", "src").startswith("/api/documents/%E4%B8%A4%E9%A1%B5.pdf/file#page=1")
    page.click("#as-read .page >> nth=1 >> button")
    assert page.get_attribute("#beside iframe", "src").endswith("/file#page=2&navpanes=0")
    page.click("#tab-passages")
    expect(page.locator("#passages .passage").first).to_contain_text("陈阿水")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-left-out")).to_be_focused()
    page.click("#document .close")
    row(page, "city.html").locator(".open").click()
    page.click("#tab-left-out")
    expect(page.locator("#left-out")).to_contain_text("首页 > 新闻")
    expect(page.locator("#beside")).to_be_hidden()


def test_a_document_with_script_only_shows_its_text(visit, bot, settings):
    (settings.corpus / "页.html").write_text(HOSTILE, encoding="utf-8")
    (settings.corpus / "名<img src=x onerror=alert(3)>.txt").write_text(FERRY, encoding="utf-8")
    bot.refresh()
    page = visit()
    row(page, "页.html").locator(".open").click()
    expect(page.locator("#as-read")).to_contain_text("正文在此。")
    assert page.locator("#as-read img, #as-read script, #rows img").count() == 0


def test_the_search_is_tried(visit):
    page = visit()
    page.fill("#probe", "龙井茶产于哪里?")
    page.press("#probe", "Enter")
    expect(page.locator(".verdict")).to_contain_text("能回答")
    expect(page.locator("#hits .source").first).to_contain_text("西湖")
    page.click("#hits .why >> nth=0")
    expect(page.locator("#hits dl").first).to_contain_text("龙井茶")
    page.click("#hits .open >> nth=0")
    expect(page.locator("#article")).to_contain_text("一千二百余年")
    page.keyboard.press("Escape")
    page.fill("#probe", "红烧肉怎么做")
    page.press("#probe", "Enter")
    expect(page.locator(".verdict")).to_contain_text("不会回答")


def test_a_connection_that_breaks_can_be_tried_again(visit, settings):
    page = visit()
    page.route("**/api/documents", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.set_input_files("#files", [text_file("ferry.txt")])
    expect(page.locator("#uploads [data-over=refused]")).to_contain_text("没有送到。")
    assert not (settings.corpus / "ferry.txt").exists()
    page.unroute("**/api/documents")
    page.click("#uploads button")
    expect(page.locator("#uploads [data-over=stored]")).to_have_count(1)
    expect(row(page, "ferry.txt").locator(".state")).to_have_text("已编入")


def test_two_thousand_documents_are_a_table(visit, bot, settings):
    for number in range(2000):
        (settings.corpus / f"{number:04d}.txt").write_text(
            f"第{number}号\n\n第{number}号站有{number}个出口。\n", encoding="utf-8"
        )
    bot.refresh()
    page = visit()
    expect(page.locator("#sum")).to_have_text("共 2003 份资料")
    expect(page.locator("#more")).to_have_text("再看 1903 份")
    page.fill("#find", "1234")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert rows(page) == ["1234.txt"]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(visit, check, bot, settings, width, scheme):
    (settings.corpus / "坏.docx").write_bytes(b"no zip")
    (settings.corpus / ("很长的文件名" * 12 + "w" * 20 + ".txt")).write_text(FERRY, encoding="utf-8")
    bot.refresh()
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    expect(page.locator("#rows tr")).to_have_count(5)
    page.set_input_files("#files", [text_file("x.exe")])
    expect(page.locator("#uploads [data-over=refused]")).to_have_count(1)
    page.fill("#probe", "龙井茶产于哪里?")
    page.press("#probe", "Enter")
    expect(page.locator(".verdict")).to_be_visible()
    check(page, "library")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row(page, "bridge.md").locator(".open").click()
    expect(page.locator("#as-read")).to_contain_text("赵州桥")
    check(page, "document")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_keyboard_is_enough(visit):
    page = visit()
    expect(page.locator("#rows tr")).to_have_count(3)
    page.focus("#find")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tr')?.dataset.id") == "bridge.md":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#document")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('tr')?.dataset.id") == "bridge.md"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_contain_text("赵州桥")
    assert page.evaluate("document.activeElement.closest('tr') !== null")


def test_the_question_page_leads_here(visit, address):
    page = visit(address.removesuffix("/library"))
    page.click("footer a[href='/library']")
    expect(page.locator("#rows tr")).to_have_count(3)
    assert re.fullmatch("资料 · 问渠 Wenqu", page.title())


def test_a_run_of_somebody_else_is_seen(visit, bot, settings):
    page = visit()
    expect(page.locator("#rows tr")).to_have_count(3)
    (settings.corpus / "ferry.txt").write_text(FERRY, encoding="utf-8")
    page.click("th[data-sort=title] button")
    expect(row(page, "ferry.txt").locator(".state")).to_have_text("等待编入")
    threading.Thread(target=bot.refresh).start()
    expect(row(page, "ferry.txt").locator(".state")).to_have_text("已编入")


def test_a_question_without_an_answer_gets_one(visit, bot, settings, address):
    for question in ("停车收费吗", "红烧肉怎么做"):
        httpx.post(address.replace("/library", "/api/ask"), json={"question": question}, timeout=30)
    page = visit(f"{address}#questions")
    expect(page.locator("#unanswered .asked")).to_have_text(["红烧肉怎么做", "停车收费吗"])
    page.locator("#unanswered li", has_text="停车").get_by_text("写答案").click()
    expect(page.locator("#caught li")).to_have_text(["停车收费吗"])
    page.fill("#ways", "停车收费吗\n停车要钱吗")
    page.fill("#words", "每小时五元。")
    page.fill("#from", "前台")
    page.click("#answer-form button")
    expect(page.locator("#answers .asked")).to_have_text(["停车收费吗"])
    expect(page.locator("#run")).to_have_text("索引已更新")
    assert bot.ask("请问停车要钱吗?").text == "每小时五元。"
    page.locator("#answers").get_by_text("修改").click()
    page.fill("#words", "免费。")
    page.click("#answer-form button")
    expect(page.locator("#answers .passage")).to_have_text("免费。")
    page.locator("#answers .remove").click()
    expect(page.locator("#answers .asked")).to_have_count(0)
    page.click("#note button >> nth=0")
    expect(page.locator("#answers .passage")).to_have_text("免费。")
    page.locator("#answer-new").click()
    page.fill("#ways", "停车收费吗?")
    page.fill("#words", "另一个答案。")
    page.fill("#from", "别人")
    page.click("#answer-form button")
    expect(page.locator("#answer-problem")).to_contain_text("已有这个问题")


def test_which_document_should_know_is_one_click_away(visit, address, check):
    httpx.post(address.replace("/library", "/api/ask"), json={"question": "赵州桥的门票多少钱"}, timeout=30)
    page = visit(address, viewport={"width": 320, "height": 800})
    page.click("#tab-questions")
    expect(page.locator("#unanswered .asked")).to_have_text(["赵州桥的门票多少钱"])
    page.locator("#answer-new").click()
    check(page, "questions")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_text("哪份资料该写").click()
    expect(page.locator("#hits .source").first).to_contain_text("赵州桥")
    expect(page.locator("#view-questions")).to_be_hidden()


def test_who_may_only_look_is_offered_no_change(visit, own_bot):
    shown = load_settings(
        corpus=own_bot.settings.corpus, index=own_bot.settings.index, public_url="https://example.org"
    )
    with served(create_app(Bot(shown, own_bot.embedder))) as url:
        page = visit(f"{url}/library")
        expect(page.locator("#rows tr")).to_have_count(3)
        expect(page.locator("#may-not")).to_be_visible()
        for part in ("#drop", "#now", "#tab-questions", "#rows .remove >> nth=0"):
            expect(page.locator(part)).to_be_hidden()
        page.close()


def test_without_documents_the_page_says_where_to_put_them(visit, tmp_path, embedder):
    corpus = tmp_path / "empty"
    corpus.mkdir()
    settings = load_settings(corpus=corpus, index=tmp_path / "i")
    assert let_it_be_empty(settings)
    bot = Bot(settings, embedder)
    bot.refresh()
    with served(create_app(bot)) as url:
        page = visit(url)
        expect(page.locator("#nothing")).to_be_visible()
        page.click("#nothing a")
        expect(page.locator("#none")).to_have_text("还没有资料。放进来的文件会自动编入索引。")
        page.set_input_files("#files", [text_file("ferry.txt")])
        expect(row(page, "ferry.txt").locator(".state")).to_have_text("已编入")
        page.click("header a[href='/'] >> nth=0")
        expect(page.locator("#nothing")).to_be_hidden()
        page.close()
