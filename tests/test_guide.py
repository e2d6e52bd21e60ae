"""The manual at /guide: its pages, its links, and what a page of Markdown may become."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

import pytest
from conftest import ROOT
from fastapi.testclient import TestClient

from bot.web.app import create_app
from bot.web.guard import policy
from bot.web.guide import FILES, GUIDE, PAGES, page_html, served_at
from bot.web.markdown import rendered, slug

LANGUAGES = ("zh", "en")
EVERY = [f"/guide/{language}/{name}" for language in LANGUAGES for name in ("", *PAGES)]


@pytest.fixture(scope="module")
def client(bot):
    with TestClient(create_app(bot)) as client:
        yield client


def hrefs(page: str) -> list[str]:
    return [unescape(address) for address in re.findall(r'(?:href|src)="([^"]*)"', page)]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9", "en"),
        ("fr-FR, en;q=0.7, zh;q=0.3", "en"),
        ("en;q=0.3, zh-TW;q=0.8", "zh"),
        ("fr, de;q=0.5", "zh"),
        ("en;q=high, *", "zh"),
    ],
)
def test_the_manual_opens_in_the_language_of_the_browser(client, accepted, language):
    answer = client.get("/guide", headers={"Accept-Language": accepted}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, f"/guide/{language}/")
    assert answer.headers["vary"] == "Accept-Language"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_contents_list_every_page_there_is(client, language):
    assert {path.stem for path in (GUIDE / language).glob("*.md")} == set(PAGES)
    overview = client.get(f"/guide/{language}/").text
    listed = [address for address in hrefs(overview) if address.startswith(f"/guide/{language}/")]
    assert listed == [f"/guide/{language}/{name}" for name in PAGES] * 2  # beside the text, and in it


def test_a_page_says_where_one_is_and_leads_on(client):
    page = client.get("/guide/zh/mcp").text
    assert re.findall(r'<a href="([^"]+)" aria-current="page">', page) == ["/guide/zh/mcp"]
    before, after = PAGES[PAGES.index("mcp") - 1], PAGES[PAGES.index("mcp") + 1]
    assert re.findall(r'<a href="/guide/zh/([^"]+)" class="(\w+)"', page) == [(before, "prev"), (after, "next")]
    assert '<a href="/guide/en/mcp" lang="en" hreflang="en">English</a>' in page
    assert '<html lang="zh-CN">' in page
    english = client.get("/guide/en/mcp").text
    assert '<a href="/guide/zh/mcp" lang="zh-CN" hreflang="zh-CN">中文</a>' in english
    assert '<html lang="en">' in english


def test_every_link_of_the_manual_leads_somewhere(client):
    pages = {path: client.get(path).text for path in EVERY}
    for path, page in pages.items():
        for address in hrefs(page):
            if re.match(r"https?:|mailto:", address):
                continue
            target, _, part = address.partition("#")
            text = pages.get(target or path) or client.get(target).text
            assert target in pages or not target or client.get(target).status_code == 200, (path, address)
            assert not part or f'id="{unquote(part)}"' in text, (path, address)


def test_no_page_holds_a_script_or_a_style_of_its_own(client):
    for path in EVERY:
        answer = client.get(path)
        assert answer.headers["content-security-policy"] == policy()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert re.findall(r"<script[^>]*>[^<]*", answer.text) == ['<script type="module" src="/static/guide.js">']
        assert not re.search(r"<style|<[^>]+\s(?:style|on\w+)=", answer.text), path


@pytest.mark.parametrize("path", ["/guide/zh/nothing", "/guide/fr/", "/guide/fr/mcp", "/guide/files/settings.py"])
def test_an_unknown_page_is_said_in_the_style_of_the_others(client, path):
    for accepted, said in (("zh", "没有这一页"), ("en", "No such page")):
        answer = client.get(path, headers={"Accept-Language": accepted})
        assert answer.status_code == 404
        assert f"<h1>{'没有这一页' if path.startswith('/guide/zh') else said}</h1>" in answer.text
        assert "/guide/zh/mcp" in answer.text or "/guide/en/mcp" in answer.text


@pytest.mark.parametrize(
    "path", ["/guide/zh/..%2f..%2fsettings", "/guide/images/..%2f..%2fsettings.py", "/guide/..%2fx/"]
)
def test_nothing_beside_the_manual_is_served(client, path):
    assert client.get(path).status_code == 404


def test_the_files_that_pages_name_can_be_downloaded(client):
    answer = client.get("/guide/files/slack-manifest.yaml")
    assert answer.headers["content-disposition"] == 'attachment; filename="slack-manifest.yaml"'
    assert answer.text == FILES["slack-manifest.yaml"].read_text(encoding="utf-8")


def test_a_page_is_rendered_once():
    assert page_html("zh", "mcp") is page_html("zh", "mcp")


@pytest.mark.parametrize(
    ("address", "served"),
    [
        ("wecom.md", "/guide/zh/wecom"),
        ("wecom.md#设置", "/guide/zh/wecom#设置"),
        ("../en/wecom.md", "/guide/en/wecom"),
        ("../images/page.png", "/guide/images/page.png"),
        ("../../channels/slack-manifest.yaml", "/guide/files/slack-manifest.yaml"),
        ("#设置", "#设置"),
        ("https://wenqu.example", "https://wenqu.example"),
        ("../../../scripts/EXPERIMENTS.md", None),
        ("../../settings.py", None),
    ],
)
def test_links_lead_to_where_things_are_served(address, served):
    assert served_at(address, "zh") == served


def markdown(source: str) -> str:
    return rendered(source, lambda address: served_at(address, "zh")).html


def test_html_in_a_page_is_text():
    made = markdown("<script>1</script>\n\n[a](javascript:alert(1)) <img src=x onerror=1>\n\n    <script>2</script>\n")
    assert "<script" not in made
    assert "<img" not in made
    assert "<a" not in made
    assert made.count("&lt;script&gt;") == 2


def test_a_link_to_a_file_that_is_not_served_is_text():
    assert (
        markdown("[`a`](../../settings.py) [b](mcp.md)")
        == '<p><span><code>a</code></span> <a href="/guide/zh/mcp">b</a></p>\n'
    )


def test_tables_scroll_in_their_box_and_have_no_style_of_their_own():
    made = markdown("| a | b |\n|---|--:|\n| 1 | 2 |\n")
    assert made.startswith('<div class="wide" tabindex="0"><table>')
    assert '<td class="right">2</td>' in made
    assert "style" not in made


def test_headings_have_anchors_that_stay():
    text = rendered(
        "# 题 目\n\n首段`一`。\n\n## 回答, 设置 `wenqu ask`\n\n## 回答, 设置 `wenqu ask`\n", lambda address: address
    )
    assert [(one.level, one.anchor) for one in text.headings] == [
        (1, "题-目"),
        (2, "回答-设置-wenqu-ask"),
        (2, "回答-设置-wenqu-ask-1"),
    ]
    assert '<h2 id="回答-设置-wenqu-ask-1">' in text.html
    assert text.lead == "首段一。"
    assert slug("What's new? (v0.2_a)") == "whats-new-v02_a"


def test_a_line_end_between_chinese_characters_is_no_space():
    assert (
        markdown("第一行，\n第二行 **粗**\n字 abc\ndef\n") == "<p>第一行，第二行 <strong>粗</strong>字 abc\ndef</p>\n"
    )


def test_no_heading_takes_a_style_of_the_page():
    """A heading's anchor may be called as a part of the page is: a section on asking was laid out as its form."""
    css = (ROOT / "bot" / "web" / "static" / "style.css").read_text(encoding="utf-8")
    selectors = re.findall(r"[^{};/]+(?=\{)", css)
    assert len(selectors) > 50
    assert [one for one in selectors if re.search(r"(?<![\w\]])#[a-z]", one)] == []
