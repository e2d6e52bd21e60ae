"""Whatever is asked, in every way in: an answer with passages that exist, or one clear line; never a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ARTICLES, write_articles
from everywhere import HTTP_WAYS, SECRETS, WAYS, Everywhere, Said, everywhere, letters, tracebacks

from bot.pipeline import Bot
from bot.settings import load_settings

pytestmark = pytest.mark.slow

FILE = Path(__file__).parents[1] / "data" / "bad_inputs.jsonl"
RARE = (
    "罕见的字\n\n𠮷野家的招牌写的是上土下口的那个字。\n\n𫟼元素是第一百一十号元素的名字。\n\n"
    "𬺈字收在扩展区里,见于古籍的影印本。\n"
)
MAX_BYTES, MAX_SECONDS = 64 * 1024, 2.0
ONE_LINE = re.compile(r"[^\n]{4,80} / [^\n]{4,120}")  # 中文 / English → cure
ASKED_AGAIN = {"json": 422, "sse": 422, "openai": 400, "openai stream": 400}


def spelled(text: str | list) -> str:
    """A text of the file: as it stands, or its [piece, times] joined."""
    return text if isinstance(text, str) else "".join(piece * times for piece, times in text)


ROWS = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
QUESTIONS = [row | {"question": spelled(row["question"])} for row in ROWS if "question" in row]
BODIES = [row for row in ROWS if "question" not in row]


@pytest.fixture(scope="module")
def rare_bot(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("rare")
    corpus = write_articles(folder / "corpus", {**ARTICLES, "rare.txt": RARE})
    bot = Bot(load_settings(corpus=corpus, index=folder / "index", **SECRETS), embedder)
    bot.refresh()
    return bot


@pytest.fixture
def ways(rare_bot):
    with everywhere(rare_bot) as ways:
        yield ways


def wrong(ways: Everywhere, row: dict, said: dict[str, Said]) -> list[str]:
    """What is not as the row wants it."""
    plain = said["json"]
    found = [line for way, one in said.items() for line in unlike(way, row, one, plain)] + dangling(ways, plain)
    if row["want"] == "answer":
        article = plain.data["evidence"][0]["passage"]["article"] if plain.data.get("evidence") else None
        if article != row["article"]:
            found.append(f"answered from {article}")
    return found


def unlike(way: str, row: dict, one: Said, plain: Said) -> Iterator[str]:
    """How what one way says differs from what is wanted, and from what JSON says."""
    again = row["want"] == "again"
    if one.status != (ASKED_AGAIN.get(way, 200) if again else 200):
        yield f"{way}: status {one.status}"
        return
    if way == "terminal" and row["question"].strip()[:1] in ("", "/"):
        return  # an empty line is no question there, and / begins a command
    if one.size > MAX_BYTES or one.seconds > MAX_SECONDS:
        yield f"{way}: {one.size} bytes, {one.seconds:.1f} s"
    if again and (not ONE_LINE.fullmatch(one.text) or one.sources):
        yield f"{way}: {one.text[:60]!r}"
    if not again and letters(plain.text) not in letters(one.text):
        yield f"{way}: {one.text[:60]!r} is not {plain.text[:60]!r}"
    # A message of WeChat holds what fits, the rest is behind 「继续」.
    shown = plain.sources[: len(one.sources)] if way.startswith("wechat") else plain.sources
    if one.sources != shown or bool(one.sources) != bool(plain.sources):
        yield f"{way}: {one.sources} instead of {plain.sources}"


def dangling(ways: Everywhere, said: Said) -> list[str]:
    """Citations of an answer in JSON whose passage, place or text does not exist."""
    found, evidence = [], said.data.get("evidence", [])
    known = {one["number"] for one in evidence}
    if any(int(n) not in known for n in re.findall(r"\[(\d+)\]", said.text)) and not said.data.get("refused"):
        found.append(f"cites {said.text}")
    for one in evidence:
        source = ways.bot.source(one["passage"]["id"])
        if source is None or source[0].text != one["passage"]["text"]:
            found.append(f"no passage {one['passage']['id']}")
            continue
        passage, article = source
        if article.text[passage.start : passage.end] != passage.text:
            found.append(f"{passage.id} is not in its article")
        found += [
            f"{passage.id}: a span is not its text"
            for span in one["spans"]
            if passage.text[span["start"] : span["end"]] != span["text"] or not span["text"]
        ]
    return found


def test_every_question_gets_its_answer_or_one_line_in_every_way_in(ways, caplog, promise, full):
    problems, answers, slowest, largest, asked = {}, {}, 0.0, 0, 0
    for number, row in enumerate(QUESTIONS):
        # Quick: JSON, and two others in turn, so that each kind of question goes everywhere.
        others = WAYS[1:] if full else (WAYS[1 + 2 * number % 7], WAYS[1 + (2 * number + 1) % 7])
        said = {way: ways.ask(way, row["question"]) for way in ("json", *others)}
        asked += len(said)
        answers[row["id"]] = (said["json"].text, said["json"].sources)
        bad = wrong(ways, row, said)
        if row.get("same") and answers[row["same"]] != answers[row["id"]]:
            bad.append(f"{answers[row['id']]} instead of {answers[row['same']]}")
        if bad:
            problems[row["id"], row["question"][:40]] = bad
        slowest = max(slowest, *(one.seconds for one in said.values()))
        largest = max(largest, *(one.size for one in said.values()))
    cited = sum(len(sources) for _, sources in answers.values())
    counted = {"questions": len(QUESTIONS), "asked": asked, "wrong": len(problems), "bugs": len(tracebacks(caplog))}
    promise("P28", "a bad question gets an answer or one line", **counted, cpu_s=round(slowest, 2), bytes=largest)
    promise("P18", "citations of those answers exist", answers=len(answers), citations=cited, wrong=len(problems))
    assert problems == {}
    assert tracebacks(caplog) == []


def test_a_body_that_is_no_request_is_refused_in_every_way_in(ways, caplog, promise):
    answered, sent = {}, 0
    for row in BODIES:
        for way in HTTP_WAYS:
            if "value" in row:
                said = [ways.send(way, spelled(row["value"]))]
            else:
                body = spelled(row["body"]).encode("latin-1")
                said = [ways.post(way, body, kind) for kind in ("application/json", "application/octet-stream", "")]
            sent += len(said)
            # A platform that has signed what is no message of its own is told 200, and nothing is done.
            wanted = range(400, 500) if row["want"] == "error" and way in ASKED_AGAIN else range(200, 500)
            for one in said:
                if one.status not in wanted or one.size > (1024 if one.status >= 400 else MAX_BYTES):
                    answered[row["id"], way] = (one.status, one.size)
    bugs = tracebacks(caplog)
    promise(
        "P28", "a body that is no request is refused", rows=len(BODIES), sent=sent, wrong=len(answered), bugs=len(bugs)
    )
    assert answered == {}
    assert bugs == []


class Breaks:
    """A bot with a bug: one question raises."""

    def __init__(self, bot):
        self._bot = bot

    def __getattr__(self, name):
        return getattr(self._bot, name)

    def ask(self, question, history=()):
        if "李春" in question:
            raise RuntimeError("a bug")
        return self._bot.ask(question, history)

    def stream(self, question, history=()):
        yield self.ask(question, history)


@pytest.mark.parametrize("way", WAYS)
def test_a_bug_behind_any_way_in_would_be_seen(rare_bot, caplog, way):
    row = {"question": "李春设计了什么桥?", "want": "some"}
    with everywhere(rare_bot) as sound:
        plain = sound.ask("json", row["question"])
        assert wrong(sound, row, {"json": plain, way: sound.ask(way, row["question"])}) == []
        assert tracebacks(caplog) == []
        another = dict(plain.data["evidence"][0], passage=plain.data["evidence"][0]["passage"] | {"text": "别的"})
        invented = Said(200, "[9]", 9, {"evidence": [another]})
        assert len(dangling(sound, invented)) == 2
    with everywhere(rare_bot, Breaks(rare_bot)) as broken:
        if way == "terminal":
            with pytest.raises(RuntimeError):
                broken.ask(way, row["question"])
            return
        assert wrong(broken, row, {"json": plain, way: broken.ask(way, row["question"])}) != []
    assert tracebacks(caplog) != []
