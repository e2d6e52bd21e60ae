"""Files that no index run may stumble over, made anew by each test: what each is called, and what becomes of it."""

from __future__ import annotations

import io
import os
import random
import socket
import zipfile
from pathlib import Path

import docx
import openpyxl
import pptx
from documents import page_pdf, pdf, raw_pdf, with_part, word_bytes
from openpyxl import Workbook
from pptx.presentation import Presentation
from test_pdf import encrypted, scanned

TEXT = "寒武纪公司于2020年登陆科创板,是第一家在那里上市的人工智能芯片公司。合肥投资了它,它也落户合肥。"
OLD = "數據庫與軟體發展迅速,臺灣的半導體產業在全球佔有重要地位,許多公司在新竹設廠。"
READ = ""  # what stands for a file that is read


def word(*paragraphs: str) -> bytes:
    made = docx.Document()
    for paragraph in paragraphs:
        made.add_paragraph(paragraph)
    return word_bytes(made)


def bomb(megabytes: int = 297) -> bytes:
    """A Word file of under a megabyte whose text part unpacks to `megabytes`."""
    text = b"<w:p><w:r><w:t>" + b"A" * (megabytes * 1_000_000) + b"</w:t></w:r></w:p>"
    return with_part(word(TEXT), "word/document.xml", lambda xml: xml.replace(b"<w:sectPr", text + b"<w:sectPr", 1))


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


def contents(rng: random.Random) -> dict[str, tuple[bytes, str]]:
    """Name -> bytes, and the code that it is skipped with, READ for one that is read."""
    noise = bytes(rng.randrange(256) for _ in range(3000))
    sound_pdf, sound_word = pdf([TEXT]), word(TEXT)
    utf8 = (TEXT * 20).encode()
    cut = len(sound_pdf) // 2
    return {
        "empty.txt": (b"", "E-EMPTY"),
        "only-bom.txt": (b"\xef\xbb\xbf", "E-EMPTY"),
        "only-spaces.txt": (" \n\t　 \n".encode(), "E-EMPTY"),
        "empty.md": (b"", "E-EMPTY"),
        "empty.html": (b"", "E-EMPTY"),
        "empty.docx": (b"", "E-PARSE"),
        "empty.pdf": (b"", "E-FORMAT"),
        "noise.txt": (noise, "E-BINARY"),
        "noise.html": (noise, "E-BINARY"),
        "noise.docx": (noise, "E-PARSE"),
        "noise.pdf": (noise, "E-FORMAT"),
        "picture.txt": (b"\x89PNG\r\n\x1a\n" + noise, "E-BINARY"),
        "zip.txt": (zipped(("a", noise)), "E-BINARY"),
        "nul.txt": (b"\0" * 4000, "E-BINARY"),
        "slides.key": (b"PK", "E-FORMAT"),
        "old.doc": (b"\xd0\xcf\x11\xe0" + noise, "E-CONVERT|E-PARSE|E-CRASH|E-EMPTY"),  # with and without LibreOffice
        "no-suffix": (utf8, "E-FORMAT"),
        "cut.pdf": (sound_pdf[:cut], "E-PARSE"),
        "head.pdf": (sound_pdf[:40], "E-PARSE"),
        "cut.docx": (sound_word[: len(sound_word) // 2], "E-PARSE"),
        "locked.pdf": (encrypted("geheim"), "E-PASSWORD"),
        "scan.pdf": (pdf([scanned()]), "E-SCAN|E-EMPTY"),
        "blank.pdf": (page_pdf(b""), "E-EMPTY|E-SCAN"),
        "no-pages.pdf": (raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"), "E-"),
        "loop.pdf": (raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"), "E-"),
        "bomb.docx": (bomb(), "E-BOMB"),
        "many.docx": (zipped(*((f"word/{n}.xml", b"x") for n in range(10_500))), "E-"),
        "text-as.docx": (utf8, "E-PARSE"),
        "text-as.pdf": (utf8, "E-FORMAT"),
        "zip-as.docx": (zipped(("readme.txt", b"x")), "E-"),
        "climbing.docx": (with_part(sound_word, "../../evil.txt", lambda _: b"evil"), READ),
        "bare-xml.docx": (with_part(sound_word, "word/document.xml", lambda _: b"<w:document"), "E-PARSE"),
        "no-text.docx": (word(""), "E-EMPTY"),
        **tables_and_books(sound_word, noise),
        "utf8.txt": (utf8, READ),
        "utf8-bom.txt": (b"\xef\xbb\xbf" + utf8, READ),
        "utf16.txt": (TEXT.encode("utf-16"), READ),
        "utf16-be.txt": ((TEXT * 5).encode("utf-16-be"), READ),
        "utf32.txt": (TEXT.encode("utf-32"), READ),
        "gbk.txt": ((TEXT * 3).encode("gbk"), READ),
        "gb18030.txt": ((TEXT + "𠮷野家").encode("gb18030"), READ),
        "big5.txt": ((OLD * 3).encode("big5"), READ),
        "one-bad-byte.txt": (utf8[:600] + b"\xff" + utf8[600:], READ),
        "cut-utf8.txt": (utf8[:-1], READ),
        "nul-inside.txt": (TEXT.encode() + b"\0\x01\x02" + utf8, READ),
        "line-ends.txt": (f"{TEXT}\r\n{TEXT}\r{TEXT}\u2028{TEXT}\u0085{TEXT}\x0b{TEXT}\x0c{TEXT}".encode(), READ),
        "one-line.txt": (("山河湖海天地玄黄宇宙洪荒" * 40_000).encode(), READ),
        "same-character.txt": (("的" * 100_000).encode(), READ),
        "kangxi.txt": (("⼀个⼈⼯智能公司" + TEXT).encode(), READ),
        "entities.html": (f"<p>&#0;&#xD800;&amp;{TEXT}</p>".encode(), READ),
        "lying-meta.html": (f'<meta charset="gbk"><p>{TEXT}</p>'.encode(), READ),
        "gbk.html": (f'<meta charset="gbk"><p>{TEXT}{TEXT}</p>'.encode("gbk"), READ),
        "scripts.html": (f"<script>{'x' * 50_000}</script><p>{TEXT}</p>".encode(), READ),
        "deep.html": (b"<div>" * 15_000 + f"<p>{TEXT}</p>".encode(), READ),
        "unclosed.html": (b"<b>" * 15_000 + TEXT.encode(), READ),
        "attribute.html": (b'<p title="' + b"x" * 900_000 + b'">' + TEXT.encode() + b"</p>", READ),
        "brackets.md": (b"[" * 20_000 + b"\n\n" + TEXT.encode(), READ),
        "quotes.md": (b">" * 20_000 + b"\n\n" + TEXT.encode(), READ),
        "emphasis.md": (b"*a " * 20_000 + b"\n\n" + TEXT.encode(), READ),
        "front.md": (f"---\nx: {'y' * 5000}\n---\n{TEXT}".encode(), READ),
        "sound.pdf": (sound_pdf, READ),
        "sound.docx": (sound_word, READ),
    }


def tables_and_books(sound_word: bytes, noise: bytes) -> dict[str, tuple[bytes, str]]:
    """The same for workbooks, separated text, slides and books."""
    workbook = openpyxl.Workbook()
    workbook.active.append(["公司", "上市地"])
    workbook.active.append(["寒武纪", "科创板"])
    sound = saved(workbook)
    workbook.active.cell(1_048_576, 16_384, "远处")
    show = pptx.Presentation()
    show.slides.add_slide(show.slide_layouts[5]).shapes.title.text = "寒武纪"
    sheet, slide = "xl/worksheets/sheet1.xml", "ppt/slides/slide1.xml"
    blank = b" " * 110_000_000
    found = {}
    for suffix in (".xlsx", ".pptx", ".epub"):
        found |= {
            f"empty{suffix}": (b"", "E-"),
            f"noise{suffix}": (noise, "E-"),
            f"word{suffix}": (sound_word, "E-"),
            f"zip{suffix}": (zipped(("a", noise)), "E-PARSE"),
            f"locked{suffix}": (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "E-PASSWORD"),
            f"bomb{suffix}": (zipped(("a", blank)), "E-BOMB"),
        }
    return found | {
        "sound.xlsx": (sound, READ),
        "sound.pptx": (saved(show), READ),
        "cut.xlsx": (sound[: len(sound) // 2], "E-PARSE"),
        "far.xlsx": (saved(workbook), "E-MEMORY"),
        "bomb-sheet.xlsx": (with_part(sound, sheet, lambda xml: xml + blank), "E-BOMB"),
        "bomb-slide.pptx": (with_part(saved(show), slide, lambda xml: xml + blank), "E-BOMB"),
        "text-as.xls": (TEXT.encode(), READ),
        "page-as.xls": (f"<table><tr><td>{TEXT}</td></tr></table>".encode(), READ),
        "noise.xls": (noise, "E-BINARY"),
        "noise.csv": (noise, "E-BINARY"),
        "quotes.csv": (f'"a,"{TEXT}\n'.encode() + b'","' * 20_000, READ),
        "one-cell.csv": (("甲" * 200_000 + ",").encode(), READ),
        "wide.csv": (("甲,乙" * 30_000 + "\n" + "丙,丁" * 30_000).encode(), READ),
    }


def saved(document: Workbook | Presentation) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def specials(corpus: Path, outside: Path) -> dict[str, str]:
    """Makes what is no plain file, or has a name that is hard to write; name -> code, READ for one that is read.

    `outside` is a folder beside the corpus whose files nobody may open.
    """
    secret = outside / "secret.txt"
    secret.write_text("外面的秘密不可读。" * 10, encoding="utf-8")
    (corpus / "link.txt").symlink_to(secret)
    (corpus / "link-up.txt").symlink_to(Path("..") / outside.name / "secret.txt")
    (corpus / "dangling.txt").symlink_to(outside / "nothing")
    (corpus / "itself.txt").symlink_to(corpus / "itself.txt")
    (corpus / "proc.txt").symlink_to("/proc/self/environ")
    (corpus / "folder-link").symlink_to(outside)
    os.mkfifo(corpus / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(corpus / "door.txt"))
    (corpus / "folder.txt").mkdir()
    found = dict.fromkeys(("link.txt", "link-up.txt", "dangling.txt", "itself.txt", "proc.txt", "pipe.txt"), "E-TYPE")
    found["door.txt"] = "E-TYPE"
    for name in ("a\nb.txt", "C:\\x.txt", "-rf.txt", "名" * 80 + ".txt", "x" * 251 + ".txt", "%2e%2e.txt", "'\"`.txt"):
        (corpus / name).write_text(TEXT, encoding="utf-8")
        found[name] = READ
    with (corpus / "bad-\udcff.txt").open("w", encoding="utf-8") as out:
        out.write(TEXT)
    found["bad-?.txt"] = "E-NAME"
    return found
