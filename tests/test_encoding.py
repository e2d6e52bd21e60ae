"""bot.text.encoding: the reading that looks most like writing wins."""

from __future__ import annotations

import opencc
import pytest

from bot.errors import ReadError
from bot.text.encoding import decode

SENTENCE = "人工智能格局重塑,站上风口的青岛有机会实现跃升!"
TRADITIONAL = opencc.OpenCC("s2t").convert(SENTENCE)


@pytest.mark.parametrize("text", [SENTENCE, SENTENCE[:4], SENTENCE * 40, "2016年成立的寒武纪,市值1000亿元。\n" * 3])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_simplified_text(text, encoding):
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("text", [TRADITIONAL, TRADITIONAL[:4], TRADITIONAL * 40])
@pytest.mark.parametrize("encoding", ["utf-8", "big5", "utf-16-le"])
def test_traditional_text(text, encoding):
    assert decode(text.encode(encoding)).text == text


def test_big5_would_be_misread_by_order_of_trial():
    assert TRADITIONAL.encode("big5").decode("gb18030", errors="replace") != TRADITIONAL  # the null control
    assert decode(TRADITIONAL.encode("big5")).encoding == "big5hkscs"


def test_four_byte_gb18030_and_a_single_bad_byte():
    rare = "𠮷野家在青岛开了一家新店,很多人排队。" * 3
    assert decode(rare.encode("gb18030")).text == rare
    damaged = bytearray((SENTENCE * 60).encode())
    damaged[1000] = 0xFF
    found = decode(bytes(damaged))
    assert 1 <= found.damaged <= 3
    assert found.text.startswith(SENTENCE)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "E-EMPTY"), (b"\xef\xbb\xbf", "E-EMPTY"), (b" \n\t", "E-EMPTY"), (bytes(range(256)) * 40, "E-BINARY")],
)
def test_what_is_no_text_is_refused_by_code(data, code):
    with pytest.raises(ReadError) as error:
        decode(data)
    assert error.value.code == code


@pytest.mark.parametrize("line_break", ["\r\n", "\r", "\u2028", "\u0085", "\x0c"])
def test_all_line_breaks_are_one(line_break):
    assert decode(f"第一行{line_break}第二行\x00".encode()).text == "第一行\n第二行"


def test_a_replacement_character_that_the_author_saved_is_no_damage():
    found = decode("\ufffd写在文章里的字\ufffd。\ufffd".encode())
    assert (found.encoding, found.damaged) == ("utf-8", 0)


def test_euc_tw_is_refused_rather_than_misread():
    written = (
        "e6e3eba9ddd5dde5d5f3c5f8c8dcd4d3dfe7c4e3ccf8c8a1e2e6cca7d5ebcebdd1a5f5a7dfe7c6bec5c9c7e9cbe7e5b5dfe7c8b4c4a1c8ed"
        "c4cbc8dbccefcba9c7d8c4eedeadc4d4c8e9c5b4d4cff1ecc4a9"
    )
    with pytest.raises(ReadError) as error:
        decode(bytes.fromhex(written))
    assert error.value.code == "E-ENC"
