"""Books: chapters in the order of reading, names from the book's own contents, and what is left out or refused."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from bot.corpus.blocks import Parsed
from bot.corpus.readers import epub
from bot.errors import ReadError

CONTAINER = """<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
LONG = "却说那山中有一块石头，日久年深，受了日月精华，遂有灵通之意，能说能走，众人见了都称奇不已。"


def page(body: str, title: str = "") -> str:
    head = f"<title>{title}</title>" if title else "<title/>"
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head>{head}<script/></head><body>{body}</body></html>"
    )


def book(pages: dict[str, str], extra: dict[str, bytes] | None = None, chapters: dict[str, str] | None = None) -> bytes:
    """An EPUB with the pages in their order; `chapters` are names and addresses of its navigation."""
    items = "".join(
        f'<item id="p{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(pages)
    )
    spine = "".join(f'<itemref idref="p{n}"/>' for n in range(len(pages)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        '<dc:title>石头传</dc:title><meta name="cover" content="cover"/></metadata><manifest>'
        '<item id="cover" href="cover.png" media-type="image/png"/>'
        '<item id="toc" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        f'{items}</manifest><spine toc="toc">{spine}</spine></package>'
    )
    points = "".join(
        f'<navPoint><navLabel><text>{name}</text></navLabel><content src="{href}"/></navPoint>'
        for name, href in (chapters or {}).items()
    )
    files: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": package,
        "OEBPS/toc.ncx": f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{points}</navMap></ncx>',
        **{f"OEBPS/{name}": content for name, content in pages.items()},
        **(extra or {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def lines(parsed: Parsed) -> list[str]:
    return [parsed.text[block.start : block.end] for block in parsed.blocks]


CHAPTERS = {"目录": "0.xhtml", "第一回 石头出世": "1.xhtml", "第二回 入世": "2.xhtml#top", "第三回 归山": "3.xhtml"}


def test_chapters_are_read_in_order_under_their_names() -> None:
    cover = io.BytesIO()
    Image.new("RGB", (100, 150), "red").save(cover, "PNG")
    parsed = epub.read(
        book(
            {
                "cover.xhtml": page('<img src="cover.png"/>'),
                "0.xhtml": page("".join(f'<p><a href="{href}">{name}</a></p>' for name, href in CHAPTERS.items())),
                "1.xhtml": page(f"<p>第一回　石头出世</p><p>{LONG}</p>"),
                "3.xhtml": page(f"<p>{LONG}完。</p>"),
                "2.xhtml": page(f"<h2>第二回 入世</h2><p>{LONG}续。</p>", "第二回"),
            },
            {"OEBPS/cover.png": cover.getvalue()},
            CHAPTERS,
        )
    )
    assert parsed.title == "石头传"
    assert lines(parsed) == ["第一回 石头出世", LONG, "第三回 归山", f"{LONG}完。", "第二回 入世", f"{LONG}续。"]
    assert [block.kind for block in parsed.blocks] == ["heading", "paragraph"] * 3
    assert [one.reason for one in parsed.left_out] == ["contents table"]
    assert [one.type for one in parsed.pictures] == ["image/png"]


def test_tables_and_pages_keep_their_offsets_and_the_repeated_title_is_named() -> None:
    table = "<table><tr><th>名称</th><th>单价</th></tr><tr><td>茶</td><td>3</td></tr></table>"
    parsed = epub.read(
        book({f"{n}.xhtml": page(f"<h1>石头传</h1><h2>第{n}节</h2><p>{n}{LONG}</p>{table}") for n in range(1, 5)})
    )
    assert [one.reason for one in parsed.left_out] == ["repeated title"] * 4
    assert sum(line.startswith("第") for line in lines(parsed)) == 4
    rows = [block for block in parsed.blocks if block.kind == "row"]
    assert all(parsed.text[start:end] for block in rows for start, end in block.cells)


def test_locked_and_hostile_books_are_refused_with_a_reason() -> None:
    def code(data: bytes) -> str:
        with pytest.raises(ReadError) as error:
            epub.read(data)
        return error.value.code

    pages = {"1.xhtml": page(f"<p>{LONG}</p>")}
    encryption = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
        xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:EncryptionMethod Algorithm="{}"/>
        <enc:CipherData><enc:CipherReference URI="OEBPS/1.xhtml"/></enc:CipherData></enc:EncryptedData></encryption>"""
    locked = encryption.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc").encode()
    fonts = encryption.format("http://www.idpf.org/2008/embedding").encode()
    assert code(book(pages, {"META-INF/encryption.xml": locked})) == "E-PASSWORD"
    assert lines(epub.read(book(pages, {"META-INF/encryption.xml": fonts}))) == [LONG]
    sound = book(pages)
    assert code(sound[: len(sound) // 2]) == "E-PARSE"
    assert code(book({"1.xhtml": page(f"<p>{'甲' * 40_000_000}</p>")})) == "E-BOMB"
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
    assert code(empty.getvalue()) == "E-PARSE"
    assert code(book({"1.xhtml": page('<img src="x.png"/>')})) == "E-EMPTY"
    entities = "".join(f'<!ENTITY {chr(n)} "{f"&{chr(n - 1)};" * 10}">' for n in range(ord("b"), ord("k")))
    billion = f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{entities}]>'
    lines(epub.read(book({"1.xhtml": billion + page(f"<p>{LONG}&j;</p>")})))
    assert code(book(pages, {"META-INF/container.xml": (billion + CONTAINER[21:]).encode()})) == "E-PARSE"
    outside = {"../../etc/passwd": b"x", "OEBPS/1.xhtml": page(f"<p>{LONG}</p>").encode()}
    assert lines(epub.read(book({"../../../../etc/passwd": page("<p>名字</p>"), **pages}, outside)))[-1] == LONG
