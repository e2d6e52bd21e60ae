"""Readers, one file per format: each names its SUFFIXES and turns a file's bytes into a Document.

A new format is a new file here. Headings come out as lines that begin with `#`, whatever the format. Formats whose
parsers a file can hurt (docx, pdf) are parsed in a child process, see child.py; they say `SLOW = True`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader makes of a file: its text, its title where the format has one, and what is wrong with it."""

    text: str
    title: str = ""
    warning: str = ""


Reader = Callable[[bytes], Document]


@cache
def reader_modules() -> dict[str, str]:
    """Suffix (with its dot) -> module that reads it."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        name = f"{__name__}.{module.name}"
        found.update(dict.fromkeys(getattr(importlib.import_module(name), "SUFFIXES", ()), name))
    return found


def reader_for(suffix: str) -> Reader | None:
    """The `read` function for a suffix, or None where no reader takes it."""
    module = reader_modules().get(suffix.lower())
    if module is None:
        return None
    reader: Reader = importlib.import_module(module).read
    return reader


def is_slow(reader: Reader) -> bool:
    """Whether what a reader makes of a file is worth keeping."""
    return bool(getattr(importlib.import_module(reader.__module__), "SLOW", False))
