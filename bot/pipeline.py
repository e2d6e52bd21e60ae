"""Bot.ask(question) -> Answer: the whole flow on one page."""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from bot.answer import constraints, evidence, refusal, retrieve, several
from bot.answer.examples import Examples
from bot.answer.explanation import Explanation, explained
from bot.answer.followup import standalone
from bot.answer.meta import LISTED, THIS, WHICH, Meta, language_of, listed, meta, named_document, said_to
from bot.answer.query import checked_question, understand
from bot.answer.reader.reader import load_reader
from bot.answer.short import short_answer
from bot.answer.summary import SUMMED_UP, summary
from bot.corpus.curated import CuratedAnswer
from bot.corpus.original import open_original
from bot.errors import IndexMissing, QueryError
from bot.index.build import Progress, Summary
from bot.index.candidates import LEGS
from bot.index.embedder import load_embedder
from bot.index.live import LiveIndex
from bot.index.opened import Index
from bot.index.pictures import Pictures
from bot.settings import Settings, load_settings
from bot.text.dates import checked_date
from bot.text.fold import fold, language
from bot.types import (
    Answer,
    Document,
    Done,
    Embedder,
    Event,
    Evidence,
    Generation,
    Hit,
    KeptPicture,
    Passage,
    Query,
    Scope,
    Sources,
    Span,
    Text,
    Turn,
)

if TYPE_CHECKING:
    from bot.answer.llm.writer import Writer

REFUSAL = {"zh": "资料中没有找到相关内容。", "en": "The articles hold nothing that answers this."}
# How many questions a process looks up at a time; others wait. More threads would compete for Python's lock: with 32 of
# them a server answered fewer questions a second (scripts/EXPERIMENTS.md, What a question costs).
_AT_WORK = 2
CITED = re.compile(r" ?\[\d+\]$")
# The confidence, at most, in a passage that is about another thing, or has nothing of the kind that is asked for
# (answer/constraints.py).
_ANOTHERS = 0.1
# A further source is shown if its score is at least this share of the first one's.
_WORTH_SHOWING = 0.5
# ... and if the reader's log-odds that it answers are at least this (scripts/EXPERIMENTS.md, The reader).
_PROVES = -4.0
_NEAREST = 3  # passages beside a refusal, at most: those that share a word with the question
_PICTURES = 2  # beside a source at most; the reading pane has all of them


class Bot:
    """Answers questions from a corpus. Thread-safe; switches to a new generation of the index by itself."""

    def __init__(self, settings: Settings | None = None, embedder: Embedder | None = None, **single: object) -> None:
        """Take `settings`, or single settings by name (`corpus="notes"`) with the rest from the environment.

        Loads the embedder; the first question opens the index. Raises ModelError and SettingsError.
        """
        if settings is not None and single:
            raise TypeError(f"either settings or single ones: {', '.join(single)}")
        self.settings = load_settings(**single) if settings is None else settings
        self._writer = _writer(self.settings) if self.settings.llm_url else None
        self.embedder = embedder or load_embedder(self.settings.model)
        self.reader, self._reader_problem = load_reader(self.embedder)
        self.live = LiveIndex(self.settings, self.embedder)
        self._examples = Examples()
        self._scope = Scope()  # what is asked
        self._building = threading.Lock()
        self._at_work = threading.Semaphore(_AT_WORK)

    def within(self, collections: Iterable[str] | None = None, since: str = "", until: str = "") -> Bot:
        """The same bot, asked of some collections or of documents of some time only; it tells nothing of the others.

        `since` and `until` are dates: 2023-07-28, 2023-07 or 2023. Raises QueryError if they are none, and if the
        corpus has no such collection.
        """
        for said in filter(None, (since, until)):
            if checked_date(said) != said:
                raise QueryError(f"日期写得不对：{said[:20]}", "this is no date", "2023-07-28, 2023-07, 2023")
        names = self._scope.collections if collections is None else frozenset(collections)
        known = self._index().store.collections
        if unknown := sorted((names or frozenset()) - known.keys()):
            there = "、".join(filter(None, known)) or "—"
            raise QueryError(f"没有这个文件夹：{unknown[0]}", "there is no such collection", there)
        seen = copy.copy(self)
        seen._scope = Scope(names, since or self._scope.since, until or self._scope.until)
        return seen

    def refresh(self, progress: Progress = lambda done, total: None) -> Summary | None:
        """Build the index if there is none or the corpus has changed; None if there was nothing to do.

        Raises as build_index and open_index do: an index that is damaged or was made by another model is not
        overwritten.
        """
        return self.live.refresh(progress)

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """The answer with at most `sources` passages, or a refusal.

        The text is a curated answer, a model's wording or the best sentence. `history` has the earlier turns, latest
        last; a question that refers to them is made to stand alone. Raises QueryError if the question is not valid, and
        CorpusError, IndexDamaged or IndexMismatch if there is no usable index.
        """
        *_, last = self.stream(question, history)
        assert isinstance(last, Done)
        return last.answer

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Generator[Event, None, None]:
        """The same answer as events: first Sources, then Text in pieces, last Done.

        Raises as `ask` does, before the first event. Closing the generator stops the model.
        """
        index = self._index()
        with self._at_work:
            answer = self._found(index, question, history).answer
        yield Sources(answer)
        # People's words and a document's own are not reworded.
        if self._writer is None or answer.refused or answer.mode in ("curated", "meta", "summary"):
            yield Text(answer.text)
            yield Done(answer)
            return
        yield from self._writer.word(answer, lambda said: _understood(said, index))

    def search(self, question: str, k: int, legs: tuple[str, ...] = LEGS) -> list[Hit]:
        """The `k` best hits for a question, whether or not they answer it. Raises as `ask` does."""
        index = self._index()
        with self._at_work:
            return self._hits(index, question, k, legs)

    def explain(self, question: str, k: int, history: Sequence[Turn] = ()) -> Explanation:
        """The `k` best hits with the terms that each contains, and whether and how `ask` answers.

        Raises as `ask` does.
        """
        index = self._index()
        with self._at_work:
            found = self._found(index, question, history, k)
            return explained(found.query, found.hits[:k], found.answer, self.settings.threshold)

    def source(self, passage_id: str) -> tuple[Passage, Document] | None:
        """A passage of the live generation with its whole document, or None if there is none with that id."""
        store = self._index().store
        passage = store.passage(passage_id)
        document = store.document(passage.document) if passage else None
        return (passage, document) if passage and document else None

    def original(self, passage_id: str) -> tuple[str, BufferedReader] | None:
        """The path of the file that a passage is from, and the file, opened; None if it is not what was read."""
        passage = self._index().store.passage(passage_id)
        return self.file(passage.document) if passage else None

    def file(self, document_id: str) -> tuple[str, BufferedReader] | None:
        """The path of the file that a document is from, and the file, opened; None if it is not what was read."""
        known = self._index().store.file(document_id)
        opened = open_original(self.settings.corpus, *known) if known else None
        return (known[0].path, opened) if known and opened else None

    def pictures(self, document_id: str) -> list[KeptPicture]:
        """The pictures of a document of the live generation, in reading order."""
        return self._index().store.pictures(document_id)

    def picture(self, name: str) -> tuple[bytes, str] | None:
        """The bytes and the media type of a picture by its hash; None if no document has it, or its file is damaged."""
        kind = self._index().store.picture_type(name)
        data = Pictures(self.settings.index).read(name) if kind else None
        return (data, kind) if data and kind else None

    def passages(self, document_id: str) -> list[Passage]:
        """The passages of a document of the live generation, in reading order."""
        return self._index().store.passages_of(document_id)

    def document(self, document_id: str) -> Document | None:
        """A document of the live generation, or None if there is none with that id."""
        return self._index().store.document(document_id)

    def examples(self) -> tuple[str, ...]:
        """At most four questions that the articles answer, made from the articles themselves."""
        index = self._index()
        return self._examples.drawn(index.generation, index.store, self._answers, self._scope)

    def collections(self) -> dict[str, int]:
        """How many documents each collection has, by name; "" is the corpus folder itself."""
        return self._index().store.collections

    def info(self) -> dict[str, dict[str, Any]]:
        """What the live generation contains, by section. Raises IndexMissing, IndexDamaged and IndexMismatch."""
        return self.live.get().report()

    def generation(self) -> Generation:
        """Name and size of the live generation, which is opened if necessary. Raises as `info` does."""
        index = self.live.get()
        return Generation(index.generation, index.manifest["articles"], index.manifest["passages"])

    def stop(self) -> None:
        """Stop the model: answers in progress fall back to their passages, and so do later ones."""
        if self._writer is not None:
            self._writer.stop()

    def _index(self) -> Index:
        """The live generation, or what may be seen of it; if there is none yet, it is built."""
        try:
            index = self.live.get()
        except IndexMissing:
            with self._building:
                self.refresh()
            index = self.live.get()
        return index if self._scope == Scope() else index.within(self._scope)

    def _answers(self, question: str) -> bool:
        try:
            return not self.explain(question, 1).refused
        except QueryError:
            return False

    def _hits(self, index: Index, question: str, k: int, legs: tuple[str, ...] = LEGS) -> list[Hit]:
        """The `k` best hits, for one who has a place at work already: a second one might never come free."""
        query = _understood(checked_question(question, self.settings.max_question), index)
        asked, found = retrieve.looked_up(index, query, retrieve.query_vector(query, self.embedder), legs)
        return retrieve.ranked(index, asked, found, k, self.reader, read=len(legs) > 1)

    def _found(
        self, index: Index, question: str, history: Sequence[Turn], k: int = 0, *, whole: bool = False
    ) -> _Found:
        """The answer from the passages; with `k` (for explanations) hits are found even if a curated answer matches.

        A question of several things is asked for each of them, but for one that is to be answered as a `whole`.
        """
        clock = _Clock()
        checked = checked_question(question, self.settings.max_question)
        understood = standalone(checked, history)
        leaned = "" if understood == checked else understood
        query = _understood(understood, index)
        vector = retrieve.query_vector(query, self.embedder)
        clock.lap("understand")
        # A curated question may go by any of the names, so it is compared with and without those of the dictionary.
        plain = [self.embedder.encode_query(query.folded)] if query.other_names else []
        written = index.curated.match(query.folded, vector, *plain)
        if written and not k:
            return _Found(query, [], _curated(question, leaned, written, index, clock.laps))
        if not k and (about := meta(checked)) and (said := self._said(index, about, question, history, clock.laps)):
            return _Found(query, [], said)
        if not (k or whole) and (each := self._each(index, question, understood, leaned, clock.laps)):
            return _Found(query, [], each)

        asked, found = retrieve.looked_up(index, query, vector)
        query = asked.query
        hits = retrieve.ranked(index, asked, found, max(k, self.settings.sources), self.reader)
        shown = hits[: self.settings.sources]
        shown = [shown[i] for i in constraints.supported_first(query, [hit.passage for hit in shown])]
        clock.lap("retrieve")
        marked = evidence.mark(asked, [hit.passage for hit in shown], vector, self.embedder, self.reader)
        clock.lap("evidence")
        weights, problem = refusal.load_weights(self.settings.index)
        confidence = refusal.confidence(query, shown, marked[0] if marked else None, weights)
        lacking = constraints.replaced(query, shown[0].passage, keyed=marked[0].named) if shown else {}
        if lacking or (shown and constraints.lacks_kind(query, shown[0].passage)):
            confidence = min(confidence, _ANOTHERS)
        refused = not hits or confidence < self.settings.threshold
        proof = () if refused else _proof(index, shown, marked)
        text = _refusal(question, query, shown, lacking) if refused else _answer_text(proof[0])
        nearest = tuple(hit for hit in hits if hit.rank_lexical)[:_NEAREST] if refused else ()
        short = "" if refused else short_answer(asked, shown[0].passage, marked[0])
        clock.lap("refusal")
        if written:
            return _Found(query, hits, _curated(question, leaned, written, index, clock.laps))

        degraded = index.degraded | _named(vectors=found.problem, refusal=problem, reader=self._reader_problem)
        mode = "lexical_only" if "vectors" in degraded else "stale_generation" if "index" in degraded else "passages"
        return _Found(
            query,
            hits,
            Answer(
                question,
                text,
                refused,
                confidence,
                proof,
                mode,
                degraded,
                index.generation,
                clock.laps,
                leaned,
                short=short,
                nearest=nearest,
            ),
        )

    def _each(
        self, index: Index, question: str, understood: str, leaned: str, timings: dict[str, float]
    ) -> Answer | None:
        """The answer to a question of several things, each asked for by itself; None if fewer than two have one."""
        asked = several.parts(understood, lambda: [title for _, title in index.store.titles()])
        if asked is None:
            return None
        answers = [self._found(index, one, (), whole=True).answer for one in asked.questions]
        if sum(not one.refused for one in answers) < several.LEAST:
            return None
        return _joined(question, leaned, asked, answers, timings)

    def _said(
        self, index: Index, about: Meta, question: str, history: Sequence[Turn], timings: dict[str, float]
    ) -> Answer | None:
        """What is said to a message about the bot or its documents; None if it asks of their text after all."""
        words = language_of(question)
        size = index.manifest["articles"], index.manifest["passages"]
        if about.kind != "summary":
            titles = [] if about.small_talk else [title for _, title in index.store.titles()[:LISTED]]
            text = said_to(about, words) if about.small_talk else listed(titles, *size, words)
            return _meta(index, question, text, timings, refused=about.small_talk)
        document = self._meant(index, about.of, history)
        if document is None:
            if not THIS.fullmatch(about.of):
                return None
            text = f"{WHICH[words]}\n{listed([title for _, title in index.store.titles()[:LISTED]], *size, words)}"
            return _meta(index, question, text, timings, refused=True)
        chosen = summary(index.store.passages_of(document), self.embedder)
        return _summary(index, question, chosen, timings, words)

    def _meant(self, index: Index, name: str, history: Sequence[Turn]) -> str | None:
        """The id of the document that a name stands for: its title, the one spoken of, or the only one."""
        titles = index.store.titles()
        if THIS.fullmatch(name):
            if len(titles) == 1:
                return titles[0][0]
            spoken = next((turn.question for turn in reversed(history) if turn.answer), "")
            hits = self._hits(index, spoken, 1) if spoken else []
            return hits[0].passage.document if hits else None
        return named_document(name, titles)


@dataclass(frozen=True, slots=True)
class _Found:
    """The query, its hits, and the answer that follows from them."""

    query: Query
    hits: list[Hit]
    answer: Answer


def _writer(settings: Settings) -> Writer:
    from bot.answer.llm.writer import Writer  # imported here because its HTTP client would slow down every start

    return Writer(settings)


def _understood(text: str, index: Index) -> Query:
    """The query for a text, by the names and the dictionary of a generation."""
    return understand(text, index.store.names, index.dictionary)


def _curated(question: str, leaned: str, written: CuratedAnswer, index: Index, timings: dict[str, float]) -> Answer:
    return Answer(
        question,
        written.answer,
        refused=False,
        confidence=1.0,
        evidence=(),
        mode="curated",
        degraded=dict(index.degraded),
        generation=index.generation,
        timings=timings,
        standalone=leaned,
        curated_source=written.source,
        curated_url=written.url,
    )


def _meta(index: Index, question: str, text: str, timings: dict[str, float], *, refused: bool) -> Answer:
    """An answer that rests on no passage."""
    return Answer(question, text, refused, 1.0, (), "meta", dict(index.degraded), index.generation, timings)


def _summary(
    index: Index, question: str, chosen: Sequence[tuple[Passage, Span]], timings: dict[str, float], words: str
) -> Answer:
    """The sentences that stand for a document, each cited."""
    spans: dict[Passage, list[Span]] = {}
    for passage, span in chosen:
        spans.setdefault(passage, []).append(span)
    proof = tuple(
        _evidence(index, Hit(passage, 1.0), tuple(own), number)
        for number, (passage, own) in enumerate(spans.items(), start=1)
    )
    numbers = {evidence.hit.passage: evidence.number for evidence in proof}
    said = [f"{passage.text[span.start : span.end].strip()} [{numbers[passage]}]" for passage, span in chosen]
    text = SUMMED_UP[words].format(title=chosen[0][0].title, count=len(said)) + "\n" + "\n".join(said)
    degraded = dict(index.degraded)
    return Answer(question, text, False, 1.0, proof, "summary", degraded, index.generation, timings)


def _joined(
    question: str, leaned: str, asked: several.Parts, answers: Sequence[Answer], timings: dict[str, float]
) -> Answer:
    """The answers for several things as one: a line for each, with a piece of evidence each."""
    words = language(fold(question))
    lines: list[str] = []
    proof: list[Evidence] = []
    for thing, one in zip(asked.things, answers, strict=True):
        said = REFUSAL[words] if one.refused else one.short or CITED.sub("", one.text)
        if one.evidence:
            proof.append(replace(one.evidence[0], number=len(proof) + 1))
            said += f" [{len(proof)}]"
        lines.append(f"{thing}{several.COLON[words]}{said}")
    lines += filter(None, [several.verdict(asked, [one.short for one in answers], words)])
    degraded = {part: why for one in answers for part, why in one.degraded.items()}
    return Answer(
        question,
        "\n".join(lines),
        refused=False,
        confidence=min(one.confidence for one in answers if not one.refused),
        evidence=tuple(proof),
        mode=answers[0].mode,
        degraded=degraded,
        generation=answers[0].generation,
        timings=timings,
        standalone=leaned,
    )


def _proof(index: Index, hits: Sequence[Hit], marked: Sequence[evidence.Marked]) -> tuple[Evidence, ...]:
    """The first hit, whatever its score, and those that are not much worse and prove something, with their marks."""
    least = _WORTH_SHOWING * hits[0].score
    worth = [0, *(i for i in range(1, len(hits)) if hits[i].score >= least > 0 and _proves(marked[i]))]
    return tuple(_evidence(index, hits[i], marked[i].spans, number) for number, i in enumerate(worth, start=1))


def _proves(marked: evidence.Marked) -> bool:
    return marked.read is None or marked.read.worth >= _PROVES


def _evidence(index: Index, hit: Hit, spans: tuple[Span, ...], number: int) -> Evidence:
    passage = hit.passage
    # What stands directly after a passage has at most the offset at which the next one begins.
    after, until = passage.start - (passage.start == 0), passage.end + 2
    pictures = index.store.pictures(passage.document, after, until)[:_PICTURES]
    return Evidence(hit, spans, number, _page(index, passage, spans), tuple(pictures))


def _page(index: Index, passage: Passage, spans: Sequence[Span]) -> int:
    """The page of the first span; a passage may begin on the page before."""
    if not passage.page or not spans:
        return passage.page
    return index.store.page(passage.document, passage.start + spans[0].start)


def _refusal(question: str, query: Query, hits: Sequence[Hit], lacking: Iterable[str]) -> str:
    """The refusal in the language that was typed, with what stands there in place of what was asked for.

    A question in pinyin counts as Chinese.
    """
    words = language(fold(question) if question != query.text else query.folded)
    others = constraints.told(query, [hit.passage for hit in hits], lacking, words)
    return f"{REFUSAL[words]} {others}".strip() if words == "en" else REFUSAL[words] + others


def _answer_text(first: Evidence) -> str:
    """The marked sentence of the best passage, with its citation."""
    text = first.hit.passage.text
    return " ".join(text[span.start : span.end] for span in first.spans) + f" [{first.number}]"


def _named(**problems: str) -> dict[str, str]:
    return {part: why for part, why in problems.items() if why}


class _Clock:
    """Milliseconds of each stage, and in total."""

    def __init__(self) -> None:
        self._begun = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = (now - self._last) * 1000
        self.laps["total"] = (now - self._begun) * 1000
        self._last = now
