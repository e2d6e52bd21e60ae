"""Reads the corpus folder: which files are there, what each one says, and what was skipped and why."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from bot.corpus.blocks import Parsed, Picture
from bot.corpus.cache import DocumentCache
from bot.corpus.readers import READERS, SLOW, reader_for
from bot.corpus.titles import is_title
from bot.errors import CorpusError, ReadError
from bot.text.dates import checked_date, date_in_head, date_in_name
from bot.types import Document

MAX_FILE_BYTES = 50 * 1024 * 1024
_MAX_TITLE = 120
# Common formats that have no reader, and what the user can do about it.
CONVERT = {
    ".caj": "打印为 .pdf / print it as .pdf",
}
ANSWERS = "answers.yaml"  # in the corpus folder itself; not an article, but changing it makes the index stale


class SourceFile(NamedTuple):
    """A file of the corpus that has a reader; `path` is relative to the corpus folder, with forward slashes.

    It is a tuple because large sets of tuples are compared 25 times as fast as sets of dataclasses.
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


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read: the document, the sha256 of the file's bytes, what is wrong with it, and its pictures."""

    document: Document
    digest: str
    warning: str = ""
    pictures: tuple[Picture, ...] = ()


Scan = tuple[list[SourceFile], list[Skipped]]


def scan(corpus: Path) -> Scan:
    """The readable files under `corpus`, sorted by path, and those that cannot be articles. Opens no file.

    Hidden files are ignored; links, devices and pipes are never followed or opened. Raises CorpusError if the folder
    is missing.
    """
    if not corpus.is_dir():
        raise CorpusError(
            f"找不到资料文件夹：{corpus}", "there is no such corpus folder", f"mkdir -p '{corpus}', or set WENQU_CORPUS"
        )
    found = sorted((_examine(entry, path) for entry, path in _entries(corpus)), key=lambda one: one.path)
    files: dict[str, SourceFile] = {}
    skipped = []
    for one in found:
        if isinstance(one, Skipped):
            skipped.append(one)
        elif files.setdefault(document_id(one.path), one) is not one:
            other = "与另一个文件同名 / the same name as another file, except for how accents are encoded: rename it"
            skipped.append(Skipped(one.path, "E-NAME", other))
    return list(files.values()), skipped


def _entries(corpus: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Everything that is not a folder, with its path; five times as fast as os.walk and pathlib."""
    waiting: list[tuple[str | Path, str]] = [(corpus, "")]
    while waiting:
        folder, path = waiting.pop()
        try:
            with os.scandir(folder) as opened:
                entries = [entry for entry in opened if not entry.name.startswith(".")]
        except OSError:
            continue  # a folder that we may not read counts as empty
        for entry in entries:
            below = f"{path}{entry.name}"
            if not _is_folder(entry):
                yield entry, below
            elif not entry.is_symlink():
                waiting.append((entry.path, f"{below}/"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points to itself
        return False


def _examine(entry: os.DirEntry[str], path: str) -> SourceFile | Skipped:
    shown = path.encode("utf-8", "replace").decode()
    if shown != path:
        return Skipped(shown, "E-NAME", "文件名不是有效的文字 / the file name is not valid text: rename it")
    _, dot, ending = entry.name.rpartition(".")  # making a Path of every name is slow in a large corpus
    suffix = f"{dot}{ending.lower()}"
    if suffix not in READERS and path != ANSWERS:
        cure = CONVERT.get(suffix) or "supported: " + " ".join(sorted(READERS))
        return Skipped(path, "E-FORMAT", f"不支持的格式 / format not supported → {cure}")
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Skipped(path, "E-READ", error.strerror or str(error))
    if not stat.S_ISREG(status.st_mode):
        return Skipped(path, "E-TYPE", "不是普通文件 / not a regular file (links are not followed)")
    if status.st_size > MAX_FILE_BYTES:
        return Skipped(path, "E-SIZE", f"文件大于 / larger than {MAX_FILE_BYTES // 2**20} MB → 请拆分 / split it")
    return SourceFile(path, status.st_size, status.st_mtime_ns)


def read_document(corpus: Path, file: SourceFile, documents: DocumentCache | None = None) -> Read:
    """What a file says.

    `documents` caches what the slow readers make of files. Raises ReadError, whatever is wrong with the file.
    """
    suffix = Path(file.path).suffix.lower()
    reader = reader_for(suffix)
    if reader is None:
        raise ReadError("E-FORMAT", "不支持的格式", "format not supported")
    data = _content(corpus, file.path)
    try:
        parsed = documents.read(reader, data) if documents and suffix in SLOW else reader(data)
    except ReadError:
        raise
    except Exception as error:  # parsers raise errors of many kinds, and one bad file must not stop the run
        raise ReadError("E-PARSE", "无法解析", f"cannot be parsed: {type(error).__name__}: {error}"[:200]) from error
    if not parsed.text.strip():
        raise ReadError("E-EMPTY", "文件里没有文字", "the file holds no text")
    identity = document_id(file.path)
    title = parsed.title[:_MAX_TITLE] if is_title(parsed.title) else Path(identity).stem
    about = (parsed.blocks, parsed.pages, parsed.left_out, _date(file, parsed))
    document = Document(identity, title, parsed.text, file.path, *about)
    return Read(document, hashlib.sha256(data).hexdigest(), parsed.warning, parsed.pictures)


def _date(file: SourceFile, parsed: Parsed) -> str:
    """When a document is from: by its name, its first lines, its properties, else when the file was changed."""
    changed = datetime.fromtimestamp(file.mtime_ns / 1e9, UTC).date().isoformat()
    stem = Path(file.path).stem
    return date_in_name(stem) or date_in_head(parsed.text) or checked_date(parsed.date) or changed


def document_id(path: str) -> str:
    """The id of the article in a file: its path in NFC, because systems encode accents differently."""
    return unicodedata.normalize("NFC", path)


def collection_of(identity: str) -> str:
    """The collection of a document: the first folder of its path, "" for a file in the corpus folder itself."""
    folder, slash, _ = identity.partition("/")
    return folder if slash else ""


def digest_of(corpus: Path, file: SourceFile) -> str:
    """The sha256 of the file's bytes. Raises ReadError."""
    return hashlib.sha256(_content(corpus, file.path)).hexdigest()


def _content(corpus: Path, path: str) -> bytes:
    """The bytes of a regular file. Raises ReadError if it became a link, a pipe or too large since the scan."""
    try:
        with open_file(corpus, path) as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        code = "E-TYPE" if error.errno in (errno.ELOOP, errno.ENOTDIR) else "E-READ"
        raise ReadError(code, "无法读取", f"cannot be read: {error.strerror}", f"chmod u+r '{path}'") from error
    if len(data) > MAX_FILE_BYTES:
        raise ReadError("E-SIZE", f"超过 {MAX_FILE_BYTES // 2**20} MB", "too large", "请拆分 / split it")
    return data


def open_file(corpus: Path, path: str) -> BufferedReader:
    """A regular file of the corpus, opened without following links. Raises OSError and ReadError."""
    opened = os.fdopen(_opened(corpus, path), "rb")
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise ReadError("E-TYPE", "不是普通文件", "not a regular file")
    return opened


def _opened(corpus: Path, path: str) -> int:
    """A descriptor for a file of the corpus; fails if a folder on the way to it has become a link."""
    *folders, name = path.split("/")
    inside = os.open(corpus, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            outside, inside = inside, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
            os.close(outside)
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=inside)
    finally:
        os.close(inside)
