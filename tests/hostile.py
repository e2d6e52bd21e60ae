"""Parsers that do what a parser should not; the bytes of the file say what. Imported by child processes only."""

from __future__ import annotations

import ctypes
import os
import signal
import tempfile
import time
from pathlib import Path

from bot.corpus.blocks import BlockWriter, Parsed


def parse(data: bytes) -> Parsed:
    return globals()[f"_{data.decode()}"]()


def _sleep() -> Parsed:
    time.sleep(60)
    return Parsed("too late")


def _crash() -> Parsed:
    ctypes.string_at(0)
    return Parsed("read from nowhere")


def _leave() -> Parsed:
    os._exit(0)


def _kill() -> Parsed:
    os.kill(os.getpid(), signal.SIGKILL)
    return Parsed("still here")


def _recurse() -> Parsed:
    return _recurse()


def _flood() -> Parsed:
    return Parsed("字" * 1001)


def _blank() -> Parsed:
    return Parsed(" \n")


def _write() -> Parsed:
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    return Parsed("written")


def _print() -> Parsed:
    print("{}")  # noqa: T201
    os.write(1, b"{}")
    writer = BlockWriter()
    writer.paragraph("\x01a\r\nb\ud800c")
    return writer.parsed("title")


def _descriptors() -> Parsed:
    folder = Path("/proc/self/fd")
    return Parsed("\n".join(str(link.readlink()) for link in folder.iterdir() if link.is_symlink()))
