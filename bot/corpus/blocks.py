"""What a reader makes of a file, and the writer that puts it together block by block.

A reader decides structure, never worth: every letter of a file becomes part of a block, or is named as furniture of the
page with the reason.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from bot.corpus.tables import Grid, Row, table_rows
from bot.text.printable import valid
from bot.types import Block, BlockKind, LeftOut

_BLANK = re.compile(r"[^\S\n]+")
_MANY_BREAKS = re.compile(r" ?\n[ \n]*")
# Blocks of these kinds follow one another on the next line, as they do on paper; others after an empty line.
_CLOSE = {("row", "row"), ("item", "item"), ("code", "code")}
# After a number that ends so, Chinese writes no space: 一、总则 but 1. 总则.
_NO_SPACE = ("、", "）", ")", "】", "：")

MAX_PICTURES, MAX_PICTURE_BYTES = 200, 2 * 1024 * 1024  # of a document: more would make the index larger than the files
# By their first bytes, whatever the file calls them. No SVG: it is a document that can act.
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF", "image/webp"),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a document: its bytes, its media type, and the offset in the document's text where it stood."""

    data: bytes
    type: str
    at: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reader makes of a file: text, blocks, pages and furniture as in a Document.

    `title` is "" if the file has none of its own; `warning` says what is wrong with the file. `date` is what its
    properties say of when it is from, as they say it.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    title: str = ""
    warning: str = ""
    pages: tuple[int, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    pictures: tuple[Picture, ...] = ()
    date: str = ""


class BlockWriter:
    """Puts the text of a document together from blocks in reading order, so that all offsets are exact."""

    def __init__(self) -> None:
        """An empty document."""
        self.blocks: list[Block] = []
        self._left_out: list[LeftOut] = []
        self._pictures: list[Picture] = []
        self._pages: list[int] = []
        self._pieces: list[str] = []
        self._length = 0
        self._tables = 0

    def heading(self, text: str, level: int, number: str = "") -> None:
        """A heading; `level` counts from 1 and ends at 6."""
        self.add("heading", " ".join(valid(text).split()), level=min(6, max(1, level)), number=number)

    def paragraph(self, text: str, breaks: Sequence[int] = ()) -> None:
        """A paragraph; it may have several lines. A new page begins at each of `breaks`, offsets in its text."""
        self.add("paragraph", valid(text) if breaks else clean(text), breaks=breaks)

    def item(self, text: str, number: str = "", level: int = 1) -> None:
        """An item of a list, with its number or bullet; `level` is its depth, from 1."""
        self.add("item", clean(text), level=level, number=number)

    def code(self, text: str) -> None:
        """Code as it stands, indentation included."""
        self.add("code", valid(text).strip("\n").rstrip())

    def table(self, grid: Grid, header_rows: int | None = None, breaks: Sequence[int] = ()) -> None:
        """A table, row by row; `header_rows` says how many rows are headers, None that they have to be guessed.

        Each row reads by itself, as `column: cell; column: cell`. A new page begins at each of the rows `breaks`.
        """
        self._tables += 1
        rows = table_rows(grid, header_rows)
        pages = _rows_at(rows, grid, breaks)
        for number, row in enumerate(rows):
            for _ in range(pages.count(number)):
                self.begin_page()
            if row.kind != "row":
                self.add(row.kind, row.cells[0])
                continue
            pieces: list[str] = []
            cells: list[tuple[int, int]] = []
            length = 0
            for name, cell in zip(row.header, row.cells, strict=True):
                label = f"{name}: " if name else ""
                separator = "" if not pieces else ("; " if any(row.header) else " | ")
                pieces.append(f"{separator}{label}{cell}")
                length += len(pieces[-1])
                cells.append((length - len(cell), length))
            self.add("row", "".join(pieces), header=row.header, cells=cells, table=self._tables)

    def add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int = 0,
        number: str = "",
        header: Sequence[str] = (),
        cells: Sequence[tuple[int, int]] = (),
        table: int = 0,
        breaks: Sequence[int] = (),
        close: bool = False,
    ) -> None:
        """A block of any kind, its `cells` and page `breaks` as offsets in `text`; nothing if it says nothing.

        A `number` that the text does not begin with is written in front of it. A `close` block stands on the next line,
        not after an empty one.
        """
        if not text.strip():
            return
        if number and not text.startswith(number):
            text = f"{number}{'' if number.endswith(_NO_SPACE) else ' '}{text}"
        if self.blocks:
            self._write("\n" if close or (self.blocks[-1].kind, kind) in _CLOSE else "\n\n")
        start = self._length
        self._write(text)
        self._pages += [start + offset for offset in breaks]
        placed = tuple((start + left, start + right) for left, right in cells)
        self.blocks.append(Block(kind, start, self._length, level, number, tuple(header), placed, table))

    def leave_out(self, text: str, reason: str, page: int = 0) -> None:
        """Furniture of the page, with the reason why it is in no passage; of another `page` than the last, if given."""
        if text.strip():
            self._left_out.append(LeftOut(clean(text), reason, self._next(), page or len(self._pages)))

    def begin_page(self) -> None:
        """The next block begins on a new page."""
        # The white space before the block, one line feed at least, belongs to the new page.
        self._pages.append(self._length + bool(self.blocks))

    def picture(self, data: bytes) -> None:
        """A picture that stands here, if it is one that a browser shows, by its first bytes."""
        found = next((kind for start, kind in _PICTURES if data.startswith(start)), "")
        if found == "image/webp" and data[8:12] != b"WEBP":
            found = ""
        if found and len(data) <= MAX_PICTURE_BYTES and len(self._pictures) < MAX_PICTURES:
            self._pictures.append(Picture(data, found, self._next()))

    def append(self, parsed: Parsed) -> None:
        """The blocks of another document behind these, with its furniture and its pictures, but not its pages."""
        before = self._tables
        furniture, pictures = list(reversed(parsed.left_out)), list(reversed(parsed.pictures))
        for block in parsed.blocks:
            while furniture and furniture[-1].at <= block.start:
                self.leave_out(furniture[-1].text, furniture.pop().reason)
            while pictures and pictures[-1].at <= block.start:
                self.picture(pictures.pop().data)
            self.add(
                block.kind,
                parsed.text[block.start : block.end],
                level=block.level,
                number=block.number,
                header=block.header,
                cells=[(left - block.start, right - block.start) for left, right in block.cells],
                table=before + block.table if block.table else 0,
            )
            self._tables = max(self._tables, before + block.table)
        for left_out in reversed(furniture):
            self.leave_out(left_out.text, left_out.reason)
        for picture in reversed(pictures):
            self.picture(picture.data)

    def parsed(self, title: str = "", warning: str = "", date: str = "") -> Parsed:
        """The finished document."""
        return Parsed(
            "".join(self._pieces),
            tuple(self.blocks),
            " ".join(valid(title).split()),
            warning,
            tuple(self._pages),
            tuple(self._left_out),
            tuple(self._pictures),
            valid(date),
        )

    def _next(self) -> int:
        """Where the next block begins, at the latest."""
        return self._length + 2 * bool(self.blocks)

    def _write(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)


def _rows_at(rows: Sequence[Row], grid: Grid, breaks: Sequence[int]) -> list[int]:
    """For each row of a grid the number of the row, as it is read, that says what its own first two cells say."""
    found: list[int] = []
    for place in sorted(breaks):
        above = grid[place - 1] if place else ()
        own = [cell.text for cell in grid[place] if cell and cell.text and not any(cell is one for one in above)][:2]
        start = found[-1] if found else 0
        found.append(next((i for i in range(start, len(rows)) if set(own) <= set(rows[i].cells)), start))
    return found


def clean(text: str) -> str:
    """The text without white space at its ends, with single spaces and without empty lines."""
    return _MANY_BREAKS.sub("\n", _BLANK.sub(" ", valid(text))).strip()


def to_json(parsed: Parsed) -> dict[str, Any]:
    """The fields of `parsed` as JSON holds them; bytes as base64."""
    return {
        **{name: getattr(parsed, name) for name in ("text", "title", "warning", "pages", "date")},
        # Not astuple, which copies each number of each cell and takes 10 s for a table of a million cells.
        "blocks": [[getattr(block, name) for name in Block.__slots__] for block in parsed.blocks],
        "left_out": [astuple(one) for one in parsed.left_out],
        "pictures": [(b64encode(one.data).decode("ascii"), one.type, one.at) for one in parsed.pictures],
    }


def from_json(fields: Mapping[str, Any]) -> Parsed:
    """What `to_json` made it from."""
    return Parsed(
        fields["text"],
        tuple(block_of(*block) for block in fields["blocks"]),
        fields["title"],
        fields["warning"],
        tuple(fields["pages"]),
        tuple(LeftOut(*one) for one in fields["left_out"]),
        tuple(Picture(b64decode(data), media_type, at) for data, media_type, at in fields["pictures"]),
        fields["date"],
    )


def block_of(
    kind: BlockKind, start: int, end: int, level: int, number: str, header: Any, cells: Any, table: int
) -> Block:
    """A block from what JSON holds of it: lists in place of tuples."""
    return Block(kind, start, end, level, number, tuple(header), tuple((left, right) for left, right in cells), table)
