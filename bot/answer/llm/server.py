"""One request to an OpenAI-compatible model server: pieces of text in time, or the reason why there are none."""

from __future__ import annotations

import codecs
import contextlib
import json
import logging
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
from httpx_sse import EventSource, connect_sse

from bot.errors import WordingError
from bot.settings import Settings

log = logging.getLogger("wenqu")
UNREACHABLE = ("连不上模型服务", "the model server cannot be reached")
SLOW = ("模型没有及时答完", "the model did not finish in time")
KEY = ("模型服务不接受密钥", "the model server does not accept the key", "WENQU_LLM_KEY")
ABSENT = ("模型服务没有这个模型或地址", "the server has no such model or address", "WENQU_LLM_MODEL, WENQU_LLM_URL")
CROWDED = ("模型服务太忙", "the model server is too busy")
ILL = ("模型服务出错", "the model server fails")
REFUSED = ("模型服务拒绝了请求", "the model server refuses the request")
CUT = ("模型的回答中断了", "the model's answer broke off")
GARBLED = ("模型服务的回答无法读懂", "the model server's answer cannot be read")
TOO_LONG = ("模型的回答太长", "the model's answer is too long")
_STATUS = {401: KEY, 403: KEY, 404: ABSENT, 408: SLOW, 429: CROWDED}
# An answer is a few sentences; models that think before they answer need the rest, because thoughts count as output.
_MAX_TOKENS = 2048
_MAX_CHARACTERS = 20_000
# Each token comes in a JSON object of some 400 bytes, so a whole answer stays under half of this.
_MAX_BYTES = 2 * 1024 * 1024
_TEMPERATURE = 0.1
_CONNECT_SECONDS = 5.0
_BEAT_SECONDS = 1.0  # an answer that nobody waits for any more keeps its connection no longer than this
# What servers write when the answer is whole; `length`, `content_filter` and the like mean that it is not.
_WHOLE = ("stop", "eos_token", "stop_sequence")


class Call:
    """One request, read by a thread of its own, so that whoever waits for it can stop waiting at any moment."""

    def __init__(self, settings: Settings, messages: list[dict[str, str]]) -> None:
        """Keep what will be sent; the request begins with the first piece that is asked for."""
        self._settings = settings
        self._messages = messages
        self._queue: queue.SimpleQueue[str | WordingError | None] = queue.SimpleQueue()
        self._connection: Any = None
        self._closed = False

    def pieces(self) -> Iterator[str]:
        """The pieces of the text, and "" after each silent second. Raises WordingError."""
        deadline = time.monotonic() + self._settings.llm_seconds
        threading.Thread(target=self._read, name="llm", daemon=True).start()
        while (left := deadline - time.monotonic()) > 0:
            try:
                piece = self._queue.get(timeout=min(left, _BEAT_SECONDS))
            except queue.Empty:
                piece = ""
            if piece is None:
                return
            if isinstance(piece, WordingError):
                raise piece
            yield piece
        raise WordingError(*SLOW)

    def close(self) -> None:
        """End the connection, and wake whoever still waits for a piece."""
        self._closed = True
        self._queue.put(WordingError(*CUT))
        if self._connection is not None:
            # The other thread may be reading: closing the socket would not wake it, shutting it down does.
            with contextlib.suppress(OSError):
                self._connection.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def _trace(self, name: str, info: dict[str, Any]) -> None:
        """Called by httpx at each step of the request; remembers the connection."""
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._connection = info["return_value"]
            if self._closed:
                self.close()

    def _read(self) -> None:
        try:
            for piece in self._received():
                self._queue.put(piece)
            self._queue.put(None)
        except Exception as error:  # a server can send bad JSON, wrong types, half characters: anything may be raised
            known = _reason(error)
            log.debug("no words from the model: %s (%s)", known, type(error).__name__)
            self._queue.put(known)

    def _received(self) -> Iterator[str]:
        settings, length, ended, readable = self._settings, 0, None, False
        limits = httpx.Timeout(settings.llm_seconds, connect=_CONNECT_SECONDS)
        key = f"Bearer {settings.llm_key.get_secret_value() or 'none'}".encode()  # a header of type str is ASCII only
        url = settings.llm_url.rstrip("/") + "/chat/completions"
        request: dict[str, Any] = {
            "headers": {"Authorization": key, "Accept-Encoding": "identity"},
            "json": {
                "model": settings.llm_model, "messages": self._messages, "stream": True, "temperature": _TEMPERATURE,
                "max_tokens": _MAX_TOKENS,
            },
            "extensions": {"trace": self._trace},
        }  # fmt: skip
        # Without redirects and without proxies of the environment the key reaches no other address.
        with (
            httpx.Client(timeout=limits, trust_env=False, follow_redirects=False) as client,
            connect_sse(client, "POST", url, **request) as source,
        ):
            for chunk in _chunks(source):
                readable = True
                for choice in (chunk.get("choices") or [])[:1]:
                    piece = (choice.get("delta") or {}).get("content") or ""
                    if not isinstance(piece, str):
                        raise WordingError(*GARBLED)
                    length += len(piece)
                    ended = choice.get("finish_reason") or ended
                    yield piece
                if length > _MAX_CHARACTERS:
                    raise WordingError(*TOO_LONG)
        if ended not in _WHOLE:
            raise WordingError(*(TOO_LONG if ended == "length" else CUT if readable else GARBLED))


def _chunks(source: EventSource) -> Iterator[dict[str, Any]]:
    """The JSON objects of a response, up to [DONE]. Raises WordingError for a status or an event that is an error."""
    response = source.response
    if not response.is_success:
        raise WordingError(*_STATUS.get(response.status_code, ILL if response.status_code >= 500 else REFUSED))
    response.stream = _Bounded(response.stream)
    # Some servers declare another type or character set for the same UTF-8 events.
    response.headers["Content-Type"] = "text/event-stream; charset=utf-8"
    for event in source.iter_sse():
        if event.data.startswith("[DONE]"):
            return
        if event.data:
            chunk = json.loads(event.data)
            if chunk.get("error"):
                raise WordingError(*ILL)
            yield chunk


def _reason(error: Exception) -> WordingError:
    """What went wrong, in our own words: a message of the server or of a library may contain anything."""
    if isinstance(error, WordingError):
        return error
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return WordingError(*UNREACHABLE)
    if isinstance(error, httpx.TimeoutException):
        return WordingError(*SLOW)
    return WordingError(*(CUT if isinstance(error, httpx.TransportError) else GARBLED))


class _Bounded(httpx.SyncByteStream):
    """The bytes of a response as they come over the wire: valid UTF-8, and no more than any answer takes.

    Compressed bytes, which nobody asked for and which can grow a thousandfold, are not valid UTF-8.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        count, decoder = 0, codecs.getincrementaldecoder("utf-8")()
        for part in self._stream:
            count += len(part)
            if count > _MAX_BYTES:
                raise WordingError(*TOO_LONG)
            decoder.decode(part)  # raises where httpx would put a replacement character
            yield part

    def close(self) -> None:
        self._stream.close()
