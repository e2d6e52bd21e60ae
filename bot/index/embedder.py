"""Text to unit vectors: the bundled static model without torch, or any sentence-transformers model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bot.errors import ModelError
from bot.settings import BUNDLED_MODEL
from bot.text.fold import fold
from bot.types import Embedder, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED_FOLDER = Path(__file__).parents[1] / "model" / "embedder"
_CURE = "set WENQU_MODEL=bundled, or to a folder that holds the model"
# From this many texts on, widening the table to float32 pays: numpy has no native float16 arithmetic, so it saves a
# third of the time.
_MANY = 256
_MAX_HEADER = 1_000_000  # bytes; the header only describes one table
# Weights that can run code when they are loaded, and code itself.
_UNSAFE_SUFFIXES = {".py", ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".so"}


def load_embedder(model: str = BUNDLED_MODEL) -> Embedder:
    """The embedder for a value of WENQU_MODEL. Raises ModelError, which says what setting to change."""
    if model == BUNDLED_MODEL:
        return StaticEmbedder(BUNDLED_FOLDER)
    return TransformerEmbedder(model)


class StaticEmbedder:
    """A static model from a folder: a text is the mean of its tokens' vectors. Needs neither torch nor model2vec.

    model2vec's encode gives exactly the same vectors, but importing it would cost every start 0.8 s.
    """

    def __init__(self, folder: Path) -> None:
        """Read the folder. Raises ModelError if something is missing or damaged."""
        from tokenizers import Tokenizer

        cure = "安装不完整，请重新安装 / the installation is incomplete: pip install --force-reinstall --no-deps wenqu"
        if not folder.is_dir():
            raise ModelError(f"缺少自带模型：{folder}", "the bundled model is missing", cure)
        try:
            with ThreadPoolExecutor(1) as pool:  # hashes the files on another core while the tokenizer loads
                digest = pool.submit(_folder_digest, folder)
                self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._table = _mapped_table(folder / "model.safetensors")
            if len(self._table) != self._tokenizer.get_vocab_size():
                raise ValueError(f"{len(self._table)} vectors for {self._tokenizer.get_vocab_size()} tokens")
        except Exception as error:  # tokenizers raises bare Exceptions for a damaged file
            raise ModelError(f"模型文件夹已损坏：{folder}", f"the model folder is damaged: {error}", cure) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.bundled = folder == BUNDLED_FOLDER
        self.unknown = self._tokenizer.token_to_id("<unk>")
        self.dim = int(self._table.shape[1])
        self.fingerprint = f"static:{digest.result()}"

    def encode_query(self, text: str) -> Vectors:
        """One unit vector, shape (dim,); zeros for a text without a known token."""
        vector: Vectors = self.encode_passages([text])[0]
        return vector

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (n, dim). Texts are folded first, so script, case and width do not matter."""
        if len(texts) >= _MANY and self._table.dtype != np.float32:
            self._table = self._table.astype(np.float32)
        # A question's few sentences are encoded one by one, because waking another thread for them costs 0.3 ms.
        size = len(texts) if len(texts) >= _MANY else 1
        batches = ([fold(text) for text in texts[i : i + size]] for i in range(0, len(texts), size))
        encodings = (
            one for batch in batches for one in self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        )
        tokens = [[token for token in encoding.ids if token != self.unknown] for encoding in encodings]
        means = self._means_of_many(tokens) if len(texts) >= _MANY else self._means(tokens)
        wide = means.astype(np.float32)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True) + 1e-32
        return wide.astype(means.dtype).astype(np.float32)

    def tokens(self, folded: str) -> tuple[npt.NDArray[np.int32], list[str], npt.NDArray[np.int32]]:
        """The tokens of folded text: ids (n,), what each is in the text, and where, (n, 2)."""
        encoding = self._tokenizer.encode(folded, add_special_tokens=False)
        places = np.array(encoding.offsets, np.int32).reshape(-1, 2)
        return np.array(encoding.ids, np.int32), [folded[start:end] for start, end in encoding.offsets], places

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self._table)

    def pieces(self) -> list[str]:
        """The text of every token, by id."""
        by_text: dict[str, int] = self._tokenizer.get_vocab()
        return sorted(by_text, key=by_text.__getitem__)

    def vectors(self, ids: npt.NDArray[np.int32]) -> Vectors:
        """The vectors of tokens, as long as they are in the table, shape (n, dim)."""
        return self._table[ids].astype(np.float32)

    def _means(self, tokens: list[list[int]]) -> npt.NDArray[Any]:
        means = np.zeros((len(tokens), self.dim), dtype=self._table.dtype)
        for row, some in enumerate(tokens):
            if some:
                wide = self._table[some].astype(np.float32)  # the same result as float16.mean, but faster
                means[row] = wide.sum(axis=0) / np.float32(len(some))
        return means

    def _means_of_many(self, tokens: list[list[int]]) -> npt.NDArray[Any]:
        """The same sums in the same order as one sparse product, which does not copy the vectors together first."""
        from scipy.sparse import csr_array  # type: ignore[import-untyped]

        counts = np.array([len(some) for some in tokens])
        every = np.fromiter(chain.from_iterable(tokens), dtype=np.int32, count=int(counts.sum()))
        starts = np.concatenate(([0], counts.cumsum()))
        once = csr_array((np.ones(len(every), np.float32), every, starts), shape=(len(tokens), len(self._table)))
        means: npt.NDArray[Any] = (once @ self._table) / np.maximum(counts, 1)[:, None].astype(np.float32)
        return means


def _mapped_table(file: Path) -> npt.NDArray[Any]:
    """The one table of a safetensors file, memory-mapped, so that only the vectors in use are read from disk."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > _MAX_HEADER:
            raise ValueError(f"header of {length} bytes")
        entry: dict[str, Any] = json.loads(opened.read(length))["embeddings"]
    dtype = np.dtype({"F16": "<f2", "F32": "<f4"}[entry["dtype"]])
    rows, dim = entry["shape"]
    begin, end = entry["data_offsets"]
    if end - begin != rows * dim * dtype.itemsize or file.stat().st_size < 8 + length + end:
        raise ValueError("the table is cut off")
    return np.memmap(file, dtype, "r", 8 + length + begin, (rows, dim)).view(np.ndarray)


class TransformerEmbedder:
    """Any sentence-transformers model. The package is imported only here because that takes 10 s."""

    def __init__(self, model: str) -> None:
        """Load the model from a folder, else from the local hub cache, else from the hub. Raises ModelError."""
        self._model = _load_sentence_transformer(model)
        self.dim = int(self._model.get_embedding_dimension() or 0)
        probe = self._model.encode_document(["问渠那得清如许"], normalize_embeddings=True)
        # Rounded, because the last bits differ between machines: the same weights must have the same fingerprint.
        digest = hashlib.sha256(" ".join(f"{x:.2f}" for x in probe[0]).encode()).hexdigest()[:16]
        self.fingerprint = f"{Path(model).name}:{digest}"

    def encode_query(self, text: str) -> Vectors:
        """One unit vector, shape (dim,), with the model's own query prompt."""
        return np.asarray(self._model.encode_query(text, normalize_embeddings=True), dtype=np.float32)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (n, dim), with the model's own document prompt."""
        vectors = self._model.encode_document(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def _load_sentence_transformer(model: str) -> SentenceTransformer:
    folder = _model_folder(model)
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(
            str(folder), local_files_only=True, device="cpu", model_kwargs={"use_safetensors": True}
        )
    except Exception as error:  # a bad folder raises the errors of any of the libraries below
        raise ModelError(f"无法载入模型 {model}", f"the model cannot be loaded: {_first_line(error)}", _CURE) from error


def _model_folder(model: str) -> Path:
    """The folder of a model: as given, else in the local hub cache, else downloaded without files that can run code."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        unsafe = sorted(file.name for file in folder.rglob("*") if file.suffix.lower() in _UNSAFE_SUFFIXES)
        if unsafe:
            what = f"模型文件夹含有可执行内容：{folder}（{', '.join(unsafe[:3])}）"
            cure = "keep safetensors only, or set WENQU_MODEL=bundled"
            raise ModelError(what, "the model folder holds files that can run code", cure)
        return folder
    from huggingface_hub import snapshot_download

    name = model if "/" in model else f"sentence-transformers/{model}"
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception:  # not in the cache, or not a valid name: let the hub decide
        pass
    try:
        return Path(snapshot_download(name, ignore_patterns=[f"*{suffix}" for suffix in sorted(_UNSAFE_SUFFIXES)]))
    except Exception as error:  # the hub client raises many kinds of errors, which all mean the same here
        what = "it is not a folder, and the hub cannot be reached or has no model of that name"
        raise ModelError(f"无法获取模型 {model}", f"{what}: {_first_line(error)}", _CURE) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in ("tokenizer.json", "model.safetensors"):
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()[:16]
