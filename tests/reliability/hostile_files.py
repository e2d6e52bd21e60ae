"""Files made to exhaust a reader or to lead it astray, kind by kind, each made when it is asked for.

`MAKERS` has a function for each file name. Every one of them may be read, or be skipped with a code.
"""

from __future__ import annotations

import base64
import html
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

import docx
import odf.opendocument
import odf.text
import openpyxl
import pptx
import xlwt
from documents import page_pdf, pdf, raw_pdf, with_part
from PIL import Image
from test_pdf import encrypted

TEXT = "寒武纪公司于2020年登陆科创板,是第一家在那里上市的人工智能芯片公司。合肥投资了它,它也落户合肥。"
MAKERS: dict[str, Callable[[], bytes]] = {}


def hostile(*names: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Registers a maker under the names of the files that it makes."""

    def register(maker: Callable[[], bytes]) -> Callable[[], bytes]:
        MAKERS.update(dict.fromkeys(names, maker))
        return maker

    return register


# --- sound files, of which others are made ---


def _saved(document) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def sound_docx() -> bytes:
    made = docx.Document()
    made.add_paragraph(TEXT)
    return _saved(made)


def sound_xlsx() -> bytes:
    made = openpyxl.Workbook()
    for row in (("项目", "金额"), ("房租", 4200), (TEXT, 1)):
        made.active.append(row)
    return with_part(_saved(made), "xl/worksheets/sheet1.xml", lambda xml: html.unescape(xml.decode()).encode())


def sound_pptx() -> bytes:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = "芯片公司"
    slide.placeholders[1].text = TEXT
    return _saved(made)


def sound_odt() -> bytes:
    made = odf.opendocument.OpenDocumentText()
    made.text.addElement(odf.text.P(text=TEXT))
    return _saved(made)


def sound_ods() -> bytes:
    return ods(
        f"<table:table-row><table:table-cell {_STRING}><text:p>{TEXT}</text:p></table:table-cell></table:table-row>"
    )


_STRING = 'office:value-type="string"'


def ods(rows: str) -> bytes:
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {names} office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="一">{rows}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    return archive(("mimetype", kind), ("META-INF/manifest.xml", manifest), ("content.xml", content))


def sound_xls() -> bytes:
    made = xlwt.Workbook()
    sheet = made.add_sheet("一")
    for row, text in enumerate(("项目", TEXT)):
        sheet.write(row, 0, text)
    return _saved(made)


def epub(spine: str = "<itemref idref='c1'/>", chapter: str = f"<p>{TEXT}</p>", items: str = "") -> bytes:
    container = (
        "<?xml version='1.0'?><container version='1.0' xmlns='urn:oasis:names:tc:opendocument:xmlns:container'>"
        "<rootfiles><rootfile full-path='OEBPS/book.opf' media-type='application/oebps-package+xml'/></rootfiles>"
        "</container>"
    )
    package = (
        "<?xml version='1.0'?><package version='3.0' xmlns='http://www.idpf.org/2007/opf'>"
        "<metadata xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>芯片史</dc:title></metadata>"
        f"<manifest><item id='c1' href='c1.xhtml' media-type='application/xhtml+xml'/>{items}</manifest>"
        f"<spine>{spine}</spine></package>"
    )
    page = f"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><body>{chapter}</body></html>"
    return archive(
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", container),
        ("OEBPS/book.opf", package),
        ("OEBPS/c1.xhtml", page),
    )


def archive(*members: tuple[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


def mhtml(*parts: tuple[str, str]) -> bytes:
    head = 'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"; type="text/html"\r\n\r\n'
    body = "".join(f"--b\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n{content}\r\n" for kind, content in parts)
    return f"{head}{body}--b--\r\n".encode()


def picture(kind: str, size: tuple[int, int] = (64, 64), **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "white").save(out, kind, **options)
    return out.getvalue()


# --- archives of XML: the same attacks on each kind ---

# Suffix -> a sound file, the part that says what the document says, and where its text stands in that part.
ARCHIVES: dict[str, tuple[Callable[[], bytes], str, bytes]] = {
    ".docx": (sound_docx, "word/document.xml", TEXT.encode()),
    ".xlsx": (sound_xlsx, "xl/worksheets/sheet1.xml", TEXT.encode()),
    ".pptx": (sound_pptx, "ppt/slides/slide1.xml", TEXT.encode()),
    ".odt": (sound_odt, "content.xml", TEXT.encode()),
    ".ods": (sound_ods, "content.xml", TEXT.encode()),
    ".epub": (epub, "OEBPS/c1.xhtml", TEXT.encode()),
}


def _with_doctype(xml: bytes, doctype: bytes) -> bytes:
    """XML with a document type after its declaration."""
    end = xml.index(b"?>") + 2 if xml.startswith(b"<?xml") else 0
    return xml[:end] + doctype + xml[end:]


def _laughs(xml: bytes, text: bytes) -> bytes:
    steps = b"".join(b'<!ENTITY e%d "%b">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10))
    return _with_doctype(xml, b'<!DOCTYPE x [<!ENTITY e0 "ha">' + steps + b"]>").replace(text, text + b"&e9;", 1)


def _quadratic(xml: bytes, text: bytes) -> bytes:
    declared = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 100_000 + b'">]>'
    return _with_doctype(xml, declared).replace(text, text + b"&a;" * 20_000, 1)


def _stranger(xml: bytes, text: bytes) -> bytes:
    declared = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    return _with_doctype(xml, declared).replace(text, text + b"&f;", 1)


def _deep(xml: bytes, text: bytes) -> bytes:
    """Elements within elements, around the text, in no name space."""
    return xml.replace(text, b"<a>" * 200_000 + text + b"</a>" * 200_000, 1)


def _swollen(xml: bytes, text: bytes) -> bytes:
    return xml.replace(text, text + b"A" * 297_000_000, 1)


def _within_limits(xml: bytes, text: bytes) -> bytes:
    """What passes for a document by the directory: 27 MB of letters that do not pack well."""
    noise = base64.b64encode(random.Random(1).randbytes(1_000_000))
    return xml.replace(text, text + noise * 20, 1)


def _lying(data: bytes, part: str) -> bytes:
    """The archive whose directory and local header say that a part is small."""
    made = bytearray(data)
    entry = zipfile.ZipFile(io.BytesIO(data)).getinfo(part)
    struct.pack_into("<I", made, entry.header_offset + 22, 4000)
    name_in_directory = made.rindex(part.encode())
    struct.pack_into("<I", made, name_in_directory - 46 + 24, 4000)
    return bytes(made)


def _flagged(data: bytes) -> bytes:
    """The archive whose entries all say that they are encrypted."""
    made = bytearray(data)
    for entry in zipfile.ZipFile(io.BytesIO(data)).infolist():
        made[entry.header_offset + 6] |= 1
    at = 0
    while (at := made.find(b"PK\x01\x02", at)) >= 0:
        made[at + 8] |= 1
        at += 4
    return bytes(made)


def _register_archives() -> None:
    changes = {
        "bomb": _swollen, "laughs": _laughs, "quadratic": _quadratic, "stranger": _stranger, "deep": _deep,
        "large": _within_limits,
    }  # fmt: skip
    for suffix, (sound, part, text) in ARCHIVES.items():
        for name, change in changes.items():
            MAKERS[f"{name}{suffix}"] = lambda s=sound, p=part, t=text, c=change: with_part(s(), p, lambda x: c(x, t))
        MAKERS[f"lying{suffix}"] = lambda s=sound, p=part, t=text: _lying(
            with_part(s(), p, lambda xml: _swollen(xml, t)), p
        )
        MAKERS[f"cut{suffix}"] = lambda s=sound: s()[: len(s()) // 2]
        MAKERS[f"locked{suffix}"] = lambda s=sound: _flagged(s())
        MAKERS[f"many{suffix}"] = lambda s=sound: _with_more(s(), 2500)
        MAKERS[f"sealed{suffix}"] = sealed


def _with_more(data: bytes, count: int) -> bytes:
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as file:
        for number in range(count):
            file.writestr(f"x/{number}.xml", b"<x/>")
    return out.getvalue()


def sealed() -> bytes:
    """What Office makes of a file with a password: a container of the old kind with an encrypted package."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + "EncryptedPackage".encode("utf-16-le") + bytes(3000)


_register_archives()


# --- workbooks ---


def _sheet(change: Callable[[bytes], bytes]) -> bytes:
    return with_part(sound_xlsx(), "xl/worksheets/sheet1.xml", change)


@hostile("dimension.xlsx")
def _() -> bytes:
    return _sheet(lambda xml: xml.replace(b"A1:B3", b"A1:XFD1048576"))


@hostile("corners.xlsx")
def _() -> bytes:
    last = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>角</t></is></c></row></sheetData>'.encode()
    return _sheet(lambda xml: xml.replace(b"</sheetData>", last))


@hostile("diagonal.xlsx")
def _() -> bytes:
    cells = b"".join(
        b'<row r="%d"><c r="%b%d"><v>1</v></c></row>' % (row, _column(row % 16384).encode(), row)
        for row in range(10, 100_000, 7)
    )
    return _sheet(lambda xml: xml.replace(b"</sheetData>", cells + b"</sheetData>"))


def _column(number: int) -> str:
    name = ""
    while True:
        number, letter = divmod(number, 26)
        name = chr(65 + letter) + name
        if not number:
            return name
        number -= 1


@hostile("merged.xlsx")
def _() -> bytes:
    whole = b'</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    return _sheet(lambda xml: xml.replace(b"</sheetData>", whole))


@hostile("merges.xlsx")
def _() -> bytes:
    refs = b"".join(b'<mergeCell ref="A%d:XFD%d"/>' % (row, row) for row in range(1, 20_000))
    return _sheet(lambda xml: xml.replace(b"</sheetData>", b"</sheetData><mergeCells>" + refs + b"</mergeCells>"))


@hostile("sheets.xlsx")
def _() -> bytes:
    numbers = range(2, 5001)
    old = zipfile.ZipFile(io.BytesIO(sound_xlsx()))
    parts = {name: old.read(name).decode() for name in old.namelist()}
    entries = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="rIx{n}"/>' for n in numbers)
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
    ties = "".join(f'<Relationship Id="rIx{n}" Type="{kind}" Target="worksheets/sheet{n}.xml"/>' for n in numbers)
    spaces = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    parts["xl/workbook.xml"] = (
        parts["xl/workbook.xml"].replace("</sheets>", f"{entries}</sheets>").replace("<sheets>", f"<sheets {spaces}>")
    )
    parts["xl/_rels/workbook.xml.rels"] = parts["xl/_rels/workbook.xml.rels"].replace("</Rel", f"{ties}</Rel")
    more = [(f"xl/worksheets/sheet{n}.xml", parts["xl/worksheets/sheet1.xml"]) for n in numbers]
    return archive(*parts.items(), *more)


@hostile("sheets-in-one-part.xlsx")
def _() -> bytes:
    """A workbook whose 5,000 sheets are the same part."""
    sheets = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="rId1"/>' for n in range(2, 5001)).encode()
    names = b'<sheets xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    made = with_part(
        sound_xlsx(),
        "xl/workbook.xml",
        lambda xml: xml.replace(b"<sheets>", names).replace(b"</sheets>", sheets + b"</sheets>"),
    )
    return with_part(made, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(TEXT.encode(), TEXT.encode() * 200))


def _with_strings(cells: bytes, text: str) -> bytes:
    """A workbook with a table of strings, which has one, and rows of cells that name it as number 0."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    tie = f'<Relationship Id="rIs" Type="{relation}" Target="sharedStrings.xml"/></Relationships>'
    names = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    strings = f"<sst {names}><si><t>{text}</t></si></sst>"
    made = _sheet(lambda xml: xml.replace(b"</sheetData>", cells + b"</sheetData>"))
    made = with_part(made, "xl/sharedStrings.xml", lambda _: strings.encode())
    made = with_part(made, "[Content_Types].xml", lambda xml: xml.replace(b"</Types>", override.encode()))
    return with_part(made, "xl/_rels/workbook.xml.rels", lambda xml: xml.replace(b"</Relationships>", tie.encode()))


@hostile("shared.xlsx")
def _() -> bytes:
    """A string of 30,000 characters in 400,000 cells: 12 GB of text in a file of 2 MB."""
    cells = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (row, row) for row in range(4, 400_000))
    return _with_strings(cells, "字" * 30_000)


@hostile("strings.xlsx")
def _() -> bytes:
    return _with_strings(b'<row r="4"><c r="A4" t="s"><v>99999999999</v></c></row>', "一")


@hostile("repeated.ods")
def _() -> bytes:
    return ods(
        '<table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384" '
        f"{_STRING}>"
        "<text:p>x</text:p></table:table-cell></table:table-row>"
    )


@hostile("repeated-more.ods")
def _() -> bytes:
    row = (
        '<table:table-row table:number-rows-repeated="4294967295"><table:table-cell '
        f'table:number-columns-repeated="4294967295" {_STRING}><text:p>x</text:p></table:table-cell></table:table-row>'
    )
    return ods(row)


@hostile("spaces.ods")
def _() -> bytes:
    cell = f'<table:table-cell {_STRING}><text:p>a<text:s text:c="4294967295"/>b</text:p></table:table-cell>'
    return ods(f"<table:table-row>{cell}</table:table-row>")


@hostile("corners.xls")
def _() -> bytes:
    made = xlwt.Workbook()
    for number in range(20):
        sheet = made.add_sheet(f"s{number}")
        sheet.write(0, 0, TEXT)
        sheet.write(65535, 255, "角")
    return _saved(made)


@hostile("cut.xls")
def _() -> bytes:
    return sound_xls()[:3000]


@hostile("chain.xls")
def _() -> bytes:
    """A container whose table of sectors leads in a circle."""
    made = bytearray(sound_xls())
    at = 512 * (1 + struct.unpack_from("<I", made, 76)[0])
    for place in range(at, at + 512, 4):
        struct.pack_into("<I", made, place, 1)
    return bytes(made)


@hostile("directory.xls")
def _() -> bytes:
    made = bytearray(sound_xls())
    struct.pack_into("<I", made, 44, 0xFFFFFF)  # sectors of the table of sectors
    struct.pack_into("<I", made, 72, 0xFFFFFF)
    return bytes(made)


# --- separated text ---


@hostile("cell.csv")
def _() -> bytes:
    return "甲,乙\n".encode() + b'"' + "字".encode() * 13_500_000 + b'",1\n'


@hostile("open-quote.csv")
def _() -> bytes:
    return b'a,b\n"' + "甲,乙\n".encode() * 1_000_000


@hostile("columns.csv")
def _() -> bytes:
    return b",".join(b"c%d" % n for n in range(500_000)) + b"\n" + b",".join([b"1"] * 500_000) + b"\n"


@hostile("wide-and-long.csv")
def _() -> bytes:
    """A header of 3,000 long names above 3,000 rows: each row as text would repeat all names."""
    names = ",".join("名" * 30 + str(n) for n in range(3000))
    return f"{names}\n".encode() + (b"1," * 2999 + b"1\n") * 3000


@hostile("rows.csv")
def _() -> bytes:
    return "编号,值\n".encode() + b"".join(b"%d,%d\n" % (n, n) for n in range(2_000_000))


@hostile("ragged.csv")
def _() -> bytes:
    return b"a,b\n" + b"1,2\n" * 10_000 + b"," * 2_000_000 + b"\n"


@hostile("binary.csv", "binary.tsv", "binary.xlsx", "binary.pptx", "binary.epub", "binary.mhtml", "binary.png",
         "binary.doc", "binary.rtf", "binary.odt", "binary.ods", "binary.xls", "binary.tif")  # fmt: skip
def _() -> bytes:
    return random.Random(2).randbytes(5000)


# --- slides ---


@hostile("slides.pptx")
def _() -> bytes:
    """A presentation whose 5,000 slides are the same part."""
    again = "".join(f'<p:sldId id="{n}" r:id="rId7"/>' for n in range(1000, 6000)).encode()
    made = sound_pptx()
    relations = zipfile.ZipFile(io.BytesIO(made)).read("ppt/_rels/presentation.xml.rels")
    slide = relations.split(b"slides/slide1.xml")[0].rpartition(b'Id="')[2].partition(b'"')[0]
    again = again.replace(b"rId7", slide if slide.startswith(b"rId") else b"rId7")
    return with_part(made, "ppt/presentation.xml", lambda xml: xml.replace(b"</p:sldIdLst>", again + b"</p:sldIdLst>"))


@hostile("groups.pptx")
def _() -> bytes:
    head, tail = b"<p:grpSp><p:nvGrpSpPr/><p:grpSpPr/>", b"</p:grpSp>"

    def change(xml: bytes) -> bytes:
        at, end = xml.index(b"<p:sp>"), xml.index(b"</p:spTree>")
        return xml[:at] + head * 20_000 + xml[at:end] + tail * 20_000 + xml[end:]

    return with_part(sound_pptx(), "ppt/slides/slide1.xml", change)


@hostile("span.pptx")
def _() -> bytes:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    table = slide.shapes.add_table(3, 3, 0, 0, 100, 100).table
    table.cell(0, 0).text = TEXT
    span = b'<a:tc gridSpan="1000000" rowSpan="1000000">'
    return with_part(_saved(made), "ppt/slides/slide1.xml", lambda xml: xml.replace(b"<a:tc>", span, 1))


@hostile("circle.pptx")
def _() -> bytes:
    """A slide that is its own layout and its own notes."""
    return with_part(
        sound_pptx(),
        "ppt/slides/_rels/slide1.xml.rels",
        lambda xml: xml.replace(b"../slideLayouts/slideLayout2.xml", b"../slides/slide1.xml").replace(
            b"</Relationships>",
            b'<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
            b'notesSlide" Target="../slides/slide1.xml"/></Relationships>',
        ),
    )


@hostile("picture.pptx")
def _() -> bytes:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.placeholders[1].text = TEXT
    slide.shapes.add_picture(io.BytesIO(picture("PNG")), 0, 0)
    return with_part(_saved(made), "ppt/media/image1.png", lambda _: huge_png())


@hostile("outside.pptx")
def _() -> bytes:
    return with_part(
        sound_pptx(),
        "ppt/slides/_rels/slide1.xml.rels",
        lambda xml: xml.replace(b"../slideLayouts/", b"../../../../etc/"),
    )


# --- Word files ---


@hostile("picture.docx")
def _() -> bytes:
    made = docx.Document()
    made.add_paragraph(TEXT)
    made.add_picture(io.BytesIO(picture("PNG")))
    return with_part(_saved(made), "word/media/image1.png", lambda _: huge_png())


@hostile("pictures.docx")
def _() -> bytes:
    """A picture of 1 MB that is shown 3,000 times."""
    made = docx.Document()
    made.add_picture(io.BytesIO(picture("PNG")))
    noise = Image.frombytes("RGB", (600, 500), random.Random(3).randbytes(900_000))
    out = io.BytesIO()
    noise.save(out, "PNG")

    def again(xml: bytes) -> bytes:
        start, end = xml.index(b"<w:p>"), xml.index(b"</w:p>") + 6
        return xml[:start] + f"<w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p>".encode() + xml[start:end] * 3000 + xml[end:]

    return with_part(
        with_part(_saved(made), "word/document.xml", again), "word/media/image1.png", lambda _: out.getvalue()
    )


@hostile("tables.docx")
def _() -> bytes:
    """Tables within tables, 2,000 deep."""
    head, tail = b"<w:tbl><w:tr><w:tc>", b"<w:p/></w:tc></w:tr></w:tbl>"
    paragraph = f"<w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p>".encode()
    return with_part(
        sound_docx(), "word/document.xml",
        lambda xml: xml.replace(b"<w:body>", b"<w:body>" + head * 2000 + paragraph + tail * 2000, 1),
    )  # fmt: skip


@hostile("span.docx")
def _() -> bytes:
    cell = f'<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="1000000"/></w:tcPr><w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p></w:tc></w:tr></w:tbl>'  # noqa: E501
    return with_part(sound_docx(), "word/document.xml", lambda xml: xml.replace(b"<w:body>", b"<w:body>" + cell.encode() * 20, 1))  # fmt: skip  # noqa: E501


@hostile("numbers.docx")
def _() -> bytes:
    made = docx.Document()
    made.add_paragraph(TEXT, style="List Number")

    def again(xml: bytes) -> bytes:
        start, end = xml.index(b"<w:p>"), xml.index(b"</w:p>") + 6
        return xml[:end] + xml[start:end] * 20_000 + xml[end:]

    return with_part(_saved(made), "word/document.xml", again)


# --- books ---


@hostile("outside.epub")
def _() -> bytes:
    items = "<item id='p' href='../../../../etc/passwd' media-type='application/xhtml+xml'/>"
    items += "<item id='q' href='file:///etc/passwd' media-type='application/xhtml+xml'/>"
    items += "<item id='r' href='http://127.0.0.1:9/x.xhtml' media-type='application/xhtml+xml'/>"
    return epub("<itemref idref='p'/><itemref idref='q'/><itemref idref='r'/><itemref idref='c1'/>", items=items)


@hostile("spine.epub")
def _() -> bytes:
    return epub("<itemref idref='c1'/>" * 100_000)


@hostile("nested.epub")
def _() -> bytes:
    return epub(chapter="<div>" * 200_000 + TEXT + "</div>" * 200_000)


@hostile("lost.epub")
def _() -> bytes:
    return epub("<itemref idref='nowhere'/>")


@hostile("only-container.epub")
def _() -> bytes:
    return archive(("mimetype", "application/epub+zip"))


# --- web pages ---


def _page(body: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>芯片公司</title></head><body>{body}</body></html>".encode()


@hostile("nested.html")
def _() -> bytes:
    return _page("<div>" * 200_000 + f"<p>{TEXT}</p>")


@hostile("inline.html")
def _() -> bytes:
    return _page("<b>" * 200_000 + TEXT)


@hostile("lists.html")
def _() -> bytes:
    return _page("<ul><li>" * 50_000 + TEXT)


@hostile("tables.html")
def _() -> bytes:
    return _page("<table><tr><td>" * 20_000 + TEXT)


@hostile("span.html")
def _() -> bytes:
    return _page(f"<table><tr><td colspan=1000000 rowspan=65534>{TEXT}</td></tr><tr><td>甲</td></tr></table>" * 20)


@hostile("spans.html")
def _() -> bytes:
    """Many cells that each claim a thousand columns, and a long text in each of the places that they cover."""
    row = "<tr>" + f"<td colspan=1000 rowspan=1000>{TEXT}</td>" * 100 + "</tr>"
    return _page(f"<table>{row * 100}</table>")


@hostile("paragraphs.html")
def _() -> bytes:
    return _page("<p>甲" * 1_000_000)


@hostile("links.html")
def _() -> bytes:
    return _page("<ul>" + "<li><a href='/x'>链接的文字</a></li>" * 200_000 + f"</ul><p>{TEXT}</p>")


@hostile("formatting.html")
def _() -> bytes:
    """Formatting that every parser of the living standard has to open again in each paragraph."""
    return _page("<b><i><u><s>" * 500 + "<p>甲" * 20_000)


@hostile("attributes.html")
def _() -> bytes:
    return _page("<p " + " ".join(f"a{n}=1" for n in range(500_000)) + f">{TEXT}</p>")


@hostile("picture.html")
def _() -> bytes:
    return _page(f"<p>{TEXT}</p><img src='data:image/png;base64,{base64.b64encode(huge_png()).decode()}'>")


@hostile("parts.mhtml")
def _() -> bytes:
    return mhtml(("text/html", f"<p>{TEXT}</p>"), *[("text/css", "")] * 1_000_000)


@hostile("nested.mhtml")
def _() -> bytes:
    opened = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(20_000))
    return f"MIME-Version: 1.0\r\n{opened}Content-Type: text/html\r\n\r\n<p>{TEXT}</p>\r\n".encode()


@hostile("headers.mhtml")
def _() -> bytes:
    lines = "".join(f"X-{n}: {'=?utf-8?b?' * 50}\r\n" for n in range(20_000))
    return f"{lines}Content-Type: text/html\r\n\r\n<p>{TEXT}</p>".encode()


@hostile("cut.mhtml")
def _() -> bytes:
    return mhtml(("text/html", f"<p>{TEXT}</p>"))[:120]


@hostile("folded.mhtml")
def _() -> bytes:
    return b"Subject: x\r\n" + b" a\r\n" * 2_000_000 + mhtml(("text/html", f"<p>{TEXT}</p>"))


# --- Markdown ---


@hostile("quotes.md")
def _() -> bytes:
    return b"> " * 100_000 + TEXT.encode()


@hostile("quotes-and-lines.md")
def _() -> bytes:
    return b"\n".join(b">" * n + b" a" for n in range(1, 3000)) + b"\n\n" + TEXT.encode()


@hostile("lists.md")
def _() -> bytes:
    return b"- " * 100_000 + TEXT.encode()


@hostile("steps.md")
def _() -> bytes:
    return b"\n".join(b"  " * n + b"- a" for n in range(3000)) + b"\n\n" + TEXT.encode()


@hostile("brackets.md")
def _() -> bytes:
    return b"[" * 100_000 + b"](" * 100_000 + b"\n\n" + TEXT.encode()


@hostile("pictures.md")
def _() -> bytes:
    return b"![[" * 50_000 + b"a](b)" * 50_000 + b"\n\n" + TEXT.encode()


@hostile("ticks.md")
def _() -> bytes:
    return b" ".join(b"`" * n for n in range(1, 3000)) + b"\n\n" + TEXT.encode()


@hostile("emphasis.md")
def _() -> bytes:
    return b"*a **b _c __d " * 50_000 + b"\n\n" + TEXT.encode()


@hostile("angles.md")
def _() -> bytes:
    return b"<a" * 200_000 + b"<!--" * 100_000 + b"\n\n" + TEXT.encode()


@hostile("table.md")
def _() -> bytes:
    width = 20_000
    return b"|".join([b"c"] * width) + b"\n" + b"|".join([b"-"] * width) + b"\n" + b"|a|\n" * 20_000 + TEXT.encode()


@hostile("html.md")
def _() -> bytes:
    return b"<div>\n\n" * 50_000 + TEXT.encode()


@hostile("references.md")
def _() -> bytes:
    return b"\n".join(b"[a%d]: /x\n[a%d]" % (n, n) for n in range(100_000)) + b"\n\n" + TEXT.encode()


@hostile("formulas.md")
def _() -> bytes:
    return b"$a" * 100_000 + b"$$" * 100_000 + b"\\(" * 50_000 + b"\n\n" + TEXT.encode()


# --- PDF ---

_CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
_PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"


def _forms(*forms: bytes) -> bytes:
    """A page that draws the first of some forms; each form is its operators, /Fn naming the form n."""
    names = b"".join(b"/F%d %d 0 R" % (n, n + 5) for n in range(len(forms)))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</XObject<<%b>>>>>>" % names
    made = [b"<</Length 6>>\nstream\n/F0 Do\nendstream"]
    head = (
        b"<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<<%b>>>>/Length %d>>\nstream\n%b\nendstream"
    )
    return raw_pdf(_CATALOG, _PAGES, page, *made, *(head % (names, len(form), form) for form in forms))


@hostile("form-in-itself.pdf")
def _() -> bytes:
    return _forms(b"/F0 Do")


@hostile("forms-in-a-circle.pdf")
def _() -> bytes:
    return _forms(b"/F1 Do /F1 Do", b"/F0 Do /F0 Do")


@hostile("forms-of-forms.pdf")
def _() -> bytes:
    return _forms(*(b"/F%d Do " % (n + 1) * 10 for n in range(11)), b"")


@hostile("page-in-itself.pdf")
def _() -> bytes:
    return raw_pdf(
        _CATALOG, b"<</Type/Pages/Kids[2 0 R 3 0 R]/Count 2>>", b"<</Type/Pages/Kids[2 0 R]/Parent 2 0 R/Count 9>>"
    )


@hostile("pages-of-pages.pdf")
def _() -> bytes:
    nodes = [b"<</Type/Pages/Kids[%b]/Count 1000000000>>" % (b"%d 0 R " % (n + 3) * 10) for n in range(12)]
    return raw_pdf(_CATALOG, *nodes, b"<</Type/Page/MediaBox[0 0 9 9]>>")


@hostile("count.pdf")
def _() -> bytes:
    return page_pdf(b"BT /F1 12 Tf (abcdefghijkl) Tj ET").replace(b"/Count 1", b"/Count 2000000000")


@hostile("many-pages.pdf")
def _() -> bytes:
    kids = b"".join(b"%d 0 R " % n for n in range(3, 6003))
    return raw_pdf(_CATALOG, b"<</Type/Pages/Kids[%b]/Count 6000>>" % kids, *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"] * 6000)  # fmt: skip  # noqa: E501


@hostile("same-page.pdf")
def _() -> bytes:
    """A page of 20,000 letters that the tree names 5,000 times."""
    text = b"BT /F1 12 Tf " + b"0 0 Td (abcdefghij) Tj " * 2000 + b"ET"
    return page_pdf(text).replace(b"/Kids[3 0 R]/Count 1", b"/Kids[" + b"3 0 R " * 4900 + b"]/Count 4900")


@hostile("letters.pdf")
def _() -> bytes:
    return page_pdf(
        zlib.compress(b"BT /F1 1 Tf " + b"1 0 Td (ab) Tj " * 3_000_000 + b"ET", 9), filters=b"/Filter/FlateDecode"
    )


@hostile("rules.pdf")
def _() -> bytes:
    lines = b"".join(b"%d %d m %d %d l S\n" % (n % 600, 0, n % 600, 800) for n in range(200_000))
    return page_pdf(zlib.compress(b"BT /F1 12 Tf (abcdefghijkl) Tj ET " + lines, 9), filters=b"/Filter/FlateDecode")


@hostile("grid.pdf")
def _() -> bytes:
    """A ruled table of 300 rows and 300 columns, with a letter in each cell."""
    across = b"".join(b"0 %d m 1200 %d l S\n" % (n * 4, n * 4) for n in range(301))
    down = b"".join(b"%d 0 m %d 1200 l S\n" % (n * 4, n * 4) for n in range(301))
    letters = b"".join(
        b"BT /F1 2 Tf %d %d Td (a) Tj ET " % (x * 4 + 1, y * 4 + 1) for x in range(300) for y in range(300)
    )
    made = page_pdf(zlib.compress(across + down + letters, 9), filters=b"/Filter/FlateDecode")
    return made.replace(b"[0 0 600 800]", b"[0 0 1200 1200]")


@hostile("box.pdf")
def _() -> bytes:
    return page_pdf(b"BT /F1 12 Tf (abcdefghijkl) Tj ET").replace(b"[0 0 600 800]", b"[0 0 1e30 -1e30]")


@hostile("stream.pdf")
def _() -> bytes:
    return page_pdf(
        zlib.compress(zlib.compress(bytes(800_000_000), 9), 9), filters=b"/Filter[/FlateDecode/FlateDecode]"
    )


@hostile("picture.pdf")
def _() -> bytes:
    """A page with nothing but a picture of 60,000 times 60,000 pixels, 20 MB packed."""
    packed = zlib.compress(zlib.compress(bytes(450_000_000), 1), 9)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>"
    image = b"<</Type/XObject/Subtype/Image/Width 60000/Height 60000/BitsPerComponent 1/ColorSpace/DeviceGray"
    image += b"/Filter[/FlateDecode/FlateDecode]/Length %d>>\nstream\n%b\nendstream" % (len(packed), packed)
    content = b"<</Length 21>>\nstream\n600 0 0 800 0 0 cm /I Do\nendstream"
    return raw_pdf(_CATALOG, _PAGES, page, content, image)


@hostile("map.pdf")
def _() -> bytes:
    """A font whose table of characters claims all codes, a hundred thousand times."""
    table = b"begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
    table += b"1 beginbfrange <0000> <FFFF> <0041> endbfrange\n" * 100_000 + b"endcmap"
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
    made = page_pdf(b"BT /F1 12 Tf (abcdefghijkl) Tj ET", font).partition(b"xref\n")[0]
    made += b"6 0 obj\n<</Length %d>>\nstream\n%b\nendstream\nendobj\n" % (len(table), table)
    return made + b"trailer\n<</Size 7/Root 1 0 R>>\n%%EOF"


@hostile("table-of-itself.pdf")
def _() -> bytes:
    made = pdf([TEXT])
    at = made.rindex(b"xref\n", 0, made.rindex(b"startxref"))
    return made.replace(b"/Size ", b"/Prev %d /Size " % at)


@hostile("cut.pdf")
def _() -> bytes:
    return pdf([TEXT] * 50)[:-700]


@hostile("locked.pdf")
def _() -> bytes:
    return encrypted("geheim")


# --- pictures ---


def huge_png(side: int = 60_000) -> bytes:
    """A PNG of some hundred bytes whose header claims `side` times `side` pixels."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", zlib.compress(bytes(999))) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@hostile("huge.png")
def _() -> bytes:
    return huge_png()


@hostile("huge.jpg")
def _() -> bytes:
    made = bytearray(picture("JPEG"))
    at = made.index(b"\xff\xc0")
    made[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(made)


@hostile("huge.bmp")
def _() -> bytes:
    made = bytearray(picture("BMP"))
    made[18:26] = struct.pack("<ii", 60_000, 60_000)
    return bytes(made)


@hostile("huge.tif")
def _() -> bytes:
    made = picture("TIFF")
    for tag in (256, 257):  # width and height
        made = made.replace(struct.pack("<HHII", tag, 4, 1, 64), struct.pack("<HHII", tag, 4, 1, 60_000))
    return made


@hostile("flat.png")
def _() -> bytes:
    """A picture just below the bound on pixels: 119 million white ones in 350 KB."""
    return picture("PNG", (10_900, 10_900))


@hostile("text.png")
def _() -> bytes:
    """A text that unpacks to 800 MB beside the picture."""
    text = b"t\0\0" + zlib.compress(bytes(800_000_000), 9)
    made = picture("PNG")
    return made[:33] + _chunk(b"zTXt", text) + made[33:]


@hostile("circle.tif")
def _() -> bytes:
    """A file whose page names itself as the next one."""
    made = bytearray(picture("TIFF"))
    at = struct.unpack_from("<I", made, 4)[0]
    entries = struct.unpack_from("<H", made, at)[0]
    struct.pack_into("<I", made, at + 2 + 12 * entries, at)
    return bytes(made)


@hostile("strip.png")
def _() -> bytes:
    return picture("PNG", (60_000, 2))


@hostile("point.png")
def _() -> bytes:
    return picture("PNG", (1, 1))


@hostile("cut.jpg")
def _() -> bytes:
    return picture("JPEG", (2000, 2000))[:3000]


@hostile("cut.png")
def _() -> bytes:
    return picture("PNG", (2000, 2000))[:200]


@hostile("noise.png")
def _() -> bytes:
    """Noise, in which a recogniser may see a thousand lines."""
    out = io.BytesIO()
    Image.frombytes("L", (2000, 2000), random.Random(4).randbytes(4_000_000)).save(out, "PNG")
    return out.getvalue()


@hostile("turned.jpg")
def _() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 99
    return picture("JPEG", exif=exif)


# --- older office files, through a converter ---


@hostile("braces.rtf")
def _() -> bytes:
    return b"{\\rtf1 " + b"{" * 1_000_000 + TEXT.encode("gbk")


@hostile("length.rtf")
def _() -> bytes:
    return b"{\\rtf1 {\\pict\\pngblip\\bin2000000000 " + huge_png() + b"}\\u23383? " + b"}"


@hostile("link.rtf")
def _() -> bytes:
    return b'{\\rtf1 {\\field{\\*\\fldinst INCLUDETEXT "/etc/passwd"}{\\fldrslt x}}\\u23383?\\u23383?}'


# --- files of one kind that are called another ---

for _name, _maker in {
    "workbook.pdf": sound_xlsx, "page.xls": lambda: _page(f"<table><tr><td>{TEXT}</td></tr></table>"),
    "word.xlsx": sound_docx, "pdf.docx": lambda: pdf([TEXT]), "picture.pdf.pdf": lambda: picture("PNG"),
    "photo.png": lambda: picture("JPEG"), "text.epub": TEXT.encode, "old.xlsx": sound_xls, "new.xls": sound_xlsx,
    "page.docx": lambda: _page(TEXT), "slides.docx": sound_pptx, "word.pptx": sound_docx, "word.epub": sound_docx,
    "book.docx": epub, "page.csv": lambda: _page(TEXT), "workbook.md": sound_xlsx, "workbook.csv": sound_xlsx,
    "page.mhtml": lambda: _page(TEXT), "saved.html": lambda: mhtml(("text/html", f"<p>{TEXT}</p>")),
    "drawing.png": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
    "script.png": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\nshowpage\n",
    "moving.png": lambda: picture("GIF"), "word.doc": sound_docx, "text.doc": TEXT.encode, "slides.odt": sound_pptx,
}.items():  # fmt: skip
    MAKERS[_name] = _maker
