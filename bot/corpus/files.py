"""The corpus folder as people change it: a file is put in whole or not at all, taken out, put back.

What is taken out or replaced is kept for a week in a hidden folder, which no scan looks into:

corpus/.wenqu/arriving/             files that are still being written
corpus/.wenqu/removed/NAME/...      one file each, under its path in the corpus
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bot.corpus.readers import READERS
from bot.corpus.scan import CONVERT, MAX_FILE_BYTES, document_id
from bot.errors import StoreError

OWN = ".wenqu"
_ARRIVING, _REMOVED = "arriving", "removed"
_KEPT_SECONDS = 7 * 24 * 3600
_LONGEST_NAME, _LONGEST_PATH = 255, 1000  # bytes
_CHUNK = 1024 * 1024
# Windows opens a device of these names, whatever the suffix; folders are copied from machine to machine.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
# Unseen, or they turn the reading direction: a name with one may look like another name.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def claim(corpus: Path) -> None:
    """Say that an empty folder is meant to be empty: files will be put in here. Raises StoreError."""
    with _changing(corpus, OWN):
        own_folder(corpus, _ARRIVING)


def is_claimed(corpus: Path) -> bool:
    """Whether files were put into the folder here. If it is empty then, it is no disk that is not mounted."""
    return (corpus / OWN).is_dir()


def stored_path(name: str, collection: str = "") -> str:
    """The path in the corpus for a file that a browser calls `name`, which may have folders. Raises StoreError.

    It is refused rather than changed: a file must be found again under the name that it was given.
    """
    parts = [part for part in f"{collection}/{name}".replace("\\", "/").split("/") if part]
    path = document_id("/".join(parts))
    for part in parts:
        if part.startswith("."):
            raise _name("以点开头的文件不会被读取", "a name that begins with a dot is passed over", "改名 / rename it")
        if _DEVICE.match(part):
            raise _name("Windows 不能打开这个名字", "Windows cannot open a file of that name", "改名 / rename it")
        if any(unicodedata.category(letter) in _UNSEEN for letter in part):
            raise _name("文件名里有看不见的字符", "the name has characters that are not seen", "改名 / rename it")
        if len(part.encode()) > _LONGEST_NAME:
            raise _name("文件名太长", "the name is too long", f"最多 {_LONGEST_NAME} 字节 / at most so many bytes")
    if not parts or len(path.encode()) > _LONGEST_PATH:
        raise _name("没有文件名，或路径太长", "no name, or too long a path", "改名 / rename it")
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in READERS:
        cure = CONVERT.get(suffix) or "supported: " + " ".join(sorted(READERS))
        raise StoreError("E-FORMAT", "不支持的格式", "format not supported", cure)
    return path


def put_in(corpus: Path, path: str, content: BinaryIO) -> None:
    """Write a file under a path of `stored_path`; one that was there is replaced at once and kept as if taken out.

    Every byte is on disk before the name appears. Raises StoreError, and then nothing has changed.
    """
    with _changing(corpus, path):
        _forget(corpus)
        arriving = own_folder(corpus, _ARRIVING) / secrets.token_hex(8)
        try:
            with arriving.open("xb") as file:
                _copy(content, file)
            _replace(corpus, path, arriving)
        finally:
            arriving.unlink(missing_ok=True)


def take_out(corpus: Path, path: str) -> str:
    """Take a file out of the corpus; returns the name by which `put_back` brings it back. Raises StoreError."""
    with _changing(corpus, path):
        _forget(corpus)
        name, kept = _place_to_keep(corpus, path)
        with _opened_folder(corpus, path) as folder:
            os.rename(PurePosixPath(path).name, kept, src_dir_fd=folder)
            os.fsync(folder)
        return name


def put_back(corpus: Path, name: str) -> str:
    """Bring a file back that was taken out; returns its path. Raises StoreError if it is gone or its place is taken."""
    folder = own_folder(corpus, _REMOVED) / name
    kept = [file for file in folder.rglob("*") if file.is_file()] if name.isalnum() and folder.is_dir() else []
    if not kept:
        raise StoreError("E-GONE", "已经找不回来了", "it is not kept any more")
    path = kept[0].relative_to(folder).as_posix()
    with _changing(corpus, path), _opened_folder(corpus, path) as inside:
        # A hard link fails if the name is taken, where renaming would replace what is there.
        os.link(kept[0], PurePosixPath(path).name, dst_dir_fd=inside)
        os.fsync(inside)
    shutil.rmtree(folder, ignore_errors=True)
    return path


def _name(zh: str, en: str, cure: str) -> StoreError:
    return StoreError("E-NAME", zh, en, cure)


@contextmanager
def _changing(corpus: Path, path: str) -> Iterator[None]:
    """Turns the errors of a folder that is full, read-only or different from what was expected into StoreError."""
    try:
        yield
    except FileExistsError as error:
        raise _name(
            f"已有同名的文件或文件夹：{path}", "a file or folder of that name is there", "改名 / rename it"
        ) from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise StoreError("E-GONE", f"没有这个文件：{path}", f"there is no such file: {error.strerror}") from error
    except OSError as error:
        if error.errno in _FULL:
            raise StoreError("E-DISK", "磁盘已满", "the disk is full", "df -h") from error
        what = f"cannot be written: {error.strerror}"
        raise StoreError("E-WRITE", f"无法写入资料文件夹：{corpus}", what, "ls -ld; WENQU_CORPUS=...") from error


def own_folder(corpus: Path, name: str = "") -> Path:
    """The hidden folder, or one in it; made if it is missing."""
    folder = corpus / OWN / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _copy(content: BinaryIO, file: BinaryIO) -> None:
    size = 0
    while chunk := content.read(_CHUNK):
        size += len(chunk)
        if size > MAX_FILE_BYTES:
            raise StoreError(
                "E-SIZE", f"文件大于 {MAX_FILE_BYTES // 2**20} MB", "the file is too large", "拆分 / split it"
            )
        file.write(chunk)
    file.flush()
    os.fsync(file.fileno())


def _replace(corpus: Path, path: str, arrived: Path) -> None:
    """Give the file its name; what had it before is kept."""
    name = PurePosixPath(path).name
    with _opened_folder(corpus, path, make=True) as folder:
        if _is_there(folder, name):
            os.link(name, _place_to_keep(corpus, path)[1], src_dir_fd=folder, follow_symlinks=False)
        os.rename(arrived, name, dst_dir_fd=folder)
        os.fsync(folder)


def _is_there(folder: int, name: str) -> bool:
    """Whether something that is no folder has the name. Raises FileExistsError for a folder."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise FileExistsError
    return True


def _place_to_keep(corpus: Path, path: str) -> tuple[str, Path]:
    """A name of its own, and where a file of that path is kept by it."""
    name = f"{int(time.time()):011d}{secrets.token_hex(8)}"
    kept = own_folder(corpus, _REMOVED) / name / path
    kept.parent.mkdir(parents=True)
    return name, kept


def _forget(corpus: Path) -> None:
    """Remove what was taken out long ago, and what never arrived."""
    before = time.time() - _KEPT_SECONDS
    for folder in own_folder(corpus, _REMOVED).iterdir():
        if folder.name < f"{int(before):011d}":
            shutil.rmtree(folder, ignore_errors=True)
    for file in own_folder(corpus, _ARRIVING).iterdir():
        with suppress(OSError):
            if file.stat().st_mtime < before:
                file.unlink()


@contextmanager
def _opened_folder(corpus: Path, path: str, *, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder that a path of the corpus is in; no link is followed on the way to it."""
    opened = os.open(corpus, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in PurePosixPath(path).parts[:-1]:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=opened)
                    os.fsync(opened)
            before, opened = opened, os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
            os.close(before)
        yield opened
    finally:
        os.close(opened)
