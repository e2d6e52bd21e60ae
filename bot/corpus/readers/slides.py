"""Slides (.pptx, .ppsx): each slide a page with its title, texts, tables, charts and notes, in the order of reading.

Parsed in a child process. Hidden slides are read like the others. Slide numbers, dates and footers are left out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.archive import check
from bot.corpus.readers.child import in_child
from bot.corpus.readers.images import MAX_COUNT, MAX_TOTAL, worth_showing
from bot.corpus.tables import Cell
from bot.text.numerals import chinese, roman

if TYPE_CHECKING:
    from pptx.shapes.base import BaseShape
    from pptx.slide import Slide

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_D = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_TITLES, _BODIES = ("title", "ctrTitle"), ("body", "obj", "")
_FURNITURE = {"sldNum": "page number", "dt": "running head", "ftr": "running head", "hdr": "running head"}
_MAX_TITLE = 40  # letters of a line that is a title by its place
_TOP = 0.2  # of the slide's height; such a line begins above
_LOW = 0.75  # below it stands what belongs to a cover but is not its title
_WRAPPED = 12  # letters of a line that is broken within a sentence, at least
_GOES_ON = re.compile(r"[\u3400-\u9fff\d，、“（《][\u3400-\u9fff，。、；”）》]")
_MAX_ORDERED = 400  # shapes that are put into the order of reading; more are an exported drawing


def read(data: bytes) -> Parsed:
    """The text of a presentation. Raises ReadError E-BOMB, E-PASSWORD, E-FORMAT and those of in_child."""
    return in_child(__name__, data)


def parse(data: bytes) -> Parsed:
    """The same, in this process."""
    check(data)
    import pptx

    show = pptx.Presentation(io.BytesIO(data))
    writer = BlockWriter()
    title = ""
    pictures = _Pictures(writer)
    for number, slide in enumerate(show.slides):
        writer.begin_page()
        _unwrap(slide)
        head = _write_slide(slide, writer, pictures, show.slide_height or 1, is_first=not number)
        title = title if number else head
    return writer.parsed(title)


def _unwrap(slide: Slide) -> None:
    """Put what newer programs see in place of the alternatives, which python-pptx passes over."""
    for both in list(slide.element.iter(_MC + "AlternateContent")):
        chosen = next((part for part in both if len(part)), None)
        for element in list(chosen) if chosen is not None else ():
            both.addprevious(element)
        both.getparent().remove(both)


# Order --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Box:
    """A shape that says something, and where it is on the slide or in its group."""

    shape: BaseShape
    left: int
    top: int
    right: int
    bottom: int


def _boxes(shapes: Iterable[BaseShape]) -> list[_Box]:
    found = []
    for shape in shapes:
        left, top = shape.left or 0, shape.top or 0
        found.append(_Box(shape, left, top, left + (shape.width or 0), top + (shape.height or 0)))
    return found


def _ordered(boxes: list[_Box]) -> list[_Box]:
    """Boxes column by column where they stand in columns of several, else from the top."""
    if len(boxes) < 2 or len(boxes) > _MAX_ORDERED:
        return boxes
    columns = _split(boxes, across=True)
    rows = _split(boxes, across=False)
    if len(columns) > 1 and (len(rows) == 1 or all(len(column) > 1 for column in columns)):
        return [box for column in columns for box in _ordered(column)]
    if len(rows) > 1:
        # A line over the whole width, above or below, would hide that the boxes between stand in columns.
        first = next((number for number, row in enumerate(rows) if len(row) > 1), len(rows))
        last = next((number for number in range(len(rows), first, -1) if len(rows[number - 1]) > 1), first)
        between = [box for row in rows[first:last] for box in row]
        inner = [between] if len(between) < len(boxes) else rows[first:last]
        return [box for part in (*rows[:first], *inner, *rows[last:]) for box in _ordered(part)]
    return sorted(boxes, key=lambda box: (box.top, box.left))


def _split(boxes: list[_Box], *, across: bool) -> list[list[_Box]]:
    """Groups of boxes with a gap between them, from left to right or from the top down."""
    groups: list[list[_Box]] = []
    end = 0
    for box in sorted(boxes, key=lambda box: box.left if across else box.top):
        start, stop = (box.left, box.right) if across else (box.top, box.bottom)
        if not groups or start >= end:
            groups.append([])
            end = stop
        groups[-1].append(box)
        end = max(end, stop)
    return groups


# Slides -------------------------------------------------------------------------------------------------------------


class _Pictures:
    """Keeps the pictures of a document within bounds; one that is on many slides, as a logo is, only once."""

    def __init__(self, writer: BlockWriter) -> None:
        self._writer = writer
        self._seen: set[bytes] = set()
        self._bytes = 0

    def add(self, data: bytes) -> None:
        wanted = worth_showing(data)
        if wanted and data not in self._seen and len(self._seen) < MAX_COUNT and self._bytes + len(data) <= MAX_TOTAL:
            self._seen.add(data)
            self._bytes += len(data)
            self._writer.picture(data)


def _write_slide(slide: Slide, writer: BlockWriter, pictures: _Pictures, height: int, *, is_first: bool) -> str:
    """Write a slide; its title, "" if it has none."""
    boxes = [box for box in _boxes(slide.shapes) if not _leave_out(box.shape, writer)]
    title = next((box for box in boxes if _placeholder(box.shape) in _TITLES and _text(box.shape)), None)
    title = title or _title_by_place(boxes, height, is_first=is_first)
    text = " ".join(_text(title.shape).split()) if title else ""
    writer.heading(text, 1)
    for box in _ordered([box for box in boxes if box is not title]):
        _write_shape(box.shape, writer, pictures)
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    lines = [line for paragraph in notes.paragraphs if (line := _line(paragraph._p).strip())] if notes else []
    for number, line in enumerate(lines):
        writer.paragraph(line if number else f"备注：{line}")
    return text


def _placeholder(shape: BaseShape) -> str | None:
    """What a placeholder is for, "" if it does not say; None for other shapes."""
    element = next(shape.element.iter(_P + "ph"), None) if not shape.element.tag.endswith("grpSp") else None
    return None if element is None else element.get("type", "")


def _leave_out(shape: BaseShape, writer: BlockWriter) -> bool:
    """Whether a shape is furniture of the slide, which is then named."""
    reason = _FURNITURE.get(_placeholder(shape) or "", "")
    if not reason and shape.has_text_frame:
        fields = list(shape.element.iter(_A + "fld"))
        numbers = bool(fields) and all(field.get("type") == "slidenum" for field in fields)
        written = "".join(run.text or "" for run in shape.element.iter(_A + "r") for run in run.iter(_A + "t"))
        reason = "page number" if numbers and not re.search(r"[^\W_]", written) else ""
    if reason:
        writer.leave_out(_text(shape), reason)
    return bool(reason)


def _title_by_place(boxes: Sequence[_Box], height: int, *, is_first: bool) -> _Box | None:
    """The short line at the top of a slide without a title of its own; on the first slide, the largest line."""
    lines = [box for box in boxes if box.shape.has_text_frame and 0 < len(_text(box.shape)) <= _MAX_TITLE]
    lines = [box for box in lines if "\n" not in _text(box.shape) and not re.search("[。；;]", _text(box.shape))]
    if is_first:
        lines = [box for box in lines if box.top < _LOW * height]
        return max(lines, key=lambda box: _size(box.shape), default=None)
    highest = min(lines, key=lambda box: box.top, default=None)
    says = [box for box in boxes if _text(box.shape) or box.shape.element.tag == _P + "graphicFrame"]
    if highest and (highest.top < _TOP * height or len(says) == 1):
        return highest
    return None


def _size(shape: BaseShape) -> int:
    """The largest size of its letters that a shape gives, in hundredths of a point."""
    sizes = [run.get("sz", "0") for run in shape.element.iter(_A + "rPr", _A + "defRPr")]
    return max((int(size) for size in sizes if size.isdecimal()), default=0)


def _text(shape: BaseShape) -> str:
    """All text of a shape, one line per paragraph."""
    if not shape.has_text_frame:
        return ""
    lines = (_line(paragraph).strip() for paragraph in shape.element.iter(_A + "p"))
    return "\n".join(line for line in lines if line)


def _write_shape(shape: BaseShape, writer: BlockWriter, pictures: _Pictures) -> None:
    if shape.element.tag == _P + "grpSp":
        for box in _ordered(_boxes(shape.shapes)):  # type: ignore[attr-defined]
            _write_shape(box.shape, writer, pictures)
    elif shape.element.tag == _P + "graphicFrame":
        _write_frame(shape, writer)
    elif shape.has_text_frame:
        _write_text(shape, writer)
    for fill in shape.element.iter(_A + "blip") if shape.element.tag == _P + "pic" else ():
        part = shape.part.rels.get(fill.get(_R + "embed", ""))
        if part is not None and not part.is_external:
            pictures.add(part.target_part.blob)


# Text ---------------------------------------------------------------------------------------------------------------


def _line(paragraph: Any) -> str:
    """The text of a paragraph, formulas as their letters."""
    pieces = []
    for element in paragraph.iter(_A + "t", _A + "br", _M + "t"):
        pieces.append("\n" if element.tag == _A + "br" else element.text or "")
    text = ""
    for line in "".join(pieces).split("\n"):
        before = text.rpartition("\n")[2].rstrip()
        # A break within a sentence was made by hand to fit the box.
        goes_on = len(before) >= _WRAPPED and bool(_GOES_ON.fullmatch(before[-1] + line.lstrip()[:1]))
        text = text.rstrip() + line.lstrip() if goes_on else f"{text}\n{line}" if text else line
    return text


def _write_text(shape: BaseShape, writer: BlockWriter) -> None:
    body = next(shape.element.iter(_P + "txBody"), None)
    inherited = _inherited(shape)
    counters: dict[int, tuple[str, int]] = {}  # the kind of numbers and the last one, by level
    for paragraph in body.iterchildren(_A + "p") if body is not None else ():
        text = _line(paragraph).strip()
        properties = paragraph.find(_A + "pPr")
        level = int(properties.get("lvl", "0")) if properties is not None else 0
        if not text:
            continue
        bullet = _bullet(properties)
        bullet = bullet if bullet is not None else _bullet_of_level(body, level)
        bullet = bullet if bullet is not None else inherited
        for deeper in [one for one in counters if one > level]:
            del counters[deeper]
        if bullet is None or bullet.tag == _A + "buNone":
            counters.pop(level, None)
            writer.paragraph(text)
        elif bullet.tag == _A + "buAutoNum":
            kind, start = bullet.get("type", ""), int(bullet.get("startAt", "1"))
            before = counters.get(level, ("", 0))
            value = before[1] + 1 if before[0] == kind else start
            counters[level] = kind, value
            writer.item(text, _numeral(kind, value), level + 1)
        else:
            counters.pop(level, None)
            writer.item(text, "•", level + 1)


_BULLETS = (_A + "buNone", _A + "buChar", _A + "buAutoNum", _A + "buBlip")


def _bullet(properties: Any) -> Any:
    return None if properties is None else next(properties.iterchildren(*_BULLETS), None)


def _bullet_of_level(body: Any, level: int) -> Any:
    """The bullet that a style of a list gives to a level."""
    return _bullet(body.find(f"{_A}lstStyle/{_A}lvl{level + 1}pPr"))


def _inherited(shape: BaseShape) -> Any:
    """The bullet of a text placeholder: what its layout says, else the one that all themes give to such texts."""
    from pptx.oxml import parse_xml

    if _placeholder(shape) not in _BODIES:
        return None
    number = next(shape.element.iter(_P + "ph")).get("idx")
    for layout in shape.part.slide.slide_layout.placeholders:  # type: ignore[attr-defined]
        body = next(layout.element.iter(_P + "txBody"), None)
        if number is not None and str(layout.placeholder_format.idx) == number and body is not None:
            own = _bullet_of_level(body, 0)
            if own is not None:
                return own
    return parse_xml(f'<a:buChar xmlns:a="{_A[1:-1]}"/>')


def _numeral(kind: str, value: int) -> str:
    """An automatic number: 3., (3), c), III., 三、 or ③."""
    if kind.startswith("circleNum") and value <= 20:
        return chr(0x2460 + value - 1)
    if kind.startswith("ea1") and value < 100:
        text = chinese(value)
        return f"{text}、" if kind.endswith("Period") else text
    text = str(value)
    if kind.startswith("alpha") and value <= 26:
        text = chr(64 + value)
    elif kind.startswith("roman") and value < 4000:
        text = roman(value)
    if "Lc" in kind:
        text = text.lower()
    return {"ParenBoth": f"({text})", "ParenR": f"{text})", "Plain": text}.get(
        re.sub(r"^.*?(?=Paren|Plain)", "", kind), f"{text}."
    )


# Tables, charts, diagrams -------------------------------------------------------------------------------------------


def _write_frame(frame: BaseShape, writer: BlockWriter) -> None:
    """A table, a chart or a diagram."""
    for table in frame.element.iter(_A + "tbl"):
        writer.table(_grid(table))
    for chart in frame.element.iter(_C + "chart"):
        if (root := _part(frame, chart.get(_R + "id"))) is not None:
            _write_chart(root, writer)
    for ids in frame.element.iter(_D + "relIds"):
        if (root := _part(frame, ids.get(_R + "dm"))) is not None:
            for text in root.iter(_D + "t"):
                writer.item(" ".join(filter(None, (_line(each).strip() for each in text.iter(_A + "p")))))


def _part(frame: BaseShape, relation: str | None) -> Any:
    """The root element of a part that a shape refers to; None if it is missing."""
    from pptx.oxml import parse_xml

    found = frame.part.rels.get(relation or "")
    return None if found is None or found.is_external else parse_xml(found.target_part.blob)


def _grid(table: Any) -> list[list[Cell | None]]:
    """The cells of a table; those that continue another are the same object."""
    grid: list[list[Cell | None]] = []
    for line in table.iterchildren(_A + "tr"):
        row: list[Cell | None] = []
        for column, element in enumerate(line.iterchildren(_A + "tc")):
            if element.get("hMerge") in ("1", "true") and row:
                row.append(row[-1])
            elif element.get("vMerge") in ("1", "true") and grid and column < len(grid[-1]):
                row.append(grid[-1][column])
            else:
                row.append(Cell("\n".join(_line(paragraph) for paragraph in element.iter(_A + "p"))))
        grid.append(row)
    return grid


def _write_chart(chart: Any, writer: BlockWriter) -> None:
    """The title of a chart, and a table of its categories and the values of its series."""
    for title in chart.iter(_C + "title"):
        writer.add("caption", " ".join(filter(None, (_line(each).strip() for each in title.iter(_A + "p")))))
    names: list[str] = []
    categories: dict[int, str] = {}
    values: list[dict[int, str]] = []
    for series in chart.iter(_C + "ser"):
        names.append(" ".join(value.text or "" for value in series.iterfind(f"{_C}tx//{_C}v")))
        for labels in series.iterchildren(_C + "cat", _C + "xVal"):
            categories |= {number: text for number, text in _points(labels) if number not in categories}
        values.append(dict(point for each in series.iterchildren(_C + "val", _C + "yVal") for point in _points(each)))
    rows = sorted({*categories, *(number for each in values for number in each)})
    grid = [[Cell(""), *(Cell(name) for name in names)]]
    grid += [[Cell(categories.get(row, "")), *(Cell(each.get(row, "")) for each in values)] for row in rows]
    writer.table(grid, header_rows=1 if any(names) else 0)


def _points(holder: Any) -> Iterator[tuple[int, str]]:
    """The values that the file keeps of a row of cells, by their place; of several levels of names the last."""
    levels = list(holder.iter(_C + "lvl")) or [holder]
    for number, point in zip(count(), levels[0].iter(_C + "pt"), strict=False):
        index = point.get("idx", "")
        text = " ".join(value.text or "" for value in point.iter(_C + "v"))
        if re.fullmatch(r"-?\d+\.\d{10,}(?:[eE]-?\d+)?", text):  # noise of binary numbers
            text = f"{float(text):.10g}"
        yield int(index) if index.isdecimal() else number, text
