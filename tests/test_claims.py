"""bot.channels.claims: a message is taken once by whoever comes first, and nothing that was taken is forgotten."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest

from bot.channels.claims import Claims
from bot.errors import JournalError

MESSAGE = {"platform": "slack", "text": "青岛"}


@pytest.fixture
def claims(tmp_path):
    claims = Claims(tmp_path / "journal.sqlite")
    yield claims
    claims.close()


def claim_all(file, start, taken):
    claims = Claims(file)
    start.wait()
    taken.put(sum(claims.claim([f"slack:T:{i}"]) for i in range(200)))


def test_processes_that_claim_at_once_take_each_message_once(tmp_path):
    file = tmp_path / "journal.sqlite"
    context = multiprocessing.get_context("spawn")
    start, taken = context.Event(), context.Queue()
    workers = [context.Process(target=claim_all, args=(file, start, taken)) for _ in range(3)]
    for worker in workers:
        worker.start()
    start.set()
    assert sum(taken.get(timeout=60) for _ in workers) == 200
    for worker in workers:
        worker.join()


def test_any_known_key_makes_a_message_known(claims):
    assert claims.claim(["slack:T:Ev1", "slack:T:C:1.0"])
    assert not claims.claim(["slack:T:Ev2", "slack:T:C:1.0"])
    assert claims.claim(["slack:T:Ev2", "slack:T:C:2.0"])  # the refused claim took nothing


def test_what_a_dead_process_left_is_taken_up_once(claims, tmp_path):
    code = (
        "import sys; from pathlib import Path; from bot.channels.claims import Claims\n"
        "claims = Claims(Path(sys.argv[1]))\n"
        f"claims.claim(['slack:T:1'], {MESSAGE!r}); claims.claim(['slack:T:2'], {MESSAGE!r})\n"
        "claims.claim(['wecom:T:3'], {}); claims.finish('slack:T:2')"
    )
    path = os.pathsep.join(sys.path)
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "journal.sqlite")],
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    other = Claims(tmp_path / "journal.sqlite")
    assert other.left_behind("slack") == [MESSAGE]
    other.finish("slack:T:1")
    assert other.left_behind("slack") == []
    other.close()


def test_pages_come_one_by_one_and_a_new_answer_replaces_them(claims):
    claims.keep_rest("wechat:u", ["一", "二"])
    assert claims.next_rest("wechat:other") is None
    assert claims.next_rest("wechat:u") == "一"
    claims.keep_rest("wechat:u", ["新"])
    claims.keep_rest("wechat:u", ["迟"], late=True)
    claims.keep_rest("wechat:u", ["更新"])
    assert [claims.next_rest("wechat:u") for _ in range(3)] == ["更新", "迟", None]  # nobody has seen the late one yet


def test_every_delivery_finds_the_reply_and_one_that_comes_too_late_is_known_as_late(claims):
    claims.claim(["wechat:A:1"], MESSAGE)
    claims.claim(["wechat:A:2"], MESSAGE)
    assert [claims.again("wechat:A:1"), claims.again("wechat:A:1"), claims.again("wechat:A:9")] == [2, 3, 0]
    assert claims.reply("wechat:A:1") is None
    assert not claims.keep_reply("wechat:A:1", "答")
    assert claims.last_call("wechat:A:1") == "答"
    assert claims.last_call("wechat:A:2") is None
    assert claims.keep_reply("wechat:A:2", "迟到的答案")


def test_a_journal_that_is_no_database_is_an_error_with_its_name(tmp_path):
    (tmp_path / "journal.sqlite").write_text("not a database, but a text of some length" * 50)
    with pytest.raises(JournalError, match=r"journal\.sqlite"):
        Claims(tmp_path / "journal.sqlite")
