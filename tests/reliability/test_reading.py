"""P14 to P17: whatever lies in the corpus, good files are indexed, nothing outside is opened, nothing forgotten."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from bad_files import READ, TEXT, bomb, contents, specials, word
from conftest import ROOT, write_articles
from documents import pdf
from hostile_files import MAKERS
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from typer.testing import CliRunner

from bot.cli.commands import cli
from bot.corpus import scan
from bot.corpus.passages import cut
from bot.corpus.scan import SourceFile, read_document
from bot.errors import ReadError
from bot.index import build, changes, prepare
from bot.index.build import build_index
from bot.index.opened import open_index
from bot.settings import load_settings
from bot.types import Block

pytestmark = pytest.mark.slow


class TinyEmbedder:
    """Vectors out of hashes: as good as any where only identity counts, and 2 s faster to load."""

    dim, fingerprint = 8, "tiny:1"

    def encode_query(self, text: str) -> np.ndarray:
        return self.encode_passages([text])[0]

    def encode_passages(self, texts) -> np.ndarray:
        digests = [np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], dtype=np.uint8) for text in texts]
        vectors = np.array(digests, dtype=np.float32) - 127.5
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def mixed(tmp_path: Path, seed: int):
    """A corpus of good and bad files and what is to become of each, beside a folder that nobody may read."""
    rng = random.Random(seed)
    (tmp_path / "outside").mkdir()
    folder = write_articles(tmp_path / "corpus", {f"good-{n:02d}.txt": f"{TEXT}第{n}篇。" for n in range(40)})
    wanted = dict.fromkeys((f"good-{n:02d}.txt" for n in range(40)), READ)
    for name, (data, code) in contents(rng).items():
        (folder / name).write_bytes(data)
        wanted[name] = code
    wanted |= specials(folder, tmp_path / "outside")
    return load_settings(corpus=folder, index=tmp_path / "index"), wanted


def test_p14_good_files_are_indexed_whatever_lies_beside_them(promise, seed, mixed):
    settings, wanted = mixed
    summary = build_index(settings, TinyEmbedder())
    index = open_index(settings, TinyEmbedder())
    skipped = {s.path: s.code for s in index.store.skipped()}
    read = {path for path, code in wanted.items() if code == READ}
    indexed = {path for path in read if index.store.document(path) is not None}
    wrong = {p: skipped.get(p) for p, code in wanted.items() if code and not _is(skipped.get(p, ""), code)}
    promise(
        "P14", "good files are indexed, bad ones named with a code",
        files=len(wanted), good=len(read), indexed=len(indexed), bad=len(wanted) - len(read),
        wrongly_named=len(wrong), seed=seed,
    )  # fmt: skip
    assert len(wanted) >= 100
    assert len(wanted) - len(read) >= 40
    assert wrong == {}
    assert indexed == read
    assert summary.articles == len(read)
    assert all(s.code.startswith("E-") and s.reason for s in index.store.skipped())
    for path, proof in (
        ("big5.txt", "半導體"),
        ("gb18030.txt", "𠮷野家"),
        ("kangxi.txt", "⼀"),
        ("gbk.html", "科创板"),
    ):
        article = index.store.document(path)
        assert proof in article.text
    assert "evil" not in index.store.document("climbing.docx").text
    ends = {p.text for p in cut(index.store.document("line-ends.txt"))}
    assert all("\r" not in text and "\u2028" not in text for text in ends)


def _is(found: str, wanted: str) -> bool:
    return any(found.startswith(code) for code in wanted.split("|"))


def test_p14_the_command_ends_well_and_with_3_where_that_is_asked(tmp_path):
    folder = write_articles(tmp_path / "corpus", {"a.txt": TEXT, "b.txt": ""})
    options = ["index", "--corpus", str(folder), "--index", str(tmp_path / "index")]
    assert CliRunner().invoke(cli, options).exit_code == 0
    strict = CliRunner().invoke(cli, [*options, "--strict"])
    assert strict.exit_code == 3  # also when nothing had to be done
    (folder / "b.txt").unlink()
    assert CliRunner().invoke(cli, [*options, "--strict"]).exit_code == 0


def test_p15_a_bomb_costs_the_run_nothing(promise, tmp_path):
    folder = write_articles(tmp_path / "corpus", {"a.txt": TEXT})
    code = (
        "import resource, sys\n"
        "from bot.corpus.scan import read_document, SourceFile\n"
        "from pathlib import Path\n"
        "from bot.errors import ReadError\n"
        "def read(name):\n"
        "    try:\n"
        "        read_document(Path(sys.argv[1]), SourceFile(name, 0, 0))\n"
        "        return 'read'\n"
        "    except ReadError as error:\n"
        "        return error.code\n"
        "first = read('small.docx')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(first, read('bomb.docx'), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    (folder / "small.docx").write_bytes(word(TEXT))
    (folder / "bomb.docx").write_bytes(bomb())
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, cwd=ROOT, timeout=120)
    first, found, grown = done.stdout.split()
    size = (folder / "bomb.docx").stat().st_size / 1e6
    promise(
        "P15",
        "a zip bomb is named and costs no memory",
        mb=round(size, 2),
        mb_inside=297,
        code=found,
        parent_growth_mb=grown,
    )
    assert (first, found) == ("read", "E-BOMB")
    assert size < 1
    assert int(grown) < 50


# Files that use up the time that a child may take, a minute or more each: for the long run.
_SLOW = {
    "inline.html", "attributes.html", "nested.html", "lists.html", "paragraphs.html", "links.html", "nested.epub",
    "grid.pdf", "same-page.pdf", "letters.pdf", "large.odt", "length.rtf", "braces.rtf", "parts.mhtml", "cell.csv",
    "references.md", "corners.xlsx", "diagonal.xlsx",
}  # fmt: skip
# What hostile files must become, by the beginning of their names; the others may be read or skipped with any code.
CERTAIN = {
    "bomb.": "E-BOMB", "huge.": "E-BOMB", "sealed.": "E-PASSWORD", "locked.pdf": "E-PASSWORD", "outside.epub": "read",
    "picture.docx": "read", "dimension.xlsx": "read", "span.html": "read", "slides.odt": "read", "spine.epub": "read",
    "new.xls": "read", "page.xls": "read", "quotes.md": "E-EMPTY", "workbook.pdf": "E-FORMAT", "script.png": "E-FORMAT",
}  # fmt: skip
READING = """
import json, resource, sys, time
from pathlib import Path
from bot.corpus.passages import cut
from bot.corpus.scan import SourceFile, read_document
from bot.errors import ReadError
folder = Path(sys.argv[1])
def peak():  # in MB; what resource says of this process begins with what its parent had
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
before = peak()
for name in sys.argv[2:]:
    begun, text = time.monotonic(), ""
    try:
        document = read_document(folder, SourceFile(name, 0, 0)).document
        cut(document)
        outcome, text = "read", document.text
    except ReadError as error:
        outcome = error.code
    seconds = time.monotonic() - begun
    print(json.dumps([name, outcome, seconds, "root:" in text, peak() - before]), flush=True)
print(json.dumps(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the memory of a process")
def test_p15_hostile_files_of_every_kind_cost_no_more_than_their_limits(promise, full, seed, tmp_path):
    """One by one, each is read or named with a code; nothing outside is read, and this process stays small."""
    rng = random.Random(seed)
    quick = sorted(MAKERS.keys() - _SLOW)
    names = sorted(MAKERS) if full else sorted({*rng.sample(quick, 12), *_certain()} - _SLOW)
    for name in names:
        (tmp_path / name).write_bytes(MAKERS[name]())
    command = [sys.executable, "-c", READING, str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=3600)
    *lines, child = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == names, done.stderr
    wrong = {name: found for name, found, *_ in lines if not _is(found, _certain().get(name, "read|E-"))}
    slowest = max(lines, key=lambda line: line[2])
    grown = max(line[4] for line in lines)
    promise(
        "P15", "hostile files cost no more than their limits", files=len(names),
        read=sum(line[1] == "read" for line in lines), slowest=slowest[0], seconds=round(slowest[2], 1),
        parent_growth_mb=grown, child_peak_mb=child, seed=seed,
    )  # fmt: skip
    assert wrong == {}
    assert not any(line[3] for line in lines)
    assert grown < 1000
    assert child < 3072
    assert slowest[2] < 130


def _certain() -> dict[str, str]:
    return {name: code for name in MAKERS for start, code in CERTAIN.items() if name.startswith(start)}


def test_p15_damaged_documents_end_in_a_document_or_a_code(promise, full, seed):
    """Seeded damage: bytes flipped, cut, doubled, zeroed, swapped."""
    rng = random.Random(seed)
    page = f"<html><title>站</title><body><h1>题</h1><p>{TEXT}</p><table><tr><td>甲</td></tr></table></html>".encode()
    sound = {
        ".pdf": pdf([TEXT] * 3),
        ".docx": word(TEXT, TEXT),
        ".html": page,
        ".md": f"# 题\n\n{TEXT}\n\n- 一\n".encode(),
    }
    slow = 500 if full else 6
    counts = {".pdf": slow, ".docx": slow, ".html": 500, ".md": 500}
    outcomes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix, count in counts.items():
            for number in range(count):
                name = f"{number}{suffix}"
                (Path(folder) / name).write_bytes(_damaged(sound[suffix], rng))
                try:
                    read_document(Path(folder), SourceFile(name, 0, 0))
                    outcome = "read"
                except ReadError as error:
                    outcome = error.code
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
    promise("P15", "damaged documents end in text or a code", files=sum(counts.values()), **outcomes, seed=seed)
    assert sum(outcomes.values()) == sum(counts.values())
    assert not {"E-TIME", "E-MEMORY"} & set(outcomes)


def _damaged(data: bytes, rng: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at, length = rng.randrange(len(made)), rng.randint(1, 64)
        kind = rng.randrange(5)
        if kind == 0:
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            made[at:] = b""
        elif kind == 2:
            made[at:at] = made[at : at + length]
        elif kind == 3:
            made[at : at + length] = bytes(min(length, len(made) - at))
        else:
            other = rng.randrange(len(made))
            made[at], made[other] = made[other], made[at]
        if not made:
            made += b"x"
    return bytes(made)


def test_p16_nothing_outside_the_corpus_is_opened(promise, mixed, tmp_path):
    settings, wanted = mixed
    opened = _opened_by_a_run(settings, tmp_path)
    outside = [path for path in opened if str(tmp_path / "outside") in path or path.startswith("/proc/")]
    inside = [path for path in opened if path.startswith(str(settings.corpus)) or path in wanted]
    promise("P16", "nothing outside the corpus is opened", files=len(wanted), opened=len(inside), outside=len(outside))
    assert len(inside) >= 60
    assert outside == []


def _opened_by_a_run(settings, tmp_path: Path, before: str = "") -> list[str]:
    """What Python opened while an index was built, by an audit hook; the way of links is resolved."""
    code = (
        "import json, os, sys\n"
        "sys.path[:0] = [sys.argv[4]]\n"
        "from test_reading import TinyEmbedder\n"
        "from bot.index.build import build_index\n"
        "from bot.settings import load_settings\n"
        f"{before}\n"
        "opened = []\n"
        "def note(event, arguments):\n"
        "    if event == 'open' and isinstance(arguments[0], (str, bytes)):\n"
        "        path = os.fsdecode(arguments[0])\n"
        "        followed = not (arguments[2] or 0) & os.O_NOFOLLOW\n"
        "        head, tail = os.path.split(path)\n"
        "        known = os.path.realpath(path) if followed else os.path.join(os.path.realpath(head), tail)\n"
        "        opened.append(known if head else path)\n"
        "sys.addaudithook(note)\n"
        "build_index(load_settings(corpus=sys.argv[1], index=sys.argv[2]), TinyEmbedder())\n"
        "seen = list(opened)\n"
        "open(sys.argv[3], 'w').write(json.dumps(seen))\n"
    )
    file = tmp_path / "opened.json"
    folders = [settings.corpus, settings.index, file, Path(__file__).parent]
    path = f"{ROOT}:{ROOT / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, folders)], capture_output=True, text=True, timeout=240,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())


def test_p16_the_harness_sees_a_link_that_is_followed(tmp_path):
    """The null control: a scan that takes links for files is found out."""
    folder = write_articles(tmp_path / "corpus", {"a.txt": TEXT})
    write_articles(tmp_path / "outside", {"secret.txt": TEXT})
    (folder / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    settings = load_settings(corpus=folder, index=tmp_path / "index")
    broken = (
        "from bot.corpus import scan\n"
        "scan._examine = lambda full, path: scan.SourceFile(path, full.stat().st_size, 1)\n"
        "scan._content = lambda folder, path: (folder / path).read_bytes()\n"
    )
    assert any("outside" in path for path in _opened_by_a_run(settings, tmp_path, broken))


@pytest.mark.parametrize("becomes", ["link", "pipe", "folder", "larger", "link to a folder"])
def test_p16_what_changes_its_nature_after_the_look_is_refused(tmp_path, monkeypatch, becomes):
    secret = write_articles(tmp_path / "outside", {"a.txt": "外面的秘密。"}) / "a.txt"
    folder = write_articles(tmp_path / "corpus" / "子", {"a.txt": TEXT}).parent
    (file,), _ = scan.scan(folder)
    assert read_document(folder, file).document.text == TEXT
    path = folder / "子" / "a.txt"
    path.unlink()
    if becomes == "link":
        path.symlink_to(secret)
    elif becomes == "pipe":
        os.mkfifo(path)
    elif becomes == "folder":
        path.mkdir()
    elif becomes == "link to a folder":
        path.parent.rmdir()
        path.parent.symlink_to(secret.parent)
    else:
        monkeypatch.setattr(scan, "MAX_FILE_BYTES", 10)
        path.write_text(TEXT, encoding="utf-8")
    with pytest.raises(ReadError) as error:
        read_document(folder, file)
    assert error.value.code == {"folder": "E-READ", "larger": "E-SIZE"}.get(becomes, "E-TYPE")


NAMES = st.sampled_from(["a.txt", "b.txt", "子/c.md", "d.html", "字典.txt"])
TEXTS = st.sampled_from([f"第{n}篇说的是{what}的历史,它始于{1900 + n}年。" for n, what in enumerate("茶桥城山河")])
# Where a run may end: functions that it calls.
PLACES = [(prepare, "read_document"), (prepare, "cut"), (build, "publish"), (build, "sha256")]


class Changes(RuleBasedStateMachine):
    """The corpus as a dictionary beside the corpus as files, and what is in the index after each run."""

    steps = 0

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.settings = load_settings(corpus=self.folder / "corpus", index=self.folder / "index")
        self.settings.corpus.mkdir()
        self.model: dict[str, str] = {}
        self.indexed: dict[str, str] | None = None

    @rule(name=NAMES, text=TEXTS)
    def write(self, name: str, text: str) -> None:
        path = self.settings.corpus / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.model[name] = text

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        (self.settings.corpus / name).unlink(missing_ok=True)
        self.model.pop(name, None)

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        if old in self.model and Path(old).suffix == Path(new).suffix and old != new:
            (self.settings.corpus / new).parent.mkdir(exist_ok=True)
            (self.settings.corpus / old).rename(self.settings.corpus / new)
            self.model[new] = self.model.pop(old)

    def run(self, goes_on: bool) -> None:
        """A whole run, or one that goes on from what is indexed."""
        if self.model:
            base = open_index(self.settings, TinyEmbedder()) if goes_on and self.indexed is not None else None
            build_index(self.settings, TinyEmbedder(), base=base)
            self.indexed = dict(self.model)

    @rule(goes_on=st.booleans())
    def index(self, goes_on: bool) -> None:
        self.run(goes_on)

    @rule(where=st.sampled_from(PLACES), after=st.integers(0, 3), goes_on=st.booleans())
    def crash(self, where: tuple[ModuleType, str], after: int, goes_on: bool) -> None:
        """A run that ends in the middle, wherever that is."""
        whole = getattr(*where)
        calls = 0

        def breaking(*arguments, **named):
            nonlocal calls
            calls += 1
            if calls > after:
                raise KeyboardInterrupt
            return whole(*arguments, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*where, breaking)
            with contextlib.suppress(KeyboardInterrupt):
                self.run(goes_on)

    @invariant()
    def the_index_holds_what_the_last_whole_run_saw(self) -> None:
        type(self).steps += 1
        if getattr(self, "indexed", None) is None:
            return
        index = open_index(self.settings, TinyEmbedder())
        found = {p.document: p.text for p in index.store.passages(index.store.rows())}
        assert found == self.indexed

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


def test_p17_a_change_of_the_corpus_is_a_change_of_the_index_and_no_other(promise, full, monkeypatch):
    monkeypatch.setattr(changes, "_WHOLE_UNDER", 0)  # small corpora go on from their index too
    monkeypatch.setattr(changes, "_MOST_CHANGED", 100)
    Changes.steps = 0
    examples, steps = (1000, 50) if full else (50, 20)
    run_state_machine_as_test(
        Changes, settings=hypothesis_settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
    promise("P17", "the index holds what the last whole run saw", examples=examples, states=Changes.steps)


def test_p17_the_machine_finds_a_deletion_that_is_forgotten(monkeypatch):
    """The null control."""
    seen: dict[str, set] = {}
    scanned = scan.scan

    def remembering(folder):
        files, skipped = scanned(folder)
        kept = seen.setdefault(str(folder), set())
        kept |= {file.path for file in files}
        missing = kept - {file.path for file in files}
        return files + [SourceFile(path, 1, 1) for path in sorted(missing)], skipped

    read = scan.read_document

    def invented(folder, file, *more):
        if (folder / file.path).exists():
            return read(folder, file, *more)
        text = "早已删除的文章仍在这里。"
        return scan.Read(scan.Document(file.path, "", text, file.path, (Block("paragraph", 0, len(text)),)), "")

    monkeypatch.setattr(build, "scan", remembering)
    monkeypatch.setattr(prepare, "read_document", invented)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Changes,
            settings=hypothesis_settings(
                max_examples=100, stateful_step_count=30, deadline=None, database=None, phases=[Phase.generate]
            ),
        )
