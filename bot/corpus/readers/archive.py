"""Office files and books are zip archives: what their directory says before anything is unpacked."""

from __future__ import annotations

import io
import zipfile

from bot.errors import ReadError

# A zip bomb of 0.9 MB unpacked to 330 times its size. For a small document the ratio says little.
_MAX_UNPACKED, _MAX_RATIO, _RATIO_FROM = 100 * 2**20, 100, 10 * 2**20
_MAX_ENTRIES = 10_000  # a presentation of 500 slides with notes has 3,000


def check(data: bytes) -> None:
    """Raise ReadError if the archive's directory shows that the file must not be unpacked."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):  # the container format of old Word files and of encrypted new ones
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise ReadError(
                "E-PASSWORD", "文件有密码", "protected by a password", "去掉密码再保存 / save it without one"
            )
        old = "really an old file of Word or PowerPoint"
        raise ReadError(
            "E-FORMAT", "是旧的 .doc 或 .ppt 格式", old, "另存为 .docx 或 .pptx / save it as .docx or .pptx"
        )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    ratio = unpacked / max(1, len(data))
    if unpacked > _MAX_UNPACKED or len(entries) > _MAX_ENTRIES or (unpacked > _RATIO_FROM and ratio > _MAX_RATIO):
        what = f"{len(entries)} entries, {unpacked / 2**20:.0f} MB unpacked, {ratio:.0f} times its size"
        raise ReadError("E-BOMB", "压缩包展开后过大", what, "请拆分，或去掉图片 / split it, or remove pictures")
