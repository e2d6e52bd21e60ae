"""Files of other office programs (doc, wps, rtf, odt, ppt, dps), converted by LibreOffice where it is installed.

LibreOffice runs in a process group of its own with limits, with a new profile that runs no macros and follows no links.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bot.corpus.blocks import Parsed
from bot.corpus.readers.archive import check
from bot.errors import ReadError

_PROGRAMS = ("soffice", "libreoffice", "/Applications/LibreOffice.app/Contents/MacOS/soffice")
_OLE, _ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"
_PRESENTATION = "PowerPoint Document".encode("utf-16-le")
# Named, because LibreOffice reads as plain text what it cannot read otherwise.
_SOURCES = {
    ".doc": "MS Word 97",
    ".rtf": "Rich Text Format",
    ".odt": "writer8",
    ".ppt": "MS PowerPoint 97",
    ".odp": "impress8",
}
_TARGETS = {".docx": "docx:MS Word 2007 XML", ".pptx": "pptx:Impress MS PowerPoint 2007 XML"}
# Nothing that a document names may be loaded: no macros, no linked files and pictures, and a proxy that does not exist.
_SETTINGS = (
    ("/org.openoffice.Office.Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("/org.openoffice.Office.Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("/org.openoffice.Office.Common/Security/Scripting", "DisableActiveContent", "true"),
    ("/org.openoffice.Office.Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "2"),
    ("/org.openoffice.Inet/Settings", "ooInetProxyType", "2"),
    *(
        ("/org.openoffice.Inet/Settings", f"ooInet{scheme}Proxy{what}", value)
        for scheme in ("HTTP", "HTTPS", "FTP")
        for what, value in (("Name", "127.0.0.1"), ("Port", "9"))
    ),
)
_LIMITED = 'ulimit -t "$1"; ulimit -f "$2"; ulimit -v "$3"; ulimit -c 0; shift 3; exec "$@"'


@dataclass(frozen=True, slots=True)
class ConversionLimits:
    """What a conversion may take: seconds of CPU and of wall time, MB of a file it writes and of address space."""

    processor: int = 90
    clock: float = 120
    file: int = 100
    memory: int = 4096


def read(data: bytes) -> Parsed:
    """What the file says. Raises ReadError E-CONVERT, E-PASSWORD, E-TIME and those of the reader of the new format."""
    from bot.corpus.readers import reader_for

    found = _suffixes(data)
    reader = reader_for(found.target)
    if reader is None:
        raise ReadError("E-FORMAT", "不支持的格式", "format not supported")
    return reader(data if found.source == found.target else converted(data, found.source, found.target))


def converted(data: bytes, source: str, target: str, limits: ConversionLimits | None = None) -> bytes:
    """The file in the format with the suffix `target`, .docx or .pptx. Raises ReadError E-CONVERT or E-TIME."""
    limits = limits or ConversionLimits()
    program = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        cure = f"apt install libreoffice，或另存为 {target} / or save it as {target}"
        raise ReadError("E-CONVERT", "需要 LibreOffice 才能读取", "LibreOffice is needed and not installed", cure)
    with tempfile.TemporaryDirectory(prefix="wenqu-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / f"file{source}").write_bytes(data)
        _write_profile(folder / "profile")
        _run(_command(program, folder, source, target, limits), folder, limits)
        made = folder / "out" / f"file{target}"
        if not made.is_file():
            why = "LibreOffice cannot read it"
            raise ReadError("E-CONVERT", "LibreOffice 无法转换", why, f"另存为 {target} / save it as {target}")
        return made.read_bytes()


@dataclass(frozen=True, slots=True)
class _Suffixes:
    source: str
    target: str


def _suffixes(data: bytes) -> _Suffixes:
    """What the bytes are and what they become, whatever the name says: web pages are often called .doc."""
    start = data[:4096].lower()
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            cure = "去掉密码再保存 / save it without one"
            raise ReadError("E-PASSWORD", "文件有密码", "protected by a password", cure)
        return _Suffixes(".ppt", ".pptx") if _PRESENTATION in data else _Suffixes(".doc", ".docx")
    if data.startswith(_ZIP):
        return _zipped(data)
    if start.startswith(b"{\\rtf"):
        return _Suffixes(".rtf", ".docx")
    if b"word.document" in start:  # programs that fill in templates write Word's XML and call it .doc
        raise ReadError("E-FORMAT", "是 XML 形式的 Word 文件", "a Word file as XML", "另存为 .docx / save it as .docx")
    kind = ".mhtml" if b"mime-version:" in start else ".html" if b"<html" in start else ".txt"
    return _Suffixes(kind, kind)


def _zipped(data: bytes) -> _Suffixes:
    check(data)
    if b"word/document.xml" in data:
        return _Suffixes(".docx", ".docx")
    if b"ppt/presentation.xml" in data:
        return _Suffixes(".pptx", ".pptx")
    if b"opendocument.presentation" in data[:200]:
        return _Suffixes(".odp", ".pptx")
    return _Suffixes(".odt", ".docx")


def _command(program: str, folder: Path, source: str, target: str, limits: ConversionLimits) -> list[str]:
    bounds = [limits.processor, limits.file * 2048, limits.memory * 1024]  # s, blocks of 512 bytes, kB
    return [
        *("/bin/sh", "-c", _LIMITED, "sh", *map(str, bounds)),
        *(program, "--headless", "--norestore", "--nologo", "--nodefault", "--nolockcheck"),
        f"-env:UserInstallation={(folder / 'profile').as_uri()}",
        f"--infilter={_SOURCES[source]}",
        *("--convert-to", _TARGETS[target], "--outdir", str(folder / "out"), str(folder / f"file{source}")),
    ]


def _run(command: list[str], folder: Path, limits: ConversionLimits) -> None:
    """Run the command; whatever of it is left after it ends or is stopped is killed."""
    # Keys and addresses in our environment are none of a converter's business.
    environment = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": os.defpath, "LANG": "C.UTF-8"}
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ReadError(
            "E-CRASH", "无法启动 LibreOffice", f"LibreOffice cannot be started: {error.strerror}"
        ) from error
    try:
        process.wait(limits.clock)
    except subprocess.TimeoutExpired:
        what = f"转换超时，超过 {limits.clock:g} s"
        raise ReadError(
            "E-TIME", what, "converting takes too long", "拆分，或另存后再试 / split or resave it"
        ) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _write_profile(folder: Path) -> None:
    items = "".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, name, value in _SETTINGS
    )
    (folder / "user").mkdir(parents=True)
    (folder / "user" / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        f"{items}</oor:items>",
        encoding="utf-8",
    )
