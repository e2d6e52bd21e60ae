"""Slack, WeChat and WeCom: what they did not sign now is refused, what they deliver again is answered once."""

from __future__ import annotations

import json
import random
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from conftest import SlowBot, write_articles
from everywhere import APP, KEY, SECRETS, SLACK_SECRET, TOKEN, everywhere, outbound, tracebacks, watched
from slack_sdk.signature import SignatureVerifier
from wechatpy.crypto import WeChatCrypto
from wechatpy.enterprise.crypto import WeChatCrypto as WeComCrypto

from bot.channels import slack, tencent, wechat
from bot.channels.tencent import signature, written
from bot.pipeline import Bot
from bot.settings import load_settings

pytestmark = pytest.mark.slow

CORP = "wwcanarycorp"
WECOM = {"wecom_token": TOKEN, "wecom_aes_key": KEY, "wecom_corp_id": CORP, "wecom_agent_id": 1, "wecom_secret": "x"}
QUESTION = "赵州桥由谁设计?"
PLATFORMS = ("slack", "wechat", "wechat aes", "wecom")
PATHS = {"slack": "/slack/events", "wechat": "/plain/wechat", "wechat aes": "/wechat", "wecom": "/wecom"}


@pytest.fixture(scope="module")
def built(tmp_path_factory, embedder):
    """A bot with every callback on."""
    folder = tmp_path_factory.mktemp("callbacks")
    corpus = write_articles(folder / "corpus")
    bot = Bot(load_settings(corpus=corpus, index=folder / "index", **SECRETS, **WECOM), embedder)
    bot.refresh()
    return bot


def message(number: str, kind: str = "text") -> str:
    """A message of WeChat or WeCom in XML; one of another kind than text asks nothing."""
    fields = {"ToUserName": "gh_1", "FromUserName": f"o{number}", "CreateTime": "1", "MsgType": kind,
              "Content": QUESTION, "MsgId": number}  # fmt: skip
    return written(fields)


def signed(platform: str, number: str, at: float | None = None, nonce: str = "") -> tuple[dict[str, str], bytes]:
    """(what carries the signature, body) of a good delivery: headers for Slack, else the query."""
    stamp, nonce = str(int(time.time() if at is None else at)), nonce or f"n{number}"
    if platform == "slack":
        event = {"type": "app_mention", "user": "U1", "text": QUESTION, "ts": f"{number}.1", "channel": "C1"}
        body = json.dumps({"type": "event_callback", "team_id": "T1", "event_id": f"Ev{number}", "event": event})
        digest = SignatureVerifier(SLACK_SECRET).generate_signature(timestamp=stamp, body=body)
        return {"x-slack-request-timestamp": stamp, "x-slack-signature": digest}, body.encode()
    if platform == "wechat":
        asked = {"signature": signature(TOKEN, stamp, nonce), "timestamp": stamp, "nonce": nonce}
        return asked, message(number).encode()
    crypto = WeComCrypto(TOKEN, KEY, CORP) if platform == "wecom" else WeChatCrypto(TOKEN, KEY, APP)
    plain = message(number, "event" if platform == "wecom" else "text")  # an event of WeCom is acknowledged only
    sealed = ET.fromstring(crypto.encrypt_message(plain, nonce, stamp))
    asked = {"msg_signature": sealed.findtext("MsgSignature"), "timestamp": stamp, "nonce": nonce}
    return asked, f"<xml><Encrypt>{sealed.findtext('Encrypt')}</Encrypt></xml>".encode()


def deliver(ways, platform: str, parts: list[tuple[str, str | bytes]], body: bytes) -> int:
    """The status of a delivery whose signed parts come as they are: doubled, not ASCII, in any order."""
    raw = [
        (name, value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")) for name, value in parts
    ]
    if platform == "slack":
        headers = [(name.encode(), value) for name, value in raw]
        return ways.client.post(
            PATHS[platform], content=body, headers=[*headers, (b"content-type", b"application/json")]
        ).status_code
    query = "&".join(f"{name}={quote(value)}" for name, value in raw)
    return ways.client.post(f"{PATHS[platform]}?{query}", content=body).status_code


def other(chance: random.Random, text: str) -> str:
    """The text with one character changed to another letter or digit."""
    place = chance.randrange(len(text))
    return (
        text[:place] + chance.choice([c for c in "0123456789abcdefXYZ" if c != text[place].lower()]) + text[place + 1 :]
    )


def forged(chance: random.Random, platform: str, number: int) -> tuple[list[tuple[str, str | bytes]], bytes]:
    """A delivery that the platform did not sign, or not now."""
    kind = number % 12
    stale = time.time() + chance.choice([-302, 302, -86_400, 10**6]) if kind == 0 else None
    asked, body = signed(platform, f"f{number}", stale)
    sign, stamp = next(n for n in asked if "signature" in n), next(n for n in asked if "timestamp" in n)
    digits = asked[stamp]
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in digits)
    stamps = ["abc", "", "-1", "9" * 5000, wide, f"{digits}.0", "1e9", "²", "0x1", f"{digits}\u200b", "\ud800"]
    signs = [
        "",
        "签名",
        b"\xff\xfe",
        "f" * 5000,
        "v0=",
        "é" * 40,
        asked[sign].upper(),
        "0" * 40,
        asked[sign] + "0",
        b"\xed\xa0\x80",
    ]
    if kind in (1, 2):
        asked[sign] = other(chance, asked[sign])
    elif kind == 3:
        asked[stamp] = chance.choice(stamps)
    elif kind == 4:
        asked[sign] = chance.choice(signs)
    elif kind == 5:
        asked[stamp] = str(int(digits) + chance.choice([-1, 1, 60]))
    elif kind == 6 and "nonce" in asked:
        asked["nonce"] = chance.choice([other(chance, asked["nonce"]), "", "\x00", "n" * 5000])
    elif kind == 7:
        del asked[chance.choice(list(asked))]
    elif kind in (8, 6, 9) and platform != "wechat":  # its plain signature does not cover the body
        start = body.index(b"<Encrypt>") + 9 if platform != "slack" else 0
        place = chance.randrange(start, body.rindex(b"</Encrypt>") if platform != "slack" else len(body))
        body = (
            body[:place]
            + bytes([chance.choice([c for c in (0, 0xFF, 65, 97, 48, 10) if c != body[place]])])
            + body[place + 1 :]
        )
    elif kind == 10:
        return [*asked.items(), (sign, chance.choice(signs))], body  # doubled, the last one wrong
    elif kind == 11 or kind in (8, 9):
        asked[sign] = signed(platform, f"g{number}", nonce="other")[0][sign]  # of another request
    return list(asked.items()), body


def accepted(ways, chance: random.Random, count: int) -> list[tuple]:
    """The forged deliveries, all platforms in turn, that got another answer than 401."""
    found = []
    for number in range(count):
        platform = PLATFORMS[number % 4]
        parts, body = forged(chance, platform, number // 4)
        status = deliver(ways, platform, parts, body)
        if status != 401:
            found.append((platform, status, parts, body[:80]))
    return found


def test_what_is_not_signed_now_is_refused(built, promise, full, seed, caplog):
    count, slow = 5000 if full else 500, SlowBot(built, built.settings)
    with everywhere(built, slow) as ways:
        wrong = accepted(ways, random.Random(seed), count)
        sent = [name for name, _ in ways.api.calls if name != "auth.test"]
        bugs, good = tracebacks(caplog), {}
        for platform in PLATFORMS:
            parts, body = signed(platform, f"ok{platform}")
            good[platform] = deliver(ways, platform, list(parts.items()), body)
    promise("P30", "forged, altered and stale", requests=count, accepted=len(wrong), bugs=len(bugs), seed=seed)
    assert wrong == [], seed
    assert bugs == []
    assert sent == []
    assert set(good.values()) == {200}  # the harness signs as the platforms do
    assert slow.asked == [QUESTION] * 3  # nothing but these was asked; an event of WeCom asks nothing


def test_a_check_that_is_missing_would_be_seen(built, monkeypatch):
    monkeypatch.setattr(slack, "verified", lambda *_: True)
    monkeypatch.setattr(wechat, "check_fresh", lambda *_: None)
    monkeypatch.setattr(tencent, "check_signature", lambda *_: None)
    with everywhere(built, SlowBot(built, built.settings)) as ways:
        found = {platform for platform, *_ in accepted(ways, random.Random(1), 96)}
    assert found == set(PLATFORMS)


def test_a_delivery_that_comes_again_to_two_servers_is_answered_once(built, promise):
    slow, now = SlowBot(built, built.settings, 0.2), time.time()
    with everywhere(built, slow) as one, everywhere(built, slow) as two, ThreadPoolExecutor(8) as pool:
        for platform in PLATFORMS[:3]:
            parts, body = signed(platform, f"again{platform}", now)
            each = [pool.submit(deliver, ways, platform, list(parts.items()), body) for ways in [one, two] * 4]
            assert {one.result() for one in each} == {200}
        parts, body = signed("wechat", "another", now, "nagainwechat")  # a nonce that was used, another message
        again = deliver(one, "wechat", list(parts.items()), body)
    promise("P30", "a delivery that comes again", deliveries=24, servers=2, answers=len(slow.asked), replay=again)
    assert len(slow.asked) == 3
    assert again == 401


XML = [
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Content>&a;</Content></xml>',
    '<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///etc/passwd">%a;]><xml/>',
    '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]><xml><Content>&c;</Content></xml>',
    f'<!DOCTYPE x [<!ENTITY a "{"a" * 9000}">]><xml><Content>{"&a;" * 900}</Content></xml>',
    '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><xml/>', '<!DOCTYPE x PUBLIC "-//x" "http://127.0.0.1:9/x.dtd"><xml/>',
    "<!DOCTYPE x><xml/>", '<!DOCTYPE x [<!NOTATION n SYSTEM "file:///etc/passwd">]><xml/>',
    '<xml xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/></xml>',
    '<?xml-stylesheet href="file:///etc/passwd"?><xml/>', '<?xml version="1.0" encoding="none"?><xml/>',
    '<?xml version="1.0" encoding="UTF-7"?><xml>+ADw-</xml>', "<xml>" + "<a>" * 20_000 + "</a>" * 20_000 + "</xml>",
    "<xml " + " ".join(f'a{n}="x"' for n in range(5_000)) + "/>", f"<{'a' * 50_000}/>",
    "<xml><Content>&undefined;</Content></xml>",
    "<xml><MsgType>text</MsgType><MsgType>event</MsgType><FromUserName/></xml>", "<xml><a></xml>", "\x00<xml/>",
    "<xml><FromUserName><b>x</b></FromUserName><MsgType><c/></MsgType></xml>",
]  # fmt: skip


def test_xml_that_attacks_opens_no_file_and_is_refused_or_ignored(built, promise, caplog):
    statuses = []
    with everywhere(built, slow := SlowBot(built, built.settings)) as ways, watched() as seen:
        for number, attack in enumerate(XML):
            begun = time.process_time()
            parts, _ = signed("wechat", f"x{number}")
            statuses.append(deliver(ways, "wechat", list(parts.items()), attack.encode()))
            nonce, stamp = f"y{number}", str(int(time.time()))
            sealed = ET.fromstring(WeChatCrypto(TOKEN, KEY, APP).encrypt_message(attack, nonce, stamp))
            inside = {"msg_signature": sealed.findtext("MsgSignature"), "timestamp": stamp, "nonce": nonce}
            for body in (f"<xml><Encrypt>{sealed.findtext('Encrypt')}</Encrypt></xml>", attack):
                statuses.append(deliver(ways, "wechat aes", list(inside.items()), body.encode()))
            assert time.process_time() - begun < 2
    opened = [event[1] for event in seen if event[0] == "open" and "passwd" in str(event[1])]
    away = outbound(seen, ways.api.url)
    promise("P32", "XML that attacks, bare and encrypted", attacks=len(XML), sent=len(statuses),
            files_opened=len(opened), outbound=len(away), bugs=len(tracebacks(caplog)))  # fmt: skip
    assert set(statuses) <= {200, 401}
    assert statuses.count(401) > 40
    assert (opened, away, slow.asked, tracebacks(caplog)) == ([], [], [], [])


def test_random_answers_are_read_back_as_they_are(promise, seed):
    chance, messages = random.Random(seed), 0
    pools = [
        "答案桥茶",
        "]]>",
        "<a>&",
        "\x00\x01\x0b\x1f",
        "\ufffe\uffff\ud800",
        "𠮷𫟼𬺈😀",
        "\n\t ",
        "abc1[】",
        "\u202e\u200b",
    ]
    for _ in range(1000):
        text = "".join(chance.choice(chance.choice(pools)) for _ in range(chance.randint(0, 1500)))
        text += chance.choice(["", "]]></Content><MsgType>news</MsgType>", "]]", "]]]]><![CDATA["])
        for page in wechat._numbered(text.encode("utf-8", "ignore").decode()):
            body = written(wechat._passive({"FromUserName": "u"}, page))
            root = ET.fromstring(body)
            assert [child.tag for child in root] == ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"]
            kept = "".join(c for c in page if c in "\t\n\r" or (ord(c) >= 32 and c not in "\ufffe\uffff"))
            assert (root.findtext("Content") or "") == kept
            assert len(page.encode()) <= wechat.LIMIT
            messages += 1
    promise("P32", "random answers, read back from WeChat's XML", answers=1000, messages=messages, altered=0, seed=seed)
