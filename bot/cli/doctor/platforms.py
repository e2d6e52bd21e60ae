"""The requests of each platform: its verification of an address and its messages, signed and encrypted as it does."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from bot.channels.tencent import Crypto, Refused, parse, sealed, signature, written
from bot.errors import SettingsError
from bot.settings import Settings

QUESTION = "你好"  # a greeting is not searched, so a rehearsal leaves no trace in the journal


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request as it goes over the wire."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def send(self, client: httpx.Client, url: str) -> httpx.Response:
        """The server's response; redirects are not followed, as the platforms do not follow them either."""
        return client.request(self.method, url, params=dict(self.query), headers=dict(self.headers), content=self.body)


@dataclass(frozen=True, slots=True)
class Platform:
    """The requests of a platform: `probe` verifies the address, `message` asks; both take (secret, Unix time)."""

    secret: str
    settings: str  # names of the settings that must be the same here and on the server
    probe: Callable[[str, int], Parcel]
    message: Callable[[str, int], Parcel]
    is_probe_answer: Callable[[httpx.Response], bool]
    is_reply: Callable[[httpx.Response], bool]


def _tencent_message(user: str) -> dict[str, str | int]:
    return {
        "ToUserName": "doctor",
        "FromUserName": user,
        "CreateTime": int(time.time()),
        "MsgType": "text",
        "Content": QUESTION,
        "MsgId": secrets.randbelow(10**15),
    }


def _wechat(settings: Settings) -> Platform:
    token, key = settings.wechat_token.get_secret_value(), settings.wechat_aes_key.get_secret_value()
    _needed("WENQU_WECHAT_TOKEN", token)
    echo = secrets.token_hex(8)

    def signed(secret: str, now: int) -> dict[str, str]:
        nonce = secrets.token_hex(6)
        return {"signature": signature(secret, str(now), nonce), "timestamp": str(now), "nonce": nonce}

    def probe(secret: str, now: int) -> Parcel:
        return Parcel("GET", {**signed(secret, now), "echostr": echo}, {}, b"")

    def message(secret: str, now: int) -> Parcel:
        query, body = signed(secret, now), written(_tencent_message("doctor"))
        if key:
            crypto = Crypto.from_keys(secret, key, settings.wechat_app_id, "WENQU_WECHAT_AES_KEY")
            return _encrypted(crypto, body, query["nonce"], now, query)
        return Parcel("POST", query, {"Content-Type": "text/xml"}, body.encode())

    def is_reply(response: httpx.Response) -> bool:
        try:
            fields = parse(response.content)
            if key:
                crypto = Crypto.from_keys(token, key, settings.wechat_app_id, "WENQU_WECHAT_AES_KEY")
                parts = [fields.get(name, "") for name in ("MsgSignature", "TimeStamp", "Nonce", "Encrypt")]
                fields = parse(crypto.decrypt(*parts).encode())
        except Refused:
            return False
        return bool(fields.get("Content"))

    names = "WENQU_WECHAT_TOKEN, WENQU_WECHAT_AES_KEY, WENQU_WECHAT_APP_ID"
    return Platform(token, names, probe, message, lambda response: response.text == echo, is_reply)


def _wecom(settings: Settings) -> Platform:
    token, key = settings.wecom_token.get_secret_value(), settings.wecom_aes_key.get_secret_value()
    _needed("WENQU_WECOM_TOKEN", token)
    _needed("WENQU_WECOM_AES_KEY", key)
    echo = secrets.token_hex(8)

    def crypto(secret: str) -> Crypto:
        return Crypto.from_keys(secret, key, settings.wecom_corp_id, "WENQU_WECOM_AES_KEY")

    def probe(secret: str, now: int) -> Parcel:
        found = sealed(crypto(secret), echo, secrets.token_hex(6), now)
        query = {"msg_signature": str(found["MsgSignature"]), "timestamp": str(now), "nonce": str(found["Nonce"])}
        return Parcel("GET", {**query, "echostr": str(found["Encrypt"])}, {}, b"")

    def message(secret: str, now: int) -> Parcel:
        # An event that needs no answer, because a question would be answered to a member who does not exist.
        fields = {**_tencent_message("doctor"), "MsgType": "event", "Event": "enter_agent"}
        return _encrypted(crypto(secret), written(fields), secrets.token_hex(6), now, {})

    names = "WENQU_WECOM_TOKEN, WENQU_WECOM_AES_KEY, WENQU_WECOM_CORP_ID, …"
    return Platform(
        token, names, probe, message, lambda response: response.text == echo, lambda response: not response.content
    )


def _encrypted(crypto: Crypto, body: str, nonce: str, now: int, query: Mapping[str, str]) -> Parcel:
    found = sealed(crypto, body, nonce, now)
    query = {**query, "msg_signature": str(found["MsgSignature"]), "timestamp": str(now), "nonce": nonce}
    outer = written({"ToUserName": "doctor", "Encrypt": found["Encrypt"]})
    return Parcel("POST", query, {"Content-Type": "text/xml"}, outer.encode())


def _slack_signed(secret: str, now: int, body: Mapping[str, object]) -> Parcel:
    from slack_sdk.signature import SignatureVerifier

    text = json.dumps(body)
    headers = {
        "X-Slack-Request-Timestamp": str(now),
        "X-Slack-Signature": SignatureVerifier(secret).generate_signature(timestamp=str(now), body=text) or "",
        "Content-Type": "application/json",
    }
    return Parcel("POST", {}, headers, text.encode())


def _slack(settings: Settings) -> Platform:
    secret = settings.slack_signing_secret.get_secret_value()
    _needed("WENQU_SLACK_SIGNING_SECRET", secret)
    challenge = secrets.token_hex(8)

    def probe(secret: str, now: int) -> Parcel:
        return _slack_signed(secret, now, {"type": "url_verification", "challenge": challenge})

    def message(secret: str, now: int) -> Parcel:
        # A message of another bot, which gets no answer: the channel does not exist, so none could be sent.
        event = {
            "type": "message",
            "channel_type": "im",
            "channel": "D0",
            "bot_id": "B0",
            "text": QUESTION,
            "ts": f"{now}.1",
        }
        envelope = {
            "type": "event_callback",
            "team_id": "T0",
            "api_app_id": "A0",
            "event_id": f"Ev{secrets.token_hex(5)}",
        }
        return _slack_signed(secret, now, {**envelope, "event": event, "event_time": now})

    return Platform(
        secret,
        "WENQU_SLACK_SIGNING_SECRET, WENQU_SLACK_BOT_TOKEN",
        probe,
        message,
        lambda response: challenge in response.text,
        lambda response: True,
    )


def _needed(name: str, value: str) -> None:
    if not value:
        raise SettingsError(
            f"这里没有设置 {name}", f"{name} is not set here", f"{name}=…（与服务器相同 / the same as on the server）"
        )


PLATFORMS: dict[str, Callable[[Settings], Platform]] = {"slack": _slack, "wechat": _wechat, "wecom": _wecom}
