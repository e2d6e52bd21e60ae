"""How much of real files becomes passages: python scripts/check_documents.py FOLDER [--json] [--only NAME].

Each file under FOLDER is read and cut as the bot does, and compared with an independent extraction (INDEPENDENT below
says which). What is compared are runs of four Han characters, counted as often as they occur: a sentence that a file
says twice has to be there twice. A run lies in one piece of the file (a line, a paragraph, a cell), so that it does not
matter in which order or with what between them two extractions give the cells of a table. In a PDF poppler must find
the run in both of its orders, by place and as in the file: each puts lines of cells together that belong to none.

kept       share of the file's runs in passages, their headings and the title
accounted  the same with what was left out as furniture: contents tables, running heads, page numbers, ...
joined     the plainest measure: distinct runs of the whole text without white space. It counts mixed columns, but also
           every border of two cells or lines as lost that the two extractions put together otherwise
junk       of a web page: share of the passages' runs that trafilatura's article has not; kept is that of the article

FOLDER/questions.tsv (or --questions FILE) has a question a line: the file's name without suffix, the question, a
pattern of the answer. All files are indexed together; a question is right when it is answered and the pattern is found
in the answer's text or in the marked spans of source 1.

Prints which file fell below which bound (BOUNDS); the exit code is 1 if one did.
"""

from __future__ import annotations

import argparse
import csv
import html
import importlib.util
import io
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.corpus.loss import kept_spans
from bot.corpus.passages import cut
from bot.corpus.scan import ANSWERS, SourceFile, read_document, scan
from bot.errors import ReadError
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.text.dictionary import DICTIONARY
from bot.text.encoding import decode
from bot.types import Document, Passage

QUESTIONS = "questions.tsv"
# What is furniture of a page by design: it counts as accounted for where it was named.
FURNITURE = {"contents table", "running head", "page number", "repeated title", "watermark"}
MEDIAN_JUNK = 0.10
# A file without text has no bound: an empty one, and a scan where no OCR is installed.
WITHOUT_TEXT = {"E-EMPTY", "E-SCAN"}
_WIDE = 120  # columns of a terminal that has room for the blocks
FEW = 20  # runs; with fewer, a share says nothing
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af々〇"
_RUN = re.compile(f"[{_HAN}]{{4,}}")
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_T = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


# Independent extractions: bytes in, the pieces of the file out, each a text that belongs together.


def of_pdf(data: bytes) -> Iterator[str]:
    """Poppler's lines in its reading order."""
    return iter(poppler(data))


def poppler(data: bytes, *options: str) -> list[str]:
    """The lines that pdftotext makes of a file, divided at wide gaps, which are borders of cells or columns."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        command = ["pdftotext", "-enc", "UTF-8", *options, file.name, "-"]
        done = subprocess.run(command, capture_output=True, timeout=300)
    if b"Missing language pack" in done.stderr:
        raise RuntimeError("pdftotext lacks its tables of CJK fonts: apt-get install poppler-data")
    return re.split(r"\s{2,}|\n", done.stdout.decode("utf-8", "replace"))


def of_docx(data: bytes) -> Iterator[str]:
    """The paragraphs of the body and the notes, as w:t and m:t have them; without what is hidden or was moved away."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        for name in opened.namelist():
            if re.fullmatch(r"word/(document\d*|footnotes|endnotes)\.xml", name):
                yield from _paragraphs(fromstring(opened.read(name)))


def _paragraphs(root: Element) -> Iterator[str]:
    """The text of each w:p, that of a text box in it apart."""
    waiting = [(root, [])]
    found = []
    while waiting:
        node, into = waiting.pop()
        if node.tag in (_FALLBACK, f"{_W}moveFrom") or node.find(f"{_W}rPr/{_W}vanish") is not None:
            continue  # a fallback says the same again for older programs
        if node.tag == f"{_W}p":
            into = []
            found.append(into)
        if node.tag in (f"{_W}t", f"{_M}t"):
            into.append(node.text or "")
        waiting += [(child, into) for child in reversed(node)]
    return ("".join(texts) for texts in found)


def of_odt(data: bytes) -> Iterator[str]:
    """The paragraphs and headings of an OpenDocument text."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        for node in fromstring(opened.read("content.xml")).iter():
            if node.tag in (f"{_T}p", f"{_T}h"):
                yield "".join(node.itertext())


def of_pptx(data: bytes) -> Iterator[str]:
    """The paragraphs of slides and notes, as a:t has them."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        for name in opened.namelist():
            if re.fullmatch(r"ppt/(slides|notesSlides)/[^/]+\.xml", name):
                for paragraph in fromstring(opened.read(name)).iter(f"{_A}p"):
                    yield "".join(text.text or "" for text in paragraph.iter(f"{_A}t"))


def of_xlsx(data: bytes) -> Iterator[str]:
    """The values of all cells of all sheets, by openpyxl."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    for sheet in book.worksheets:
        for row in sheet.iter_rows(values_only=True):
            yield from (str(value) for value in row if value is not None)


def of_sheets(data: bytes) -> Iterator[str]:
    """The values of all cells by python-calamine: the library that the bot has as well, so not independent of it."""
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    for name in book.sheet_names:
        for row in book.get_sheet_by_name(name).to_python():
            yield from map(str, row)


def of_epub(data: bytes) -> Iterator[str]:
    """The text of the chapters that the spine names, without tags."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        container = fromstring(opened.read("META-INF/container.xml"))
        book = next(node.attrib["full-path"] for node in container.iter() if node.tag.endswith("}rootfile"))
        package = fromstring(opened.read(book))
        items = {node.get("id"): node.get("href", "") for node in package.iter() if node.tag.endswith("}item")}
        for node in package.iter():
            if node.tag.endswith("}itemref") and node.get("idref") in items:
                name = normpath(join(dirname(book), unquote(items[node.get("idref")])))
                yield from without_tags(opened.read(name).decode("utf-8", "replace"))


def without_tags(page: str) -> list[str]:
    """The text between the tags of blocks."""
    page = re.sub(r"(?is)<!--.*?-->|<(head|script|style)\b.*?</\1>", "", page)
    page = re.sub(r"(?i)</?(p|div|h\d|li|td|th|tr|br|blockquote|section|table|dt|dd|pre)\b[^>]*>", "\n", page)
    return html.unescape(re.sub(r"<[^>]*>", "", page)).split("\n")


def of_text(data: bytes) -> Iterator[str]:
    """The lines of the text, as the bot decodes it."""
    return iter(decode(data).text.split("\n"))


def of_markdown(data: bytes) -> Iterator[str]:
    """The lines without the marks and tags, and without the addresses of links."""
    text = re.sub(r"\]\([^)\n]*\)", "]", decode(data).text)
    return iter(re.sub(r"[*_`~\[\]!]", "", line) for line in without_tags(text))


def of_cells(data: bytes) -> Iterator[str]:
    """The fields of a csv or tsv file."""
    text = decode(data).text
    first = text.split("\n", 1)[0]
    delimiter = max("\t;,|", key=first.count)
    for row in csv.reader(io.StringIO(text), delimiter=delimiter):
        yield from row


def of_page(data: bytes) -> Iterator[str]:
    """The article that trafilatura finds in a web page."""
    import trafilatura

    return iter((trafilatura.extract(data, include_comments=False) or "").split("\n"))


def of_archived_page(data: bytes) -> Iterator[str]:
    """The article that trafilatura finds in the first page of an mhtml file."""
    message = message_from_bytes(data, policy=policy.default)
    pages = (part for part in message.walk() if part.get_content_type() in ("text/html", "application/xhtml+xml"))
    page = next(pages, None)
    return of_page(page.get_payload(decode=True)) if page else iter(())


INDEPENDENT: dict[str, Callable[[bytes], Iterator[str]]] = {
    ".pdf": of_pdf,
    ".docx": of_docx,
    ".docm": of_docx,
    ".dotx": of_docx,
    ".dotm": of_docx,
    ".odt": of_odt,
    ".pptx": of_pptx,
    ".ppsx": of_pptx,
    ".xlsx": of_xlsx,
    ".xlsm": of_xlsx,
    ".xls": of_sheets,
    ".xlsb": of_sheets,
    ".ods": of_sheets,
    ".epub": of_epub,
    ".txt": of_text,
    ".text": of_text,
    ".md": of_markdown,
    ".markdown": of_markdown,
    ".csv": of_cells,
    ".tsv": of_cells,
    ".html": of_page,
    ".htm": of_page,
    ".xhtml": of_page,
    ".mhtml": of_archived_page,
    ".mht": of_archived_page,
}
PAGES = (".html", ".htm", ".xhtml", ".mhtml", ".mht")
# The least share that has to be accounted for.
BOUNDS = dict.fromkeys(INDEPENDENT, 0.98) | dict.fromkeys([".pdf", *PAGES], 0.97)


@dataclass
class Measured:
    """What was found about a file; shares are None where there is nothing to compare with."""

    file: str
    title: str = ""
    kept: float | None = None
    accounted: float | None = None
    joined: float | None = None
    junk: float | None = None
    passages: int = 0
    seconds: float = 0.0
    blocks: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)  # the longest stretches that are not accounted for
    problem: str = ""
    below: str = ""


def runs(text: str) -> Iterator[str]:
    """The runs of four Han characters of a text without white space."""
    for found in _RUN.finditer("".join(text.split())):
        yield from (found[0][place : place + 4] for place in range(len(found[0]) - 3))


def share(part: int, whole: int) -> float | None:
    """A share with four digits; None of too little."""
    return round(part / whole, 4) if whole >= FEW else None


def in_passages(document: Document, passages: list[Passage]) -> str:
    """All text that is searched, in order and without overlap; the title first, if the text does not have it."""
    text = "\n".join(document.text[start:end] for start, end in kept_spans(document, passages))
    return text if document.title in text else f"{document.title}\n{text}"


def compare(
    measured: Measured,
    pieces: list[str],
    document: Document,
    passages: list[Passage],
    confirmed: set[str] | None = None,
) -> None:
    """Set the shares of a file that was read; of the runs in the pieces only those count that are `confirmed`."""
    ours = Counter(runs(in_passages(document, passages)))
    named = Counter(run for one in document.left_out if one.reason in FURNITURE for run in runs(one.text))
    total = kept = accounted = 0
    stretches = []
    left = ours.copy()
    for piece in pieces:
        stretch = ""
        for run in runs(piece):
            if confirmed is not None and run not in confirmed:
                continue
            total += 1
            if left[run] > 0:
                left[run] -= 1
                kept += 1
            elif named[run] > 0:
                named[run] -= 1
                accounted += 1
            else:
                stretch = stretch + run[-1] if stretch.endswith(run[:3]) else _ended(stretches, stretch, run)
                continue
            stretch = _ended(stretches, stretch, "")
        _ended(stretches, stretch, "")
    measured.kept, measured.accounted = share(kept, total), share(kept + accounted, total)
    whole = set(runs("".join(pieces)))
    measured.joined = share(len(whole & set(ours)), len(whole))
    measured.missing = sorted(stretches, key=len, reverse=True)[:10]
    if total < FEW:
        measured.problem = measured.problem or f"only {total} runs of four Han characters to compare with"


def _ended(stretches: list[str], stretch: str, begun: str) -> str:
    """Keep a stretch that is over; the one that begins."""
    if stretch:
        stretches.append(stretch)
    return begun


def junk(pieces: list[str], document: Document, passages: list[Passage]) -> float | None:
    """The share of the passages' runs that the article has not."""
    article = set(runs("".join(pieces)))
    texts = [document.text[start:end] for start, end in kept_spans(document, passages)]
    ours = [run for text in texts for line in text.split("\n") for run in runs(line)]
    return share(sum(run not in article for run in ours), len(ours)) if article else None


def measure(folder: Path, file: SourceFile) -> Measured:
    """Read a file as the bot does, and compare it."""
    measured = Measured(file.path)
    suffix = Path(file.path).suffix.lower()
    confirmed = None
    try:
        data = (folder / file.path).read_bytes()
        pieces = list(INDEPENDENT[suffix](data)) if suffix in INDEPENDENT else []
        if suffix == ".pdf":
            confirmed = set(runs("".join(poppler(data, "-raw"))))  # some files have a line for each character
    except Exception as error:  # libraries raise errors of many kinds, and the other files are still to be measured
        pieces = []
        measured.problem = f"no independent text: {type(error).__name__}: {error}"[:120]
    started = time.perf_counter()
    try:
        read = read_document(folder, file)
    except ReadError as error:
        measured.problem = f"{error.code} {error}"
        measured.below = "" if error.code in WITHOUT_TEXT else "not read"
    else:
        document = read.document
        passages = cut(document)
        measured.title, measured.passages = document.title, len(passages)
        measured.problem = measured.problem or read.warning
        measured.blocks = dict(Counter(block.kind for block in document.blocks).most_common())
        measured.left_out = dict(Counter(one.reason for one in document.left_out).most_common())
        measured.seconds = round(time.perf_counter() - started, 2)
        compare(measured, pieces, document, passages, confirmed)
        if suffix in PAGES:
            measured.junk = junk(pieces, document, passages)
    bound = BOUNDS.get(suffix, 0.0)
    if measured.accounted is not None and measured.accounted < bound:
        measured.below = f"{measured.accounted:.3f} accounted for, bound {bound}"
    return measured


@dataclass
class Asked:
    """A question with what was answered."""

    file: str
    question: str
    pattern: str
    right: bool
    right_document: bool
    refused: bool
    answer: str
    first: str  # the document of source 1


def ask(folder: Path, files: list[SourceFile], questions: list[list[str]]) -> list[Asked]:
    """Index the files in a temporary folder and ask the questions."""
    with tempfile.TemporaryDirectory() as temporary:
        corpus = Path(temporary) / "corpus"
        for file in files:
            target = corpus / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / file.path, target)
        bot = Bot(load_settings(corpus=corpus, index=Path(temporary) / "index", llm_url=""))
        bot.refresh()
        return [_asked(bot, *question) for question in questions]


def _asked(bot: Bot, file: str, question: str, pattern: str) -> Asked:
    answer = bot.ask(question)
    first = answer.evidence[0] if answer.evidence else None
    marked = [first.hit.passage.text[span.start : span.end] for span in first.spans] if first else []
    said = "\n".join([answer.text, *marked])
    found = re.search(pattern, said, re.I) or re.search(pattern, "".join(said.split()), re.I)
    document = first.hit.passage.document if first else ""
    is_right = bool(found) and not answer.refused
    of_file = Path(document).stem == file
    return Asked(file, question, pattern, is_right, of_file, answer.refused, answer.text, document)


def read_questions(file: Path) -> list[list[str]]:
    """The questions of a file: file, question, pattern. Exits if a line is none."""
    found = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, parts in enumerate(found, start=1):
        if len(parts) != 3:
            sys.exit(f"{file}, line {number}: not three fields with tabs between them: file, question, pattern")
    return found


# Terminal


def show(console: Console, found: list[Measured]) -> None:
    """Print the files by format, with their shares; in a narrow terminal without the blocks."""
    is_wide = console.width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("file", "title"):
        table.add_column(name, max_width=28 if is_wide else 20, no_wrap=True, overflow="ellipsis")
    for name in ("kept", "acc.", "joined", "junk", "pass.", "s"):
        table.add_column(name, justify="right", no_wrap=True, min_width=5)
    if is_wide:
        table.add_column("blocks | what was left out", overflow="fold", min_width=40)
    for one in sorted(found, key=lambda one: (Path(one.file).suffix, one.file)):
        shares = ["-" if value is None else f"{value:.3f}" for value in (one.kept, one.accounted, one.joined, one.junk)]
        counts = ", ".join(f"{kind} {count}" for kind, count in one.blocks.items())
        left_out = "; ".join(f"{reason} {count}" for reason, count in one.left_out.items())
        about = one.problem or counts + (f" | {left_out}" if left_out else "")
        cells = (Path(one.file).name, one.title, *shares, str(one.passages), f"{one.seconds:.2f}", about)
        table.add_row(*map(Text, cells[: len(table.columns)]), style="red" if one.below else "")
    console.print(table)


def show_bounds(console: Console, found: list[Measured], median: float | None) -> None:
    """Print which file fell below which bound, with what is missing."""
    below = [one for one in found if one.below]
    console.print(f"\n{len(found)} files, {len(below)} below their bound")
    for one in below:
        console.print(Text(f"  {one.file}: {one.below}" + (f" ({one.problem})" if one.problem else ""), style="red"))
        for text in one.missing[:3]:
            console.print(Text(f"      {text[:100]}", style="dim"))
    if median is not None:
        sign = "red" if median > MEDIAN_JUNK else ""
        console.print(Text(f"median junk of web pages: {median:.3f}, bound {MEDIAN_JUNK}", style=sign))


def show_questions(console: Console, asked: list[Asked]) -> None:
    """Print the questions that were not answered right, and how many were."""
    console.print()
    for one in asked:
        if not one.right:
            console.print(Text(f"  wrong: {one.question}  ({one.file}: {one.pattern})", style="red"))
            said = "refused" if one.refused else one.answer.replace("\n", " ")[:150]
            console.print(Text(f"      {one.first}: {said}" if one.first else f"      {said}", style="dim"))
    right, documents = sum(one.right for one in asked), sum(one.right_document for one in asked)
    console.print(f"{right} of {len(asked)} questions right, {documents} with the right document first")


def require(files: list[SourceFile]) -> None:
    """Exit with the commands that install what is missing for these files."""
    suffixes = {Path(file.path).suffix.lower() for file in files}
    missing = []
    if ".pdf" in suffixes and not shutil.which("pdftotext"):
        missing.append("pdftotext: apt-get install poppler-utils poppler-data  (macOS: brew install poppler)")
    for module, used in (("openpyxl", {".xlsx", ".xlsm"}), ("trafilatura", {*PAGES})):
        if suffixes & used and not importlib.util.find_spec(module):
            missing.append(f"{module}: pip install {module}")
    if missing:
        sys.exit("missing:\n" + "\n".join(f"  {line}" for line in missing))


def main() -> None:
    """Measure the files, ask the questions, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", default="", metavar="NAME", help="files whose path holds this")
    parser.add_argument("--questions", type=Path, metavar="FILE", help="instead of FOLDER/questions.tsv")
    options = parser.parse_args()
    if not options.folder.is_dir():
        sys.exit(f"{options.folder}: no such folder")
    given = options.questions or options.folder / QUESTIONS
    questions = read_questions(given) if given.exists() or options.questions else []
    others = {QUESTIONS, DICTIONARY, ANSWERS}
    readable, skipped = scan(options.folder)
    files = [file for file in readable if file.path not in others]
    chosen = [file for file in files if options.only in file.path]
    require(chosen)
    console, progress = Console(width=None if sys.stdout.isatty() else 160), Console(stderr=True)
    found = []
    with progress.status("") as status:
        for file in chosen:
            status.update(file.path)
            found.append(measure(options.folder, file))
        for one in skipped:
            if options.only in one.path and one.path not in others:
                found.append(Measured(one.path, problem=f"{one.code} {one.reason}", below="not read"))
        status.update(f"{len(questions)} questions")
        asked = ask(options.folder, files, questions) if questions and not options.only else []
    shares = [one.junk for one in found if one.junk is not None]
    median = statistics.median(shares) if shares else None
    if options.json:
        result = {"files": list(map(asdict, found)), "median_junk": median, "questions": list(map(asdict, asked))}
        print(json.dumps(result, ensure_ascii=False, indent=1))
    else:
        show(console, found)
        show_bounds(console, found, median)
        if asked:
            show_questions(console, asked)
    sys.exit(any(one.below for one in found) or (median is not None and median > MEDIAN_JUNK))


if __name__ == "__main__":
    main()
