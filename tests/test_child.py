"""bot.corpus.readers.child: whatever a parser does, the parent gets a document or a ReadError with a stable code."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path

import pytest
from documents import page_pdf, pdf
from test_pdf import ORIGIN

from bot.corpus.readers.child import Limits, in_child
from bot.errors import ReadError

PARSERS = f"{Path(__file__).parent.name}.hostile"  # a module that the child imports from the root of the project


def refusal(data: bytes, limits: Limits | None = None, module: str = "bot.corpus.readers.pdf.reader") -> str:
    with pytest.raises(ReadError) as error:
        in_child(module, data, limits)
    assert "Traceback" not in str(error.value)
    return error.value.code


def drawing(operators: bytes) -> bytes:
    """A small file that unpacks to a long drawing."""
    return page_pdf(zlib.compress(operators, 9), filters=b"/Filter/FlateDecode")


def test_a_file_that_takes_too_much_processor_time_is_refused():
    begun = time.monotonic()
    assert refusal(drawing(b"q Q " * 18_000_000), Limits(processor=1)) == "E-TIME"
    assert time.monotonic() - begun < 60


def test_a_file_that_takes_too_long_is_refused():
    begun = time.monotonic()
    assert refusal(b"sleep", Limits(clock=1), PARSERS) == "E-TIME"
    assert time.monotonic() - begun < 20


def test_a_file_that_takes_too_much_memory_is_refused():
    # PDFium aborts when it gets no memory.
    assert refusal(drawing(b"q Q " * 18_000_000), Limits(memory=200)) == "E-MEMORY"


def test_a_stream_that_unpacks_without_end_is_refused():
    twice = zlib.compress(zlib.compress(bytes(500_000_000), 1), 9)
    assert refusal(page_pdf(twice, filters=b"/Filter[/FlateDecode/FlateDecode]")) == "E-MEMORY"


@pytest.mark.parametrize(
    ("way", "code"),
    [("crash", "E-CRASH"), ("leave", "E-CRASH"), ("kill", "E-MEMORY"), ("recurse", "E-PARSE"), ("flood", "E-SIZE"),
     ("blank", "E-EMPTY"), ("write", "E-PARSE")],
)  # fmt: skip
def test_whatever_becomes_of_the_child_is_a_read_error(way: str, code: str):
    assert refusal(way.encode(), Limits(characters=1000), PARSERS) == code


def test_what_a_parser_prints_is_not_its_answer_and_its_text_is_valid():
    document = in_child(PARSERS, b"print")
    assert (document.text, document.title) == ("a\nb?c", "title")
    document.text.encode("utf-8")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list descriptors")
def test_the_child_inherits_no_open_file(tmp_path: Path):
    descriptor = os.open(tmp_path / "secret", os.O_CREAT | os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        opened = in_child(PARSERS, b"descriptors").text.split()
    finally:
        os.close(descriptor)
    assert str(tmp_path / "secret") not in opened


def test_the_child_finds_the_package_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert in_child("bot.corpus.readers.pdf.reader", pdf([ORIGIN])).text == ORIGIN
