"""Bot.ask(question) -> Answer: the whole flow on one page."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from bot import evidence, refusal, retriever
from bot.bridge import checked_question, understand
from bot.builder import Progress, Summary, build_index
from bot.corpus import scan
from bot.curated import CuratedAnswer
from bot.embedder import load_embedder
from bot.errors import IndexDamaged, IndexMissing, IndexSuperseded, WenquError
from bot.explanation import ExplainedHit, Explanation, matches
from bot.followup import standalone
from bot.generations import current_generation, tidy
from bot.index import Index, is_stale, open_index, open_whole
from bot.ranker import Asked
from bot.settings import Settings
from bot.text import fold, language
from bot.types import Answer, Article, Embedder, Evidence, Hit, Passage, Query, Turn

if TYPE_CHECKING:
    from bot.llm import Writer

REFUSAL = {"zh": "资料中没有找到相关内容。", "en": "The articles hold nothing that answers this."}
# Questions that are looked up at a time; the others wait. Where 32 threads take Python's lock from one another, two
# processes answer 68 questions a second; of two threads each, 91 to 127 (scripts/benchmark_http.py).
_AT_WORK = 2
# A further source is shown when its fused score is at least this share of the first one's.
_WORTH_SHOWING = 0.5


class Bot:
    """A corpus that answers. Thread-safe; swaps to a new generation of the index by itself."""

    def __init__(self, settings: Settings, embedder: Embedder | None = None) -> None:
        """Load the embedder; the index is opened by the first question. Raises ModelError and SettingsError."""
        self.settings = settings
        self._writer = _writer(settings) if settings.llm_url else None
        self.embedder = embedder or load_embedder(settings.model)
        self._opening = threading.Lock()
        self._at_work = threading.Semaphore(_AT_WORK)
        self._index: Index | None = None
        self._current: str | None = None

    def refresh(self, progress: Progress = lambda done, total: None) -> Summary | None:
        """Build the index where there is none or the corpus has changed since; None when nothing was to do.

        Raises what build_index and open_index raise: an index that is damaged or was made by another model is not
        built over.
        """
        while True:
            try:
                base = self.index
                if "index" in base.degraded:
                    base = self._live()
            except IndexMissing:
                return build_index(self.settings, self.embedder, progress)
            seen = scan(self.settings.corpus)
            if not is_stale(seen, base):
                tidy(self.settings.index)
                return None
            with suppress(IndexSuperseded):
                return build_index(self.settings, self.embedder, progress, base=base, seen=seen)

    def stop(self) -> None:
        """End what a model is writing: the answers under way fall back to their passages, and so do later ones."""
        if self._writer is not None:
            self._writer.stop()

    @property
    def index(self) -> Index:
        """The live generation, opened when CURRENT names a new one; a damaged one never replaces the one in use.

        One request opens a new one, the others go on with the one they have; only the very first opening blocks. Take
        it once for all of an answer: the generation that it names stays open as long as somebody holds it.
        """
        opened = self._index
        if opened is None:
            with self._opening:
                return self._index or self._open(None)
        if self._seen() != self._current and self._opening.acquire(blocking=False):
            try:
                return self._open(opened)
            finally:
                self._opening.release()
        return opened

    @property
    def opened(self) -> bool:
        """Whether there is a generation to answer from."""
        return self._index is not None

    def _seen(self) -> str | None:
        try:
            return current_generation(self.settings.index)
        except IndexDamaged as error:
            return str(error)

    def _open(self, opened: Index | None) -> Index:
        """A new generation in place of the opened one, which stays where the new one cannot be used."""
        current = self._seen()
        try:
            if opened:
                opened = open_index(self.settings, self.embedder, opened)
            else:
                opened = open_whole(self.settings, self.embedder)
        except WenquError as error:
            if opened is None:
                raise
            opened.degraded["index"] = str(error)
        self._index, self._current = opened, current
        return opened

    def _live(self) -> Index:
        """The live generation and no other, opened anew. Raises what is wrong with it."""
        with self._opening:
            current = self._seen()
            index = open_index(self.settings, self.embedder)
            self._index, self._current = index, current
        return index

    def search(self, question: str, k: int, legs: tuple[str, ...] = retriever.LEGS) -> list[Hit]:
        """The `k` best hits for a question, whether or not they answer it. Raises QueryError."""
        index = self.index
        with self._at_work:
            query = self._understood(question, index)
            return retriever.search(index, Asked.of(query), retriever.query_vector(query, self.embedder), k, legs)

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """The answer: people's own, a model's words or the best sentence, and at most `sources` passages; or a refusal.

        `history` are the turns before, the last one last: a question that leans on them is made to stand alone.
        Raises QueryError for what is no question, IndexMissing and IndexDamaged when there is nothing to ask.
        """
        *_, answer = self.stream(question, history)
        assert isinstance(answer, Answer)
        return answer

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Generator[Answer | str, None, None]:
        """First the answer as the passages give it, then the text to show in pieces, last the whole answer.

        Raises what ask raises, before anything comes. Closing it ends a model's work.
        """
        index = self.index
        answer = self._found(index, question, history)
        yield answer
        if self._writer is None or answer.refused or answer.mode == "curated":  # people's words stay as they are
            yield from (answer.text, answer)
            return
        yield from self._writer.word(answer, lambda said: understand(said, index.store.names, index.dictionary))

    def found(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """The answer in the passages' own words, with the evidence marked, or a refusal; no model is asked."""
        return self._found(self.index, question, history)

    def _found(self, index: Index, question: str, history: Sequence[Turn]) -> Answer:
        with self._at_work:
            return self._looked_up(index, question, history)

    def _looked_up(self, index: Index, question: str, history: Sequence[Turn]) -> Answer:
        clock = _Clock()
        checked = checked_question(question, self.settings.max_question)
        understood = standalone(checked, history)
        leaned = "" if understood == checked else understood
        query = self._understood(understood, index)
        vector = retriever.query_vector(query, self.embedder)
        clock.lap("understand")
        if written := index.curated.match(query.folded, vector):
            return _curated(question, leaned, written, index, clock.laps)
        degraded = dict(index.degraded)
        asked = Asked.of(query)
        hits = retriever.search(index, asked, vector, self.settings.sources, degraded=degraded)
        clock.lap("retrieve")
        marked = evidence.mark(asked, [hit.passage for hit in hits], vector, self.embedder)
        clock.lap("evidence")
        weights, problem = refusal.load_weights(self.settings.index)
        confidence = refusal.confidence(query, hits, marked[0] if marked else None, weights)
        refused = confidence < self.settings.threshold
        found: tuple[Evidence, ...] = ()
        if not refused:
            worth = [i for i, hit in enumerate(hits) if hit.score >= _WORTH_SHOWING * hits[0].score]
            found = tuple(Evidence(hits[i], marked[i].spans, number) for number, i in enumerate(worth, start=1))
        text = _refusal(question, query) if refused else _answer_text(found[0])
        degraded |= {"refusal": problem} if problem else {}
        mode = "lexical_only" if "vectors" in degraded else "stale_generation" if "index" in degraded else "passages"
        clock.lap("refusal")
        return Answer(question, text, refused, confidence, found, mode, degraded, index.generation, clock.laps, leaned)

    def explain(self, question: str, k: int) -> Explanation:
        """The `k` best hits with the terms that each one holds, and whether the bot would answer.

        Raises what ask raises.
        """
        index = self.index  # one generation for all of it
        query = self._understood(question, index)
        vector = retriever.query_vector(query, self.embedder)
        asked = Asked.of(query)
        hits = retriever.search(index, asked, vector, k)
        first = next(iter(evidence.mark(asked, [hit.passage for hit in hits[:1]], vector, self.embedder)), None)
        weights, _ = refusal.load_weights(self.settings.index)
        confidence = refusal.confidence(query, hits, first, weights)
        explained = tuple(ExplainedHit(hit, *matches(query, hit.passage)) for hit in hits)
        threshold = self.settings.threshold
        return Explanation(
            question, query.terms, explained, confidence, threshold, confidence < threshold, index.generation
        )

    def _understood(self, question: str, index: Index) -> Query:
        checked = checked_question(question, self.settings.max_question)
        return understand(checked, index.store.names, index.dictionary)

    def source(self, passage_id: str) -> tuple[Passage, Article] | None:
        """A passage of the live generation with its whole article, or None where there is none of that id."""
        store = self.index.store
        passage = store.passage(passage_id)
        article = store.article(passage.article_id) if passage else None
        return (passage, article) if passage and article else None


def _writer(settings: Settings) -> Writer:
    from bot.llm import Writer  # imported here: its HTTP client would cost every start 0.15 s

    return Writer(settings)


def _curated(question: str, leaned: str, written: CuratedAnswer, index: Index, timings: dict[str, float]) -> Answer:
    source = {"curated_source": written.source, "curated_url": written.url, "standalone": leaned}
    degraded = dict(index.degraded)
    return Answer(question, written.answer, False, 1.0, (), "curated", degraded, index.generation, timings, **source)


def _refusal(question: str, query: Query) -> str:
    """In the language that was typed; of a question in pinyin alone, in that of its reading."""
    return REFUSAL[language(fold(question) if question != query.text else query.folded)]


def _answer_text(first: Evidence) -> str:
    """The marked sentence of the best passage, with its citation."""
    text = first.hit.passage.text
    return " ".join(text[span.start : span.end] for span in first.spans) + f" [{first.number}]"


class _Clock:
    """Milliseconds of each stage, and of the whole."""

    def __init__(self) -> None:
        self._begun = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = (now - self._last) * 1000
        self.laps["total"] = (now - self._begun) * 1000
        self._last = now
