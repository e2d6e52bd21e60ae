"""PDF with pages that are pictures, or whose fonts do not say their letters: what is shown on them is recognised.

Parsed in a child process with the limits of OCR; all other pages are read as in any PDF.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from bot.corpus.blocks import Parsed
from bot.corpus.readers.ocr import engine as ocr
from bot.corpus.readers.ocr.line import OcrLine
from bot.corpus.readers.ocr.page import sides
from bot.corpus.readers.pdf import reader as pdf
from bot.corpus.readers.pdf.layout import Piece

_LONG = 12  # letters of a line of which the size can be measured to a hundredth
_STEP = 1.05  # from one size of print to the next
_SAME_SIZE = 1.25  # sizes of short lines that differ by less may be the same
_NEAR_MARGIN = 0.9  # letters
_DESCENT = 0.2  # of the size of letters, below the line on which they stand


def parse(data: bytes) -> Parsed:
    """The document, in this process."""
    import pypdfium2  # type: ignore[import-untyped]

    document = pypdfium2.PdfDocument(data)
    allowance = ocr.Allowance()
    seen: list[int] = []
    unread: list[int] = []
    found: list[OcrLine] = []

    def recognise(number: int) -> list[Piece]:
        if allowance.is_spent():
            unread.append(number + 1)
            return []
        seen.append(number)
        page = document[number]
        lines = ocr.page_lines(page)
        found.extend(lines)
        return _pieces(lines, page.get_height())

    parsed = pdf.parse(data, recognise)
    said = [text for text in (ocr.warning(unread, found), parsed.warning) if text]
    # The sizes of recognised letters are too rough to tell a title; the file name is a better one.
    return replace(parsed, title="" if 0 in seen else parsed.title, warning="; ".join(said))


def _pieces(lines: list[OcrLine], height: float) -> list[Piece]:
    """Lines as the layout of PDF pages takes them, with y growing upwards."""
    if not lines:
        return []
    sizes = _sizes(lines)
    margin, end = sides(lines)
    pieces = []
    for line in lines:
        near = min(sizes, key=lambda size: abs(size - line.size), default=line.size)
        size = near if 1 / _SAME_SIZE < line.size / near < _SAME_SIZE else line.size
        middle = height - (line.top + line.bottom) / 2
        # A box may end before the last comma of a line, and begin after its first bracket.
        left = margin if abs(line.left - margin) < _NEAR_MARGIN * size else line.left
        right = end if abs(line.right - end) < _NEAR_MARGIN * size else line.right
        pieces.append(Piece(line.text, left, right, middle - (0.5 - _DESCENT) * size, size, False))
    return pieces


def _sizes(lines: list[OcrLine]) -> list[float]:
    """The sizes of print on a page, measured on its long lines."""
    measured = sorted(line.size for line in lines if len(line.text) >= _LONG)
    groups: list[list[float]] = []
    for size in measured:
        if groups and size < _STEP * groups[-1][-1]:
            groups[-1].append(size)
        else:
            groups.append([size])
    return [median(group) for group in groups]
