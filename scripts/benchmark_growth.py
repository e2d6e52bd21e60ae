"""What grows with the corpus: python scripts/benchmark_growth.py [--passages 1000,10000,…] [--work FOLDER].

For each size a corpus of real news with the articles of xquad_even among them; past the news' own 170,000 passages,
articles made of its paragraphs in another order. Measures the build (`wenqu index`, with all its processes), a bot that
answers the set's questions, and how soon a changed article is found by a bot that runs, which watches the corpus or is
helped by `wenqu index`; beside them what the machine could do at best. Writes scripts/benchmark/growth.{json,md,svg}.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from benchmark import OUT, ROOT, SHARED, news, size

from bot.index.engines.faiss import EXACT_UP_TO

SOURCE = SHARED / "eval" / "xquad_even"
LETTERS = 282  # a passage of the news has so many on average
_NEW = "沧浪石板桥由匠人孟阿福在{}年重修,石料采自太湖西山。"
_ASKED = "沧浪石板桥由谁重修?"


def texts() -> Iterator[str]:
    """The news, then without end articles of its paragraphs in another order."""
    paragraphs: list[str] = []
    for text in news():
        paragraphs += text.split("\n")
        yield text
    rng = random.Random(7)
    while True:
        yield "\n".join(rng.choices(paragraphs, k=30))


def prepare(work: Path, passages: int) -> Path:
    """A folder with a corpus of about so many passages; nothing is done where it is there."""
    folder = work / f"growth-{passages}"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(SOURCE / "corpus", folder / "corpus")
        left = passages * LETTERS - sum(file.stat().st_size // 3 for file in (folder / "corpus").iterdir())
        for number, text in enumerate(texts()):
            if left <= 0:
                break
            left -= len(text)
            (folder / "corpus" / f"news-{number:06d}.txt").write_text(text, encoding="utf-8")
        (folder / "ready").touch()
    return folder


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that works on a folder."""
    known = {"WENQU_CORPUS": str(folder / "corpus"), "WENQU_INDEX": str(folder / "index"), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **known}


class Memory:
    """The most memory that a process and its children have had at one time, in MB; what they share counts for each."""

    def __init__(self, pid: int) -> None:
        self.most, self._pid, self._over = 0.0, pid, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.most = max(self.most, sum(map(self._resident, self._tree(self._pid))) / 1e6)

    def _tree(self, pid: int) -> Iterator[int]:
        yield pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return
        for child in children:
            yield from self._tree(int(child))

    def _resident(self, pid: int) -> int:
        try:
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0

    def stop(self) -> float:
        """End the watch; the figure."""
        self._over.set()
        self._thread.join()
        return self.most


def built(folder: Path) -> dict[str, float]:
    """The figures of `wenqu index` on a corpus without an index."""
    shutil.rmtree(folder / "index", ignore_errors=True)
    begun, before = time.monotonic(), os.times()
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "index"], env=environment(folder), stderr=subprocess.DEVNULL
    )
    memory = Memory(process.pid)
    code = process.wait()
    took, after, most = time.monotonic() - begun, os.times(), memory.stop()
    if code:
        raise SystemExit(f"wenqu index failed on {folder}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    generation = next((folder / "index").glob("gen-*"))
    return {"build_s": took, "build_cpu_s": cpu, "build_mb": most, "index_mb": size(generation) / 1e6}


def ask(folder: Path) -> dict[str, float]:
    """The figures of a bot over an index: in a process of its own, which prints them."""
    from bot.evaluation import evaluate, read_questions
    from bot.pipeline import Bot
    from bot.settings import load_settings
    from bot.web.watch import Watch

    begun = time.perf_counter()
    bot = Bot(load_settings())
    bot.ask("问渠那得清如许?")
    opened = time.perf_counter() - begun
    questions = [question for question in read_questions(SOURCE) if question.evidence]
    for question in questions[:20]:
        bot.ask(question.text)
    took = []
    for question in questions:
        begun = time.perf_counter()
        bot.ask(question.text)
        took.append(time.perf_counter() - begun)
    status = Path("/proc/self/status").read_text()
    figures = {"opened_s": opened, "query_mb": int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6}
    figures |= {f"p{n}_ms": float(np.percentile(took, n)) * 1000 for n in (50, 95, 99)}
    found = evaluate(bot, questions, lambda done: None)
    figures |= {f"{lang}.{key}": found[lang][key] for lang in ("zh", "en") for key in ("hit@1", "mrr@10")}
    commanded = [changed(bot, folder, year, indexed) for year in range(1801, 1804)]
    watching = Watch(bot)
    watching.start()
    time.sleep(2)
    watched = [changed(bot, folder, year, lambda folder: None) for year in range(1811, 1816)]
    watching.stop()
    index = bot.live.get().manifest
    return {
        "articles": index["articles"],
        "passages": index["passages"],
        **figures,
        "changed_s": float(np.median(watched)),
        "changed_worst_s": max(watched),
        "commanded_s": float(np.median(commanded)),
    }


def changed(bot, folder: Path, year: int, then: Callable[[Path], None]) -> float:
    """Seconds from the writing of an article until a running bot answers from it."""
    begun = time.perf_counter()
    (folder / "corpus" / "news-000000.txt").write_text(_NEW.format(year), encoding="utf-8")
    then(folder)
    while f"{year}年" not in bot.ask(_ASKED).text:
        assert time.perf_counter() - begun < 600
        time.sleep(0.02)
    return time.perf_counter() - begun


def indexed(folder: Path) -> None:
    """Run `wenqu index`."""
    subprocess.run([sys.executable, "-m", "bot", "index"], env=environment(folder), check=True, capture_output=True)


def limits(dim: int) -> dict[str, float]:
    """What this machine does at best: bytes read from memory a second, letters segmented a second and core."""
    import rjieba

    block = np.ones(2**28 // 8)
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        block.sum()
        seconds.append(time.perf_counter() - begun)
    sample = [text for _, text in zip(range(2000), news(), strict=False)]
    begun = time.perf_counter()
    for text in sample:
        rjieba.cut_for_search(text)
    took = time.perf_counter() - begun
    return {"bytes_per_s": 2**28 / min(seconds), "letters_per_s": sum(map(len, sample)) / took, "dim": dim}


COLUMNS = {
    "passages": "passages:,", "articles": "articles:,", "build s": "build_s:.1f", "at best": "best_build_s:.1f",
    "CPU s": "build_cpu_s:.1f", "build MB": "build_mb:.0f", "index MB": "index_mb:.0f", "opened s": "opened_s:.2f",
    "p50 ms": "p50_ms:.1f", "p95 ms": "p95_ms:.1f", "p99 ms": "p99_ms:.1f", "at best ms": "best_ms:.2f",
    "query MB": "query_mb:.0f", "zh hit@1": "zh.hit@1:.3f", "zh MRR": "zh.mrr@10:.3f", "en MRR": "en.mrr@10:.3f",
    "changed s": "changed_s:.2f", "worst": "changed_worst_s:.2f", "by command": "commanded_s:.2f",
}  # fmt: skip


def table(rows: list[dict[str, float]], best: dict[str, float]) -> str:
    """Markdown: a size a row."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        seconds, milliseconds = lower_bounds(row["passages"], best)
        known = {**row, "best_build_s": seconds, "best_ms": milliseconds}
        cells = [
            format(known.get(key, float("nan")), how) for key, how in (column.split(":") for column in COLUMNS.values())
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def lower_bounds(passages: float, best: dict[str, float]) -> tuple[float, float]:
    """Seconds that segmenting alone takes on two cores, and milliseconds that reading every code once takes."""
    codes = best["dim"] * (
        2 if passages <= EXACT_UP_TO else 0.25
    )  # bytes a passage: float16, or four bits for two numbers
    return passages * LETTERS / best["letters_per_s"] / 2, passages * codes / best["bytes_per_s"] * 1000


def picture(rows: list[dict[str, float]], best: dict[str, float]) -> None:
    """Build and query over the size, the limits dashed."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "wenqu"
    from matplotlib import pyplot

    sizes = [row["passages"] for row in rows]
    bounds = [lower_bounds(passages, best) for passages in sizes]
    figure, (build, query) = pyplot.subplots(1, 2, figsize=(10, 3.6))
    build.plot(sizes, [row["build_s"] for row in rows], "o-", color="#2f6f6a", label="wenqu index")
    build.plot(sizes, [bound for bound, _ in bounds], "--", color="#b9c4c2", label="segmenting alone, two cores")
    for key, style in (("p50_ms", "o-"), ("p99_ms", "s-")):
        query.plot(sizes, [row[key] for row in rows], style, label=key.removesuffix("_ms"))
    query.plot(sizes, [bound for _, bound in bounds], "--", color="#b9c4c2", label="reading every code")
    for axes, title in ((build, "Seconds to build"), (query, "Milliseconds of an answer")):
        axes.set(xscale="log", yscale="log", xlabel="passages")
        axes.set_title(title, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(OUT / "growth.svg", metadata={"Date": None})


def main() -> None:
    """Measure each size; those that were measured before stay in the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", default="1000,10000,50000,170000,250000,1000000")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "wenqu" / "benchmark")
    parser.add_argument("--keep", action="store_true", help="ask the indexes that are there, and build none")
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(ask(options.ask)))
        return
    OUT.mkdir(exist_ok=True)
    kept = OUT / "growth.json"
    known = json.loads(kept.read_text()) if kept.exists() else {"sizes": {}}
    known["limits"] = limits(256)
    for passages in map(int, options.passages.split(",")):
        folder = prepare(options.work, passages)
        if options.keep and (folder / "index" / "CURRENT").exists():
            figures = known["sizes"][str(passages)]
            indexed(folder)
        else:
            figures = built(folder)
        command = [sys.executable, __file__, "--ask", str(folder)]
        asked = subprocess.run(command, env=environment(folder), check=True, stdout=subprocess.PIPE, text=True).stdout
        figures |= json.loads(asked.splitlines()[-1])
        known["sizes"][str(passages)] = {key: round(value, 4) for key, value in figures.items()}
        print(passages, json.dumps(known["sizes"][str(passages)]), file=sys.stderr, flush=True)
        kept.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    rows = [known["sizes"][key] for key in sorted(known["sizes"], key=int)]
    (OUT / "growth.md").write_text(table(rows, known["limits"]), encoding="utf-8")
    picture(rows, known["limits"])
    print(table(rows, known["limits"]))


if __name__ == "__main__":
    main()
