"""One engine of scripts/benchmark.py, in a process and an environment of its own: ENGINE build|query FOLDER.

FOLDER holds passages.jsonl (article, text), questions.jsonl (question), model/ (a sentence-transformers folder) and,
for Wenqu, corpus/. `build` writes an index below FOLDER/ENGINE; `query` opens it, asks every question, and prints what
it found and how long that took. Imports nothing of the project but in the class that is the project.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

K = 10
BATCH = 2_000


def lines(file: Path) -> list[dict]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@cache
def jieba():
    import jieba as package

    package.setLogLevel(60)
    package.initialize()
    return package


def cut(text: str) -> list[str]:
    """Words for engines that take a tokenizer."""
    return [word for word in jieba().lcut_for_search(text.lower()) if word.strip()]


def spaced(text: str) -> str:
    """Words for engines that split at blanks."""
    return " ".join(cut(text))


class Wenqu:
    """Wenqu reads and cuts the articles itself."""

    def __init__(self, folder: Path) -> None:
        from bot.pipeline import Bot
        from bot.settings import load_settings

        self.settings = load_settings(corpus=folder / "corpus", index=folder / "wenqu")
        self.bot = Bot(self.settings)

    def build(self, passages: list[dict]) -> None:
        from bot.index.build import build_index

        build_index(self.settings, self.bot.embedder)

    def load(self) -> None:
        assert self.bot.live.get()

    def search(self, question: str) -> list[str]:
        return [hit.passage.text for hit in self.bot.search(question, K)]


class Reference:
    """What one writes oneself: sentence-transformers, FAISS flat, bm25s over jieba's words, reciprocal rank fusion."""

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import SentenceTransformer

        self.folder = folder / "reference"
        self.model = SentenceTransformer(str(folder / "model"), device="cpu")

    def build(self, passages: list[dict]) -> None:
        import bm25s
        import faiss

        texts = [passage["text"] for passage in passages]
        vectors = self.model.encode(texts, batch_size=256, normalize_embeddings=True)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        faiss.write_index(index, str(self.folder / "vectors"))
        words = bm25s.BM25()
        words.index([cut(text) for text in texts], show_progress=False)
        words.save(str(self.folder / "words"))
        (self.folder / "texts.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")

    def load(self) -> None:
        import bm25s
        import faiss

        self.index = faiss.read_index(str(self.folder / "vectors"))
        self.words = bm25s.BM25.load(str(self.folder / "words"))
        self.texts = json.loads((self.folder / "texts.json").read_text(encoding="utf-8"))

    def search(self, question: str) -> list[str]:
        vector = self.model.encode([question], normalize_embeddings=True)
        dense = self.index.search(vector, 50)[1][0].tolist()
        found, scores = self.words.retrieve([cut(question)], k=50, show_progress=False)
        lexical = [row for row, score in zip(found[0].tolist(), scores[0], strict=True) if score > 0]
        return [self.texts[row] for row in fused(dense, lexical)[:K]]


def fused(*rankings: Sequence[int]) -> list[int]:
    """Reciprocal rank fusion with k = 60 (Cormack, Clarke and Büttcher, 2009)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, row in enumerate(ranking, start=1):
            scores[row] = scores.get(row, 0.0) + 1 / (60 + rank)
    return sorted(scores, key=lambda row: -scores[row])


class Txtai:
    """txtai, hybrid: its own BM25 splits at blanks, so it gets jieba's words."""

    def __init__(self, folder: Path) -> None:
        from txtai import Embeddings

        self.path, self.texts_file = folder / "txtai" / "index", folder / "passages.jsonl"
        # Its `tokenize` would split Chinese at nothing: words come spaced.
        self.embeddings = Embeddings(
            path=str(folder / "model"), method="sentence-transformers", hybrid=True, content=False,
            scoring={"method": "bm25", "terms": True, "normalize": True, "tokenizer": {"regexp": r"\S+"}},
        )  # fmt: skip

    def build(self, passages: list[dict]) -> None:
        self.embeddings.index((number, spaced(passage["text"]), None) for number, passage in enumerate(passages))
        self.embeddings.save(str(self.path))

    def load(self) -> None:
        self.embeddings.load(str(self.path))
        self.texts = [passage["text"] for passage in lines(self.texts_file)]

    def search(self, question: str) -> list[str]:
        return [self.texts[row] for row, _ in self.embeddings.search(spaced(question), K)]


class LlamaIndex:
    """LlamaIndex: FAISS and BM25 retrievers, reciprocal rank fusion by its QueryFusionRetriever."""

    def __init__(self, folder: Path) -> None:
        from llama_index.core import Settings
        from llama_index.core.embeddings import BaseEmbedding
        from pydantic import PrivateAttr
        from sentence_transformers import SentenceTransformer

        class Static(BaseEmbedding):
            """Its HuggingFaceEmbedding cannot load a static model."""

            _model: SentenceTransformer = PrivateAttr()

            def __init__(self) -> None:
                super().__init__(embed_batch_size=256)
                self._model = SentenceTransformer(str(folder / "model"), device="cpu")

            def _get_text_embedding(self, text: str) -> list[float]:
                return self._get_text_embeddings([text])[0]

            def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
                return self._model.encode(texts, normalize_embeddings=True).tolist()

            _get_query_embedding = _get_text_embedding

            async def _aget_query_embedding(self, text: str) -> list[float]:
                return self._get_text_embedding(text)

        Settings.embed_model, Settings.llm = Static(), None
        self.folder = folder / "llamaindex"

    def build(self, passages: list[dict]) -> None:
        import faiss
        from llama_index.core import StorageContext, VectorStoreIndex
        from llama_index.core.schema import TextNode
        from llama_index.vector_stores.faiss import FaissVectorStore

        nodes = [TextNode(text=passage["text"], id_=str(number)) for number, passage in enumerate(passages)]
        store = FaissVectorStore(faiss_index=faiss.IndexFlatIP(len(self._model_of().get_text_embedding("字"))))
        index = VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(vector_store=store))
        index.storage_context.persist(str(self.folder / "vectors"))
        self._words(nodes).persist(str(self.folder / "words"))

    @staticmethod
    def _model_of():
        from llama_index.core import Settings

        return Settings.embed_model

    @staticmethod
    def _words(nodes: list):
        """A BM25Retriever over jieba's words: it takes an index of bm25s that one made."""
        import bm25s
        from llama_index.core.vector_stores.utils import node_to_metadata_dict
        from llama_index.retrievers.bm25 import BM25Retriever

        corpus = [node_to_metadata_dict(node) | {"node_id": node.node_id} for node in nodes]
        made = bm25s.BM25(corpus=corpus)
        made.index([cut(node.text) for node in nodes], show_progress=False)
        return BM25Retriever(existing_bm25=made, similarity_top_k=50, verbose=False)

    def load(self) -> None:
        from llama_index.core import StorageContext, load_index_from_storage
        from llama_index.core.retrievers import QueryFusionRetriever
        from llama_index.retrievers.bm25 import BM25Retriever
        from llama_index.vector_stores.faiss import FaissVectorStore

        kept = str(self.folder / "vectors")
        storage = StorageContext.from_defaults(vector_store=FaissVectorStore.from_persist_dir(kept), persist_dir=kept)
        index = load_index_from_storage(storage)
        words = BM25Retriever.from_persist_dir(str(self.folder / "words"))
        words._token_pattern, words._stemmer = r"\S+", None

        class Cut(type(words)):
            """The question's words, too, are jieba's."""

            def _retrieve(self, query_bundle):
                query_bundle.query_str = spaced(query_bundle.query_str)
                return super()._retrieve(query_bundle)

        words.__class__ = Cut
        self.retriever = QueryFusionRetriever(
            [index.as_retriever(similarity_top_k=50), words], similarity_top_k=K, num_queries=1,
            mode="reciprocal_rerank", use_async=False, verbose=False,
        )  # fmt: skip

    def search(self, question: str) -> list[str]:
        return [found.node.get_content() for found in self.retriever.retrieve(question)]


class LangChain:
    """LangChain: FAISS and BM25 (rank_bm25) in its EnsembleRetriever; BM25 is made anew at every start."""

    def __init__(self, folder: Path) -> None:
        from langchain_core.embeddings import Embeddings
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder / "model"), device="cpu")

        class Static(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return model.encode(texts, batch_size=256, normalize_embeddings=True).tolist()

            def embed_query(self, text: str) -> list[float]:
                return model.encode(text, normalize_embeddings=True).tolist()

        self.folder, self.passages, self.model = folder / "langchain", folder / "passages.jsonl", Static()

    def build(self, passages: list[dict]) -> None:
        from langchain_community.vectorstores import FAISS

        FAISS.from_texts([passage["text"] for passage in passages], self.model).save_local(str(self.folder))
        self._words([passage["text"] for passage in passages])

    @staticmethod
    def _words(texts: list[str]):
        from langchain_community.retrievers import BM25Retriever

        return BM25Retriever.from_texts(texts, preprocess_func=cut, k=50)

    def load(self) -> None:
        from langchain_classic.retrievers import EnsembleRetriever
        from langchain_community.vectorstores import FAISS

        store = FAISS.load_local(str(self.folder), self.model, allow_dangerous_deserialization=True)
        words = self._words([passage["text"] for passage in lines(self.passages)])
        self.retriever = EnsembleRetriever(
            retrievers=[store.as_retriever(search_kwargs={"k": 50}), words], weights=[0.5, 0.5]
        )

    def search(self, question: str) -> list[str]:
        return [found.page_content for found in self.retriever.invoke(question)[:K]]


class Haystack:
    """Haystack, in memory: BM25 splits at blanks, so it gets jieba's words; joined by reciprocal rank fusion."""

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import SentenceTransformer

        self.file, self.passages = folder / "haystack" / "store.json", folder / "passages.jsonl"
        self.model = SentenceTransformer(str(folder / "model"), device="cpu")

    def build(self, passages: list[dict]) -> None:
        from haystack import Document
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        store = InMemoryDocumentStore(bm25_tokenization_regex=r"\S+", embedding_similarity_function="dot_product")
        vectors = self.model.encode([p["text"] for p in passages], batch_size=256, normalize_embeddings=True)
        store.write_documents(
            [
                Document(id=str(number), content=spaced(passage["text"]), embedding=vector.tolist())
                for number, (passage, vector) in enumerate(zip(passages, vectors, strict=True))
            ]
        )
        store.save_to_disk(str(self.file))

    def load(self) -> None:
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        store = InMemoryDocumentStore.load_from_disk(str(self.file))
        self.words = InMemoryBM25Retriever(store, top_k=50)
        self.vectors = InMemoryEmbeddingRetriever(store, top_k=50)
        self.joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=K)
        self.texts = [passage["text"] for passage in lines(self.passages)]

    def search(self, question: str) -> list[str]:
        vector = self.model.encode(question, normalize_embeddings=True).tolist()
        found = [self.words.run(query=spaced(question)), self.vectors.run(query_embedding=vector)]
        joined = self.joiner.run(documents=[each["documents"] for each in found])["documents"]
        return [self.texts[int(document.id)] for document in joined]


ENGINES = {
    "wenqu": Wenqu, "reference": Reference, "txtai": Txtai, "llamaindex": LlamaIndex, "langchain": LangChain,
    "haystack": Haystack,
}  # fmt: skip


def peak_mb() -> float:
    """Most memory that this process, or one that it started, held at a time."""
    # Not ru_maxrss, which begins with what the process that started this one held.
    own = Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0]
    return (int(own) + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def main() -> None:
    """Build or query; prints one JSON object."""
    begun = float(os.environ.get("BENCHMARK_BEGUN", time.time()))  # of the process, its imports included
    name, phase, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    (folder / name).mkdir(exist_ok=True)
    if phase == "build":
        passages = [] if name == "wenqu" else lines(folder / "passages.jsonl")
        engine = ENGINES[name](folder)
        if name != "wenqu":
            jieba()
        start, processor = time.perf_counter(), time.process_time()
        engine.build(passages)
        seconds = {"build_s": time.perf_counter() - start, "build_cpu_s": time.process_time() - processor}
        print(json.dumps({**seconds, "peak_mb": peak_mb()}))
        return
    questions = [line["question"] for line in lines(folder / "questions.jsonl")]
    engine = ENGINES[name](folder)
    engine.load()
    engine.search(questions[0])
    cold = time.time() - begun
    for question in questions[:20]:
        engine.search(question)
    found, taken, processor = [], [], time.process_time()
    for question in questions:
        start = time.perf_counter()
        found.append(engine.search(question))
        taken.append((time.perf_counter() - start) * 1000)
    processor = time.process_time() - processor
    figures = {"cold_s": cold, "per_core_s": len(questions) / processor, "peak_mb": peak_mb(), "ms": taken}
    print(json.dumps({**figures, "found": found}, ensure_ascii=False))


if __name__ == "__main__":
    main()
