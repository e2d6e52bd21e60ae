"""bot.index.changes: a run that reads only what changed gives the index that reading everything gives."""

from __future__ import annotations

import os
import time
import unicodedata

import numpy as np
import pytest
from conftest import write_articles

from bot.corpus.scan import scan
from bot.index import changes, live
from bot.index.build import build_index
from bot.index.engines import engine_class
from bot.index.engines.layered import LayeredEngine
from bot.index.generations import live_first, verified_manifest, verify_files
from bot.index.opened import open_index
from bot.pipeline import Bot
from bot.settings import load_settings

QUESTIONS = (
    "龙井茶产于哪里?",
    "赵州桥由谁设计?",
    "西安地铁二号线何时开通?",
    "PPR-9087",
    "都江堰由谁修建?",
    "where is 赵州桥",
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small corpora go on from their index too."""
    monkeypatch.setattr(changes, "_WHOLE_UNDER", 0)
    monkeypatch.setattr(changes, "_MOST_CHANGED", 100)


@pytest.fixture
def bot(settings, embedder):
    bot = Bot(settings, embedder)
    assert bot.refresh().generation == "gen-000001"
    return bot


def write(bot, name: str, text: str) -> None:
    (bot.settings.corpus / name).write_text(text, encoding="utf-8")


def contents(bot) -> dict:
    """What an index holds, but for the numbers of its rows."""
    store = bot.live.get().store
    return {
        "passages": sorted(map(repr, store.passages(store.rows()))),
        "files": store.files,
        "skipped": store.skipped(),
        "dropped": store.left_out(),
        "counts": (bot.live.get().manifest["articles"], bot.live.get().manifest["passages"]),
        "dense": [[hit.passage.id for hit in bot.search(question, 5, ("dense",))] for question in QUESTIONS],
        "found": [{hit.passage.id for hit in bot.search(question, 5)} for question in QUESTIONS],
        "answers": [bot.ask(question).text for question in QUESTIONS],
    }


def read_anew(bot, tmp_path) -> dict:
    """What an index holds that was made of the same corpus in one run."""
    settings = bot.settings.model_copy(update={"index": tmp_path / f"anew-{time.monotonic_ns()}"})
    build_index(settings, bot.embedder)
    return contents(Bot(settings, bot.embedder))


def kinds():
    yield "add", lambda bot: write(bot, "dam.md", "# 都江堰\n\n都江堰由李冰父子修建,位于四川成都平原西部。\n")
    yield "change", lambda bot: write(bot, "bridge.txt", "赵州桥由鲁班设计,传说如此,并非史实。")
    yield "change what was added", lambda bot: write(bot, "dam.md", "# 都江堰\n\n都江堰由李冰修建,位于成都平原。\n")
    yield "nothing readable", lambda bot: (bot.settings.corpus / "bad.txt").write_bytes(b"\0\1\2" * 50)
    yield "a format", lambda bot: (write(bot, "old.doc", "x"), write(bot, "tea.html", "<p>碧螺春产于苏州洞庭山。</p>"))
    yield "delete what was added", lambda bot: (bot.settings.corpus / "dam.md").unlink()
    yield "mend", lambda bot: write(bot, "bad.txt", "西安地铁二号线于二〇一一年开通,是西安的第一条地铁线路。")
    yield "answers", lambda bot: write(bot, "answers.yaml", "- question: 几点开门?\n  answer: 九点。\n")
    yield "delete", lambda bot: (bot.settings.corpus / "bridge.txt").unlink()
    yield "come back", lambda bot: write(bot, "bridge.txt", "赵州桥由李春设计,建于隋代。\n")


def test_every_kind_of_change_gives_what_reading_everything_gives(bot, tmp_path):
    before = contents(bot)
    for number, (name, change) in enumerate(kinds(), start=2):
        change(bot)
        assert bot.refresh().generation == f"gen-{number:06d}", name
        assert bot.live.get().rows[1:], name  # it went on from the one before
        now = contents(bot)
        assert now == read_anew(bot, tmp_path), name
        assert now != before, name
        before = now
        assert bot.refresh() is None


def test_only_what_changed_is_read_and_embedded(bot, monkeypatch):
    write(bot, "dam.md", "都江堰由李冰父子修建,位于四川成都平原西部。")
    os.utime(bot.settings.corpus / "dam.md")
    read = []
    whole = engine_class("faiss").add
    monkeypatch.setattr(
        engine_class("faiss"), "add", lambda self, vectors: read.append(len(vectors)) or whole(self, vectors)
    )
    assert bot.refresh().embedded == 1
    assert read == [1]
    write(bot, "dam.md", "都江堰由李冰父子修建,位于四川。")
    assert bot.refresh().embedded == 1


def test_the_generation_before_stays_as_it_was(bot):
    first = live_first(bot.settings.index)[0]
    for name, text in (("bridge.txt", "赵州桥由鲁班设计。"), ("dam.md", "都江堰由李冰修建。")):
        write(bot, name, text)
        bot.refresh()
        live, previous = live_first(bot.settings.index)
        for named in (live, previous):
            verify_files(bot.settings.index / named[0], verified_manifest(bot.settings.index, named))
    assert previous != first
    main = "passages.sqlite"
    assert (bot.settings.index / live[0] / main).samefile(bot.settings.index / previous[0] / main)


def test_a_served_bot_takes_a_change_without_reading_what_it_has(bot, settings, embedder, monkeypatch):
    served = Bot(settings, embedder)
    served.ask(QUESTIONS[0])
    write(bot, "dam.md", "都江堰由李冰父子修建,位于四川成都平原西部。")
    bot.refresh()
    read = []
    from bot.index import generations

    digest = generations._digest
    monkeypatch.setattr(generations, "_digest", lambda folder, path: read.append(path) or digest(folder, path))
    assert "李冰" in served.ask("都江堰由谁修建?").text
    assert "delta/passages.sqlite" in read
    assert not {"passages.sqlite", "vectors.faiss"} & set(read)
    assert served.live.get()._main_engine is served.live.get().engine._parts[0][0]


CASES = ["few files", "much changed", "the dictionary", "no links", "not every link", "damaged since"]


@pytest.mark.parametrize("case", CASES)
def test_where_it_cannot_go_on_everything_is_read(bot, settings, embedder, monkeypatch, case):
    write(bot, "dam.md", "都江堰由李冰父子修建,位于四川成都平原西部。")
    if case == "few files":
        monkeypatch.setattr(changes, "_WHOLE_UNDER", 400)
    elif case == "much changed":
        monkeypatch.setattr(changes, "_MOST_CHANGED", 0.05)
    elif case == "the dictionary":
        write(bot, "dictionary.txt", "都江堰\n")
    elif case in ("no links", "not every link"):
        link = os.link

        def failing(source, target):
            if case == "no links" or target.name == "vectors.faiss":
                raise OSError(1, "Operation not permitted")
            link(source, target)

        monkeypatch.setattr(os, "link", failing)
    else:
        file = settings.index / "gen-000001" / "passages.sqlite"
        file.write_bytes(file.read_bytes() + b"x")
        monkeypatch.setattr(bot, "_index", None)
        with pytest.raises(Exception, match=r"passages\.sqlite"):
            bot.refresh()
        build_index(settings, embedder)
    bot.refresh()
    for named in live_first(settings.index):  # the one before is whole too
        verify_files(settings.index / named[0], verified_manifest(settings.index, named))
    index = open_index(settings, embedder)
    assert index.rows == [index.manifest["passages"]]
    assert index.manifest["articles"] == 4


def test_of_two_runs_over_the_same_change_the_second_finds_nothing_to_do(bot, settings, embedder, monkeypatch):
    other, whole = Bot(settings, embedder), live.build_index
    write(bot, "dam.md", "都江堰由李冰父子修建,位于四川成都平原西部。")

    def late(*arguments, **named):
        monkeypatch.setattr(live, "build_index", whole)
        assert other.refresh().generation == "gen-000002"
        return whole(*arguments, **named)

    monkeypatch.setattr(live, "build_index", late)
    assert bot.refresh() is None
    assert bot.live.get().generation == "gen-000002"


def test_a_damaged_file_of_the_delta_is_found_by_name_and_the_generation_before_serves(bot, settings, embedder):
    write(bot, "dam.md", "都江堰由李冰父子修建,位于四川成都平原西部。")
    bot.refresh()
    for name in ("passages.sqlite", "vectors.faiss"):
        file = settings.index / "gen-000002" / "delta" / name
        sound = file.read_bytes()
        file.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        damaged = Bot(settings, embedder)
        assert f"delta/{name}" in damaged.live.get().degraded["index"]
        assert damaged.live.get().generation == "gen-000001"
        file.write_bytes(sound)
    assert Bot(settings, embedder).live.get().generation == "gen-000002"


def test_two_engines_are_searched_as_one():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(400, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gone = set(map(int, random.choice(400, 120, replace=False)))
    exact = engine_class("exact")
    main, added = exact(8), exact(8)
    main.add(vectors[:300])
    added.add(vectors[300:])
    both = LayeredEngine(main, added, gone)
    living = np.array([row for row in range(400) if row not in gone])
    for query in vectors[:20]:
        expected = living[np.argsort(-(vectors[living] @ query), kind="stable")]
        for k in (1, 10, 280, 500):
            rows, scores = both.search(query, k)
            assert rows.tolist() == expected[:k].tolist()
            assert np.allclose(scores, vectors[rows] @ query)
        assert np.allclose(both.scores(query, np.array([399, 0, 300, 299])), vectors[[399, 0, 300, 299]] @ query)


def test_two_ways_to_write_a_name_are_one_article(bot):
    for form, text in (("NFD", "都江堰由李冰父子修建。"), ("NFD", "都江堰由李冰修建。"), ("NFC", "都江堰在四川。")):
        write(bot, unicodedata.normalize(form, "é.txt"), text)
        bot.refresh()
        store = bot.live.get().store
        assert [p.text for p in store.passages(store.rows()) if "都江堰" in p.text] == [
            "都江堰由李冰修建。" if form == "NFC" else text
        ]
    assert [(one.path, one.code) for one in scan(bot.settings.corpus)[1]] == [
        (unicodedata.normalize("NFC", "é.txt"), "E-NAME")
    ]


def test_a_large_delta_of_the_default_engine(settings, embedder, tmp_path):
    folder = write_articles(
        tmp_path / "many", {f"{n}.txt": f"第{n}座桥建于{1000 + n}年,桥长{n}米。" for n in range(60)}
    )
    bot = Bot(load_settings(corpus=folder, index=tmp_path / "of-many"), embedder)
    bot.refresh()
    for n in range(0, 60, 2):
        write_articles(folder, {f"{n}.txt": f"第{n}座桥重建于{1500 + n}年,桥长{n}米。"})
    bot.refresh()
    assert bot.live.get().rows == [60, 30]
    assert "1504年" in bot.ask("第4座桥重建于哪一年?").text
    assert bot.live.get().manifest["passages"] == len(bot.live.get().store.rows())
