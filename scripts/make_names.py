"""Make bot/model/names/names.tsv: python scripts/make_names.py [--data DIR], with `pip install babel` for it.

A line has a name as English has it and its Chinese names. The names are those of territories, languages and currencies
of Unicode's CLDR, of the entries of CC-CEDICT that are names, and of `companies.tsv`, which was written here.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from babel import Locale
from training_data import DEFAULT_DATA, read_raw_pairs

from bot.text.fold import HAN, fold

FOLDER = Path(__file__).parents[1] / "bot" / "model" / "names"
MOST = 3  # Chinese names a name
_HAN_NAME = re.compile(rf"[{HAN}·]{{2,14}}")
# A name: capitalised words, between them at most of, the, and.
_NAME = re.compile(r"(?:[A-Z][\w'’.&-]*)(?: (?:of|the|and|de|for|on|in|[A-Z][\w'’.&-]*|\d+))*")
_NO_NAMES = re.compile(r"^(?:CL|Also|Abbr|See|Variant|Old|Same|Erhua|Japanese|Chinese|Buddhist|Taiwan pr)\b")


def of_cldr() -> Iterator[tuple[str, str]]:
    """(English, Chinese) for territories, languages and currencies."""
    english, chinese = Locale("en"), Locale("zh")
    for kind in ("territories", "languages", "currencies"):
        there = getattr(chinese, kind)
        for code, name in getattr(english, kind).items():
            if code in there:
                yield name, there[code]


def of_cedict(data: Path) -> Iterator[tuple[str, str]]:
    """(English, Chinese) for the entries of CC-CEDICT that are names."""
    for gloss, chinese in read_raw_pairs(data, "en-zh_cedict_gloss"):
        first = re.split(r"[;,(]", gloss)[0]
        for name in re.split(r" or | aka ", first):
            if _NAME.fullmatch(name.strip()) and not _NO_NAMES.match(name.strip()):
                yield name.strip(), chinese


def of_companies() -> Iterator[tuple[str, str]]:
    """(English, Chinese) for companies."""
    for line in (FOLDER / "companies.tsv").read_text(encoding="utf-8").splitlines():
        name, *others = line.split("\t")
        for other in others:
            yield name, other


def main() -> None:
    """Write the table, sorted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    options = parser.parse_args()
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for source in (of_companies(), of_cldr(), of_cedict(options.data)):
        for english, chinese in source:
            key, name = " ".join(fold(english).split()), fold(chinese)
            if len(key) > 1 and len(key.split()) <= 6 and (_HAN_NAME.fullmatch(name) or key == name):
                found[key].setdefault(name)
    lines = ["\t".join([key, *list(names)[:MOST]]) for key, names in sorted(found.items())]
    (FOLDER / "names.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines):,} names, {(FOLDER / 'names.tsv').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
