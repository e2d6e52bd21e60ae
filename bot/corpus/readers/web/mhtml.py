"""MHTML, a page saved by a browser as one file: its HTML; pictures and styles are not looked at.

Parsed in a child process: a file of 48 MB with a million parts takes minutes and gigabytes.
"""

from __future__ import annotations

import codecs
import email
import email.policy
from email.message import EmailMessage

from bot.corpus.blocks import Parsed
from bot.corpus.readers.child import in_child
from bot.corpus.readers.web import html
from bot.errors import ReadError


def read(data: bytes) -> Parsed:
    """The blocks of the page, as the reader of HTML makes them. Raises ReadError E-PARSE and those of in_child."""
    return in_child(__name__, data)


def parse(data: bytes) -> Parsed:
    """The same, in this process."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    for part in message.walk():
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            return html.parse(_content(part))
    raise ReadError("E-PARSE", "文件里没有网页", "there is no page in the file", "另存为 .html / save it as .html")


def _content(part: EmailMessage) -> bytes:
    """The bytes of a page, in UTF-8 if the charset of the part is right."""
    data = part.get_payload(decode=True)
    content = data if isinstance(data, bytes) else b""
    try:
        return codecs.BOM_UTF8 + content.decode(part.get_content_charset("")).encode()
    except (LookupError, UnicodeError):  # no charset, an unknown one, or not that of the bytes
        return content
