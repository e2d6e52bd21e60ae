"""A parser runs in a process of its own, with limits: whatever a file does to it, the run over the corpus goes on.

The child gets the bytes on stdin and writes one line of JSON. It opens no file, and inherits no descriptor but those.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.errors import ReadError
from bot.readers import Document

# A docx of 0.9 MB took python-docx 5.5 GB and 48 s (297 MB of XML inside); under a limit it ends in 0.3 s.
_MEGABYTE = 2**20
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take: MB of address space, seconds of processor and of the clock, characters of text."""

    memory: int = 1024
    processor: int = 60
    clock: float = 90
    characters: int = 20_000_000


def in_child(module: str, data: bytes, limits: Limits | None = None) -> Document:
    """What `parse` of a module makes of a file's bytes, run in a child process.

    Raises ReadError: the parser's own, E-PARSE, E-TIME, E-MEMORY or E-CRASH.
    """
    limits = limits or Limits()
    command = [sys.executable, "-m", "bot.readers.child", module, json.dumps(asdict(limits))]
    root = Path(__file__).resolve().parents[2]  # where `bot` is, whatever folder the caller stands in
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
    return Document(**result)


def _too_slow(limits: Limits) -> ReadError:
    seconds = f"{limits.processor} s / {limits.clock:g} s"
    return ReadError(
        "E-TIME", f"解析太久,超过 {seconds}", "parsing takes too long", "拆分,或另存后再试 / split or resave it"
    )


def _too_large(limits: Limits) -> ReadError:
    cure = "拆分,或另存后再试 / split or resave it"
    return ReadError("E-MEMORY", f"解析需要超过 {limits.memory} MB 内存", "parsing needs too much memory", cure)


def _died(returncode: int, limits: Limits) -> ReadError:
    """The error of a child that left no answer."""
    killed_by = signal.Signals(-returncode).name if returncode < 0 else ""
    if killed_by == "SIGXCPU":
        return _too_slow(limits)
    if killed_by == "SIGKILL":  # the system ends what takes the last of its memory
        return _too_large(limits)
    return ReadError("E-CRASH", f"解析进程崩溃 ({returncode})", "the parser crashed", "另存后再试 / resave it")


def _bound(limits: Limits) -> None:
    """Set the limits of this process; where the system has none (Windows), only the parent's clock counts."""
    try:
        import resource
    except ImportError:
        return
    wanted = {
        resource.RLIMIT_AS: limits.memory * _MEGABYTE,
        resource.RLIMIT_CPU: limits.processor,
        resource.RLIMIT_FSIZE: 0,  # pipes are not files
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        # One second between the signal that says why and the one that cannot be told from the system's own.
        most = value + 1 if kind == resource.RLIMIT_CPU else value
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some
            if hard == resource.RLIM_INFINITY or hard >= most:
                resource.setrlimit(kind, (value, most))


def _clean(text: str) -> str:
    """The text without control characters; what is no character becomes `?`, for a store takes valid text only."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode()


def _result(module: str, data: bytes, limits: Limits) -> dict[str, Any]:
    """What goes back to the parent: the fields of a Document, or the parts of a ReadError."""
    try:
        document: Document = importlib.import_module(module).parse(data)
        text = _clean(document.text)
        if len(text) > limits.characters:
            raise ReadError("E-SIZE", f"超过 {limits.characters:,} 字", "too much text", "请拆分 / split it")
        if not text.strip():
            raise ReadError("E-EMPTY", "文件里没有文字", "the file holds no text")
        return {"text": text, "title": _clean(document.title), "warning": _clean(document.warning)}
    except ReadError as error:
        return {"error": error.parts}
    except MemoryError:
        return {"error": _too_large(limits).parts}
    except Exception as error:  # parsers raise what they like: pypdf has 5 kinds for damaged files
        why = _clean(f"cannot be parsed: {type(error).__name__}: {error}")[:200]
        return {"error": ("E-PARSE", "无法解析", why, "另存后再试 / resave it")}


def main() -> None:
    """Read, parse, answer. What a parser prints goes nowhere: the answer has a descriptor of its own."""
    module, limits = sys.argv[1], Limits(**json.loads(sys.argv[2]))
    answer = os.dup(1)
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)  # of a damaged file pypdf says something for each object
    data = sys.stdin.buffer.read()
    _bound(limits)
    result = json.dumps(_result(module, data, limits)).encode()
    with os.fdopen(answer, "wb") as out:
        out.write(result)


if __name__ == "__main__":
    main()
