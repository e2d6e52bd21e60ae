"""bot.journal: what was asked and thought of it is kept for a time, without its text where that is not wanted."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import time
from dataclasses import replace

import pytest
from conftest import SlowBot
from fastapi.testclient import TestClient

from bot import journal as journal_module
from bot.channels.claims import Claims
from bot.channels.desk import Desk, Inbound
from bot.errors import CorpusError, JournalError
from bot.evaluation import read_questions, write_unanswered
from bot.journal import Journal, SqliteFile
from bot.settings import load_settings
from bot.types import Answer
from bot.web.app import create_app

DAY = 24 * 3600
CANARY = "why does canary 7431 sing"  # ASCII: JSON escapes the rest


def answer(question: str = "青岛有什么?", *, refused: bool = False) -> Answer:
    return Answer(question, "答", refused, 0.25, (), "passages", {}, "gen-000001")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "index" / "journal.sqlite"


@pytest.fixture
def journal(file):
    journal = Journal(file)
    yield journal
    journal.close()


def age(file, days: float) -> None:
    """Make everything in the file so many days older."""
    with sqlite3.connect(file) as database:
        for table in ("answers", "feedback"):
            database.execute(f"UPDATE {table} SET at = at - ?", (days * DAY,))
    database.close()


def held(file, text: str) -> bool:
    """Whether a file of the journal holds the text, deleted or not."""
    return any(text.encode() in path.read_bytes() for path in file.parent.glob("journal.sqlite*"))


def test_an_answer_comes_back_with_an_id_and_is_kept_with_what_was_decided(journal):
    known = journal.keep(answer("青岛有什么?", refused=True), "web")
    assert known.id
    assert known.to_dict()["id"] == known.id
    assert replace(known, id="") == answer("青岛有什么?", refused=True)
    (asked,) = journal.recent(20)
    assert (asked.id, asked.platform, asked.question) == (known.id, "web", "青岛有什么?")
    assert (asked.refused, asked.confidence) == (True, 0.25)
    assert abs(asked.at - time.time()) < 60


def test_a_follow_up_is_kept_as_it_was_understood(journal):
    journal.keep(replace(answer("那北京呢?", refused=True), standalone="北京为什么能成功?"), "web")
    assert [row.question for row in journal.recent(1)] == ["北京为什么能成功?"]


def test_the_last_word_of_a_user_on_an_answer_counts(journal):
    known = journal.keep(answer(), "slack", "a1")
    assert known.id == "a1"
    assert journal.record_feedback("a1", "U1", 1)
    assert journal.record_feedback("a1", "U1", -1, "来源不对")
    assert journal.record_feedback("a1", "U2", 1)
    journal.keep(answer("别的"), "slack", "a2")
    (asked,) = journal.disliked()
    assert (asked.id, asked.liked, asked.disliked, asked.comments) == ("a1", 1, 1, "来源不对")
    journal.record_feedback("a1", "U1", 0)
    assert journal.disliked() == []
    assert [asked.id for asked in journal.recent(20)] == ["a2", "a1"]


def test_feedback_on_what_nobody_answered_is_not_kept(journal):
    assert not journal.record_feedback("a1", "U1", 1)
    journal.keep(answer(), "slack", "a1")
    assert [(asked.liked, asked.disliked) for asked in journal.recent(5)] == [(0, 0)]


def test_refused_questions_that_say_the_same_are_one_the_most_asked_first(journal):
    for question in ("红烧肉怎么做", "请问红燒肉怎么做?", "What is love", "红烧肉怎么做呢?", "what is love?", "单独的"):
        journal.keep(answer(question, refused=True), "web")
    journal.keep(answer("答上了"), "web")
    found = [(asked.question, asked.count, asked.language) for asked in journal.unanswered()]
    assert found == [("红烧肉怎么做呢?", 3, "zh"), ("what is love?", 2, "en"), ("单独的", 1, "zh")]


def test_only_the_days_that_are_asked_for_count(journal, file):
    journal.keep(answer("旧的", refused=True), "web")
    age(file, 3)
    journal.keep(answer("新的", refused=True), "web")
    assert [asked.question for asked in journal.unanswered(2)] == ["新的"]
    assert len(journal.unanswered(4)) == len(journal.unanswered()) == 2


def test_what_is_too_old_is_deleted_without_a_trace_when_the_file_is_opened(file):
    first = Journal(file, days=30)
    first.keep(answer(CANARY), "web", "old")
    first.record_feedback("old", "U", -1, "注释")
    first.close()
    assert held(file, CANARY)
    age(file, 29)
    second = Journal(file, days=30)
    assert [asked.id for asked in second.recent(5)] == ["old"]
    second.close()
    age(file, 2)
    third = Journal(file, days=30)
    assert third.recent(5) == []
    third.close()
    assert not held(file, CANARY)
    assert not held(file, "注释")


def test_a_running_journal_forgets_too_but_at_most_once_an_hour(journal, file, monkeypatch):
    journal.keep(answer(CANARY), "web", "old")
    age(file, 91)
    journal.keep(answer("新的"), "web", "new")
    assert {asked.id for asked in journal.recent(5)} == {"old", "new"}
    now = time.monotonic()
    monkeypatch.setattr(journal_module.time, "monotonic", lambda: now + 3601)
    journal.keep(answer("更新的"), "web", "newer")
    assert {asked.id for asked in journal.recent(5)} == {"new", "newer"}
    assert not held(file, CANARY)


def test_clearing_leaves_what_is_younger_and_no_trace_of_the_rest(journal, file):
    journal.keep(answer(CANARY), "web", "old")
    journal.record_feedback("old", "U", 1)
    age(file, 10)
    journal.keep(answer(), "web", "new")
    assert journal.clear(5) == 1
    assert [asked.id for asked in journal.recent(5)] == ["new"]
    assert not held(file, CANARY)
    assert journal.clear(0) == 1
    assert journal.recent(5) == []
    journal.keep(answer(), "web", "old")
    assert [asked.liked for asked in journal.recent(5)] == [0]  # what was thought of it is gone as well


def test_switched_off_no_question_is_written_but_feedback_is(bot, tmp_path, file):
    settings = load_settings(corpus=bot.settings.corpus, index=tmp_path / "index", journal=False)
    slow = SlowBot(bot, settings)

    async def run():
        desk = Desk(slow)
        inbound = Inbound("slack", "T", "C", "U", "1", CANARY)

        async def handle(message):
            assert held(file, CANARY)  # until it is answered, so that another process can take it up
            reply = await desk.answer(message)
            assert desk.journal.record_feedback(reply.id, "U", -1)

        async with desk.open("slack", handle):
            assert await desk.take(inbound, handle)

    asyncio.run(run())
    assert slow.asked == [CANARY]
    assert not held(file, CANARY)
    claims = Claims(file)
    assert not claims.claim(["slack:T:1"])  # the message is known still
    claims.close()
    journal = Journal(file)
    assert [(asked.question, asked.platform, asked.disliked) for asked in journal.recent(5)] == [("", "slack", 1)]
    assert journal.unanswered() == []
    with TestClient(create_app(slow)) as client:
        known = client.post("/api/ask", json={"question": CANARY}).json()["id"]
        assert client.post("/api/feedback", json={"answer": known, "verdict": 1}).status_code == 204
    assert not held(file, CANARY)
    journal.close()


@pytest.mark.parametrize(
    "question", ["a\0b", "\ud83d半", "长" * 2000, "'; DROP TABLE answers; --", "\x1b[31m", "%s {0}"]
)
def test_any_text_is_kept(journal, question):
    known = journal.keep(answer(question, refused=True), "web")
    assert journal.record_feedback(known.id, question, -1, question)
    wanted = question.replace("\0", "").replace("\ud83d", "?")
    assert journal.unanswered()[0].question == wanted
    assert journal.disliked()[0].comments == wanted[:500]


def test_a_journal_that_cannot_be_written_costs_no_answer_and_one_line_of_the_log(tmp_path, caplog):
    (tmp_path / "journal.sqlite").write_text("not a database, but a text of some length" * 50)
    journal = Journal(tmp_path / "journal.sqlite")
    assert journal.keep(answer(), "web") == answer()
    assert len(caplog.records) == 1
    assert "journal.sqlite" in caplog.text
    assert "青岛" not in caplog.text
    with pytest.raises(JournalError, match=r"journal\.sqlite"):
        journal.record_feedback("a", "U", 1)


def test_a_disk_that_is_full_is_what_the_error_says(journal, caplog):
    known = journal.keep(answer(), "web")
    with journal.transaction() as database:
        database.execute("PRAGMA max_page_count = 1")  # SQLite keeps what it has, and takes no page more
    with pytest.raises(JournalError, match="disk is full"):
        for number in range(1000):
            journal.record_feedback(known.id, f"U{number}", 1, "长" * 500)
    kept = 1
    while journal.keep(answer("长" * 2000), "web").id:  # until a record no longer fits beside the others
        kept += 1
    assert "disk is full" in caplog.text
    with journal.transaction() as database:
        database.execute("PRAGMA max_page_count = 100000")
    assert journal.record_feedback(known.id, "U", -1)
    assert len(journal.recent(1000)) == kept


def test_a_commit_that_fails_leaves_nothing_behind(file):
    class Strict(SqliteFile):
        TABLES = (
            "CREATE TABLE IF NOT EXISTS one (id INTEGER PRIMARY KEY)",
            "CREATE TABLE IF NOT EXISTS other (one INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)",
        )

    strict = Strict(file)
    strict._opened().execute("PRAGMA foreign_keys = ON")
    for _ in range(2):
        with pytest.raises(JournalError, match="FOREIGN KEY"), strict.transaction() as database:
            database.execute("INSERT INTO other VALUES (1)")  # which only the commit finds wrong
    with strict.transaction() as database:
        database.execute("INSERT INTO one VALUES (1)")
    assert strict.rows("SELECT count(*) FROM other") == [(0,)]
    strict.close()


@pytest.mark.parametrize("made", ["now", "before"])
def test_only_the_owner_reads_the_file_and_its_logs(file, made):
    old = os.umask(0o022)
    try:
        if made == "before":
            file.parent.mkdir()
            sqlite3.connect(file).execute("PRAGMA journal_mode = WAL").close()
            assert file.stat().st_mode & 0o777 == 0o644
        journal = Journal(file)
        journal.keep(answer(), "web")
        claims = Claims(file)
        modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.glob("journal.sqlite*")}
        journal.close()
        claims.close()
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"), 0o600)


def test_a_file_of_the_first_schema_opens_with_what_it_holds(file):
    file.parent.mkdir()
    old = sqlite3.connect(file)
    old.executescript(
        "CREATE TABLE answers (id TEXT PRIMARY KEY, at REAL, platform TEXT, question TEXT, refused INTEGER,"
        " confidence REAL) WITHOUT ROWID;"
        "CREATE TABLE feedback (answer TEXT, user TEXT, at REAL, verdict INTEGER, PRIMARY KEY (answer, user))"
        " WITHOUT ROWID;"
    )
    old.execute("INSERT INTO answers VALUES ('a', ?, 'slack', '旧问题', 1, 0.1)", (time.time(),))
    old.execute("INSERT INTO feedback VALUES ('a', 'U', ?, -1)", (time.time(),))
    old.commit()
    old.close()
    for turn in ("first", "second"):
        journal = Journal(file)
        asked = {asked.question: asked.disliked for asked in journal.recent(5)}
        assert asked["旧问题"] == 1
        assert [(asked.question, asked.language) for asked in journal.unanswered()] == [("旧问题", "zh")]
        journal.keep(answer(turn), "web", turn)
        assert journal.record_feedback(turn, "U", 1, "好")
        journal.close()
    assert set(asked) == {"旧问题", "first"}


def keep_many(file, start, done):
    journal = Journal(file)
    start.wait()
    for number in range(100):
        known = journal.keep(answer(f"{number}"), "web")
        assert journal.record_feedback(known.id, "U", 1)
    done.put(True)


def test_processes_that_write_at_once_lose_nothing(file):
    context = multiprocessing.get_context("spawn")
    start, done = context.Event(), context.Queue()
    workers = [context.Process(target=keep_many, args=(file, start, done)) for _ in range(2)]
    for worker in workers:
        worker.start()
    start.set()
    assert [done.get(timeout=60) for _ in workers] == [True, True]
    for worker in workers:
        worker.join()
    journal = Journal(file)
    assert [asked.liked for asked in journal.recent(1000)] == [1] * 200
    journal.close()


def test_exported_questions_are_an_evaluation_folder_and_no_file_is_overwritten(tmp_path):
    folder = tmp_path / "new" / "set"
    assert write_unanswered(folder, [("红烧肉\n怎么做", "zh"), ("what is love", "en")]) == 2
    questions = read_questions(folder)
    assert [(q.text, q.lang, q.kind, q.evidence) for q in questions] == [
        ("红烧肉\n怎么做", "zh", "unanswerable", ()),
        ("what is love", "en", "unanswerable", ()),
    ]
    assert len((folder / "README.md").read_text(encoding="utf-8").splitlines()) == 3
    with pytest.raises(CorpusError, match="not empty"):
        write_unanswered(folder, [])
    assert len(read_questions(folder)) == 2
    (tmp_path / "file").write_text("x")
    with pytest.raises(CorpusError, match="cannot be written"):
        write_unanswered(tmp_path / "file", [])


def test_feedback_by_the_page(bot):
    with TestClient(create_app(bot)) as client:
        known = client.post("/api/ask", json={"question": "红烧肉怎么做"}).json()["id"]
        body = {"answer": known, "verdict": -1, "comment": "明明有"}
        done = client.post("/api/feedback", json=body)
        assert (done.status_code, done.content) == (204, b"")
        journal = Journal.from_settings(bot.settings)
        asked = next(asked for asked in journal.recent(50) if asked.id == known)
        assert (asked.platform, asked.disliked, asked.comments) == ("web", 1, "明明有")
        assert client.post("/api/feedback", json={**body, "verdict": 0}).status_code == 204
        assert known not in [asked.id for asked in journal.disliked()]
        journal.close()
        assert client.post("/api/feedback", json={**body, "answer": "unknown"}).status_code == 404
        half = '{"answer": "\\ud83d", "verdict": 1}'
        headers = {"Content-Type": "application/json"}
        assert client.post("/api/feedback", content=half, headers=headers).status_code in (404, 422)
        for wrong in ({"verdict": 2}, {"comment": "长" * 501}, {"answer": None}):
            assert client.post("/api/feedback", json={**body, **wrong}).status_code == 422
        with client.stream("POST", "/api/chat", json={"question": "红烧肉怎么做"}) as response:
            assert '"id":"' in response.read().decode().replace('": "', '":"')


def test_every_surface_records(bot, tmp_path):
    settings = load_settings(corpus=bot.settings.corpus, index=tmp_path / "index")
    slow = SlowBot(bot, settings)
    question = {"model": "wenqu", "messages": [{"role": "user", "content": "赵州桥由谁设计?"}]}
    with TestClient(create_app(slow)) as client:
        assert client.post("/v1/chat/completions", json=question).status_code == 200
        assert client.post("/api/ask", json={"question": "赵州桥由谁设计?"}).status_code == 200
    journal = Journal.from_settings(settings)
    asked = journal.recent(5)
    assert sorted(asked.platform for asked in asked) == ["openai", "web"]
    assert {asked.passage for asked in asked} == {bot.ask("赵州桥由谁设计?").evidence[0].hit.passage.id}
    journal.close()
