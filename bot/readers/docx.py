"""Word: paragraphs, lists, tables and footnotes in reading order; headings are lines that begin with `#`.

Parsed in a child process. Headers, footers, comments, tables of contents, hidden text and tracked deletions are left
out.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bot.errors import ReadError
from bot.readers import Document
from bot.readers.child import in_child

if TYPE_CHECKING:
    from docx.document import Document as Word

SUFFIXES = (".docx",)
SLOW = True
# The bomb of 0.9 MB that was measured unpacks to 297 MB, 330 times its size. A ratio says little of a small document.
_MAX_UNPACKED, _MAX_RATIO, _RATIO_FROM, _MAX_ENTRIES = 100 * 2**20, 100, 10 * 2**20, 2000
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"(?:heading|标题|標題)\s*([1-9])", re.IGNORECASE)
_TITLE = re.compile(r"(?:title|标题|標題|文档标题)", re.IGNORECASE)
_CONTENTS = re.compile(r"(?:toc|目录|目錄)\s*(?:[1-9]|heading|标题)?", re.IGNORECASE)
_WRAPPERS = {_W + tag for tag in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag")}
# What stands in a paragraph and is not its text: deletions, pinyin above a word, fallbacks that repeat a text box.
_NOT_TEXT = {_W + tag for tag in ("del", "moveFrom", "rt", "pPr", "rPr", "txbxContent")} | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}
_MARKS = {_W + "tab": " ", _W + "br": "\n", _W + "cr": "\n", _W + "noBreakHyphen": "-", _W + "ptab": " "}
_TITLE_LEVEL, _CONTENTS_LEVEL = 0, -1


def read(data: bytes) -> Document:
    """The text of a Word document. Raises ReadError E-BOMB, E-PASSWORD, E-FORMAT and those of in_child."""
    return in_child(__name__, data)


def parse(data: bytes) -> Document:
    """The same, in this process."""
    _check(data)
    import docx

    word = docx.Document(io.BytesIO(data))
    walk = _Walk(word)
    lines = list(walk.blocks(word.element.body))
    titles = [line[2:] for line in lines if line.startswith("# ")]
    title = walk.title or (word.core_properties.title or "").strip() or (titles[0] if titles else "")
    return Document("\n\n".join(lines), title)


def _check(data: bytes) -> None:
    """Look into the directory of the archive before anything is unpacked."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):  # the container of old Word files and of encrypted new ones
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise ReadError(
                "E-PASSWORD", "文件有密码", "protected by a password", "去掉密码再保存 / save it without one"
            )
        raise ReadError("E-FORMAT", "是旧的 .doc 格式", "an old .doc in fact", "另存为 .docx / save it as .docx")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    ratio = unpacked / max(1, len(data))
    if unpacked > _MAX_UNPACKED or len(entries) > _MAX_ENTRIES or (unpacked > _RATIO_FROM and ratio > _MAX_RATIO):
        what = f"{len(entries)} entries, {unpacked / 2**20:.0f} MB unpacked, {ratio:.0f} times its size"
        raise ReadError("E-BOMB", "压缩包展开后过大", what, "请拆分,或去掉图片 / split it, or take pictures out")


class _Walk:
    """One pass over a document: its lines in reading order, and its title where a paragraph has that style."""

    def __init__(self, word: Word) -> None:
        self.title = ""
        self.levels = {style.style_id: level for style in word.styles if (level := _level(style)) is not None}
        self.notes = _notes(word)

    def blocks(self, container: Any) -> Iterator[str]:
        """The lines of a body, a content control or a text box."""
        for element in container:
            if element.tag == _W + "p":
                yield from self.paragraph(element)
            elif element.tag == _W + "tbl":
                rows = "\n".join(filter(None, self.rows(element)))
                if rows:
                    yield rows
            elif element.tag in _WRAPPERS and not _is_contents(element):
                yield from self.blocks(element)

    def paragraph(self, element: Any) -> Iterator[str]:
        """A paragraph, then the text boxes and the footnotes that hang on it."""
        level = self.level(element)
        text = _text(element)
        if level is not None and level >= _TITLE_LEVEL:
            text = " ".join(text.split())
        if level == _TITLE_LEVEL:
            self.title = self.title or text
        if text and level != _CONTENTS_LEVEL:
            yield text if level is None else "#" * min(6, max(1, level)) + f" {text}"
        for box in element.iter(_W + "txbxContent"):
            if not any(above.tag in _NOT_TEXT for above in box.iterancestors() if above is not box):
                yield from self.blocks(box)
        for reference in element.iter(_W + "footnoteReference", _W + "endnoteReference"):
            note = self.notes.get((reference.tag, reference.get(_W + "id")))
            if note:
                yield note

    def level(self, element: Any) -> int | None:
        """1 to 9 of a heading, 0 of the title, -1 of a line of contents, None of the rest."""
        properties = element.find(_W + "pPr")
        if properties is None:
            return None
        style = properties.find(_W + "pStyle")
        named = self.levels.get(style.get(_W + "val")) if style is not None else None
        return named if named is not None else _outline(properties)

    def rows(self, table: Any) -> Iterator[str]:
        """A row a line; a merged cell once, where it begins."""
        for row in table.iterchildren(_W + "tr", *_WRAPPERS):
            if row.tag != _W + "tr":
                yield from self.rows(row)
            elif row.find(f"{_W}trPr/{_W}del") is None:
                cells = [self.cell(cell) for cell in _cells(row) if not _continues(cell)]
                if any(cells):
                    yield " | ".join(cells)

    def cell(self, cell: Any) -> str:
        """The paragraphs and tables of a cell on one line."""
        return " ".join(" ".join(line.lstrip("#").split()) for line in self.blocks(cell))


def _level(style: Any) -> int | None:
    """The level that a paragraph style stands for, its own or that of a style that it is based on."""
    for _ in range(12):  # styles can be based on one another in a circle
        if style is None or not hasattr(style, "base_style"):
            return None
        name = (style.name or "").strip()
        if heading := _HEADING.fullmatch(name):
            return int(heading[1])
        if _TITLE.fullmatch(name):
            return _TITLE_LEVEL
        if _CONTENTS.fullmatch(name):
            return _CONTENTS_LEVEL
        properties = style.element.find(_W + "pPr")
        if properties is not None and (level := _outline(properties)) is not None:
            return level
        style = style.base_style
    return None


def _outline(properties: Any) -> int | None:
    """The level that paragraph properties give: 0 to 8 in the file, 9 for body text."""
    outline = properties.find(_W + "outlineLvl")
    value = outline.get(_W + "val", "") if outline is not None else ""
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else None


def _notes(word: Word) -> dict[tuple[str, str], str]:
    """Footnotes and endnotes by the tag and the id of their references."""
    from docx.oxml.parser import parse_xml

    found = {}
    for relation in word.part.rels.values():
        kind = relation.reltype.rpartition("/")[2]
        if kind in ("footnotes", "endnotes") and not relation.is_external:
            for note in parse_xml(relation.target_part.blob):
                text = " ".join(filter(None, map(_text, note.iter(_W + "p"))))
                found[_W + kind[:-1] + "Reference", note.get(_W + "id")] = text
    return found


def _is_contents(element: Any) -> bool:
    gallery = element.find(f"{_W}sdtPr/{_W}docPartObj/{_W}docPartGallery")
    return gallery is not None and gallery.get(_W + "val") == "Table of Contents"


def _cells(row: Any) -> Iterator[Any]:
    for element in row:
        if element.tag == _W + "tc":
            yield element
        elif element.tag in _WRAPPERS:
            yield from _cells(element)


def _continues(cell: Any) -> bool:
    """Whether a cell only continues the one above it."""
    merge = cell.find(f"{_W}tcPr/{_W}vMerge")
    return merge is not None and merge.get(_W + "val", "continue") == "continue"


def _text(paragraph: Any) -> str:
    """The words that a reader of the paragraph sees."""
    return "".join(_pieces(paragraph)).strip()


def _pieces(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag == _W + "t":
            yield child.text or ""
        elif child.tag in _MARKS:
            yield _MARKS[child.tag]
        elif child.tag not in _NOT_TEXT and not (child.tag == _W + "r" and _hidden(child)):
            yield from _pieces(child)


def _hidden(run: Any) -> bool:
    vanish = run.find(f"{_W}rPr/{_W}vanish")
    return vanish is not None and vanish.get(_W + "val", "true") not in ("0", "false", "off")
