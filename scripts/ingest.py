"""Prepares a corpus on many machines, restartably, and publishes an index from what they prepared.

scripts/ingest.py --corpus DIR --out DIR --shard 0/4            one share of four: read, cut, segment, embed
scripts/ingest.py --corpus DIR --out DIR --ray 8                all of it, a Ray Data job with eight actors
scripts/ingest.py --corpus DIR --out DIR --index DIR            a generation in DIR, as `wenqu index` makes it

A share is a folder of Parquet files, a row for each article, which name what they were made from. One that is there and
still right is not made again; one that is missing or of an older corpus costs time when the index is made, no more.
All other settings are those of the bot: WENQU_MODEL, WENQU_ENGINE, WENQU_ENGINE_URL, ...
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import heapq
import importlib.metadata
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, astuple, dataclass
from functools import cache, partial
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from bot.corpus.blocks import block_of
from bot.corpus.cache import readers_fingerprint
from bot.corpus.scan import ANSWERS, Skipped, SourceFile, digest_of, scan
from bot.errors import IndexBusy, ReadError, SettingsError, WenquError
from bot.index.build import build_index
from bot.index.embedder import load_embedder
from bot.index.lexical import Fields
from bot.index.opened import made_by
from bot.index.prepare import Prepared, Preparer, Recipe
from bot.settings import Settings, load_settings
from bot.text.dictionary import DICTIONARY, NO_DICTIONARY, Dictionary, read_dictionary
from bot.types import Document, LeftOut, Passage

PART = 500  # articles of a file: the work that a kill can cost, 5 s of one process
_PASSAGE = {"id": pa.string(), "heading": pa.string(), "start": pa.int32(), "end": pa.int32(), "page": pa.int32()}
_FIELDS = dict.fromkeys((field.name for field in dataclasses.fields(Fields)), pa.string())
SCHEMA = pa.schema(
    {name: pa.string() for name in ("path", "sha256", "warning", "id", "title", "text", "date")}
    | {"passages": pa.list_(pa.struct(_PASSAGE))}
    | {"fields": pa.list_(pa.struct(_FIELDS))}
    | {"structure": pa.string()}  # blocks, pages and what was left out, as JSON
    | {"vectors": pa.large_binary()}  # float16, passage by passage
)


@dataclass(frozen=True)
class Part:
    """A file of a share, and the files of the corpus that go into it."""

    file: Path
    sources: list[SourceFile]


@cache
def embedder(settings: Settings):
    """The model, once a process."""
    return load_embedder(settings.model)


@cache
def dictionary(settings: Settings) -> Dictionary:
    """The corpus's own, once a process."""
    file = settings.corpus / DICTIONARY
    return read_dictionary(file) if file.is_file() else NO_DICTIONARY


@cache
def preparer(settings: Settings) -> Preparer:
    """What reads and cuts, once a process."""
    return Preparer(Recipe(settings.corpus, settings.passage_size, dictionary(settings)))


@cache
def made_from(settings: Settings) -> dict[str, object]:
    """Whatever decides, beside the articles, what a file of a share holds."""
    made = made_by(settings, embedder(settings))
    own = json.dumps(dictionary(settings).entries, ensure_ascii=False)
    readers = readers_fingerprint().hex()
    del made["engine"]
    return made | {"own": own, "readers": readers, "wenqu": importlib.metadata.version("wenqu")}


def parts(settings: Settings, out: Path, shard: int, shards: int, size: int = PART) -> list[Part]:
    """The files of a share. An article belongs by its path alone, so to the same one everywhere and always."""
    sources = [
        file
        for file in scan(settings.corpus)[0]
        if file.path not in (DICTIONARY, ANSWERS)
        and int.from_bytes(hashlib.sha256(file.path.encode()).digest()[:8]) % shards == shard
    ]
    groups = [sources[first : first + size] for first in range(0, len(sources), size)]
    folder = out / f"shard-{shard}-of-{shards}"
    return [Part(folder / f"part-{number:06d}.parquet", group) for number, group in enumerate(groups)]


def write_part(settings: Settings, part: Part) -> tuple[int, int]:
    """Write one file by rename, unless it is there and right. Returns its passages, and those that were made now."""
    digest = hashlib.sha256()
    for source in part.sources:
        digest.update(f"{source.path}\0{_digest(settings, source)}\n".encode())
    made = {**made_from(settings), "articles": digest.hexdigest()}
    found = _state(part.file)
    if found and found == {**made, "passages": found["passages"]}:
        return found["passages"], 0
    rows = [row for source in part.sources if (row := _row(settings, source))]
    passages = sum(len(row["passages"]) for row in rows)
    state = json.dumps({**made, "passages": passages}, ensure_ascii=False)
    temporary = part.file.with_suffix(f".{socket.gethostname()}.{os.getpid()}.tmp")
    table = pa.Table.from_pylist(rows, SCHEMA.with_metadata({"wenqu": state}))
    # Statistics would hold whole texts, which no checksum covers and nobody reads.
    pq.write_table(table, temporary, compression="zstd", write_page_checksum=True, write_statistics=False)
    _sync(temporary)
    temporary.replace(part.file)
    _sync(part.file.parent)
    return passages, passages


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _digest(settings: Settings, source: SourceFile) -> str:
    try:
        return digest_of(settings.corpus, source)
    except ReadError as error:
        return error.code


def _state(file: Path) -> dict | None:
    """What a file of a share says it was made from; None where it is missing or damaged."""
    try:
        return json.loads(pq.read_schema(file).metadata[b"wenqu"])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def _row(settings: Settings, source: SourceFile) -> dict | None:
    """An article as a row; None of a file that cannot be read, which the index run will name."""
    one = preparer(settings).prepare(source)
    if isinstance(one, Skipped):
        return None
    texts = [passage.text for passage, _ in one.passages]
    vectors = embedder(settings).encode_passages(texts) if texts else np.empty(0)
    return {
        **{name: getattr(one.document, name) for name in ("id", "title", "text", "path", "date")},
        "sha256": one.digest,
        "warning": one.warning,
        "passages": [{name: getattr(passage, name) for name in _PASSAGE} for passage, _ in one.passages],
        "fields": [asdict(fields) for _, fields in one.passages],
        "structure": json.dumps(
            [[astuple(part) for part in parts] for parts in (one.document.blocks, one.document.left_out)]
            + [one.document.pages]
        ),
        "vectors": vectors.astype(np.float16).tobytes(),
    }


class Shares:
    """What was prepared of the corpus, in its order: a file of the corpus at a time, none twice."""

    def __init__(self, settings: Settings, out: Path) -> None:
        """Begin at the first article of all shares."""
        self._settings = settings
        folders = sorted(out.glob("shard-*-of-*"))
        # Each share is in the order of the corpus, so merging them keeps a part of each in memory, not all.
        self._rows = heapq.merge(*map(self._read, folders), key=lambda row: row["path"])
        self._row = next(self._rows, None)
        self.used = self.unfit = 0

    def _read(self, folder: Path) -> Iterator[dict]:
        made = made_from(self._settings)
        for file in sorted(folder.glob("*.parquet")):
            if {**(_state(file) or {}), **made} != _state(file):
                self.unfit += 1
                continue
            try:
                reader = pq.ParquetFile(file, page_checksum_verification=True)
                for batch in reader.iter_batches(100):
                    yield from batch.to_pylist()
            except (OSError, pa.ArrowException):  # what is left of it is prepared anew
                self.unfit += 1

    def __call__(self, file: SourceFile) -> Prepared | None:
        """What was prepared of the file, if of the bytes that it has now."""
        while self._row and self._row["path"] < file.path:
            self._row = next(self._rows, None)
        if not self._row or self._row["path"] != file.path or self._row["sha256"] != _digest(self._settings, file):
            return None
        self.used += 1
        return self._prepared(file, self._row)

    def _prepared(self, file: SourceFile, row: dict) -> Prepared:
        blocks, left_out, pages = json.loads(row["structure"])
        document = Document(
            *(row[name] for name in ("id", "title", "text", "path")),
            tuple(block_of(*block) for block in blocks),
            tuple(pages),
            tuple(LeftOut(*one) for one in left_out),
            row["date"],
        )
        passages = [
            Passage(
                one["id"],
                document.id,
                document.title,
                one["heading"],
                document.text[one["start"] : one["end"]],
                one["start"],
                one["end"],
                one["page"],
                document.date,
            )
            for one in row["passages"]
        ]
        fields = [Fields(**one) for one in row["fields"]]
        vectors = np.frombuffer(row["vectors"], dtype=np.float16).reshape(len(passages), -1)
        pairs = list(zip(passages, fields, strict=True))
        return Prepared(file, document, row["sha256"], row["warning"], pairs, {}, vectors=vectors)


def ingest(settings: Settings, out: Path, shard: int, shards: int, run, size: int = PART) -> tuple[int, int]:
    """Write a share by `run`, which maps its parts to counts. Returns its passages, and those that were made now."""
    todo = parts(settings, out, shard, shards, size)
    folder = out / f"shard-{shard}-of-{shards}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            for left in {*folder.glob("*.tmp"), *folder.glob("*.parquet")} - {part.file for part in todo}:
                left.unlink()  # of a run that was killed, or of a larger corpus
            counts = list(run(settings, todo))
    except Timeout as error:
        raise IndexBusy(f"另一个进程正在写 {folder}", "another process writes it", "稍后再试 / try later") from error
    return sum(count[0] for count in counts), sum(count[1] for count in counts)


def by_pool(workers: int, settings: Settings, todo: list[Part]) -> Iterator[tuple[int, int]]:
    """Map the parts by processes of this machine, which end when this one does, however it ends."""
    with ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent) as pool:
        try:
            yield from pool.map(partial(write_part, settings), todo)
        except BrokenProcessPool as error:
            raise WenquError(
                "一个工作进程被终止", "a worker was ended, perhaps for lack of memory", "--workers 1; run it again"
            ) from error


def _end_with_parent() -> None:
    """A worker whose parent is gone would wait for work for ever: both ends of its queue are its own."""
    parent = parent_process()

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def by_ray(actors: int, settings: Settings, todo: list[Part]) -> Iterator[tuple[int, int]]:
    """Map the parts by a Ray Data job: on the cluster of RAY_ADDRESS, which shares both folders, else here."""
    import ingest  # under this name the actors find it: what __main__ caches cannot be sent to them
    import ray

    # One CPU more than actors: without it the readers found none, and the job hung.
    local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": actors + 1, "include_dashboard": False}
    ray.init(log_to_driver=False, **local)
    numbers = ray.data.from_items([{"part": number} for number in range(len(todo))], override_num_blocks=len(todo))
    pool = ray.data.ActorPoolStrategy(size=actors)
    done = numbers.map(ingest.Actor, fn_constructor_args=(settings, todo), compute=pool)
    yield from ((row["passages"], row["made"]) for row in done.iter_rows())
    ray.shutdown()


class Actor:
    """The same step as Ray Data calls it."""

    def __init__(self, settings: Settings, todo: list[Part]) -> None:
        self._settings, self._todo = settings, todo

    def __call__(self, row: dict) -> dict:
        passages, made = write_part(self._settings, self._todo[int(row["part"])])
        return {"passages": passages, "made": made}


def publish(settings: Settings, out: Path) -> str:
    """Make a generation from the shares. Returns what was done, in a line."""
    if not any(out.glob("shard-*-of-*/*.parquet")):
        raise WenquError(f"没有分片: {out}", "there are no shares in it", f"scripts/ingest.py --out {out} --corpus DIR")
    shares = Shares(settings, out)
    summary = build_index(settings, embedder(settings), shares=shares)
    told = f"{summary.generation}: {summary.passages} passages of {summary.articles} articles, {shares.used} prepared"
    return told + (f"; {shares.unfit} files damaged or made by others were not used" if shares.unfit else "")


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the shares")
    parser.add_argument("--shard", default="0/1", help="which share of how many")
    parser.add_argument("--part", type=int, default=PART, help="articles of a file")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--ray", type=int, default=0, metavar="ACTORS")
    parser.add_argument("--index", type=Path, help="make a generation in this folder")
    options = parser.parse_args()
    try:
        print(_run(options))
    except WenquError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def _run(options: argparse.Namespace) -> str:
    settings = load_settings(corpus=options.corpus, index=options.index)
    begun = time.perf_counter()
    if options.index:
        return f"{publish(settings, options.out)}, {time.perf_counter() - begun:.1f} s"
    share = re.fullmatch(r"(\d+)/([1-9]\d*)", options.shard)
    if not share or int(share[1]) >= int(share[2]):
        raise SettingsError(f"--shard {options.shard} 不可用", "no share of that name", "--shard 0/4 … 3/4")
    run = partial(by_ray, options.ray) if options.ray else partial(by_pool, max(1, options.workers))
    passages, made = ingest(settings, options.out, int(share[1]), int(share[2]), run, max(1, options.part))
    seconds = time.perf_counter() - begun
    return f"{passages} passages, {made} made now in {seconds:.1f} s: {made / seconds:.0f}/s"


if __name__ == "__main__":
    main()
