"""bot.channels.slack against a Slack on loopback, with requests that the official SDK signs."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import time
from dataclasses import asdict
from urllib.parse import urlencode

import pytest
import yaml
from conftest import ROOT, Configured, ShortBot, SlowBot
from fastapi.testclient import TestClient
from slack_api import APP_TOKEN, BOT_TOKEN, slack_api, socket_mode
from slack_sdk.signature import SignatureVerifier

from bot.answer.meta import HELLO
from bot.channels import slack
from bot.channels.claims import Claims
from bot.channels.desk import Reply
from bot.errors import JournalError
from bot.journal import Journal
from bot.settings import load_settings
from bot.types import Answer, Evidence, Hit, Passage, Span
from bot.web.app import create_app
from bot.web.guard import MAX_BODY_BYTES

SECRET = "canary-signing-secret"
QUESTION = "赵州桥由谁设计?"


@pytest.fixture
def api(monkeypatch):
    with slack_api() as api:
        monkeypatch.setattr(slack, "API", api.url)
        yield api


@pytest.fixture
def slow(bot, tmp_path):
    return SlowBot(bot, load_settings(index=tmp_path / "index", slack_bot_token=BOT_TOKEN, slack_signing_secret=SECRET))


def served(slow, **settings):
    """A client of the application. When it closes, every answer has been sent."""
    return TestClient(create_app(Configured(slow, **settings)), raise_server_exceptions=False)


def headers(body, at=None, kind="application/json", secret=SECRET):
    stamp = str(int(time.time()) if at is None else at)
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature, "Content-Type": kind}


def send(client, envelope, at=None):
    body = json.dumps(envelope)
    return client.post("/slack/events", content=body, headers=headers(body, at))


def send_form(client, **fields):
    body = urlencode(fields)
    return client.post("/slack/events/", content=body, headers=headers(body, kind="application/x-www-form-urlencoded"))


def event(number=1, text=f"<@UBOT> {QUESTION}", event_id=None, **changes):
    content = {"type": "app_mention", "user": "U1", "text": text, "ts": f"170000.{number:04}", "channel": "C1"}
    return {
        "type": "event_callback",
        "team_id": "T1",
        "api_app_id": "A1",
        "event_id": event_id or f"Ev{number}",
        "event": content | changes,
        "authorizations": [{"team_id": "T1", "user_id": "UBOT", "is_bot": True}],
    }


def direct(number=1, text=QUESTION, **changes):
    return event(number, text, type="message", channel_type="im", channel="D1", **changes)


def test_the_documented_request_is_verified_within_five_minutes_only():
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    secret, stamp = "8f742231b10e8888abcd99yyyzzz85a5", "1531420618"
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert slack.verified(secret, stamp, signature, body, 1531420618)
    assert slack.verified(secret, stamp, signature, body, 1531420618 + 300)
    assert slack.verified(secret, stamp, signature, body, 1531420618 - 300)
    assert not slack.verified(secret, stamp, signature, body, 1531420618 + 301)
    assert not slack.verified(secret, stamp, signature, body, 1531420618 - 301)
    assert not slack.verified(secret, stamp, signature, body + b" ", 1531420618)
    assert not slack.verified("another", stamp, signature, body, 1531420618)


def test_the_challenge_is_answered_when_signed(api, slow):
    with served(slow) as client:
        challenge = {"type": "url_verification", "challenge": "c-123"}
        assert send(client, challenge).json() == {"challenge": "c-123"}
        assert client.post("/slack/events", json=challenge).status_code == 401


def test_a_mention_is_answered_in_its_thread_with_source_and_mark(api, slow):
    with served(slow, public_url="https://qa.example") as client:
        response = send(client, event())
        assert (response.status_code, response.text) == (200, "")
    (posted,) = api.named("chat.postMessage")
    assert slow.asked == [QUESTION]
    assert (posted["channel"], posted["thread_ts"]) == ("C1", "170000.0001")
    assert "李春" in posted["text"]
    markdown, feedback = posted["blocks"]
    assert markdown["type"] == "markdown"
    assert "[赵州桥](https://qa.example/source/" in markdown["text"]
    assert "**" in markdown["text"]
    assert "李春" in markdown["text"].split("**")[1]
    assert feedback["type"] == "context_actions"
    assert api.named("assistant.threads.setStatus") == []  # a channel has no status


def test_a_short_answer_is_bold_and_first_in_the_notification(api, slow):
    slow.bot = ShortBot(slow.bot, "李春")
    with served(slow) as client:
        send(client, event())
    (posted,) = api.named("chat.postMessage")
    sentence = posted["text"].removeprefix("李春\n")
    assert sentence.startswith("赵州桥又名安济桥")
    assert posted["blocks"][0]["text"].startswith(f"**李春**\n\n{sentence}\n\n")


def test_a_direct_message_shows_a_status_and_stays_in_its_thread(api, slow):
    api.errors["assistant.threads.setStatus"] = ["missing_scope"]  # does no harm
    with served(slow) as client:
        send(client, direct(2, thread_ts="170000.0001"))
        send(client, direct(3, "你好"))
    hello, posted = sorted(api.named("chat.postMessage"), key=lambda message: "李春" in message["text"])
    assert posted["thread_ts"] == "170000.0001"
    assert hello["text"] == HELLO["zh"]
    assert "blocks" not in hello
    assert {call["status"] for call in api.named("assistant.threads.setStatus")} == {slack.STATUS}


def test_a_refusal_can_be_judged_too(api, slow):
    with served(slow) as client:
        send(client, event(1, "<@UBOT> 火星上的咖啡馆几点关门?"))
    (posted,) = api.named("chat.postMessage")
    assert "资料中没有" in posted["text"]
    assert posted["blocks"][-1]["type"] == "context_actions"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<@UBOT> <@U2>: a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("<@UBOT|wenqu>，看 <https://x.example/a|这里> 和 <https://y.example>", "看 这里 和 https://y.example"),
        ("在 <#C1|general> 问 <@U2|王> <@U3><!here>", "在 #general 问 @王"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("", ""),
    ],
)
def test_what_a_user_wrote_is_read_as_it_is_shown(written, read):
    assert slack.plain(written).split() == read.split()


def test_one_message_is_answered_once_however_often_it_is_delivered(api, slow):
    with served(slow) as client:
        for number in range(10):
            assert send(client, event(event_id=f"Ev{number}")).status_code == 200
        as_message = direct() | {"event_id": "Ev99"}
        as_message["event"]["channel"] = "C1"  # a mention in a direct message comes as a message too
        assert send(client, as_message).status_code == 200
        replayed = json.dumps(event(2))
        signed = headers(replayed)
        answers = [client.post("/slack/events", content=replayed, headers=signed).status_code for _ in range(5)]
        assert answers == [200] * 5  # a request that somebody recorded and plays again does nothing
    assert len(api.named("chat.postMessage")) == 2
    assert len(slow.asked) == 2


def test_a_message_that_cannot_be_claimed_is_not_acknowledged_and_answered_when_it_comes_again(api, slow, monkeypatch):
    claim = Claims.claim

    def full(*_):
        monkeypatch.setattr(Claims, "claim", claim)
        raise JournalError("journal.sqlite", "database or disk is full")

    with served(slow) as client:
        monkeypatch.setattr(Claims, "claim", full)
        assert send(client, event()).status_code == 503
        assert send(client, event()).status_code == 200
    assert len(slow.asked) == len(api.named("chat.postMessage")) == 1


def test_what_asks_nothing_is_acknowledged_and_not_answered(api, slow):
    ignored = [
        direct(1, bot_id="B2"),
        direct(2, subtype="bot_message"),
        direct(3, subtype="message_changed", message={"text": QUESTION}),
        direct(4, subtype="message_deleted"),
        direct(5, user="UBOT"),
        event(6, user="UBOT", bot_id="BBOT"),
        event(7, type="message", channel_type="channel"),
        event(8, type="reaction_added"),
        event(9, type="team_join", user={"id": "U1"}),
        event(10, ts=None),
        event(11, type="app_home_opened", tab="home"),
    ]
    with served(slow) as client:
        assert [send(client, envelope).status_code for envelope in ignored] == [200] * len(ignored)
        send(client, direct(12, subtype="file_share"))
        send(client, direct(13, subtype="thread_broadcast"))
    assert {name for name, _ in api.calls} == {"auth.test", "chat.postMessage", "assistant.threads.setStatus"}
    assert len(api.named("chat.postMessage")) == len(slow.asked) == 2


def test_a_command_is_acknowledged_at_once_and_answered_through_its_response_url(api, slow):
    url = api.url.replace("/api/", "/respond/1")
    fields = {"command": "/wenqu", "user_id": "U1", "channel_id": "C1", "team_id": "T1", "response_url": url}
    with served(slow) as client:
        assert slack.LOOKING in send_form(client, **fields, text=QUESTION, trigger_id="1").text
        assert send_form(client, **fields, text=QUESTION, trigger_id="1").status_code == 200
        send_form(client, **fields, text="hello", trigger_id="2")
        assert slack.HELP in send_form(client, **fields, text=" ", trigger_id="3").text
    said = {message["response_type"]: message for message in api.named("respond/1")}
    assert len(api.named("respond/1")) == 2
    assert said["in_channel"]["blocks"][0]["text"].startswith(f"> {QUESTION}\n\n")
    assert "李春" in said["in_channel"]["blocks"][0]["text"]
    assert said["ephemeral"]["text"] == HELLO["en"]
    assert api.named("chat.postMessage") == []


def test_a_click_on_a_button_lands_in_the_journal(api, slow):
    with served(slow) as client:
        send(client, event())
    buttons = api.named("chat.postMessage")[0]["blocks"][-1]["elements"][0]
    with served(slow) as client:
        for button, user in (("positive_button", "U1"), ("negative_button", "U2")):
            click = {
                "type": "block_actions",
                "team": {"id": "T1"},
                "user": {"id": user},
                "response_url": api.url.replace("/api/", "/respond/2"),
                "actions": [{"type": "feedback_buttons", "action_id": buttons["action_id"]} | buttons[button]],
            }
            assert send_form(client, payload=json.dumps(click)).status_code == 200
        other = click | {"actions": [{"action_id": "other", "value": "1:x"}]}
        assert send_form(client, payload=json.dumps(other)).status_code == 200
        thanks = api.wait_for("respond/2", 2)  # a server that stops owes nobody thanks
    journal = Journal(slow.settings.index / "journal.sqlite")
    assert [(asked.question, asked.liked, asked.disliked) for asked in journal.recent(5)] == [(QUESTION, 1, 1)]
    journal.close()
    assert [message["text"] for message in thanks] == [slack.THANKS] * 2


def test_prompts_are_suggested_where_a_conversation_opens(api, slow):
    thread = {"channel_id": "D1", "thread_ts": "170000.1", "user_id": "U1"}
    with served(slow) as client:
        send(client, event(1, type="app_home_opened", tab="messages", channel="D1"))
        send(client, event(2, type="assistant_thread_started", assistant_thread=thread))
        home, started = api.wait_for("assistant.threads.setSuggestedPrompts", 2)
    assert "thread_ts" not in home
    assert started["thread_ts"] == "170000.1"
    assert len(home["prompts"]) == 3


def forgeries(random):
    """Pairs of headers and body, none of which Slack signed now."""
    body = json.dumps(event(random.randrange(10**6))).encode()
    good = list(headers(body).items())
    (_, stamp), (_, signature), kind = good
    swapped = bytearray(body)
    swapped[random.randrange(len(body))] ^= 1 + random.randrange(255)
    broken = list(signature)
    place = random.randrange(3, len(broken))
    broken[place] = random.choice([digit for digit in "0123456789abcdef" if digit != broken[place]])
    yield good, bytes(swapped)
    yield [("X-Slack-Request-Timestamp", stamp), ("X-Slack-Signature", "".join(broken)), kind], body
    yield list(headers(body, int(time.time()) + random.choice([-302, 303, -(10**6), 10**6])).items()), body
    yield list(headers(body, secret="another").items()), body
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in stamp)
    stamps = ["abc", wide, "9" * 5000, "", "-1", "1e9", f" {wide}", "²", f"{stamp}.0", "0x1"]
    for other in random.sample(stamps, 3):
        yield [(b"X-Slack-Request-Timestamp", other.encode()), good[1], kind], body
    for other in random.sample(["签名", "v0=", "", signature.upper(), signature[3:], "v0=" + "f" * 5000], 3):
        yield [good[0], (b"X-Slack-Signature", other.encode()), kind], body
    yield good, body + b"\xff\xfe"
    yield good[1:], body
    yield [good[0], kind], body
    yield [*good, good[0]], body
    yield [*good, good[1]], body


def test_no_forged_altered_or_stale_request_is_taken(api, slow):
    chance, answers = random.Random(7), []
    with served(slow) as client:
        while len(answers) < 500:
            for forged, body in forgeries(chance):
                fields = [tuple(part if isinstance(part, bytes) else part.encode() for part in pair) for pair in forged]
                answers.append(client.post("/slack/events", content=body, headers=fields))
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert slow.asked == []
    assert api.named("chat.postMessage") == []


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "[1]", "{}", "payload={", "payload=[1]", "1", "null", "a=b"),
        *('{"type":"event_callback","event":"x"}', '{"type":"event_callback","event":{"type":null}}'),
        *('{"team":5,"event":{}}', '{"enterprise":5}', '{"authorizations":5}', '{"type":"block_actions"}'),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_signed_body_that_is_no_envelope_breaks_nothing(api, slow, body, kind):
    with served(slow) as client:
        answer = client.post("/slack/events", content=body, headers=headers(body, kind=kind))
    assert answer.status_code < 500
    assert slow.asked == []


def test_without_secrets_there_is_no_route_and_with_socket_mode_alone_no_http(api, slow):
    for settings in ({"slack_bot_token": ""}, {"slack_signing_secret": ""}):
        off = load_settings(
            index=slow.settings.index, **({"slack_bot_token": BOT_TOKEN, "slack_signing_secret": SECRET} | settings)
        )
        with TestClient(create_app(Configured(slow, off))) as client:
            assert send(client, event()).status_code == 404
    assert slow.asked == []


def test_secrets_and_words_stay_out_of_the_log(api, slow, caplog):
    caplog.set_level(logging.DEBUG)
    api.errors["chat.postMessage"] = ["not_in_channel"]
    with served(slow) as client:
        send(client, event(1, "<@UBOT> canary-question 赵州桥由谁设计?"))
        body = json.dumps(event(2))
        client.post("/slack/events", content=body, headers=headers(body, secret="another"))
        client.post("/slack/events", content="{", headers=headers("{"))
        send(client, event(3, type="unheard_of", text="canary-event"))
        fields = {"team_id": "T1", "channel_id": "C1", "user_id": "U1", "trigger_id": "1", "command": "/wenqu"}
        url = api.url.replace("/api/", "/respond/canary-url")
        send_form(client, **fields, text="canary-command 赵州桥由谁设计?", response_url=url)
    assert "not_in_channel" in caplog.text  # whoever runs the bot reads what is wrong
    assert "canary" not in caplog.text
    assert "v0=" not in caplog.text
    assert "canary-command" in api.named("respond/canary-url")[0]["blocks"][0]["text"]  # it went there, quietly
    assert [record for record in caplog.records if record.name.startswith("slack")] == []


def test_a_rate_limit_is_waited_for(api, slow):
    api.limited = ["chat.postMessage"]
    with served(slow) as client:
        send(client, event())
    (posted,) = api.named("chat.postMessage")
    assert "李春" in posted["text"]


def test_a_workspace_that_does_not_know_the_blocks_gets_text(api, slow):
    api.errors["chat.postMessage"] = ["invalid_blocks"]
    with served(slow) as client:
        send(client, event())
    _, posted = api.named("chat.postMessage")
    assert "blocks" not in posted
    assert "【" in posted["text"]


def test_a_slow_answer_delays_no_acknowledgement(api, slow):
    slow.seconds = 1.0
    waits = []
    with served(slow) as client:
        for number in range(200):
            start = time.perf_counter()
            assert send(client, event(number)).status_code == 200
            waits.append(time.perf_counter() - start)
    assert sorted(waits)[197] < 1.0
    assert len({message["thread_ts"] for message in api.named("chat.postMessage")}) == 200


def test_what_an_earlier_process_left_behind_is_answered(api, slow):
    inbound = slack.question(event())
    claims = Claims(slow.settings.index / "journal.sqlite")
    assert claims.claim([inbound.key], asdict(inbound))
    claims.close()
    with served(slow) as client:
        send(client, event())  # delivered again meanwhile
    (posted,) = api.named("chat.postMessage")
    assert posted["thread_ts"] == "170000.0001"


def test_a_long_answer_comes_in_messages_that_a_click_can_send_back():
    passage = Passage("p/1", "a.txt", "标题", "小节", "龙井茶。" * 125, 0, 500)
    evidence = tuple(Evidence(Hit(passage, 0.5), (Span(0, 500),), number) for number in range(1, 21))
    reply = Reply("r1", "茶" * 2000, Answer("问", "茶" * 2000, False, 0.9, evidence, "passages", {}, "g"))
    messages = slack.message(slack.question(event()), reply, "")
    assert len(messages) > 4
    texts = [content["blocks"][0]["text"] for content in messages]
    assert all(len(text.encode()) <= 6000 for text in texts)
    assert all(f"[{number}] 标题" in "\n".join(texts) for number in range(1, 21))
    assert [len(content["blocks"]) for content in messages] == [1] * (len(messages) - 1) + [2]
    click = urlencode({"payload": json.dumps({"message": messages[-1]})})
    assert len(click) * 1.5 < MAX_BODY_BYTES
    assert len(slack.escaped("&" * 9000)) <= 4000


def test_socket_mode_acknowledges_answers_and_closes(api, slow, caplog):
    app = load_settings(index=slow.settings.index, slack_bot_token=BOT_TOKEN, slack_app_token=APP_TOKEN)
    envelope = {"type": "events_api", "envelope_id": "e-1", "payload": direct(), "accepts_response_payload": False}
    again = envelope | {"envelope_id": "e-2", "retry_attempt": 1, "retry_reason": "timeout"}
    with socket_mode(api, envelope, again) as link:
        with TestClient(create_app(Configured(slow, app))) as client:
            acknowledged = {link.acks.get(timeout=10)["envelope_id"] for _ in range(2)}
            assert client.get("/livez").status_code == 200
        assert link.closed.wait(5)
    assert acknowledged == {"e-1", "e-2"}
    assert len(slow.asked) == len(api.named("chat.postMessage")) == 1
    assert "canary" not in caplog.text


def test_a_plain_question_does_not_import_the_sdk():
    code = (
        "import sys, bot.web.app, bot.channels.slack; print([m for m in sys.modules if m[:6] in ('slack_', 'aiohtt')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_every_event_of_the_manifest_has_a_listener(api, slow):
    manifest = yaml.safe_load((ROOT / "bot/channels/slack-manifest.yaml").read_text(encoding="utf-8"))
    source = (ROOT / "bot/channels/slack.py").read_text(encoding="utf-8")
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    assert [name for name in events if f'"{name.split(".")[0]}"' not in source] == []
    scopes = set(manifest["oauth_config"]["scopes"]["bot"])
    assert {"app_mentions:read", "im:history", "chat:write", "commands"} <= scopes
    assert manifest["features"]["app_home"]["messages_tab_enabled"] is True
    assert manifest["features"]["slash_commands"][0]["url"].endswith("/slack/events")


def test_what_is_suggested_has_an_answer_in_the_article_that_comes_along(article_bot):
    questions = [prompt["message"] for prompt in slack.PROMPTS[1:]] + [slack.HELP.split("/wenqu ")[1]]
    assert [question for question in questions if article_bot.ask(question).refused] == []
