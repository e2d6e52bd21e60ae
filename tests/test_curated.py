"""bot.corpus.curated: answers that people wrote, given word for word to the question that is meant."""

from __future__ import annotations

import io

import pytest
from conftest import write_articles
from rich.console import Console

from bot.channels.message import MARKDOWN, PLAIN, render
from bot.cli.render import render_answer
from bot.corpus import curated
from bot.corpus.curated import CuratedAnswer, question_key, read_answers
from bot.corpus.scan import scan
from bot.index.build import build_index
from bot.index.opened import is_stale
from bot.pipeline import Bot
from bot.settings import load_settings

WHY = "因为*创投思维*。\n详见 [1]。"
ANSWERS = f"""\
# 人工整理的回答
- questions:
    - 合肥为什么能成功?
    - Why did Hefei succeed?
  answer: |
    {WHY.replace(chr(10), chr(10) + "    ")}
  source: 市志办
  url: https://example.com/a_b
- questions: 2020年合肥的GDP是多少
  answer: 1.00万亿元
  source: tea.txt
- questions: [C++课程怎么报名, 报名费是多少吗]
  answer: 2026-11-25
  source: 教务处
"""


def read(tmp_path, content: str | bytes):
    file = tmp_path / "answers.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_answers(file)


def bot_of(folder, embedder, answers: str = ANSWERS, dictionary: str = "") -> Bot:
    corpus = write_articles(folder / "corpus")
    write_articles(corpus, {"answers.yaml": answers, **({"dictionary.txt": dictionary} if dictionary else {})})
    bot = Bot(load_settings(corpus=corpus, index=folder / "index"), embedder)
    bot.refresh()
    return bot


@pytest.fixture(scope="module")
def curated_bot(tmp_path_factory, embedder):
    return bot_of(tmp_path_factory.mktemp("curated"), embedder, dictionary="霸都 = 合肥\n")


@pytest.mark.parametrize(
    "question",
    [
        "合肥为什么能成功?",
        "請問,合肥為什麼能成功呢",
        "合肥为什么成功",  # not the same, but says the same
        "霸都为什么能成功",  # by the dictionary
        "why did HEFEI succeed",
    ],
)
def test_the_question_in_other_words_is_answered_word_for_word(curated_bot, question):
    answer = curated_bot.ask(question)
    assert answer.text == WHY
    assert (answer.mode, answer.confidence, answer.refused, answer.evidence) == ("curated", 1.0, False, ())
    assert (answer.query, answer.generation) == (question, "gen-000001")
    shown = answer.to_dict()
    assert (shown["curated_source"], shown["curated_url"]) == ("市志办", "https://example.com/a_b")


@pytest.mark.parametrize(
    "question",
    [
        "青岛为什么能成功?",  # another thing
        "合肥为什么不成功?",  # the opposite
        "合肥什么时候成功?",  # another kind of answer
        "合肥的半导体为什么能成功?",  # a narrower question
        "合肥",
        "为什么?",
        "2021年合肥的GDP是多少",
        "合肥的GDP是多少",
        "C课程怎么报名",
        "Why did Qingdao succeed?",
        "赵州桥由谁设计?",
    ],
)
def test_a_near_miss_is_not(curated_bot, question):
    answer = curated_bot.ask(question)
    assert answer.mode == "passages"
    assert answer.curated_source == ""


def test_what_is_measured_is_part_of_the_question(tmp_path, embedder):
    bot = bot_of(tmp_path, embedder, "- questions: 赵州桥有多长\n  answer: 64.40米\n  source: 县志\n")
    assert bot.ask("请问赵州桥多长?").mode == "curated"
    assert bot.ask("赵州桥有多重").mode == "passages"


def test_scalars_are_what_was_written_and_the_last_particle_counts_for_nothing(curated_bot):
    assert curated_bot.ask("报名费是多少").text == "2026-11-25"
    assert question_key("C++ 怎么学?") != question_key("C 怎么学?")
    assert question_key("涨了3.5%吗?") != question_key("涨了35%吗?")
    assert question_key("你知道吗") == "吗"  # never empty: it would be everybody's


def test_every_surface_says_that_people_wrote_it(curated_bot):
    answer = curated_bot.ask("合肥为什么成功")
    plain, markdown = render(answer, PLAIN), render(answer, MARKDOWN)
    assert plain == f"{WHY}\n\n人工整理 · 来源：市志办 https://example.com/a_b"
    assert markdown.endswith("人工整理 · 来源：[市志办](https://example.com/a_b)")
    assert "\\*创投思维\\*" in markdown  # the text stays text
    assert "Curated · source: " in render(curated_bot.ask("why did Hefei succeed?"), PLAIN)
    console = Console(file=io.StringIO(), soft_wrap=True)
    render_answer(console, answer)
    assert console.file.getvalue() == f"{WHY}\n人工整理 · 来源：市志办 https://example.com/a_b\n"


def test_a_changed_file_makes_the_index_stale_and_a_running_bot_takes_it(tmp_path, embedder):
    bot = bot_of(tmp_path, embedder)
    assert bot.live.get().manifest["articles"] == 3
    assert bot.live.get().store.skipped() == []
    assert {"answers.json", "answers.npy"} <= set(bot.live.get().manifest["files"])
    assert not is_stale(scan(bot.settings.corpus), bot.live.get())
    file = bot.settings.corpus / "answers.yaml"
    file.write_text("- questions: 青岛为什么能成功\n  answer: 新\n  source: 新\n- bad\n", encoding="utf-8")
    assert is_stale(scan(bot.settings.corpus), bot.live.get())
    assert bot.ask("合肥为什么能成功").text == WHY  # until the next run
    summary = build_index(bot.settings, embedder)
    assert [path for path, _ in summary.warnings] == ["answers.yaml:4"]
    assert bot.ask("青岛为什么成功").text == "新"
    assert bot.ask("合肥为什么能成功").mode == "passages"
    report = bot.live.get().report()
    assert report["curated"] == {"answers": 1, "questions": 1, "entries": ["青岛为什么能成功 (新)"]}
    assert list(report["curated_problems"]) == ["answers.yaml:4"]
    file.unlink()
    assert is_stale(scan(bot.settings.corpus), bot.live.get())
    build_index(bot.settings, embedder)
    assert bot.ask("青岛为什么成功").mode == "passages"
    assert "answers.json" not in bot.live.get().manifest["files"]


@pytest.mark.parametrize(
    ("item", "line", "reason"),
    [
        ("- questions: [a, b\n  answer: x\n  source: y", 5, "not YAML"),
        ("- questions: q\n  answer: a: b: c\n  source: y", 5, "not YAML"),
        ("- questions: q\n  answer: x\ufffe\n  source: y", 5, "not YAML"),
        ("- questions: q\n  source: y", 4, "missing: answer"),
        ("- questions: []\n  answer: x\n  source: y", 4, "missing: questions"),
        ("- questions: ？\n  answer: x\n  source: y", 4, "empty"),
        ("- questions: q\n  answer:\n  source: y", 5, "expected text"),
        ("- questions: q\n  answer: {a: b}\n  source: y", 5, "expected text"),
        ("- questions: q\n  answer: x\n  sauce: y", 6, "no such field: sauce"),
        ("- questions: q\n  answer: x\n  answer: z\n  source: y", 6, "twice: answer"),
        ("- questions: q\n  answer: x\n  source: y\n  url: javascript:alert(1)", 7, "address"),
        (f"- questions: {'长' * 201}\n  answer: x\n  source: y", 4, "longer than 200"),
        (f"- questions: q\n  answer: {'长' * 4001}\n  source: y", 5, "longer than 4000"),
        ("- 合肥", 4, "write questions"),
        ("- questions: 第一？\n  answer: x\n  source: y", 4, "already asked on line 1"),
        ("- &a {questions: q, answer: x, source: y}\n- *a", 5, "aliases"),
        ("- questions: q\n  answer: !!python/object/apply:os.system ['true']\n  source: y", 5, "tags"),
        ("- questions: q\n  answer: !secret x\n  source: y", 5, "tags"),
        ("- questions: q\n  answer: !!binary eA==\n  source: y", 5, "tags"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_line_and_the_rest_counts(tmp_path, item, line, reason):
    before = "- questions: 第一\n  answer: 1\n  source: s\n"
    after = "\n- questions: 第三\n  answer: 3\n  source: s\n"
    curated = read(tmp_path, before + item + after)
    good = {entry.questions[0] for entry in curated.entries}
    assert {"第一", "第三"} <= good
    assert [problem.place for problem in curated.problems] == [f"answers.yaml:{line}"]
    assert reason in curated.problems[0].reason


def test_a_few_lines_never_stand_for_gigabytes(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    curated = read(tmp_path, "- " + "\n  ".join(lines) + "\n- questions: 第三\n  answer: 3\n  source: s\n")
    assert [entry.answer for entry in curated.entries] == ["3"]
    assert "aliases" in curated.problems[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("questions: q\nanswer: a\nsource: s\n", "expected a list"),
        ("[" * 5000, "nested too deeply"),
        (b"\x00\x01\x02" * 3000, "E-"),
        ("- questions: q\n" * 100_000, "over 1024 KB"),
    ],
)
def test_a_file_that_is_no_list_is_a_problem_and_no_crash(tmp_path, content, reason):
    curated = read(tmp_path, content)
    assert curated.entries == []
    assert reason in curated.problems[0].reason


def test_a_file_may_be_empty_in_any_encoding_or_gone(tmp_path):
    assert read(tmp_path, "").problems == read(tmp_path, "# 还没有\n").problems == []
    wanted = [CuratedAnswer(("你好吗",), "我们很好,谢谢你的关心", "问候语大全")]
    text = "- questions: 你好吗\r\n  answer: 我们很好,谢谢你的关心\r\n  source: 问候语大全\r\n"
    for encoding in ("utf-8-sig", "gb18030", "utf-16"):
        assert read(tmp_path, text.encode(encoding)).entries == wanted
    assert curated.read_answers(tmp_path / "none.yaml").problems[0].place == "answers.yaml"


def test_one_word_in_the_place_of_another_is_another_question_however_long_it_is(tmp_path, embedder):
    answers = "- questions: 江西理工大学经济管理学院一共有多少名在校学生\n  answer: 三千\n  source: 校办\n"
    bot = bot_of(tmp_path, embedder, answers)
    assert bot.ask("江西理工大学经济管理学院有多少名在校学生?").mode == "curated"
    assert bot.ask("江苏理工大学经济管理学院一共有多少名在校学生").mode == "passages"


def test_another_name_in_the_dictionary_does_not_hide_an_answer(tmp_path, embedder):
    """What the dictionary adds to a search was compared with curated questions too, which lack it."""
    bot = bot_of(tmp_path, embedder, dictionary="霸都、Badu = 合肥\n")
    assert bot.ask("合肥为什么成功").mode == "curated"
    assert bot.ask("霸都为什么能成功").mode == "curated"
