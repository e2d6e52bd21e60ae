"""bot.channels.desk: a message is taken once, answered to its end, and a server that stops loses nothing."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import pytest
from conftest import SlowBot, write_articles

from bot.answer.meta import HELLO
from bot.channels.claims import Claims
from bot.channels.desk import FAILED, Desk, Inbound
from bot.errors import SettingsError
from bot.journal import Journal
from bot.pipeline import Bot
from bot.settings import load_settings


@pytest.fixture
def slow(bot, tmp_path):
    return SlowBot(bot, load_settings(index=tmp_path / "index"), 0.05)


def message(number: int, text: str = "赵州桥由谁设计?") -> Inbound:
    return Inbound("slack", "T", "C", "U", str(number), text)


def test_a_message_that_is_delivered_again_is_answered_once(slow):
    sent = []

    async def run():
        desk = Desk(slow)

        async def handle(inbound):
            sent.append((inbound.message_id, (await desk.answer(inbound)).text))

        async with desk.open("slack", handle):
            assert await desk.take(message(1), handle, "slack:T:C:1.0")
            assert not await desk.take(message(1), handle)
            assert not await desk.take(message(2), handle, "slack:T:C:1.0")  # another id, the same message
            assert await desk.take(message(3), handle)

    asyncio.run(run())
    assert sorted(number for number, _ in sent) == ["1", "3"]
    assert all("李春" in text for _, text in sent)
    assert len(slow.asked) == 2


def test_a_stopping_server_waits_for_its_answers(slow):
    slow.seconds = 0.5
    sent = []

    async def run():
        desk = Desk(slow)

        async def handle(inbound):
            sent.append(await desk.answer(inbound))

        async with desk.open("slack", handle):
            for number in range(40):
                await desk.take(message(number), handle)

    asyncio.run(run())
    assert len(sent) == 40


def test_what_did_not_get_its_answer_is_answered_after_a_restart(slow, monkeypatch):
    monkeypatch.setattr("bot.channels.desk._DRAIN_SECONDS", 0.05)
    sent = []

    async def first_server():
        desk = Desk(slow)

        async def never(inbound):
            await asyncio.sleep(60)

        async with desk.open("slack", never):
            await desk.take(message(1), never)
            await asyncio.sleep(0)

    async def second_server():
        desk = Desk(slow)

        async def handle(inbound):
            sent.append((inbound, (await desk.answer(inbound)).text))

        async with desk.open("slack", handle):
            assert not await desk.take(message(1), handle)  # delivered again meanwhile

    asyncio.run(first_server())
    monkeypatch.setattr("bot.channels.desk._DRAIN_SECONDS", 10)
    asyncio.run(second_server())
    ((inbound, text),) = sent
    assert inbound == message(1)
    assert "李春" in text


def test_words_for_what_is_no_question_and_for_what_goes_wrong(slow, caplog):
    async def run():
        desk = Desk(slow)
        texts = ["你好！", "ＨＥＬＬＯ", "？", "坏"]
        async with desk.open("slack"):
            return [await desk.answer(message(i, text)) for i, text in enumerate(texts)]

    hello_zh, hello_en, empty, broken = asyncio.run(run())
    assert hello_zh.text == HELLO["zh"]
    assert hello_en.text == HELLO["en"]
    assert "问题是空的" in empty.text
    assert broken.text == FAILED["zh"]
    assert {reply.answer for reply in (hello_zh, hello_en, empty, broken)} == {None}
    assert "broken" in caplog.text  # the log says why; the user does not read it


def test_an_answer_is_kept_for_feedback_and_a_platform_that_fails_ends_nothing(slow, caplog):
    async def run():
        desk = Desk(slow)

        async def handle(inbound):
            await desk.feedback((await desk.answer(inbound)).id, "U", 1)
            raise OSError("platform is down")

        async with desk.open("slack", handle):
            await desk.take(message(1, "秘密的问题:赵州桥由谁设计?"), handle)

    asyncio.run(run())
    journal = Journal(slow.settings.index / "journal.sqlite")
    assert [(asked.question, asked.liked) for asked in journal.recent(5)] == [("秘密的问题:赵州桥由谁设计?", 1)]
    assert Claims(slow.settings.index / "journal.sqlite").left_behind("slack") == []
    assert "platform is down" in caplog.text
    assert "秘密" not in caplog.text
    assert asdict(message(1))["platform"] == "slack"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("", "6210"),
        ("slack=乙厂", "6220"),
        ("slack=甲厂; slack:C=乙厂", "6220"),
        ("slack=丙厂 , 无 ; slack:D=甲厂; wechat=甲厂", "没有这个文件夹：无"),
        ("slack=丙厂; slack:D=甲厂; wechat=甲厂", "6230"),
        ("wechat=乙厂", "6210"),
        ("slack=丁厂", "没有这个文件夹"),
    ],
)
def test_a_channel_asks_its_folders_only(tmp_path, embedder, setting, expected):
    for name, number in {"甲厂": 6210, "乙厂": 6220, "丙厂": 6230}.items():
        said = f"值班\n\n{name if name != '甲厂' else ''}值班电话是{number},夜里也有人。\n"
        write_articles(tmp_path / "c" / name, {"值班.txt": said})
    settings = load_settings(corpus=tmp_path / "c", index=tmp_path / "i", channel_collections=setting)
    bot = Bot(settings, embedder)
    bot.refresh()

    async def run() -> str:
        desk = Desk(bot)
        async with desk.open("slack"):
            return (await desk.answer(message(1, "值班电话是多少?"))).text

    assert expected in asyncio.run(run())


@pytest.mark.parametrize("setting", ["telegram=a", "slack", "slack=", "slack=a;;wechat=b"])
def test_a_setting_that_names_no_channel_or_no_folder_is_refused(setting):
    with pytest.raises(SettingsError, match="CHANNEL_COLLECTIONS"):
        load_settings(channel_collections=setting)
