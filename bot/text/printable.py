"""Text that is safe to keep and to show: it cannot control a terminal or reverse the direction of a message."""

from __future__ import annotations

import re

# Escape sequences, direction marks, noncharacters and lone surrogates.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """The text without control characters, direction marks and noncharacters."""
    return _UNPRINTABLE.sub("", text)


def one_line(text: str) -> str:
    """The printable text on one line, its words apart by single spaces."""
    return " ".join(printable(text).split())


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


def valid(text: str) -> str:
    """The text without control characters, its lines ended by line feeds only.

    A lone surrogate, which UTF-8 and so the store cannot hold, becomes `?`.
    """
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
