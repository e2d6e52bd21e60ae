"""Plain text."""

from __future__ import annotations

from bot.encoding import decode
from bot.readers import Document

SUFFIXES = (".txt", ".text")


def read(data: bytes) -> Document:
    """The text as it stands."""
    decoded = decode(data)
    return Document(decoded.text, warning=f"{decoded.damaged} U+FFFD" if decoded.damaged else "")
