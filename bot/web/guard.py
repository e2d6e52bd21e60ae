"""Who may ask: the key, the names that the server goes by, and whose pages may write. Wraps the whole application."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.settings import Settings
from bot.web import errors


def policy(frame_ancestors: str = "'none'") -> str:
    """The header's value; `frame_ancestors` are the origins whose pages may frame the response."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        f"base-uri 'none'; form-action 'self'; frame-ancestors {frame_ancestors}"
    )


WRONG_KEY = (
    "密钥不对：请用 WENQU_API_KEY 的值 / wrong API key: send the value of WENQU_API_KEY as Bearer token, or as password"
)
WRONG_HOST = "不认识这个主机名 / the server does not go by this host name → WENQU_ALLOWED_HOSTS, WENQU_PUBLIC_URL"
WRONG_ORIGIN = "别的网站不能这样请求 / pages of another site may not send this → WENQU_CORS_ORIGINS"
TOO_LARGE = "请求太大 / the request is too large: at most {} MiB"
# A question with ten turns before it, each as long as is read, has 540 KB; clients of /v1 send whole conversations.
MAX_BODY_BYTES = 1024 * 1024
ALIVE = "/livez"  # asks for nothing: what restarts a process that hangs knows no key
_READS = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # a new release is not mixed with the modules of the old one
}


def is_loopback(host: str) -> bool:
    """Whether an address, or a name of this machine, is reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Middleware: a request without the right to be answered is refused before anything reads its body.

    With a key, every path asks for it except `/livez` and the paths in `signed`, whose platforms sign each request.
    Without one, the Host header must be an address or a name of ours: no page reaches the server by a name of its own
    that it lets point here (DNS rebinding).
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, signed: Collection[str] = (), larger: Mapping[str, int] | None = None
    ) -> None:
        """Keep what requests are held against; `larger` are paths that take more bytes than others."""
        self.app = app
        self._key = settings.api_key.get_secret_value().encode("utf-8", "surrogateescape")
        self._larger = larger or {}
        self._open = {ALIVE, *signed}
        self._hosts = _names(settings)
        self._cors = {origin.strip().rstrip("/").lower() for origin in settings.cors_origins.split(",")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on; either way the response carries the headers that every one does."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        await (refusal or self.app)(scope, receive, with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> ASGIApp | None:
        length = headers.get("content-length", "")
        most = self._larger.get(path, MAX_BODY_BYTES)
        if length.isascii() and length.isdigit() and int(length[:20]) > most:
            return errors.refusal(path, 413, "too_large", TOO_LARGE.format(most // 2**20))
        if path.rstrip("/") in self._open:
            return None
        origin = headers.get("origin", "")
        preflight = method == "OPTIONS" and "access-control-request-method" in headers  # a browser sends it without key
        if self._key and not preflight:
            if not self._knows_key(headers.getlist("authorization")):
                return self._keyless(path, headers)
        elif not self._key and not self._is_ours(headers.get("host", "")):
            return errors.refusal(path, 421, "unknown_host", WRONG_HOST)
        if method not in _READS and not self._may_write(origin.lower(), headers.get("host", "")):
            return errors.refusal(path, 403, "foreign_origin", WRONG_ORIGIN)
        return None

    def _knows_key(self, sent: list[str]) -> bool:
        """Compared as bytes, in a time that says nothing about the key."""
        if len(sent) != 1:
            return False
        scheme, _, token = sent[0].partition(" ")
        given = token.strip().encode("latin-1")
        if scheme.lower() == "basic":  # what a browser asks its user for: any name, and the key as password
            try:
                given = base64.b64decode(given, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        return scheme.lower() in ("bearer", "basic") and hmac.compare_digest(given, self._key)

    def _is_ours(self, host: str) -> bool:
        name = _host_name(f"//{host}")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._hosts
        return True  # an address cannot be made to point elsewhere

    def _may_write(self, origin: str, host: str) -> bool:
        """Whether a page of the origin may send what changes something; programs send no origin, or one of their own.

        A proxy may have written the Host header anew, so the names that we go by count beside it.
        """
        scheme, _, place = origin.partition("://")
        if scheme not in ("http", "https", "null"):
            return True
        name = _host_name(origin)
        return place == host.lower() or origin in self._cors or name in self._hosts or is_loopback(name)

    def _keyless(self, path: str, headers: Headers) -> ASGIApp:
        """401: a browser then asks its user for the key, a program is told how to send it."""
        browses = "text/html" in headers.get("accept", "")
        origin = headers.get("origin", "")
        readable = path.startswith("/v1/") and origin.lower() in self._cors - {""}
        shared = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if readable else {}
        challenge = 'Basic realm="Wenqu", charset="UTF-8"' if browses else "Bearer"
        return errors.refusal(path, 401, "invalid_api_key", WRONG_KEY, {"WWW-Authenticate": challenge, **shared})


def _host_name(address: str) -> str:
    """The host of an address, without its port; "" where there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _names(settings: Settings) -> set[str]:
    """The host names that the server goes by."""
    listed = [name.strip().lower() for name in settings.allowed_hosts.split(",")]
    return {"localhost", settings.host.lower(), _host_name(settings.public_url), *listed} - {""}
