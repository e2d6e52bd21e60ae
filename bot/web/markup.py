"""An article as HTML for the page without script: block by block as the reading pane shows it, the evidence marked."""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from bot.corpus.columns import Columns
from bot.types import Block, Document, KeptPicture, Passage
from bot.web.article import blocks_around, pictures_around, tables_of

Part = Block | KeptPicture
_Group = tuple[int, str, int]  # page, kind and table: adjacent parts of one group are one list or one table
Spans = Sequence[tuple[int, int]]
_PICTURE = '<img src="/picture/{0.hash}" alt="{1}" width="{0.width}" height="{0.height}" loading="lazy">'
PAGE = '<p class="page">第 {0} 页 / page {0}</p>'


class ArticleMarkup:
    """Writes the blocks around a passage; `spans` are offsets in the document's text, in order."""

    def __init__(
        self, document: Document, passage: Passage, spans: Spans, pictures: Sequence[KeptPicture] = ()
    ) -> None:
        """Take the text and what is to be set off in it."""
        self._document, self._passage, self._spans = document, passage, spans
        self._tables = tables_of(document)
        self._pictures = pictures_around(pictures, passage.start, passage.end)
        # Where the page opens: at the block of the first mark, else at the first one of the passage.
        opens = spans[0] if spans else (passage.start, passage.end)
        self._blocks = blocks_around(document, passage.start, passage.end)
        self._anchor = next((one for one in self._blocks if one.start < opens[1] and one.end > opens[0]), None)

    def __str__(self) -> str:
        """The blocks as elements."""
        shown: list[str] = []
        last = 0
        for (page, kind, table), run in groupby(self._parts(), key=itemgetter(0)):
            if page != last:
                shown.append(PAGE.format(page))
                last = page
            shown += self._run(kind, table, [part for _, part in run])
        return "".join(shown)

    def _parts(self) -> Iterator[tuple[_Group, Part]]:
        """Blocks and pictures in reading order, each with what it stands in; a picture between two rows is a row."""
        waiting = deque(self._pictures)
        last: _Group | None = None
        for block in self._blocks:
            group = self._group(block)
            # A picture has the offset of the next block, or the one after it where the block follows on the next line.
            while waiting and waiting[0].at <= block.start + 1:
                yield group if block.cells and group == last else (group[0], "picture", 0), waiting.popleft()
            yield group, block
            last = group
        yield from ((((last or (0,))[0], "picture", 0), picture) for picture in waiting)

    def _group(self, block: Block) -> _Group:
        page = self._document.page(block.start)
        return (page, "row", block.table) if block.cells else (page, "item" if block.kind == "item" else "", 0)

    def _run(self, kind: str, table: int, parts: Sequence[Part]) -> Iterator[str]:
        if kind == "item":
            yield '<ul class="items" role="list">'
            yield from (self._item(part) for part in parts if isinstance(part, Block))
            yield "</ul>"
        elif kind == "row":
            yield from self._table(self._tables[table], parts)
        else:
            for part in parts:
                yield self._alone(part) if isinstance(part, Block) else f"<p>{_picture(part)}</p>"

    def _alone(self, block: Block) -> str:
        text = self._marked(block.start, block.end)
        if block.kind == "heading":
            tag = f"h{min(6, 1 + max(1, block.level))}"  # the title of the page is its h1
            return f"<{tag}{self._classes(block)}>{text}</{tag}>"
        if block.kind == "code":
            return f'<div class="scroll" tabindex="0"><pre{self._classes(block)}>{text}</pre></div>'
        return f"<p{self._classes(block, '' if block.kind == 'paragraph' else block.kind)}>{text}</p>"

    def _item(self, block: Block) -> str:
        depth = f"depth{min(6, max(1, block.level))}"
        return f"<li{self._classes(block, depth)}>{self._marked(block.start, block.end)}</li>"

    def _table(self, columns: Columns, rows: Sequence[Part]) -> Iterator[str]:
        yield '<div class="scroll" tabindex="0"><table>'
        if columns.names:
            yield f"<thead><tr>{''.join(_name(name, 'col') for name in columns.names)}</tr></thead>"
        yield "<tbody>"
        for row in rows:
            if isinstance(row, Block):
                yield f"<tr{self._classes(row)}>{''.join(self._cells(row, columns))}</tr>"
            else:
                yield f'<tr><td colspan="{len(columns.names) or 1}">{_picture(row)}</td></tr>'
        yield "</tbody></table></div>"

    def _cells(self, row: Block, columns: Columns) -> Iterator[str]:
        """The cells in their columns; in a form the name of each stands before it."""
        column = 0
        for (start, end), name, (first, count) in zip(row.cells, row.header, columns.places[row.header], strict=True):
            label = "" if columns.names else name
            yield "<td></td>" * (first - bool(label) - column)
            if label:
                yield _name(label, "row")
            span = f' colspan="{count}"' if count > 1 else ""
            yield f"<td{span}>{self._marked(start, end)}</td>"
            column = first + count
        yield "<td></td>" * (len(columns.names) - column)

    def _classes(self, block: Block, name: str = "") -> str:
        """The attributes of a block."""
        cited = block.start < self._passage.end and block.end > self._passage.start
        names = " ".join(filter(None, (name, "cited" if cited else "")))
        anchor = ' id="cited"' if block is self._anchor else ""
        return anchor + (f' class="{names}"' if names else "")

    def _marked(self, start: int, end: int) -> str:
        """The text between two offsets, escaped, those parts marked that lie in a span."""
        text, shown, position = self._document.text, [], start
        for left, right in self._spans:
            left, right = max(left, position), min(right, end)
            if left < right:
                shown.append(f"{html.escape(text[position:left])}<mark>{html.escape(text[left:right])}</mark>")
                position = right
        shown.append(html.escape(text[position:end]))
        return "".join(shown)


def _picture(picture: KeptPicture) -> str:
    return _PICTURE.format(picture, html.escape(picture.caption or "图"))


def _name(name: str, scope: str) -> str:
    return f'<th scope="{scope}">{html.escape(name)}</th>' if name else "<td></td>"
