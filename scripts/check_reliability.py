"""What the README promises, measured: python scripts/check_reliability.py [--full] [--seed N] [-k WORDS].

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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def lines(file: Path) -> list[dict]:
    """What the tests recorded, by promise: P2 before P10."""
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    return sorted(found, key=lambda line: int(line["promise"].lstrip("P")))


def main() -> None:
    """Run the tests, print what they recorded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the long run")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32, help="repeat a run")
    parser.add_argument("-k", default="", help="only tests whose names hold this")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "promises.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "tests/reliability", "--promises", str(file)]
        command += [
            "--seed",
            str(options.seed),
            *(["--full"] if options.full else []),
            *(["-k", options.k] if options.k else []),
        ]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        found = lines(file)
    failed = {line.split("::")[-1].split(" ")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    for line in found:
        figures = "  ".join(f"{name}={value}" for name, value in line["figures"].items())
        print(f"{'FAIL' if line['test'] in failed else 'PASS'} {line['promise']:>4}  {line['claim']}: {figures}")
    if done.returncode:
        print(done.stdout)
    seconds = time.monotonic() - begun
    print(f"{len(found)} figures in {seconds:.0f} s, seed {options.seed}; pytest: {done.stdout.splitlines()[-1]}")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
