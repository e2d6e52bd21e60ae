"""bot.channels.tencent against known vectors, and against wechatpy both ways."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ET

import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.tencent import (
    Crypto,
    Refused,
    check_fresh,
    check_signature,
    opened,
    parse,
    sealed,
    signature,
    written,
)
from bot.errors import SettingsError

VECTORS = SHARED / "vectors" / "wechat_vectors.json"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


def crypto(key: str = KEY, token: str = "token", receiver: str = "wx1") -> Crypto:
    return Crypto.from_keys(token, key, receiver, "WENQU_WECHAT_AES_KEY")


# The vector that the platform documents for a plain callback; the rest stands in the shared file.
def test_the_documented_signature_of_a_plain_callback():
    assert signature("AAAAA", "1714036504", "1514711492") == "f464b24fc39322e44b38aa78f5edd27bd1441696"


@pytest.mark.skipif(not VECTORS.exists(), reason="the known vectors are not beside the project")
def test_all_known_vectors_are_exact():
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    assert len(vectors) == 10
    for vector in vectors:
        token, stamp, nonce = vector["token"], vector["timestamp"], vector["nonce"]
        if vector["kind"] == "plain-signature":
            assert signature(token, stamp, nonce) == vector["signature"], vector["name"]
            continue
        one = Crypto.from_keys(token, vector["aes_key"], vector["receive_id"], "KEY")
        if vector["kind"] == "decrypt":
            plain = one.decrypt(vector["msg_signature"], stamp, nonce, vector["encrypt"])
            assert plain == vector.get("plaintext", plain), vector["name"]
            assert all(part in plain for part in vector.get("plaintext_contains", [])), vector["name"]
        else:
            encrypted, msg_signature = one.encrypt(vector["plaintext"], stamp, nonce, vector["random"].encode())
            assert encrypted == vector.get("encrypt", encrypted), vector["name"]
            assert msg_signature == vector["msg_signature"], vector["name"]  # it covers the encrypted text


def test_wechatpy_reads_what_is_written_here_and_the_other_way_round():
    from wechatpy.crypto import WeChatCrypto

    other, ours = WeChatCrypto("token", KEY, "wx1"), crypto()
    message = "<xml><Content><![CDATA[青岛有什么优势?😀]]></Content></xml>"
    fields = sealed(ours, message, "n1", 1409735669)
    assert other.decrypt_message(written(fields), fields["MsgSignature"], "1409735669", "n1") == message
    theirs = other.encrypt_message(message, "n2", "1409735670")
    found = parse(theirs.encode() if isinstance(theirs, str) else theirs)
    assert ours.decrypt(found["MsgSignature"], "1409735670", "n2", found["Encrypt"]) == message


def test_a_refusal_names_the_check_that_failed():
    ours = crypto()
    encrypted, good = ours.encrypt("text", "1", "n")
    with pytest.raises(Refused, match=r"signature.*Token"):
        ours.decrypt("0" * 40, "1", "n", encrypted)
    for receiver, key, reason in [("wx2", KEY, "receiveid"), ("wx1", KEY[::-1].replace("G", "A", 1), "padding|length")]:
        with pytest.raises(Refused, match=reason):
            crypto(key, receiver=receiver).decrypt(good, "1", "n", encrypted)
    for bad in ["", "AAAA", "é", "=", encrypted[:-5], "A" * 43]:
        with pytest.raises(Refused, match=r"base64|length|padding"):
            ours.decrypt(signature("token", "1", "n", bad), "1", "n", bad)


@pytest.mark.parametrize("given", ["", "é", "0" * 40, "x" * 5000])
def test_a_wrong_signature_is_refused_whatever_it_is(given):
    with pytest.raises(Refused):
        check_signature(given, "token", "1", "n")


@pytest.mark.parametrize("stamp", ["", "abc", "-1", "１０００", "1e3", "9" * 5000, "699", "1301", "1000.0"])
def test_a_stale_or_strange_time_is_refused(stamp):
    with pytest.raises(Refused, match="timestamp"):
        check_fresh(stamp, 1000.0)
    check_fresh("700", 1000.0)
    check_fresh("1300", 1000.0)


def test_a_plus_that_came_as_a_blank_is_read():
    ours, stamp = crypto(), str(int(time.time()))
    while "+" not in (pair := ours.encrypt("text", stamp, "n"))[0]:
        pass
    asked = {"msg_signature": pair[1], "timestamp": stamp, "nonce": "n"}
    assert opened(ours, asked, pair[0].replace("+", " ")) == "text"


@pytest.mark.parametrize("key", ["", "short", KEY + "A", "é" * 43, "!" * 43])
def test_a_key_of_another_form_is_a_setting_to_mend(key):
    with pytest.raises(SettingsError, match="WENQU_WECHAT_AES_KEY"):
        crypto(key)


ATTACKS = [
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Content>&a;</Content></xml>',
    b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><xml><Content>&b;</Content></xml>',
    b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><xml/>',
    b"<!DOCTYPE x><xml/>",
    b'<?xml version="1.0" encoding="none"?><xml/>',
    b"<xml><Content>&undefined;</Content></xml>",
    b"<xml><a></xml>",
    b"<xml>\x01</xml>",
    b"\xff\xfe<xml/>",
    b"",
    b"[]",
    b"{",
    b"{\xff}",
    b"null",
    b"text",
]


@pytest.mark.parametrize("body", ATTACKS)
def test_a_body_that_attacks_or_is_nothing_is_refused(body):
    with pytest.raises(Refused, match="body"):
        parse(body)


def test_xml_and_json_give_the_same_fields():
    fields = {"MsgType": "text", "Content": "青岛 <b> & ]]>", "MsgId": "12345678901234567890"}
    assert parse(written(fields).encode()) == fields
    assert parse(written(fields, as_json=True).encode()) == fields
    assert parse(b"<xml>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</xml>") == {"a": ""}
    assert parse(b'{"a": [1], "b": {"c": 1}, "d": 2}') == {"d": "2"}


@given(st.text(max_size=200))
@settings(max_examples=1000)
def test_no_text_breaks_out_of_its_field(text):
    body = written({"Content": f"答案 ]]></Content><MsgType>news</MsgType>{text}]]", "MsgType": "text"})
    root = ET.fromstring(body)
    assert [child.tag for child in root] == ["Content", "MsgType"]
    allowed = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text).replace("\r\n", "\n")
    assert root[0].text == f"答案 ]]></Content><MsgType>news</MsgType>{allowed}]]".replace("\r", "\n")
