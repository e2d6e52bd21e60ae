"""P4, P5, P6: damage is found by name before it is used, the previous generation serves, loading runs no code."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ARTICLES, write_articles
from index_runs import ADDED, TESTS, state_of, strace_works

from bot.errors import IndexDamaged, IndexMismatch, IndexMissing, WenquError
from bot.index import generations, opened
from bot.index.build import build_index
from bot.index.opened import open_index
from bot.pipeline import Bot
from bot.settings import load_settings

pytestmark = pytest.mark.slow

OWN = "answers.yaml", "- questions: [办公室几点开门]\n  answer: 早上九点。\n", "dictionary.txt", "安济桥 = 赵州桥\n"
QUESTION = "赵州桥由谁设计"


@pytest.fixture(scope="module")
def built(tmp_path_factory, embedder) -> Path:
    """A folder with a corpus that has a dictionary and answers, and an index of two generations."""
    folder = tmp_path_factory.mktemp("damage")
    write_articles(folder / "corpus", {**ARTICLES, OWN[0]: OWN[1], OWN[2]: OWN[3]})
    settings = load_settings(corpus=folder / "corpus", index=folder / "index")
    build_index(settings, embedder)
    write_articles(folder / "corpus", ADDED)
    build_index(settings, embedder)
    return folder


@pytest.fixture
def copied(built, tmp_path):
    """Settings over a copy of it."""
    shutil.copytree(built / "index", tmp_path / "index")
    return load_settings(corpus=built / "corpus", index=tmp_path / "index")


def live_files(index: Path) -> list[Path]:
    """CURRENT, and every file of the live generation that is not a lock."""
    generation = index / generations.live_first(index)[0][0]
    files = (path for path in generation.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return [index / "CURRENT", *sorted(files)]


def changed(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + bytes([value & 255]) + data[place + 1 :]


def zeroed(data: bytes, place: int) -> bytes:
    return data[:place] + bytes(min(4096, len(data) - place)) + data[place + 4096 :]


def damage(rng: random.Random, index: Path, kind: str) -> Path | None:
    """Damage a file of the live generation in one way; the file, or None where that would change nothing."""
    files = live_files(index)
    file = rng.choice(files)
    data = file.read_bytes()
    place = rng.randrange(len(data))
    if kind == "swap two files":
        other = rng.choice([path for path in files if path != file])
        file.write_bytes(other.read_bytes())
        other.write_bytes(data)
    elif kind == "delete":
        file.unlink()
    elif kind == "replace by a link":
        elsewhere = index.parent / "elsewhere"
        file.rename(elsewhere)
        file.symlink_to(elsewhere)
    elif kind == "a file of the older generation":
        older = older_file(rng, index, file)
        file.write_bytes(older)
    else:
        file.write_bytes(
            {
                "flip a bit": lambda: changed(data, place, data[place] ^ 1 << rng.randrange(8)),
                "add 1 to a byte": lambda: changed(data, place, data[place] + 1),
                "zero 4 KiB": lambda: zeroed(data, place),
                "cut": lambda: data[:place],
                "append": lambda: data + rng.randbytes(rng.randint(1, 400)),
                "empty": lambda: b"",
            }[kind]()
        )
    return file if file.is_symlink() or not file.exists() or file.read_bytes() != data else None


def older_file(rng: random.Random, index: Path, file: Path) -> bytes:
    """What the previous generation has under that name, or at least of that suffix."""
    if file.name == "CURRENT":
        name, digest = generations.live_first(index)[1]
        return f"{name} {'0' * 64}\n".encode() if rng.random() < 0.5 else f"{name[:-1]}9 {digest}\n".encode()
    previous = index / generations.live_first(index)[1][0]
    like = [path for path in previous.rglob(f"*{file.suffix}") if path.is_file() and path.suffix == file.suffix]
    return rng.choice([path for path in like if path.name == file.name] or like).read_bytes()


KINDS = (
    *("flip a bit", "add 1 to a byte", "zero 4 KiB", "cut", "append", "swap two files", "empty", "delete"),
    *("replace by a link", "a file of the older generation"),
)


def mutants(rng: random.Random, count: int, built: Path, work: Path):
    """(kind, settings, the damaged file) of so many damaged copies of the index."""
    settings = load_settings(corpus=built / "corpus", index=work / "index")
    made = 0
    while made < count:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(built / "index", settings.index)
        kind = KINDS[made % len(KINDS)]
        if file := damage(rng, settings.index, kind):
            made += 1
            yield kind, settings, file


def test_every_damage_is_found_by_name_and_the_previous_generation_serves(
    built, tmp_path, embedder, full, seed, promise
):
    rng = random.Random(seed)
    previous = generations.live_first(built / "index")[1][0]
    missed, served, nothing_left = [], 0, 0
    for kind, settings, file in mutants(rng, 10_000 if full else 300, built, tmp_path / "work"):
        try:
            open_index(settings, embedder)
            missed.append((kind, file, "opened"))
        except (IndexDamaged, IndexMissing) as error:
            named = [path for path in live_files_named(str(error), settings.index) if differs(path, built, settings)]
            if not named or "wenqu index" not in str(error):
                missed.append((kind, file, str(error)))
        bot, gone = Bot(settings, embedder), not (settings.index / "CURRENT").exists()
        try:
            answer = bot.ask(QUESTION)
        except IndexDamaged:
            assert file.name == "CURRENT" or kind == "swap two files"  # it alone says what was published
            nothing_left += 1
            continue
        if gone:  # there is no index at all, so the question built one
            assert (answer.mode, answer.refused) == ("passages", False)
            nothing_left += 1
            continue
        # A damaged CURRENT may still name a whole live generation.
        assert answer.generation == previous or (settings.index / "CURRENT").read_bytes() != current_of(built)
        assert answer.mode == "stale_generation"
        assert "wenqu index" in answer.degraded["index"]
        assert "李春" in answer.text
        served += 1
    promise(
        "P4",
        "damage is found by name before it is used, and the previous generation serves",
        mutants=served + nothing_left,
        missed=len(missed),
        served_by_the_previous=served,
        current_itself_gone=nothing_left,
        seed=seed,
    )
    assert not missed, missed[:5]
    assert served > 4 * nothing_left


def current_of(built: Path) -> bytes:
    return (built / "index" / "CURRENT").read_bytes()


def live_files_named(message: str, index: Path) -> list[Path]:
    return [Path(name) for name in re.findall(rf"{re.escape(str(index))}[^\s(（]*", message)]


def differs(file: Path, built: Path, settings) -> bool:
    """Whether a file is not the one that was published."""
    sound = built / "index" / file.relative_to(settings.index)
    return not file.exists() or file.is_symlink() or file.read_bytes() != sound.read_bytes()


def test_plain_loading_misses_some_of_it(built, tmp_path, embedder, monkeypatch, seed):
    """The null control: without the checksums, in a process of its own, for what it loads may crash it."""
    monkeypatch.setattr(opened, "verify_files", lambda *_: None)
    outcomes: Counter = Counter()
    for kind, settings, file in mutants(random.Random(seed), 40, built, tmp_path / "work"):
        if kind in ("flip a bit", "add 1 to a byte", "zero 4 KiB", "append") and file.name != "CURRENT":
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    open_index(settings, embedder)
                    code = 0
                finally:
                    os._exit(code)
            outcomes[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])] += 1
    assert outcomes[0] > 0, outcomes


def test_a_current_of_the_first_release_is_one_line_and_opens(copied, embedder):
    current = copied.index / "CURRENT"
    first, second = current.read_text().splitlines()
    assert re.fullmatch(r"gen-000002 [0-9a-f]{64} [0-9a-f]{64}", first)
    assert re.fullmatch(r"gen-000001 [0-9a-f]{64}", second)
    current.write_text(first.rpartition(" ")[0] + "\n")
    assert open_index(copied, embedder).generation == "gen-000002"
    build_index(copied, embedder)
    assert open_index(copied, embedder).generation == "gen-000003"
    assert [name for name, _ in generations.live_first(copied.index)] == ["gen-000003", "gen-000002"]


def test_a_damaged_live_generation_is_not_kept_as_the_one_to_fall_back_on(copied, embedder):
    (copied.index / "gen-000002" / "vectors.faiss").write_bytes(b"x")
    build_index(copied, embedder)
    assert [name for name, _ in generations.live_first(copied.index)] == ["gen-000003", "gen-000001"]
    assert not (copied.index / "gen-000002").exists()


def test_where_both_generations_are_damaged_the_live_one_is_named(copied, embedder):
    for name in ("gen-000001", "gen-000002"):
        (copied.index / name / "vectors.faiss").write_bytes(b"x")
    with pytest.raises(IndexDamaged, match=r"gen-000002/vectors\.faiss.*wenqu index"):
        Bot(copied, embedder).ask(QUESTION)


@pytest.mark.parametrize("place", ["CURRENT", "gen-000002", "gen-000002/lexical", "gen-000002/passages.sqlite"])
def test_a_link_is_damage_even_where_it_leads_to_the_same_bytes(copied, embedder, place):
    path = copied.index / place
    elsewhere = copied.index.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(IndexDamaged, match=place) as error:
        open_index(copied, embedder)
    assert "link" in str(error.value)
    build_index(copied, embedder)
    assert open_index(copied, embedder).generation == "gen-000003"
    assert elsewhere.exists()  # what a link led to is not ours to delete


@pytest.mark.parametrize(
    ("module", "reader", "file"),
    [
        (Path, "read_bytes", r"manifest\.json"),
        (generations, "sha256", r"answers\.json"),
        (Path, "read_text", r"dictionary\.json"),
    ],
)
def test_an_unreadable_file_is_named(copied, embedder, monkeypatch, module, reader, file):
    read = getattr(module, reader)

    def refused(path: Path, *args: object, **options: object) -> object:
        if path.name == "CURRENT":
            return read(path, *args, **options)
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(module, reader, refused)
    with pytest.raises(IndexDamaged, match=rf"{file}（Permission denied）"):
        open_index(copied, embedder)


def test_a_failed_read_of_a_moment_ends_with_it(copied, embedder, monkeypatch):
    """The previous generation was opened in place of the live one, but is not to be gone on from."""
    read, once = generations.sha256, iter(["not it"])
    monkeypatch.setattr(generations, "sha256", lambda file: next(once, "") or read(file))
    bot = Bot(copied, embedder)
    assert bot.refresh() is None
    assert not bot.live.get().degraded


PLANTED = {
    "dictionary.json": b'{"entries": [["x"]], "problems": []}',
    "answers.json": b"{",
    "code.pkl": b"",
    "passages.sqlite-wal": b"",
    "passages.sqlite-journal": b"",
    "lexical/code.pkl": b"",
}  # without content: a pickle that runs code


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


LOADING = """
import json, pickle, sys
sys.path[:0] = {paths}
from index_runs import _warm, state_of
from pathlib import Path
from bot.settings import load_settings
embedder = _warm()
settings = load_settings(corpus=Path({corpus!r}), index=Path({index!r}))
names = ("pickle.", "marshal.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.", "exec", "compile",
         "import", "ctypes.", "code.__new__", "function.__new__")
events = []
sys.addaudithook(lambda event, arguments: events.append(event) if event.startswith(names) else None)
state = state_of(settings, embedder)
loading = list(events)
exec(pickle.dumps(json.loads) and "pickle.loads(pickle.dumps(json.loads))")
print(json.dumps([state, loading, events[len(loading):]]))
"""


@pytest.fixture(scope="module")
def loading(tmp_path_factory, embedder):
    """Of an index with planted files: its state before, the state and the events of loading it, what was opened."""
    folder = tmp_path_factory.mktemp("planted")
    settings = load_settings(corpus=write_articles(folder / "corpus"), index=folder / "index")
    build_index(settings, embedder)
    before = state_of(settings, embedder)
    generation = settings.index / "gen-000001"
    for name, content in PLANTED.items():
        (generation / name).write_bytes(content or pickle.dumps(Evil()))
    np.save(generation / "answers.npy", np.array([Evil()]), allow_pickle=True)
    paths = [str(TESTS.parent), str(TESTS), str(TESTS / "reliability")]
    code = LOADING.format(paths=paths, corpus=str(settings.corpus), index=str(settings.index))
    log = folder / "opened"
    traced = ["strace", "-f", "-qq", "-e", "trace=openat,open", "-o", str(log)] if strace_works() else []
    done = subprocess.run([*traced, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    opened = set(re.findall(r'gen-000001/([^"]+)"', log.read_text())) if traced else set()
    return before, *json.loads(done.stdout.splitlines()[-1]), opened


def test_loading_runs_no_code_and_reads_nothing_that_was_not_published(loading, promise):
    before, state, events, _, opened = loading
    strange = opened & {*PLANTED, "answers.npy"}
    planted = len(PLANTED) + 1
    promise("P5", "loading an index runs no code", events=len(events), planted=planted, planted_read=len(strange))
    assert state == before
    assert events == []
    assert strange == set()


def test_the_hook_sees_code_that_runs_and_the_trace_sees_what_is_read(loading):
    *_, control, opened = loading
    assert {"exec", "pickle.find_class"} <= set(control)
    assert "passages.sqlite" in opened or not strace_works()


def test_an_object_array_in_place_of_the_answers_is_refused_by_name(copied, embedder):
    np.save(copied.index / "gen-000002" / "answers.npy", np.array([Evil()]), allow_pickle=True)
    with pytest.raises(IndexDamaged, match=r"answers\.npy"):
        open_index(copied, embedder)


class Like:
    """An embedder that differs in one thing."""

    def __init__(self, embedder, **other) -> None:
        self.dim, self.fingerprint = embedder.dim, embedder.fingerprint
        self.encode_query, self.encode_passages = embedder.encode_query, embedder.encode_passages
        vars(self).update(other)


def test_an_index_of_another_make_is_refused_with_the_command(copied, embedder, monkeypatch, promise):
    other = {
        "model": (copied, Like(embedder, fingerprint="static:other"), {}),
        "dim": (copied, Like(embedder, dim=embedder.dim // 2), {}),
        "passage_size": (copied.model_copy(update={"passage_size": 100}), embedder, {}),
        "engine": (copied.model_copy(update={"engine": "exact"}), embedder, {}),
        "format": (copied, embedder, {"FORMAT": opened.FORMAT + 1}),
        "segmenter": (copied, embedder, {"segmenter": SimpleNamespace(fingerprint=lambda: "jieba 9.9 0123")}),
    }
    refused = 0
    for name, (settings, embedder_, patches) in other.items():
        with monkeypatch.context() as patch:
            for attribute, value in patches.items():
                patch.setattr(opened, attribute, value)
            with pytest.raises(IndexMismatch) as error:
                Bot(settings, embedder_).ask(QUESTION)  # the previous generation is of the same make
            assert re.search(rf"another {name} \({name}: .+ -> .+\) → wenqu index$", str(error.value))
            refused += 1
            with pytest.raises(WenquError):
                Bot(settings, embedder_).refresh()  # `wenqu ask` builds nothing over it
    promise("P6", "an index of another make is refused with the command", cases=len(other), refused=refused)
    assert state_of(copied, embedder).startswith("whole")
