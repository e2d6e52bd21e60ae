"""What the callbacks of WeChat 公众号 and WeCom 企业微信 share: signatures, AES, XML.

Signature and encryption as https://developers.weixin.qq.com/doc/subscription/guide/dev/push/encryption.html says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import os
import re
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import PlainTextResponse, Response

from bot.channels.desk import Inbound, is_current
from bot.errors import SettingsError

log = logging.getLogger("wenqu")
_BLOCK = 32  # bytes; padded as in PKCS#7, which has blocks of 16
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Refused(Exception):
    """A request that did not come from the platform; its message, for the log only, names the check that failed."""


def signature(*parts: str) -> str:
    """SHA-1 over the parts in order, in hexadecimal."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()  # the platforms sign by it  # nosec B324


def check_signature(given: str, *parts: str) -> None:
    """Raise Refused unless `given` is the signature of the parts."""
    if not hmac.compare_digest(signature(*parts).encode(), given.encode("utf-8", "replace")):
        raise Refused("signature: 检查 Token / check the Token")


def check_fresh(timestamp: str, now: float) -> None:
    """Raise Refused unless the timestamp is current."""
    if not is_current(timestamp, now):
        raise Refused("timestamp: 过期或时钟不准 / stale, or the clock is wrong")


@dataclass(frozen=True, slots=True)
class Crypto:
    """Encrypts and decrypts callbacks. `receive_id`: AppID of a 公众号, CorpID of a WeCom application."""

    token: str
    key: bytes
    receive_id: str

    @classmethod
    def from_keys(cls, token: str, aes_key: str, receive_id: str, setting: str) -> Crypto:
        """From an EncodingAESKey of 43 characters. Raises SettingsError naming the setting."""
        try:
            key = base64.b64decode(f"{aes_key}=", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(aes_key) != 43 or len(key) != 32:
            raise SettingsError(
                f"{setting} 不是 43 位的 EncodingAESKey",
                f"{setting} is no EncodingAESKey of 43 characters",
                "从平台后台重新复制 / copy it again from the platform's console",
            )
        return cls(token, key, receive_id)

    def decrypt(self, msg_signature: str, timestamp: str, nonce: str, encrypted: str) -> str:
        """The plain message. Raises Refused naming the check that failed."""
        check_signature(msg_signature, self.token, timestamp, nonce, encrypted)
        try:
            raw = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refused("base64") from error
        if not raw or len(raw) % 16:
            raise Refused("length")
        decryptor = self._cipher().decryptor()
        plain = decryptor.update(raw) + decryptor.finalize()
        padding = plain[-1]
        if not 1 <= padding <= _BLOCK or plain[-padding:] != bytes([padding]) * padding or len(plain) - padding < 20:
            raise Refused("padding: 检查 EncodingAESKey / check the EncodingAESKey")
        (size,) = struct.unpack(">I", plain[16:20])
        message, receiver = plain[20 : 20 + size], plain[20 + size : -padding]
        if len(message) != size:
            raise Refused("length field")
        if receiver != self.receive_id.encode():
            raise Refused("receiveid: 检查 AppID 或 CorpID / check the AppID or CorpID")
        try:
            text: str = message.decode()
        except UnicodeDecodeError as error:
            raise Refused("utf-8") from error
        return text

    def encrypt(self, message: str, timestamp: str, nonce: str, random: bytes | None = None) -> tuple[str, str]:
        """(Encrypt, MsgSignature) of a message; `random`: 16 bytes, given only by tests."""
        text = message.encode()
        body = (random or os.urandom(16)) + struct.pack(">I", len(text)) + text + self.receive_id.encode()
        padding = _BLOCK - len(body) % _BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(body + bytes([padding]) * padding) + encryptor.finalize()
        encrypted = base64.b64encode(sealed).decode()
        return encrypted, signature(self.token, timestamp, nonce, encrypted)

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(self.key), modes.CBC(self.key[:16]))


def opened(crypto: Crypto, asked: Mapping[str, str], encrypted: str) -> str:
    """The plain text of what a request encrypts; `asked` are its query parameters. Raises Refused."""
    timestamp = asked.get("timestamp", "")
    # A + that was not escaped in the address arrives as a blank.
    encrypted = encrypted.replace(" ", "+")
    plain = crypto.decrypt(asked.get("msg_signature", ""), timestamp, asked.get("nonce", ""), encrypted)
    check_fresh(timestamp, time.time())
    return plain


def replay_key(platform: str, asked: Mapping[str, str]) -> str:
    """The identity of a signed request; another message under the same one is a forgery."""
    return f"{platform}-nonce:{asked.get('timestamp', '')}:{asked.get('nonce', '')}"


def refusal(platform: str, refused: Refused) -> Response:
    """A 401 that does not say why; the log does."""
    log.warning("%s: a request was refused: %s", platform, refused)
    return PlainTextResponse("refused", 401)


def inbound(platform: str, tenant: str, fields: Mapping[str, str]) -> Inbound:
    """The message of a callback; its text is empty unless it is a text message, an event stands in `reply_to`.

    Events have no MsgId: they are known by their user, time and kind.
    """
    user, event = fields.get("FromUserName", ""), fields.get("Event", "")
    number = fields.get("MsgId") or f"{user}:{fields.get('CreateTime', '')}:{event}"
    text = fields.get("Content", "").strip() if fields.get("MsgType") == "text" else ""
    return Inbound(platform, tenant, user, user, number, text, event)


def is_json(body: bytes) -> bool:
    """Whether a callback comes as JSON: the platform's console offers both forms."""
    return body.lstrip()[:1] == b"{"


def parse(body: bytes) -> dict[str, str]:
    """The fields of a callback's XML or JSON. Raises Refused for what is neither, or holds a DOCTYPE or entities."""
    from defusedxml import DefusedXmlException, ElementTree

    try:
        if is_json(body):
            found = json.loads(body)
            return {str(name): str(value) for name, value in found.items() if isinstance(value, str | int)}
        root = ElementTree.fromstring(body, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise Refused(f"body: {type(error).__name__}") from error
    return {child.tag: child.text or "" for child in root}


def written(fields: Mapping[str, str | int], *, as_json: bool = False) -> str:
    """The fields as XML, or as JSON where the platform asks in JSON. Nothing in a text can end its CDATA."""
    if as_json:
        return json.dumps(fields, ensure_ascii=False)
    rows = "".join(
        f"<{name}>{value if isinstance(value, int) else _cdata(value)}</{name}>" for name, value in fields.items()
    )
    return f"<xml>{rows}</xml>"


def _cdata(text: str) -> str:
    return f"<![CDATA[{_NOT_XML.sub('', text).replace(']]>', ']]]]><![CDATA[>')}]]>"


def sealed(crypto: Crypto, message: str, nonce: str, now: float) -> dict[str, str | int]:
    """The fields of an encrypted reply."""
    timestamp = int(now)
    encrypted, msg_signature = crypto.encrypt(message, str(timestamp), nonce)
    return {"Encrypt": encrypted, "MsgSignature": msg_signature, "TimeStamp": timestamp, "Nonce": nonce}
