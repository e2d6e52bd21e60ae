"""What the manual promises, measured: python scripts/check_reliability.py [--full] [--seed N] [-k WORDS].

Runs tests/reliability and prints a line for each figure: the promise, what holds, the numbers, the seed. The quick run
is a part of the suite; --full takes more points, more seeds and more seconds. Exit code 1 when a promise does not hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "reliability"
# Two halves beside one another, of servers and of index folders, take 285 s where one after the other takes 434.
SERVING = [
    TESTS / f"test_{name}.py"
    for name in ("bad_inputs", "degradation", "injection", "secrets", "serving", "webhooks", "wire")
]
_NONE_SELECTED = 5  # pytest's exit code where -k left nothing of a half


def lines(file: Path) -> list[dict]:
    """What the tests recorded, by promise: P2 before P10."""
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    return sorted(found, key=lambda line: int(line["promise"].lstrip("P")))


def run(command: list[str], files: list[Path]) -> subprocess.CompletedProcess[str]:
    """The tests of some files, and what they printed."""
    return subprocess.run([*command, *map(str, files)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def main() -> None:
    """Run the tests, print what they recorded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the long run")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32, help="repeat a run")
    parser.add_argument("-k", default="", help="only tests whose names hold this")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        file = Path(folder) / "promises.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "--promises", str(file), "--seed", str(options.seed)]
        command += [*(["--full"] if options.full else []), *(["-k", options.k] if options.k else [])]
        done = list(pool.map(partial(run, command), (SERVING, sorted({*TESTS.glob("test_*.py")} - {*SERVING}))))
        found = lines(file)
    printed = [line for one in done for line in one.stdout.splitlines()]
    failed = {line.split("::")[-1].split(" ")[0] for line in printed if line.startswith("FAILED")}
    for line in found:
        figures = "  ".join(f"{name}={value}" for name, value in line["figures"].items())
        print(f"{'FAIL' if line['test'] in failed else 'PASS'} {line['promise']:>4}  {line['claim']}: {figures}")
    codes = {one.returncode for one in done} - {_NONE_SELECTED} or {_NONE_SELECTED}
    if any(codes):
        print("\n".join(printed))
    ended = ", ".join(one.stdout.splitlines()[-1] for one in done)
    print(f"{len(found)} figures in {time.monotonic() - begun:.0f} s, seed {options.seed}; pytest: {ended}")
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
