"""Pictures by their first bytes: how large they are, and whether that is worth showing. Nothing is decoded."""

from __future__ import annotations

import struct

MIN_SIDE = 64  # pixels; smaller ones are bullets, rules and icons
MAX_BYTES = 2 * 2**20
_MAX_PIXELS = 50_000_000  # which take a browser 200 MB; a header of 100 bytes may claim more than it has
MAX_COUNT = 200  # in one document
MAX_TOTAL = 40 * 2**20  # bytes in one document; the parser's child has 1 GB, and sends them as base64


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a png, jpeg, gif or bmp, by its header; None for everything else."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack_from(">II", data, 16)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack_from("<HH", data, 6)
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return width, abs(height)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
    except struct.error:  # cut off
        pass
    return None


def worth_showing(data: bytes) -> bool:
    """Whether a picture is worth keeping beside its passage: neither too small nor too large, of a known format."""
    size = size_of(data) if len(data) <= MAX_BYTES else None
    return size is not None and min(size) >= MIN_SIDE and size[0] * size[1] <= _MAX_PIXELS


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """The size is in the frame header, behind other segments that each say how long they are."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None
