"""The APIs of WeChat 公众号 and WeCom 企业微信: access tokens, and messages sent."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import httpx

WECHAT = "https://api.weixin.qq.com"
WECOM = "https://qyapi.weixin.qq.com"
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_TOKEN_MARGIN_SECONDS = 300
_WAITS = (0.5, 3.0)  # seconds before another attempt
_TOKEN_EXPIRED = frozenset({40001, 40014, 42001})
# httpx logs addresses, and these hold the access token.
logging.getLogger("httpx").setLevel(logging.WARNING)


class ApiError(Exception):
    """The platform's API answered with an error code."""

    def __init__(self, code: int, message: str) -> None:
        """Keep the code: what may be tried instead depends on it."""
        super().__init__(f"{code} {message}")
        self.code = code


class Api:
    """A platform's API with its access token, which is fetched when needed and kept until shortly before it ends."""

    def __init__(self, base: str, token: httpx.Request) -> None:
        """`token`: the request that fetches an access token."""
        self._base, self._token_request = base, token
        self._token, self._until = "", 0.0
        self._lock = asyncio.Lock()

    @classmethod
    def wechat(cls, app_id: str, secret: str, base: str = WECHAT) -> Api:
        """The API of a 公众号."""
        credentials = {"grant_type": "client_credential", "appid": app_id, "secret": secret}
        return cls(base, httpx.Request("POST", f"{base}/cgi-bin/stable_token", json=credentials))

    @classmethod
    def wecom(cls, corp_id: str, secret: str, base: str = WECOM) -> Api:
        """The API of a WeCom application."""
        credentials = {"corpid": corp_id, "corpsecret": secret}
        return cls(base, httpx.Request("GET", f"{base}/cgi-bin/gettoken", params=credentials))

    async def post(self, path: str, message: Mapping[str, Any]) -> dict[str, Any]:
        """The platform's answer to a message. Raises ApiError, and httpx.HTTPError when it cannot be reached."""
        async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
            for wait in _WAITS:
                try:
                    return await self._post(client, path, message)
                except ApiError as error:
                    if error.code not in _TOKEN_EXPIRED:
                        raise
                    self._until = 0.0
                except httpx.TransportError:
                    # It may have arrived: an answer that is read twice is better than one that is lost.
                    await asyncio.sleep(wait)
            return await self._post(client, path, message)

    async def _post(self, client: httpx.AsyncClient, path: str, message: Mapping[str, Any]) -> dict[str, Any]:
        token = await self._access_token(client)
        # Escaped Chinese would be shown as it is: \\u9752.
        body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        return _checked(await client.post(f"{self._base}{path}", params={"access_token": token}, content=body))

    async def _access_token(self, client: httpx.AsyncClient) -> str:
        async with self._lock:
            if time.monotonic() >= self._until:
                found = _checked(await client.send(self._token_request))
                self._token = str(found["access_token"])
                self._until = time.monotonic() + int(found.get("expires_in", 7200)) - _TOKEN_MARGIN_SECONDS
            return self._token


def _checked(response: httpx.Response) -> dict[str, Any]:
    if response.status_code != 200:
        raise ApiError(response.status_code, "HTTP")
    try:
        found: dict[str, Any] = response.json()
    except ValueError as error:
        raise ApiError(-1, "no JSON") from error
    if found.get("errcode"):
        raise ApiError(int(found["errcode"]), str(found.get("errmsg", ""))[:200])
    return found
