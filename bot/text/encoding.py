"""Bytes to text: every plausible encoding is tried, and the result that looks most like real writing wins.

The order of trial must not decide: "utf-8, then gb18030, then big5" reads every Big5 file as gb18030 without an error,
and charset-normalizer alone reads short GBK texts as Korean.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache

from bot.errors import ReadError
from bot.text import segmenter
from bot.text.fold import HAN_WORD, fold

# The score also detects utf-16 without a byte order mark; big5hkscs includes Big5 and the additions of cp950.
CANDIDATES = ("utf-8", "gb18030", "big5hkscs", "utf-16-le", "utf-16-be", "euc-jp")
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE_BYTES = 64 * 1024
# More than one bad byte in a thousand means the wrong encoding, not damage.
MAX_BAD_SHARE = 0.001
_OF_ONE_BYTE = 4  # one bad byte can make the rest of its character unreadable too
# Correctly decoded Chinese scores at least 0.83, random bytes far less in any encoding.
MIN_SCORE = 0.5
# A U+FFFD that is already in the file is a character like any other; only bytes that we cannot decode are damage.
_WRITTEN = "\ufffd".encode()
# UTF-8 that scores this well is not compared with other encodings: trying all six takes half of the indexing time.
_SURE_CHARS, _SURE_SCORE = 64, 0.8
_CHINESE = ("gb18030", "big5hkscs")
_FEWEST_PAIRS, _LEAST_WORDS = 20, 0.05
_SCORED_CHARS = 1_000  # the rest only has to be valid UTF-8
_LINE_BREAKS = re.compile("\r\n|[\r\u0085\u2028\u2029\x0b\x0c]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text, its encoding, and how many characters could not be decoded (each is replaced by U+FFFD)."""

    text: str
    encoding: str
    damaged: int = 0


def decode(data: bytes) -> Decoded:
    """The text of a file with LF line breaks, without control characters and byte order mark.

    Raises ReadError E-EMPTY, E-BINARY or E-ENC.
    """
    if not data.strip():
        raise ReadError("E-EMPTY", "文件是空的", "the file is empty")
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), None) or _best_encoding(data)
    text = data.decode(encoding, errors="replace").removeprefix("\ufeff")
    damaged = text.count("\ufffd") - (data.count(_WRITTEN) if encoding == "utf-8" else 0)
    if damaged > max(_OF_ONE_BYTE, MAX_BAD_SHARE * len(data)):
        raise ReadError("E-ENC", f"{damaged} 个字符无法识别", f"{damaged} characters cannot be read as {encoding}")
    text = _CONTROLS.sub("", _LINE_BREAKS.sub("\n", text))
    if not text.strip():
        raise ReadError("E-EMPTY", "文件里没有文字", "the file holds no text")
    return Decoded(text, encoding, damaged)


def _best_encoding(data: bytes) -> str:
    sample = data[:SAMPLE_BYTES]
    if sample.isascii() and b"\0" not in sample:
        return "ascii" if data.isascii() else "utf-8"
    if _is_plain_utf8(sample):
        return "utf-8"
    scores = {name: score(sample.decode(name, errors="replace")) for name in CANDIDATES}
    scores["utf-8"] = score(sample.replace(_WRITTEN, b"").decode("utf-8", errors="replace"))
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= MIN_SCORE:
        if best in _CHINESE and scores[best] < _SURE_SCORE and not _has_words(sample.decode(best, errors="replace")):
            raise ReadError(
                "E-ENC", "无法识别文字编码，像是 EUC-TW", "unknown encoding, EUC-TW perhaps", "iconv -f EUC-TW -t UTF-8"
            )
        return best
    if b"\0" in sample:
        raise ReadError("E-BINARY", "这不是文本文件", "this is not a text file")
    import charset_normalizer  # imported here: it takes 0.1 s and is rarely needed

    other = charset_normalizer.from_bytes(sample).best()  # Korean, Cyrillic, Western: not among our candidates
    if other is None:
        raise ReadError("E-ENC", "无法识别文字编码", "unknown encoding", "save the file as UTF-8")
    return other.encoding


def _is_plain_utf8(sample: bytes) -> bool:
    """Whether a sample is valid UTF-8, reads well, and is too long for that to be chance."""
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(sample) - len(text) > 2 * _SURE_CHARS and score(text[:_SCORED_CHARS]) > _SURE_SCORE


def _has_words(text: str) -> bool:
    """Whether pairs of characters in it are words; a text too short to tell counts as one.

    EUC-TW is valid GB18030 whose characters score 0.71, but of its pairs 0.4 % are words. Classical Chinese has 19 %.
    """
    runs = [run for run in HAN_WORD.findall(fold(text[:_SCORED_CHARS])) if len(run) > 1]
    pairs = [run[start : start + 2] for run in runs for start in range(len(run) - 1)]
    return len(pairs) < _FEWEST_PAIRS or sum(map(bool, map(segmenter.frequency, pairs))) > _LEAST_WORDS * len(pairs)


def score(text: str) -> float:
    """How much `text` looks like real writing, from -1 to 1: the mean over its characters outside ASCII.

    A common Han character counts 1, a rare one 0.3, a letter of another script 0.5, and a character that no text
    contains -1.
    """
    counts = Counter(text)  # so that each distinct character is judged once
    others = {character: count for character, count in counts.items() if not character.isascii()}
    controls = sum(count for character, count in counts.items() if character < " " and character not in "\t\r\n")
    if not others:
        return 0.0 if controls else 1.0
    value = sum(_value(character) * count for character, count in others.items())
    return (value - controls) / (sum(others.values()) + controls)


@cache
def _value(character: str) -> float:
    frequency = segmenter.frequency(fold(character))
    if frequency:
        # 97% of running Chinese text is characters with a frequency of at least 300 in jieba's dictionary.
        return 1.0 if frequency >= 300 else 0.3
    category = unicodedata.category(character)
    if character == "\ufffd" or category in ("Co", "Cn", "Cc", "Cs"):
        return -1.0
    if "\u3000" <= character <= "\u303f" or "\uff00" <= character <= "\uff60" or "\u2010" <= character <= "\u2030":
        return 1.0
    return 0.5 if category[0] == "L" and not "\u3400" <= character <= "\u9fff" else 0.0
