"""bot.web.app and bot.web.api through a real client: JSON, events, sources, health, errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import ShortBot
from fastapi.testclient import TestClient

from bot import __version__
from bot.web.app import create_app

STATIC = Path(__file__).parents[1] / "bot" / "web" / "static"


@pytest.fixture(scope="module")
def client(bot):
    with TestClient(create_app(bot), raise_server_exceptions=False) as client:
        yield client


def events(body: str) -> list[tuple[str, object]]:
    found = []
    for block in filter(str.strip, re.split(r"\r?\n\r?\n", body)):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_ask_gives_the_same_answer_as_the_bot(client, bot):
    response = client.post("/api/ask", json={"question": "赵州桥由谁设计?"})
    assert response.status_code == 200
    got, wanted = response.json(), bot.ask("赵州桥由谁设计?").to_dict()
    assert got["id"]
    assert {**got, "timings": 0, "id": ""} == {**wanted, "timings": 0}
    assert "李春" in response.content.decode("utf-8")  # Chinese goes out as it is, not escaped


def test_chat_sends_the_sources_before_the_text(client):
    with client.stream("POST", "/api/chat", json={"question": "西安地铁二号线何时开通?"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        found = events(response.read().decode())
    assert found[0][0] == "sources"
    assert found[-1][0] == "done"
    text = "".join(data["text"] for name, data in found if name == "delta")
    assert text == found[-1][1]["text"]
    assert found[0][1] == found[-1][1]["evidence"]
    assert found[0][1][0]["passage"]["article"] == "city.html"


def test_a_short_answer_comes_with_the_sources(bot):
    with TestClient(create_app(ShortBot(bot, "2011年9月16日"))) as client:
        found = events(client.post("/api/chat", json={"question": "西安地铁二号线何时开通?"}).text)
        assert [name for name, _ in found[:3]] == ["sources", "short", "delta"]
        assert found[1][1] == {"text": "2011年9月16日"}
        assert found[-1][1]["short"] == "2011年9月16日"
        refused = events(client.post("/api/chat", json={"question": "红烧肉怎么做"}).text)
        assert "short" not in [name for name, _ in refused]
        assert client.post("/api/ask", json={"question": "西安地铁二号线何时开通?"}).json()["short"] == "2011年9月16日"


def test_a_bad_question_to_chat_is_an_error_before_any_event(client):
    response = client.post("/api/chat", json={"question": "？"})
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid_question"


def test_search_gives_the_hits_and_explains_them_when_asked(client, bot):
    plain = client.post("/api/search", json={"question": "赵州桥由谁设计?", "k": 2}).json()
    assert set(plain) == {"query", "hits"}
    assert [hit["passage"]["id"] for hit in plain["hits"]] == [h.passage.id for h in bot.search("赵州桥由谁设计?", 2)]
    assert "matches" not in plain["hits"][0]
    explained = client.post("/api/search", json={"question": "赵州桥由谁设计?", "k": 2, "explain": True}).json()
    assert explained == bot.explain("赵州桥由谁设计?", 2).to_dict()
    assert "设计" in [match["source"] for match in explained["hits"][0]["matches"]]
    parameters = {"question": "赵州桥由谁设计?", "k": 2, "explain": "true"}
    assert client.get("/api/search", params=parameters).json() == explained
    assert client.get("/api/search", params={"question": "赵州桥由谁设计?", "k": 2}).json() == plain


def test_a_search_without_question_or_of_too_many_passages_is_an_error(client):
    for response in (
        client.get("/api/search"),
        client.get("/api/search", params={"question": "？"}),
        client.get("/api/search", params={"question": "赵州桥", "k": 101}),
        client.post("/api/search", json={"question": "赵州桥", "k": 0}),
        client.post("/api/search", json={"question": "赵州桥", "explain": "perhaps"}),
    ):
        assert response.status_code == 422
        assert set(response.json()["error"]) == {"code", "message"}


def test_source_opens_the_article_at_the_place(client):
    evidence = client.post("/api/ask", json={"question": "赵州桥由谁设计?"}).json()["evidence"][0]
    found = client.get(f"/api/source/{evidence['passage']['id']}").json()
    start, end = found["passage"]["start"], found["passage"]["end"]
    assert found["article"]["text"][start:end] == evidence["passage"]["text"]
    missing = client.get("/api/source/none")
    assert missing.status_code == 404
    assert set(missing.json()) == {"error"}


def test_health_docs_and_page_need_nothing_from_elsewhere(client):
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").json()["generation"] == "gen-000001"
    assert client.get("/openapi.json").json()["info"]["version"] == __version__
    docs = client.get("/docs")
    assert docs.status_code == 200
    assert not re.search(r"(?:src|href)=[\"']https?:", docs.text)
    for asset in re.findall(r"(?:src|href)=[\"'](/docs-assets/[^\"']+)", docs.text):
        assert client.get(asset).status_code == 200
    page = client.get("/")
    assert page.status_code == 200
    for asset in re.findall(r"(?:src|href)=\"(/[^\"]+)\"", page.text):
        assert client.get(asset).status_code == 200, asset
    for path in ("/", "/api/source/none", "/static/app.js"):
        headers = client.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_puts_text_in_as_text_only():
    scripts = list(STATIC.glob("*.js"))
    assert scripts
    for file in [*scripts, STATIC / "index.html"]:
        text = file.read_text(encoding="utf-8")
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "https://",
            "//cdn",
        ):
            assert forbidden not in text.replace("http://www.w3.org", ""), (file.name, forbidden)


BAD_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"question": 1}',
    b'{"question": null}',
    b'{"question": NaN}',
    b'{"question": 1e400}',
    b'{"question": "\\ud800"}',
    b'{"question": ["\\ud800"]}',
    b'{"\\ud800": 1}',
    b'{"question": "' + b"x" * 30_000 + b'"}',
    '{"question": "合肥"}'.encode("gbk"),
    b"[" * 30_000,
    b'{"question": ' + b"1" * 5_000 + b"}",
]


@pytest.mark.parametrize("path", ["/api/ask", "/api/chat", "/api/search"])
@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream"])
def test_any_body_gets_one_short_error_of_one_shape(client, path, body, kind):
    response = client.post(path, content=body, headers={"content-type": kind})
    assert 400 <= response.status_code < 500, response.text
    assert set(response.json()["error"]) == {"code", "message"}
    assert len(response.content) < 1024
    assert b"xxxx" not in response.content


def test_a_question_at_the_limit_and_one_over(client):
    assert client.post("/api/ask", json={"question": "西安" * 1000}).status_code == 200
    over = client.post("/api/ask", json={"question": "西安" * 1001})
    assert over.status_code == 422
    assert "2000" in over.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/api/ask", "/v1/chat/completions", "/static/app.js", "/nowhere"])
def test_a_body_over_a_mebibyte_is_refused_in_the_same_shape(client, path):
    sent = b'{"question": "' + b"x" * 1_050_000 + b'"}'
    assert client.post(path, content=sent).json()["error"]["code"] == "too_large"
    if "static" not in path and path != "/nowhere":
        in_pieces = client.post(path, content=iter([sent[:600_000], sent[600_000:]]))
        assert (in_pieces.status_code, set(in_pieces.json())) == (413, {"error"})


def test_unknown_paths_and_methods_have_the_same_error_shape(client):
    assert client.get("/nowhere").json()["error"]["code"] == "http_error"
    assert client.get("/api/ask").status_code == 405
    assert client.get("/static/../app.py").status_code == 404


def test_scripts_in_a_question_come_back_as_data(client):
    response = client.post("/api/ask", json={"question": "<script>alert(1)</script> 赵州桥"})
    assert response.headers["content-type"].startswith("application/json")
    assert response.json()["query"] == "<script>alert(1)</script> 赵州桥"
