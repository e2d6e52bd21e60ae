"""P7, P8: the same answers after a restart and a rebuild, and a copy of the index folder made at any moment."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT
from index_runs import Scene, leftovers, scenes, state_of

from bot.errors import IndexDamaged, IndexMissing
from bot.index.build import build_index
from bot.index.opened import open_index
from bot.pipeline import Bot
from bot.settings import load_settings

pytestmark = pytest.mark.slow


def questions(rng: random.Random, count: int) -> list[str]:
    """So many different questions about the shipped article: pieces of its sentences, as they are and as asked."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "corpus").glob("*.txt")))
    clauses = sorted(set(re.findall(r"[\u4e00-\u9fff]{4,}", text)))
    found: dict[str, None] = {}
    while len(found) < count:
        clause = rng.choice(clauses)
        begin = rng.randrange(len(clause) - 3)
        piece = clause[begin : begin + rng.randint(4, 12)]
        found[rng.choice(("{}", "为什么{}?", "{}是什么", "谁{}", "what is {}")).format(piece)] = None
    return list(found)


def ranked(bot: Bot, asked: list[str]) -> list[list[str]]:
    return [[hit.passage.id for hit in bot.search(question, 10)] for question in asked]


def test_the_same_question_gives_the_same_passages_after_a_restart_and_a_rebuild(
    tmp_path, embedder, full, seed, promise
):
    asked = questions(random.Random(seed), 2000 if full else 200)
    corpus = shutil.copytree(ROOT / "corpus", tmp_path / "corpus")
    settings = load_settings(corpus=corpus, index=tmp_path / "index")
    bot = Bot(settings, embedder)
    bot.refresh()
    before = ranked(bot, asked)
    restarted = ranked(Bot(settings, embedder), asked)
    build_index(settings, embedder)
    swapped = ranked(bot, asked)
    anew = settings.model_copy(update={"index": tmp_path / "anew"})
    build_index(anew, embedder)
    rebuilt = ranked(Bot(anew, embedder), asked)
    different = [
        sum(one != two for one, two in zip(before, after, strict=True)) for after in (restarted, swapped, rebuilt)
    ]
    promise(
        "P7",
        "the same question gives the same ranked passages",
        questions=len(asked),
        different_after_restart=different[0],
        different_after_swap=different[1],
        different_after_rebuild=different[2],
        seed=seed,
    )
    assert bot.live.get().generation == "gen-000002"
    assert sum(map(bool, before)) > 0.9 * len(asked)
    assert different == [0, 0, 0]


def test_another_corpus_is_seen_by_the_comparison(tmp_path, embedder, seed):
    asked = questions(random.Random(seed), 30)
    corpus = shutil.copytree(ROOT / "corpus", tmp_path / "corpus")
    bot = Bot(load_settings(corpus=corpus, index=tmp_path / "index"), embedder)
    bot.refresh()
    before = ranked(bot, asked)
    file = next(corpus.glob("*.txt"))
    file.write_text(file.read_text(encoding="utf-8").replace("合肥", "长沙"), encoding="utf-8")
    bot.refresh()
    assert ranked(bot, asked) != before


def not_mended(scene: Scene, settings, embedder) -> str:
    """What is wrong after the next run over a copy, "" where nothing is."""
    try:
        Bot(settings, embedder).refresh()
    except (IndexDamaged, IndexMissing) as error:
        assert str(settings.index) in str(error)
        build_index(settings, embedder)
    if state_of(settings, embedder) != scene.new_state:
        return "the next run gave no new index"
    return " ".join(leftovers(settings.index))


def test_a_copy_made_at_any_moment_is_whole_or_says_what_it_lacks(tmp_path, embedder, full, seed, promise):
    rng = random.Random(seed)
    scene = scenes()[0]
    index, stop = scene.begin(), threading.Event()
    built = []

    def rebuild() -> None:
        while not stop.is_set():
            built.append(scene.server.run("force", index=index, corpus=scene.corpus).code)

    writer = threading.Thread(target=rebuild)
    writer.start()
    states, failed = Counter(), []
    for number in range(200 if full else 20):
        time.sleep(rng.uniform(0, 1.5 * scene.seconds))
        copy = tmp_path / str(number)
        subprocess.run(["cp", "-r", index, copy], stderr=subprocess.DEVNULL)  # a file may go while it copies
        settings = load_settings(corpus=scene.corpus, index=copy)
        seen = state_of(settings, embedder)
        states[seen if seen.startswith("whole") else seen.partition(" ")[0]] += 1
        if full or number % 4 == 0 or not seen.startswith("whole"):
            failed += [(number, seen, words)] if (words := not_mended(scene, settings, embedder)) else []
        shutil.rmtree(copy)
    stop.set()
    writer.join(60)
    whole = {state: count for state, count in states.items() if state.startswith("whole")}
    promise(
        "P8",
        "a copy of the index made during rebuilds is whole, or says itself damaged and is mended by the next run",
        copies=states.total(),
        rebuilds=len(built),
        whole=sum(whole.values()),
        said_damaged=states["IndexDamaged"],
        said_missing=states["IndexMissing"],
        third_states=len(set(whole) - {scene.old_state, scene.new_state}),
        not_mended=len(failed),
        seed=seed,
    )
    assert set(built) == {0}
    assert set(whole) <= {scene.old_state, scene.new_state}
    assert set(states) - set(whole) <= {"IndexDamaged", "IndexMissing"}
    assert failed == []
    assert sum(whole.values()) > 0


def test_a_copy_that_lacks_a_file_says_so(tmp_path, embedder):
    """The null control of the copies: what a copy loses is seen."""
    scene = scenes()[0]
    copy = shutil.copytree(scene.old, tmp_path / "copy")
    next(copy.glob("gen-*/vectors.faiss")).unlink()
    with pytest.raises(IndexDamaged, match=r"vectors\.faiss"):
        open_index(load_settings(corpus=scene.corpus, index=Path(copy)), embedder)
