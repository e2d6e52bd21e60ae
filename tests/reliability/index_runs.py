"""Real runs of `wenqu index` in processes that may be killed, and whether an index folder is the old or the new one.

A run costs 2.5 s, of which 2.2 are imports and the model. So a server loads them once and forks a process for each
run; strace, which kills it at a system call or makes the call fail, is attached to that process before it begins.
`python index_runs.py` is the server; everything above is for the tests.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
from conftest import write_articles  # noqa: E402

QUESTIONS = (
    *("龙井茶产于哪里", "每斤干茶需要多少嫩芽", "谁说好茶一半靠山水", "赵州桥由谁设计", "PPR-9087", "where is 赵州桥"),
    *("西安地铁二号线何时开通", "寒武纪登陆哪个板", "寒武纪公司", "都江堰由谁修建", "水", "茶叶"),
)
# What the corpus has in addition when the index is built anew.
ADDED = {
    "chip.txt": "寒武纪公司于2020年登陆科创板,做人工智能芯片,西安与合肥都有它的客户。",
    "dam.md": "# 都江堰\n\n都江堰由李冰父子修建,位于四川成都平原西部,灌溉良田,也供成都用水。\n",
}


@dataclass(frozen=True)
class Run:
    """How a run ended: its exit code (-9: killed) and what it printed."""

    code: int
    output: str


class Server:
    """A process that forks runs, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        alone = {name: "1" for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")}  # a fork takes no threads along
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, **alone, "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(TESTS.parent)},
        )
        assert self._process.stdout.readline() == "ready\n"

    def run(
        self,
        action: str,
        *,
        index: Path,
        corpus: Path,
        variant: str = "",
        strace: Iterable[str] = (),
        kill_after: float | None = None,
    ) -> Run:
        """One run of an action of this file, traced or killed after some seconds."""
        output = self.folder / "output"
        request = {"action": action, "index": str(index), "corpus": str(corpus), "variant": variant}
        request |= {"output": str(output), "stopped": bool(strace)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        tracer = _attached(pid, strace) if strace else None
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)  # not reaped before it is asked for below
        self._process.stdin.write("wait\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        if tracer:
            tracer.wait(20)
        return Run(code, output.read_text(encoding="utf-8"))

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def _attached(pid: int, options: Iterable[str]) -> subprocess.Popen:
    """A strace on a process that has stopped itself, which then goes on."""
    _until(lambda: _status(pid, "State").startswith(("T", "t")))
    tracer = subprocess.Popen(["strace", "-f", "-qq", *options, "-p", str(pid)], stderr=subprocess.DEVNULL)
    _until(lambda: _status(pid, "TracerPid") != "0")
    os.kill(pid, signal.SIGCONT)
    return tracer


def _status(pid: int, name: str) -> str:
    return re.search(rf"^{name}:\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1]


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def strace_works() -> bool:
    """Whether strace is there and may trace."""
    try:
        return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def injected(name: str, number: int, what: str) -> tuple[str, ...]:
    """The options of strace that do something, `error=EIO` or `signal=SIGKILL`, at a call of each thread."""
    return ("-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:{what}:when={number}")


class Scene:
    """An index of an old corpus, and the corpus that has changed since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server(folder / "server")
        self.old, self.corpus = folder / "old", write_articles(folder / "corpus")
        assert self.index(self.old).code == 0
        self.old_state = self.state(self.old)
        write_articles(self.corpus, ADDED)
        work = self.begin()
        begun = time.monotonic()
        assert self.index(work).code == 0
        self.seconds = time.monotonic() - begun
        self.new_state = self.state(work)
        assert self.old_state.startswith("whole")
        assert self.new_state.startswith("whole")
        assert self.old_state != self.new_state

    def begin(self, *, first: bool = False) -> Path:
        """A fresh copy of the old index, or none for a first run, to let a run loose on."""
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        if not first:
            shutil.copytree(self.old, work, symlinks=True)
        return work

    def begin_new(self) -> Path:
        """A folder with the old index and the new one, which is live."""
        work = self.begin()
        assert self.index(work).code == 0
        return work

    def index(self, index: Path, **options: object) -> Run:
        """`wenqu index`."""
        return self.server.run("build", index=index, corpus=self.corpus, **options)

    def ask(self, index: Path, **options: object) -> Run:
        """`wenqu ask`."""
        return self.server.run("ask", index=index, corpus=self.corpus, **options)

    def state(self, index: Path) -> str:
        """What a fresh process makes of the live generation: "whole" and a fingerprint of answers, or the error."""
        return self.server.run("fingerprint", index=index, corpus=self.corpus).output.strip()

    def calls(self, names: str, index: Path, run: Callable[..., Run], **options: str) -> dict[str, list[int]]:
        """System call -> the counts (from 1, each thread for itself) at which it concerns the index folder."""
        log = self.folder / "calls"
        ended = run(index, strace=("-y", "-o", str(log), "-e", f"trace={names}"), **options)
        assert ended.code == 0, ended
        counts: dict[tuple[str, str], int] = {}
        found: dict[str, set[int]] = {}
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            call = re.match(r"(\d+) +(\w+)\((.*)", line)
            if not call:
                continue
            counts[call[1], call[2]] = count = counts.get((call[1], call[2]), 0) + 1
            if str(index) in call[3]:
                found.setdefault(call[2], set()).add(count)
        return {name: sorted(numbers) for name, numbers in found.items()}

    def seen(self, index: Path) -> str:
        """Which index is there, "old", "new" or "none"; else the third state that must not be."""
        found = self.state(index)
        known = {self.old_state: "old", self.new_state: "new"}
        return "none" if found.startswith("IndexMissing") else known.get(found, f"third: {found}")

    def after(self, index: Path) -> str:
        """What `seen` says, once the run was killed, and what is wrong after the next run, if anything."""
        seen = self.seen(index)
        again = self.index(index)
        if again.code:
            return f"{seen}; the next run failed: {again.output}"
        if self.seen(index) != "new":
            return f"{seen}; the next run gave no new index"
        left = leftovers(index)
        return f"{seen}; left over: {left}" if left else seen

    def close(self) -> None:
        """End the server."""
        self.server.close()


def leftovers(index: Path) -> list[str]:
    """What an index folder holds and should not."""
    from bot.index.generations import live_first

    known = {"CURRENT", ".lock", "cache.sqlite", "documents.sqlite", *(name for name, _ in live_first(index))}
    return sorted(path.name for path in index.iterdir() if path.name not in known)


@functools.cache
def scenes() -> list[Scene]:
    """Two scenes, for two runs at a time; they stay for all tests."""
    folder = Path(tempfile.mkdtemp())
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda number: Scene(folder / number), "12"))
    atexit.register(lambda: ([scene.close() for scene in made], shutil.rmtree(folder)))
    return made


def at_once(trials: Iterable, trial: Callable[[Scene, object], object]) -> list:
    """The results of the trials in their order, two at a time."""
    free: SimpleQueue = SimpleQueue()
    for scene in scenes():
        free.put(scene)

    def one(given: object) -> object:
        scene = free.get()
        try:
            return trial(scene, given)
        finally:
            free.put(scene)

    with ThreadPoolExecutor(len(scenes())) as pool:
        return list(pool.map(one, trials))


def state_of(settings, embedder, questions: Iterable[str] = QUESTIONS) -> str:
    """Of the live generation "whole" and a fingerprint of what it answers, or the error that opening it gives."""
    from bot.errors import WenquError
    from bot.index.opened import open_index
    from bot.pipeline import Bot

    try:
        bot = Bot(settings, embedder)
        if "index" in bot.live.get().degraded:
            open_index(settings, embedder)  # strict: what serves in place of a damaged one does not count
        return f"whole {digest([[hit.passage.id for hit in bot.search(question, 10)] for question in questions])}"
    except WenquError as error:
        return f"{type(error).__name__} {error}"


# ---------------------------------------------------------------------------------------------------------------------
# The server and what its forks do.


def _settings(request: dict):
    from bot.settings import load_settings

    return load_settings(corpus=Path(request["corpus"]), index=Path(request["index"]))


def build(request: dict, embedder) -> None:
    """`wenqu index --index ... --corpus ...`, as the command does it."""
    from bot.cli import main

    if request["variant"]:
        VARIANTS[request["variant"]]()
    force = ["--force"] if request["action"] == "force" else []
    sys.argv = ["wenqu", "index", *force, "--index", request["index"], "--corpus", request["corpus"]]
    main()


def ask(request: dict, embedder) -> None:
    """`wenqu ask` a question that the old corpus answers."""
    from bot.cli import main

    sys.argv = ["wenqu", "ask", QUESTIONS[0], "--index", request["index"], "--corpus", request["corpus"]]
    main()


def fingerprint(request: dict, embedder) -> None:
    """Say `state_of` the index."""
    _say(state_of(_settings(request), embedder))


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def digest(value: object) -> str:
    """The sha256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def write_in_place() -> None:
    """A broken way to publish: CURRENT is written over, not replaced."""
    from bot.index import generations

    replace = Path.replace

    def written_over(self: Path, target: Path) -> Path:
        if target.name != "CURRENT":
            return replace(self, target)
        with target.open("w", encoding="ascii") as file:
            for line in self.read_text(encoding="ascii").splitlines(keepends=True):
                file.write(line)
                file.flush()
        self.unlink()
        return target

    generations.Path.replace = written_over


def publish_early() -> None:
    """A broken way to publish: CURRENT names a generation that is not there yet."""
    from bot.index import build, generations

    def early(index: Path, building: Path, generation: str, *_live: object) -> None:
        temporary = index / "CURRENT.new"
        temporary.write_text(f"{generation} {generations.sha256(building / 'manifest.json')}\n")
        temporary.replace(index / "CURRENT")
        building.rename(index / generation)

    build.publish = early


def go_on() -> None:
    """As a large corpus is indexed: only what changed is read."""
    from bot.index import changes

    changes._WHOLE_UNDER, changes._MOST_CHANGED = 0, 100


VARIANTS = {function.__name__: function for function in (write_in_place, publish_early, go_on)}


def _warm():
    """The embedder, after a first run: what is imported, compiled and loaded once is so for all forks."""
    from bot import pipeline
    from bot.index.embedder import load_embedder

    embedder = load_embedder()
    pipeline.load_embedder = lambda name: embedder
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        request = {
            "action": "build",
            "variant": "",
            "index": f"{folder}/index",
            "corpus": str(write_articles(Path(folder, "corpus"))),
        }
        with contextlib.suppress(SystemExit):
            build(request, embedder)
        fingerprint(request, embedder)
    return embedder


def _serve() -> None:
    embedder = _warm()
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    _say("ready")
    for line in requests:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _forked(request, embedder)
        _say(pid)
        assert requests.readline() == "wait\n"
        _say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _forked(request: dict, embedder) -> None:
    code = 0
    with contextlib.suppress(BaseException):
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if request["stopped"]:
            os.kill(os.getpid(), signal.SIGSTOP)
    try:
        {"build": build, "force": build, "ask": ask, "fingerprint": fingerprint}[request["action"]](request, embedder)
    except SystemExit as end:
        code = end.code
    except BaseException:  # what the interpreter would do
        import traceback

        traceback.print_exc()
        code = 1
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve()
