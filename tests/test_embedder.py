"""bot.index.embedder: the bundled model by two libraries, a real transformer, and clear errors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from bot.errors import ModelError
from bot.index.embedder import BUNDLED_FOLDER, StaticEmbedder, load_embedder
from bot.text.fold import fold

pytestmark = pytest.mark.slow

TEXTS = ["合肥为什么能成功?", "why did hefei succeed", "寒武纪7月20日登陆科创板。", "x", "𠮷野家 ppr-9087"]


def test_vectors_are_of_unit_length_and_folding_is_part_of_it(embedder):
    vectors = embedder.encode_passages(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)  # half precision
    np.testing.assert_array_equal(embedder.encode_query("數據庫ＡＩ"), embedder.encode_query("数据库ai"))
    assert not embedder.encode_query("\u200b").any()


def test_english_lies_nearer_to_its_translation_than_to_other_chinese(embedder):
    chinese = embedder.encode_passages(["合肥为什么成功", "如何做红烧肉", "明天天气怎么样"])
    similarities = chinese @ embedder.encode_query("why did Hefei succeed")
    assert similarities.argmax() == 0


def test_sentence_transformers_gives_the_same_vectors(embedder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(BUNDLED_FOLDER), device="cpu")
    theirs = model.encode(TEXTS)
    np.testing.assert_allclose(theirs, embedder.encode_passages(TEXTS), atol=2e-3)


def test_model2vec_gives_the_same_vectors_to_the_last_bit():
    from model2vec import StaticModel

    ours, theirs = StaticEmbedder(BUNDLED_FOLDER), StaticModel.from_pretrained(str(BUNDLED_FOLDER), normalize=True)
    many = [f"{text}第{i}段,{text[: i % 7]}" for i in range(60) for text in [*TEXTS, "", "𝕏"]]
    assert len(many) > 256  # from there on in float32
    for texts in (TEXTS, many):
        if texts is many:
            theirs.embedding = theirs.embedding.astype(np.float32)
        expected = theirs.encode([fold(text) for text in texts], max_length=None, use_multiprocessing=False)
        np.testing.assert_array_equal(ours.encode_passages(texts), expected.astype(np.float32))


def test_the_bundled_model_opens_no_socket_and_imports_no_torch():
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('socket')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from bot.index.embedder import load_embedder\n"
        "load_embedder().encode_query('合肥')\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real BERT of two layers with random weights, saved as a sentence-transformers folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"合肥为什么能成功青岛龙井茶桥"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder / "raw")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "raw")
    transformer = Transformer(str(folder / "raw"))
    model = SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())], device="cpu")
    model.save(str(folder / "model"))
    return folder / "model"


def test_a_transformer_folder_takes_the_place_of_the_bundled_model(tiny_bert):
    transformer = load_embedder(str(tiny_bert))
    assert transformer.dim == 32
    vectors = transformer.encode_passages(["合肥为什么能成功", "龙井茶"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(transformer.encode_query("龙井茶"), vectors[1], atol=1e-5)
    assert transformer.fingerprint == load_embedder(str(tiny_bert)).fingerprint


def test_a_folder_that_can_run_code_is_refused(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    (folder / "modeling_evil.py").write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(ModelError, match=r"modeling_evil\.py.*WENQU_MODEL"):
        load_embedder(str(folder))


def test_a_hub_that_cannot_be_reached_is_one_line_that_names_the_setting():
    with pytest.raises(ModelError) as error:
        load_embedder("somebody/no-such-model")
    assert "WENQU_MODEL=bundled" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_or_missing_bundled_folder_names_the_cure(tmp_path):
    folder = shutil.copytree(BUNDLED_FOLDER, tmp_path / "embedder")
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ModelError, match="pip install --force-reinstall"):
        StaticEmbedder(folder)
    with pytest.raises(ModelError, match="pip install --force-reinstall"):
        StaticEmbedder(tmp_path / "none")
