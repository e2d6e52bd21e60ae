"""bot.channels.wecom as WeCom calls it: encrypted by wechatpy, acknowledged at once, answered by message/send."""

from __future__ import annotations

import json
import logging
import random
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import JsonReplies, ShortBot, SlowBot, platform_api, wait_for
from fastapi import FastAPI
from fastapi.testclient import TestClient
from wechatpy.enterprise.crypto import WeChatCrypto

from bot.answer.meta import HELLO
from bot.channels import wecom
from bot.channels.desk import ONLY_TEXT
from bot.channels.tencent import Crypto, signature
from bot.channels.tencent_api import Api
from bot.settings import load_settings
from bot.web.app import create_app

pytestmark = pytest.mark.slow

TOKEN, KEY, CORP, SECRET = (
    "canarytoken456",
    "canaryKEYabcdefghijklmnopqrstuvwxyz01234567",
    "wwcanarycorp",
    "canarycorpsecret",
)
QUESTION = "赵州桥由谁设计?"


def text_xml(content: str, number: str, user: str = "zhangsan", kind: str = "text", event: str = "") -> str:
    return (
        f"<xml><ToUserName>{CORP}</ToUserName><FromUserName>{user}</FromUserName><CreateTime>1348831860</CreateTime>"
        f"<MsgType>{kind}</MsgType><Content><![CDATA[{content}]]></Content><MsgId>{number}</MsgId>"
        f"<AgentID>1000002</AgentID>{f'<Event>{event}</Event>' if event else ''}</xml>"
    )


class FakeWeCom(JsonReplies, BaseHTTPRequestHandler):
    """qyapi: gettoken and message/send; the first tokens of `stale` are said to have run out."""

    def do_GET(self):
        asked = parse_qs(urlsplit(self.path).query)
        assert asked == {"corpid": [CORP], "corpsecret": [SECRET]}
        self.server.tokens += 1
        self.send_json({"errcode": 0, "access_token": f"canaryaccess{self.server.tokens}", "expires_in": 7200})

    def do_POST(self):
        if self.server.drops:
            self.server.drops -= 1
            self.connection.close()
            return
        token = parse_qs(urlsplit(self.path).query)["access_token"][0]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if token in self.server.stale:
            self.send_json({"errcode": 42001, "errmsg": "access_token expired"})
            return
        self.server.sent.append(body)
        self.send_json({"errcode": 0, "errmsg": "ok"})


@pytest.fixture
def qyapi():
    with platform_api(FakeWeCom, sent=[], stale=set(), tokens=0, drops=0) as server:
        yield server


@pytest.fixture
def slow(bot, tmp_path):
    return SlowBot(bot, load_settings(index=tmp_path / "index", wecom_agent_id=1000002))


@pytest.fixture
def client(slow, qyapi):
    crypto = Crypto.from_keys(TOKEN, KEY, CORP, "WENQU_WECOM_AES_KEY")
    app = FastAPI()
    api = Api.wecom(CORP, SECRET, f"http://127.0.0.1:{qyapi.server_port}")
    app.include_router(wecom.routes(slow, slow.settings, crypto, api))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def request(body: str, stamp: int | None = None, nonce: str = "") -> tuple[str, dict[str, str]]:
    stamp_text, nonce = str(stamp or int(time.time())), nonce or str(random.getrandbits(40))
    sealed = WeChatCrypto(TOKEN, KEY, CORP).encrypt_message(body, nonce, stamp_text)
    found = ET.fromstring(sealed)
    encrypted = f"<Encrypt>{found.findtext('Encrypt')}</Encrypt>"
    outer = f"<xml><ToUserName>{CORP}</ToUserName><AgentID>1000002</AgentID>{encrypted}</xml>"
    return outer, {"msg_signature": found.findtext("MsgSignature"), "timestamp": stamp_text, "nonce": nonce}


def send(client, body: str) -> None:
    outer, asked = request(body)
    response = client.post("/wecom", params=asked, content=outer.encode())
    assert (response.status_code, response.text) == (200, "")


@pytest.mark.parametrize("path", ["/wecom", "/wecom/"])
def test_the_check_of_the_address_gets_its_echostr_decrypted(client, path):
    outer, asked = request("1288432023552776189")
    asked["echostr"] = ET.fromstring(outer).findtext("Encrypt")
    response = client.get(path, params=asked)
    assert (response.status_code, response.text) == (200, "1288432023552776189")
    assert response.headers["content-type"].startswith("text/plain")
    raw = "&".join(f"{name}={value}" for name, value in asked.items())  # + and / as they are: + arrives as a blank
    assert client.get(f"{path}?{raw}").text == "1288432023552776189"
    assert client.get(path, params=asked | {"nonce": "1"}).status_code == 401


def test_a_question_is_acknowledged_and_answered_once_though_delivered_three_times(client, slow, qyapi):
    slow.seconds, slow.released = 60.0, True
    outer, asked = request(text_xml(QUESTION, "1"))
    for _ in range(3):
        assert client.post("/wecom", params=asked, content=outer.encode()).text == ""
    assert qyapi.sent == []
    slow.over.set()
    send(client, text_xml(QUESTION, "1"))  # the same message under another signature
    (message,) = wait_for(qyapi.sent, 1)
    time.sleep(0.2)
    assert len(qyapi.sent) == 1
    assert slow.asked == [QUESTION]
    assert message["touser"] == "zhangsan"
    assert message["agentid"] == 1000002
    text = message["text"]["content"]
    assert "李春" in text
    assert "【" in text
    assert "[1] 赵州桥" in text
    assert len(text.encode()) <= wecom.LIMIT


def test_a_short_answer_stands_above_its_sentence(client, slow, qyapi):
    slow.bot = ShortBot(slow.bot, "李春")
    send(client, text_xml(QUESTION, "1"))
    (message,) = wait_for(qyapi.sent, 1)
    assert message["text"]["content"].startswith("【李春】\n\n赵州桥又名安济桥")


def test_a_token_that_ran_out_is_fetched_again(client, qyapi):
    qyapi.stale = {"canaryaccess1"}
    send(client, text_xml(QUESTION, "1"))
    assert wait_for(qyapi.sent, 1)
    assert qyapi.tokens == 2


def test_a_connection_that_breaks_costs_no_answer(client, qyapi):
    qyapi.drops = 1
    send(client, text_xml(QUESTION, "1"))
    assert wait_for(qyapi.sent, 1)
    assert qyapi.drops == 0


def test_what_is_no_question(client, qyapi, slow):
    send(client, text_xml("", "1", kind="image"))
    send(client, text_xml("", "", kind="event", event="subscribe"))
    send(client, text_xml("", "", kind="event", event="enter_agent"))
    texts = {message["text"]["content"] for message in wait_for(qyapi.sent, 2)}
    assert texts == {ONLY_TEXT, HELLO["zh"]}
    assert slow.asked == []


def test_acknowledged_while_answers_take_their_time_and_none_is_lost(client, slow, qyapi):
    slow.seconds = 60.0

    def deliver(number: int) -> int:
        outer, asked = request(text_xml(QUESTION, str(number)))
        return client.post("/wecom", params=asked, content=outer.encode()).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(deliver, range(100))) == {200}
    assert qyapi.sent == []  # all are acknowledged before any is answered
    slow.released = True
    slow.over.set()
    assert all("李春" in str(sent) for sent in wait_for(qyapi.sent, 100))


def test_no_forged_request_is_accepted(client, slow):
    rng = random.Random(7)
    for number in range(500):
        stale = int(time.time()) + rng.choice([-302, 302]) if number % 5 == 0 else None
        outer, asked = request(text_xml(QUESTION, f"f{number}"), stale)
        if number % 5 == 1:
            asked["msg_signature"] = rng.choice(["", "é", "0" * 40, signature("wrong", *asked.values())])
        elif number % 5 == 2:
            asked["timestamp"] = rng.choice(["abc", "", "9" * 5000, "１７", str(int(asked["timestamp"]) + 1)])
        elif number % 5 == 3:
            outer = rng.choice(["", "<xml/>", "{", "\x00", outer.replace("<Encrypt>", "<Encrypt>A"), "<xml>" * 50])
        elif number % 5 == 4:
            del asked[rng.choice(list(asked))]
        response = client.post("/wecom", params=asked, content=outer.encode())
        assert response.status_code == 401, (asked, outer)
    assert slow.asked == []
    # One nonce, two messages: the second is a replay.
    good, asked = request(text_xml(QUESTION, "1"), nonce="n1")
    assert client.post("/wecom", params=asked, content=good.encode()).status_code == 200
    other, altered = request(text_xml("换掉的问题", "2"), int(asked["timestamp"]), "n1")
    assert client.post("/wecom", params=altered, content=other.encode()).status_code == 401


def test_secrets_and_questions_stand_in_no_log(client, qyapi, caplog):
    caplog.set_level(logging.DEBUG)
    send(client, text_xml(QUESTION, "1"))
    client.post("/wecom", content=b"<xml/>")
    assert wait_for(qyapi.sent, 1)
    assert "a request was refused" in caplog.text
    for secret in (TOKEN, KEY, SECRET, "canaryaccess", QUESTION):
        assert secret not in caplog.text


@pytest.mark.parametrize("missing", ["wecom_token", "wecom_aes_key", "wecom_corp_id", "wecom_agent_id", "wecom_secret"])
def test_without_one_of_its_settings_there_is_no_route(bot, missing):
    whole = {
        "wecom_token": TOKEN,
        "wecom_aes_key": KEY,
        "wecom_corp_id": CORP,
        "wecom_agent_id": 1,
        "wecom_secret": SECRET,
    }
    assert wecom.router(bot, load_settings(**whole)) is not None
    assert wecom.router(bot, load_settings(**{name: value for name, value in whole.items() if name != missing})) is None
    with TestClient(create_app(bot)) as client:
        assert client.post("/wecom").status_code == 404
