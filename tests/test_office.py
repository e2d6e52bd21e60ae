"""bot.corpus.readers.word.office: files of other office programs through LibreOffice, and what happens without it."""

from __future__ import annotations

import http.server
import io
import os
import shutil
import stat
import threading
import time
import zipfile
from pathlib import Path

import docx
import pytest
from documents import word_bytes

from bot.corpus.readers.word.office import ConversionLimits, converted, read
from bot.corpus.scan import SourceFile, read_document
from bot.errors import ReadError

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
RTF = rb"{\rtf1\ansi {\b \u-26759?\u30418?} \par \u-29983?\u-28215?\u20108?\u30334?\u20803?\u12290?\par}"
needs_libreoffice = pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")


def code_of(data: bytes) -> str:
    with pytest.raises(ReadError) as error:
        read(data)
    return error.value.code


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program called soffice on the path that runs a shell script."""

    def install(script: str) -> Path:
        program = tmp_path / "bin" / "soffice"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return program

    return install


def test_without_libreoffice_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "旧.doc").write_bytes(OLE + bytes(600))
    with pytest.raises(ReadError) as error:
        read_document(tmp_path, SourceFile("旧.doc", 608, 0))
    assert error.value.code == "E-CONVERT"
    assert "apt install libreoffice" in str(error.value) and ".docx" in str(error.value)


def test_what_libreoffice_writes_is_read_and_it_sees_none_of_our_environment(tmp_path: Path, stand_in, monkeypatch):
    word = docx.Document()
    word.add_paragraph("驼绒每公斤一百八十五元。")
    (tmp_path / "made.docx").write_bytes(word_bytes(word))
    monkeypatch.setenv("WENQU_LLM_KEY", "geheim")
    stand_in(
        f'mkdir out; cp "{tmp_path}/made.docx" out/file.docx; env > "{tmp_path}/env"; echo "$@" > "{tmp_path}/args"'
    )
    assert read(OLE + bytes(600)).text == "驼绒每公斤一百八十五元。"
    assert "geheim" not in (tmp_path / "env").read_text()
    arguments = (tmp_path / "args").read_text()
    assert "--headless" in arguments and "-env:UserInstallation=file:///" in arguments


def test_a_conversion_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, stand_in):
    stand_in(f'sleep 60 & echo $! > "{tmp_path}/pid"; wait')
    start = time.monotonic()
    with pytest.raises(ReadError) as error:
        converted(OLE, ".doc", ".docx", ConversionLimits(clock=1))
    assert (error.value.code, time.monotonic() - start < 20) == ("E-TIME", True)
    status = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":  # killed, but not dead at once
        assert time.monotonic() - start < 20
        time.sleep(0.05)


def test_a_file_is_told_by_its_bytes_not_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))  # nothing of this needs LibreOffice
    word = docx.Document()
    word.add_paragraph("正文。")
    assert read(word_bytes(word)).text == "正文。"
    page = "<html><body><p>云岭毛纺厂收购驼绒，每公斤一百八十五元，七日内付清。</p></body></html>"
    assert "每公斤一百八十五元" in read(page.encode()).text
    assert code_of(bytes(range(256)) * 12) == "E-BINARY"
    assert code_of(OLE + "EncryptedPackage".encode("utf-16-le") + bytes(600)) == "E-PASSWORD"
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", bytes(120 * 2**20))
    assert code_of(bomb.getvalue()) == "E-BOMB"


@needs_libreoffice
def test_a_real_conversion_and_one_of_a_damaged_file():
    assert read(RTF).text.endswith("二百元。")
    assert code_of(OLE + os.urandom(5000)) == "E-CONVERT"


@needs_libreoffice
def test_a_document_cannot_make_the_converter_fetch_or_read_anything(tmp_path: Path):
    (tmp_path / "secret.txt").write_text("机密内容", encoding="utf-8")
    asked = []

    class Spy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Spy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            text = read(linking(f"http://127.0.0.1:{server.server_port}/a.png", tmp_path / "secret.txt")).text
        finally:
            server.shutdown()
    assert (text, asked) == ("正文。\n\n旧。", [])


def linking(address: str, file: Path) -> bytes:
    """An odt file with a picture of another address and a section of another file."""
    names = "".join(
        f' xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in [("office", "office"), ("text", "text"), ("draw", "drawing"), ("svg", "svg-compatible")]
    )
    image = f'<draw:image xlink:href="{address}" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"/>'
    content = (
        f'<office:document-content{names} xmlns:xlink="http://www.w3.org/1999/xlink" office:version="1.2"><office:body>'
        f'<office:text><text:p>正文。<draw:frame svg:width="5cm" svg:height="5cm" text:anchor-type="as-char">{image}'
        f'</draw:frame></text:p><text:section text:name="s"><text:section-source xlink:href="{file.as_uri()}"'
        ' xlink:type="simple"/><text:p>旧。</text:p></text:section></office:text></office:body>'
        "</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.text"
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)
    return out.getvalue()
