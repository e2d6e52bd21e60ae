"""scripts/ingest.py: many prepare, one publishes; killed anywhere and run again, nothing is lost and nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT, write_articles

from bot.index.build import build_index
from bot.pipeline import Bot
from bot.settings import load_settings

pq = pytest.importorskip("pyarrow.parquet", reason="pip install -e '.[milvus]'")
sys.path.append(str(ROOT / "scripts"))
import ingest  # noqa: E402

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}"}


@pytest.fixture
def many(tmp_path: Path, settings):
    """Forty articles beside the three, one of them empty, with a dictionary."""
    more = {
        f"{i:02d}.txt": f"第{i}号龙井茶\n\n第{i}号龙井茶产于浙江杭州西湖一带,已有{i}百余年历史。" for i in range(40)
    }
    write_articles(settings.corpus, {**more, "empty.txt": "", "dictionary.txt": "明前茶 = 头采\n"})
    return settings


def here(settings, todo):
    """The parts, one after the other, in this process."""
    return map(partial(ingest.write_part, settings), todo)


def prepare(settings, out: Path, shards: int = 1):
    return [ingest.ingest(settings, out, shard, shards, here, size=8) for shard in range(shards)]


def rows(out: Path):
    return {row["path"]: row for file in out.rglob("*.parquet") for row in pq.read_table(file).to_pylist()}


def command(*options: object):
    return [sys.executable, str(ROOT / "scripts" / "ingest.py"), *map(str, options)]


def said(*options: object, **environment: str):
    done = subprocess.run(
        command(*options), capture_output=True, text=True, env={**ENVIRONMENT, **environment}, timeout=600
    )
    return done.returncode, done.stderr.strip()


def generation(bot: Bot):
    """All that answers depend on: the passages in their order, what is found, and its scores."""
    store, questions = (
        bot.live.get().store,
        ("龙井茶产于哪里?", "头采", "9087", "Who designed Zhaozhou bridge?", "17号"),
    )
    hits = [[(h.passage.id, h.lexical, h.dense) for h in bot.search(question, 10)] for question in questions]
    count = bot.live.get().manifest["passages"]
    return store.passages(range(count)), store.files, store.left_out(), dict(store.names), hits


def test_a_generation_from_shares_is_the_one_that_an_index_run_makes(many, tmp_path: Path, embedder):
    prepare(many, tmp_path / "out", shards=3)
    shares = ingest.Shares(many, tmp_path / "out")
    published = many.model_copy(update={"index": tmp_path / "published"})
    summary = build_index(published, embedder, shares=shares)
    build_index(many, embedder)
    assert (shares.used, shares.unfit, summary.embedded) == (43, 0, 0)
    assert generation(Bot(published, embedder)) == generation(Bot(many, embedder))
    assert Bot(published, embedder).refresh() is None  # it is not stale


def test_what_changed_since_or_is_damaged_is_prepared_anew(many, tmp_path: Path, embedder):
    prepare(many, tmp_path / "out")
    changed = many.corpus / "07.txt"
    when = changed.stat()
    changed.write_text(changed.read_text().replace("浙江", "江苏"))
    os.utime(changed, ns=(when.st_atime_ns, when.st_mtime_ns))  # same size, same time, other content
    file = sorted((tmp_path / "out").rglob("*.parquet"))[-1]
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)
    shares = ingest.Shares(many, tmp_path / "out")
    published = many.model_copy(update={"index": tmp_path / "published"})
    build_index(published, embedder, shares=shares)
    build_index(many, embedder)
    assert generation(Bot(published, embedder)) == generation(Bot(many, embedder))
    assert shares.unfit == 1
    assert 30 <= shares.used < 43


def test_only_what_another_corpus_or_setting_made_is_made_again(many, tmp_path: Path):
    out = tmp_path / "out"
    ((passages, made),) = prepare(many, out)
    assert passages == made
    assert prepare(many, out) == [(passages, 0)]
    changed = many.corpus / "07.txt"
    when = changed.stat()
    changed.write_text(changed.read_text().replace("浙江", "江苏"))
    os.utime(changed, ns=(when.st_atime_ns, when.st_mtime_ns))
    ((_, made),) = prepare(many, out)
    assert 0 < made <= 8
    assert "江苏" in rows(out)["07.txt"]["text"]
    assert prepare(many.model_copy(update={"passage_size": 100}), out)[0][1] > passages - 8
    ingest.dictionary.cache_clear()
    ingest.made_from.cache_clear()
    (many.corpus / "dictionary.txt").write_text("明前茶 = 头采\n新词儿\n", encoding="utf-8")
    assert prepare(many, out) == [(passages, passages)]


KILLED = """
import os, sys
from functools import partial
from pathlib import Path
import ingest
from bot.index.engines import milvus
from bot.settings import load_settings
point, corpus, out, index = sys.argv[1], *map(Path, sys.argv[2:])
settings = load_settings(corpus=corpus, index=index)
die = lambda: os.kill(os.getpid(), 9)
def write(table, file, **options):  # half of a file
    real(table, file, **options)
    if file.name.startswith("part-000002"):
        os.truncate(file, file.stat().st_size // 2)
        die()
real = ingest.pq.write_table
if point == "writing":
    ingest.pq.write_table = write
def here(settings, todo):
    for number, part in enumerate(todo):
        if point == "between" and number == 2:
            die()
        yield ingest.write_part(settings, part)
ingest.ingest(settings, out, 0, 1, here, size=8)
add, added = milvus.MilvusEngine.add_passages, []
def load(self, *passages):
    if added:
        die()
    added.append(add(self, *passages))
milvus.MilvusEngine.add_passages = load
ingest.build_index.__globals__["_BATCH"] = 16
print(ingest.publish(settings, out))
"""


@pytest.mark.parametrize("point", ["writing", "between", "loading"])
def test_killed_and_run_again_each_passage_is_there_once(many, tmp_path: Path, embedder, point, promise):
    pytest.importorskip("milvus_lite", reason="pip install -e '.[milvus]'")
    out, index, database = tmp_path / "out", tmp_path / "published", tmp_path / "lite.db"
    engine = {"WENQU_ENGINE": "milvus", "WENQU_ENGINE_URL": str(database)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, point, many.corpus, out, index],
        env={**ENVIRONMENT, **engine},
        capture_output=True,
        timeout=600,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    finished = {file: file.stat().st_mtime_ns for file in out.rglob("*.parquet")}
    assert (len(finished) == 2) == (point != "loading")
    assert not (index / "CURRENT").exists()

    ((passages, made),) = prepare(many, out)
    assert all(file.stat().st_mtime_ns == when for file, when in finished.items())
    assert (made == 0) == (point == "loading")
    assert not list(out.rglob("*.tmp"))
    paths = [row["path"] for file in out.rglob("*.parquet") for row in pq.read_table(file).to_pylist()]
    assert sorted(paths) == sorted({*(f"{i:02d}.txt" for i in range(40)), "tea.txt", "bridge.md", "city.html"})

    served = load_settings(
        corpus=many.corpus, index=index, engine="milvus", engine_url=str(database), passage_size=many.passage_size
    )
    ingest.publish(served, out)
    bot = Bot(served, embedder)
    client, mine = bot.live.get().engine._client, bot.live.get().engine._collection
    held = client.query(mine, "", output_fields=["count(*)"])[0]["count(*)"]
    collections = client.list_collections()
    client.close()
    promise("P1", "an ingest killed anywhere and run again", point=point, passages=passages, held=held)
    assert held == passages == bot.live.get().manifest["passages"]
    assert collections == [mine]  # nothing is left of the one that was killed


def children(pid: int) -> set[int]:
    """The processes that a process has started, and theirs."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout.split()
    parents = dict(zip(map(int, table[::2]), map(int, table[1::2]), strict=True))
    return {one for one, parent in parents.items() if parent == pid}


def test_workers_end_with_their_parent(many, tmp_path: Path):
    out = tmp_path / "out"
    write_articles(many.corpus, {f"more{i}.txt": f"第{i}条新闻。" * 200 for i in range(2000)})
    options = ("--corpus", many.corpus, "--out", out, "--workers", 2, "--part", 20)
    parent = subprocess.Popen(command(*options), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(out.rglob("*.parquet")) and time.monotonic() < until:
        time.sleep(0.01)
    workers = children(parent.pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert len(workers) >= 2
    until = time.monotonic() + 10
    while (left := [pid for pid in workers if Path(f"/proc/{pid}").exists()]) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_two_writers_of_one_share(many, tmp_path: Path):
    out = tmp_path / "out"
    (out / "shard-0-of-1").mkdir(parents=True)
    with ingest.FileLock(out / "shard-0-of-1" / ".lock"):
        code, line = said("--corpus", many.corpus, "--out", out, "--workers", 1)
    assert (code, len(line.splitlines())) == (2, 1)
    assert "another process" in line


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--corpus", "{corpus}", "--shard", "4/4"], "4/4"),
        (["--corpus", "{corpus}", "--shard", "one"], "one"),
        (["--corpus", "{tmp}/nowhere"], "nowhere"),
        (["--corpus", "{corpus}", "--index", "{tmp}/index"], "no shares"),
        (["--corpus", "{corpus}", "--index", "{tmp}/index", "--out", "{tmp}/out"], "127.0.0.1:9"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_cure(many, tmp_path: Path, options, names):
    prepare(many, tmp_path / "out")
    filled = [option.format(corpus=many.corpus, tmp=tmp_path) for option in ["--out", "{tmp}/none", *options]]
    code, line = said(*filled, WENQU_ENGINE="milvus", WENQU_ENGINE_URL="http://127.0.0.1:9")
    assert (code, len(line.splitlines())) == (2, 1), line
    assert names in line
    assert "→" in line


def test_a_ray_job_prepares_what_the_pool_does(many, tmp_path: Path):
    pytest.importorskip("ray", reason="pip install -e '.[ray]'")
    for name, option in (("pool", "--workers"), ("ray", "--ray")):
        code, line = said("--corpus", many.corpus, "--out", tmp_path / name, "--part", 8, option, 2)
        assert code == 0, line
    assert rows(tmp_path / "ray") == rows(tmp_path / "pool")
    assert len(rows(tmp_path / "ray")) == 43
    assert len(list((tmp_path / "ray").rglob("*.parquet"))) == 6
