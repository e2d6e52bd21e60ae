"""scripts/ingest.py, killed in the middle and run again: every passage once, none lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

pq = pytest.importorskip("pyarrow.parquet")


def command(*options: object) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / "ingest.py"), *map(str, options)]


def ids(out: Path) -> list[str]:
    return [one for file in out.rglob("*.parquet") for one in pq.read_table(file, columns=["id"])["id"].to_pylist()]


def test_killed_in_the_middle_and_run_again_each_passage_is_there_once(tmp_path: Path):
    source, out = tmp_path / "news.jsonl", tmp_path / "out"
    lines = [{"id": f"a{i}", "text": f"第{i}号龙井茶产于浙江杭州西湖一带,已有一千二百余年历史。"} for i in range(4000)]
    source.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    first = subprocess.Popen(command(source, "--out", out, "--workers", 1), cwd=ROOT, start_new_session=True)
    until = time.monotonic() + 120
    while not list(out.rglob("*.parquet")) and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)  # its pool of processes too
    first.wait()
    done = {file: file.stat().st_mtime_ns for file in out.rglob("*.parquet")}
    assert 0 < len(ids(out)) < 4000
    subprocess.run(command(source, "--out", out, "--workers", 1), cwd=ROOT, check=True)
    assert len(ids(out)) == len(set(ids(out))) == 4000
    assert all(file.stat().st_mtime_ns == when for file, when in done.items())
