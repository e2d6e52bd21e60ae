"""Cuts documents into passages of whole blocks, with headings kept separately and exact offsets.

Knows nothing about files or the index. Every block of a document is in a passage, except for its title and for headings
with text below them, which are searched as fields of the passages.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.text.fold import fold
from bot.text.sentences import sentences
from bot.types import Block, Document, Passage

# The best size from 200 to 500 characters on all visible sets but one (scripts/EXPERIMENTS.md, Passages: size).
DEFAULT_SIZE = 500
HEADING_SEPARATOR = " › "
_TITLE_WITHIN = 5  # blocks; a title page names the publisher and the number above the title


def cut(document: Document, size: int = DEFAULT_SIZE) -> list[Passage]:
    """The passages of a document in reading order, each of at most `size` characters.

    Adjacent blocks of a section are joined while they fit; a block that is too long is cut at sentence boundaries with
    an overlap of one sentence. A heading without text below it is text itself.
    """
    passages: list[Passage] = []
    above: list[Block] = []  # the headings above the current block, the outermost first
    run: list[Block] = []

    def flush() -> None:
        if run:
            heading = HEADING_SEPARATOR.join(document.text[one.start : one.end] for one in above)
            spans = _pack(document.text, [(one.start, one.end) for one in run], size)
            passages.extend(_passage(document, heading, start, end) for start, end in spans)
            run.clear()

    title = _title_at(document)
    blocks = [block for number, block in enumerate(document.blocks) if number != title]
    for number, (block, has_text) in enumerate(zip(blocks, _have_text(blocks), strict=True)):
        if number == title:  # a passage is one stretch of text, so none goes over the title
            flush()
        outer = [one for one in above if one.level < block.level] if block.kind == "heading" else above
        if block.kind == "heading" and has_text:
            flush()
            above = [*outer, block]
            continue
        if len(outer) < len(above):
            flush()
            above = outer
        run.append(block)
    flush()
    return passages


def blocks_in(document: Document, passage: Passage) -> list[Block]:
    """The blocks of a passage of the document, or the parts of them in it; all offsets in the passage's text."""
    first, last = passage.start, passage.end
    return [
        replace(
            block,
            start=max(block.start, first) - first,
            end=min(block.end, last) - first,
            cells=tuple((_within(left, first, last), _within(right, first, last)) for left, right in block.cells),
        )
        for block in document.blocks
        if block.start < last and block.end > first
    ]


def _within(offset: int, first: int, last: int) -> int:
    return min(max(offset, first), last) - first


def _passage(document: Document, heading: str, start: int, end: int) -> Passage:
    text = document.text[start:end]
    # The same text at the same place keeps its id across generations.
    identity = hashlib.sha256(f"{document.id}\0{start}\0{text}".encode()).hexdigest()[:16]
    return Passage(
        identity, document.id, document.title, heading, text, start, end, document.page(start), document.date
    )


def _title_at(document: Document) -> int:
    """The number of the block at the top that is the title; -1 without one, or if it is the only block."""
    title = fold(document.title)
    for number, block in enumerate(document.blocks[:_TITLE_WITHIN]):
        if title and fold(document.text[block.start : block.end]) == title and len(document.blocks) > 1:
            return number
    return -1


def _have_text(blocks: Sequence[Block]) -> list[bool]:
    """For each block whether it is a heading with text somewhere below it; True for all other blocks."""
    found = [True] * len(blocks)
    reach = 0.0  # headings above a block have text below them if their level is less than this
    for number in range(len(blocks) - 1, -1, -1):
        block = blocks[number]
        if block.kind == "heading":
            found[number] = block.level < reach
            reach = block.level  # without text below it is text itself, for the headings of a lower level above it
        else:
            reach = math.inf
    return found


def _pack(text: str, paragraphs: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Join adjacent paragraphs while they fit into `size`; cut those that are longer by themselves."""
    start = end = -1
    for left, right in paragraphs:
        if start >= 0 and right - start <= size:
            end = right
            continue
        if start >= 0:
            yield start, end
            start = -1
        if right - left > size:
            yield from _split(text, left, right, size)
        else:
            start, end = left, right
    if start >= 0:
        yield start, end


def _split(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Windows of whole sentences, of about equal length, each beginning with the last sentence of the previous one."""
    pieces = [piece for left, right in sentences(text, start, end) for piece in _hard_cut(text, left, right, size)]
    target = (end - start) / math.ceil((end - start) / size)
    first = 0
    while first < len(pieces):
        last = first
        while last + 1 < len(pieces) and pieces[last + 1][1] - pieces[first][0] <= size:
            if pieces[last][1] - pieces[first][0] >= target and pieces[-1][1] - pieces[last][0] <= size:
                break  # long enough, and everything that is left fits into the next window
            last += 1
        yield pieces[first][0], pieces[last][1]
        if last + 1 == len(pieces):
            return
        overlaps = last > first and pieces[last + 1][1] - pieces[last][0] <= size
        first = last if overlaps else last + 1


def _hard_cut(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """A sentence whole, or in parts of at most `size` characters that end after a comma or a space if possible."""
    while end - start > size:
        border = max(text.rfind(mark, start + size // 2, start + size) for mark in ",，、;； ")
        stop = border + 1 if border >= 0 else start + size
        yield start, stop
        start = stop
    if start < end:
        yield start, end
