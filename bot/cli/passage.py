"""A passage in the terminal: tables in columns, lists, headings and code as they look on paper, the evidence marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot.corpus.passages import blocks_in
from bot.pipeline import Bot
from bot.text.printable import printable
from bot.types import Block, Passage, Span

Blocks = Callable[[Passage], Sequence[Block]]  # what a passage is made of, with offsets in its text
MARK = "bold black on bright_yellow"
_NARROW = 40  # columns of a terminal; in a narrower one each cell has its own line
_LEAST = 8  # columns of a terminal for a column of a table; in less, words are torn apart
_GAP = 3  # between two columns
_FULL = 0.5  # a table has at least this share of its cells filled; other rows are fields of a form
_CODE_INDENT = "    "


def no_blocks(passage: Passage) -> Sequence[Block]:
    """Nothing is known about the passage: its text is shown as it stands."""
    return ()


def blocks_of(bot: Bot) -> Blocks:
    """The blocks of a passage by the live generation; none if it no longer has the passage."""
    document = lru_cache(maxsize=2)(bot.document)  # a large one takes 0.3 s to open, and hits often share one

    def blocks(passage: Passage) -> Sequence[Block]:
        found = document(passage.document)
        is_same = found is not None and found.text[passage.start : passage.end] == passage.text
        return blocks_in(found, passage) if found and is_same else ()

    return blocks


def print_passage(
    console: Console,
    passage: Passage,
    blocks: Blocks,
    spans: Sequence[Span] = (),
    shown: tuple[int, int] | None = None,
) -> None:
    """Print the part `shown` of a passage with the spans marked; the rows of its tables whole.

    Piped output has no colour, so there the spans are enclosed in 【 and 】. An ellipsis shows where text is missing.
    """
    text = passage.text
    start, end = shown or (0, len(text))
    parts = [
        block if block.cells else replace(block, start=max(block.start, start), end=min(block.end, end))
        for block in blocks(passage) or [Block("paragraph", 0, len(text))]
        if block.start < end and block.end > start
    ]
    marked = _Marker(text, spans, is_coloured=console.is_terminal)
    before = first = parts[0].start if parts else 0
    last = parts[-1].end if parts else 0
    for _, group in groupby(parts, lambda block: (True, block.table) if block.cells else (False, block.start)):
        run = list(group)
        if "\n\n" in text[before : run[0].start]:
            console.print()
        before = run[-1].end
        opening, closing = "…" * (run[0].start == first > 0), "…" * (run[-1].end == last < len(text))
        if run[0].cells:
            _print_rows(console, run, marked, opening, closing)
        else:
            console.print(_laid_out(run[0], Text(opening) + marked(run[0].start, run[0].end) + Text(closing)))


class _Marker:
    """Makes parts of a text in which the spans are marked."""

    def __init__(self, text: str, spans: Sequence[Span], *, is_coloured: bool) -> None:
        self._text, self._spans, self._is_coloured = text, spans, is_coloured

    def __call__(self, start: int, end: int, *, whole: bool = False) -> Text:
        """The part from `start` to `end`; with `whole` all of it is marked."""
        shown, place = Text(), start
        for span in [Span(start, end)] if whole else self._spans:
            left, right = max(span.start, start), min(span.end, end)
            if left < right:
                shown.append(printable(self._text[place:left]))
                part = printable(self._text[left:right])
                shown.append(part if self._is_coloured else f"【{part}】", style=MARK)
                place = right
        return shown.append(printable(self._text[place:end]))

    def cells(self, row: Block) -> list[Text]:
        """The cells of a row; if a span lies in no cell but in the name of a column, the cell of that column."""
        in_cells = any(self._meets(left, right) for left, right in row.cells)
        begins = [row.start, *(right for _, right in row.cells)]
        return [
            self(left, right, whole=not in_cells and self._meets(begin, left))
            for begin, (left, right) in zip(begins, row.cells, strict=False)
        ]

    def _meets(self, start: int, end: int) -> bool:
        return any(span.start < end and span.end > start for span in self._spans)


def _laid_out(block: Block, text: Text) -> Text:
    """The text of a block as it looks on paper."""
    if block.kind == "heading":
        text.stylize("bold")
    if block.kind == "code":
        return Text("\n").join(Text(_CODE_INDENT) + line for line in text.split("\n"))
    if block.kind == "item":
        outer = "  " * max(0, block.level - 1)
        hanging = outer + " " * (cell_len(block.number) + 1 if block.number else 0)
        first, *others = text.split("\n")
        return Text("\n").join([Text(outer) + first, *(Text(hanging) + line for line in others)])
    return text


def _print_rows(console: Console, rows: Sequence[Block], marked: _Marker, opening: str, closing: str) -> None:
    """Print rows of a table in columns; as they stand if they are fields of a form, or if there is one column."""
    if opening:
        console.print(opening)
    cells = [dict(zip(_names(row), marked.cells(row), strict=True)) for row in rows]
    columns = _columns(cells)
    is_form = sum(map(len, cells)) < _FULL * len(cells) * len(columns)
    if is_form or len(columns) == 1:
        for row in rows:
            console.print(marked(row.start, row.end))
    elif console.width < max(_NARROW, len(columns) * (_LEAST + _GAP)):
        for number, fields in enumerate(cells):
            if number:
                console.print()
            for name, cell in fields.items():
                console.print(Text(f"{_shown(name)}: " if _shown(name) else "") + cell)
    else:
        console.print(_table(console.width, columns, cells), soft_wrap=False)
    if closing:
        console.print(closing)


def _names(row: Block) -> list[str]:
    """The names of the columns of a row's cells; those with the same name, or without one, are told apart by spaces."""
    names: list[str] = []
    for name in row.header:
        while name in names:
            name += " "
        names.append(name)
    return names


def _shown(name: str) -> str:
    return printable(name).strip()


def _columns(rows: Sequence[Mapping[str, Text]]) -> list[str]:
    """The names of all columns; one that a later row adds stands behind its neighbour in that row."""
    columns: list[str] = []
    for row in rows:
        place = 0
        for name in row:
            if name not in columns:
                columns.insert(place, name)
            place = columns.index(name) + 1
    return columns


def _table(width: int, columns: Sequence[str], rows: Sequence[Mapping[str, Text]]) -> Table:
    """The rows under the names of their columns, with empty lines between them where a cell needs several lines."""
    needed = {
        name: max(cell_len(text) for text in (_shown(name), *(row[name].plain for row in rows if name in row)))
        for name in columns
    }
    is_wrapped = sum(needed.values()) + _GAP * (len(columns) - 1) > width
    table = Table(
        *(Column(_shown(name), overflow="fold", min_width=min(needed[name], _LEAST)) for name in columns),
        box=box.SIMPLE_HEAD,
        show_header=any(map(_shown, columns)),
        show_edge=False,
        pad_edge=False,
        leading=int(is_wrapped),
        header_style="bold",
    )
    for row in rows:
        table.add_row(*(row.get(name, Text()) for name in columns))
    return table
