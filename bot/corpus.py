"""corpus/ to articles: which files are there, what each one says, and what was skipped and why."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bot.documents import DocumentCache
from bot.errors import CorpusError, ReadError
from bot.readers import is_slow, reader_for, reader_modules
from bot.types import Article

MAX_FILE_BYTES = 50 * 1024 * 1024
# Formats that many have articles in, and what to do with them.
CONVERT = {
    ".doc": "另存为 .docx / save it as .docx",
    ".wps": "另存为 .docx / save it as .docx",
    ".rtf": "另存为 .docx / save it as .docx",
    ".odt": "另存为 .docx / save it as .docx",
    ".docm": "另存为 .docx / save it as .docx",
    ".caj": "打印为 .pdf / print it as .pdf",
}
ANSWERS = "answers.yaml"  # in the corpus folder itself: no article, but a change of it makes the index stale


class SourceFile(NamedTuple):
    """A file of the corpus that a reader takes; `path` is relative to the corpus folder, with forward slashes.

    A tuple: sets of 68,221 are compared in 0.02 s, of dataclasses in 0.5 s.
    """

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not in the index: a stable code (E-ENC, E-FORMAT, ...) and the reason in words."""

    path: str
    code: str
    reason: str


Scan = tuple[list[SourceFile], list[Skipped]]


def scan(corpus: Path) -> Scan:
    """The readable files under `corpus`, sorted by path, and the ones that cannot be articles. Opens no file.

    Hidden files are passed over. Links, devices and pipes are never followed or opened.
    Raises CorpusError when the folder is missing.
    """
    if not corpus.is_dir():
        raise CorpusError(
            f"找不到文章文件夹 {corpus}", "there is no such corpus folder", f"mkdir -p '{corpus}', or set WENQU_CORPUS"
        )
    found = sorted((_examine(entry, path) for entry, path in _entries(corpus)), key=lambda one: one.path)
    files: dict[str, SourceFile] = {}
    skipped = []
    for one in found:
        if isinstance(one, Skipped):
            skipped.append(one)
        elif files.setdefault(article_id(one.path), one) is not one:
            other = "与另一个文件同名 / the same name as another file, but for how accents are written: rename it"
            skipped.append(Skipped(one.path, "E-NAME", other))
    return list(files.values()), skipped


def _entries(corpus: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """What is no folder, with its path; 68,221 files in 0.3 s, where os.walk and pathlib took 1.5 s."""
    waiting: list[tuple[str | Path, str]] = [(corpus, "")]
    while waiting:
        folder, path = waiting.pop()
        try:
            with os.scandir(folder) as opened:
                entries = [entry for entry in opened if not entry.name.startswith(".")]
        except OSError:
            continue  # a folder that may not be read holds nothing
        for entry in entries:
            below = f"{path}{entry.name}"
            if not _is_folder(entry):
                yield entry, below
            elif not entry.is_symlink():
                waiting.append((entry.path, f"{below}/"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _examine(entry: os.DirEntry[str], path: str) -> SourceFile | Skipped:
    shown = path.encode("utf-8", "replace").decode()
    if shown != path:
        return Skipped(shown, "E-NAME", "文件名不是有效的文字 / the file name is not valid text: rename it")
    _, dot, ending = entry.name.rpartition(".")  # a Path for each of 68,221 names takes 0.5 s
    suffix = f"{dot}{ending.lower()}"
    if suffix not in reader_modules() and path != ANSWERS:
        cure = CONVERT.get(suffix) or "supported: " + " ".join(sorted(reader_modules()))
        return Skipped(path, "E-FORMAT", f"不支持的格式 / format not supported → {cure}")
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Skipped(path, "E-READ", error.strerror or str(error))
    if not stat.S_ISREG(status.st_mode):
        return Skipped(path, "E-TYPE", "不是普通文件 / not a regular file (links are not followed)")
    if status.st_size > MAX_FILE_BYTES:
        return Skipped(path, "E-SIZE", f"超过 / over {MAX_FILE_BYTES // 2**20} MB: 请拆分 / split it")
    return SourceFile(path, status.st_size, status.st_mtime_ns)


def read_article(corpus: Path, file: SourceFile, documents: DocumentCache | None = None) -> tuple[Article, str, str]:
    """The article of a file, the sha256 of the file's bytes, and a warning ("" where there is nothing to say).

    What a slow reader makes of the file is taken from `documents`, and kept there. Raises ReadError, whatever is wrong
    with the file.
    """
    reader = reader_for(Path(file.path).suffix)
    if reader is None:
        raise ReadError("E-FORMAT", "不支持的格式", "format not supported")
    data = _content(corpus, file.path)
    try:
        document = documents.read(reader, data) if documents and is_slow(reader) else reader(data)
    except ReadError:
        raise
    except Exception as error:  # a parser's own errors are of many kinds; one bad file never stops the run
        raise ReadError("E-PARSE", "无法解析", f"cannot be parsed: {type(error).__name__}: {error}"[:200]) from error
    title = " ".join((document.title or _first_line(document.text)).split())[:120]
    return (
        Article(article_id(file.path), title, document.text, file.path),
        hashlib.sha256(data).hexdigest(),
        document.warning,
    )


def article_id(path: str) -> str:
    """The id of the article of a file: its path, the same on systems that write accents in another way."""
    return unicodedata.normalize("NFC", path)


def digest_of(corpus: Path, file: SourceFile) -> str:
    """The sha256 of the file's bytes. Raises ReadError."""
    return hashlib.sha256(_content(corpus, file.path)).hexdigest()


def _content(corpus: Path, path: str) -> bytes:
    """The bytes of a regular file; one that became a link, a pipe or larger since it was looked at is refused."""
    try:
        with os.fdopen(_opened(corpus, path), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise ReadError("E-TYPE", "不是普通文件", "not a regular file")
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        code = "E-TYPE" if error.errno in (errno.ELOOP, errno.ENOTDIR) else "E-READ"
        raise ReadError(code, "无法读取", f"cannot be read: {error.strerror}", f"chmod u+r '{path}'") from error
    if len(data) > MAX_FILE_BYTES:
        raise ReadError("E-SIZE", f"超过 {MAX_FILE_BYTES // 2**20} MB", "too large", "请拆分 / split it")
    return data


def _opened(corpus: Path, path: str) -> int:
    """A descriptor of a file of the corpus; no folder on the way to it may have become a link either."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if os.open not in os.supports_dir_fd:  # Windows
        return os.open(corpus / path, flags)
    *folders, name = path.split("/")
    inside = os.open(corpus, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            outside, inside = inside, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
            os.close(outside)
        return os.open(name, flags, dir_fd=inside)
    finally:
        os.close(inside)


def _first_line(text: str) -> str:
    """The first line that reads like a title: a line repeated later wins, for sites repeat their headline."""
    lines = [line.strip().lstrip("#").strip() for line in text.split("\n") if line.strip()]
    for line in lines[:5]:
        if 4 <= len(line) <= 60 and lines.count(line) > 1:
            return line
    return next((line for line in lines[:3] if len(line) <= 60 and "  " not in line and "。" not in line), "")
