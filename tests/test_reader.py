"""bot.answer.reader: the inputs, the network, and what an answer is with it and without it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from bot.answer import evidence, refusal, short
from bot.answer.features import QueryFeatures, passage_features
from bot.answer.query import understand
from bot.answer.reader import reader as readers
from bot.answer.reader.inputs import HEAD, TOKEN_FEATURES, inputs
from bot.answer.reader.network import Network
from bot.answer.reader.reader import Reader, load_reader
from bot.answer.reader.reading import Reading, Words
from bot.pipeline import Bot
from bot.text.fold import fold, unfolded
from bot.types import Hit, Passage

sys.path.append(str(ROOT / "scripts"))

BRIDGE = "赵州桥位于河北省赵县。它由隋代工匠李春设计，建成于公元605年。桥长64.40米，是现存最古老的石拱桥。"
TEA = "龙井茶产于浙江杭州西湖一带。清明前采摘的称为明前茶，每斤要采三万六千个嫩芽。"


def passage(text: str, name: str = "a.txt") -> Passage:
    return Passage(name, name, "", "", text, 0, len(text))


def asked(question: str) -> QueryFeatures:
    return QueryFeatures.from_query(understand(question, {}))


@pytest.fixture(scope="module")
def reader(embedder) -> Reader:
    return Reader(readers.SHIPPED, embedder)


def test_the_inputs_say_which_token_the_question_names_and_which_has_the_measure(embedder):
    query = asked("赵州桥长多少米")
    x = inputs(query, passage_features(query, [passage(BRIDGE), passage(TEA, "b.txt")]), embedder)
    rows = {
        surface: dict(zip(TOKEN_FEATURES, row, strict=True))
        for surface, row in zip(x.surfaces, x.token_features, strict=True)
    }
    assert rows["米"]["measure"] == 1
    assert x.token_features[0, TOKEN_FEATURES.index("term")] > 0.5  # 赵 of 赵州桥
    assert rows["64"]["digit"] == 1
    assert rows["工匠"]["term"] == 0
    folded = ["", *map(fold, ("赵州桥位于河北省赵县。", "它由隋代工匠李春设计，建成于公元605年。"))]
    for surface, (start, end), sentence in zip(x.surfaces, x.spans, x.sentence_of, strict=True):
        if sentence < len(folded):
            assert folded[sentence][start:end] == surface
    assert x.passage_of.tolist() == [0, 0, 0, 0, 1, 1, 1]  # each begins with its head


def test_title_and_heading_are_read_and_never_answer(reader, embedder):
    text = "保质期：18个月\n库存：40件"
    one = Passage("p", "a.txt", "岩顶肉桂产品资料", "第一章 茶", text, 0, len(text))
    query = asked("岩顶肉桂的保质期是多久")
    x = inputs(query, passage_features(query, [one]), embedder)
    head = x.token_features[:, HEAD] > 0
    assert "".join(surface for surface, is_head in zip(x.surfaces, head, strict=True) if is_head).startswith("岩顶肉桂")
    assert set(x.sentence_of[head]) == {0}
    (found,) = reader.read(query, [one])
    assert len(found.sentences) == 2
    assert found.words(0) is not None
    assert len(found.ends) == len(found.spans) == (~head).sum()
    (untitled,) = reader.read(asked("岩顶肉桂的保质期是多久"), [replace(one, title="", heading="")])
    assert found.worth > untitled.worth


def test_the_network_computes_what_it_was_trained_as(tmp_path: Path, embedder):
    import torch
    from reader_model import Reader as Trained
    from reader_model import Shape, sentence_scores
    from train_reader import vocabulary, write

    torch.manual_seed(1)
    characters, own, inventory = vocabulary(embedder, [])
    table = embedder.vectors(np.arange(len(own), dtype=np.int32))
    trained = Trained(Shape(), table, characters, own).eval()
    with torch.no_grad():
        for weight in trained.parameters():
            weight.copy_(weight.half())
    write(tmp_path, trained, own, inventory, Shape(), {}, 0.0)

    query = asked("赵州桥是谁设计的")
    for text in (BRIDGE, TEA):
        x = inputs(query, passage_features(query, [passage(text)]), embedder)
        found = Network(tmp_path / "model.safetensors", embedder).scores(x)
        one = {
            "ids": x.ids.astype(np.int64),
            "mask": np.ones(len(x.ids), np.float32),
            "sentence_of": x.sentence_of.astype(np.int64),
            "token_features": x.token_features,
            "sentence_features": x.sentence_features,
            "sentence_mask": np.ones(len(x.sentence_features), np.float32),
            "question": x.question.astype(np.int64),
            "question_mask": np.ones(len(x.question), np.float32),
            "question_features": x.question_features,
            "passage_features": x.passage_features[0],
        }
        batch = {name: torch.from_numpy(value)[None] for name, value in one.items()}
        with torch.no_grad():
            ends, none, by_features = trained(batch)
            sentences = sentence_scores(ends, by_features, batch)
        assert np.allclose(found.ends, ends[0], atol=1e-4)
        assert np.allclose(found.none, none, atol=1e-4)
        assert np.allclose(found.sentences, sentences[0], atol=1e-4)


def test_a_passage_is_read_alike_whatever_else_is_read(reader):
    alone = reader.read(asked("赵州桥是谁设计的"), [passage(BRIDGE)])[0]
    among = reader.read(asked("赵州桥是谁设计的"), [passage(TEA, "b.txt"), passage(BRIDGE)])[1]
    assert alone is not None
    assert among is not None
    assert np.allclose(alone.sentences, among.sentences, atol=1e-4)
    assert alone.words(1) == pytest.approx(among.words(1)) or alone.words(1).start == among.words(1).start


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("赵州桥是谁设计的", "李春"),
        ("赵州桥长多少米", "64.40米"),
        ("赵州桥什么时候建成的", "公元605年"),
        ("明前茶每斤要采多少个嫩芽", "三万六千个"),
    ],
)
def test_the_words_that_answer(reader, embedder, question, words):
    query = asked(question)
    text = passage(BRIDGE + TEA)
    (marked,) = evidence.mark(query, [text], embedder.encode_query(question), embedder, reader)
    assert words.strip("个") in short.short_answer(query, text, marked)


def test_a_passage_that_answers_is_worth_more_than_one_that_does_not(reader):
    right, wrong = reader.read(asked("赵州桥是谁设计的"), [passage(BRIDGE), passage(TEA, "b.txt")])
    assert right.worth > wrong.worth
    assert right.squashed > 0


def test_what_cannot_be_read_is_left_to_the_weights_by_hand(reader):
    query = asked("赵州桥是谁设计的")
    empty, endless = passage("\u3000 \n", "e.txt"), passage("的一是" * 700, "l.txt")
    assert reader.read(query, [empty, passage(BRIDGE), endless])[::2] == [None, None]
    assert query.read[passage(BRIDGE)] is not None
    assert reader.read(asked("?"), [passage(BRIDGE)]) is not None


def test_without_its_file_an_answer_says_so_and_stands_on_the_weights_by_hand(
    settings, embedder, tmp_path, monkeypatch
):
    monkeypatch.setattr(readers, "SHIPPED", tmp_path / "nowhere.safetensors")
    bot = Bot(settings, embedder)
    bot.refresh()
    answer = bot.ask("赵州桥是谁设计的?")
    assert "pip install" in answer.degraded["reader"]
    assert answer.evidence
    assert not answer.short


def test_a_damaged_file_is_no_reader(embedder, tmp_path, monkeypatch):
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes(readers.SHIPPED.read_bytes()[:-100])
    monkeypatch.setattr(readers, "SHIPPED", damaged)
    found, problem = load_reader(embedder)
    assert found is None
    assert str(damaged) in problem


def read(sentence: str, words: str, certainty: float = 0.9) -> Reading:
    """A reading of one sentence, in which each character is a token and these words are certain."""
    size = len(fold(sentence))
    ends = np.full((size, 2), -20.0, np.float32)
    start = fold(sentence).index(fold(words))
    ends[start, 0] = ends[start + len(fold(words)) - 1, 1] = np.log(certainty) / 2
    spans = np.array([(i, i + 1) for i in range(size)], np.int32)
    return Reading(np.array([5.0], np.float32), 5.0, ends, spans, np.zeros(size, np.int32))


def shown(question: str, sentence: str, found: Reading) -> str:
    query = asked(question)
    text = passage(sentence)
    marked = evidence.Marked((), passage_features(query, [text])[0], 0, found, found.words(0))
    return short.short_answer(query, text, marked)


def test_the_short_answer_stands_in_the_passage_as_it_is_written():
    sentence = "保修期为ⅩⅡ（十二）個月，自购买之日起。"
    assert shown("保修期是几个月", sentence, read(sentence, "ⅩⅡ（十二）個月，")) == "ⅩⅡ（十二）個月"
    sentence = "作者是（鲁迅）。"
    assert shown("作者是谁", sentence, read(sentence, "（鲁迅）")) == "鲁迅"
    assert shown("作者是谁", sentence, read(sentence, "鲁迅）。")) == "鲁迅"


def test_no_short_answer_where_a_sentence_is_wanted_or_the_reader_is_not_sure():
    sentence = "因为下雨，所以改期到7月20日。"
    assert shown("改到什么时候", sentence, read(sentence, "7月20日")) == "7月20日"
    assert shown("改到什么时候", sentence, read(sentence, "7月20日", certainty=0.01)) == ""
    assert shown("为什么改期", sentence, read(sentence, "下雨")) == ""
    assert shown("怎么改期", sentence, read(sentence, "下雨")) == ""
    assert shown("how do I change it", sentence, read(sentence, "下雨")) == ""


def test_of_a_sentence_without_end_only_the_clauses_around_the_words_are_marked():
    clauses = [f"第{i}项事务由第{i}科办理" for i in range(1, 30)]
    text = "，".join(clauses)
    start = text.index("第17科")
    span = evidence._clauses(text, (0, len(text)), Words(start, start + 4, 0.9))
    marked = text[span.start : span.end]
    assert "第17项事务由第17科办理" in marked
    assert 40 <= len(marked) <= 60
    assert evidence._clauses(text, (0, 30), Words(3, 5, 0.9)) == evidence.Span(0, 30)
    last = evidence._clauses(text, (0, len(text)), Words(len(text) - 2, len(text), 0.9))
    assert last.end == len(text)


def test_offsets_of_folded_text_lead_back_to_the_text():
    text = "Ａ…\u200bﬃ體x"
    folded = fold(text)
    for i, character in enumerate(folded):
        start, end = unfolded(text, i, i + 1)
        assert character in fold(text[start:end])


def test_a_field_that_is_asked_for_is_answered_though_only_the_title_names_its_thing(reader, embedder):
    text = "冲泡水温：90摄氏度\n保质期：18个月\n库存：40件"
    one = Passage("p", "岩顶肉桂.txt", "岩顶肉桂", "", text, 0, len(text))
    query = asked("岩顶肉桂的保质期是多久")
    vector = embedder.encode_query(query.query.folded)
    hit = Hit(one, 0.5, 1.0, float(embedder.encode_passages([text])[0] @ vector), 1, 1)
    read, unread = (evidence.mark(query, [one], vector, embedder, who)[0] for who in (reader, None))
    assert read.named
    assert text[slice(read.spans[0].start, read.spans[0].end)] == "保质期：18个月"
    weights = refusal.shipped_weights()
    named, by_words, alone = (
        refusal.confidence(query.query, [hit], marks, weights) for marks in (read, unread, replace(read, named=False))
    )
    assert named == max(by_words, alone)
    assert alone > 0.4  # the reader sees the title
