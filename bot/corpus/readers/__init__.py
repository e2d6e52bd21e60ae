"""Readers, one module per format: bytes in, blocks out (bot.corpus.blocks).

A new format needs a module here with a function `read`, and a line below for each of its suffixes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from bot.corpus.blocks import Parsed

# Suffix -> module. Imported when the first file of the format is read, because a parser takes up to 0.4 s to import.
READERS = {
    ".txt": "plain.txt",
    ".text": "plain.txt",
    ".md": "web.md",
    ".markdown": "web.md",
    ".html": "web.html",
    ".htm": "web.html",
    ".xhtml": "web.html",
    ".mht": "web.mhtml",
    ".mhtml": "web.mhtml",
    ".docx": "word.docx",
    ".docm": "word.docx",
    ".dotx": "word.docx",
    ".dotm": "word.docx",
    ".doc": "word.office",
    ".wps": "word.office",
    ".rtf": "word.office",
    ".odt": "word.office",
    ".ppt": "word.office",
    ".dps": "word.office",
    ".pdf": "pdf.reader",
    ".xlsx": "sheets.workbook",
    ".xlsm": "sheets.workbook",
    ".xls": "sheets.workbook",
    ".xlsb": "sheets.workbook",
    ".et": "sheets.workbook",
    ".ods": "sheets.workbook",
    ".csv": "sheets.separated",
    ".tsv": "sheets.separated",
    ".pptx": "slides",
    ".ppsx": "slides",
    ".epub": "epub",
    ".png": "ocr.picture",
    ".jpg": "ocr.picture",
    ".jpeg": "ocr.picture",
    ".webp": "ocr.picture",
    ".bmp": "ocr.picture",
    ".tif": "ocr.picture",
    ".tiff": "ocr.picture",
}
# All others have parsers that a file can crash or slow down: they run in a child process (child.py), with a cache.
_IN_THIS_PROCESS = ("plain.txt", "web.md", "web.html", "sheets.separated")
SLOW = {suffix for suffix, name in READERS.items() if name not in _IN_THIS_PROCESS}


Reader = Callable[[bytes], Parsed]


def reader_for(suffix: str) -> Reader | None:
    """The `read` function for a suffix (lower case, with its dot); None if there is no reader for it."""
    name = READERS.get(suffix)
    if name is None:
        return None
    reader: Reader = importlib.import_module(f"{__name__}.{name}").read
    return reader
