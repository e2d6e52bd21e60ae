"""Runs a parser in a child process with limits, so that no file can stop the run over the corpus.

The child gets the bytes on stdin and writes one line of JSON. It inherits no other descriptor and opens no file.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.corpus.blocks import Parsed, from_json, to_json
from bot.errors import ReadError
from bot.text.printable import valid

# The limits are needed: python-docx took 5.5 GB for a docx of 0.9 MB.
_MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take: MB of address space, seconds of CPU time and of wall time, characters of text."""

    memory: int = 1024
    processor: int = 60
    clock: float = 90
    characters: int = 20_000_000


def in_child(module: str, data: bytes, limits: Limits | None = None) -> Parsed:
    """What `parse` of a module makes of a file's bytes in a child process.

    Raises ReadError: the parser's own, E-PARSE, E-TIME, E-MEMORY or E-CRASH.
    """
    limits = limits or Limits()
    command = [sys.executable, "-m", "bot.corpus.readers.child", module, json.dumps(asdict(limits))]
    root = Path(__file__).resolve().parents[3]  # the folder that contains `bot`, wherever the caller runs
    try:
        done = subprocess.run(
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=limits.clock, cwd=root
        )
    except subprocess.TimeoutExpired:
        raise _too_slow(limits) from None
    except OSError as error:
        raise ReadError("E-CRASH", "无法启动解析进程", f"the parser cannot be started: {error.strerror}") from error
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise _died(done.returncode, limits) from None
    if "error" in result:
        raise ReadError(*result["error"])
    return from_json(result)


def _too_slow(limits: Limits) -> ReadError:
    seconds = f"{limits.processor} s / {limits.clock:g} s"
    return ReadError(
        "E-TIME", f"解析超时，超过 {seconds}", "parsing takes too long", "拆分，或另存后再试 / split or resave it"
    )


def _too_large(limits: Limits) -> ReadError:
    cure = "拆分，或另存后再试 / split or resave it"
    return ReadError("E-MEMORY", f"解析需要超过 {limits.memory} MB 内存", "parsing needs too much memory", cure)


def _died(returncode: int, limits: Limits) -> ReadError:
    """The error for a child that ended without an answer."""
    killed_by = signal.Signals(-returncode).name if returncode < 0 else ""
    if killed_by == "SIGXCPU":
        return _too_slow(limits)
    # Usually the system, which was running out of memory; parsers in Rust abort when they are given none.
    if killed_by in ("SIGKILL", "SIGABRT"):
        return _too_large(limits)
    return ReadError("E-CRASH", f"解析进程崩溃（{returncode}）", "the parser crashed", "另存后再试 / resave it")


def _bound(limits: Limits) -> None:
    """Set the limits of this process."""
    wanted = {
        resource.RLIMIT_AS: limits.memory * _MEGABYTE,
        resource.RLIMIT_CPU: limits.processor,
        resource.RLIMIT_FSIZE: 0,  # pipes do not count as files
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        # SIGXCPU comes a second before SIGKILL, which we could not tell from the system's own.
        most = value + 1 if kind == resource.RLIMIT_CPU else value
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some of them
            if hard == resource.RLIM_INFINITY or hard >= most:
                resource.setrlimit(kind, (value, most))


def _result(module: str, data: bytes, limits: Limits) -> dict[str, Any]:
    """What goes back to the parent: the fields of a Document, or the parts of a ReadError."""
    try:
        parsed: Parsed = importlib.import_module(module).parse(data)
        if len(parsed.text) > limits.characters:
            raise ReadError("E-SIZE", f"超过 {limits.characters:,} 字", "too much text", "请拆分 / split it")
        if not parsed.text.strip():
            raise ReadError("E-EMPTY", "文件里没有文字", "the file holds no text")
        return to_json(parsed)
    except ReadError as error:
        return {"error": error.parts}
    except MemoryError:
        return {"error": _too_large(limits).parts}
    except Exception as error:  # parsers raise errors of any kind for damaged files
        why = valid(f"cannot be parsed: {type(error).__name__}: {error}")[:200]
        return {"error": ("E-PARSE", "无法解析", why, "另存后再试 / resave it")}


def main() -> None:
    """Read, parse, answer. The answer has its own descriptor, so that nothing a parser prints gets into it."""
    module, limits = sys.argv[1], Limits(**json.loads(sys.argv[2]))
    answer = os.dup(1)
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)  # parsers log a line for every part of a damaged file
    data = sys.stdin.buffer.read()
    _bound(limits)
    result = json.dumps(_result(module, data, limits)).encode()
    with os.fdopen(answer, "wb") as out:
        out.write(result)


if __name__ == "__main__":
    main()
