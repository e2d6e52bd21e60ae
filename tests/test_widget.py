"""bot.web.widget: who may frame what."""

from __future__ import annotations

import pytest
from conftest import Configured
from fastapi.testclient import TestClient

from bot.errors import SettingsError
from bot.settings import load_settings
from bot.web.app import create_app


def client(bot, origins):
    return TestClient(create_app(Configured(bot, widget_origins=origins)))


def test_without_origins_there_is_no_widget(bot):
    with client(bot, "") as asked:
        assert asked.get("/widget").status_code == 404
        assert asked.get("/widget.js").status_code == 404


def test_only_the_widget_may_be_framed_and_only_by_the_origins(bot):
    with client(bot, "https://Shop.example:443, http://intranet:8080") as asked:
        page = asked.get("/widget")
        origins = "https://shop.example http://intranet:8080"
        assert page.headers["content-security-policy"].endswith(f"frame-ancestors {origins}")
        assert f'data-origins="{origins}"' in page.text
        assert asked.get("/widget.js").headers["content-type"].startswith("text/javascript")
        for path in ("/", "/widget.js", "/api/examples", "/source/none", "/docs", "/static/index.html"):
            response = asked.get(path)
            assert response.headers["content-security-policy"].endswith("frame-ancestors 'none'"), path
            assert "data-origins" not in response.text, path


@pytest.mark.parametrize(
    "origins",
    ["shop.example", "https://shop.example/", "*", "https://*.example", 'https://a" x="', "https://a;b", "null"],
)
def test_what_is_no_origin_is_refused(origins):
    with pytest.raises(SettingsError, match="WENQU_WIDGET_ORIGINS"):
        load_settings(widget_origins=origins)
