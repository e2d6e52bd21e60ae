"""bot.suite and `wenqu eval` over one: each evaluation folder has an index of its own that is gone afterwards."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import write_articles
from test_cli import assert_one_clear_line, wenqu

from bot.errors import CorpusError
from bot.evaluation import by_language
from bot.settings import load_settings
from bot.suite import ask_each, cases


def write_case(folder: Path, articles: dict[str, str], evidence: dict[str, list[str]], *dialogues: dict) -> Path:
    """An evaluation folder: question -> the texts that prove its answer, and dialogues."""
    write_articles(folder / "corpus", articles)
    rows = [{"question": text, "lang": "zh", "kind": "fact", "evidence_any": any_} for text, any_ in evidence.items()]
    for name, lines in (("questions.jsonl", rows), ("dialogues.jsonl", dialogues)):
        if lines:
            (folder / name).write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder


LIBRARY = {"阅览.txt": "图书馆一楼阅览室早上七时开放，周一闭馆。\n"}
BRIDGE = {"桥.txt": "赵州桥由隋代工匠李春设计，建成于公元605年。\n"}


@pytest.fixture
def small(tmp_path) -> Path:
    """A suite of three cases, and beside them what is none."""
    suite = tmp_path / "suite"
    write_case(suite / "b-bridge", BRIDGE, {"赵州桥由谁设计?": ["李春"], "图书馆哪天闭馆?": []})
    write_case(suite / "a-library", LIBRARY, {"图书馆哪天闭馆?": ["周一"], "赵州桥由谁设计?": ["李春"]})
    write_case(suite / "c-talk", BRIDGE, {}, {"turns": ["赵州桥由谁设计?", "它建成于哪一年?"], "right": "605"})
    (suite / "notes").mkdir()
    (suite / "README.md").write_text("about")
    return suite


def test_each_case_is_asked_over_its_own_documents_and_the_figures_are_added_up(small, tmp_path):
    folders = cases(small)
    assert [folder.name for folder in folders] == ["a-library", "b-bridge", "c-talk"]
    asked = list(ask_each(folders, load_settings(index=tmp_path / "index")))
    assert [(case.name, [o.right for o in case.outcomes]) for case in asked] == [
        ("a-library", [True, False]),  # 李春 is in the documents of another case
        ("b-bridge", [True, True]),
        ("c-talk", [True]),
    ]
    found = by_language([outcome for case in asked for outcome in case.outcomes])
    assert (found["all"]["n"], found["zh"]["right"], found["zh"]["false_answer"]) == (5, 0.8, 0)
    assert not (tmp_path / "index").exists()


def test_an_evaluation_folder_is_no_suite(small):
    assert cases(small / "a-library") == cases(small / "c-talk") == cases(small / "notes") == []
    assert cases(small / "nowhere") == []
    (small / "questions.jsonl").write_text("")
    assert cases(small) == []


def test_documents_without_questions_are_named_before_anything_is_asked(small):
    (small / "b-bridge" / "questions.jsonl").rename(small / "b-bridge" / "question.jsonl")
    with pytest.raises(CorpusError, match=r"b-bridge/questions\.jsonl"):
        next(ask_each(cases(small), load_settings()))


@pytest.mark.slow
def test_eval_of_a_suite_prints_a_line_a_case_then_the_totals(small, tmp_path):
    with (small / "c-talk" / "dialogues.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n{}\n" + json.dumps({"turns": ["赵州桥由谁设计?", "红烧肉怎么做?"], "right": "小火慢炖"}))
    (small / "a-library" / "corpus" / "empty.pdf").write_bytes(b"%PDF-")
    done = wenqu(tmp_path, "eval", str(small), "--wrong", "--fail-under", "right=0.6,zh.hit@1=0.5")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if re.search(r"\d/\d$", line)] == [
        "a-library 1/2",
        "b-bridge 2/2",
        "c-talk 1/2",
        "合计 / total 4/6",
    ]
    assert lines[5:9] == [
        "c-talk 1/2",
        "  ✗ 赵州桥由谁设计? → 红烧肉怎么做?",
        "    期望 / wanted: 小火慢炖",
        lines[8],
    ]
    assert lines[8].startswith("    得到 / said: 资料中没有找到相关内容。 (0.")
    assert re.search("right +│ +0.6667", done.stdout)
    assert "c-talk/dialogues.jsonl:2 " in done.stderr
    assert "empty.pdf" in done.stderr
    assert not (tmp_path / "index").exists()


@pytest.mark.slow
def test_eval_of_a_suite_as_json_has_the_figures_of_each_case(small, tmp_path):
    done = wenqu(tmp_path, "eval", str(small), "--json", "--wrong", "--fail-under", "right=0.9")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert list(found) == ["all", "zh", "cases", "wrong"]
    assert (found["all"]["n"], found["all"]["right"]) == (5, 0.8)
    assert [(name, one["n"], one["right"]) for name, one in found["cases"].items()] == [
        ("a-library", 2, 0.5),
        ("b-bridge", 2, 1),
        ("c-talk", 1, 1),
    ]
    (missed,) = found["wrong"]
    assert (missed["case"], missed["question"], missed["wanted"]) == ("a-library", "赵州桥由谁设计?", ["李春"])
    alone = json.loads(wenqu(tmp_path, "eval", str(small / "a-library"), "--json").stdout)
    assert (list(alone), alone["zh"]["right"]) == (["all", "zh"], 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--corpus", "--index"])
def test_a_suite_takes_no_other_documents_and_no_index(small, tmp_path, option):
    assert_one_clear_line(wenqu(tmp_path, "eval", str(small), option, str(tmp_path)), option, "a-library")
