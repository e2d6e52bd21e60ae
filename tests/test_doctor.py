"""bot.cli.doctor: what is wrong is named, and a server that lets forgeries in is found out."""

from __future__ import annotations

import pytest
from conftest import Configured, served
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from typer.testing import CliRunner

from bot.cli.commands import cli
from bot.cli.doctor.checks import examine
from bot.cli.doctor.findings import BAD, GOOD, ODD, OFF
from bot.cli.doctor.rehearsal import rehearse
from bot.errors import SettingsError
from bot.settings import load_settings
from bot.web.app import create_app

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
SECRETS = {
    "slack_bot_token": "xoxb-canary",
    "slack_signing_secret": "0123456789abcdef0123456789abcdef",
    "wechat_token": "canarytoken",
    "wechat_aes_key": KEY,
    "wechat_app_id": "wx0123456789abcdef",
    "wecom_token": "canarytoken2",
    "wecom_aes_key": KEY,
    "wecom_corp_id": "ww0123456789abcdef",
    "wecom_agent_id": 1000002,
    "wecom_secret": "canarysecret",
}
CHANNELS = ["slack", "wechat", "wecom"]
PATHS = {"slack": "/slack/events", "wechat": "/wechat", "wecom": "/wecom"}


@pytest.fixture
def settings(tmp_path):
    return load_settings(index=tmp_path / "index", **SECRETS)


@pytest.fixture
def server(bot, settings, tmp_path):
    with served(create_app(Configured(bot, settings))) as address:
        yield address


def states(findings) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in findings:
        found.setdefault(finding.state, []).append(finding.text)
    return found


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_sound_server_passes_everything(server, settings, channel):
    found = states(rehearse(channel, settings, server + PATHS[channel]))
    assert set(found) == {GOOD}, found
    assert sum("已拒绝" in text for text in found[GOOD]) == 5
    assert any("三次" in text for text in found[GOOD])


@pytest.mark.parametrize(
    ("channel", "other"),
    [
        ("slack", {"slack_signing_secret": "f" * 32}),
        ("wechat", {"wechat_token": "another"}),
        ("wecom", {"wecom_token": "another"}),
        ("wecom", {"wecom_aes_key": KEY[::-1][:42] + "A"}),
        ("wecom", {"wecom_corp_id": "wwffffffffffffffff"}),
    ],
)
def test_settings_that_differ_are_named(server, channel, other):
    here = load_settings(**(SECRETS | other))
    found = states(rehearse(channel, here, server + PATHS[channel]))
    (text,) = found[BAD]
    assert "401" in text
    assert f"WENQU_{channel.upper()}" in text


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_server_without_the_secret_or_another_path_is_404(server, settings, bot, channel):
    with served(create_app(bot)) as bare:
        for url in (bare + PATHS[channel], f"{server}/elsewhere"):
            (text,) = states(rehearse(channel, settings, url))[BAD]
            assert "404" in text


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_server_that_lets_everything_in_is_found_out(settings, channel):
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def careless(request: Request):
        body = await request.body()
        challenge = (await request.json()).get("challenge", "") if body.startswith(b"{") else ""
        return PlainTextResponse(challenge or request.query_params.get("echostr", ""))

    with served(app) as address:
        found = states(rehearse(channel, settings, f"{address}/x"))
    careless_at = [text for text in found[BAD] if "没有拒绝" in text]
    # WeCom's check of the address is encrypted: a server that only echoes it does not get as far as the forgeries.
    assert len(careless_at) == 5 if channel != "wecom" else "原样" in found[BAD][0]


def test_a_proxy_that_shows_a_page_redirects_or_is_not_there_is_named(settings):
    app = FastAPI()
    app.add_api_route("/page", lambda: HTMLResponse("<p>"), methods=["GET"])
    app.add_api_route("/moved", lambda: RedirectResponse("/page"), methods=["GET"])
    with served(app) as address:
        for path, word in (("/page", "网页"), ("/moved", "重定向")):
            (text,) = states(rehearse("wechat", settings, address + path))[BAD]
            assert word in text
    for url in (address, "nonsense", "http://127.0.0.1:1/wechat"):
        (text,) = states(rehearse("wechat", settings, url))[BAD]
        assert "连不上" in text


def test_what_is_missing_or_odd_is_said_of_each_channel(tmp_path, bot):
    nothing = {name: states(found) for name, found in examine(load_settings(index=tmp_path)).items()}
    assert all(set(nothing[name]) == {OFF} for name in ("slack", "wechat", "wecom", "wecom_bot", "mcp", "llm"))
    assert any("wenqu index" in text for text in nothing["server"][BAD])
    odd = examine(
        load_settings(
            index=bot.settings.index, wechat_token="t1t", slack_bot_token="xoxp-1", wecom_token="t",
            wecom_aes_key="short", wecom_bot_id="b", host="0.0.0.0", mcp=True,
        )
    )  # fmt: skip
    found = {name: states(findings) for name, findings in odd.items()}
    assert any("明文" in text for text in found["wechat"][ODD])
    assert any("xoxb-" in text for text in found["slack"][ODD])
    assert any("SIGNING_SECRET" in text for text in found["slack"][BAD])
    assert {"WENQU_WECOM_SECRET", "WENQU_WECOM_CORP_ID", "WENQU_WECOM_AGENT_ID", "WENQU_WECOM_AES_KEY"} <= {
        word for text in found["wecom"][BAD] for word in text.split()
    }
    assert any("WENQU_WECOM_BOT_SECRET" in text for text in found["wecom_bot"][BAD])
    assert any("WENQU_API_KEY" in text for text in found["server"][BAD])
    assert GOOD in found["server"]


@pytest.mark.parametrize(
    ("values", "state", "word"),
    [
        ({"llm_url": "http://127.0.0.1:11434/v1", "llm_model": "qwen3"}, GOOD, "qwen3"),
        ({"llm_url": "http://127.0.0.1:11434/v1"}, BAD, "WENQU_LLM_MODEL"),
        ({"llm_url": "https://llm.example/v1", "llm_model": "m"}, ODD, "WENQU_LLM_KEY"),
        ({"llm_url": "http://llm.example/v1", "llm_model": "m", "llm_key": "sk-canary"}, ODD, "https"),
    ],
)
def test_the_settings_of_the_model_are_looked_at(values, state, word):
    found = states(examine(load_settings(**values), "llm")["llm"])
    assert any(word in text for text in found[state])
    assert "sk-canary" not in str(found)


def test_the_command_shows_no_secret_and_fails_when_something_is_bad(monkeypatch, tmp_path, bot):
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"WENQU_{name.upper()}", str(value))
    monkeypatch.setenv("WENQU_INDEX", str(bot.settings.index))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "✓ WENQU_WECHAT_AES_KEY" in result.output
    assert not any(str(value) in result.output for name, value in SECRETS.items() if name != "wecom_agent_id")
    assert CliRunner().invoke(cli, ["doctor", "wechat", "--url", "http://127.0.0.1:1/wechat"]).exit_code == 1
    monkeypatch.setenv("WENQU_WECHAT_AES_KEY", "short")
    assert CliRunner().invoke(cli, ["doctor", "wechat"]).exit_code == 1
    assert isinstance(CliRunner().invoke(cli, ["doctor", "icq"]).exception, SettingsError)
    monkeypatch.delenv("WENQU_SLACK_SIGNING_SECRET")
    result = CliRunner().invoke(cli, ["doctor", "slack", "--url", "http://127.0.0.1:1/"])
    assert isinstance(result.exception, SettingsError)


@pytest.mark.parametrize(
    ("given", "state", "said"),
    [({}, GOOD, "this machine only"), ({"host": "0.0.0.0"}, BAD, "WENQU_API_KEY"),
     ({"host": "0.0.0.0", "insecure": True}, ODD, "anybody"),
     ({"host": "0.0.0.0", "api_key": "k"}, GOOD, "every request"),
     ({"api_key": "k", "widget_origins": "https://shop.example"}, ODD, "widget")],
)  # fmt: skip
def test_who_may_ask_is_said(tmp_path, given, state, said):
    found = states(examine(load_settings(index=tmp_path, **given), "server")["server"])
    assert any(said in text for text in found[state])
