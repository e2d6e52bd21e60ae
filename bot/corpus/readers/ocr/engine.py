"""The writing in pictures and scanned pages, line by line, where the extra `[ocr]` is installed.

The models lie in the wheel of rapidocr-onnxruntime. Only child processes import it.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bot.corpus.readers.child import Limits
from bot.corpus.readers.ocr.line import OcrLine
from bot.corpus.readers.ocr.page import in_reading_order
from bot.errors import ReadError

if TYPE_CHECKING:
    from pypdfium2 import PdfPage  # type: ignore[import-untyped]
    from rapidocr_onnxruntime import RapidOCR  # type: ignore[import-untyped]

Pixels = npt.NDArray[np.uint8]  # (height, width, 3)

# On A4 pages with letters of 6.5 to 10.5 points, 1,600 to 3,000 pixels along the longer side read equally well (within
# 0.5 % of the letters); 3,000 take twice the processor time of 2,000 and 1.3 GB.
LONGEST = 2000
_SMALLEST = 8  # pixels: no letter is lower
_SHARPEST = 200 / 72  # pixels per point; a small page gains nothing from more
_THREADS = 2
_SECONDS = 600  # of wall time for the pages of one file: a page takes 2 to 15 s on two cores
# A page of 2,000 pixels reserves 2.0 GB of address space (0.9 GB in memory), most of it for threads and code.
LIMITS = Limits(memory=3072, processor=_THREADS * (_SECONDS + 120), clock=_SECONDS + 120)
UNSURE = 0.5  # lines below this score are named in a warning


def available() -> bool:
    """Whether the extra is installed. Imports nothing."""
    return importlib.util.find_spec("rapidocr_onnxruntime") is not None


def missing(zh: str, en: str) -> ReadError:
    """The error for a file that only OCR can read, where there is none; the texts say what kind of file it is."""
    return ReadError("E-SCAN", zh, en, "pip install 'wenqu[ocr]'")


def lines_of(image: Pixels) -> list[OcrLine]:
    """The lines of an upright picture, in the order of reading; larger pictures are reduced to LONGEST pixels.

    Raises MemoryError.
    """
    if min(image.shape[:2]) < _SMALLEST or image.min() == image.max():
        return []
    try:
        found, _ = _engine()(np.ascontiguousarray(image), use_cls=False)
    except Exception as error:  # the runtime reports a failed allocation as an error of its own
        if "bad_alloc" in str(error) or "allocate" in str(error):
            raise MemoryError from error
        raise
    return in_reading_order([_line(*one) for one in found or [] if one[1].strip()])


def page_lines(page: PdfPage) -> list[OcrLine]:
    """The lines of a page of a PDF as it is shown, in the order of reading. Raises MemoryError."""
    scale = scale_of(page)
    lines = lines_of(page.render(scale=scale).to_numpy()[:, :, :3])
    return [
        replace(
            line, left=line.left / scale, top=line.top / scale, right=line.right / scale, bottom=line.bottom / scale
        )
        for line in lines
    ]


def scale_of(page: PdfPage) -> float:
    """Pixels per point at which a page is read."""
    width, height = page.get_size()
    return float(min(_SHARPEST, LONGEST / max(1.0, width, height)))


def _line(corners: Sequence[Sequence[float]], text: str, score: Any) -> OcrLine:
    across, down = [float(x) for x, _ in corners], [float(y) for _, y in corners]
    return OcrLine(text.strip(), min(across), min(down), max(across), max(down), float(score))


@cache
def _engine() -> RapidOCR:
    # Set before its import: from 1.29 on, onnxruntime else writes an id of the machine and reports to its maker.
    os.putenv("ORT_DISABLE_TELEMETRY", "1")
    import cv2
    from rapidocr_onnxruntime import RapidOCR

    cv2.setNumThreads(_THREADS)
    # `use_cls` would turn lines that look upside down: on a scanned book it turned 2 of 31 upright ones and lost them.
    # `text_score` would drop lines. One line at a time, because lines padded to one length take 1.4 times as long.
    return RapidOCR(
        intra_op_num_threads=_THREADS,
        inter_op_num_threads=1,
        use_cls=False,
        text_score=0,
        rec_batch_num=1,
        max_side_len=LONGEST,
    )


class Allowance:
    """The time that the pages of one file may take."""

    def __init__(self) -> None:
        """It runs from now on."""
        self._until = time.monotonic() + _SECONDS

    def is_spent(self) -> bool:
        """Whether no further page is to be read."""
        return time.monotonic() > self._until


def warning(unread: Sequence[int], lines: Iterable[OcrLine]) -> str:
    """What to say of pages (from 1) that were not read, and of lines that may be misread; "" if there is nothing."""
    unsure = sum(line.score < UNSURE for line in lines)
    said = [f"第 {_ranges(unread)} 页未识别，超过 {_SECONDS} 秒 / pages not recognised in time"] * bool(unread)
    said += [f"{unsure} 行可能识别有误 / lines that may be misread"] * bool(unsure)
    return "; ".join(said)


def _ranges(pages: Sequence[int]) -> str:
    """Numbers in ascending order as 3, 7-9."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
