"""What the reader sees of a question and its passages: tokens, and features of tokens, sentences and passages.

Training and answering build the same inputs with this one function, so that they always agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.answer import by_hand
from bot.answer.features import PASSAGE_FEATURES, SENTENCE_FEATURES, PassageFeatures, QueryFeatures
from bot.index.embedder import StaticEmbedder
from bot.text.answer_type import TYPES
from bot.text.fold import is_chinese

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

TOKEN_FEATURES = (
    "term",  # rarity of the term of the question that the token is part of
    "pair",  # 1 if it touches a pair of the question's letters
    "letters",  # share of its characters that the question has
    "type",  # 1 if it is part of something of the type asked for that the question does not have
    "measure",  # 1 if it is part of a number in the measure asked for
    "digit",  # 1 if it has a digit
    "first",  # 1 if it is the first of its sentence
    "length",  # characters / 4
    "key",  # 1 if it is before a colon, as the name of a field is
    "head",  # 1 if it is of the title or the heading, which say what the passage is about and do not answer
)
HEAD = TOKEN_FEATURES.index("head")
# The words' weights by hand are one feature, so that the reader begins with what they know.
SENTENCE_INPUTS = (*SENTENCE_FEATURES, "keyed", "by_hand")
# The features from the legs depend on the corpus, and the reader reads a passage whatever else there is.
PASSAGE_INPUTS = PASSAGE_FEATURES[3:]
QUESTION_INPUTS = (*TYPES, "english")
LONGEST_QUESTION = 40  # tokens
_HAND_POINTS = 5.0
_KEY = re.compile(r"[^\s:;|,。]{2,14}(?=:)")


@dataclass(frozen=True, slots=True)
class Inputs:
    """A question and its passages for the reader; passages, sentences and tokens each in one row, in reading order.

    The first sentence of each passage is its head: its title and its heading, which may have no token.
    `ids` are the embedder's tokens; one that it does not know has the id of its first character plus the size of the
    vocabulary. `spans` are the tokens' places in the folded text of their sentence.
    """

    question: Ints  # (q,)
    question_features: Floats  # (QUESTION_INPUTS,)
    ids: Ints  # (tokens,)
    spans: Ints  # (tokens, 2)
    surfaces: list[str]  # (tokens,)
    question_surfaces: list[str]
    sentence_of: Ints  # (tokens,), counting through all passages
    passage_of: Ints  # (sentences,)
    token_features: Floats  # (tokens, TOKEN_FEATURES)
    sentence_features: Floats  # (sentences, SENTENCE_INPUTS)
    passage_features: Floats  # (passages, PASSAGE_INPUTS)


def inputs(asked: QueryFeatures, readings: Sequence[PassageFeatures], words: StaticEmbedder) -> Inputs:
    """The inputs for a question and the passages whose features are given."""
    query = asked.query
    text_asked = query.translated or query.folded
    question, question_surfaces, _ = words.tokens(text_asked)
    texts = [sentence for reading in readings for sentence in (reading.head, *reading.folded)]
    passage_of = np.repeat(np.arange(len(readings)), [1 + len(one.folded) for one in readings]).astype(np.int32)
    whole = "\n".join(texts)
    ids, surfaces, places = words.tokens(whole)
    starts = np.cumsum([0, *(len(text) + 1 for text in texts[:-1])])
    # A token may begin with the line break before its sentence, so its end decides.
    sentence_of = np.searchsorted(starts, places[:, 1] - 1, side="right") - 1
    cover = _covered(asked, whole, text_asked)
    token_features = np.zeros((len(ids), len(TOKEN_FEATURES)), np.float32)
    if len(ids):
        left = places[:, 0]
        right = np.maximum(places[:, 1], left + 1)
        edges = np.empty(2 * len(ids), np.intp)
        edges[0::2], edges[1::2] = left, np.minimum(right, len(whole))
        edges[-1] = min(edges[-1], cover.shape[1] - 1)  # the last column is empty, so that every edge is one
        peaks = np.maximum.reduceat(cover, edges, axis=1)[:, 0::2]
        sums = np.add.reduceat(cover[2], edges)[0::2]
        token_features[:, :6] = peaks[:6].T
        token_features[:, 2] = sums / (right - left)
        token_features[1:, 6] = sentence_of[1:] != sentence_of[:-1]
        token_features[0, 6] = 1
        token_features[:, 7] = np.minimum(2.0, (right - left) / 4)
        token_features[:, 8] = peaks[6]
        token_features[:, HEAD] = np.append(True, np.diff(passage_of) > 0)[sentence_of]
    return Inputs(
        question[:LONGEST_QUESTION],
        np.array(
            [*(float(name in asked.type.names) for name in TYPES), float(not is_chinese(query.folded))], np.float32
        ),
        ids,
        (places - starts[sentence_of, None]).clip(0).astype(np.int32),
        surfaces,
        question_surfaces[:LONGEST_QUESTION],
        sentence_of.astype(np.int32),
        passage_of,
        token_features,
        _sentence_inputs(readings),
        np.array([one.passage_features[3:] for one in readings], np.float32).reshape(-1, len(PASSAGE_INPUTS)),
    )


def _sentence_inputs(readings: Sequence[PassageFeatures]) -> Floats:
    """The features of the sentences; those of a head are all 0."""
    rows = [np.zeros((0, len(SENTENCE_INPUTS)))]
    for one in readings:
        hand = by_hand.worth(one.sentence_features) / _HAND_POINTS
        rows += [np.zeros((1, len(SENTENCE_INPUTS))), np.column_stack([one.sentence_features, one.keyed, hand])]
    return np.concatenate(rows).astype(np.float32)


def _covered(asked: QueryFeatures, whole: str, text_asked: str) -> Floats:
    """What each character of the text is part of, shape (7, characters + 1): see TOKEN_FEATURES."""
    cover = np.zeros((7, len(whole) + 1), np.float32)
    for term, alternatives in zip(asked.query.terms, asked.alternatives, strict=True):
        for alternative, weight in alternatives:  # the heaviest last, so that it wins
            _paint(cover[0], whole, alternative, weight * term.rarity)
    for pair in asked.pairs:
        _paint(cover[1], whole, pair, 1.0)
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    known = np.array(sorted({ord(letter) for letter in text_asked if letter.isalnum()}), dtype=np.uint32)
    cover[2, :-1] = np.isin(codes, known)
    for start, end in asked.type.found(whole, asked.query.folded):
        cover[3, start:end] = 1
    for start, end in asked.type.measured_at(whole):
        cover[4, start:end] = 1
    cover[5, :-1] = (codes >= ord("0")) & (codes <= ord("9"))
    for match in _KEY.finditer(whole):
        cover[6, match.start() : match.end()] = 1
    return cover


def _paint(row: Floats, whole: str, term: str, value: float) -> None:
    at = whole.find(term)
    while at >= 0:
        end = at + len(term)
        row[at:end] = np.maximum(row[at:end], value)
        at = whole.find(term, end)
