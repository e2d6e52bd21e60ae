"""bot.web.workers: a real `wenqu serve --workers 2` counts as one, and ends with the reason when no worker starts."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import httpx
import pytest
from serving import serving, workers_of

from bot.index.build import build_index

pytestmark = pytest.mark.slow

QUESTION = {"question": "赵州桥由谁设计?"}
ASKED = 'wenqu_requests_total{route="/api/ask",status="200"}'


def figures(url: str) -> dict[str, float]:
    """The figures that a worker gives; each call is a connection of its own, so it may be any worker."""
    lines = httpx.get(f"{url}/metrics", timeout=60).text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_the_figures_of_the_workers_are_added_up_and_never_run_backwards(settings, embedder, tmp_path):
    build_index(settings, embedder)
    with serving(settings, tmp_path / "errors", WENQU_WORKERS=2) as server:
        httpx.get(f"{server.url}/readyz", timeout=60)
        time.sleep(5)  # both workers have loaded
        counted = []
        for number in range(20):
            assert httpx.post(f"{server.url}/api/ask", json=QUESTION, timeout=60).status_code == 200
            counted.append((number + 1, figures(server.url)[ASKED]))
        found = figures(server.url)
        victim = workers_of(server)[0]
        status = Path(f"/proc/{victim}/status").read_text(encoding="ascii")
        of_one = 1024 * int(re.search(r"VmRSS:\s+(\d+)", status)[1])
        os.kill(victim, signal.SIGKILL)
        time.sleep(1)
        after = figures(server.url)
        assert "Traceback" not in server.said
    assert [count for _, count in counted] == [number for number, _ in counted]
    assert after[ASKED] == found[ASKED] == 20
    answers = 'wenqu_answers_total{mode="passages",refused="false",surface="web"}'
    assert found[answers] == after[answers] == 20
    assert found['wenqu_stage_seconds_count{stage="retrieve"}'] == 20
    assert (found["wenqu_requests_under_way"], after["wenqu_requests_under_way"]) == (1, 1)
    assert (found["wenqu_index_passages"], found["wenqu_index_generation"]) == (5, 1)
    assert found["process_resident_memory_bytes"] > 1.5 * of_one > 0
    assert after["process_resident_memory_bytes"] > 0
    assert after["process_start_time_seconds"] <= time.time()


def test_a_worker_that_cannot_start_is_tried_again_with_pauses_and_then_the_server_ends(settings, embedder, tmp_path):
    build_index(settings, embedder)
    with serving(settings, tmp_path / "errors", WENQU_WORKERS=2) as server:
        # The address is said when the index was opened, and before the workers have loaded.
        for file in settings.index.glob("gen-*/passages.sqlite"):
            file.chmod(0o600)
            file.write_bytes(b"damaged")
        begun = time.monotonic()
        assert server.process.wait(120) == 2
        took = time.monotonic() - begun
        said = server.said
    *earlier, last = said.rstrip().splitlines()
    assert "failed 5 times in a row" in last
    assert "passages.sqlite" in last
    assert last.endswith("→ wenqu index")
    pauses = [re.search(r"replaced in (\S+) s", line)[1] for line in earlier[1:]]
    assert sorted(set(pauses), key=float) == ["0.5", "1", "2", "4"]  # the lines of both workers, one after another
    assert took > 7.5
