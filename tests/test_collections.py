"""Collections: a question that is asked of some folders gets nothing of the others, whatever is asked for."""

from __future__ import annotations

import random
from itertools import chain

import numpy as np
import pytest
from conftest import ROOT, write_articles
from fastapi.testclient import TestClient

from bot.cli.console import ready_bot
from bot.corpus.scan import collection_of
from bot.errors import QueryError
from bot.index.engines.within import EngineWithin
from bot.journal import Journal
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.web.app import create_app
from bot.web.mcp import _Tools

FILES = {
    "总则.txt": "总则\n\n本院值班电话是6200,值班室在一楼。\n",
    "甲厂/值班.txt": "甲厂值班\n\n甲厂值班电话是6210,值班长是张三丰。\n",
    "乙厂/值班.txt": "乙厂值班\n\n乙厂值班电话是6220,值班长是李四光。\n",
    "乙厂/食堂.txt": "乙厂食堂\n\n乙厂食堂每日六时开门,周日停业。\n",
    "丙's 厂/值班.txt": "丙厂值班\n\n丙厂值班电话是6230,值班长是王五一。\n",
}
SECRETS = {"": "6200", "甲厂": "张三丰", "乙厂": "李四光", "丙's 厂": "王五一"}


def made(folder, embedder, **options) -> Bot:
    for name in FILES:
        (folder / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
    write_articles(folder / "corpus", FILES)
    bot = Bot(load_settings(corpus=folder / "corpus", index=folder / "index", **options), embedder)
    bot.refresh()
    return bot


@pytest.fixture(scope="module", params=["faiss", "exact"])
def bot(tmp_path_factory, embedder, request) -> Bot:
    """A bot over three folders and a file beside them."""
    return made(tmp_path_factory.mktemp("collections"), embedder, engine=request.param)


def everything(bot: Bot) -> str:
    """All that a bot says, finds and shows, as one text."""
    asked = (
        "值班电话是多少",
        "值班长是谁",
        "有哪些文章",
        "食堂几点开门",
        "总结一下乙厂值班",
        "各厂的值班长是谁",
        "duty phone",
    )
    said = (f"{bot.ask(question).to_dict()}{bot.explain(question, 20).to_dict()}" for question in asked)
    found = (f"{hit.passage}" for question in asked for hit in bot.search(question, 20))
    return "".join(chain(said, found, bot.examples()))


@pytest.mark.parametrize("seen", [("甲厂",), ("乙厂",), ("",), ("甲厂", "丙's 厂")], ids=str)
def test_nothing_of_the_others_is_said_found_or_shown(bot, seen):
    told = everything(bot.within(seen))
    assert [secret for name, secret in SECRETS.items() if name in seen and secret not in told] == []
    assert [secret for name, secret in SECRETS.items() if name not in seen and secret in told] == []


def test_each_folder_answers_for_itself(bot):
    for name, number in {"": "6200", "甲厂": "6210", "乙厂": "6220", "丙's 厂": "6230"}.items():
        assert number in bot.within({name}).ask("值班电话是多少").text
    assert bot.within({"甲厂"}).ask("乙厂食堂几点开门").refused
    assert "2 份" in bot.within({"乙厂"}).ask("有哪些文章").text


def test_a_passage_of_another_folder_cannot_be_opened(bot):
    (hit,) = bot.within({"乙厂"}).search("值班长是谁", 1)
    seen = bot.within({"甲厂"})
    assert seen.source(hit.passage.id) is None
    assert seen.original(hit.passage.id) is None
    assert seen.document("乙厂/值班.txt") is None
    assert seen.file("乙厂/值班.txt") is None
    assert seen.passages("乙厂/值班.txt") == []
    assert bot.source(hit.passage.id) is not None


def test_a_folder_that_there_is_not_is_named(bot):
    with pytest.raises(QueryError, match=r"丁厂.*甲厂"):
        bot.within({"丁厂"})
    with pytest.raises(QueryError, match="乙厂"):
        bot.within({"甲厂"}).within({"乙厂"})


def test_what_was_added_later_counts_too(tmp_path, embedder):
    more = {f"甲厂/{number}.txt": f"第{number}车间\n\n第{number}车间有{number}台机床。\n" for number in range(450)}
    (tmp_path / "corpus" / "甲厂").mkdir(parents=True)
    write_articles(tmp_path / "corpus", more)
    bot = made(tmp_path, embedder)
    (tmp_path / "corpus" / "乙厂" / "新.txt").write_text("新规\n\n值班长改由赵六合担任。\n", encoding="utf-8")
    (tmp_path / "corpus" / "甲厂" / "值班.txt").write_text("甲厂值班\n\n甲厂值班电话改为6299。\n", encoding="utf-8")
    bot.refresh()
    assert bot.info()["index"]["delta"] > 0
    assert "赵六合" in "".join(hit.passage.text for hit in bot.within({"乙厂"}).search("值班长是谁", 5))
    told = everything(bot.within({"甲厂"}))
    assert "6299" in told
    assert "6210" not in told
    assert "赵六合" not in told


def test_the_best_of_some_rows_are_those_that_a_comparison_of_all_finds(bot):
    engine = bot.live.get().engine
    rng = random.Random(7)
    for _ in range(50):
        rows = sorted(rng.sample(range(len(engine)), rng.randint(1, len(engine))))
        vector = bot.embedder.encode_query(rng.choice(["值班长", "食堂", "电话"]))
        wanted = EngineWithin(engine, np.array(rows))
        best = sorted(rows, key=lambda row: -float(engine.scores(vector, np.array([row]))[0]))
        assert wanted.search(vector, 3)[0].tolist() == best[:3]


def test_collections_over_http(bot):
    with TestClient(create_app(bot), client=("127.0.0.1", 50000)) as client:
        answer = client.post("/api/ask", json={"question": "值班电话是多少", "collections": ["乙厂"]}).json()
        assert "6220" in answer["text"]
        chat = client.post("/api/chat", json={"question": "值班电话是多少", "collections": ["甲厂"]}).text
        assert "6210" in chat
        assert "6220" not in chat
        found = client.get("/api/search", params={"question": "值班长", "collections": ["甲厂", ""]}).json()
        assert {collection_of(hit["passage"]["article"]) for hit in found["hits"]} == {"甲厂", ""}
        assert client.get("/api/examples", params={"collections": "乙厂"}).status_code == 200
        wrong = client.post("/api/ask", json={"question": "值班电话是多少", "collections": ["丁厂"]})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "invalid_question")


def test_each_folder_is_a_model_of_v1(bot):
    with TestClient(create_app(bot)) as client:
        listed = [model["id"] for model in client.get("/v1/models").json()["data"]]
        assert listed == ["wenqu", "wenqu/丙's 厂", "wenqu/乙厂", "wenqu/甲厂"]
        body = {"messages": [{"role": "user", "content": "值班电话是多少"}]}
        for name, expected in {"wenqu/乙厂": "6220", "wenqu/甲厂:latest": "6210"}.items():
            said = client.post("/v1/chat/completions", json={**body, "model": name}).json()
            assert expected in said["choices"][0]["message"]["content"]
            assert said["model"] == name.removesuffix(":latest")
        unknown = client.post("/v1/chat/completions", json={**body, "model": "wenqu/丁厂"})
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
        assert client.get("/v1/models/wenqu:latest").json()["id"] == "wenqu"


def test_a_command_asks_some_folders(bot):
    asked = ready_bot(bot.settings, collections=["乙厂"])
    assert "6220" in asked.ask("值班电话是多少").text
    with pytest.raises(QueryError, match="丁厂"):
        ready_bot(bot.settings, collections=["丁厂"])


def test_an_mcp_client_asks_some_folders(bot):
    tools = _Tools(bot, Journal.from_settings(bot.settings))
    assert "6220" in tools.ask("值班电话是多少", collections=["乙厂"]).answer
    assert {one.article for one in tools.search("值班长是谁", collections=["甲厂"]).passages} == {"甲厂/值班.txt"}


def test_the_shipped_corpus_is_one_collection():
    assert {collection_of(path.relative_to(ROOT / "corpus").as_posix()) for path in (ROOT / "corpus").iterdir()} == {""}


def dated(folder, embedder) -> Bot:
    files = {
        "手册/出差 2022-03-01.txt": "差旅标准\n\n住宿每晚不超过三百元,由赵一报销。\n",
        "手册/出差 2023-07-28.txt": "差旅标准\n\n住宿每晚不超过四百元,由钱二报销。\n",
        "通知/无名.txt": "差旅通知\n\n发布时间：2024年1月15日\n\n住宿每晚不超过五百元,由孙三报销。\n",
    }
    for name in files:
        (folder / "c" / name).parent.mkdir(parents=True, exist_ok=True)
    write_articles(folder / "c", files)
    bot = Bot(load_settings(corpus=folder / "c", index=folder / "i"), embedder)
    bot.refresh()
    return bot


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        ({"since": "2023"}, {"四百", "五百"}),
        ({"until": "2022"}, {"三百"}),
        ({"since": "2023-07-28", "until": "2023-07-28"}, {"四百"}),
        ({"since": "2023-07-29", "until": "2023"}, set()),
        ({"until": "2024-01"}, {"三百", "四百", "五百"}),
        ({"collections": ["手册"], "since": "2023-01"}, {"四百"}),
        ({"since": "2024-01-15"}, {"五百"}),
    ],
)
def test_only_documents_of_some_time_are_asked(tmp_path, embedder, scope, seen):
    bot = dated(tmp_path, embedder)
    asked = bot.within(**scope)
    told = "".join(f"{hit.passage}" for hit in asked.search("住宿每晚不超过多少元", 9)) + f"{asked.ask('由谁报销?')}"
    assert {amount for amount in ("三百", "四百", "五百") if amount in told} == seen
    assert not [name for name in ("赵一", "钱二", "孙三") if name in told and len(seen) == 0]
    with TestClient(create_app(bot)) as client:
        sent = {"question": "住宿每晚不超过多少元", **scope, "k": 9}
        found = client.post("/api/search", json=sent).json()["hits"]
        assert len(found) == len(seen)
        assert all(hit["passage"]["date"] for hit in found)


def test_the_latest_is_the_one_with_the_latest_date(tmp_path, embedder):
    files = {"甲/a.txt": "2021-05-01", "乙/b.txt": "2024-02-03", "丙/c.txt": "2022-09-09"}
    for number, (name, day) in enumerate(files.items()):
        (tmp_path / "c" / name).parent.mkdir(parents=True, exist_ok=True)
        said = f"午餐补贴办法\n\n发布时间：{day}\n\n午餐补贴标准为每日{15 + number}元。\n"
        write_articles(tmp_path / "c", {name: said})
    bot = Bot(load_settings(corpus=tmp_path / "c", index=tmp_path / "i"), embedder)
    bot.refresh()
    assert "16元" in bot.ask("最新的午餐补贴标准是多少?").text


@pytest.mark.parametrize("said", ["昨天", "2023-13", "2023-02-30", "28.7.2023", "99"])
def test_what_is_no_date_is_said(bot, said):
    with pytest.raises(QueryError, match="2023-07-28"):
        bot.within(since=said)


def test_the_list_is_filtered_by_date(tmp_path, embedder):
    with TestClient(create_app(dated(tmp_path, embedder)), client=("127.0.0.1", 50000)) as client:
        found = client.get("/api/documents", params={"since": "2023", "sort": "date", "descending": True}).json()
        assert [one["date"] for one in found["documents"]] == ["2024-01-15", "2023-07-28"]
        assert client.get("/api/documents", params={"since": "gestern"}).status_code == 422
