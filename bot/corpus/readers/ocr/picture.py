"""Pictures: what is written on a photo, a screenshot or a scan, recognised by OCR; the picture itself is kept.

Parsed in a child process.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.child import in_child
from bot.corpus.readers.ocr import engine as ocr
from bot.corpus.readers.ocr.line import OcrLine
from bot.corpus.readers.ocr.page import write_page
from bot.errors import ReadError

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")  # no others: Pillow starts Ghostscript for some
# A3 at 600 dpi has 70 million pixels, the cameras of telephones have up to 108; each takes three or four bytes.
_MOST_PIXELS = 120_000_000
_MOST_PAGES = 1000
_TALL = 2.5  # times as high as wide: a long screenshot, read piece by piece, because reduced it is illegible
_KEPT_SIDE, _KEPT_BYTES = 1600, 1_000_000


def read(data: bytes) -> Parsed:
    """What is written in a picture. Raises ReadError E-SCAN (without OCR), E-FORMAT, E-BOMB and those of in_child."""
    return in_child(__name__, data, ocr.LIMITS)


def parse(data: bytes) -> Parsed:
    """The same, in this process."""
    picture = _opened(data)
    if not ocr.available():
        raise ocr.missing("图片里的文字要先识别", "a picture: what is written in it has to be recognised")
    allowance, writer = ocr.Allowance(), BlockWriter()
    found: list[OcrLine] = []
    unread: list[int] = []
    pages = min(getattr(picture, "n_frames", 1), _MOST_PAGES) if picture.format == "TIFF" else 1
    for page in range(pages):
        if pages > 1:
            writer.begin_page()
        for piece in _pieces(picture, page):
            if allowance.is_spent():
                unread.append(page + 1)
                break
            writer.picture(kept(piece))
            lines = ocr.lines_of(np.asarray(piece)[:, :, ::-1])
            write_page(writer, lines)
            found += lines
    return writer.parsed(warning=ocr.warning(unread, found))


def _opened(data: bytes) -> Image.Image:
    """The picture, of which only the header has been read."""
    Image.MAX_IMAGE_PIXELS = None  # Pillow only warns up to twice its limit
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise ReadError("E-FORMAT", "不是图片文件", "not really a picture", "另存为 PNG / save it as PNG") from None
    _check_size(picture)
    return picture


def _check_size(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > _MOST_PIXELS:
        what = f"{width} x {height} pixels"
        raise ReadError("E-BOMB", "图片展开后过大", what, "缩小，或裁成几张 / make it smaller, or split it")


def _pieces(picture: Image.Image, page: int) -> Iterator[Image.Image]:
    """A page of a picture upright, in RGB and small enough for OCR; a long screenshot in pieces."""
    if page:
        picture.seek(page)
        _check_size(picture)
    width, height = picture.size
    tall = max(width, height) > _TALL * min(width, height)
    scale = min(1, ocr.LONGEST / (min(width, height) if tall else max(width, height)))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture.draft("RGB", size)  # a JPEG is decoded at a half, a quarter or an eighth of its size
    whole = (
        picture.convert("RGBA" if picture.has_transparency_data else "RGB") if picture.mode in ("1", "P") else picture
    )
    whole.thumbnail(size, reducing_gap=2)  # first, because every further step copies the picture
    whole = _on_white(ImageOps.exif_transpose(whole))
    whole.thumbnail((ocr.LONGEST, whole.height))
    if whole.height <= ocr.LONGEST:
        yield whole
        return
    top = 0
    while top < whole.height:
        bottom = _blank_row(whole, top, top + ocr.LONGEST)
        yield whole.crop((0, top, whole.width, bottom))
        top = bottom


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture in RGB; where it is transparent, white shows, as on a page."""
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda value: value / 256).convert("L")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    over = picture.convert("RGBA")
    under = Image.new("RGBA", over.size, "white")
    under.alpha_composite(over)
    return under.convert("RGB")


def _blank_row(picture: Image.Image, top: int, bottom: int) -> int:
    """Where a piece that begins at `top` and ends before `bottom` is cut: in its last quarter, where least is drawn."""
    if bottom >= picture.height:
        return picture.height
    first = bottom - (bottom - top) // 4
    rows = np.asarray(picture.crop((0, first, picture.width, bottom)).convert("L"), dtype=np.float32)
    return first + int(np.argmin(rows.std(axis=1))) + 1


def kept(picture: Image.Image) -> bytes:
    """The picture as the page shows it: a JPEG of at most 1 MB."""
    small = picture.copy()
    small.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
    for quality in (85, 70, 50, 30):
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality)
        if out.tell() <= _KEPT_BYTES:
            break
    return out.getvalue()
