"""One request to an OpenAI-compatible model server: pieces of text in time, or the reason why there are none."""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx

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
# An answer is a few sentences; most of this is for models that think first, whose thoughts count as output too.
_MAX_TOKENS = 2048
_MAX_CHARACTERS = 20_000
# 2,048 tokens in chunks of 400 bytes are 0.8 MB.
_MAX_BYTES = 2 * 1024 * 1024
_TEMPERATURE = 0.1
_CONNECT_SECONDS = 5.0
_BEAT_SECONDS = 1.0  # at most so long an abandoned answer keeps its connection
# The ways in which servers say that the answer is whole; `length`, `content_filter` and the like say that it is not.
_WHOLE = ("stop", "eos_token", "stop_sequence")


class Call:
    """One request, read by a thread of its own: whoever waits for it can stop waiting at any moment."""

    def __init__(self, settings: Settings, messages: list[dict[str, str]]) -> None:
        self._settings = settings
        self._messages = messages
        self._deadline = time.monotonic() + settings.llm_seconds
        self._queue: queue.SimpleQueue[str | WordingError | None] = queue.SimpleQueue()
        self._transport = _Transport()
        threading.Thread(target=self._read, name="llm", daemon=True).start()

    def pieces(self) -> Iterator[str]:
        """The pieces of the text, "" after each silent second. Raises WordingError."""
        while (left := self._deadline - time.monotonic()) > 0:
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
        """End the connection, which wakes the thread that reads from it."""
        self._transport.shut()

    def _read(self) -> None:
        try:
            for piece in self._received():
                self._queue.put(piece)
            self._queue.put(None)
        except Exception as error:  # bad JSON, wrong types, half characters: a server can make it anything
            known = _reason(error)
            log.debug("no words from the model: %s (%s)", known, type(error).__name__)
            self._queue.put(known)

    def _received(self) -> Iterator[str]:
        import openai  # imported here: 1.5 s that only an answer in words pays

        settings, length, ended, readable = self._settings, 0, None, False
        limits = httpx.Timeout(settings.llm_seconds, connect=_CONNECT_SECONDS)
        # No redirect and no proxy of the environment: the key goes to the address in the settings and nowhere else.
        with httpx.Client(transport=self._transport, timeout=limits, trust_env=False, follow_redirects=False) as http:
            make: Any = openai.OpenAI  # takes clients of httpx beside those of httpx2, without saying so
            client = make(
                base_url=settings.llm_url, api_key=settings.llm_key.get_secret_value() or "none", http_client=http,
                max_retries=0, default_headers={"Accept-Encoding": "identity"},
            )  # fmt: skip
            client.organization = client.project = None  # it would take them from the environment
            stream = client.chat.completions.create(
                model=settings.llm_model, messages=self._messages, stream=True, temperature=_TEMPERATURE,
                max_tokens=_MAX_TOKENS,
            )  # fmt: skip
            for chunk in stream:
                readable = True
                for choice in (chunk.choices or [])[:1]:
                    piece = (choice.delta.content if choice.delta else "") or ""
                    if not isinstance(piece, str):
                        raise WordingError(*GARBLED)
                    length += len(piece)
                    ended = choice.finish_reason or ended
                    yield piece
                if length > _MAX_CHARACTERS:
                    raise WordingError(*TOO_LONG)
        if ended not in _WHOLE:
            raise WordingError(*(TOO_LONG if ended == "length" else CUT if readable else GARBLED))


def _reason(error: Exception) -> WordingError:
    """What went wrong, in words of ours: those of the server or of an address may hold anything."""
    import openai

    if isinstance(error, WordingError):
        return error
    if isinstance(error, openai.APIStatusError):
        return WordingError(*_STATUS.get(error.status_code, ILL if error.status_code >= 500 else REFUSED))
    if isinstance(error, openai.APITimeoutError):
        return WordingError(*(UNREACHABLE if _caused_by(error, httpx.ConnectTimeout) else SLOW))
    if isinstance(error, openai.APIConnectionError):
        return WordingError(*(UNREACHABLE if _caused_by(error, httpx.ConnectError) else CUT))
    return WordingError(*(ILL if isinstance(error, openai.APIError) else GARBLED))


def _caused_by(error: BaseException, kind: type[Exception]) -> bool:
    return isinstance(error.__cause__, kind)


class _Transport(httpx.HTTPTransport):
    """HTTP whose socket another thread can shut, and whose responses are plain and of bounded size."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self._connection: Any = None
        self._shut = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "trace": self._trace}
        response = super().handle_request(request)
        # Nobody asked for compression, and 1 MB of gzip can hold 1 GB.
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            response.close()
            raise WordingError(*GARBLED)
        response.stream = _Bounded(response.stream)
        return response

    def _trace(self, name: str, info: dict[str, Any]) -> None:
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._connection = info["return_value"]
            if self._shut:
                self.shut()

    def shut(self) -> None:
        """Wake whoever reads; closing a socket alone would not."""
        self._shut = True
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class _Bounded(httpx.SyncByteStream):
    """The bytes of a response, up to the most that any answer takes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        count = 0
        for part in self._stream:
            count += len(part)
            if count > _MAX_BYTES:
                raise WordingError(*TOO_LONG)
            yield part

    def close(self) -> None:
        self._stream.close()
