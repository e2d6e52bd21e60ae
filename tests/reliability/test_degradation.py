"""Whatever is missing, in every way in: an answer that names it, or the command that cures it; never a server error."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import sys
import threading
import time
from itertools import combinations

import pytest
from conftest import write_articles
from everywhere import SECRETS, WAYS, Said, everywhere, letters
from model_server import FAULTS, ODDITIES, PROOF, REASONS, model_server, says, unused_port

from bot.answer.llm import writer
from bot.channels.desk import FAILED
from bot.channels.message import WITHOUT_MODEL
from bot.errors import WordingError
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.text.fold import fold, language

pytestmark = pytest.mark.slow

QUESTION = "赵州桥由谁设计?"
QUESTIONS = [
    QUESTION,
    "西安地铁二号线何时开通?",
    "Who designed the Zhaozhou bridge?",
    "红烧肉怎么做?",
    "PPR-9087是什么?",
]
PARTS = ("llm", "vectors", "refusal", "index", "journal")
MODES = {"llm": "passages_only", "vectors": "lexical_only", "index": "stale_generation"}  # the first that is missing
COMBINATIONS = [set(some) for n in range(len(PARTS) + 1) for some in combinations(PARTS, n)]


@pytest.fixture(scope="module")
def built(tmp_path_factory, embedder):
    """A folder with a corpus and a whole index, to copy."""
    folder = tmp_path_factory.mktemp("whole")
    Bot(load_settings(corpus=write_articles(folder / "corpus"), index=folder / "index"), embedder).refresh()
    return folder


@pytest.fixture
def crippled(built, tmp_path, embedder, monkeypatch):
    """Makes a bot from which parts are missing."""

    def make(missing: set[str], **more) -> Bot:
        index = tmp_path / "index"
        shutil.rmtree(index, ignore_errors=True)
        shutil.copytree(built / "index", index)
        if "llm" in missing:
            more |= {"llm_url": f"http://127.0.0.1:{unused_port()}/v1", "llm_model": "m"}
        bot = Bot(load_settings(corpus=built / "corpus", index=index, **SECRETS, **more), embedder)
        with pytest.MonkeyPatch.context() as patch:
            if "vectors" in missing:  # FAISS is not installed, or does not run on this machine
                patch.setitem(sys.modules, "faiss", None)
                patch.delitem(sys.modules, "bot.index.engines.faiss", raising=False)
            assert bot.live.get()
        if "refusal" in missing:
            (index / "refusal.json").write_text('{"zh": {}}', encoding="utf-8")
        if "index" in missing:
            (index / "CURRENT").write_text("gen-000002 0000\n", encoding="ascii")
        return bot

    return make


def spoil_journal(bot: Bot) -> None:
    """From now on nothing can be written down, as on a disk that is full."""
    with sqlite3.connect(bot.settings.index / "journal.sqlite") as database:
        for table in ("messages", "rests", "answers"):
            database.execute(f"DROP TABLE IF EXISTS {table}")
            database.execute(f"CREATE VIEW {table} AS SELECT 1 AS one")  # so that nobody makes the table again


def unlike(way: str, said: Said, missing: set[str], wanted: str, words: str = "zh") -> list[str]:
    """What a way says that is not as it should be when parts are missing."""
    if "journal" in missing and way == "slack":  # Slack delivers again what could not be claimed
        return [] if said.status == 503 else [f"{way}: {said.status} without a journal"]
    if said.status != 200:
        return [f"{way}: {said.status} {said.text[:80]}"]
    if "journal" in missing and way.startswith("wechat"):
        return [] if said.text == FAILED["zh"] else [f"{way}: {said.text[:80]}"]
    found = [] if letters(wanted) in letters(said.text) else [f"{way}: {said.text[:80]}"]
    degraded = missing - {"journal"}
    if way in ("json", "sse"):
        mode = next((MODES[part] for part in PARTS if part in missing and part in MODES), "passages")
        if said.data["mode"] != mode or set(said.data["degraded"]) != degraded:
            found.append(f"{way}: {said.data['mode']} {said.data['degraded']}")
        if any(" / " not in reason for reason in said.data["degraded"].values()):
            found.append(f"{way}: {said.data['degraded']}")
        if bool(said.data["id"]) == ("journal" in missing):
            found.append(f"{way}: id {said.data['id']!r}")
    elif way == "terminal":
        found += [f"{way}: does not name {part}" for part in degraded if f"({part}: " not in said.text]
    elif (letters(WITHOUT_MODEL[words]) in letters(said.text)) != ("llm" in missing):
        found.append(f"{way}: says wrongly whether the model is there")
    return found


@pytest.mark.usefixtures("_quick_refusals")
def test_every_combination_of_missing_parts_in_every_way_in(crippled, promise, full, caplog):
    wrong, answers = {}, 0
    for number, missing in enumerate(COMBINATIONS):
        bot = crippled(missing)
        with everywhere(bot) as ways:
            if "journal" in missing:
                spoil_journal(bot)
            for question in QUESTIONS if full else QUESTIONS[:1]:
                answer = bot.ask(question)
                expected = missing - {"llm"} if answer.refused else missing  # no model is asked about a refusal
                for way in WAYS if full else ("json", *WAYS[1 + number % 2 :: 2]):
                    answers += 1
                    bad = unlike(way, ways.ask(way, question), expected, answer.text, language(fold(question)))
                    if bad:
                        wrong[" ".join(sorted(missing)), way, question] = bad
    bugs = [record.getMessage() for record in caplog.records if record.exc_info]
    promise("P21", "each combination of missing parts", combinations=len(COMBINATIONS), answers=answers,
            wrong=len(wrong), tracebacks=len(bugs))  # fmt: skip
    assert wrong == {}
    assert bugs == []


@pytest.fixture
def _quick_refusals(monkeypatch):
    """A server that is not there is asked each time: the breaker would say that it rests."""
    monkeypatch.setattr(writer, "_FAILURES_IN_A_ROW", 10**6)


def test_a_wrong_mode_or_a_silent_loss_would_be_seen(crippled):
    with everywhere(crippled(set())) as ways:
        said = {way: ways.ask(way, QUESTION) for way in WAYS}
    wanted = said["json"].text
    assert not any(unlike(way, one, set(), wanted) for way, one in said.items())
    for missing in ({"llm"}, {"vectors"}, {"index"}, {"refusal"}, {"journal"}):
        # A part is gone, and nobody says so.
        assert unlike("json", said["json"], missing, wanted)
        assert missing == {"journal"} or unlike("terminal", said["terminal"], missing, wanted)
    assert all(unlike(way, one, {"llm"}, wanted) for way, one in said.items())
    assert all(unlike(way, Said(500, wanted, 9), set(), wanted) for way in WAYS)


def test_with_a_damaged_index_every_way_in_names_the_command(built, tmp_path, embedder, promise):
    index = tmp_path / "index"
    shutil.copytree(built / "index", index)
    next(index.glob("gen-*/passages.sqlite")).write_bytes(b"not what was published")
    bot = Bot(load_settings(corpus=built / "corpus", index=index, **SECRETS), embedder)
    with everywhere(bot) as ways:
        said = {way: ways.ask(way, QUESTION) for way in WAYS}
        ready, alive = (ways.client.get(path).status_code for path in ("/readyz", "/livez"))
    http = {way: one.status for way, one in said.items() if way in WAYS[:4]}
    named = sum("wenqu index" in one.text for one in said.values())
    promise("P21", "with a damaged index the command is named", ways=len(WAYS), named=named, readyz=ready)
    assert set(http.values()) == {503}
    assert (named, ready, alive) == (len(WAYS), 503, 200)


@pytest.mark.parametrize("way", WAYS)
def test_without_an_index_the_first_question_builds_one(built, tmp_path, embedder, way):
    bot = Bot(load_settings(corpus=built / "corpus", index=tmp_path / "index", **SECRETS), embedder)
    with everywhere(bot) as ways:
        assert ways.client.get("/readyz").status_code == 503
        said = ways.ask(way, QUESTION)
        assert ways.client.get("/readyz").status_code == 200
    assert (said.status, bool(said.sources)) == (200, True)


@pytest.mark.parametrize("fault", ["nobody listens", *FAULTS, *ODDITIES])
def test_whatever_the_model_server_does_the_passages_come_in_time(crippled, fault, promise, request):
    way = WAYS[[*FAULTS, *ODDITIES].index(fault) % len(WAYS) if fault in {**FAULTS, **ODDITIES} else 0]
    with model_server({**FAULTS, **ODDITIES}.get(fault, says(PROOF))) as server:
        url = server.url if fault != "nobody listens" else f"http://127.0.0.1:{unused_port()}/v1"
        bot = crippled(set(), llm_url=url, llm_model="m", llm_seconds=1)
        plain = bot.ask(QUESTION)
        with everywhere(bot) as ways:
            begun = time.monotonic()
            said = ways.ask(way, QUESTION)
            seconds = time.monotonic() - begun
    promise("P21", f"model server: {fault}, asked by {way}", status=said.status, seconds=round(seconds, 1))
    assert said.status == 200
    assert seconds < 1 + 4
    if fault in ODDITIES:
        assert letters(PROOF) in letters(said.text)
        return
    assert letters(plain.text) in letters(said.data["text"] if way == "sse" else said.text)  # of words that broke off
    if way in ("json", "sse"):
        assert said.data["mode"] == "passages_only"
        assert re.search(REASONS.get(fault, "cannot be reached"), said.data["degraded"]["llm"])
    else:
        assert "llm: " in said.text if way == "terminal" else letters(WITHOUT_MODEL["zh"]) in letters(said.text)


def test_a_server_that_fails_rests_and_one_request_tries_it(promise):
    now = [1000.0]
    breaker = writer._Breaker(lambda: now[0])
    passed = []

    def attempt(_=None) -> None:
        try:
            breaker.check()
            passed.append(now[0])
        except WordingError:
            pass

    def together(count: int) -> int:
        before = len(passed)
        threads = [threading.Thread(target=attempt) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(passed) - before

    for _ in range(writer._FAILURES_IN_A_ROW):
        assert together(5) == 5
        breaker.failed()
    now[0] += writer._REST_SECONDS - 0.1
    resting = together(50)
    now[0] += 0.1
    trying = together(50)
    breaker.failed()
    now[0] += writer._REST_SECONDS
    again = together(50)
    breaker.worked()
    promise("P21", "breaker", failures=writer._FAILURES_IN_A_ROW, rest_s=writer._REST_SECONDS,
            let_through_resting=resting, let_through_to_try=trying)  # fmt: skip
    assert (resting, trying, again) == (0, 1, 1)
    assert together(50) == 50


MARKS = ["[99]", "[0]", "[1][1]", "［１］", "[１]", "【1】", "【88】", "[1", "[", "［9", "[1,99]", "[1-9]", "[^7]",
         "[[5]5]", "[9[1]9]", "[ 1 ]", "[来源 99]", "【3†source】", "〔12〕", "[99999999999999]", "[1]", "[1\n]",
         "[2](http://e.example)"]  # fmt: skip
WORDS = ["赵州桥由李春设计", "建成于公元605年", "桥长64.40米", "传感器 PPR-9087", "。", "!", ". ", "\n", ",", " "]
CITED = re.compile(r"[\[［【〔]\s*(\d+)\s*(?=[\]］】〕]|\s*$)", re.MULTILINE)


def fuzzed(chance: random.Random) -> str:
    """What a model may write: sentences with citations that exist and that do not, the last one half."""
    text = "".join(chance.choice(chance.choice((MARKS, WORDS))) for _ in range(chance.randint(3, 25)))
    return f"{PROOF if chance.random() < 0.7 else ''}{text}{chance.choice(['', '[', '[9', '【1', '[1,', '［'])}"


def dangling(said: Said, known: set[int]) -> list[str]:
    """The citations that name no source."""
    return [number for number in CITED.findall(said.text) if int(number) not in known]


@pytest.mark.usefixtures("_quick_refusals")
def test_citations_that_a_model_invents_reach_no_reader(crippled, promise, full, seed):
    chance, wrong, worded, count = random.Random(seed), [], 0, 500 if full else 200
    with model_server(says("")) as server:
        bot = crippled(set(), llm_url=server.url, llm_model="m")
        known = {evidence.number for evidence in bot.ask(QUESTION).evidence}
        with everywhere(bot) as ways:
            for number in range(count):
                server.behave = says(written := fuzzed(chance), chance.choice([1, 3, 7, 1000]))
                for way in WAYS if full else [WAYS[number % len(WAYS)]]:
                    said = ways.ask(way, QUESTION)
                    worded += said.data.get("mode") == "llm"
                    if said.status != 200 or dangling(said, known):
                        wrong.append((way, written, said.text))
    promise(
        "P18",
        "invented citations reach no reader",
        answers=count,
        dangling=len(wrong),
        worded_in_json=worded,
        seed=seed,
    )
    assert [text for _, _, text in wrong] == []
    assert worded > 10  # the model's words did come through
    assert dangling(Said(200, "好[9]。\n\n来源:\n\n[1] 赵州桥", 1), known) == ["9"]
    assert dangling(Said(200, "好[99", 1), known) == ["99"]
