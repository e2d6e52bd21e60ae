"""Cuts, segments and embeds a share of a corpus into Parquet, restartably, and loads such files into Milvus.

scripts/ingest.py CORPUS --out DIR --shard 0/4 --workers 8     one share of four, a pool of processes
scripts/ingest.py CORPUS --out DIR --ray 2                     all of it, a Ray Data job with two actors
scripts/ingest.py --out DIR --load URL                         into the collection wenqu_ingest, each passage once
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import lzma
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bot.corpus import read_article, scan
from bot.dictionary import NO_DICTIONARY
from bot.embedder import load_embedder
from bot.errors import ReadError
from bot.lexical import passage_terms
from bot.passages import cut
from bot.types import Article

PART = 500  # articles of a file: the work that a kill can cost, some seconds of one process
COLLECTION = "wenqu_ingest"
_ROWS = 1000  # of one request


@cache
def embedder():
    """The bundled model, once a process."""
    return load_embedder()


def articles(source: Path) -> Iterator[Article]:
    """The articles of a folder or of a .jsonl(.xz) file of {"id", "text", "title" (optional)}."""
    if source.is_dir():
        for file in scan(source)[0]:
            try:
                yield read_article(source, file)[0]
            except ReadError as error:
                print(f"{file.path}: {error}", file=sys.stderr)
        return
    opener = lzma.open if source.suffix == ".xz" else open
    with opener(source, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            yield Article(entry["id"], entry.get("title", ""), entry["text"], entry["id"])


def belongs(identity: str, shard: int, shards: int) -> bool:
    """Whether an article is of this shard: by its id alone, so the same on every machine and in every run."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]) % shards == shard


def table(batch: list[Article]) -> pa.Table:
    """A row for each passage: what an answer shows, its terms, and its vector in half precision."""
    passages = [passage for article in batch for passage in cut(article)[0]]
    vectors = embedder().encode_passages([p.text for p in passages]) if passages else np.empty((0, embedder().dim))
    columns = {name: [getattr(p, name) for p in passages] for name in ("id", "article_id", "title", "heading", "text")}
    flat = pa.array(np.asarray(vectors, dtype=np.float16).ravel())
    return pa.table(
        columns
        | {"start": [p.start for p in passages], "end": [p.end for p in passages]}
        | {"terms": pa.array([passage_terms(p, NO_DICTIONARY) for p in passages], pa.list_(pa.string()))}
        | {"vector": pa.FixedSizeListArray.from_arrays(flat, embedder().dim)}
    )


def write_part(folder: Path, part: tuple[int, list[Article]]) -> int:
    """Write one file, by rename, unless it is there; returns its rows."""
    number, batch = part
    file = folder / f"part-{number:06d}.parquet"
    if not file.exists():
        temporary = file.with_suffix(".tmp")
        pq.write_table(table(batch), temporary)
        temporary.replace(file)
    return pq.read_metadata(file).num_rows


def claim(folder: Path, source: Path, shard: str) -> None:
    """Remember what the folder is made from; exit when it was made from something else."""
    folder.mkdir(parents=True, exist_ok=True)
    size = sum(f.stat().st_size for f in ([source] if source.is_file() else source.rglob("*")) if f.is_file())
    made = {"source": source.name, "bytes": size, "shard": shard, "part": PART, "model": embedder().fingerprint}
    manifest = folder / "manifest.json"
    if manifest.exists() and json.loads(manifest.read_text()) != made:
        sys.exit(f"{folder} 由别的语料或模型生成 / was made from another corpus or model → --out NEW_FOLDER")
    manifest.with_suffix(".tmp").write_text(json.dumps(made, indent=1))
    manifest.with_suffix(".tmp").replace(manifest)


def ingest(source: Path, out: Path, shard: str, workers: int) -> int:
    """Write the shard; what is there is not done again. Returns the rows of all of it."""
    index, count = map(int, shard.split("/"))
    folder = out / f"shard-{index}-of-{count}"
    claim(folder, source, shard)
    mine = (article for article in articles(source) if belongs(article.id, index, count))
    parts = enumerate(iter(lambda: list(itertools.islice(mine, PART)), []))
    rows = 0
    with ProcessPoolExecutor(workers) as pool:
        # A window of parts at a time: no list of all texts is ever held.
        while window := list(itertools.islice(parts, 2 * workers)):
            rows += sum(pool.map(partial(write_part, folder), window))
    return rows


class _Actor:
    """The same step, as Ray Data calls it."""

    def __call__(self, batch: dict) -> pa.Table:
        return table(
            [Article(*map(str, row)) for row in zip(*(batch[c] for c in ("id", "title", "text", "id")), strict=True)]
        )


def ingest_by_ray(source: Path, out: Path, actors: int) -> int:
    """The whole corpus as a Ray Data job. Returns the rows."""
    import ray

    # One CPU more than actors: without it the readers found none, and the job hung.
    ray.init(num_cpus=actors + 1, include_dashboard=False, log_to_driver=False)
    rows = [{"id": a.id, "title": a.title, "text": a.text} for a in articles(source)]
    data = ray.data.from_items(rows).map_batches(
        _Actor, batch_size=PART, compute=ray.data.ActorPoolStrategy(size=actors)
    )
    data.write_parquet(str(out / "ray"))
    ray.shutdown()
    return sum(pq.read_metadata(file).num_rows for file in (out / "ray").glob("*.parquet"))


def load(out: Path, url: str) -> int:
    """Upsert every row under its passage's id, so that a second run changes nothing. Returns the collection's rows."""
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(url)
    if not client.has_collection(COLLECTION):
        schema = client.create_schema(enable_dynamic_field=True)
        schema.add_field("id", DataType.VARCHAR, max_length=1024, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=embedder().dim)
        index = client.prepare_index_params()
        index.add_index("vector", index_type="HNSW", metric_type="IP", params={"M": 32, "efConstruction": 256})
        client.create_collection(COLLECTION, schema=schema, index_params=index, consistency_level="Strong")
    for file in sorted(out.rglob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(_ROWS):
            rows = batch.to_pylist()
            vectors = np.array([row.pop("vector") for row in rows], dtype=np.float32)
            client.upsert(COLLECTION, [{**row, "vector": vector} for row, vector in zip(rows, vectors, strict=True)])
        print(file.name, flush=True)
    client.flush(COLLECTION)
    client.load_collection(COLLECTION)
    held = client.query(COLLECTION, "", output_fields=["count(*)"])[0]["count(*)"]
    client.close()
    return held


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ray", type=int, default=0, metavar="ACTORS")
    parser.add_argument("--load", default="", metavar="URL")
    options = parser.parse_args()
    begun = time.perf_counter()
    if options.corpus:
        rows = (
            ingest_by_ray(options.corpus, options.out, options.ray)
            if options.ray
            else ingest(options.corpus, options.out, options.shard, options.workers)
        )
        seconds = time.perf_counter() - begun
        print(f"{rows} rows in {seconds:.1f} s: {rows / seconds:.0f} rows/s")
    if options.load:
        print(f"{load(options.out, options.load)} rows in {COLLECTION}")


if __name__ == "__main__":
    main()
