"""bot.answer.query: English words and pinyin to Chinese terms."""

from __future__ import annotations

from bot.answer.query import understand
from bot.text.bridge import english_words
from bot.text.fold import fold
from bot.text.pinyin import _QUESTION_WORDS, pinyin_of, spelled_question
from bot.text.terms import QUESTION_WORDS

NAMES = pinyin_of(["合肥", "西安", "刘庆峰", "我们", "龙", "青岛", "成功", "总价"])


def alternatives(question: str) -> dict[str, dict[str, float]]:
    return {term.source: dict(term.alternatives) for term in understand(question, NAMES).terms}


def test_pinyin_is_of_whole_words_without_tones():
    assert NAMES["hefei"] == ["合肥"]
    assert NAMES["liuqingfeng"] == ["刘庆峰"]
    assert "long" not in NAMES  # a single character is no name


def test_a_chinese_question_stands_for_itself():
    query = understand("合肥为什么能成功?", NAMES)
    assert [term.source for term in query.terms] == ["合肥", "成功"]
    assert query.translated == query.folded


def test_english_words_are_translated_and_names_found_by_pinyin():
    found = alternatives("why did Hefei succeed")
    assert list(found) == ["hefei", "succeed"]
    assert found["hefei"]["合肥"] == 1.0
    assert found["succeed"]["成功"] == 1.0


def test_inflections_phrases_and_spaced_pinyin():
    assert "成功" in alternatives("they succeeded")["succeeded"]
    assert alternatives("artificial intelligence")["artificial intelligence"]["人工智能"] == 1.0
    assert alternatives("who is Liu Qingfeng")["liu qingfeng"]["刘庆峰"] == 1.0
    assert alternatives("metro in Xi'an")["xi'an"]["西安"] == 1.0


def test_a_word_that_happens_to_be_pinyin_is_rather_english():
    found = alternatives("some women")["women"]
    assert found["我们"] < max(weight for term, weight in found.items() if term not in ("women", "我们"))


def test_a_name_inside_a_chinese_question_and_an_unknown_word():
    assert alternatives("hefei的企业")["hefei"].items() >= {"hefei": 1.0, "合肥": 1.0}.items()
    assert alternatives("what is zzyzx")["zzyzx"] == {"zzyzx": 1.0}


def test_weights_are_shares_and_words_are_read_without_possessive():
    for term in understand("Which universities in Xi'an opened AI majors?", NAMES).terms:
        assert all(0 < weight <= 1 for weight in term.alternatives.values())
    assert english_words(fold("Beijing's 26% share")) == ["beijing", "26", "share"]


def test_a_surname_may_come_last_and_an_apostrophe_may_be_missing():
    assert alternatives("who is Qingfeng Liu")["qingfeng liu"]["刘庆峰"] == 1.0
    assert alternatives("Xian metro")["xian"]["西安"] > 0


def test_a_chinese_question_typed_in_pinyin_is_a_chinese_question():
    for typed in ("hefei weishenme chenggong", "he fei wei shen me cheng gong?", "Hefeiweishenmechenggong"):
        query = understand(typed, NAMES)
        assert query.folded == "合肥为什么成功"
        assert [term.source for term in query.terms] == ["合肥", "成功"]


def test_english_is_not_taken_for_pinyin():
    assert understand("why did Hefei succeed", NAMES).folded == "why did hefei succeed"
    assert understand("women", NAMES).folded == "women"
    assert spelled_question("hefei metro", NAMES) == ""


def test_the_written_pinyin_of_question_words_is_theirs():
    from pypinyin import pinyin
    from pypinyin.constants import Style

    assert set(_QUESTION_WORDS.values()) <= QUESTION_WORDS
    for letters, word in _QUESTION_WORDS.items():
        readings = [""]
        for options in pinyin(word, style=Style.NORMAL, heteronym=True):
            readings = [reading + option for reading in readings for option in options]
        assert letters in readings, (letters, word, readings)
