"""Curated answers and the journal over HTTP: what people wrote by hand stays, letter for letter."""

from __future__ import annotations

import csv
import io
import threading

import pytest
from fastapi.testclient import TestClient
from openpyxl import load_workbook

from bot.corpus.curated import CuratedAnswer
from bot.corpus.curated_file import CuratedFile
from bot.errors import StoreError
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.web.app import create_app

BY_HAND = """# 由前台维护
# 改动前先问小王

- questions:
    - 怎么预约参观？   # 问得最多
    - How do I book a visit?
  answer: '请提前一天: 打电话给前台预约。'
  source: 前台

# 坏的一条
- questions: 缺了答案
  source: 前台

- questions: 参观要收费吗？
  answer: |
    不收费。
    讲解另付。
  source: 前台
"""
NEW = {
    "questions": ["停车收费吗?", "停车场要钱吗?"],
    "answer": "每小时五元: 先付后走。",
    "source": "物业",
    "url": "https://example.org/p",
}


@pytest.fixture
def bot(own_bot):
    return own_bot


def text_of(bot: Bot) -> str:
    return (bot.settings.corpus / "answers.yaml").read_text(encoding="utf-8")


def test_an_answer_is_written_changed_and_taken_out(client, bot):
    assert client.get("/api/answers").json() == []
    identity = client.post("/api/answers", json=NEW).json()["id"]
    assert client.get("/api/answers").json() == [{**NEW, "id": identity}]
    bot.refresh()
    assert bot.ask("停车收费吗").text == NEW["answer"]
    changed = client.put(f"/api/answers/{identity}", json={**NEW, "answer": "免费。"}).json()["id"]
    assert changed != identity
    bot.refresh()
    assert bot.ask("停车收费吗").text == "免费。"
    late = client.put(f"/api/answers/{identity}", json={**NEW, "answer": "十元。"})
    assert (late.status_code, late.json()["error"]["code"]) == (404, "E-GONE")
    assert client.delete(f"/api/answers/{changed}").status_code == 204
    bot.refresh()
    assert bot.ask("停车收费吗").refused
    assert client.delete(f"/api/answers/{changed}").status_code == 404


def test_what_was_written_by_hand_stays_as_it_is(client, bot):
    (bot.settings.corpus / "answers.yaml").write_text(BY_HAND, encoding="utf-8")
    first, second = client.get("/api/answers").json()
    assert first["answer"] == "请提前一天: 打电话给前台预约。"
    identity = client.post("/api/answers", json=NEW).json()["id"]
    assert text_of(bot).startswith(BY_HAND)
    client.delete(f"/api/answers/{identity}")
    assert text_of(bot) == BY_HAND
    client.put(f"/api/answers/{second['id']}", json={**second, "answer": "收费。"})
    assert text_of(bot).startswith(BY_HAND[: BY_HAND.index("- questions: 参观")])
    assert [one["answer"] for one in client.get("/api/answers").json()] == [first["answer"], "收费。"]
    client.delete(f"/api/answers/{first['id']}")
    assert "# 改动前先问小王" in text_of(bot)
    assert "缺了答案" in text_of(bot)


@pytest.mark.parametrize(
    "content",
    [
        "- questions: 甲？\n  answer: 乙。\n  source: 丙",
        "  - questions: 甲？\n    answer: 乙。\n    source: 丙\n",
        "\ufeff# 头\n",
        "",
        "---\n",
    ],
)
def test_an_answer_is_added_to_a_file_however_it_is_written(bot, content):
    (bot.settings.corpus / "answers.yaml").write_text(content, encoding="utf-8")
    file = CuratedFile(bot.settings.corpus)
    before = [one.entry for one in file.entries()]
    identity = file.write(CuratedAnswer(("问？",), "答。", "源"))
    assert [one.entry for one in file.entries()] == [*before, CuratedAnswer(("问？",), "答。", "源")]
    file.remove(identity)
    assert [one.entry for one in file.entries()] == before


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (CuratedAnswer(("参观要收费吗",), "收。", "源"), "E-ANSWER"),  # asked already
        (CuratedAnswer(("？",), "答。", "源"), "E-ANSWER"),
        (CuratedAnswer(("问？",), "答。", "源", "javascript:alert(1)"), "E-ANSWER"),
        (CuratedAnswer(("问？",), "长" * 4001, "源"), "E-ANSWER"),
        (CuratedAnswer(("问？",), " ", "源"), "E-ANSWER"),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused_and_nothing_changes(bot, entry, code):
    (bot.settings.corpus / "answers.yaml").write_text(BY_HAND, encoding="utf-8")
    with pytest.raises(StoreError) as refused:
        CuratedFile(bot.settings.corpus).write(entry)
    assert refused.value.code == code
    assert text_of(bot) == BY_HAND


def test_a_file_that_is_no_list_is_not_written_over(bot):
    (bot.settings.corpus / "answers.yaml").write_text("questions: 不是列表\n", encoding="utf-8")
    with pytest.raises(StoreError):
        CuratedFile(bot.settings.corpus).write(CuratedAnswer(("问？",), "答。", "源"))
    assert text_of(bot) == "questions: 不是列表\n"


def test_people_who_write_at_once_lose_nothing(bot):
    def write(number: int) -> None:
        CuratedFile(bot.settings.corpus).write(CuratedAnswer((f"第{number}个问题？",), f"第{number}个答案。", "源"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(CuratedFile(bot.settings.corpus).entries()) == 12


def test_a_draft_says_which_questions_it_would_catch(client):
    for question in ("怎么预约参观", "请问怎样预约参观?", "红烧肉怎么做", "停车收费吗"):
        client.post("/api/ask", json={"question": question})
    caught = client.post("/api/answers/check", json={"questions": ["怎么预约参观?", " "]}).json()["caught"]
    assert "怎么预约参观" in caught
    assert "红烧肉怎么做" not in caught
    assert client.post("/api/answers/check", json={"questions": ["??"]}).json() == {"caught": []}


def test_the_journal_is_read_and_exported(client):
    for question in ("红烧肉怎么做", "红烧肉怎么做?", "=1+1是多少钱", "龙井茶产于哪里?"):
        answer = client.post("/api/ask", json={"question": question}).json()
    client.post("/api/feedback", json={"answer": answer["id"], "verdict": -1, "comment": "不对"})
    unanswered = client.get("/api/journal/unanswered").json()
    assert (unanswered[0]["question"], unanswered[0]["count"]) == ("红烧肉怎么做?", 2)
    assert [one["comments"] for one in client.get("/api/journal/disliked").json()] == ["不对"]
    assert len(client.get("/api/journal/asked", params={"limit": 3}).json()) == 3
    table = list(csv.reader(io.StringIO(client.get("/api/journal/unanswered.csv").content.decode("utf-8-sig"))))
    assert table[0] == ["question", "language", "count", "last"]
    assert "'=1+1是多少钱" in [row[0] for row in table]  # no formula to a spreadsheet
    book = load_workbook(io.BytesIO(client.get("/api/journal/asked.xlsx").content))
    cells = [cell for row in book.active.iter_rows() for cell in row]
    assert "=1+1是多少钱" in [cell.value for cell in cells]
    assert [cell.data_type for cell in cells if cell.value == "=1+1是多少钱"] == ["s"]
    assert client.get("/api/journal/secrets.csv").status_code == 422


def test_the_answers_are_exported(client):
    client.post("/api/answers", json=NEW)
    book = load_workbook(io.BytesIO(client.get("/api/answers.xlsx").content))
    head, row = book.active.iter_rows(values_only=True)
    assert head[:4] == ("answer", "source", "url", "questions")
    assert row == (NEW["answer"], NEW["source"], NEW["url"], *NEW["questions"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/answers"),
        ("POST", "/api/answers"),
        ("PUT", "/api/answers/x"),
        ("DELETE", "/api/answers/x"),
        ("POST", "/api/answers/check"),
        ("GET", "/api/answers.xlsx"),
        ("GET", "/api/journal/unanswered"),
        ("GET", "/api/journal/disliked"),
        ("GET", "/api/journal/asked"),
        ("GET", "/api/journal/asked.csv"),
    ],
)
def test_only_who_may_change_documents_sees_the_journal_and_the_answers(settings, embedder, method, path):
    shown = load_settings(corpus=settings.corpus, index=settings.index, public_url="https://example.org")
    with TestClient(create_app(Bot(shown, embedder)), client=("127.0.0.1", 50000)) as client:
        assert client.request(method, path, json=NEW).status_code == 403
