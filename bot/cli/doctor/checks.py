"""`wenqu doctor`: whether each channel and the language model are on, and what is missing or wrong."""

from __future__ import annotations

import importlib.util
import re
import socket
from collections.abc import Callable, Iterable, Iterator

import httpx

from bot.channels.tencent import Crypto
from bot.cli.doctor.findings import BAD, GOOD, ODD, OFF, Finding
from bot.errors import SettingsError, WenquError
from bot.settings import Settings
from bot.web.guard import is_loopback

Check = Callable[[Settings], Iterator[Finding]]


def examine(settings: Settings, channel: str = "") -> dict[str, list[Finding]]:
    """Channel -> findings about its settings; all channels without a name. Makes no requests. Raises SettingsError."""
    if channel and channel not in CHECKS:
        raise unknown_channel(channel, CHECKS)
    return {name: list(check(settings)) for name, check in CHECKS.items() if channel in ("", name)}


def unknown_channel(channel: str, known: Iterable[str]) -> SettingsError:
    """The error for an unknown or missing channel."""
    return SettingsError(
        f"没有渠道 {channel or '（空）'}",
        f"no such channel: {channel or '(none)'}",
        f"wenqu doctor {' | '.join(known)}",
    )


def _server(settings: Settings) -> Iterator[Finding]:
    from bot.index.generations import current_generation

    if current := current_generation(settings.index):
        yield Finding(GOOD, f"索引 / index: {current.split()[0]}")
    else:
        yield Finding(BAD, f"还没有索引 / no index yet: {settings.index} → wenqu index")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
            yield Finding(GOOD, f"端口空闲 / the port is free: {settings.host}:{settings.port}")
        except OSError as error:
            yield Finding(
                ODD,
                f"端口 {settings.port} 不可用（{error.strerror}）：服务是否已在运行？ / the port is taken: is wenqu"
                " serve already running? → WENQU_PORT",
            )
    yield from _access(settings)
    if settings.public_url:
        yield Finding(GOOD, f"来源链接到 / sources link to {settings.public_url}")
    else:
        yield Finding(ODD, "未设置 WENQU_PUBLIC_URL，聊天里的来源没有链接 / not set: sources in chats have no links")


def _slack(settings: Settings) -> Iterator[Finding]:
    bot, app = settings.slack_bot_token.get_secret_value(), settings.slack_app_token.get_secret_value()
    secret = settings.slack_signing_secret.get_secret_value()
    if not (bot or app or secret):
        yield Finding(OFF, "未设置 / not set up → WENQU_SLACK_BOT_TOKEN, WENQU_SLACK_SIGNING_SECRET")
        return
    yield _form("WENQU_SLACK_BOT_TOKEN", bot, r"xoxb-\S+", "xoxb-…")
    if not (app or secret):
        yield _missing("WENQU_SLACK_SIGNING_SECRET", "或 / or WENQU_SLACK_APP_TOKEN")
    if secret:
        yield _form("WENQU_SLACK_SIGNING_SECRET", secret, r"[0-9a-f]{32}", "32 位十六进制 / 32 hexadecimal digits")
    if app:
        yield _form("WENQU_SLACK_APP_TOKEN", app, r"xapp-\S+", "xapp-…")


def _wechat(settings: Settings) -> Iterator[Finding]:
    token, key = settings.wechat_token.get_secret_value(), settings.wechat_aes_key.get_secret_value()
    secret = settings.wechat_app_secret.get_secret_value()
    if not (token or key or secret or settings.wechat_app_id):
        yield Finding(OFF, "未设置 / not set up → WENQU_WECHAT_TOKEN")
        return
    yield _form("WENQU_WECHAT_TOKEN", token, r"[0-9A-Za-z]{3,32}", "3 到 32 位字母数字 / letters and digits")
    if key:
        yield _aes_key("WENQU_WECHAT_AES_KEY", token, key)
    else:
        yield Finding(
            ODD,
            "明文模式：签名不包含正文 / plain mode: the signature does not cover the message"
            " → 安全模式 + WENQU_WECHAT_AES_KEY",
        )
    if key or secret:
        yield _form("WENQU_WECHAT_APP_ID", settings.wechat_app_id, r"wx[0-9a-f]{16}", "wx…, 18 位 / characters")
    if secret:
        yield _form("WENQU_WECHAT_APP_SECRET", secret, r"[0-9a-f]{32}", "32 位十六进制 / 32 hexadecimal digits")


def _wecom(settings: Settings) -> Iterator[Finding]:
    values = {
        "WENQU_WECOM_TOKEN": settings.wecom_token.get_secret_value(),
        "WENQU_WECOM_AES_KEY": settings.wecom_aes_key.get_secret_value(),
        "WENQU_WECOM_SECRET": settings.wecom_secret.get_secret_value(),
        "WENQU_WECOM_CORP_ID": settings.wecom_corp_id,
        "WENQU_WECOM_AGENT_ID": str(settings.wecom_agent_id or ""),
    }
    if not any(values.values()):
        yield Finding(OFF, f"未设置 / not set up → {', '.join(values)}")
        return
    for name, value in values.items():
        if not value:
            yield _missing(name)
    if values["WENQU_WECOM_AES_KEY"]:
        yield _aes_key("WENQU_WECOM_AES_KEY", values["WENQU_WECOM_TOKEN"], values["WENQU_WECOM_AES_KEY"])
    if settings.wecom_corp_id:
        yield _form("WENQU_WECOM_CORP_ID", settings.wecom_corp_id, r"(ww|wx)\w{16}", "ww…, 18 位 / characters")


def _wecom_bot(settings: Settings) -> Iterator[Finding]:
    secret = settings.wecom_bot_secret.get_secret_value()
    if not (secret or settings.wecom_bot_id):
        yield Finding(OFF, "未设置 / not set up → WENQU_WECOM_BOT_ID, WENQU_WECOM_BOT_SECRET")
        return
    for name, value in {"WENQU_WECOM_BOT_ID": settings.wecom_bot_id, "WENQU_WECOM_BOT_SECRET": secret}.items():
        yield _missing(name) if not value else Finding(GOOD, name)
    yield _package("websockets", "wecom")


def _openai(settings: Settings) -> Iterator[Finding]:
    yield Finding(GOOD, "/v1")
    if settings.cors_origins:
        yield Finding(GOOD, f"WENQU_CORS_ORIGINS: {settings.cors_origins}")


def _mcp(settings: Settings) -> Iterator[Finding]:
    if not settings.mcp:
        yield Finding(OFF, "HTTP 未开启 / not over HTTP → WENQU_MCP=true; stdio: wenqu mcp")
        return
    yield _package("mcp", "mcp")
    yield Finding(GOOD, "/mcp")


def _llm(settings: Settings) -> Iterator[Finding]:
    if not settings.llm_url:
        yield Finding(OFF, "未设置 / not set up → WENQU_LLM_URL, WENQU_LLM_MODEL")
        return
    address = httpx.URL(settings.llm_url)
    here = address.host in ("127.0.0.1", "localhost", "::1")
    yield Finding(GOOD, f"WENQU_LLM_URL: {settings.llm_url}")
    yield Finding(GOOD, f"WENQU_LLM_MODEL: {settings.llm_model}") if settings.llm_model else _missing("WENQU_LLM_MODEL")
    if settings.llm_key.get_secret_value():
        yield Finding(GOOD, "WENQU_LLM_KEY")
        if address.scheme == "http" and not here:
            yield Finding(ODD, "密钥明文传输 / the key travels unencrypted → https://")
    elif not here:
        yield Finding(ODD, "没有密钥 / no key → WENQU_LLM_KEY")


def _access(settings: Settings) -> Iterator[Finding]:
    if settings.api_key.get_secret_value():
        yield Finding(GOOD, "每个请求都要密钥 / every request needs the key: WENQU_API_KEY")
        if settings.widget_origins:
            yield Finding(ODD, "挂件的访客也需要密钥 / visitors of the widget need the key too")
    elif is_loopback(settings.host):
        yield Finding(GOOD, f"仅限本机，无需密钥 / this machine only, no key needed: {settings.host}")
    elif settings.insecure:
        yield Finding(ODD, f"{settings.host} 上谁都可以提问 / anybody may ask: WENQU_INSECURE")
    else:
        yield Finding(BAD, f"{settings.host} 上没有密钥，无法启动 / serve refuses without a key → WENQU_API_KEY")


def _missing(name: str, more: str = "") -> Finding:
    return Finding(BAD, f"缺少 / missing: {name} {more}".rstrip())


def _form(name: str, value: str, pattern: str, form: str) -> Finding:
    """Whether a value has the form that the platform gives out; the value itself is never shown."""
    if not value:
        return _missing(name)
    if re.fullmatch(pattern, value):
        return Finding(GOOD, name)
    return Finding(ODD, f"{name} 看起来不对，应为 / does not look right, expected: {form}")


def _aes_key(name: str, token: str, key: str) -> Finding:
    try:
        Crypto.from_keys(token, key, "", name)
    except WenquError as error:
        return Finding(BAD, str(error))
    return Finding(GOOD, name)


def _package(module: str, extra: str) -> Finding:
    if importlib.util.find_spec(module):
        return Finding(GOOD, f"已安装 / installed: {module}")
    return Finding(BAD, f'缺少软件包 / package missing: {module} → pip install "wenqu[{extra}]"')


CHECKS: dict[str, Check] = {
    "server": _server,
    "slack": _slack,
    "wechat": _wechat,
    "wecom": _wecom,
    "wecom_bot": _wecom_bot,
    "llm": _llm,
    "openai": _openai,
    "mcp": _mcp,
}
