"""P3: a disk that is full, broken or read-only costs one clear line and exit code 2; the old index serves."""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from index_runs import Run, Scene, at_once, injected, scenes, strace_works

from bot.journal import Journal
from bot.pipeline import Bot
from bot.settings import load_settings

pytestmark = pytest.mark.slow

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")
CALLS = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,openat,mkdir,ftruncate,unlink,unlinkat"
READS = "openat,read,pread64"


def failing(scene: Scene, point: tuple[str, int, str]) -> tuple[Run, str, list[str]]:
    """A run in which one call fails, which index is there afterwards, and what the next run leaves over."""
    name, number, error = point
    work = scene.begin()
    run = scene.index(work, strace=injected(name, number, f"error={error}"))
    return run, scene.seen(work), judged_next(scene, work)


def some_of_each(calls: dict[str, list[int]], rng: random.Random, most: int) -> list[tuple[str, int]]:
    """Some of every call, in the order given: those of few, such as rename, are not lost among those of many."""
    return [
        (name, number) for name, numbers in calls.items() for number in rng.sample(numbers, min(len(numbers), most))
    ]


def judged_next(scene: Scene, work: Path) -> list[str]:
    """What is wrong after the next run, with a disk that is well again."""
    after = scene.after(work)
    return [] if after in ("old", "new") else [after]


def wrong(run: Run, seen: str, call: str = "") -> str:
    """What is wrong with how a run ended, "" where nothing is."""
    if call == "write" and (run.code, run.output) == (2, ""):  # strace counts by thread: the message failed as well
        return "" if seen in ("old", "new") else f"exit 2, {seen}"
    lines = [line for line in run.output.splitlines() if "正在重建 / rebuilding" not in line]
    if "Traceback" in run.output or "panicked at" in run.output or (run.code and len(lines) != 1):
        return f"not one clear line: {run.output}"
    if run.code == 0:
        return "" if seen == "new" else f"exit 0, but {seen}"  # a cache that is lost costs nothing
    if run.code != 2 or seen not in ("old", "new"):
        return f"exit {run.code}, {seen}: {run.output}"
    return "" if re.search(r"/work[/ （]|/work$|\\.lock", run.output) else f"no path: {run.output}"


@pytest.mark.skipif(not strace_works(), reason="strace is missing or may not trace here")
def test_every_call_that_fails_is_one_clear_line_and_the_old_index_serves(full, seed, promise):
    rng = random.Random(seed)
    scene = scenes()[0]
    calls = scene.calls(CALLS, scene.begin(), scene.index)
    points = [(name, number, error) for name, numbers in calls.items() for number in numbers for error in ERRORS]
    if not full:
        points = [(name, number, rng.choice(ERRORS)) for name, number in some_of_each(calls, rng, 4)]
    found = at_once(points, failing)
    bad = [(p, words) for p, (run, seen, _) in zip(points, found, strict=True) if (words := wrong(run, seen, p[0]))]
    bad += [(p, after) for p, (_, _, after) in zip(points, found, strict=True) if after]
    ended = Counter((run.code, seen) for run, seen, _ in found)
    promise(
        "P3",
        "an I/O error costs one line with the path and exit code 2, and the old index serves",
        failing_calls=len(points),
        exit_2_old_index=ended[2, "old"],
        done_without_the_cache=ended[0, "new"],
        exit_2_after_the_publication=ended[2, "new"],
        wrong=len(bad),
        seed=seed,
    )
    assert not bad, bad
    assert ended[2, "old"] > 5


def answering(scene: Scene, point: tuple[str, int]) -> tuple[Run, list[str]]:
    """How a question ends one call of which fails, and what is wrong with that and with the next run."""
    work = scene.begin_new()
    run = scene.ask(work, strace=injected(*point, "error=EIO"))
    return run, [*([] if is_said(run, work) else ["neither an answer nor one line"]), *judged_next(scene, work)]


@pytest.mark.skipif(not strace_works(), reason="strace is missing or may not trace here")
def test_every_read_that_fails_is_an_answer_or_one_clear_line(full, seed, promise):
    rng = random.Random(seed)
    scene = scenes()[0]
    calls = scene.calls(READS, scene.begin_new(), scene.ask)
    points = some_of_each(calls, rng, 1000 if full else 8)
    found = at_once(points, answering)
    bad = [(point, *ended) for point, ended in zip(points, found, strict=True) if ended[1]]
    ended = Counter(run.code for run, _ in found)
    promise(
        "P3",
        "a read that fails costs a question one line with the path and exit code 2, or nothing",
        failing_reads=len(points),
        answers=ended[0],
        exit_2=ended[2],
        wrong=len(bad),
        seed=seed,
    )
    assert not bad, bad
    assert min(ended[0], ended[2]) > 0


def is_said(run: Run, work: Path) -> bool:
    """Whether a question ended in an answer or, in the last line, in what is wrong where and what cures it."""
    if "Traceback" in run.output or "panicked at" in run.output:
        return False
    if run.code == 0:
        return "西湖" in run.output
    return run.code == 2 and re.search(rf"{work}/.* → ", run.output.splitlines()[-1]) is not None


@contextmanager
def small_disk(folder: Path, size: int):
    """A real file system of so many bytes; skips where nothing may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_index_and_is_not_left_full(tmp_path, full, promise):
    scene = scenes()[0]
    room = sum(file.stat().st_size for file in scene.old.rglob("*") if file.is_file())
    states, lines = Counter(), []
    with small_disk(tmp_path / "disk", 4 * room + 2**20) as disk:
        index = disk / "work"
        subprocess.run(["cp", "-r", scene.old, index], check=True)
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        for left in range(0, 300_000, 8_000 if full else 40_000):
            (disk / "filler").write_bytes(b"x" * (free - left))
            run = scene.index(index)
            seen = scene.seen(index)
            states[run.code, seen] += 1
            lines += [words] if (words := wrong(run, seen)) else []
            if run.code == 0:
                break
            (disk / "filler").unlink()
            assert not list(index.glob(".building-*"))
    promise(
        "P3",
        "a file system that is full at another byte each time",
        full_disks=states[2, "old"],
        bytes_that_were_enough=left,
        wrong=len(lines),
    )
    assert lines == []
    assert set(states) == {(2, "old"), (0, "new")}


def test_answers_go_on_while_the_journal_has_no_room_and_are_kept_again_after(tmp_path, bot, promise, monkeypatch):
    # On a busy machine an answer does not wait for its record, and has an id before the record fails.
    monkeypatch.setattr("bot.journal._ANSWER_WAITS_SECONDS", 60.0)
    kept, lost = 0, 0
    with small_disk(tmp_path / "disk", 256 * 1024) as disk:
        journal = Journal.from_settings(load_settings(corpus=bot.settings.corpus, index=disk))
        answer = bot.ask("赵州桥由谁设计")
        assert journal.keep(answer, "web").id
        (disk / "filler").write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
        for _ in range(200):
            recorded = journal.keep(answer, "web")
            assert recorded.text == answer.text
            kept, lost = kept + bool(recorded.id), lost + (not recorded.id)
        (disk / "filler").unlink()
        assert journal.keep(answer, "web").id
        assert len(journal.recent(1000)) == kept + 2
        journal.close()
    promise("P3", "a journal without room costs no answer", answers=200, not_recorded=lost, answers_lost=0)
    assert lost > 100


def test_a_read_only_index_still_answers(tmp_path, embedder):
    scene = scenes()[0]
    with small_disk(tmp_path / "disk", 2**22) as disk:
        subprocess.run(["cp", "-r", scene.old, disk / "work"], check=True)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        run = scene.index(disk / "work")
        assert wrong(run, scene.seen(disk / "work")) == ""
        assert run.code == 2
        assert "Read-only file system" in run.output
        bot = Bot(load_settings(corpus=scene.corpus, index=disk / "work"), embedder)
        assert "李春" in bot.ask("赵州桥由谁设计").text
