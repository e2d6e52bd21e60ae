"""Word: headings, paragraphs, items with their automatic numbers, tables, formulas and footnotes in reading order.

Parsed in a child process, straight from the XML: python-docx takes three times as long. Headers, footers, comments,
tables of contents, hidden text and tracked deletions are left out, and named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from bot.corpus.blocks import BlockWriter, Parsed, clean
from bot.corpus.readers.archive import check
from bot.corpus.readers.child import in_child
from bot.corpus.readers.images import MAX_COUNT, MAX_TOTAL, worth_showing
from bot.corpus.readers.word.contents import contents_lines, is_contents_head
from bot.corpus.readers.word.cover import CoverLine, title_of
from bot.corpus.readers.word.equations import field_formula, is_script, linear, lowered, raised
from bot.corpus.readers.word.numbering import BULLET, Numbering
from bot.corpus.readers.word.package import Package, Relation
from bot.corpus.readers.word.styles import Style, Styles, centred, integer, look, outline, switch, value_of
from bot.corpus.readers.word.symbols import symbol
from bot.corpus.tables import Cell, table_rows

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_V = "{urn:schemas-microsoft-com:vml}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"

_OLDER = (b"\xd0\xcf\x11\xe0", b"{\\rtf")  # files in older formats that were only renamed
_BLOCK_WRAPPERS = {_W + tag for tag in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag")}
_DELETED = {_W + "del", _W + "moveFrom"}
# Parts of a paragraph that are not its text: properties, pinyin above a word, marks of a footnote's own number.
_NOT_TEXT = {_W + tag for tag in ("pPr", "rPr", "sdtPr", "sdtEndPr", "rt", "rubyPr", "footnoteRef", "endnoteRef")}
_MARKS = {_W + "tab": "\t", _W + "br": "\n", _W + "cr": "\n", _W + "noBreakHyphen": "-", _W + "ptab": "\t"}
_LETTERS = {_W + "t", _W + "sym", *_MARKS}
_NOTES = {_W + "footnoteReference": "footnotes", _W + "endnoteReference": "endnotes"}
_DRAWINGS = {_W + "drawing", _W + "pict", _W + "object"}
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_PICTURE_FONTS = ("wingdings", "wingdings 2", "wingdings 3", "symbol")
_LINK = re.compile(r'HYPERLINK\s+"([^"]+)"', re.IGNORECASE)
_MAX_SPAN = 64  # columns; Word has at most 63
_MAX_HEADING = 60  # letters; what is longer, or ends like a sentence, is a clause in the style of a heading
_SENTENCE_END = re.compile("[。；;]$|。")
_CHAPTER = re.compile(r"第\s*[一二三四五六七八九十百零〇\d]+\s*([编編部章節节])(?:分)?(?!\s*[第、，。]).{0,36}")
_CHAPTER_LEVELS = {"编": 1, "編": 1, "部": 1, "章": 2, "节": 3, "節": 3}
_NUMBERS = {
    "一": re.compile(r"[一二三四五六七八九十]+、"),
    "（一": re.compile(r"[（(][一二三四五六七八九十]+[）)]"),
    "1": re.compile(r"\d{1,2}(?:\.\d{1,2}){0,3}[.、．\s]"),
}
_MAX_NEAR_FORMULA = 4  # letters beside a formula that stands by itself: its number
_NUMBERED_HEADING = 40  # letters
_VALUE = re.compile(r"[；，,、]$|[：:].|\d{4,}(?!年)")  # in a line that says something itself
_CONTENTS, _RUNNING = "contents table", "running head"
_COVER = 80  # lines among which the title is looked for

Kind = Literal["heading", "paragraph", "item", "code", "caption", "formula", "table", "left out", "picture"]


_PLAIN = Style()
_NOWHERE = Relation("", "", external=False)


@dataclass(slots=True)
class _Piece:
    """What becomes a block, furniture or a picture; `look` is that of most of its letters."""

    kind: Kind
    text: str = ""
    level: int = 0
    number: str = ""
    reason: str = ""
    look: Style = _PLAIN
    grid: list[list[Cell | None]] = field(default_factory=list)
    header_rows: int | None = None
    columns: tuple[str, ...] = ()  # widths

    @property
    def whole(self) -> str:
        """The text with its number."""
        return self.text if self.text.startswith(self.number) else f"{self.number} {self.text}".rstrip()


@dataclass(slots=True)
class _Field:
    """A field that is open: what computes it, and where in the paragraph its result begins."""

    is_closed: bool
    start: int
    code: str = ""

    @property
    def makes_contents(self) -> bool:
        """Whether it makes a table of contents."""
        return self.is_closed and self.code.lstrip().upper().startswith("TOC")


@dataclass(slots=True)
class _Inline:
    """What a paragraph holds: pieces of text, and what hangs on it."""

    text: list[str] = field(default_factory=list)
    looks: Counter[tuple[float, bool]] = field(default_factory=Counter)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    diagrams: list[str] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)
    in_contents: bool = False
    is_caption: bool = False


def read(data: bytes) -> Parsed:
    """What a Word document says. Raises ReadError E-BOMB, E-PASSWORD, E-CONVERT and those of in_child."""
    if data.startswith(_OLDER):
        from bot.corpus.readers.word import office

        return office.read(data)
    return in_child(__name__, data)


def parse(data: bytes) -> Parsed:
    """The same, in this process."""
    check(data)
    package = Package(data)
    root = package.xml(package.main)
    if root is None:
        return Parsed("")
    walk = _Walk(package, root)
    pieces = [*_furniture(package)]
    for body in root.iterchildren(_W + "body"):  # programs that merge files have written several
        pieces += walk.blocks(body)
    _mark_contents(pieces)
    _mark_headings(pieces)
    pieces = list(_joined_tables(pieces))
    return _written(pieces, _title(package, pieces), package)


class _Walk:
    """One pass over a document in reading order, because numbers and fields depend on what stood before."""

    def __init__(self, package: Package, root: Any) -> None:
        self.styles = Styles(_related_xml(package, "styles"))
        self.numbering = Numbering(_related_xml(package, "numbering"), self.styles.lists)
        self.relations: dict[str, Relation] = package.relations(package.main)
        self.notes = {
            (kind, note.get(_W + "id")): note
            for kind in ("footnotes", "endnotes")
            for note in _children(_related_xml(package, kind))
        }
        self.package = package
        self.closed = _closed_fields(root)
        self.fields: list[_Field] = []
        self.contents = 0  # open fields that make tables of contents

    def blocks(self, container: Any) -> Iterator[_Piece]:
        """The pieces of a body, a cell, a content control, a text box or a note."""
        for element in container:
            tag = element.tag
            if tag == _W + "p":
                yield from self.paragraph(element)
            elif tag == _W + "tbl":
                yield from self.table(element)
            elif tag in _DELETED:
                yield _Piece("left out", _letters(element), reason="deletion")
            elif tag == _MC + "AlternateContent":
                yield from self.blocks(_choice(element))
            elif tag in _BLOCK_WRAPPERS:
                for piece in self.blocks(element):
                    yield _as_contents(piece) if _is_contents(element) else piece

    def paragraph(self, element: Any) -> Iterator[_Piece]:
        """A paragraph, then the pictures, text boxes and footnotes that are anchored in it."""
        properties = element.find(_W + "pPr")
        style = self.styles.style(value_of(properties, "pStyle"))
        inline = _Inline()
        self.inline(element, inline, style)
        text = "".join(inline.text)
        for left_out, reason in inline.left_out:
            yield _Piece("left out", left_out, reason=reason)
        direct = outline(properties) if properties is not None else None
        level = (style.level if direct is None else direct) or 0
        number, depth = self.number(properties, style, has_text=bool(text.strip()))
        piece = _Piece("paragraph", text, depth + 1, number, look=self.look(inline, properties, style))
        if inline.in_contents or style.role == "contents":
            piece = _as_contents(piece)
        elif level and _may_be_heading(text):
            piece.kind, piece.level = "heading", level
        else:
            piece.kind = _kind(piece, inline, style)
        if text.strip() or number:
            yield piece
        for target in inline.images:
            yield _Piece("picture", target)
        for diagram in inline.diagrams:
            yield from _diagram(self.package.xml(diagram))
        for box in inline.boxes:
            yield from self.blocks(box)
        for note in inline.notes:
            yield from self.blocks(self.notes.get(note, ()))

    def number(self, properties: Any, style: Style, *, has_text: bool) -> tuple[str, int]:
        """The automatic number of a paragraph, "" without one, and its level from 0."""
        direct = properties.find(_W + "numPr") if properties is not None else None
        list_id = value_of(direct, "numId") or style.list_id
        if not list_id or list_id == "0":
            return "", 0
        depth = integer(value_of(direct, "ilvl"))
        if depth is None and value_of(direct, "numId") is None:
            depth = self.numbering.level_of(list_id, value_of(properties, "pStyle") or "")
            depth = style.depth if depth is None else depth
        if not has_text and properties is not None and properties.find(f"{_W}rPr/{_W}del") is not None:
            return "", 0
        return self.numbering.next(list_id, depth or 0), depth or 0

    def look(self, inline: _Inline, properties: Any, style: Style) -> Style:
        """How most letters of a paragraph look."""
        most = inline.looks.most_common(1)
        size, bold = most[0][0] if most else (self.styles.size, False)
        in_middle = centred(properties) if properties is not None else None
        return Style(style.role, size=size, bold=bold, centred=bool(style.centred if in_middle is None else in_middle))

    def inline(self, element: Any, inline: _Inline, style: Style) -> None:
        """Add what an element inside a paragraph holds."""
        for child in element:
            tag = child.tag
            if tag == _W + "r":
                self.run(child, inline, style)
            elif tag in _DELETED:
                inline.left_out.append((_letters(child), "deletion"))
            elif tag == _W + "hyperlink":
                start = len(inline.text)
                self.inline(child, inline, style)
                relation = self.relations.get(child.get(_R + "id", ""))
                if relation and relation.external:
                    _link(inline, start, relation.target)
            elif tag in (_M + "oMath", _M + "oMathPara"):
                formula = linear(child).strip()
                inline.formulas.append(formula)
                inline.text.append(formula)
            elif tag == _W + "fldSimple":
                inline.is_caption = inline.is_caption or _is_sequence(child.get(_W + "instr", ""))
                self.inline(child, inline, style)
            elif tag == _MC + "AlternateContent":
                self.inline(_choice(child), inline, style)
            elif tag not in _NOT_TEXT and tag not in _DRAWINGS:
                self.inline(child, inline, style)

    def run(self, run: Any, inline: _Inline, style: Style) -> None:
        """Add what a run holds: letters of one look, symbols, fields, pictures, references to notes."""
        properties = run.find(_W + "rPr")
        own = look(properties)
        named = self.styles.run(value_of(properties, "rStyle"))
        hidden = next((one.hidden for one in (own, named, style) if one.hidden is not None), False)
        before = len(inline.text)
        self.content(run, inline, properties, style)
        if hidden:
            inline.left_out.append(("".join(inline.text[before:]), "hidden text"))
            del inline.text[before:]
            return
        text = "".join(inline.text[before:])
        script = value_of(properties, "vertAlign")
        if script in ("superscript", "subscript") and is_script(text):
            inline.text[before:] = [raised(text) if script == "superscript" else lowered(text)]
        if text.strip():
            size = own.size or named.size or style.size or self.styles.size
            bold = next((one.bold for one in (own, named, style) if one.bold is not None), False)
            inline.looks[size, bool(bold)] += len(text)
            inline.in_contents = inline.in_contents or self.contents > 0

    def content(self, element: Any, inline: _Inline, properties: Any, style: Style) -> None:
        """Add the children of a run."""
        for child in element:
            tag = child.tag
            if tag in _LETTERS:
                inline.text.append(_characters(child, properties))
            elif tag == _W + "fldChar":
                self.field(child, inline)
            elif tag == _W + "instrText" and self.fields:
                self.fields[-1].code += child.text or ""
            elif tag in _NOTES:
                inline.notes.append((_NOTES[tag], child.get(_W + "id", "")))
            elif tag in _DRAWINGS:
                self.drawing(child, inline)
            elif tag == _MC + "AlternateContent":
                self.content(_choice(child), inline, properties, style)
            elif tag in (_W + "ruby", _W + "rubyBase"):
                self.inline(child, inline, style)

    def field(self, mark: Any, inline: _Inline) -> None:
        """Open, separate or close a field."""
        kind = mark.get(_W + "fldCharType")
        if kind == "begin":
            self.fields.append(_Field(mark in self.closed, len(inline.text)))
            box = mark.find(f"{_W}ffData/{_W}checkBox")
            if box is not None:
                state = "checked" if box.find(_W + "checked") is not None else "default"
                inline.text.append("☑" if switch(box, state) else "□")
        elif kind == "separate" and self.fields:
            self.fields[-1].start = len(inline.text)
            self.contents += self.fields[-1].makes_contents
        elif kind == "end" and self.fields:
            done = self.fields.pop()
            self.contents -= done.makes_contents
            inline.is_caption = inline.is_caption or _is_sequence(done.code)
            if formula := field_formula(done.code):
                inline.text.append(formula)
            if link := _LINK.search(done.code):
                _link(inline, min(done.start, len(inline.text)), link[1])

    def drawing(self, element: Any, inline: _Inline) -> None:
        """Add the text boxes and pictures of a drawing."""
        for child in element:
            if child.tag == _W + "txbxContent":
                inline.boxes.append(child)
            elif child.tag == _MC + "AlternateContent":
                self.drawing(_choice(child), inline)
            elif child.tag == _V + "textpath":  # letters that are drawn
                inline.text.append(child.get("string", ""))
            elif child.tag == _DIAGRAM + "relIds":
                inline.diagrams.append(self.relations.get(child.get(_R + "dm", ""), _NOWHERE).target)
            else:
                identity = {_A + "blip": _R + "embed", _V + "imagedata": _R + "id"}.get(child.tag)
                relation = self.relations.get(child.get(identity, "")) if identity else None
                if relation and not relation.external:
                    inline.images.append(relation.target)
                self.drawing(child, inline)

    def table(self, element: Any) -> Iterator[_Piece]:
        """A table, then what cannot stand in a cell; the paragraphs of one that only frames or places them."""
        grid: list[list[Cell | None]] = []
        inside: list[list[_Piece]] = []  # of each cell
        deleted: list[_Piece] = []
        above: dict[int, Cell] = {}
        header_rows = 0
        for row in _rows(element):
            properties = row.find(_W + "trPr")
            if properties is not None and properties.find(_W + "del") is not None:
                deleted.append(_Piece("left out", _letters(row), reason="deletion"))
                continue
            cells: list[Cell | None] = [None] * min(_MAX_SPAN, integer(value_of(properties, "gridBefore")) or 0)
            starts: dict[int, Cell] = {}
            for cell in _cells(row):
                pieces = list(self.blocks(cell))
                inside.append(pieces)
                made = Cell(" ".join(filter(None, map(_in_cell, pieces))))
                merge = cell.find(_W + "tcPr")
                if not made.text and _continues(merge, "hMerge") and cells and cells[-1]:
                    made = cells[-1]
                elif not made.text and _continues(merge, "vMerge"):
                    made = above.get(len(cells), made)
                starts[len(cells)] = made
                cells += [made] * max(1, min(_MAX_SPAN, integer(value_of(merge, "gridSpan")) or 1))
            if properties is not None and switch(properties, "tblHeader") and header_rows == len(grid):
                header_rows += 1
            above = starts
            grid.append(cells)
        if _only_places(grid):
            for pieces in inside:
                yield from pieces
        else:
            widths = tuple(one.get(_W + "w", "") for one in element.iterfind(f"{_W}tblGrid/{_W}gridCol"))
            yield _Piece("table", grid=grid, header_rows=header_rows or None, columns=widths)
            yield from (piece for pieces in inside for piece in pieces if not _in_cell(piece) and not _is_blank(piece))
        yield from deleted


def _may_be_heading(text: str) -> bool:
    """Whether a paragraph in the style of a heading is one: no clause, no value without words."""
    text = text.strip()
    return len(text) <= _MAX_HEADING and not _SENTENCE_END.search(text) and bool(re.search(r"[^\W\d_]", text))


def _kind(piece: _Piece, inline: _Inline, style: Style) -> Kind:
    """What a paragraph is that is no heading."""
    if style.role in ("code", "caption"):
        return "code" if style.role == "code" else "caption"
    if inline.is_caption and len(piece.text) <= _MAX_HEADING:
        return "caption"
    if inline.formulas and _words("".join(inline.formulas)) + _MAX_NEAR_FORMULA >= _words(piece.text):
        return "formula"
    return "item" if piece.number else "paragraph"


def _words(text: str) -> int:
    """How many letters and digits a text has."""
    return len(re.findall(r"\w", text))


def _characters(element: Any, properties: Any) -> str:
    """The letters that an element of a run stands for, those of fonts of pictures as what they look like."""
    if element.tag in _MARKS:
        return _MARKS[element.tag]
    if element.tag == _W + "sym":
        code = element.get(_W + "char", "")
        return symbol(element.get(_W + "font", ""), int(code, 16)) if re.fullmatch("[0-9A-Fa-f]{1,5}", code) else ""
    text = element.text or ""
    font = _font(properties)
    if font.casefold() in _PICTURE_FONTS:  # a box to tick is often the letter £ in Wingdings 2
        return "".join((symbol(font, ord(one)) or one) if one.isprintable() and ord(one) < 256 else one for one in text)
    return _PRIVATE.sub(lambda one: symbol(font, ord(one[0])), text)


def _diagram(root: Any) -> Iterator[_Piece]:
    """The text of each box of a diagram."""
    for box in root.iter(_DIAGRAM + "t") if root is not None else ():
        yield _Piece("paragraph", " ".join("".join(paragraph.itertext()) for paragraph in box.iter(_A + "p")))


def _in_cell(piece: _Piece) -> str:
    """What a piece says inside a cell; "" for what cannot stand in one: pictures, furniture, larger tables."""
    if piece.kind in ("left out", "picture"):
        return ""
    if piece.kind != "table":
        return " ".join(piece.whole.split()) if piece.number != BULLET or piece.text.strip() else ""
    rows = [_distinct(row) for row in piece.grid]
    if sum(len(row) > 1 for row in rows) > 1:
        return ""
    return " ".join(cell.text for row in rows for cell in row)


def _is_blank(piece: _Piece) -> bool:
    """Whether a piece is a paragraph or a table that says nothing."""
    if piece.kind == "table":
        return not any(map(_distinct, piece.grid))
    return piece.kind not in ("left out", "picture") and not piece.text.strip()


def _distinct(row: Sequence[Cell | None]) -> list[Cell]:
    """The cells of a row that say something, each once."""
    found: list[Cell] = []
    for cell in row:
        if cell and cell.text and not any(cell is one for one in found):
            found.append(cell)
    return found


def _only_places(grid: list[list[Cell | None]]) -> bool:
    """Whether no row of a table has two cells with text: it is a frame, or a column of paragraphs."""
    return all(len(_distinct(row)) < 2 for row in grid)


def _rows(table: Any) -> Iterator[Any]:
    for element in table:
        if element.tag == _W + "tr":
            yield element
        elif element.tag in _BLOCK_WRAPPERS:
            yield from _rows(element)


def _cells(row: Any) -> Iterator[Any]:
    for element in row:
        if element.tag == _W + "tc":
            yield element
        elif element.tag in _BLOCK_WRAPPERS:
            yield from _cells(element)


def _continues(properties: Any, name: str) -> bool:
    """Whether a cell only continues the one above it (vMerge) or before it (hMerge)."""
    merge = properties.find(_W + name) if properties is not None else None
    return merge is not None and merge.get(_W + "val", "continue") == "continue"


def _choice(alternatives: Any) -> Any:
    """The first of several forms of the same content; older programs show the last, which repeats its text."""
    found = alternatives.find(_MC + "Choice")
    if found is None:
        found = alternatives.find(_MC + "Fallback")
    return found if found is not None else ()


def _is_contents(element: Any) -> bool:
    gallery = value_of(element.find(f"{_W}sdtPr/{_W}docPartObj"), "docPartGallery")
    return gallery == "Table of Contents"


def _as_contents(piece: _Piece) -> _Piece:
    """A line of a table of contents as furniture; a sentence that stands among them stays what it is."""
    text = piece.whole.strip()
    if piece.kind in ("table", "picture", "left out") or len(text) > 2 * _MAX_HEADING or _SENTENCE_END.search(text):
        return piece
    return _Piece("left out", piece.whole, reason=_CONTENTS)


def _is_sequence(code: str) -> bool:
    """Whether a field counts figures or tables."""
    return code.strip().upper().startswith("SEQ ")


def _closed_fields(root: Any) -> set[Any]:
    """The marks at which fields begin that also end; a damaged file has others, which would reach to its end."""
    opened: list[Any] = []
    closed = set()
    for mark in root.iter(_W + "fldChar"):
        kind = mark.get(_W + "fldCharType")
        if kind == "begin":
            opened.append(mark)
        elif kind == "end" and opened:
            closed.add(opened.pop())
    return closed


def _link(inline: _Inline, start: int, target: str) -> None:
    """Write an address behind the text that leads there, unless the text is the address."""
    text = "".join(inline.text[start:])
    target = target.strip()
    address = target.removeprefix("mailto:").partition("?")[0] if target.startswith("mailto:") else target
    bare = re.sub(r"^https?://|/$", "", address)
    if text.strip() and re.match(r"(?:https?://|mailto:).", target) and bare.casefold() not in text.casefold():
        inline.text.append(f"（{address}）")


def _font(properties: Any) -> str:
    fonts = properties.find(_W + "rFonts") if properties is not None else None
    return (fonts.get(_W + "ascii") or fonts.get(_W + "hAnsi") or "") if fonts is not None else ""


def _children(element: Any) -> Iterator[Any]:
    """The children of an element; none of None."""
    yield from element if element is not None else ()


def _letters(element: Any) -> str:
    """All letters inside an element, deleted ones too."""
    return "".join(one.text or "" for one in element.iter(_W + "t", _W + "delText"))


def _related_xml(package: Package, kind: str) -> Any:
    """The root of the part that the document has such a relation to; None without one."""
    names = package.related(package.main, kind)
    return package.xml(names[0]) if names else None


def _furniture(package: Package) -> Iterator[_Piece]:
    """Headers, footers and comments."""
    seen = set()
    for kind, reason in (("header", _RUNNING), ("footer", _RUNNING), ("comments", "comment")):
        for name in package.related(package.main, kind):
            root = package.xml(name)
            for paragraph in root.iter(_W + "p") if root is not None else ():
                text = _letters(paragraph).strip()
                if text and text not in seen:
                    seen.add(text)
                    yield _Piece("left out", text, reason=reason)


def _joined_tables(pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    """Join tables that were one before a program cut it at the end of each page: they have the same columns."""
    last: _Piece | None = None
    for piece in pieces:
        if last and piece.kind == "table" and piece.columns and piece.columns == last.columns:
            first = [cell.text if cell else "" for cell in piece.grid[0]]
            rows = [row for row in piece.grid if _distinct(row)]
            has_header = piece.header_rows or len(table_rows(rows)) < len(rows)
            if not has_header or first == [cell.text if cell else "" for cell in last.grid[0]]:
                last.grid += piece.grid
                continue
        last = piece if piece.kind == "table" else None
        yield piece


def _mark_headings(pieces: Sequence[_Piece]) -> None:
    """Make headings of chapters typed by hand, and of short numbered lines in bold or with 一、.

    The level of a numbered line is below that of the heading above it, by the order in which kinds of numbers appear.
    """
    texts = [piece for piece in pieces if piece.kind in ("paragraph", "item")]
    bold = sum(len(piece.text) for piece in texts if piece.look.bold)
    is_bold_rare = bold * 5 < sum(len(piece.text) for piece in texts) * 2
    base = 0
    kinds: list[str] = []
    for piece in pieces:
        text = piece.whole.strip()
        if piece.kind in ("paragraph", "item") and _may_be_heading(text):
            if chapter := _CHAPTER.fullmatch(text):
                piece.kind, piece.level = "heading", _CHAPTER_LEVELS[chapter[1]]
            elif (kind := _numbered(text)) and (kind == "一" or (is_bold_rare and piece.look.bold)):
                kinds = kinds[: kinds.index(kind)] if kind in kinds else kinds
                kinds.append(kind)
                piece.kind, piece.level = "heading", min(6, base + len(kinds))
                continue
        if piece.kind == "heading":
            base, kinds = piece.level, []


def _numbered(text: str) -> str:
    """The kind of number that a short line begins with, as 一, （一 or 1.1; "" if it is no heading."""
    if len(text) > _NUMBERED_HEADING or _VALUE.search(text):
        return ""
    for kind, pattern in _NUMBERS.items():
        if number := pattern.match(text):
            return kind + "." * number[0].rstrip(".．、 ").count(".")
    return ""


def _mark_contents(pieces: Sequence[_Piece]) -> None:
    """Take tables of contents that were typed by hand out of the text."""
    lines = [
        f"\0{place}"
        if piece.kind in ("table", "picture") or (piece.kind == "heading" and not is_contents_head(piece.whole))
        else " ".join(re.split("[^\\S\t]+", piece.whole.strip()))
        for place, piece in enumerate(pieces)
    ]
    for place in contents_lines(lines):
        piece = pieces[place]
        piece.text, piece.number, piece.kind, piece.reason = piece.whole, "", "left out", piece.reason or _CONTENTS


def _created(package: Package) -> str:
    """When the properties of the file say that it was made; "" if they do not."""
    core = [name for name in package.related("", "core-properties") if package.has(name)]
    return (package.xml(core[0]).findtext("{http://purl.org/dc/terms/}created") if core else "") or ""


def _title(package: Package, pieces: Sequence[_Piece]) -> str:
    """The title by how the first lines look, or what the properties of the file and every page say."""
    core = [name for name in package.related("", "core-properties") if package.has(name)]
    stated = package.xml(core[0]).findtext("{http://purl.org/dc/elements/1.1/}title") if core else None
    sizes: Counter[float] = Counter()
    for piece in pieces:
        if piece.kind in ("paragraph", "item") and piece.look.size:
            sizes[piece.look.size] += len(piece.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    stated = (stated or "").strip()
    is_running_head = any(piece.reason == _RUNNING and piece.text == stated for piece in pieces)
    return title_of(list(_lines(pieces)), body, stated) or (stated if is_running_head else "")


def _lines(pieces: Sequence[_Piece]) -> Iterator[CoverLine]:
    """The first lines of a document; a row of two cells is one, as 名称：值."""
    for piece in pieces[:_COVER]:
        if piece.kind == "table":
            for row in piece.grid:
                cells = _distinct(row)
                yield CoverLine(
                    "：".join(cell.text.rstrip("：:") for cell in cells)
                    if len(cells) == 2
                    else " ".join(cell.text for cell in cells)
                )
        elif piece.kind not in ("left out", "picture") and piece.text.strip():
            look = piece.look
            yield CoverLine(
                " ".join(piece.whole.split()),
                look.size or 0.0,
                bool(look.bold),
                bool(look.centred),
                piece.level if piece.kind == "heading" else 0,
                look.role == "title",
            )


def _written(pieces: Sequence[_Piece], title: str, package: Package) -> Parsed:
    """The document, block by block."""
    writer = BlockWriter()
    shown: set[str] = set()
    room = MAX_TOTAL
    for is_code, run in groupby(pieces, key=lambda piece: piece.kind == "code"):
        if is_code:
            writer.code("\n".join(piece.text for piece in run))
            continue
        for piece in run:
            if piece.kind != "picture":
                _write(writer, piece)
            elif piece.text not in shown and len(shown) < MAX_COUNT:
                data = package.part(piece.text)
                if worth_showing(data) and len(data) <= room:
                    shown.add(piece.text)
                    room -= len(data)
                    writer.picture(data)
    return writer.parsed(title, date=_created(package))


def _write(writer: BlockWriter, piece: _Piece) -> None:
    if piece.kind == "left out":
        writer.leave_out(piece.text, piece.reason)
    elif piece.kind == "table":
        writer.table(piece.grid, piece.header_rows)
    elif piece.kind == "heading":
        writer.heading(piece.text, piece.level, piece.number)
    elif piece.kind == "item":
        writer.item(piece.text, piece.number, piece.level)
    elif piece.kind == "paragraph":
        writer.paragraph(piece.text)
    elif piece.kind in ("caption", "formula"):
        writer.add(piece.kind, clean(piece.text), number=piece.number)
