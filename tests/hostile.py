"""Parsers that do what a parser should not; the bytes of the file say what. Imported by child processes only."""

from __future__ import annotations

import ctypes
import os
import signal
import tempfile
import time
from pathlib import Path

from bot.readers import Document


def parse(data: bytes) -> Document:
    return globals()[f"_{data.decode()}"]()


def _sleep() -> Document:
    time.sleep(60)
    return Document("too late")


def _crash() -> Document:
    ctypes.string_at(0)
    return Document("read from nowhere")


def _leave() -> Document:
    os._exit(0)


def _kill() -> Document:
    os.kill(os.getpid(), signal.SIGKILL)
    return Document("still here")


def _recurse() -> Document:
    return _recurse()


def _flood() -> Document:
    return Document("字" * 1001)


def _blank() -> Document:
    return Document(" \n\x00")


def _write() -> Document:
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    return Document("written")


def _print() -> Document:
    print("{}")  # noqa: T201
    os.write(1, b"{}")
    return Document("\x01a\r\nb\ud800c", "title")


def _descriptors() -> Document:
    folder = Path("/proc/self/fd")
    return Document("\n".join(str(link.readlink()) for link in folder.iterdir() if link.is_symlink()))
