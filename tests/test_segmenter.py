"""rjieba cuts as jieba does, and the dictionary is looked up as jieba holds it."""

from __future__ import annotations

import random
import re

import pytest
from conftest import ARTICLES, ROOT

from bot.text import segmenter
from bot.text.fold import HAN, fold


def runs() -> list[str]:
    texts = [*ARTICLES.values(), (ROOT / "corpus" / "qingdao-ai.txt").read_text(encoding="utf-8")]
    return [run for text in texts for run in re.findall(f"[{HAN}]+", fold(text))]


@pytest.mark.parametrize("run", ["鿕鿖两山", "𫛸𫛞两山相对鸣", "㐀㐁中国", "人々〇年"])
def test_characters_that_jieba_does_not_know_stand_alone_as_with_jieba(run):
    assert list(segmenter.cut(run)) == list(segmenter.reference().cut(run))


def test_every_run_is_cut_as_jieba_cuts_it_in_both_modes():
    jieba, found = segmenter.reference(), runs()
    assert len(found) > 300
    for run in found:
        assert list(segmenter.cut(run)) == list(jieba.cut(run))
        assert list(segmenter.cut_for_search(run)) == list(jieba.cut_for_search(run))


def test_words_are_tagged_as_they_are_cut():
    for run in runs():
        assert [word for word, _ in segmenter.tagged(run)] == list(segmenter.cut(run))
    assert segmenter.tagged("北京的数据库") == [("北京", "ns"), ("的", "uj"), ("数据库", "n")]
    assert len(segmenter.tagged("鿖" * 5_000)) == 5_000


def test_frequencies_are_those_of_jieba():
    jieba = segmenter.reference()
    words = [
        *random.Random(1).sample(sorted(jieba.FREQ), 3000),
        "吉林",
        "高姓大名",
        "龢",
        "AT&T",
        "B超",
        "",
        "鿖",
        "不在其中的",
    ]
    assert {word: segmenter.frequency(word) for word in words} == {word: jieba.FREQ.get(word, 0) for word in words}
    assert jieba.total == segmenter.TOTAL


def test_the_cache_of_the_reference_is_in_a_folder_that_nobody_else_may_write_to(tmp_path):
    """Its cache is marshal, which runs what it is told to."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    assert segmenter._is_private(open_to_all)
    assert open_to_all.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(open_to_all)
    assert not segmenter._is_private(tmp_path / "link")
    (tmp_path / "file").write_text("x")
    assert not segmenter._is_private(tmp_path / "file" / "below")
