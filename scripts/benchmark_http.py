"""Wenqu's server beside txtai's, by wrk: python scripts/benchmark_http.py [--passages N] [--seconds S] [--workers N].

Uses what scripts/benchmark.py left in its work folder (the corpus, the questions, both indexes; run it first). Each
server is asked for the passages of real questions by 1, 8 and 32 clients without pause, Wenqu's once more while its
index is swapped every other second. Prints answers a second, percentiles and errors. Needs wrk (apt-get install wrk).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
from benchmark import environment
from benchmark_engines import lines

from bot.pipeline import Bot
from bot.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
_LUA = """
local paths = {{ {paths} }}
local n = 0
request = function() n = n + 1; return wrk.format("GET", paths[n % #paths + 1]) end
done = function(summary, latency)
  io.write(string.format("FIGURES %d %d %d %d %d %d %d\\n", summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], url: str, **variables: str) -> Iterator[None]:
    """A server process, once it answers."""
    process = subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                httpx.get(url, timeout=60).raise_for_status()
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{command[0]} does not serve {url}") from None
                time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def load(base: str, paths: list[str], clients: int, seconds: int, folder: Path) -> dict[str, float]:
    """What wrk saw of so many clients that ask without pause."""
    script = folder / "questions.lua"
    script.write_text(_LUA.format(paths=", ".join(json.dumps(path) for path in paths)), encoding="ascii")
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), base]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    requests, took, status, broken, *percentiles = map(int, re.search(r"FIGURES (.*)", said)[1].split())
    p50, p95, p99 = (value / 1000 for value in percentiles)
    figures = {"per_s": requests / took * 1e6, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "errors": status + broken}
    return {name: round(value, 2) for name, value in figures.items()}


@contextmanager
def swapping(folder: Path) -> Iterator[list[int]]:
    """Changes an article and publishes a new generation every other second; the list counts them."""
    bot = Bot(load_settings(corpus=folder / "corpus", index=folder / "wenqu"))
    over, made = threading.Event(), []
    changing = next(iter(sorted((folder / "corpus").glob("news-*.txt"))))

    def publish() -> None:
        while not over.wait(2):
            changing.write_text(changing.read_text(encoding="utf-8") + "。", encoding="utf-8")
            bot.refresh()
            made.append(1)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield made
    finally:
        over.set()
        thread.join()


def main() -> None:
    """Load both servers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "wenqu" / "benchmark")
    options = parser.parse_args()
    folder = options.work / f"data-{options.passages}"
    questions = [quote(line["question"]) for line in lines(folder / "questions.jsonl")]
    port = free_port()
    command = [sys.executable, "-m", "bot", "serve", "--port", str(port), "--workers", str(options.workers)]
    known = {"WENQU_CORPUS": str(folder / "corpus"), "WENQU_INDEX": str(folder / "wenqu"), "PYTHONPATH": str(ROOT)}
    known["WENQU_WATCH"] = "false"  # what changes is published from here
    base, paths = f"http://127.0.0.1:{port}", [f"/api/search?k=10&question={question}" for question in questions]
    with serving(command, base + paths[0], **known):
        for clients in (1, 8, 32):
            print("wenqu", clients, json.dumps(load(base, paths, clients, options.seconds, folder)), flush=True)
        with swapping(folder) as made:
            figures = load(base, paths, 32, options.seconds, folder)
        print("wenqu, swapped", len(made), json.dumps(figures), flush=True)
    config = folder / "txtai" / "api.yml"
    config.write_text(
        json.dumps({"path": str(folder / "txtai" / "index"), "writable": False, "embeddings": {}}), encoding="utf-8"
    )
    port = free_port()
    base, paths = f"http://127.0.0.1:{port}", [f"/search?limit=10&query={question}" for question in questions]
    python = environment("txtai", options.work)
    command = [python, "-m", "uvicorn", "txtai.api:app", "--port", str(port), "--log-level", "warning"]
    with serving([*command, "--workers", str(options.workers)], base + paths[0], CONFIG=str(config)):
        for clients in (1, 8, 32):
            print("txtai", clients, json.dumps(load(base, paths, clients, options.seconds, folder)), flush=True)


if __name__ == "__main__":
    main()
