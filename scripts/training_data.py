"""The training pairs of the data folder, read the same way by every training script.

The folder holds `pairs/*.jsonl.xz` (one `[query, passage]` a line), `news_articles.jsonl.xz` ({"id", "text"}) and
`reading/*.jsonl.xz` ({"question", "context", "answers": [{"text", "start"}, ...]}; no answer: the context has none).
One passage in five of some pairs is held out of all training: `calibrate.py` fits the refusal on them. One context in
ten of `reading/` is held out of the reader's: `evaluate.py` measures on them.
"""

from __future__ import annotations

import json
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from bot.text.fold import fold

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"
HELD_OUT_SETS = frozenset({"zh_qa_cmrc2018_train", "en-zh_tatoeba", "en-zh_python_docs"})
# 「[2023-07-28 16:40]，正文:」 and 「2023-08-16 18:24:57，正文：」 stand before the news texts.
_NEWS_HEAD = re.compile(r"^\[?\d{4}-\d\d-\d\d[^正]{0,20}正文[:：]")
_LINK_MARK = re.compile(r"\]\[\d+\]|[\[\]]|\*\*|`")


def is_held_out(passage: str) -> bool:
    """Whether the passage belongs to the fifth that no model is trained on."""
    return zlib.crc32(passage.encode()) % 5 == 0


def read_pairs(data: Path, name: str) -> list[tuple[str, str]]:
    """All pairs of one set, folded, in file order, without those held out."""
    pairs = []
    with lzma.open(data / "pairs" / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            query, passage = json.loads(line)
            if name in HELD_OUT_SETS and is_held_out(passage):
                continue
            if name == "zh_lctt_heading-section":
                passage = _LINK_MARK.sub("", passage)
            pairs.append((fold(query), fold(passage)))
    return pairs


def read_raw_pairs(data: Path, name: str) -> list[tuple[str, str]]:
    """All pairs of one set as they stand, in file order."""
    with lzma.open(data / "pairs" / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [tuple(json.loads(line)) for line in lines]


def read_held_out(data: Path, name: str) -> list[tuple[str, str]]:
    """The pairs of one set that no model was trained on, as they stand."""
    with lzma.open(data / "pairs" / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [(query, passage) for query, passage in map(json.loads, lines) if is_held_out(passage)]


def is_held_out_of_reading(context: str) -> bool:
    """Whether the context belongs to the tenth that the reader is not trained on; `reader_data.py` goes by it too."""
    return zlib.crc32(context.encode()) % 10 == 0


def read_held_out_of_reading(data: Path, name: str) -> list[tuple[str, str, list[str]]]:
    """(question, context, texts in it that answer) of one reading set, where the context is held out."""
    with lzma.open(data / "reading" / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = []
    for row in rows:
        context = row["context"].replace("|||", "\n\n\n")
        if is_held_out_of_reading(context):
            found.append((row["question"], context, [answer["text"] for answer in row["answers"]]))
    return found


def read_raw_passages(data: Path, name: str) -> list[str]:
    """The distinct passages of one set, as they stand, in file order."""
    with lzma.open(data / "pairs" / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        return list(dict.fromkeys(passage for _, passage in map(json.loads, lines)))


def read_news(data: Path, limit: int | None = None) -> Iterator[str]:
    """The news articles without their line head."""
    with lzma.open(data / "news_articles.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number == limit:
                return
            yield _NEWS_HEAD.sub("", json.loads(line)["text"])
