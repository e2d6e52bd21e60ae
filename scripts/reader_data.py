"""What the reader is trained on: python scripts/reader_data.py [--data DIR] [--out DIR].

Five kinds of groups, each a question with the passage that answers it, if one does, and passages that do not:

- people's questions of `reading/*.jsonl.xz`, asked of an index of all their contexts: the wrong passages are the ones
  that the search finds and the others of the same document; the same questions again in pseudo-English;
- the same questions about something else, which the passage does not answer: another number, name or 甲 for 乙;
- clozes of the news: a sentence with a fact left out asks for another sentence that has it, or for itself;
- rows of tables and forms, from the triples of the knowledge bases among the pairs;
- English sentences with their translation among sentences that are like it.

A tenth of the contexts is held out: `dev.npz`. Everything goes through the functions that answer a question, so that
training and answering see the same. Takes a quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import lzma
import multiprocessing
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from embedder_data import SETS, PseudoEnglish, split
from training_data import DEFAULT_DATA, is_held_out_of_reading, read_news, read_pairs

from bot.answer import retrieve
from bot.answer.features import QueryFeatures, passage_features
from bot.answer.query import understand
from bot.answer.reader.inputs import inputs
from bot.corpus.passages import cut
from bot.index.candidates import candidates
from bot.index.embedder import BUNDLED_FOLDER, StaticEmbedder
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.text import segmenter
from bot.text.bridge import TABLE
from bot.text.fold import fold, is_chinese
from bot.text.sentences import sentences
from bot.text.terms import content_words, rarity, words
from bot.types import Passage

SEED = 20261127
DEFAULT_OUT = Path(__file__).parents[1] / "build" / "reader"
NEGATIVES = 5  # wrong passages a question
ENGLISH_SHARE = 0.5  # of the questions, again in pseudo-English
CLOZES, ROWS = 60_000, 14_000
OTHERS_SHARE = 0.3  # of the questions, again about something else where that can be made
PARALLEL = {"en-zh_taiwan_law_lines": 3000, "en-zh_tatoeba": 2000, "en-zh_python_docs": 1200, "en-zh_3am_captions": 800}
WINDOW = 480  # characters of a passage made here
LONGEST = 352  # tokens of a passage that is trained on; 500 characters are 320
_WH = {
    "cause": "why", "rank": "what rank", "number": "how many", "date": "when", "person": "who", "place": "where",
    "list": "which", "name": "what is called", "definition": "what is",
}  # fmt: skip


@dataclass
class Group:
    """A question, its passages, and the place of the answer in the first of them (None if none answers).

    With `whole` it is the sentence at that place that answers, and none of its words by themselves.
    """

    question: str
    passages: list[Passage]
    answer: tuple[int, int] | None
    whole: bool = False


# ------------------------------------------------------------------------------------------------ people's questions


@dataclass
class Asked:
    """A question of the reading sets, the document of its context, and its answer: text and place in the context."""

    question: str
    document: str
    context: str
    answer: str
    at: int


def read_questions(data: Path, corpus: Path, rng: random.Random) -> list[Asked]:
    """Write each context as a document, a third of those with a title under it, a third named by it."""
    names: dict[str, str] = {}
    found = []
    for file in sorted((data / "reading").glob("*.jsonl.xz")):
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            read = [json.loads(line) for line in lines]
        for row in read:
            context = row["context"].replace("|||", "\n\n\n")
            if context not in names:
                title, where = row.get("title"), rng.randrange(3)
                stem = f"{file.name.split('.')[0]}-{len(names):05d}"
                if title and where == 1:
                    stem += "-" + re.sub(r"\W+", " ", title)[:30].strip()
                names[context] = f"{stem}.txt"
                text = f"{title}\n\n{context}" if title and where == 2 else context
                (corpus / names[context]).write_text(text, encoding="utf-8")
            answer = row["answers"][0] if row["answers"] else {"text": "", "start": 0}
            found.append(Asked(row["question"], names[context], context, answer["text"], answer["start"]))
    return found


class PinyinEnglish(PseudoEnglish):
    """Pseudo-English as people type it: a word that the bridge lacks is a name, and is spelled."""

    def _unknown(self, word: str, rng: random.Random) -> list[str]:
        from pypinyin import lazy_pinyin

        return ["".join(lazy_pinyin(word))] if 1 < len(word) < 5 and word.isalnum() else []

    def question(self, chinese: str, rng: random.Random) -> str:
        """The question in pseudo-English, beginning with its question word; may be empty."""
        asked = QueryFeatures.from_query(understand(chinese, {}))
        words = [word for word in split(fold(chinese)) if word in content_words(word)]
        rest = self.query(words, rng)
        return f"{next((_WH[name] for name in asked.type.names), 'what')} {rest}?" if rest else ""


def pseudo_english(data: Path) -> PinyinEnglish:
    """The maker of pseudo-English questions, with the word counts of the parallel sets."""
    counts: Counter[str] = Counter()
    for name, cap in SETS:
        if name.startswith("en-zh"):
            for english, _ in read_pairs(data, name)[:cap]:
                counts.update(re.findall("[a-z]+", english))
    return PinyinEnglish(TABLE, counts)


def asked_group(bot: Bot, asked: Asked, question: str) -> Group | None:
    """The group of a question as the search finds it; None if the answer is in no passage of its document."""
    index = bot.live.get()
    document = index.store.document(asked.document)
    own = passages_of(bot, asked.document)
    if document is None or not own:
        return None
    query = understand(question, index.store.names)
    if not query.terms:
        return None
    if not asked.answer:
        return Group(question, own[: NEGATIVES + 1], None)
    text, base = document.text, document.text.find(asked.context[:12])
    position = base
    for _ in range(asked.context[: asked.at].count(asked.answer) + 1):
        position = text.find(asked.answer, position)
        if position < 0:
            return None
        position += 1
    start, end = position - 1, position - 1 + len(asked.answer)
    right = [one for one in own if one.start <= start and end <= one.end]
    if not right:
        return None
    features = QueryFeatures.from_query(query)
    found = candidates(index, query, retrieve.query_vector(query, bot.embedder))
    hits = retrieve.ranked(index, features, found, NEGATIVES + 1)
    wrong = [
        passage
        for passage in dict.fromkeys([*(hit.passage for hit in hits), *own])
        if asked.answer not in passage.text and passage not in right
    ]
    return Group(question, [right[0], *wrong[:NEGATIVES]], (start - right[0].start, end - right[0].start))


def passages_of(bot: Bot, document: str) -> list[Passage]:
    """All passages of a document in reading order."""
    if document not in _OWN:
        read = bot.live.get().store.document(document)
        _OWN.clear()
        _OWN[document] = cut(read) if read else []
    return _OWN[document]


_OWN: dict[str, list[Passage]] = {}

# ------------------------------------------------------------------------------------------- what is asked of others

_IN_TURN = (
    "甲乙丙丁戊",
    "东西南北",
    "一二三四五六七八九十",
    "abcde",
    "ABCDE",
    "春夏秋冬",
    "男女",
    "父母",
    "夫妻",
    "省市",
)
_NUMBER = re.compile(r"\d+")


def about_another(asked: Asked, pool: list[str], rng: random.Random) -> str:
    """The question about another number, letter or name that its context does not have; "" if none can be made.

    Only what stands in the context is replaced: that the passage lacks a word is known without a reader.
    """
    question, context = asked.question, asked.context
    ways = []
    for match in _NUMBER.finditer(question):
        if match[0] in context and match[0] not in asked.answer:
            size = 10 ** min(len(match[0]) - 1, 1)
            ways.append((match.span(), str(max(1, int(match[0]) + rng.choice([-3, -2, -1, 1, 2, 3]) * size))))
    for i, letter in enumerate(question):
        row = next((row for row in _IN_TURN if letter in row), "")
        beside = question[max(0, i - 1) : i + 2]
        if row and beside in context:
            ways.append(((i, i + 1), rng.choice(row.replace(letter, ""))))
    names = [word for word in content_words(question) if rarity(word) >= _RARE_NAME and word in context]
    for word in names:
        other = rng.choice(pool)
        if word in question and len(other) == len(word):
            ways.append(((question.index(word), question.index(word) + len(word)), other))
    rng.shuffle(ways)
    for (start, end), other in ways:
        changed = question[:start] + other + question[end:]
        beside = changed[max(0, start - 1) : start + len(other) + 1]
        if changed != question and beside not in context and (len(other) < 2 or other not in context):
            return changed
    return ""


# ------------------------------------------------------------------------------------------------------------- clozes

_FACT = re.compile(
    r"(?P<date>\d{2,4} ?年 ?\d{1,2} ?月 ?\d{1,2} ?[日号]|\d{4} ?年 ?\d{1,2} ?月|\d{1,2} ?月 ?\d{1,2} ?[日号]|\d{4} ?年)"
    r"|(?P<number>(?<![\w.-])\d[\d.,]*(?: ?[余多])?(?: ?[万亿])?(?:%| ?[^\W\d年月日号时点分a-zA-Z]{1,2}))"
    r"|[《“](?P<title>[^《》“”]{2,16})[》”]"
)
_RARE_NAME = 0.75  # of words that count as names; 0.75 is a word met 170 times in jieba's 60 million
_ASKS = {
    "date": ["什么时候", "何时", "哪天", "哪一天", "什么时间"],
    "number": ["多少"],
    "title": ["什么", "哪个", "叫什么"],
    "name": ["什么", "谁", "哪里", "哪个"],
    "person": ["谁", "哪位"],
}
_SPEAKER = re.compile(
    r"(?:主任|书记|局长|经理|董事长|教授|校长|记者|主席|部长|院长|市长|总裁|分析师)([^\W\d_a-zA-Z]{2,3})(?=[说表介指认，,])"
)


def _facts(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _FACT.finditer(text):
        kind = match.lastgroup or "number"
        start, end = match.span(kind)
        if end - start > 1:
            yield kind, start, end
    for match in _SPEAKER.finditer(text):
        yield "person", match.start(1), match.end(1)
    for word in set(words(text)):
        if len(word) > 1 and is_chinese(word) and segmenter.frequency(word) and rarity(word) >= _RARE_NAME:
            yield "name", text.index(word), text.index(word) + len(word)


def cloze(text: str, rng: random.Random) -> Group | None:
    """A question for a fact of one sentence of the text, made from another sentence with it or from its own words."""
    text = re.sub(
        r"(?<=[^\x00-\x7f]) +(?=\d)|(?<=\d) +(?=[^\x00-\x7f])", "", text
    )  # some outlets put spaces around numbers
    spans = list(sentences(text))
    facts = [
        (kind, i, a + start, b + start)
        for i, (start, end) in enumerate(spans)
        for kind, a, b in _facts(text[start:end])
    ]
    if len(spans) < 3 or not facts:
        return None
    by_text: dict[str, list[tuple[str, int, int, int]]] = defaultdict(list)
    for fact in facts:
        by_text[text[fact[2] : fact[3]]].append(fact)
    twice = [some for some in by_text.values() if len({one[1] for one in some}) > 1]
    if twice and rng.random() < 0.75:
        some = rng.choice(twice)
        source = rng.choice(some)
        answer = rng.choice([one for one in some if one[1] != source[1]])
        shared = set(_content(text, spans[source[1]])) & set(_content(text, spans[answer[1]]))
        if len(shared - {text[answer[2] : answer[3]]}) < 2:
            return None
        question, left_out = _clauses(text, spans[source[1]], source, rng), source[1]
    else:
        answer = rng.choice(facts)
        question, left_out = _own_words(text, spans[answer[1]], answer, rng), -1
    if len(question) < 6:
        return None
    first = last = answer[1]
    while True:  # grow a window of whole sentences around the answer
        grown = [i for i in (first - 1, last + 1) if 0 <= i < len(spans) and i != left_out]
        grown = [i for i in grown if spans[max(last, i)][1] - spans[min(first, i)][0] <= WINDOW]
        if not grown:
            break
        i = rng.choice(grown)
        first, last = min(first, i), max(last, i)
    begin, end = spans[first][0], spans[last][1]
    if end - begin < 80:
        return None
    window = text[begin:end]
    rest = text[:begin] if begin > len(text) - end else text[end:]
    passages = [_passage(window)]
    if len(rest) > 120 and text[answer[2] : answer[3]] not in rest[-WINDOW:]:
        passages.append(_passage(rest[-WINDOW:]))
    return Group(question, passages, (answer[2] - begin, answer[3] - begin))


def _content(text: str, span: tuple[int, int]) -> list[str]:
    return [word for word in content_words(fold(text[slice(*span)])) if rarity(word) > 0.4]


def _clauses(text: str, span: tuple[int, int], fact: tuple[str, int, int, int], rng: random.Random) -> str:
    """The clause of the fact, with one beside it if it is short, the fact replaced by a question word."""
    kind, _, start, end = fact
    left = max(text.rfind(mark, span[0], start) for mark in "，,；;、：:") + 1 or span[0]
    right = min((at for mark in "，,；;。！" if (at := text.find(mark, end, span[1])) >= 0), default=span[1])
    if start - left + right - end < 10 and left > span[0]:
        left = max(text.rfind(mark, span[0], left - 1) for mark in "，,；;：:") + 1 or span[0]
    return (text[left:start][-40:] + _asks(kind, text[start:end], rng) + text[end:right][:30]).strip() + rng.choice(
        ["?", "？", ""]
    )


def _own_words(text: str, span: tuple[int, int], fact: tuple[str, int, int, int], rng: random.Random) -> str:
    """Some content words of the sentence besides the fact, and a question word: what people type, more or less."""
    kind, _, start, end = fact
    own = [word for word in _content(text, span) if word not in text[start:end] and text[start:end] not in word]
    if len(own) < 2:
        return ""
    kept = sorted(rng.sample(range(len(own)), min(len(own), rng.randint(2, 5))))
    asks = _asks(kind, text[start:end], rng) if rng.random() < 0.8 else ""
    return "".join(own[i] for i in kept) + asks


def _asks(kind: str, fact: str, rng: random.Random) -> str:
    if kind == "date" and fact.endswith("年") and rng.random() < 0.7:
        return rng.choice(["哪一年", "哪年"])
    unit = re.sub(r"^[\d.,余多 ]+", "", fact)
    return rng.choice(_ASKS[kind]) + (unit if kind == "number" and unit != "%" else "")


def _passage(text: str, title: str = "") -> Passage:
    return Passage("", "a.txt", title, "", text, 0, len(text))


# --------------------------------------------------------------------------------------------------------------- rows


def rows(data: Path, count: int, rng: random.Random) -> Iterator[Group]:
    """Questions for a cell of a table among rows with the same field of others, a sixth without the right row."""
    triples: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for name in ("zh_qa_nlpcc_kbqa", "zh_qa_kgclue"):
        for question, said in read_pairs(data, name):
            match = re.fullmatch(r"(.{2,20}?)(?:\(.*?\))?的(.{2,8}?)是(.{1,40})", said)
            if match:
                triples[match[2]].append((question, match[1], match[3]))
    fields = [name for name, some in triples.items() if len(some) > 8]
    weights = [len(triples[name]) ** 0.5 for name in fields]
    for _ in range(count):
        name, second = rng.choices(fields, weights, k=2)
        some = rng.sample(triples[name], rng.randint(4, 8))
        others = [rng.choice(triples[second])[2] for _ in some]
        style = rng.choice(
            ["名称: {x}; {y}: {z}; {w}: {v}", "{x}; {y}: {z}; {w}: {v}", "{x}\n{y}: {z}\n{w}: {v}", "{x}的{y}: {z}"]
        )
        right = rng.randrange(len(some))
        question, _, value = some[right]
        if rng.random() < 0.4:
            yield from _forms(name, second, some, others, rng)
            continue
        lines, at = [], 0
        for i, ((_, x, z), v) in enumerate(zip(some, others, strict=True)):
            line = style.format(x=x, y=name, z=z, w=second, v=v)
            if i == right:
                at = sum(len(one) + 1 for one in lines) + style.format(x=x, y=name, z="\0", w=second, v=v).index("\0")
            lines.append(line)
        absent = rng.random() < 1 / 6
        if absent:
            del lines[right]
        text = "\n".join(lines)
        if len(text) <= 600:
            yield Group(question, [_passage(text)], None if absent else (at, at + len(value)))


def _forms(
    name: str, second: str, some: list[tuple[str, str, str]], others: list[str], rng: random.Random
) -> Iterator[Group]:
    """A question for a field of one of several documents that have the same fields, each with its own title."""
    right = rng.randrange(len(some))
    question, _, value = some[right]
    style = rng.choice(["{y}: {z}", "{y}: {z}", "{y}是{z}。", "{y}为{z}。"])
    made: list[tuple[Passage, int]] = []
    for (_, title, z), v in zip(some, others, strict=True):
        lines = [style.format(y=name, z=z), style.format(y=second, z=v)]
        before = rng.randrange(2) * (len(lines[1]) + 1)
        text = "\n".join(lines[::-1] if before else lines)
        made.append((_passage(text, title), before + style.index("{z}") - 3 + len(name)))
    passage, at = made[right]
    wrong = [one for one, _ in made if value not in one.text][:NEGATIVES]
    if rng.random() < 0.4 and wrong:
        yield Group(question, wrong, None)
    else:
        yield Group(question, [passage, *wrong], (at, at + len(value)))


# ------------------------------------------------------------------------------------------------------------ English


def parallel(data: Path, embedder: StaticEmbedder, part: int, parts: int, rng: random.Random) -> Iterator[Group]:
    """An English sentence as a question, and its translation among sentences that are nearly like it."""
    for name, count in PARALLEL.items():
        pairs = [pair for pair in read_pairs(data, name) if 4 < len(pair[1]) < 140 and 12 < len(pair[0]) < 200]
        rng.shuffle(pairs)
        pairs = pairs[part::parts][: 2 * count // parts]
        texts = [chinese if chinese[-1] in "。!?;" else f"{chinese}。" for _, chinese in pairs]
        vectors = embedder.encode_passages(texts)
        for i in range(count // parts):
            alike = vectors @ vectors[i]
            near = [j for j in np.argsort(-alike)[:40].tolist() if alike[j] < 0.85]
            picked = rng.sample(near[:16], min(len(near[:16]), rng.randint(3, 8)))
            mine = [texts[j] for j in picked[: len(picked) // 2 + 1]]
            at = rng.randrange(len(mine) + 1)
            start = sum(len(text) for text in mine[:at])
            passages = [_passage("".join([*mine[:at], texts[i], *mine[at:]]))]
            if rest := picked[len(picked) // 2 + 1 :]:
                passages.append(_passage("".join(texts[j] for j in rest)))
            yield Group(_asked_in_english(pairs[i][0], rng), passages, (start, start + len(texts[i])), whole=True)


def _asked_in_english(sentence: str, rng: random.Random) -> str:
    """An English sentence as a question might have it: with a question word, without some words, without a number."""
    words = sentence.rstrip(".;:").split()
    asks = ""
    number = next((i for i, word in enumerate(words) if re.search(r"\d", word)), -1)
    if number >= 0 and rng.random() < 0.5:
        del words[number]
        asks = "how many" if rng.random() < 0.7 else "when"
    kept = [word for word in words if rng.random() > 0.15]
    asks = asks or rng.choice(["", "what", "what is", "which", "why", "how"])
    return f"{asks} {' '.join(kept)}".strip() + "?"


# ------------------------------------------------------------------------------------------------- groups to examples


@dataclass
class Store:
    """Examples as lists of arrays, joined when they are written; see `load` for what comes out."""

    columns: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    groups: int = 0

    def add(self, group: Group, names: object, embedder: StaticEmbedder) -> None:
        """Append the group; one whose answer is not whole tokens of one sentence is left out."""
        asked = QueryFeatures.from_query(understand(group.question, names))  # type: ignore[arg-type]
        readings = passage_features(asked, group.passages)
        x = inputs(asked, readings, embedder)
        firsts = np.searchsorted(x.passage_of, np.arange(len(group.passages)))
        filled = np.bincount(x.sentence_of, minlength=len(x.passage_of)) > 0
        filled[firsts] = True  # a head may be empty
        if not len(x.question) or not filled.all():
            return
        token_passage = x.passage_of[x.sentence_of]
        sizes = np.bincount(token_passage, minlength=len(group.passages))
        label = np.full((len(group.passages), 2), -1, np.int16)
        if group.answer:
            span = self._tokens(group, readings[0].spans, x.spans, x.sentence_of, int(sizes[0]))
            if span is None:
                return
            label[0] = (span[0], -1) if group.whole else span
        kept = np.flatnonzero((sizes > 3) & (sizes <= LONGEST))
        if (group.answer and not (len(kept) and kept[0] == 0)) or not len(kept):
            return
        for p in kept:
            mine = token_passage == p
            own = x.passage_of == p
            self.columns["ids"].append(x.ids[mine])
            self.columns["sentence_of"].append((x.sentence_of[mine] - firsts[p]).astype(np.uint8))
            self.columns["token_features"].append((x.token_features[mine] * 127).round().astype(np.uint8))
            self.columns["tokens"].append(np.array([sizes[p]], np.int32))
            self.columns["sentence_features"].append(x.sentence_features[own].astype(np.float16))
            self.columns["sentences"].append(np.array([own.sum()], np.int32))
            self.columns["passage_features"].append(x.passage_features[p : p + 1].astype(np.float16))
            self.columns["label"].append(label[p : p + 1])
            self.columns["group"].append(np.array([self.groups], np.int32))
        self.columns["question"].append(x.question)
        self.columns["questions"].append(np.array([len(x.question)], np.int32))
        self.columns["question_features"].append(x.question_features[None].astype(np.float16))
        self.groups += 1

    @staticmethod
    def _tokens(
        group: Group, spans: tuple[tuple[int, int], ...], places: np.ndarray, sentence_of: np.ndarray, size: int
    ) -> tuple[int, int] | None:
        """The first and the last token of the answer; an answer over several sentences ends with its first."""
        assert group.answer
        start, end = group.answer
        at = next((i for i, (a, b) in enumerate(spans) if a <= start < b), -1)
        if at < 0:
            return None
        a, b = spans[at]
        if len(fold(group.passages[0].text[a:b])) != b - a:
            return None
        mine = np.flatnonzero(sentence_of[:size] == at + 1)  # after the head
        inside = mine[(places[mine, 1] > start - a) & (places[mine, 0] < min(end, b) - a)]
        return (int(inside[0]), int(inside[-1])) if len(inside) else None

    def write(self, file: Path) -> None:
        """Join and write all columns."""
        np.savez(file, **{name: np.concatenate(some) for name, some in self.columns.items()})


# --------------------------------------------------------------------------------------------------------------- main


def _made(job: tuple[str, int, int, int, Path, Path]) -> str:
    """One part of one kind, in its own process."""
    kind, part, parts, clozes, data, out = job
    begun = time.monotonic()
    embedder, rng = StaticEmbedder(BUNDLED_FOLDER), random.Random(SEED + part)
    if kind == "asked":
        stores = _asked(part, parts, data, out, embedder, rng)
    elif kind == "parallel":
        stores = {kind: Store()}
        for group in parallel(data, embedder, part, parts, rng):
            stores[kind].add(group, {}, embedder)
    else:
        limit = (clozes if kind == "cloze" else ROWS) // parts
        articles = list(read_news(data))[part::parts] if kind == "cloze" else []
        made = (cloze(article, rng) for _ in range(4) for article in articles) if articles else rows(data, limit, rng)
        store = Store()
        stores = {kind: store}
        for group in made:
            if group:
                store.add(group, {}, embedder)
            if store.groups >= limit:
                break
    for name, store in stores.items():
        store.write(out / f"{name}.{part}.npz")
    sizes = ", ".join(f"{name} {store.groups:,}" for name, store in stores.items())
    return f"{kind} {part}: {sizes} after {time.monotonic() - begun:.0f} s"


def _asked(
    part: int, parts: int, data: Path, out: Path, embedder: StaticEmbedder, rng: random.Random
) -> dict[str, Store]:
    """A part of people's questions, also in pseudo-English, as keywords, or about another: train, dev and so on."""
    stores = {f"{name}{way}": Store() for name in ("train", "dev") for way in ("", "_en", "_other")}
    bot = Bot(load_settings(corpus=out / "corpus", index=out / "index"), embedder)
    names = bot.live.get().store.names
    english = pseudo_english(data)
    questions = [Asked(*row) for row in json.loads((out / "questions.json").read_text(encoding="utf-8"))]
    pool = [word for asked in questions for word in content_words(asked.question) if rarity(word) >= _RARE_NAME]
    for asked in questions[part * len(questions) // parts : (part + 1) * len(questions) // parts]:
        name = "dev" if is_held_out_of_reading(asked.context) else "train"
        ways = [(name, asked.question)]
        if rng.random() < ENGLISH_SHARE and (translated := english.question(asked.question, rng)):
            ways.append((f"{name}_en", translated))
        elif rng.random() < 0.2:  # keywords, as they are typed into a search engine
            ways.append((name, " ".join(content_words(fold(asked.question)))))
        if asked.answer and rng.random() < OTHERS_SHARE and (other := about_another(asked, pool, rng)):
            ways.append((f"{name}_other", other))
        for to, question in ways:
            if group := asked_group(bot, asked, question):
                if to.endswith("_other"):
                    group.answer = None
                stores[to].add(group, names, embedder)
    return stores


def main() -> None:
    """Index the contexts, then make every kind in two processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--clozes", type=int, default=CLOZES)
    parser.add_argument("--kinds", default="asked,rows,cloze,parallel")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    corpus = options.out / "corpus"
    if "asked" in kinds:
        corpus.mkdir(parents=True, exist_ok=True)
        questions = read_questions(options.data, corpus, random.Random(SEED))
        text = json.dumps([[*vars(one).values()] for one in questions], ensure_ascii=False)
        (options.out / "questions.json").write_text(text, encoding="utf-8")
        Bot(load_settings(corpus=corpus, index=options.out / "index")).refresh()
        print(f"{len(questions):,} questions", flush=True)
    jobs = [(kind, part, 2, options.clozes, options.data, options.out) for kind in kinds for part in range(2)]
    with multiprocessing.Pool(2, maxtasksperchild=1) as pool:
        for line in pool.imap_unordered(_made, jobs, chunksize=1):
            print(line, flush=True)


if __name__ == "__main__":
    main()
