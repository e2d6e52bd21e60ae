"""Names in both languages: BOE is 京东方. The table is made by `scripts/make_names.py`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parents[1] / "model" / "names" / "names.tsv"
MOST_WORDS = 6


def chinese_names(folded: str) -> tuple[str, ...]:
    """The Chinese names for an English one, the commonest first; () if the table lacks it."""
    return _table().get(folded, ())


@cache
def _table() -> Mapping[str, tuple[str, ...]]:
    # Read at the first Latin word of a question: 12 ms.
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return {name: tuple(others) for name, *others in (line.split("\t") for line in lines)}
