"""The figures that were promised, on the evaluation sets where they are at hand."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT, SHARED

from bot.evaluation import evaluate, failures, read_questions
from bot.pipeline import Bot
from bot.settings import load_settings

SETS = SHARED / "eval"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SETS.is_dir(), reason="the evaluation sets are not beside this checkout"),
]


def test_the_shipped_article(tmp_path, embedder):
    folder = SETS / "qingdao"
    bot = Bot(load_settings(corpus=folder / "corpus", index=tmp_path / "index"), embedder)
    bot.refresh()
    result = evaluate(bot, read_questions(folder))
    gate = "zh.hit@1=0.90,zh.hit@3=1,en.hit@3=0.8,evidence@1=0.75,false_answer=0.17,false_refusal=0.042"
    assert failures(result, gate) == []


def test_the_hybrid_is_not_below_its_lexical_leg(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "evaluate.py"), "legs"]
    done = subprocess.run(
        [*command, "--sets", "cmrc_dev", "--limit", "600", "--eval", str(SETS), "--work", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| cmrc_dev | zh | 600 |" in done.stdout
