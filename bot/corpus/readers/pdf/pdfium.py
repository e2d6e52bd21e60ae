"""What stands on the pages of a PDF, by PDFium: letters, ruling lines, pictures.

All places are in points, turned so that most of the text of a page reads from left to right; y grows upwards.
"""

from __future__ import annotations

import ctypes
import math
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from bot.corpus.readers.pdf.glyphs import Glyph, decoded, measured, plain, with_bullets
from bot.errors import ReadError

MAX_PAGES = 5000
_THIN = 4.0  # points; a longer shape that is thinner is a line, its stroke included
_SHORTEST = 6.0  # points of a ruling line; what is shorter is part of a drawing or a letter
_MAX_SHAPES = 20_000  # of a page; more are a drawing or a map
_MAX_CORNERS = 200_000  # of the shapes of a page together
_DEEPEST = 5  # forms within forms
_BOLD = re.compile(r"bold|black|heavy|semibold|demi|hei(?!ti-?light)|FZHT|FZXBS|[-,]BD", re.IGNORECASE)
_SIGNS_FONT = re.compile(r"Wingdings\s*(2?)")
# The signs of fonts that have no letters, by the last byte of their codes, so that boxes and bullets can be told.
_SIGNS = {
    0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "□", 0x72: "□", 0x75: "◆", 0x76: "❖", 0x9F: "•", 0xA7: "▪", 0xA8: "□",
    0xB7: "•", 0xD8: "➢", 0xE0: "→", 0xE8: "→", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
_SIGNS_2 = {0x50: "✓", 0x52: "☑", 0x51: "☒", 0x54: "☒", 0x97: "•", 0xA3: "□", 0x2A: "□", 0x30: "□"}
_RADICALS = range(0x2F00, 0x2FD6)  # which a font names in place of the letters that look the same
_PRIVATE = range(0xE000, 0xF900)  # codes without a meaning that others share
_BLANKS = {code for code in range(0x3001) if code not in (0x00, 0x02) and (code <= 0x20 or chr(code).isspace())}
_WIDEST = 1.2  # letter sizes; PDFium counts the space that a file puts between letters as part of them
_HYPHENS = (0x02, 0xFFFE)  # what PDFium gives for a hyphen at the end of a line
_MIN_PIXELS = 64  # of a picture in each direction; smaller ones are ornaments
_MAX_PIXELS = 16_000_000
_MAX_PICTURE = 2**20  # bytes
_MAX_PICTURES = 50

Box = tuple[float, float, float, float]  # left, bottom, right, top
Turned = tuple[str, float, float]  # a text in another direction, and where it begins


class Rule(NamedTuple):
    """A ruling line: along x at height `at` from `start` to `end`, or along y with x and y exchanged."""

    at: float
    start: float
    end: float


class Image(NamedTuple):
    """A picture of a page: its bytes and its box."""

    data: bytes
    box: Box


class _Style(NamedTuple):
    """What the letters of a text object share: direction in quarters of a circle (None: askew), a number of the font.

    `signs` is 1 or 2 in the fonts Wingdings and Wingdings 2, which have no letters, 0 in others; `embedded` says that
    the file itself holds the shapes of the letters.
    """

    size: float
    bold: bool
    direction: int | None
    font: int
    signs: int = 0
    embedded: bool = False


_Run = tuple[_Style, list[Glyph]]


@dataclass(slots=True)
class Sheet:
    """A page as it stands: letters in the order of the file, level and upright lines, pictures, its box.

    `turned` are texts in other directions than most (watermarks, notes in the margin), each with its place. It may have
    pictures that `images` lacks: scans of whole pages, and those that are too large or too many.
    """

    glyphs: list[Glyph] = field(default_factory=list)
    across: list[Rule] = field(default_factory=list)
    upright: list[Rule] = field(default_factory=list)
    turned: list[Turned] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    box: Box = (0.0, 0.0, 0.0, 0.0)
    failed: bool = False
    has_pictures: bool = False


class Pdf:
    """An open PDF. Raises ReadError E-PASSWORD or E-PARSE if it cannot be opened, E-SIZE if it has too many pages."""

    def __init__(self, data: bytes) -> None:
        """Open the bytes of a file."""
        import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

        self._pdfium, self._data = pdfium, data
        self._pictures = self._corners = 0
        pdfium.FPDF_InitLibrary()
        self._document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
        if not self._document:
            if pdfium.FPDF_GetLastError() in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
                cure = "去掉密码再保存 / save it without one"
                raise ReadError("E-PASSWORD", "文件有密码", "protected by a password", cure)
            raise ReadError("E-PARSE", "无法解析", "cannot be parsed", "另存后再试 / resave it")
        self.pages: int = pdfium.FPDF_GetPageCount(self._document)
        if self.pages > MAX_PAGES:
            raise ReadError("E-SIZE", f"超过 {MAX_PAGES} 页", "too many pages", "请拆分 / split it")

    def property(self, name: bytes) -> str:
        """One of the file's properties, `Title` or `CreationDate`; "" without it."""
        length = self._pdfium.FPDF_GetMetaText(self._document, name, None, 0)
        buffer = ctypes.create_string_buffer(length)
        self._pdfium.FPDF_GetMetaText(self._document, name, buffer, length)
        return buffer.raw.decode("utf-16-le", "replace").rstrip("\0").strip()

    def sheets(self) -> Iterator[Sheet]:
        """What stands on each page."""
        for number in range(self.pages):
            page = self._pdfium.FPDF_LoadPage(self._document, number)
            if not page:
                yield Sheet(failed=True)
                continue
            try:
                yield self._sheet(page)
            finally:
                self._pdfium.FPDF_ClosePage(page)

    def _sheet(self, page: Any) -> Sheet:
        pdfium = self._pdfium
        letters = pdfium.FPDFText_LoadPage(page)
        if not letters:
            return Sheet(failed=True)
        try:
            runs = self._runs(letters)
        finally:
            pdfium.FPDFText_ClosePage(letters)
        direction = _most(runs)
        box = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(page, box)
        sheet = Sheet(box=_turn((box.left, box.bottom, box.right, box.top), direction))
        _place(sheet, runs, direction)
        self._corners = 0
        for shape, outer in self._objects(page):
            if pdfium.FPDFPageObj_GetType(shape) == pdfium.FPDF_PAGEOBJ_PATH:
                for side in self._sides(shape, outer):
                    left, bottom, right, top = _turn(side, direction)
                    if right - left >= top - bottom:
                        sheet.across.append(Rule((bottom + top) / 2, left, right))
                    else:
                        sheet.upright.append(Rule((left + right) / 2, bottom, top))
            else:
                sheet.has_pictures = True
                if image := self._image(page, shape):
                    sheet.images.append(image._replace(box=_turn(image.box, direction)))
        return sheet

    def _runs(self, letters: Any) -> list[_Run]:
        """The letters that are no white space, in the order of the file, in runs of one direction and style.

        Their places are turned back by the direction; those askew lie where they begin.
        """
        # A book of 1,000 dense pages has 3 million letters, so that each call here counts.
        pdfium = self._pdfium
        unicode_of, object_of, box_of = (
            pdfium.FPDFText_GetUnicode,
            pdfium.FPDFText_GetTextObject,
            pdfium.FPDFText_GetLooseCharBox,
        )
        box, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
        styles: dict[int, _Style] = {}
        fonts: dict[int, tuple[bool, int, bool]] = {}
        runs: list[_Run] = []
        spaced, high, last, base = False, 0, 0, 0.0
        style = _Style(0.0, False, 0, 0)
        for index in range(pdfium.FPDFText_CountChars(letters)):
            code = unicode_of(letters, index)
            if code in _BLANKS:
                spaced = True
                continue
            if 0xD800 <= code < 0xE000:  # half a letter beyond 16 bits
                high, code = _whole(high, code)
                if high:
                    continue
            shape = object_of(letters, index)
            key = ctypes.addressof(shape.contents) if shape else 0
            if key != last or not runs:
                last = key
                if key not in styles:
                    styles[key] = self._style(letters, index, shape, fonts)
                style = styles[key]
                pdfium.FPDFText_GetCharOrigin(letters, index, x, y)
                base = (y.value, -x.value, -y.value, x.value)[style.direction or 0]
                if not runs or runs[-1][0].direction != style.direction:
                    runs.append((style, []))
            box_of(letters, index, box)
            left, right = box.left, box.right
            if style.direction:
                left, _, right, _ = _turn((left, box.bottom, right, box.top), style.direction)
            right = min(right, left + _WIDEST * style.size)
            if not code and right - left < 0.1 * style.size:
                continue
            is_plain = 0x20 < code < 0x2F00 or 0x2FD6 <= code < 0xE000
            text = chr(code) if is_plain and not style.signs else self._text(letters, index, code, style)
            runs[-1][1].append(Glyph(text, left, right, base, style.size, style.bold, spaced, style.font))
            spaced = False
        return runs

    def _text(self, letters: Any, index: int, code: int, style: _Style) -> str:
        """What a letter of a code that is no plain letter says."""
        if not code:  # a letter that no table gives a code
            return "\ufffd"
        if style.signs:
            return (_SIGNS_2 if style.signs == 2 else _SIGNS).get(code & 0xFF, "•")
        if code in _HYPHENS or (code in _PRIVATE and style.embedded and self._is_dash(letters, index, style.size)):
            return "-"
        return plain(chr(code)) if code in _RADICALS else chr(code)

    def _is_dash(self, letters: Any, index: int, size: float) -> bool:
        """Whether a letter that has no code of its own is drawn as a dash."""
        return 0 < self._height(letters, index) < 0.15 * size

    def _height(self, letters: Any, index: int) -> float:
        """The height of what is drawn of a letter; 0 if nothing is."""
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        self._pdfium.FPDFText_GetCharBox(letters, index, left, right, bottom, top)
        high = top.value - bottom.value
        return high if right.value - left.value > 2 * high or high > 0.5 else 0.0

    def _style(self, letters: Any, index: int, shape: Any, fonts: dict[int, tuple[bool, int, bool]]) -> _Style:
        pdfium = self._pdfium
        matrix = pdfium.FS_MATRIX()
        pdfium.FPDFText_GetMatrix(letters, index, matrix)
        size = pdfium.FPDFText_GetFontSize(letters, index) * math.hypot(matrix.c, matrix.d)
        angle = math.degrees(math.atan2(matrix.b, matrix.a)) % 360
        quarter = round(angle / 90)
        direction = quarter % 4 if abs(angle - 90 * quarter) < 5 else None
        if not shape:
            return _Style(size, False, direction, 0)
        font = pdfium.FPDFTextObj_GetFont(shape)
        key = ctypes.addressof(font.contents) if font else 0
        if key not in fonts:
            fonts[key] = self._kind(font)
        bold, signs, embedded = fonts[key]
        stroked = pdfium.FPDFTextObj_GetTextRenderMode(shape) == pdfium.FPDF_TEXTRENDERMODE_FILL_STROKE
        return _Style(size, bold or stroked, direction, key, signs, embedded)

    def _kind(self, font: Any) -> tuple[bool, int, bool]:
        """Whether a font is bold, which font of signs it is (0 for none), and whether it is embedded."""
        if not font:
            return False, 0, False
        buffer = ctypes.create_string_buffer(256)
        self._pdfium.FPDFFont_GetBaseFontName(font, buffer, 256)
        name = buffer.value.decode("utf-8", "replace").rpartition("+")[2]
        signs = _SIGNS_FONT.match(name)
        bold = bool(_BOLD.search(name)) or self._pdfium.FPDFFont_GetWeight(font) >= 600
        embedded = self._pdfium.FPDFFont_GetIsEmbedded(font) == 1
        return bold, (2 if signs[1] else 1) if signs else 0, embedded

    def _objects(self, page: Any) -> Iterator[tuple[Any, tuple[float, ...]]]:
        """The paths and pictures of a page, those in forms included, each with the matrix of its form."""
        pdfium = self._pdfium
        count = pdfium.FPDFPage_CountObjects(page)
        identity: tuple[float, ...] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
        waiting = [(pdfium.FPDFPage_GetObject(page, index), 0, identity) for index in reversed(range(count))]
        seen = 0
        while waiting and seen < _MAX_SHAPES:
            shape, depth, outer = waiting.pop()
            kind = pdfium.FPDFPageObj_GetType(shape)
            if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
                inner = self._matrix(shape, outer)
                inside = min(pdfium.FPDFFormObj_CountObjects(shape), _MAX_SHAPES)
                waiting += [(pdfium.FPDFFormObj_GetObject(shape, index), depth + 1, inner) for index in range(inside)]
            elif kind in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE):
                seen += 1
                yield shape, outer

    def _matrix(self, shape: Any, outer: tuple[float, ...]) -> tuple[float, ...]:
        matrix = self._pdfium.FS_MATRIX()
        self._pdfium.FPDFPageObj_GetMatrix(shape, matrix)
        a, b, c, d, e, f = outer
        return (
            matrix.a * a + matrix.b * c,
            matrix.a * b + matrix.b * d,
            matrix.c * a + matrix.d * c,
            matrix.c * b + matrix.d * d,
            matrix.e * a + matrix.f * c + e,
            matrix.e * b + matrix.f * d + f,
        )

    def _sides(self, shape: Any, outer: tuple[float, ...]) -> Iterator[Box]:
        """The straight lines of a path that are level or upright."""
        pdfium = self._pdfium
        corners = pdfium.FPDFPath_CountSegments(shape)
        filled, stroked = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDFPath_GetDrawMode(shape, filled, stroked)
        self._corners += corners
        if corners < 2 or self._corners > _MAX_CORNERS or not (filled.value or stroked.value):
            return
        a, b, c, d, e, f = self._matrix(shape, outer)
        x, y = ctypes.c_float(), ctypes.c_float()
        part: list[tuple[float, float]] = []
        for index in range(corners):
            segment = pdfium.FPDFPath_GetPathSegment(shape, index)
            pdfium.FPDFPathSegment_GetPoint(segment, x, y)
            kind = pdfium.FPDFPathSegment_GetType(segment)
            if kind == pdfium.FPDF_SEGMENT_MOVETO:
                yield from _straight(part, bool(stroked.value))
                part = []
            if kind == pdfium.FPDF_SEGMENT_BEZIERTO:
                part.append((math.nan, math.nan))
                continue
            part.append((a * x.value + c * y.value + e, b * x.value + d * y.value + f))
            if pdfium.FPDFPathSegment_GetClose(segment):
                part.append(part[0])
        yield from _straight(part, bool(stroked.value))

    def _image(self, page: Any, shape: Any) -> Image | None:
        """A picture as JPEG or PNG; None if it is small, too large, or as large as its page: a scan."""
        pdfium = self._pdfium
        wide, high = ctypes.c_uint(), ctypes.c_uint()
        pdfium.FPDFImageObj_GetImagePixelSize(shape, wide, high)
        if min(wide.value, high.value) < _MIN_PIXELS or wide.value * high.value > _MAX_PIXELS:
            return None
        left, bottom, right, top = (ctypes.c_float() for _ in range(4))
        pdfium.FPDFPageObj_GetBounds(shape, left, bottom, right, top)
        box = (left.value, bottom.value, right.value, top.value)
        area = pdfium.FPDF_GetPageWidthF(page) * pdfium.FPDF_GetPageHeightF(page)
        if (box[2] - box[0]) * (box[3] - box[1]) > 0.7 * area or self._pictures >= _MAX_PICTURES:
            return None
        self._pictures += 1
        name = ctypes.create_string_buffer(32)
        one = pdfium.FPDFImageObj_GetImageFilterCount(shape) == 1
        if one and pdfium.FPDFImageObj_GetImageFilter(shape, 0, name, 32) and name.value == b"DCTDecode":
            length = pdfium.FPDFImageObj_GetImageDataRaw(shape, None, 0)
            if length > _MAX_PICTURE:
                return None
            buffer = ctypes.create_string_buffer(length)
            pdfium.FPDFImageObj_GetImageDataRaw(shape, buffer, length)
            return Image(buffer.raw, box)
        bitmap = pdfium.FPDFImageObj_GetBitmap(shape)
        if not bitmap:
            return None
        try:
            data = self._png(bitmap)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)
        return Image(data, box) if 0 < len(data) <= _MAX_PICTURE else None

    def _png(self, bitmap: Any) -> bytes:
        """A bitmap as a PNG; b"" if its format has more than a byte a colour or one bit a pixel."""
        pdfium = self._pdfium
        wide, high = pdfium.FPDFBitmap_GetWidth(bitmap), pdfium.FPDFBitmap_GetHeight(bitmap)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        depth = {pdfium.FPDFBitmap_Gray: 1, pdfium.FPDFBitmap_BGR: 3, pdfium.FPDFBitmap_BGRx: 4}
        depth[pdfium.FPDFBitmap_BGRA] = 4
        count = depth.get(pdfium.FPDFBitmap_GetFormat(bitmap), 0)
        if not count:
            return b""
        data = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * high)
        lines = bytearray()
        for y in range(high):
            line = data[y * stride : y * stride + wide * count]
            if count > 1:
                colours = bytearray(3 * wide)
                for place in range(3):
                    colours[place::3] = line[2 - place :: count]
                line = bytes(colours)
            lines += b"\0" + line
        header = struct.pack(">IIBBBBB", wide, high, 8, 0 if count == 1 else 2, 0, 0, 0)
        parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(lines))), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
            for name, part in parts
        )


def _straight(part: list[tuple[float, float]], stroked: bool) -> Iterator[Box]:
    """The level and upright lines along the corners of a path; a thin filled shape is one line."""
    xs, ys = [x for x, _ in part if x == x], [y for _, y in part if y == y]
    if len(xs) < 2:
        return
    left, right, bottom, top = min(xs), max(xs), min(ys), max(ys)
    if len(xs) == len(part) and min(right - left, top - bottom) < _THIN:
        if max(right - left, top - bottom) >= _SHORTEST:
            yield left, bottom, right, top
        return
    if not stroked:
        return
    for (x0, y0), (x1, y1) in pairwise(part):
        if min(abs(x1 - x0), abs(y1 - y0)) < 1 and max(abs(x1 - x0), abs(y1 - y0)) >= _SHORTEST:
            yield min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _most(runs: Sequence[_Run]) -> int:
    """The direction of most letters."""
    directions: Counter[int] = Counter()
    for style, glyphs in runs:
        if style.direction is not None:
            directions[style.direction] += len(glyphs)
    return directions.most_common(1)[0][0] if directions else 0


def _place(sheet: Sheet, runs: Sequence[_Run], direction: int) -> None:
    """Put the letters of the page's direction onto the sheet, and those of others as whole texts."""
    found: list[Glyph] = []
    for style, glyphs in runs:
        if style.direction == direction:
            found += glyphs
        else:
            text = "".join(" " * glyph.spaced + glyph.text for glyph in glyphs).strip()
            sheet.turned.append((text, glyphs[0].left, glyphs[0].base))
    sheet.glyphs = with_bullets(decoded(measured(found)))


def _whole(high: int, half: int) -> tuple[int, int]:
    """The first half of a letter that waits for its second (else 0), and the code of the whole letter."""
    if half < 0xDC00:
        return half, 0
    return 0, 0x10000 + ((high - 0xD800) << 10) + (half - 0xDC00) if high else 0xFFFD


def _turn(box: Box, quarters: int) -> Box:
    """A box on a page that is turned back by so many quarters of a circle."""
    left, bottom, right, top = box
    if quarters == 1:
        return bottom, -right, top, -left
    if quarters == 2:
        return -right, -top, -left, -bottom
    if quarters == 3:
        return -top, left, -bottom, right
    return box
