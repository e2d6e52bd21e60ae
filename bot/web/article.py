"""An article as JSON for who shows it: its text, what its parts are, how its tables line up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, replace

from pydantic import BaseModel, Field

from bot.corpus.columns import Columns, Header, columns_of
from bot.types import Block, BlockKind, Document, KeptPicture

# Characters before and after what is looked at whose blocks are sent: a book in one piece would stop the browser.
AROUND = 100_000


class PassageFields(BaseModel):
    """A passage; `text` is the article's from `start` to `end`."""

    id: str
    article: str
    title: str
    heading: str
    text: str
    start: int
    end: int
    page: int = Field(description="开始的页，从 1 数，0 为不分页 / where it begins, from 1; 0 without pages")
    date: str = Field(description="资料的日期 / when the document is from: 2023-07-28, 2023-07, 2023")


class BlockFields(BaseModel):
    """A part of the article that is one thing. What is 0 or empty is left out."""

    kind: BlockKind
    start: int
    end: int
    level: int = Field(0, description="标题的级别，列表的深度 / of a heading, from 1; the depth of an item, from 1")
    number: str = Field("", description="编号，文字里已有 / its number, with which its text begins")
    header: list[str] = Field([], description="每格所在列的名称 / the name of each cell's column")
    cells: list[tuple[int, int]] = Field([], description="每格的起止 / start and end of each cell")
    columns: list[tuple[int, int]] = Field([], description="每格的首列和列数 / first column and columns of each cell")
    table: int = Field(0, description="所属表格，从 1 数 / the table of a row, from 1")


class PictureFields(BaseModel):
    """A picture, at /picture/{hash}."""

    hash: str
    at: int = Field(description="在文中的位置 / the offset at which it stands")
    type: str
    width: int
    height: int
    caption: str = Field("", description="图题 / the caption beside it")


class ArticleFields(BaseModel):
    """An article. All offsets count characters (code points) of `text`."""

    id: str
    title: str
    text: str
    blocks: list[BlockFields] = Field(
        description="所看之处附近的各部分，按阅读顺序 / those around what is looked at, in reading order"
    )
    whole: bool = Field(description="是否全部都在 / whether all blocks are there")
    tables: dict[int, list[str]] = Field(description="各表格的列名，表单没有 / the columns of each table; [] of a form")
    pictures: list[PictureFields] = Field(description="所看之处附近的图片 / those around what is looked at")
    pages: list[int] = Field(description="每页从哪里开始 / where each page begins")


class SourceFields(BaseModel):
    """A passage and the article that it stands in."""

    passage: PassageFields
    article: ArticleFields


def blocks_around(document: Document, start: int, end: int) -> list[Block]:
    """The blocks of a document within `AROUND` characters of some of its text, those that reach further cut there."""
    first, last = start - AROUND, end + AROUND
    near = [block for block in document.blocks if block.start < last and block.end > first]
    return [
        block if block.cells else replace(block, start=max(block.start, first), end=min(block.end, last))
        for block in near
    ]


def pictures_around(pictures: Iterable[KeptPicture], start: int, end: int) -> list[KeptPicture]:
    """The pictures within `AROUND` characters of some text."""
    return [one for one in pictures if start - AROUND <= one.at <= end + AROUND]


def tables_of(document: Document) -> dict[int, Columns]:
    """The columns of each table by its number; rows that a reader gave without cells have none."""
    headers: defaultdict[int, list[Header]] = defaultdict(list)
    for block in document.blocks:
        if block.cells:
            headers[block.table].append(block.header)
    return {table: columns_of(rows) for table, rows in headers.items()}


def article_fields(document: Document, start: int, end: int, pictures: Iterable[KeptPicture]) -> ArticleFields:
    """An article with the blocks and pictures around some of its text."""
    blocks, tables = blocks_around(document, start, end), tables_of(document)
    return ArticleFields(
        id=document.id,
        title=document.title,
        text=document.text,
        blocks=[_fields(block, tables) for block in blocks],
        whole=blocks == list(document.blocks),
        tables={number: list(tables[number].names) for number in {block.table for block in blocks if block.cells}},
        pictures=[PictureFields(**asdict(one)) for one in pictures_around(pictures, start, end)],
        pages=list(document.pages),
    )


def _fields(block: Block, tables: dict[int, Columns]) -> BlockFields:
    return BlockFields(
        kind=block.kind,
        start=block.start,
        end=block.end,
        level=block.level,
        number=block.number,
        header=list(block.header) if any(block.header) else [],
        cells=list(block.cells),
        columns=list(tables[block.table].places[block.header]) if block.cells else [],
        table=block.table,
    )
