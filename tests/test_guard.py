"""bot.web.guard: every route asks for the key, other names are refused, pages of other sites cannot write."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest
from conftest import ROOT, Configured
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.routing import Mount, Route

from bot.errors import SettingsError
from bot.settings import Settings, load_settings
from bot.web.app import create_app
from bot.web.guard import ALIVE
from bot.web.server import check_address

KEY = "钥匙-5c1f"
QUESTION = {"question": "赵州桥由谁设计?"}
CHANNELS = {
    "slack_bot_token": SecretStr("xoxb-1"),
    "slack_signing_secret": SecretStr("0" * 32),
    "wechat_token": SecretStr("token"),
    "wecom_token": SecretStr("token"),
    "wecom_aes_key": SecretStr("a" * 43),
    "wecom_corp_id": "ww0123456789abcdef",
    "wecom_agent_id": 1,
    "wecom_secret": SecretStr("s"),
    "widget_origins": "https://shop.example",
    "mcp": True,
}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def paths(routes: list, prefix: str = "") -> list[tuple[str, str]]:
    """(method, path) of everything that an application serves, mounted ones and hidden ones too."""
    found = []
    for route in routes:
        path = prefix + getattr(route, "path", "")
        if isinstance(route, Mount):
            inner = paths(getattr(route, "routes", None) or [], path)
            found += inner or [("GET", f"{path}/x")]
        elif isinstance(route, Route) or hasattr(route, "methods"):
            found += [(method, path) for method in sorted(route.methods or {"GET"})]
        else:  # an included router
            found += paths(route.original_router.routes, prefix)
    return [(method, path.replace("{passage}", "x").replace("{name:path}", "wenqu")) for method, path in found]


@pytest.fixture(scope="module")
def everything(bot) -> FastAPI:
    """The application with a key and every surface on."""
    return create_app(Configured(bot, api_key=SecretStr(KEY), **CHANNELS))


@pytest.fixture(scope="module")
def keyed(everything):
    with TestClient(everything) as client:
        yield client


def test_every_route_asks_for_the_key(everything, keyed):
    routes = paths(everything.routes)
    known = {path for _, path in routes}
    assert {"/", "/api/ask", "/v1/chat/completions", "/docs", "/openapi.json", "/metrics", "/mcp", "/widget"} <= known
    assert {"/static/x", "/docs-assets/x", "/readyz", "/source/x", "/slack/events", "/wechat", "/wecom"} <= known
    wrong = [
        None, "", "Bearer", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", KEY, f"Digest {KEY}", basic(KEY, ""), "Basic %%",
        f"Bearer {KEY}, Bearer x", f"Bearer  {KEY.upper()}",
    ]  # fmt: skip
    for method, path in routes:
        for header in wrong:
            sent = {} if header is None else {"Authorization": header.encode()}
            response = keyed.request(method, path, headers=sent, content=b"{}")
            if path == ALIVE:
                assert response.status_code in (200, 405)
            elif path.rstrip("/") in ("/slack/events", "/wechat", "/wecom"):
                assert response.status_code in (400, 401, 403), path  # their own signature is missing
            else:
                assert response.status_code == 401, (method, path, header)


def test_with_the_key_every_route_is_served(keyed):
    for header in (f"Bearer {KEY}", f"bearer {KEY}", basic("anybody", KEY)):
        sent = {"Authorization": header.encode()}
        assert keyed.post("/api/ask", json=QUESTION, headers=sent).status_code == 200
        for path in ("/", "/static/app.js", "/v1/models", "/docs", "/openapi.json", "/metrics", "/readyz"):
            assert keyed.get(path, headers=sent).status_code == 200, path
    twice = [("Authorization", f"Bearer {KEY}".encode()), ("Authorization", b"Bearer x")]
    assert keyed.get("/", headers=twice).status_code == 401


def test_a_browser_is_asked_for_the_key_and_a_program_told_how_to_send_it(keyed):
    page = keyed.get("/", headers={"Accept": "text/html,*/*"})
    assert page.headers["www-authenticate"].startswith("Basic ")
    assert keyed.get("/v1/models").headers["www-authenticate"] == "Bearer"
    error = page.json()["error"]
    assert "WENQU_API_KEY" in error["message"]
    assert KEY not in page.text


def test_a_route_that_the_guard_does_not_know_is_found(everything, bot):
    """The null control: a route that is exempt without reason fails the walk."""
    app = create_app(Configured(bot, api_key=SecretStr(KEY)))
    app.user_middleware = [m for m in app.user_middleware if m.cls.__name__ != "Guard"]
    with TestClient(app) as client, pytest.raises(AssertionError):
        for method, path in paths(app.routes):
            assert client.request(method, path).status_code == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("192.168.1.7", 200), ("wenqu.example", 200),
     ("WENQU.example:443", 200), ("intranet", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421),
     ("localhost.evil.example", 421), ("", 421), ("[", 421), ("wenqu.example@evil.example", 421)],
)  # fmt: skip
def test_only_our_own_names_are_served_without_a_key(bot, host: str, status: int):
    settings = bot.settings.model_copy(
        update={"public_url": "https://wenqu.example/qa", "allowed_hosts": "intranet, other"}
    )
    with TestClient(create_app(Configured(bot, settings))) as client:
        for path in ("/", "/api/search?question=赵州桥"):
            assert client.get(path, headers={"Host": host}).status_code == status
        assert client.get(ALIVE, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:8000", 200), ("https://wenqu.example", 200), ("http://localhost:3000", 200),
     ("app://obsidian.md", 200), ("https://chat.example", 200), ("https://evil.example", 403), ("null", 403),
     ("http://127.0.0.1.evil.example", 403), ("https://wenqu.example.evil.example", 403), ("http://", 403)],
)  # fmt: skip
def test_pages_of_other_sites_cannot_write(bot, origin: str, status: int):
    settings = bot.settings.model_copy(
        update={"public_url": "https://wenqu.example/qa", "cors_origins": "https://chat.example"}
    )
    with TestClient(create_app(Configured(bot, settings)), base_url="http://127.0.0.1:8000") as client:
        for path in ("/api/ask", "/api/chat", "/api/search"):
            response = client.post(path, json=QUESTION, headers={"Origin": origin})
            assert response.status_code == status
            assert "access-control-allow-origin" not in response.headers
        assert client.get("/", headers={"Origin": origin}).status_code == 200


def test_a_form_of_another_site_is_not_json(bot):
    """What a page may send without asking first is of these types, and none of them is read."""
    with TestClient(create_app(bot)) as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            body = b'{"question": "\xe8\xb5\xb5\xe5\xb7\x9e\xe6\xa1\xa5"}'
            for path in ("/api/ask", "/v1/chat/completions", "/api/feedback"):
                assert 400 <= client.post(path, content=body, headers={"Content-Type": kind}).status_code < 500


def test_beyond_this_machine_a_key_is_needed_or_the_word_that_none_is():
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(SettingsError, match=r"WENQU_API_KEY.*--insecure"):
            check_address(load_settings(host=host))
        check_address(load_settings(host=host, api_key="k"))
        check_address(load_settings(host=host, insecure=True))
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        check_address(load_settings(host=host))
    assert Settings().host == "127.0.0.1"


def test_the_command_refuses_it_before_anything_is_built(tmp_path):
    command = [sys.executable, "-m", "bot", "serve", "--host", "0.0.0.0", "--index", str(tmp_path / "index")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 2
    assert "--insecure" in done.stderr
    assert not (tmp_path / "index").exists()
