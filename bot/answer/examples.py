"""Example questions, made from the headings and sentences of the articles themselves."""

from __future__ import annotations

import re
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

from bot.index.store import Store
from bot.types import Passage, Scope

EXAMPLES = 4
_PASSAGES = 48  # passages to look at, spread evenly over the corpus
_OF_ONE_FORM = 2  # at most so many questions of the same form, as long as there are others
_SECONDS = 0.25  # for checking questions; each takes about 10 ms
# Words that refer to something outside the sentence, so that a question with them does not stand alone.
_LEANING = re.compile(r"[这那它他她我你您咱其此该吗吧呢]|上述|同时|难道|究竟|到底|如何是好|而|但|也|还|又|曾|图为|据")
_QUESTION_WORD = re.compile("为什么|为何|什么|谁|多少|哪|如何|怎么|怎样|第几")
_CHINESE = r"[\u4e00-\u9fffA-Za-z·]"
_ASKED = re.compile(r"(?:^|[\n。!?])\s*([^\n。!?,]{5,24})[?]")
_CLAUSE = re.compile(rf"(?:^|[\n。!?;,])\s*({_CHINESE}{{2}}[^\n。!?;,、:“”()%]{{2,20}})(?=[。!?;,\n]|$)")
_NUMBER = re.compile(
    r"(?:大约|约|近|超|不足|至少)?(?:\d+(?:\.\d+)?|[一二三四五六七八九十百千万]{2,})"
    r"(?=[多余]?[万亿]?[个位名人家件项条座次岁元分米公千克吨斤倍种类所款台篇亩度秒天小万亿])"
)
_DATE = re.compile(rf"^({_CHINESE}{{2,14}}?)于?(?:公元)?\d{{3,4}}年(?:\d+月)?(?:\d+日)?(\D{{2,4}})$")
_BEGUN = re.compile(rf"^({_CHINESE}{{2,12}}?)(建成|成立|始建|创办|创立|开通|诞生|出生)于(?:公元)?\d{{3,4}}年")
_PLACE = re.compile(rf"^({_CHINESE}{{2,10}}?)(位于|产于|坐落于|出生于)(?!\d|公元)")
_NO_SUBJECT = ("位列", "位居", "当前", "每天", "每年", "带动", "目前", "全程", "全年", "其中", "经过", "随后")
_CLAIM = re.compile("有|是|赢|能|要|让|靠|成为|不|需")
_EVERYTHING = Scope()
_RANK = re.compile(r"第[一二三四五六七八九十\d]+(?=[位名大])|第[一二三四五六七八九十\d]+$")


class Examples:
    """The examples of a generation, made on demand and kept until the next generation. Thread-safe."""

    def __init__(self) -> None:
        """Start without examples."""
        self._lock = threading.Lock()
        self._generation = ""
        self._drawings: dict[Scope, _Drawing] = {}

    def drawn(
        self, generation: str, store: Store, answers: Callable[[str], bool], scope: Scope = _EVERYTHING
    ) -> tuple[str, ...]:
        """At most four questions for which `answers` is true; the next call continues one that ran out of time."""
        with self._lock:
            if self._generation != generation:
                self._generation, self._drawings = generation, {}
            if scope not in self._drawings:
                self._drawings[scope] = _Drawing(_spread(store))
            return self._drawings[scope].go_on(answers, time.monotonic() + _SECONDS)


class _Drawing:
    """Candidate questions of several forms from several passages, checked one after another."""

    def __init__(self, passages: list[Passage]) -> None:
        self._waiting = _in_turn(passages)
        self._chosen: list[str] = []
        self._left: list[str] = []  # answered too, but of a form that was already chosen twice
        self._forms: Counter[str] = Counter()

    def go_on(self, answers: Callable[[str], bool], deadline: float) -> tuple[str, ...]:
        """The questions found so far; stops at the deadline (time.monotonic), with enough, or with none left."""
        while len(self._chosen) < EXAMPLES and time.monotonic() < deadline:
            form, question = next(self._waiting, ("", ""))
            if not question:
                break
            if question in self._chosen or not answers(question):
                continue
            if form != "title" and self._forms[form] < _OF_ONE_FORM:
                self._forms[form] += 1
                self._chosen.append(question)
            else:
                self._left.append(question)
        return tuple((self._chosen + self._left)[:EXAMPLES])


def _spread(store: Store) -> list[Passage]:
    """Passages that are evenly spread over the store."""
    rows = store.rows()
    return store.passages(rows[:: max(1, len(rows) // _PASSAGES)][:_PASSAGES])


def _in_turn(passages: list[Passage]) -> Iterator[tuple[str, str]]:
    """(form, question): the first of every passage, then the second of each, and so on."""
    waiting = [iter(list(questions(passage))) for passage in passages]
    while waiting:
        going = []
        for rest in waiting:
            found = next(rest, None)
            if found:
                going.append(rest)
                yield found
        waiting = going


def questions(passage: Passage) -> Iterator[tuple[str, str]]:
    """(form, question) for questions that the passage seems to answer, the best-sounding first."""
    text, title, heading = (
        unicodedata.normalize("NFKC", part) for part in (passage.text, passage.title, passage.heading)
    )
    for asked in _ASKED.findall(text):
        if _QUESTION_WORD.search(asked) and not _LEANING.search(asked):
            yield "asked", f"{asked}？"
    for clause in _CLAUSE.findall(text):
        if not _LEANING.search(clause) and _stands(clause, title + heading, text):
            yield from _of_clause(clause)
    yield from _of_heading(title, heading)


def _stands(clause: str, names: str, text: str) -> bool:
    """Whether a clause begins with its own subject, which is what the passage is about."""
    subject = clause[:2]
    about = subject in names or text.count(subject) > 1
    return about and not clause.startswith(_NO_SUBJECT)


def _of_clause(clause: str) -> Iterator[tuple[str, str]]:
    if found := _DATE.match(clause):
        yield "date", f"{found[1]}什么时候{found[2]}？"
    elif found := _BEGUN.match(clause):
        yield "date", f"{found[1]}{found[2]}于哪一年？"
    elif found := _PLACE.match(clause):
        yield "place", f"{found[1]}{found[2]}哪里？"
    elif len(_RANK.findall(clause)) == 1 and not _NUMBER.search(_RANK.sub("", clause)):
        yield "rank", f"{_RANK.sub('第几', clause)}？"
    elif len(found_numbers := list(_NUMBER.finditer(clause))) == 1 and "年" not in clause and "第" not in clause:
        number = found_numbers[0]
        after = clause[number.end() :].removeprefix("多").removeprefix("余")
        yield "number", f"{clause[: number.start()]}多少{after}？"


def _of_heading(title: str, heading: str) -> Iterator[tuple[str, str]]:
    plain = re.compile(rf"{_CHINESE}{{2,16}}")
    if _QUESTION_WORD.search(heading):
        yield "heading", heading.rstrip("?") + "？"
    elif plain.fullmatch(heading) and plain.fullmatch(title) and len(heading) <= 6 and heading not in title:
        yield "heading", f"{title}的{heading}是怎样的？"
    elif plain.fullmatch(heading) and len(heading) >= 6 and _CLAIM.search(heading):
        yield "heading", f"为什么说{heading}？"
    elif plain.fullmatch(title):
        yield "title", f"{title}有什么可说的？"
