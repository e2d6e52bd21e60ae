"""The engine for more than one machine: Milvus stores vectors and terms, and fuses both legs by rank (LexicalEngine).

Only features that milvus-lite and a cluster share are used: terms are cut here, and BM25 scores are never read because
those of Lite are negative and use the document frequencies of a segment. Each generation's file names its collection,
so that a process with the old generation never sees rows of the new one, as it could through an alias.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import grpc  # type: ignore[import-untyped]
import numpy as np
from pymilvus import (  # type: ignore[import-untyped]
    AnnSearchRequest,
    DataType,
    Function,
    FunctionType,
    MilvusClient,
    MilvusException,
    RRFRanker,
)

from bot.errors import EngineDown, IndexDamaged, SettingsError
from bot.types import Rows, Vectors

PREFIX = "wenqu_"
# Seconds before a question falls back to the lexical leg, and seconds until the server is asked again: a server that is
# down must not cost every question a second.
_SECONDS, _REST = 1.0, 10.0
_BUILD_SECONDS = 30.0  # a server that is merging segments may keep a writer waiting
_BATCH = 1000  # rows per request, which Milvus limits to 64 MB
_TERM_BYTES = 60_000  # a VARCHAR in Milvus holds 65,535
_RRF = 60  # the constant of reciprocal rank fusion, Cormack et al. 2009
_WORDS_SINCE = (2, 5)  # the first server release with BM25


def at(url: str, token: str) -> type[MilvusEngine]:
    """The engine class for one server. Raises SettingsError if `url` is empty."""
    if not url:
        raise SettingsError(
            "引擎 milvus 需要 WENQU_ENGINE_URL",
            "the engine milvus needs an address",
            "WENQU_ENGINE_URL=http://HOST:19530, or FILE.db for milvus-lite",
        )
    return type("MilvusEngine", (MilvusEngine,), {"url": url, "token": token})


class MilvusEngine:
    """One collection: row, vector and terms of every passage."""

    url = ""
    token = ""

    def __init__(self, dim: int) -> None:
        """An empty engine for vectors of `dim` numbers; its collection is made when the first ones are added."""
        self._dim, self._count, self._made = dim, 0, False
        self._collection = PREFIX + uuid.uuid4().hex
        self._words = False
        self._seconds, self._rests_until, self._failed = _BUILD_SECONDS, 0.0, ""

    def holds_words(self) -> bool:
        """False if the server is too old for the lexical leg."""
        return self._words

    @cached_property
    def _client(self) -> MilvusClient:
        return MilvusClient(self.url, token=self.token, timeout=self._seconds)

    def __len__(self) -> int:
        """How many vectors it holds."""
        return self._count

    def add(self, vectors: Vectors) -> None:
        """Append vectors, shape (n, dim). Raises EngineDown."""
        self.add_passages(vectors, [()] * len(vectors))

    def add_passages(self, vectors: Vectors, terms: Sequence[Sequence[str]]) -> None:
        """Append vectors and the terms of their passages. Raises EngineDown."""
        with self._asked():
            if not self._made:
                self._make()
            rows = [
                {"row": row, "vector": vector, **({"seg": joined(words)} if self._words else {})}
                for row, (vector, words) in enumerate(zip(vectors, terms, strict=True), start=self._count)
            ]
            for first in range(0, len(rows), _BATCH):
                self._client.upsert(self._collection, rows[first : first + _BATCH], timeout=self._seconds)
            self._count += len(rows)

    def search(self, query: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best rows and their inner products, best first. Raises EngineDown."""
        if not self._count:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        with self._asked():
            found = self._client.search(  # output_fields is needed because a server of 2.3 does not name its key
                self._collection,
                [query],
                limit=k,
                anns_field="vector",
                search_params=_nearest(k),
                output_fields=["row"],
                timeout=self._seconds,
            )[0]
        rows = np.array([hit["row"] for hit in found], dtype=np.int64)
        scores = self.scores(query, rows)  # computed here: the sign of Milvus's distance changed between releases
        order = np.lexsort((rows, -scores))
        return rows[order], scores[order]

    def search_fused(self, query: Vectors, terms: Sequence[str], k: int) -> Rows:
        """The `k` best rows of each leg, fused by reciprocal rank, best first. Raises EngineDown."""
        if not terms:
            return self.search(query, k)[0]
        dense = AnnSearchRequest([query], "vector", _nearest(k), k)
        lexical = AnnSearchRequest([joined(terms)], "words", {"metric_type": "BM25"}, k)
        with self._asked():
            found = self._client.hybrid_search(
                self._collection, [dense, lexical], RRFRanker(_RRF), limit=2 * k, timeout=self._seconds
            )[0]
        return np.array([hit["row"] for hit in found], dtype=np.int64)

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """The inner products of the given rows, in their order. Raises EngineDown."""
        if not len(rows):
            return np.empty(0, dtype=np.float32)
        with self._asked():
            found = self._client.query(
                self._collection, f"row in {list(map(int, rows))}", ["row", "vector"], timeout=self._seconds
            )
        vectors = {hit["row"]: hit["vector"] for hit in found}
        if missing := [row for row in rows if row not in vectors]:
            raise EngineDown(self.url, f"row {missing[0]} is not in {self._collection}")
        return np.array([vectors[row] for row in rows], dtype=np.float32) @ query

    def save(self, path: Path) -> None:
        """Write the name of the collection, after the server has stored it. Raises EngineDown."""
        with self._asked():
            if self._made:
                self._client.flush(self._collection, timeout=self._seconds)
        state = {
            "about": "the collection of this generation on the server of WENQU_ENGINE_URL, which holds its vectors",
            "collection": self._collection,
            "dim": self._dim,
            "count": self._count,
            "holds_words": self._words,
        }
        path.write_text(json.dumps(state, indent=1) + "\n", encoding="ascii")

    @classmethod
    def load(cls, path: Path, dim: int, count: int) -> Self:
        """Read what `save` wrote. The server is first asked by a question, so it may start later than this process.

        Raises IndexDamaged if the file is not about `count` vectors of `dim` numbers.
        """
        try:
            state = json.loads(path.read_text(encoding="ascii"))
            found = state["dim"], state["count"]
            engine = cls(dim)
            engine._collection, engine._words = state["collection"], state["holds_words"]
        except (ValueError, KeyError, TypeError) as error:
            raise IndexDamaged(path, error) from error
        if found != (dim, count):
            raise IndexDamaged(path, f"{found}, expected {(dim, count)}")
        engine._count, engine._made = count, True
        engine._seconds = _patience(cls.url)
        return engine

    @classmethod
    def drop(cls, state: bytes) -> None:
        """Remove the collection that is named in `state`, a file written by `save`. Raises EngineDown."""
        engine = cls(1)
        engine._seconds = _patience(cls.url)
        with suppress(ValueError, KeyError, TypeError):  # a damaged file names nothing
            collection = json.loads(state)["collection"]
            with engine._asked():
                engine._client.drop_collection(collection, timeout=engine._seconds)

    def _make(self) -> None:
        local = _is_file(self.url)
        version = () if local else tuple(map(int, self._client.get_server_version().lstrip("v").split(".")[:2]))
        self._words = local or version >= _WORDS_SINCE
        self._create(exact=local)
        self._made = True

    def _create(self, exact: bool) -> None:
        """Make and load the collection; with `exact` every vector is compared, otherwise HNSW is used."""
        client = self._client
        schema: Any = client.create_schema()
        schema.add_field("row", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._dim)
        index: Any = client.prepare_index_params()
        graph = {} if exact else {"params": {"M": 32, "efConstruction": 256}}
        index.add_index("vector", index_type="FLAT" if exact else "HNSW", metric_type="IP", **graph)
        if self._words:
            analyzer = {"tokenizer": "standard"}
            schema.add_field("seg", DataType.VARCHAR, max_length=65_535, enable_analyzer=True, analyzer_params=analyzer)
            schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
            schema.add_function(Function("bm25", FunctionType.BM25, ["seg"], ["words"]))
            index.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        options: Any = {"consistency_level": "Strong", "timeout": self._seconds}
        client.create_collection(self._collection, schema=schema, index_params=index, **options)
        client.load_collection(self._collection, timeout=self._seconds)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Turns every error of the server or the network into EngineDown, and raises it at once during the rest."""
        if time.monotonic() < self._rests_until:
            raise EngineDown(self.url, self._failed)
        try:
            yield
        except (MilvusException, grpc.RpcError, ValueError, OSError) as error:
            self._failed = (getattr(error, "message", "") or str(error) or type(error).__name__).splitlines()[0]
            self._rests_until = time.monotonic() + _REST
            raise EngineDown(self.url, self._failed) from error


def _is_file(url: str) -> bool:
    return url.endswith(".db")


def _patience(url: str) -> float:
    """Seconds to wait for a question; a local file gets more because opening it is work."""
    return _BUILD_SECONDS if _is_file(url) else _SECONDS


def joined(terms: Sequence[str]) -> str:
    """Terms as the analyzer `standard` keeps them: it cuts at all but letters and digits, so c++ becomes cx2bx2b."""
    text = " ".join("".join(c if c.isalnum() else f"x{ord(c):x}" for c in term) for term in terms)
    if len(text.encode()) > _TERM_BYTES:
        text = text.encode()[:_TERM_BYTES].decode(errors="ignore").rpartition(" ")[0]
    return text or "x0"  # Milvus refuses an empty text


def _nearest(k: int) -> dict[str, Any]:
    return {"metric_type": "IP", "params": {"ef": max(2 * k, 128)}}
