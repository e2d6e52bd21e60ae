"""Every way in to one application: what a reader gets when a question is put through each of them."""

from __future__ import annotations

import hmac
import html
import io
import json
import logging
import random
import re
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from conftest import Configured
from fastapi.testclient import TestClient
from rich.console import Console
from slack_api import BOT_TOKEN, SlackApi, slack_api
from wechatpy.crypto import WeChatCrypto

from bot.channels import slack, wechat
from bot.channels.tencent import signature
from bot.cli import chat
from bot.pipeline import Bot
from bot.web.app import create_app

SLACK_SECRET = "canary-signing-secret"
TOKEN, KEY, APP = "canarytoken123", "canaryKEYabcdefghijklmnopqrstuvwxyz01234567", "wxcanaryapp"
PUBLIC = "https://wenqu.example"
SECRETS = {
    "slack_bot_token": BOT_TOKEN, "slack_signing_secret": SLACK_SECRET, "wechat_token": TOKEN, "wechat_aes_key": KEY,
    "wechat_app_id": APP, "public_url": PUBLIC,
}  # fmt: skip
WAYS = ("json", "sse", "openai", "openai stream", "slack", "wechat", "wechat aes", "terminal")
HTTP_WAYS = WAYS[:-1]
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINK = re.compile(re.escape(PUBLIC) + r"/source/([^?\s)]+)\?")


@dataclass
class Said:
    """What came back: an HTTP status (200 in the terminal), what the reader reads, the bytes of it, what it cost."""

    status: int
    text: str
    size: int
    data: dict = field(default_factory=dict)
    seconds: float = 0.0  # of this process's CPU time: another process on the machine changes nothing
    sources: tuple[str, ...] = ()  # ids of the passages that are shown, in order


class Everywhere:
    """Asks one application; each question is a conversation of its own."""

    def __init__(self, bot: Bot, api: SlackApi, client: TestClient) -> None:
        self.bot, self.api, self.client = bot, api, client
        self.number = random.getrandbits(40)

    def ask(self, way: str, question: str) -> Said:
        """The question as text, through one way in."""
        begun = time.process_time()
        said = self._by(way)(json.dumps(question), question)
        said.seconds = time.process_time() - begun
        found = said.data.get("evidence")
        if way == "terminal":
            places = re.findall(r"^\[\d+\] .*  (\S+:\d+)$", said.text, re.MULTILINE)
            said.sources = tuple(map(self._passages().get, places)) if places else ()
        else:
            shown = said.data.get("citations", []) if way.startswith("openai") else [said.text]
            linked = dict.fromkeys(_LINK.findall("\n".join(shown)))
            said.sources = tuple(linked) if found is None else tuple(one["passage"]["id"] for one in found)
        return said

    def _passages(self) -> dict[str, str]:
        """Where a passage stands, as the terminal shows it, and its id."""
        index = self.bot.live.get()
        return {f"{p.document}:{p.start}": p.id for p in index.store.passages(range(index.manifest["passages"]))}

    def send(self, way: str, value: str) -> Said:
        """A JSON value, well formed or not, where the text of a question belongs; Latin-1 gives its bytes."""
        return self._by(way)(value, None)

    def post(self, way: str, body: bytes, kind: str) -> Said:
        """A whole body to the address of a way, signed where it must be."""
        self.number += 1
        path, query, headers = "", {}, {"content-type": kind} if kind else {}
        if way == "slack":
            path, headers = "/slack/events", headers | self._slack_headers(body)
        elif way.startswith("wechat"):
            path, query = "/wechat" if way.endswith("aes") else "/plain/wechat", self._query()
        else:
            path = {"json": "/api/ask", "sse": "/api/chat"}.get(way, "/v1/chat/completions")
        response = self.client.post(path, params=query, content=body, headers=headers)
        return Said(response.status_code, response.text, len(response.content))

    def _by(self, way: str):
        name, _, more = way.partition(" ")
        return lambda value, question: getattr(self, f"_{name}")(value, question, more)

    def _json(self, value: str, question: str | None, more: str) -> Said:
        response = self.client.post("/api/ask", content=_body('{"question":', value), headers=_JSON)
        data = response.json()
        text = data["text"] if response.status_code == 200 else data["error"]["message"]
        return Said(response.status_code, text, len(response.content), data)

    def _sse(self, value: str, question: str | None, more: str) -> Said:
        response = self.client.post("/api/chat", content=_body('{"question":', value), headers=_JSON)
        if response.status_code != 200:
            return Said(response.status_code, response.json()["error"]["message"], len(response.content))
        found = events(response.content.decode())
        assert [name for name, _ in found][0 :: max(1, len(found) - 1)] == ["sources", "done"]
        (done,) = (data for name, data in found if name == "done")
        assert found[0][1] == done["evidence"]
        text = "".join(data["text"] for name, data in found if name == "delta")
        return Said(200, text, len(response.content), done)

    def _openai(self, value: str, question: str | None, more: str) -> Said:
        stream = '"stream":true,' if more else ""
        body = _body("{" + stream + '"messages":[{"role":"user","content":', value, "}]}")
        response = self.client.post("/v1/chat/completions", content=body, headers=_JSON)
        size = len(response.content)
        if response.status_code != 200:
            error = response.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}
            return Said(response.status_code, error["message"], size)
        if not more:
            return Said(200, response.json()["choices"][0]["message"]["content"], size, response.json())
        lines = [line[6:] for line in response.content.decode().split("\n\n") if line]
        assert lines[-1] == "[DONE]"
        chunks = [json.loads(line) for line in lines[:-1]]
        text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        return Said(200, text, size, chunks[-1])

    def _slack(self, value: str, question: str | None, more: str) -> Said:
        self.number += 1
        stamp = f"17{self.number}.0001"
        shown = (
            json.dumps(html.escape(question, quote=False)) if question is not None else value
        )  # as Slack sends what is typed
        event = {"type": "app_mention", "user": f"U{self.number}", "text": 0, "ts": stamp, "channel": "C1"}
        envelope = {"type": "event_callback", "team_id": "T1", "event_id": f"Ev{self.number}", "event": event}
        before, after = json.dumps(envelope).split('"text": 0')
        body = _body(before + '"text":', shown, after)
        response = self.client.post("/slack/events", content=body, headers=self._slack_headers(body) | _JSON)
        if response.status_code != 200 or question is None:
            return Said(response.status_code, response.text, len(response.content))
        deadline, sent = time.monotonic() + 20, []
        while not _whole(sent) and time.monotonic() < deadline:
            time.sleep(0.001)
            sent = [call for name, call in list(self.api.calls) if call.get("thread_ts") == stamp]
        self.api.calls.clear()
        assert _whole(sent), "Slack was sent no whole answer"
        blocks = [block["text"] for message in sent for block in message.get("blocks", ()) if block.get("text")]
        return Said(200, "\n".join(blocks) or sent[0]["text"], len(json.dumps(sent)))

    def _slack_headers(self, body: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        digest = hmac.new(SLACK_SECRET.encode(), f"v0:{stamp}:".encode() + body, "sha256").hexdigest()
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}

    def _wechat(self, value: str, question: str | None, more: str) -> Said:
        """A message in XML; in JSON where XML cannot carry it."""
        self.number += 1
        user, number = f"o{self.number}", str(self.number)
        if question is not None and not _NOT_XML.search(question):
            text = html.escape(question, quote=False)
            fields = "".join(f"<{n}>{v}</{n}>" for n, v in _fields(user, number).items())
            body = f"<xml>{fields}<Content>{text}</Content></xml>".encode()
        else:
            body = _body(json.dumps(_fields(user, number))[:-1] + ',"Content":', value)
        asked, path = self._query(), "/plain/wechat"
        crypto = WeChatCrypto(TOKEN, KEY, APP)
        if more:
            sealed = ET.fromstring(crypto.encrypt_message(body, asked["nonce"], asked["timestamp"]))
            asked |= {"encrypt_type": "aes", "msg_signature": sealed.findtext("MsgSignature")}
            body, path = f"<xml><Encrypt>{sealed.findtext('Encrypt')}</Encrypt></xml>".encode(), "/wechat"
        response = self.client.post(path, params=asked, content=body)
        shown = response.text
        if more and shown.startswith("<xml>"):
            sealed = ET.fromstring(shown)
            parts = [sealed.findtext(name) for name in ("MsgSignature", "TimeStamp", "Nonce")]
            shown = crypto.decrypt_message(shown, *parts)
        if shown.startswith("<xml>"):
            fields = ET.fromstring(shown)
            assert [child.tag for child in fields] == ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"]
            shown = fields.findtext("Content") or ""
        elif shown.startswith("{"):
            shown = json.loads(shown)["Content"]
        return Said(response.status_code, shown, len(response.content))

    def _query(self) -> dict[str, str]:
        stamp, nonce = str(int(time.time())), str(random.getrandbits(60))
        return {"signature": signature(TOKEN, stamp, nonce), "timestamp": stamp, "nonce": nonce}

    def _terminal(self, value: str, question: str | None, more: str) -> Said:
        out, stdin = io.StringIO(), sys.stdin
        sys.stdin = io.StringIO(question.replace("\n", " "))  # a line is a question
        try:
            chat.chat(self.bot, Console(file=out, soft_wrap=True, force_terminal=False), keep_history=False)
        finally:
            sys.stdin = stdin
        return Said(200, out.getvalue().strip("\n"), len(out.getvalue().encode("utf-8", "replace")))


_JSON = {"content-type": "application/json"}


def _body(before: str, value: str, after: str = "}") -> bytes:
    return (before + value + after).encode("latin-1")


def _fields(user: str, number: str) -> dict[str, str]:
    return {"ToUserName": "gh_1", "FromUserName": user, "CreateTime": "1", "MsgType": "text", "MsgId": number}


def _whole(sent: list[dict]) -> bool:
    """Whether the last message of a reply is there: the one with the buttons, or one of words alone."""
    return bool(sent) and ("blocks" not in sent[-1] or sent[-1]["blocks"][-1]["type"] == "context_actions")


def events(body: str) -> list[tuple[str, object]]:
    """(name, data) of each event of a stream, every line of which must be a field or a comment."""
    found = []
    for block in filter(None, body.replace("\r\n", "\n").split("\n\n")):
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        assert len(fields) == len(lines)
        if lines:
            assert set(fields) == {"event", "data"}, fields
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def letters(text: str) -> str:
    """Only letters and digits: how two ways write the same words, whatever they escape."""
    return re.sub(r"[\W_]+", "", html.unescape(text))


@contextmanager
def everywhere(bot: Bot, asked: Bot | None = None) -> Iterator[Everywhere]:
    """The ways in to a bot whose settings hold SECRETS; `asked` answers in its place."""
    with slack_api() as api, pytest.MonkeyPatch.context() as patch:
        patch.setattr(slack, "API", api.url)
        app = create_app(Configured(asked, bot.settings) if asked else bot)
        plain = wechat.routes(asked or bot, bot.settings, wechat.Account(TOKEN, APP, None, None))
        app.include_router(plain, prefix="/plain")
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            ways = Everywhere(bot, api, client)
            ways.bot = asked or bot
            yield ways


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The messages in the log that tell of a bug."""
    records = caplog.get_records("setup") + caplog.get_records("call")
    return [record.getMessage() for record in records if record.exc_info or record.levelno >= logging.ERROR]


_SEEN: list[tuple] = []
_WATCHING: list[bool] = []


def _hook(name: str, arguments: tuple) -> None:
    if _WATCHING and name in ("socket.connect", "socket.getaddrinfo", "open"):
        _SEEN.append((name, *arguments))


@contextmanager
def watched() -> Iterator[list[tuple]]:
    """What this process connects to, looks up and opens meanwhile, by whichever library: Python's audit events."""
    if not hasattr(sys, "_wenqu_hook"):
        sys.addaudithook(_hook)  # cannot be taken out again
        sys._wenqu_hook = True
    _SEEN.clear()
    _WATCHING.append(True)
    try:
        yield _SEEN
    finally:
        _WATCHING.clear()


def outbound(seen: list[tuple], *allowed: str) -> list[tuple]:
    """The places that were called, but for the addresses given."""
    ports = {urlsplit(url).port for url in allowed}
    called = [event[2] for event in seen if event[0] == "socket.connect"]
    called += [event[1:3] for event in seen if event[0] == "socket.getaddrinfo"]
    return [place for place in called if place[0] not in ("127.0.0.1", "localhost") or int(place[1]) not in ports]
