"""Bytes to text: every plausible encoding is tried and the reading that looks most like writing wins.

The order of trial never decides: "utf-8, then gb18030, then big5" reads every Big5 file as gb18030 without an error,
and charset-normalizer alone reads short GBK texts as Korean.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache

from bot import segmenter
from bot.errors import ReadError
from bot.text import fold

# utf-16 without a byte order mark is told from the rest by the same score; big5hkscs holds Big5 and cp950's additions.
CANDIDATES = ("utf-8", "gb18030", "big5hkscs", "utf-16-le", "utf-16-be", "euc-jp")
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE_BYTES = 64 * 1024
# More than one bad byte in a thousand is not damage, it is another encoding.
MAX_BAD_SHARE = 0.001
_OF_ONE_BYTE = 4  # a bad byte within a character of three makes the rest of it unreadable too
# 64 characters of Chinese rightly read score 0.83 and more (1,500 news articles), the best reading of 128 random bytes
# 0.40 and less (500 tries).
MIN_SCORE = 0.5
# U+FFFD as its author saved it is a character like any other; only what we cannot read ourselves is damage.
_WRITTEN = "\ufffd".encode()
# A reading as UTF-8 this good needs no other one to compare with: trying all six takes half of the time of indexing.
_SURE_CHARS, _SURE_SCORE = 64, 0.8
_SCORED_CHARS = 1_000  # of them; that all the rest is UTF-8 too says enough
_LINE_BREAKS = re.compile("\r\n|[\r\u0085\u2028\u2029\x0b\x0c]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text, the encoding it was in, and how many characters could not be read (U+FFFD stands for each)."""

    text: str
    encoding: str
    damaged: int = 0


def decode(data: bytes) -> Decoded:
    """The text of a file, line breaks as LF, control characters and byte order mark removed.

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
        return best
    if b"\0" in sample:
        raise ReadError("E-BINARY", "这不是文本文件", "this is not a text file")
    import charset_normalizer  # 0.1 s, and hardly ever needed

    other = charset_normalizer.from_bytes(sample).best()  # Korean, Cyrillic, Western: not our own candidates
    if other is None:
        raise ReadError("E-ENC", "无法识别文字编码", "unknown encoding", "save the file as UTF-8")
    return other.encoding


def _is_plain_utf8(sample: bytes) -> bool:
    """Whether a sample is valid UTF-8 that reads well, and so long that no other encoding is so by chance."""
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(sample) - len(text) > 2 * _SURE_CHARS and score(text[:_SCORED_CHARS]) > _SURE_SCORE


def score(text: str) -> float:
    """How much `text` looks like writing, from -1 to 1: the mean over its characters outside ASCII.

    A common Han character counts 1, a rare one little, another script's letter a half; what no text holds counts -1.
    """
    counts = Counter(text)  # each distinct character is looked at once
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
        # Of running Chinese, 97 % is characters that jieba's dictionary counts 300 times and more.
        return 1.0 if frequency >= 300 else 0.3
    category = unicodedata.category(character)
    if character == "\ufffd" or category in ("Co", "Cn", "Cc", "Cs"):
        return -1.0
    if "\u3000" <= character <= "\u303f" or "\uff00" <= character <= "\uff60" or "\u2010" <= character <= "\u2030":
        return 1.0
    return 0.5 if category[0] == "L" and not "\u3400" <= character <= "\u9fff" else 0.0
