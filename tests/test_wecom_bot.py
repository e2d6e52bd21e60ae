"""bot.channels.wecom_bot: against a WebSocket server that acknowledges, rejects, closes, kicks and talks nonsense."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import asynccontextmanager

import pytest
from conftest import ShortBot, SlowBot
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from bot.answer.meta import HELLO
from bot.channels import wecom_bot, wecom_connection
from bot.channels.desk import ONLY_TEXT
from bot.channels.wecom_bot import LATE, SEARCHING, WELCOME, WeComBot, router
from bot.channels.wecom_connection import Throttle, Timing
from bot.errors import SettingsError
from bot.journal import Journal
from bot.settings import load_settings
from bot.web.app import create_app

SECRET = "s3cr3t-of-the-long-connection"
QUESTION = "赵州桥由谁设计?"
SUBSCRIBE, RESPOND, PUSH = "aibot_subscribe", "aibot_respond_msg", "aibot_send_msg"
FAST = {"ack": 1.0, "first_wait": 0.02, "longest_wait": 0.1}


class WeCom:
    """The other end: keeps every frame, acknowledges it with `errcode(frame)` unless that is None."""

    def __init__(self):
        self.frames: list[dict] = []
        self.sockets = []
        self.errcode = lambda frame: 0
        self.url = ""

    async def _serve(self, socket):
        self.sockets.append(socket)
        try:
            async for raw in socket:
                frame = json.loads(raw)
                self.frames.append(frame)
                errcode = self.errcode(frame)
                if errcode is not None:
                    ack = {"headers": frame["headers"], "errcode": errcode, "errmsg": f"said {raw}"}
                    await socket.send(json.dumps(ack))
        except ConnectionClosed:
            pass

    async def send(self, cmd, req_id, body):
        await self.sockets[-1].send(json.dumps({"cmd": cmd, "headers": {"req_id": req_id}, "body": body}))

    async def say(self, text, number=1, req_id=None, **fields):
        body = {"msgid": f"M{number}", "aibotid": "AIBOT", "chattype": "single", "from": {"userid": "zhang"}}
        body |= {"msgtype": "text", "text": {"content": text}} | fields
        await self.send("aibot_msg_callback", req_id or f"R{number}", body)

    async def event(self, kind, req_id="E1", **fields):
        body = {"msgtype": "event", "aibotid": "AIBOT", "from": {"userid": "zhang"}}
        await self.send("aibot_event_callback", req_id, body | {"event": {"eventtype": kind} | fields})

    def of(self, cmd):
        return [frame for frame in self.frames if frame["cmd"] == cmd]

    async def wait(self, cmd, count=1):
        """The frames of a command, once there are so many."""
        await until(lambda: len(self.of(cmd)) >= count)
        return self.of(cmd)

    async def final(self, req_id="R1"):
        """The text of the stream that answers a message, once it is finished."""

        def found():
            return [frame for frame in self.of(RESPOND) if frame["headers"]["req_id"] == req_id and at_end(frame)]

        await until(found)
        return found()[0]["body"]["stream"]["content"]


def at_end(frame) -> bool:
    return frame["body"]["stream"]["finish"]


async def until(condition, seconds=10.0):
    """Wait for a condition, and fail where it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def slow(bot, tmp_path):
    slow = SlowBot(bot, load_settings(index=tmp_path / "index", wecom_bot_id="BOT", wecom_bot_secret=SECRET))
    yield slow
    slow.over.set()


@asynccontextmanager
async def wecom():
    """A server on this machine."""
    server = WeCom()
    async with serve(server._serve, "127.0.0.1", 0, ping_interval=None) as listening:
        server.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


@asynccontextmanager
async def connected(slow, **timing):
    """(server, channel), the channel subscribed."""
    async with wecom() as server:
        channel = WeComBot(slow, slow.settings, server.url, Timing(**(FAST | timing)))
        async with channel.lifespan():
            await server.wait(SUBSCRIBE)
            yield server, channel


def shape(value):
    """The keys and types of a frame."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


# ---- what is said


def test_frames_are_those_of_the_official_client(slow, monkeypatch):
    import aibot

    monkeypatch.setattr("aibot.ws._SSL_CONTEXT", None)  # it hands a context even to ws://

    async def official():
        async with wecom() as server:
            options = aibot.WSClientOptions("BOT", SECRET, ws_url=server.url, heartbeat_interval=200)
            client = aibot.WSClient(options)

            async def answer(frame):
                await client.reply_stream(frame, "S1", "正在检索…", False, feedback={"id": "F1"})
                await client.reply_stream(frame, "S1", "答案", True)
                await client.send_message("zhang", {"msgtype": "markdown", "markdown": {"content": "后续"}})

            async def welcome(frame):
                await client.reply_welcome(frame, {"msgtype": "text", "text": {"content": "你好"}})

            client.on("message.text", answer)
            client.on("event.enter_chat", welcome)
            await client.connect()
            await server.wait(SUBSCRIBE)
            await server.say(QUESTION)
            await server.event("enter_chat")
            for cmd in (PUSH, "ping", "aibot_respond_welcome_msg"):
                await server.wait(cmd)
            client.disconnect()
            await until(lambda: client._ws_manager._ws is None)
            return server

    async def ours():
        slow.seconds = 0.5
        async with connected(slow, quick=0.1, ping=0.2) as (server, channel):
            await server.say(QUESTION)
            await server.event("enter_chat")
            await server.final()
            await channel._push("zhang", "后续")
            for cmd in ("ping", "aibot_respond_welcome_msg"):
                await server.wait(cmd)
            return server

    theirs, mine = asyncio.run(official()), asyncio.run(ours())
    assert mine.of(SUBSCRIBE)[0]["body"] == theirs.of(SUBSCRIBE)[0]["body"] == {"bot_id": "BOT", "secret": SECRET}
    for cmd in (SUBSCRIBE, "ping", RESPOND, PUSH, "aibot_respond_welcome_msg"):
        some = 2 if cmd == RESPOND else 1
        assert [shape(frame) for frame in mine.of(cmd)[:some]] == [shape(frame) for frame in theirs.of(cmd)[:some]], cmd
    for server in (theirs, mine):
        assert {frame["headers"]["req_id"] for frame in server.of(RESPOND)} == {"R1"}
        assert [frame["headers"]["req_id"] for frame in server.of("aibot_respond_welcome_msg")] == ["E1"]
    assert mine.of("aibot_respond_welcome_msg")[0]["body"]["text"]["content"] == WELCOME


def test_a_question_is_answered_with_its_source_and_its_mark(slow, monkeypatch):
    """Through the application, as a server runs it."""
    slow.settings = slow.settings.model_copy(update={"public_url": "https://wenqu.example"})

    async def scenario():
        async with wecom() as server:
            monkeypatch.setattr(wecom_bot, "URL", server.url)
            app = create_app(slow)
            async with app.router.lifespan_context(app):
                await server.wait(SUBSCRIBE)
                await server.say(QUESTION)
                return await server.final()

    text = asyncio.run(scenario())
    assert "\n赵州桥又名安济桥,位于河北省赵县,由隋代工匠李春设计" in text  # below the short answer
    assert "[赵州桥" in text
    assert "](https://wenqu.example/source/" in text
    assert "**赵州桥又名安济桥" in text  # the evidence


def test_a_short_answer_is_bold_above_its_sentence(slow):
    slow.bot = ShortBot(slow.bot, "李春")

    async def scenario():
        async with connected(slow) as (server, _):
            await server.say(QUESTION)
            return await server.final()

    assert asyncio.run(scenario()).startswith("**李春**\n\n赵州桥又名安济桥")


def test_the_same_message_three_times_gets_one_answer(slow):
    async def scenario():
        async with connected(slow) as (server, _):
            for _ in range(3):
                await server.say(QUESTION, 1)
            await server.say("龙井茶产于哪里?", 2)
            await server.final("R2")
            return await server.final("R1"), server.frames

    text, frames = asyncio.run(scenario())
    assert "李春" in text
    assert sorted(slow.asked) == sorted([QUESTION, "龙井茶产于哪里?"])
    assert sum(frame["cmd"] in (RESPOND, PUSH) and frame["headers"]["req_id"] == "R1" for frame in frames) == 1


def test_what_a_message_may_be(slow):
    group = {"chattype": "group", "chatid": "G1"}
    mixed = [{"msgtype": "text", "text": {"content": "赵州桥"}}, {"msgtype": "image", "image": {"url": "u"}}]
    mixed.append({"msgtype": "text", "text": {"content": "由谁设计?"}})

    async def scenario():
        async with connected(slow) as (server, _):
            await server.say("@问渠 赵州桥由谁设计?", 1, **group)
            await server.say("@问渠", 2, **group)
            await server.say("", 3, msgtype="voice", voice={"content": QUESTION})
            await server.say("", 4, msgtype="mixed", mixed={"msg_item": mixed})
            await server.say("", 5, msgtype="image", image={"url": "u"})
            await server.say("", 6, msgtype="video", video={"url": "u"})
            await server.say("写邮件给 @李雷 怎么写?", 7)
            return [await server.final(f"R{number}") for number in range(1, 8)]

    texts = asyncio.run(scenario())
    assert sorted(slow.asked) == sorted([QUESTION, QUESTION, "赵州桥\n由谁设计?", "写邮件给 @李雷 怎么写?"])
    assert all("李春" in texts[number] for number in (0, 2, 3))
    assert texts[1] == HELLO["zh"]
    assert texts[4] == texts[5] == ONLY_TEXT


def test_feedback_is_asked_for_in_the_first_frame_and_kept(slow):
    slow.seconds = 0.4

    async def scenario():
        async with connected(slow, quick=0.05) as (server, _):
            await server.say(QUESTION)
            await server.final()
            first, last = (frame["body"]["stream"] for frame in server.of(RESPOND))
            for verdict, user in ((1, "zhang"), (2, "li"), (3, "zhang")):
                body = {"from": {"userid": user}, "event": {"eventtype": "feedback_event"}}
                body["event"]["feedback_event"] = {"id": first["feedback"]["id"], "type": verdict}
                await server.send("aibot_event_callback", "E", body)
            await until(lambda: judged(journal) == [(QUESTION, 0, 1)])  # the first one has taken it back
            return first, last

    journal = Journal(slow.settings.index / "journal.sqlite")
    first, last = asyncio.run(scenario())
    assert (first["content"], first["finish"]) == (SEARCHING["zh"], False)
    assert "feedback" not in last
    assert first["id"] == last["id"]


def judged(journal):
    """(question, liked, disliked) of each answer."""
    return [(asked.question, asked.liked, asked.disliked) for asked in journal.recent(5)]


def test_a_quick_answer_is_one_frame_that_asks_for_feedback(slow):
    async def scenario():
        async with connected(slow, quick=5.0) as (server, _):
            await server.say(QUESTION)
            await server.final()
            return server.of(RESPOND)

    ((only,),) = [asyncio.run(scenario())]
    assert only["body"]["stream"]["feedback"]["id"]


# ---- answers that the stream does not carry


@pytest.mark.parametrize("errcode", [846608, 846605])
def test_an_answer_that_the_stream_does_not_take_is_sent_as_a_message(slow, errcode, caplog):
    async def scenario():
        async with connected(slow) as (server, _):
            server.errcode = lambda frame: errcode if frame["cmd"] == RESPOND else 0
            await server.say(QUESTION, chattype="group", chatid="G1")
            return await server.wait(PUSH)

    (push,) = asyncio.run(scenario())
    assert push["body"]["chatid"] == "G1"
    assert "李春" in push["body"]["markdown"]["content"]
    assert str(errcode) in caplog.text
    assert "李春" not in caplog.text  # nor what was said


def test_an_answer_later_than_the_stream_lives_follows_as_a_message(slow):
    slow.seconds = 1.0

    async def scenario():
        async with connected(slow, quick=0.05, stream=0.3) as (server, _):
            await server.say(QUESTION)
            note = await server.final()
            assert not server.of(PUSH)
            (push,) = await server.wait(PUSH)
            return note, push["body"]

    note, body = asyncio.run(scenario())
    assert note == LATE["zh"]
    assert body["chatid"] == "zhang"
    assert "李春" in body["markdown"]["content"]


def test_an_answer_longer_than_a_message_goes_on_in_more(slow, monkeypatch):
    monkeypatch.setattr(wecom_bot, "LIMIT", 150)

    async def scenario():
        async with connected(slow) as (server, _):
            await server.say(QUESTION)
            first = await server.final()
            pushes = await server.wait(PUSH)
            return [first, *(push["body"]["markdown"]["content"] for push in pushes)]

    texts = asyncio.run(scenario())
    assert len(texts) > 1
    assert all(0 < len(text.encode()) <= 150 for text in texts)


# ---- the connection


@pytest.mark.parametrize("how", ["clean", "abort"])
def test_after_any_close_it_connects_again_and_answers(slow, how):
    async def scenario():
        async with connected(slow) as (server, _):
            if how == "clean":
                await server.sockets[-1].close(1000)
            else:
                server.sockets[-1].transport.abort()
            await server.wait(SUBSCRIBE, 2)
            await server.say(QUESTION)
            return await server.final()

    assert "李春" in asyncio.run(scenario())


def test_a_connection_lost_while_answering_costs_no_answer(slow):
    slow.seconds = 0.6

    async def scenario():
        async with connected(slow, quick=0.05) as (server, _):
            await server.say(QUESTION)
            await server.wait(RESPOND)  # the placeholder
            server.sockets[-1].transport.abort()
            (push,) = await server.wait(PUSH)
            return server, push["body"]["markdown"]["content"]

    server, text = asyncio.run(scenario())
    assert "李春" in text
    assert len(server.of(SUBSCRIBE)) == 2
    assert len(server.of(RESPOND)) == 1  # the req_id died with its connection
    assert len(server.of(PUSH)) == 1


def test_a_kick_ends_it_and_the_log_says_why(slow, caplog):
    async def scenario():
        async with connected(slow) as (server, channel):
            await server.event("disconnected_event")
            await until(lambda: channel._connection._ended)
            await asyncio.sleep(0.3)  # many times the wait before a reconnect
            return server.of(SUBSCRIBE)

    assert len(asyncio.run(scenario())) == 1
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        wecom_connection.KICKED
    ]


def test_a_wrong_secret_is_given_up_on_and_never_shown(slow, caplog):
    caplog.set_level(logging.DEBUG)

    async def scenario():
        async with wecom() as server:
            server.errcode = lambda frame: 853000
            channel = WeComBot(slow, slow.settings, server.url, Timing(**FAST))
            async with channel.lifespan():
                await until(lambda: channel._connection._ended)
                await asyncio.sleep(0.2)
                return server.of(SUBSCRIBE)

    assert len(asyncio.run(scenario())) == 5
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "WENQU_WECOM_BOT_SECRET" in said
    assert "853000" in said
    assert SECRET not in caplog.text
    assert "websockets.client" not in {record.name for record in caplog.records}  # it logs the ends of frames


def test_refusals_count_only_in_a_row_and_so_does_the_wait(slow):
    async def scenario():
        async with wecom() as server:
            accepted = {4, 8}
            server.errcode = lambda frame: 0 if len(server.of(SUBSCRIBE)) in accepted else 853000
            channel = WeComBot(slow, slow.settings, server.url, Timing(**FAST))
            async with channel.lifespan():
                await server.wait(SUBSCRIBE, 4)
                await until(channel._connection._ready.is_set)
                assert channel._connection._wait == FAST["first_wait"]
                await server.sockets[-1].close(1000)
                await server.wait(SUBSCRIBE, 8)
                await server.say(QUESTION)
                await until(lambda: slow.asked)

    asyncio.run(scenario())


def test_a_server_that_is_not_there_is_waited_for(slow, caplog):
    async def scenario():
        channel = WeComBot(slow, slow.settings, "ws://127.0.0.1:9", Timing(**FAST))
        async with channel.lifespan():
            await until(lambda: caplog.text.count("next attempt") > 6)  # more often than a wrong secret is tried
            assert not channel._connection._ended

    asyncio.run(scenario())
    assert "OSError" in caplog.text or "ConnectionRefusedError" in caplog.text


def test_pings_without_an_ack_end_a_dead_connection(slow):
    async def scenario():
        async with connected(slow, ping=0.05, ack=0.1) as (server, _):
            await server.wait("ping", 3)
            assert len(server.of(SUBSCRIBE)) == 1
            server.errcode = lambda frame: None if frame["cmd"] == "ping" else 0
            began = len(server.of("ping"))
            await server.wait(SUBSCRIBE, 2)
            return len(server.of("ping")) - began

    assert asyncio.run(scenario()) in (2, 3)  # one may have been on its way


def test_nonsense_does_not_end_the_connection(slow, caplog):
    nonsense = [
        "not json 李春",
        "[1, 2]",
        "17",
        "null",
        "{}",
        '{"cmd": "aibot_msg_callback"}',
        "[" * 100_000,
        b"\xff\xfe\xfa",
    ]
    bodies = [None, [], {}, {"msgid": 1, "from": {"userid": "zhang"}}, {"msgid": "M", "from": []}]
    events = [{"event": []}, {"event": {"eventtype": "feedback_event", "feedback_event": {"id": "1", "type": []}}}]

    async def scenario():
        async with connected(slow) as (server, _):
            for raw in nonsense:
                await server.sockets[-1].send(raw)
            for body in bodies:
                await server.send("aibot_msg_callback", "R9", body)
            for event in events:
                await server.send("aibot_event_callback", "R9", event)
            await server.say("", 8, msgtype="mixed", mixed=[{"msg_item": 3}])
            await server.say(QUESTION)
            assert await server.final("R8") == ONLY_TEXT
            return await server.final(), server.of(SUBSCRIBE)

    text, subscriptions = asyncio.run(scenario())
    assert "李春" in text
    assert len(subscriptions) == 1
    left_out = [record for record in caplog.records if "left out" in record.getMessage()]
    assert len(left_out) == len(nonsense) + len(bodies) + 1
    assert "not json" not in caplog.text


# ---- starting and stopping


def test_a_stopping_server_delivers_the_answer_under_way(slow, monkeypatch):
    monkeypatch.setattr("bot.channels.desk._DRAIN_SECONDS", 5)
    slow.seconds = 0.5

    async def scenario():
        async with wecom() as server:
            channel = WeComBot(slow, slow.settings, server.url, Timing(**FAST))
            async with channel.lifespan():
                await server.wait(SUBSCRIBE)
                await server.say(QUESTION)
                await until(lambda: slow.asked)
            await server.sockets[-1].wait_closed()
            return [frame["body"]["stream"]["content"] for frame in server.of(RESPOND) if at_end(frame)]

    (text,) = asyncio.run(scenario())
    assert "李春" in text


def test_what_came_while_stopping_or_was_cut_off_is_answered_by_the_next_process(slow, monkeypatch):
    monkeypatch.setattr("bot.channels.desk._DRAIN_SECONDS", 0.3)

    async def first():
        slow.seconds = 2.0
        async with wecom() as server:
            channel = WeComBot(slow, slow.settings, server.url, Timing(**FAST))
            async with channel.lifespan():
                await server.wait(SUBSCRIBE)
                await server.say(QUESTION, 1)
                await until(lambda: slow.asked)
                asyncio.get_running_loop().call_later(0.1, asyncio.ensure_future, server.say("龙井茶产于哪里?", 2))
            assert not [frame for frame in server.of(RESPOND) if at_end(frame)]
        assert slow.asked == [QUESTION]

    async def second():
        slow.seconds = 0.0
        async with connected(slow) as (server, _):
            return await server.wait(PUSH, 2)

    asyncio.run(first())
    pushes = asyncio.run(second())
    texts = sorted(push["body"]["markdown"]["content"] for push in pushes)
    assert ["李春" in text or "杭州" in text for text in texts] == [True, True]
    assert texts[0] != texts[1]


def test_no_settings_no_connection(bot, slow, monkeypatch, tmp_path):
    assert router(bot, load_settings(index=tmp_path, wecom_bot_id="BOT")) is None
    assert router(bot, load_settings(index=tmp_path, wecom_bot_secret=SECRET)) is None
    assert router(slow, slow.settings).routes == []
    monkeypatch.setitem(sys.modules, "websockets", None)
    with pytest.raises(SettingsError, match=r"wenqu\[wecom\]"):
        router(slow, slow.settings)


def test_a_chat_gets_no_more_frames_than_wecom_takes():
    async def scenario():
        throttle, clock = Throttle(((3, 0.2), (5, 0.6))), asyncio.get_running_loop().time
        began, times = clock(), {"G1": [], "G2": []}

        async def send(chat):
            await throttle.turn(chat)
            times[chat].append(clock() - began)

        await asyncio.gather(*(send("G1") for _ in range(7)), send("G2"))
        return times

    times = asyncio.run(scenario())
    first = times["G1"]
    assert max(first[2], times["G2"][0]) < 0.1
    assert all(later - earlier >= 0.19 for earlier, later in zip(first, first[3:], strict=False))
    assert all(later - earlier >= 0.59 for earlier, later in zip(first, first[5:], strict=False))


def test_chats_that_were_silent_for_longer_than_any_limit_are_forgotten():
    async def scenario():
        throttle = Throttle(((3, 0.05), (5, 0.2)))
        for number in range(1000):
            await throttle.turn(f"G{number}")
        await asyncio.sleep(0.25)
        await throttle.turn("G1000")
        return list(throttle._sent)

    assert asyncio.run(scenario()) == ["G1000"]
