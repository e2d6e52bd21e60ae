"""scripts/evaluate.py over a miniature set and miniature training data: its tables of reading."""

from __future__ import annotations

import json
import lzma
import sys
import zlib
from argparse import Namespace
from itertools import count
from pathlib import Path

import pytest
from conftest import ROOT, write_articles

sys.path.append(str(ROOT / "scripts"))
import evaluate
from training_data import is_held_out_of_reading, read_held_out_of_reading

BRIDGE = "赵州桥由隋代工匠李春设计,建成于公元605年。|||桥长64.40米。"
TEA = "龙井茶产于浙江杭州西湖一带,清明前采摘的称为明前茶。"


def context(text: str, *, held_out: bool) -> str:
    """The text with a number behind it that puts it into the held-out tenth, or does not."""
    numbered = (f"{text}编号{number}。" for number in count())
    return next(one for one in numbered if (zlib.crc32(one.replace("|||", "\n" * 3).encode()) % 10 == 0) is held_out)


def write_reading(data: Path, name: str, asked: list[tuple[str, str, str]]) -> None:
    (data / "reading").mkdir(parents=True, exist_ok=True)
    with lzma.open(data / "reading" / f"{name}.jsonl.xz", "wt", encoding="utf-8") as lines:
        for question, text, answer in asked:
            answers = [{"text": answer, "start": text.index(answer)}] if answer else []
            lines.write(json.dumps({"question": question, "context": text, "answers": answers}) + "\n")


@pytest.fixture
def options(tmp_path: Path, embedder) -> Namespace:
    """The command line of the script over folders of this test."""
    folders = {name: tmp_path / name for name in ("eval", "data", "work")}
    return Namespace(**folders, sets=["small"], size=300, limit=None, embedder=embedder)


def rows(printed: str) -> list[dict[str, str]]:
    """The rows of a printed table, by the names of its columns."""
    head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_reading_has_a_row_for_each_set_and_language(options, capsys):
    write_articles(options.eval / "small" / "corpus")
    asked = [
        ("赵州桥由谁设计?", "zh", ["李春"]),
        ("红烧肉怎么做", "zh", []),
        ("who designed Zhaozhou bridge", "en", ["李春"]),
    ]
    lines = [
        json.dumps({"id": text, "question": text, "lang": lang, "kind": "fact", "evidence_any": evidence})
        for text, lang, evidence in asked
    ]
    (options.eval / "small" / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert evaluate.reading(options) == 0
    zh, en = rows(capsys.readouterr().out)
    assert (zh["set"], zh["lang"], zh["n"], en["lang"], en["n"]) == ("small", "zh", "2", "en", "1")
    assert (zh["mrr@10"], zh["evidence@1"], zh["false_refusal"]) == ("1.0000", "1.0000", "0.0000")
    assert (zh["auroc"], zh["false_answer"], en["auroc"]) == ("1.0000", "0.0000", "—")
    assert zh["short_shown"] == "1.0000"
    assert 0 < float(zh["short_f1"]) <= 1


def test_near_asks_the_held_out_questions_of_the_held_out_contexts(options, capsys):
    bridge, tea, other = (
        context(BRIDGE, held_out=True),
        context(TEA, held_out=True),
        context(TEA.replace("龙井", "毛峰"), held_out=False),
    )
    near = [("龙井茶产于哪里?", tea, "浙江杭州西湖"), ("龙井茶多少钱一斤?", tea, ""), ("毛峰茶产于哪里?", other, "")]
    write_reading(options.data, "checklist_train", near)
    write_reading(options.data, "cjrc", [("赵州桥由谁设计?", bridge, "李春"), ("赵州桥在哪条河上?", bridge, "")])
    assert evaluate.near(options) == 0
    (row,) = rows(capsys.readouterr().out)
    folder = options.work / "near_passage"
    texts = [file.read_text(encoding="utf-8") for file in sorted((folder / "corpus").iterdir())]
    assert texts == [tea, bridge.replace("|||", "\n\n\n")]
    asked = evaluate.read_questions(folder)
    assert [(question.articles, bool(question.evidence)) for question in asked] == [
        (("000000",), True),
        (("000000",), False),
        (("000001",), True),
        (("000001",), False),
    ]
    assert (row["set"], row["n"], row["mrr@10"], row["false_refusal"]) == ("near_passage", "4", "1.0000", "0.0000")
    assert row["auroc"] != "—"
    assert row["false_answer"] != "—"


def test_near_leaves_nothing_of_an_earlier_run(options):
    for text in (TEA, BRIDGE):
        for name in evaluate.NEAR_SETS:
            write_reading(options.data, name, [("龙井茶产于哪里?", context(text, held_out=True), "")])
        evaluate.near(options)
    (file,) = (options.work / "near_passage" / "corpus").iterdir()
    assert "赵州桥" in file.read_text(encoding="utf-8")


def test_a_context_is_held_out_as_it_is_written_to_a_document(tmp_path):
    held, trained = (context(BRIDGE, held_out=kind) for kind in (True, False))
    write_reading(tmp_path, "cjrc", [("谁设计?", held, "李春"), ("谁设计?", trained, "李春")])
    written = held.replace("|||", "\n\n\n")
    assert read_held_out_of_reading(tmp_path, "cjrc") == [("谁设计?", written, ["李春"])]
    assert is_held_out_of_reading(written)
    assert not is_held_out_of_reading(trained.replace("|||", "\n\n\n"))
