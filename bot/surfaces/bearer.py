"""The key that OpenAI-compatible and MCP clients send."""

from __future__ import annotations

import hmac

from bot.settings import Settings

WRONG_KEY = "密钥不对: 请用 WENQU_API_KEY 的值 / wrong API key: send the value of WENQU_API_KEY as Bearer token"


def authorized(header: str | None, settings: Settings) -> bool:
    """Whether an Authorization header carries the key; always, where no key is set."""
    key = settings.api_key.get_secret_value().encode("utf-8", "surrogateescape")
    scheme, _, token = (header or "").partition(" ")
    # A header arrives as Latin-1; as bytes any of them can be compared, in a time that says nothing about the key.
    return not key or (scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), key))
