"""No secret of the settings is ever told: not in an answer, an error, a page, a log, a command, nor in the index."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import write_articles
from everywhere import KEY, SECRETS, SLACK_SECRET, TOKEN, WAYS, everywhere
from model_server import FAULTS, PROOF, model_server, says
from pydantic import SecretStr
from slack_api import APP_TOKEN, BOT_TOKEN
from typer.testing import CliRunner

from bot.cli.commands import cli
from bot.errors import SettingsError
from bot.pipeline import Bot
from bot.settings import Settings, load_settings

pytestmark = pytest.mark.slow

# Those that the ways in sign with, and one of its own for every other setting that is a secret.
CANARIES = {
    "slack_bot_token": BOT_TOKEN, "slack_signing_secret": SLACK_SECRET, "slack_app_token": APP_TOKEN,
    "wechat_token": TOKEN, "wechat_aes_key": KEY, "llm_key": "sk-Zq4vTn81LwXc", "api_key": "Gh7pYk20RdSe/+=",
    "wechat_app_secret": "8f3a61d0c2b9e475", "wecom_token": "Mt5xQb93VuJa", "wecom_aes_key": KEY[::-1][:42] + "A",
    "wecom_secret": "Wn6cHf47ZiKo_-", "wecom_bot_secret": "Ep1rDx58BsUy",
    "engine_token": "root:Jd2vKs94OgTe",
}  # fmt: skip
QUESTION = "赵州桥由谁设计?"


def forms(secret: str) -> set[str]:
    """What a leak of a secret looks like: as it is, encoded, its beginning, its end."""
    encoded = base64.b64encode(secret.encode()).decode()
    in_urls = base64.urlsafe_b64encode(secret.encode()).decode()
    return {secret, encoded, encoded.rstrip("="), in_urls, quote(secret, safe=""), secret[:8], secret[-8:]}


def leaks(text: str) -> list[str]:
    """The settings whose secrets a text tells."""
    return [name for name, secret in CANARIES.items() if any(form in text for form in forms(secret))]


def test_every_secret_setting_has_a_canary():
    secret = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    assert secret == set(CANARIES)


@pytest.mark.parametrize("name", CANARIES)
def test_a_secret_that_is_told_would_be_found(name):
    for form in forms(CANARIES[name]):
        assert name in leaks(f"... {form} ...")
    assert leaks("赵州桥由隋代工匠李春设计 [1] ********** wxcanaryapp") == []


def said_by_the_commands(folder: Path, monkeypatch) -> dict[str, str]:
    """What the commands that speak of the settings print, with all of them in the environment."""
    for name, value in {**SECRETS, **CANARIES, "corpus": folder / "corpus", "index": folder / "index"}.items():
        monkeypatch.setenv(f"WENQU_{name.upper()}", str(value))
    monkeypatch.setenv("WENQU_WECOM_CORP_ID", "ww1")
    monkeypatch.setenv("WENQU_WECOM_AGENT_ID", "1")
    monkeypatch.setenv("WENQU_WECOM_BOT_ID", "b1")
    said = {}
    for arguments in (["info"], ["info", "--json"], ["doctor"], ["ask", QUESTION, "--json"], ["ask", "？"], ["--help"]):
        result = CliRunner().invoke(cli, arguments)
        said[" ".join(arguments)] = result.output + repr(result.exception)
    monkeypatch.setenv("WENQU_ENGINE", "milvus")
    monkeypatch.setenv("WENQU_ENGINE_URL", "http://127.0.0.1:1")
    result = CliRunner().invoke(cli, ["index"])
    assert "127.0.0.1:1" in result.output + repr(result.exception)
    said["a server of vectors that is away"] = result.output + repr(result.exception)
    monkeypatch.setenv("WENQU_WECHAT_AES_KEY", "short" + CANARIES["llm_key"])
    monkeypatch.setenv("WENQU_PORT", CANARIES["llm_key"])
    said["wrong settings"] = repr(CliRunner().invoke(cli, ["doctor"]).exception)
    return said


def test_no_secret_is_told_anywhere(tmp_path, embedder, promise, caplog, capfd, monkeypatch):
    caplog.set_level(logging.DEBUG)
    seen: dict[str, str] = {}
    with model_server(says(PROOF)) as server:
        # Socket Mode and the AI bot would call out: their secrets are in the settings of the commands below.
        on = {name: value for name, value in CANARIES.items() if name not in ("slack_app_token", "wecom_bot_secret")}
        settings = load_settings(corpus=write_articles(tmp_path / "corpus"), index=tmp_path / "index",
                                 llm_url=server.url, llm_model="m", wecom_corp_id="ww1",
                                 wecom_agent_id=1, **SECRETS | on)  # fmt: skip
        bot = Bot(settings, embedder)
        bot.refresh()
        with everywhere(bot) as ways:
            ways.client.headers["Authorization"] = f"Bearer {CANARIES['api_key']}"
            for way in WAYS:
                for behave in (says(PROOF), FAULTS["401"], FAULTS["error event"], FAULTS["redirect"]):
                    server.behave, bot._writer._breaker._failures = behave, 0
                    seen[f"{way} {len(seen)}"] = repr(ways.ask(way, QUESTION))
                seen[f"{way} ？"] = repr(ways.ask(way, "？"))
                for body in (
                    (b"{", b"\xff", json.dumps({"question": 1, "key": "x"}).encode()) if way != "terminal" else ()
                ):
                    seen[f"{way} {body!r}"] = repr(ways.post(way, body, "application/json"))
            for path in ("/openapi.json", "/docs", "/readyz", "/livez", "/metrics", "/version", "/v1/models",
                         "/nowhere", "/wecom?msg_signature=x", "/wechat?signature=x", "/"):  # fmt: skip
                seen[path] = (response := ways.client.get(path)).text + repr(dict(response.headers))
            wrong = ways.client.get("/v1/models", headers={"Authorization": "Bearer wrong"})
            seen["a wrong key"] = wrong.text + repr(dict(wrong.headers))
        assert any("sk-Zq4" in headers["authorization"] for headers in server.headers)  # it went where it belongs
    for name, told in {"repr": repr(settings), "str": str(settings), "dump": str(settings.model_dump()),
                       "json": settings.model_dump_json()}.items():  # fmt: skip
        seen[name] = told
    seen["commands"] = json.dumps(said_by_the_commands(tmp_path, monkeypatch), ensure_ascii=False)
    with pytest.raises(SettingsError) as error:
        load_settings(port=CANARIES["llm_key"], llm_url=f"http://x/?{CANARIES['llm_key']}")
    seen["an error"] = repr(error.value)
    # The client of the tests logs what it sends; a server does not.
    ours = [
        record
        for record in caplog.records
        if not (record.name.startswith("httpx") and "localhost" in record.getMessage())
    ]
    seen["log"] = "\n".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in ours)
    seen["printed"] = "".join(capfd.readouterr())
    files = [file for file in (tmp_path / "index").rglob("*") if file.is_file()]
    seen |= {str(file): file.read_bytes().decode("latin-1") for file in files}
    told = {place: found for place, text in seen.items() if (found := leaks(text))}
    promise("P24", "secrets of the settings", secrets=len(CANARIES), places=len(seen), log_lines=len(ours),
            files=len(files), told=len(told))  # fmt: skip
    assert told == {}
    assert len(ours) > 50
    assert "**********" in seen["commands"]
