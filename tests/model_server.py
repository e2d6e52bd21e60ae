"""A model server of one's own on loopback: answers chat completions as they are scripted, well or badly."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ModelServer:
    """What it was asked, and how it behaves: `behave` writes the response. `open` counts requests under way."""

    def __init__(self, behave: Callable[[Handler], None]):
        self.behave = behave
        self.requests: list[dict] = []
        self.headers: list[dict] = []
        self.open = 0
        self.over = threading.Event()
        self.url = ""

    @property
    def prompt(self) -> str:
        """The text of the last request's messages."""
        return "\n".join(message["content"] for message in self.requests[-1]["messages"])


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        model = self.server.model
        model.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        model.headers.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
        model.open += 1
        try:
            model.behave(self)
        except OSError:
            pass  # whoever asked has left
        finally:
            model.open -= 1
            self.close_connection = True

    def begin(self, status=200, kind="text/event-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def whole(self, status, body, kind="application/json", **headers):
        self.begin(status, kind, **headers)
        self.wfile.write(body if isinstance(body, bytes) else body.encode())

    def send(self, data: bytes):
        self.wfile.write(data)
        self.wfile.flush()

    def piece(self, content, reason=None, **delta):
        self.send(event(content, reason, **delta))

    def wait(self, seconds=30.0):
        """Until the test is over, the client has left, or the time is up."""
        self.connection.settimeout(0.05)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.server.model.over.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    raise ConnectionAbortedError


def event(content, reason=None, **delta) -> bytes:
    choice = {"index": 0, "delta": {"content": content, **delta}, "finish_reason": reason}
    return (
        b"data: " + json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
    )


def says(text: str, size: int = 3) -> Callable[[Handler], None]:
    """A server that streams the text, `size` characters at a time."""

    def behave(handler):
        handler.begin()
        for start in range(0, len(text), size):
            handler.piece(text[start : start + size])
        handler.piece("", "stop")
        handler.send(b"data: [DONE]\n\n")

    return behave


@contextmanager
def model_server(behave: Callable[[Handler], None]) -> Iterator[ModelServer]:
    """A running server; `url` is what WENQU_LLM_URL takes."""
    model = ModelServer(behave)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.model = model
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield model
    finally:
        model.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PROOF = "赵州桥由隋代工匠李春设计[1]。"


def _status(status, **headers):
    body = json.dumps({"error": {"message": "no sk-canary-7351 for you", "code": status}})
    return lambda handler: handler.whole(status, body, **headers)


def _page(handler):
    handler.whole(200, "<html><body>welcome</body></html>", "text/html")


def _silent(handler):
    handler.wait()


def _silent_after_headers(handler):
    handler.begin()
    handler.send(b"")
    handler.wait()


def _stalls(handler):
    handler.begin()
    handler.piece(PROOF + "它建成于")
    handler.wait()


def _drips(handler):
    handler.begin()
    for byte in event(PROOF) * 20:
        handler.send(bytes([byte]))
        time.sleep(0.05)


def _cut_between_events(handler):
    handler.begin()
    handler.piece(PROOF + "它建成于")


def _cut_in_a_line(handler):
    handler.begin()
    handler.piece(PROOF)
    handler.send(event("建成于公元605年[1]。")[:40])


def _cut_in_a_character(handler):
    handler.begin()
    handler.piece(PROOF)
    line = json.dumps({"choices": [{"index": 0, "delta": {"content": "桥"}}]}, ensure_ascii=False).encode()
    handler.send(b"data: " + line[: line.index("桥".encode()) + 2])


def _reset(handler):
    handler.begin()
    handler.piece(PROOF)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    handler.connection.close()


def _bad_json(handler):
    handler.begin()
    handler.piece(PROOF)
    handler.send(b'data: {"choices": [{"delta": {"content": \n\n')


def _wrong_types(handler):
    handler.begin()
    handler.send(b'data: {"choices": [{"delta": {"content": {"a": 1}}}]}\n\ndata: {"choices": 7}\n\ndata: 5\n\n')


def _error_event(handler):
    handler.begin()
    handler.piece(PROOF)
    handler.send(b'data: {"error": {"message": "out of memory, key sk-canary-7351"}}\n\n')


def _gbk(handler):
    handler.begin()
    line = json.dumps({"choices": [{"index": 0, "delta": {"content": PROOF}}]}, ensure_ascii=False)
    handler.send(b"data: " + line.encode("gbk") + b"\n\n")


def _long_line(handler):
    handler.begin()
    handler.send(b"data: ")
    for _ in range(160):
        handler.send(b"x" * 65536)


def _endless(handler):
    handler.begin()
    while True:
        handler.piece(PROOF * 20)


def _gzip_bomb(handler):
    handler.begin(Content_Encoding="gzip")
    handler.send(gzip.compress(b"data: " + b"x" * 100_000_000, 1))


def _finish(reason):
    def behave(handler):
        handler.begin()
        handler.piece(PROOF)
        handler.piece("", reason)
        handler.send(b"data: [DONE]\n\n")

    return behave


def _redirect(handler):
    handler.whole(307, "", Location="http://127.0.0.1:9/elsewhere")


FAULTS: dict[str, Callable[[Handler], None]] = {
    "401": _status(401),
    "404 model": _status(404),
    "429 with Retry-After": _status(429, Retry_After="3600"),
    "400": _status(400),
    "500": _status(500),
    "redirect": _redirect,
    "HTML": _page,
    "silent before headers": _silent,
    "silent after headers": _silent_after_headers,
    "stalls": _stalls,
    "drips": _drips,
    "cut between events": _cut_between_events,
    "cut in a data line": _cut_in_a_line,
    "cut in a character": _cut_in_a_character,
    "connection reset": _reset,
    "bad JSON": _bad_json,
    "wrong types": _wrong_types,
    "error event": _error_event,
    "GBK": _gbk,
    "10 MB line": _long_line,
    "endless": _endless,
    "gzip bomb": _gzip_bomb,
    "empty": says(""),
    "only blanks": says(" \n \n"),
    "no citation": says("赵州桥由隋代工匠李春设计。"),
    "only thoughts": says("<think>赵州桥由李春设计[1]。</think>"),
    "thoughts without a beginning": says("好的,我想想。</think>" + PROOF),
    "finish_reason length": _finish("length"),
    "finish_reason content_filter": _finish("content_filter"),
    "finish_reason nonsense": _finish("banana"),
}

# What the reason says of each.
REASONS = {
    "401": "WENQU_LLM_KEY",
    "404 model": "WENQU_LLM_MODEL",
    "429 with Retry-After": "busy",
    "400": "refuses",
    "500": "fails",
    "redirect": "refuses",
    "HTML": "read",
    "silent before headers": "in time",
    "silent after headers": "in time",
    "stalls": "in time",
    "drips": "in time",
    "cut between events": "broke off",
    "cut in a data line": "broke off|read",
    "cut in a character": "broke off|read",
    "connection reset": "broke off",
    "bad JSON": "read",
    "wrong types": "read",
    "error event": "fails",
    "GBK": "read",
    "10 MB line": "too long",
    "endless": "too long",
    "gzip bomb": "read",
    "empty": "no answer",
    "only blanks": "no answer",
    "no citation": "cites no",
    "only thoughts": "no answer",
    "thoughts without a beginning": "thoughts",
    "finish_reason length": "too long",
    "finish_reason content_filter": "broke off",
    "finish_reason nonsense": "broke off",
}


def _no_done(handler):
    handler.begin()
    handler.piece(PROOF)
    handler.piece("", "stop")


def _two_done(handler):
    handler.begin()
    handler.piece(PROOF)
    handler.piece("", "stop")
    handler.send(b"data: [DONE]\n\ndata: [DONE]\n\n")


def _other_type(handler):
    handler.begin(kind="text/plain; charset=iso-8859-1")
    line = {"choices": [{"index": 0, "delta": {"content": PROOF}, "finish_reason": "stop"}]}
    handler.send(b"data: " + json.dumps(line, ensure_ascii=False).encode() + b"\n\n")


def _comments(handler):
    handler.begin()
    handler.send(b": processing\r\n\r\nid: 7\r\nretry: 10\r\n\r\n")
    for byte in event(PROOF, "stop").replace(b"\n", b"\r\n") + b": keep-alive\r\n\r\nevent: ping\r\n\r\n":
        handler.send(bytes([byte]))


def _surrogate(handler):
    handler.begin()
    handler.send(b'data: {"choices": [{"index": 0, "delta": {"content": "\\ud83d"}, "finish_reason": null}]}\n\n')
    handler.piece(PROOF)
    handler.piece("", "stop")


def _reasons(handler):
    handler.begin()
    handler.piece(None, reasoning_content="先想一想[99]。")
    for piece in ("<th", "ink>想", "了又想</thi", "nk>", "\n\n", PROOF):
        handler.piece(piece)
    handler.piece("", "stop")


ODDITIES: dict[str, Callable[[Handler], None]] = {
    "no [DONE]": _no_done,
    "two [DONE]": _two_done,
    "another type": _other_type,
    "comments": _comments,
    "lone surrogate": _surrogate,
    "thoughts": _reasons,
}
