"""A real `wenqu serve` in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


class Served:
    """A server process, with the address that it said, and what it wrote to standard error."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process, self._errors = process, errors
        deadline = time.monotonic() + 60
        while not (found := re.search(r"http://(?:127\.0\.0\.1|\[::1\]):(\d+)", self.said)):
            assert process.poll() is None, self.said
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)
        self.url, self.port = found[0], int(found[1])

    @property
    def said(self) -> str:
        return self._errors.read_text(encoding="utf-8")

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def environment(settings: Settings, **variables: object) -> dict[str, str]:
    """The environment of a command over a corpus and an index folder."""
    known = {"WENQU_CORPUS": settings.corpus, "WENQU_INDEX": settings.index, **variables}
    return {**os.environ, **{name: str(value) for name, value in known.items()}}


@contextmanager
def serving(settings: Settings, errors: Path, **variables: object) -> Iterator[Served]:
    """`wenqu serve` on a free port, over a corpus and an index folder."""
    with errors.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", "serve"],
            stderr=out,
            text=True,
            cwd=ROOT,
            env=environment(settings, WENQU_PORT=0, **variables),
        )
    try:
        yield Served(process, errors)
    finally:
        process.kill()
        process.wait()


def workers_of(server: Served) -> list[int]:
    """The processes that answer."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text(encoding="ascii")
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.split()}
    return [pid for pid, line in lines.items() if b"spawn_main" in line]
