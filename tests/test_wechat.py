"""bot.channels.wechat as WeChat calls it: signed, encrypted by wechatpy, delivered three times, forged and replayed."""

from __future__ import annotations

import json
import logging
import random
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest
from conftest import Configured, JsonReplies, ShortBot, SlowBot, platform_api, wait_for, write_articles
from fastapi import FastAPI
from fastapi.testclient import TestClient
from wechatpy.crypto import WeChatCrypto

from bot.answer.meta import HELLO
from bot.channels import wechat
from bot.channels.desk import ONLY_TEXT
from bot.channels.tencent import Crypto, signature
from bot.channels.tencent_api import Api
from bot.errors import SettingsError
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.web.app import create_app

TOKEN, KEY, APP = "canarytoken123", "canaryKEYabcdefghijklmnopqrstuvwxyz01234567", "wxcanaryapp"
QUESTION = "赵州桥由谁设计?"


def text_xml(content: str, number: str, user: str = "openid1") -> str:
    return (
        f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>"
        f"<CreateTime>1714112445</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        f"<Content><![CDATA[{content}]]></Content><MsgId>{number}</MsgId></xml>"
    )


def plain_query(stamp: int | None = None, nonce: str | None = None) -> dict[str, str]:
    stamp_text, nonce = str(stamp or int(time.time())), nonce or str(random.getrandbits(40))
    return {"signature": signature(TOKEN, stamp_text, nonce), "timestamp": stamp_text, "nonce": nonce, "openid": "o"}


class Platform:
    """WeChat's side of one account: sends messages, reads replies; encrypted by wechatpy where `key` is given."""

    def __init__(self, client: TestClient, key: str = "") -> None:
        self.client = client
        self.crypto = WeChatCrypto(TOKEN, key, APP) if key else None

    def request(self, body: str, **query) -> tuple[str, dict[str, str]]:
        """(body, query) of a delivery."""
        asked = plain_query(**query)
        if not self.crypto:
            return body, asked
        sealed = self.crypto.encrypt_message(body, asked["nonce"], asked["timestamp"])
        found = ET.fromstring(sealed)
        return sealed, asked | {"encrypt_type": "aes", "msg_signature": found.findtext("MsgSignature")}

    def send(self, body: str, path: str = "/wechat", **query) -> str:
        """The text of the reply, or its body where it is none."""
        return self.deliver(*self.request(body, **query), path=path)

    def deliver(self, body: str, asked: dict[str, str], path: str = "/wechat") -> str:
        response = self.client.post(path, params=asked, content=body.encode())
        assert response.status_code == 200, response.text
        if not response.text.startswith("<xml>"):
            return response.text
        plain = response.text
        if self.crypto:
            sealed = ET.fromstring(plain)
            parts = [sealed.findtext(name) for name in ("MsgSignature", "TimeStamp", "Nonce")]
            plain = self.crypto.decrypt_message(plain, *parts)
        fields = ET.fromstring(plain)
        assert fields.findtext("ToUserName") == "openid1"
        assert fields.findtext("FromUserName") == "gh_1"
        return fields.findtext("Content")


@pytest.fixture
def slow(bot, tmp_path):
    return SlowBot(bot, load_settings(index=tmp_path / "index"))


@pytest.fixture
def quick_waits(monkeypatch):
    monkeypatch.setattr(wechat, "WAITS", {1: 0.4, 2: 0.4, 3: 0.4})
    monkeypatch.setattr(wechat, "_DROPPED_AFTER", 0.5)


def app_over(bot, *, key: str = "", api: Api | None = None) -> FastAPI:
    crypto = Crypto.from_keys(TOKEN, key, APP, "WENQU_WECHAT_AES_KEY") if key else None
    app = FastAPI()
    app.include_router(wechat.routes(bot, bot.settings, wechat.Account(TOKEN, APP, crypto, api)))
    return app


@pytest.fixture
def client(slow):
    with TestClient(app_over(slow), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def safe_client(slow):
    with TestClient(app_over(slow, key=KEY), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/wechat", "/wechat/"])
def test_the_check_of_the_address_gets_its_echostr_as_it_is(client, path):
    response = client.get(path, params=plain_query() | {"echostr": "4375120948345356249"})
    assert (response.status_code, response.text) == (200, "4375120948345356249")
    assert response.headers["content-type"].startswith("text/plain")
    assert client.get(path, params=plain_query() | {"signature": "0" * 40, "echostr": "1"}).status_code == 401
    assert client.get(path).status_code == 401


@pytest.mark.parametrize("key", ["", KEY])
def test_a_question_is_answered_in_its_first_delivery(slow, key):
    with TestClient(app_over(slow, key=key)) as client:
        text = Platform(client, key).send(text_xml(QUESTION, "1"), "/wechat/")
    assert "李春设计" in text
    assert "来源:" in text
    assert "[1] 赵州桥" in text
    assert "【" in text
    assert len(text.encode()) <= wechat.LIMIT


def test_a_short_answer_stands_above_its_sentence(slow, client):
    slow.bot = ShortBot(slow.bot, "李春")
    assert Platform(client).send(text_xml(QUESTION, "1")).startswith("【李春】\n\n赵州桥又名安济桥")


def test_callbacks_in_json_are_answered_in_json(client):
    body = {
        "ToUserName": "gh_1",
        "FromUserName": "u",
        "CreateTime": 1,
        "MsgType": "text",
        "Content": QUESTION,
        "MsgId": 5,
    }
    response = client.post("/wechat", params=plain_query(), json=body)
    assert "李春" in json.loads(response.text)["Content"]


def test_three_deliveries_are_one_search_and_one_answer(slow, client):
    slow.seconds = 0.3
    platform = Platform(client)
    body, asked = platform.request(text_xml(QUESTION, "1"))
    with ThreadPoolExecutor(3) as pool:
        texts = list(pool.map(lambda _: platform.deliver(body, asked), range(3)))
    assert slow.asked == [QUESTION]
    assert len(set(texts)) == 1
    assert "李春" in texts[0]
    # Delivered again with another signature, as a retry may be: still no second search.
    assert platform.send(text_xml(QUESTION, "1")) == texts[0]
    assert slow.asked == [QUESTION]


def test_deliveries_to_the_process_that_answers_do_not_look_into_the_journal(slow, client, monkeypatch):
    monkeypatch.setattr(wechat, "_POLL_SECONDS", 60)
    slow.seconds = 0.3
    platform = Platform(client)
    request = platform.request(text_xml(QUESTION, "1"))
    with ThreadPoolExecutor(3) as pool:
        texts = list(pool.map(lambda _: platform.deliver(*request), range(3)))
    assert ["李春" in text for text in texts] == [True] * 3


def test_a_delivery_to_another_process_finds_the_reply_in_the_journal(bot, tmp_path):
    settings = load_settings(index=tmp_path / "index")
    one, two = SlowBot(bot, settings, 0.8), SlowBot(bot, settings)
    with TestClient(app_over(one)) as first, TestClient(app_over(two)) as second, ThreadPoolExecutor(1) as pool:
        platform = Platform(first)
        request = platform.request(text_xml(QUESTION, "1"))
        text = pool.submit(platform.deliver, *request)
        wait_for(one.asked, 1)
        assert "李春" in Platform(second).deliver(*request)
        assert "李春" in text.result()
    assert two.asked == []


@pytest.mark.usefixtures("quick_waits")
def test_an_answer_that_is_late_for_all_deliveries_waits_for_continue(slow, client):
    slow.seconds = 1.8
    platform = Platform(client)
    request = platform.request(text_xml(QUESTION, "1"))
    assert platform.deliver(*request) == ""  # dropped by WeChat, which asks again
    assert platform.deliver(*request) == ""
    assert platform.deliver(*request) == wechat.PENDING
    assert platform.send(text_xml("继续", "2")) == wechat.PENDING
    slow.seconds = 0
    other = platform.send(text_xml("西安地铁二号线何时开通?", "3"))
    assert "2011年" in other  # a new question gets its own answer
    for number in range(100):  # until the late answer is there, however slow the machine is
        late = platform.send(text_xml("继续", f"4.{number}"))
        if late != wechat.PENDING:
            break
        time.sleep(0.1)
    assert late.startswith(f"关于「{QUESTION}」")
    assert "李春" in late
    assert platform.send(text_xml("继续！", "5")) == wechat.NOTHING_MORE


class FakeApi(JsonReplies, BaseHTTPRequestHandler):
    """WeChat's API: a token, and customer-service messages or the error that the server holds."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((self.path.split("?")[0], body.decode()))
        answer = {"access_token": "canaryaccess", "expires_in": 7200} if "stable_token" in self.path else None
        if answer is None:
            code = self.server.errors.pop(0) if self.server.errors else 0
            answer = {"errcode": code, "errmsg": "x"}
        self.send_json(answer)


@pytest.fixture
def fake_api():
    with platform_api(FakeApi, calls=[], errors=[]) as server:
        yield server


def api_of(server) -> Api:
    return Api.wechat(APP, "canarysecret", f"http://127.0.0.1:{server.server_port}")


@pytest.mark.usefixtures("quick_waits")
@pytest.mark.parametrize(("errors", "sent"), [([], 1), ([40001], 2), ([48001], 1)])
def test_a_late_answer_goes_out_by_customer_service_where_the_account_may(slow, fake_api, errors, sent):
    slow.seconds, fake_api.errors = 1.6, list(errors)
    with TestClient(app_over(slow, api=api_of(fake_api))) as client:
        platform = Platform(client)
        request = platform.request(text_xml(QUESTION, "1"))
        assert [platform.deliver(*request) for _ in range(3)] == ["", "", "success"]
        tokens = 2 if errors == [40001] else 1
        wait_for(fake_api.calls, sent + tokens)
        messages = [json.loads(body) for path, body in fake_api.calls if path.endswith("custom/send")]
        assert len(messages) == sent
        assert messages[-1]["touser"] == "openid1"
        assert "李春" in messages[-1]["text"]["content"]
        raw = next(body for path, body in fake_api.calls if path.endswith("custom/send"))
        assert "李春" in raw  # not escaped
        slow.seconds = 0
        for number in range(100 if errors == [48001] else 1):  # it is kept once the platform has declined it
            rest = platform.send(text_xml("继续", f"2.{number}"))
            if "李春" in rest:
                break
            time.sleep(0.05)
    assert ("李春" in rest) == (errors == [48001])  # without the right to push, it waits for 继续


PORTS = {
    "青岛港": "装卸的货物有煤炭和矿石,另有一个专运原油的三十万吨级码头,靠近黄岛油库。",
    "宁波港": "装卸的货物以集装箱为主,梅山港区的桥吊全部由远程操作,司机坐在办公楼里。",
    "广州港": "装卸的货物多是粮食与汽车,南沙的滚装泊位一天能开上去两千辆新车。",
    "大连港": "装卸的货物里木材最多,来自北方的原木在湾里浮着,等候剥皮和检疫。",
}


def test_a_long_answer_comes_in_pages_that_belong_to_its_question(tmp_path, embedder, monkeypatch):
    monkeypatch.setattr(wechat, "LIMIT", 300)
    articles = {f"{name}.txt": f"{name}的码头\n\n{text}" for name, text in PORTS.items()}
    corpus = write_articles(tmp_path / "corpus", articles)
    bot = Bot(load_settings(corpus=corpus, index=tmp_path / "index", sources=4, threshold=0), embedder)
    bot.refresh()
    with TestClient(app_over(bot)) as client:
        platform = Platform(client)
        shown = [platform.send(text_xml("码头装卸的货物有什么?", "1"))]
        assert "继续" in shown[0]
        while "继续" in shown[-1] and len(shown) < 9:
            shown.append(platform.send(text_xml("继续", f"c{len(shown)}")))
        assert 3 <= len(shown) < 9
        assert all(len(page.encode()) <= wechat.LIMIT for page in shown)
        assert all(name in "".join(shown) for name in PORTS)
        # Another question in between: its own answer, and 继续 no longer shows the old one's rest.
        platform.send(text_xml("码头装卸的货物有什么?", "2"))
        assert "问题是空的" in platform.send(text_xml("？", "3"))
        assert platform.send(text_xml("继续", "c9")) == wechat.NOTHING_MORE


def test_what_is_no_question_is_answered_politely_or_not_at_all(client, slow):
    platform = Platform(client)
    event = text_xml("", "").replace("[text]", "[event]").replace("<MsgId></MsgId>", "<Event><![CDATA[{}]]></Event>")
    image = text_xml("", "7").replace("[text]", "[image]")
    assert platform.send(event.format("subscribe")) == HELLO["zh"]
    assert platform.send(event.format("unsubscribe")) == "success"
    assert platform.send(image) == ONLY_TEXT
    assert platform.send(text_xml("你好", "8")) == HELLO["zh"]
    assert "问题是空的" in platform.send(text_xml("？？", "9"))
    assert platform.send('{"action":"CheckContainerPath"}') == "success"
    assert slow.asked == ["？？"]


def test_an_account_with_a_key_takes_no_plain_message(safe_client, slow):
    response = safe_client.post("/wechat", params=plain_query(), content=text_xml(QUESTION, "1").encode())
    assert response.status_code == 401
    assert slow.asked == []


FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
# Each changes the query of a good request (in a copy) so that it is WeChat's no longer.
CHANGES = [
    lambda rng, asked, signed: asked.update({signed: signature("wrong", asked["timestamp"], asked["nonce"])}),
    lambda rng, asked, signed: asked.update({signed: asked[signed][:-1] + ("0" if asked[signed][-1] != "0" else "1")}),
    lambda rng, asked, signed: asked.update({signed: rng.choice(["é" * 40, "", "a" * 5000, "签名", "\x00"])}),
    lambda rng, asked, signed: asked.pop(rng.choice([signed, "timestamp", "nonce"])),
    lambda rng, asked, signed: asked.update(timestamp=str(int(asked["timestamp"]) + rng.choice([-1, 1, 301, -301]))),
    lambda rng, asked, signed: asked.update(timestamp=asked["timestamp"].translate(FULL_WIDTH)),
    lambda rng, asked, signed: asked.update(timestamp=rng.choice(["abc", "9" * 5000, "", "-1"])),
    lambda rng, asked, signed: asked.update(nonce=asked["nonce"] + "1"),
    lambda rng, asked, signed: asked.update({name: f"{value}'" for name, value in asked.items()}),
]
# Each changes the body of an encrypted request.
BODIES = ["", "<xml/>", "{}", "<xml><Encrypt></Encrypt></xml>", "\x00", "<xml>" * 99]


def forgeries(platform: Platform, rng: random.Random):
    """500 requests that are not WeChat's: changed, stale, of another key, or garbage."""
    signed = "msg_signature" if platform.crypto else "signature"
    for number in range(500):
        stale = int(time.time()) + rng.choice([-302, 302, -90_000]) if number % 10 == 9 else None
        body, asked = platform.request(text_xml(QUESTION, f"f{number}"), stamp=stale)
        if platform.crypto and number % 10 == 8:
            other = WeChatCrypto(TOKEN, KEY[::-1][:42] + "A", APP)
            sealed = other.encrypt_message(text_xml(QUESTION, "x"), asked["nonce"], asked["timestamp"])
            asked["msg_signature"] = ET.fromstring(sealed).findtext("MsgSignature")
            body = rng.choice([sealed, *BODIES, body.replace("<Encrypt><![CDATA[", "<Encrypt><![CDATA[A")])
        elif stale is None:
            rng.choice(CHANGES)(rng, asked, signed)
        yield body, asked


@pytest.mark.parametrize("key", ["", KEY])
def test_no_forged_request_is_accepted(slow, key):
    rng = random.Random(5)
    with TestClient(app_over(slow, key=key), raise_server_exceptions=False) as client:
        platform = Platform(client, key)
        for body, asked in forgeries(platform, rng):
            response = client.post("/wechat", params=asked, content=body.encode())
            assert response.status_code == 401, (asked, body)
        assert slow.asked == []
        # A captured request with another message in it, and the captured one itself.
        body, asked = platform.request(text_xml(QUESTION, "1"))
        first = platform.deliver(body, asked)
        other = text_xml("换掉的问题", "2")
        if key:
            other = body.replace("<Encrypt>", "<Encrypt> ")
        assert client.post("/wechat", params=asked, content=other.encode()).status_code == 401
        assert platform.deliver(body, asked) == first
    assert slow.asked == [QUESTION]


def test_secrets_and_questions_stand_in_no_log(slow, fake_api, caplog):
    caplog.set_level(logging.DEBUG)
    fake_api.errors = [48001]
    with TestClient(app_over(slow, key=KEY, api=api_of(fake_api)), raise_server_exceptions=False) as client:
        platform = Platform(client, KEY)
        platform.send(text_xml(QUESTION, "1"))
        client.post("/wechat", params=plain_query(), content=b"<xml/>")
        client.portal.call(send_one, api_of(fake_api))
    assert "a request was refused" in caplog.text
    for secret in (TOKEN, KEY, KEY[:8], "canarysecret", "canaryaccess", QUESTION):
        assert secret not in caplog.text
    assert TOKEN not in repr(load_settings(wechat_token=TOKEN))


async def send_one(api: Api) -> None:
    try:
        await api.post("/cgi-bin/message/custom/send", {"touser": "u"})
    except Exception as error:
        assert "48001" in str(error)


def test_without_a_token_there_is_no_route_and_a_wrong_key_says_which_setting(bot):
    with TestClient(create_app(bot)) as client:
        assert client.get("/wechat").status_code == 404
        assert client.post("/wechat").status_code == 404
    with pytest.raises(SettingsError, match="WENQU_WECHAT_AES_KEY"):
        create_app(Configured(bot, load_settings(wechat_token=TOKEN, wechat_aes_key="short")))
