"""How much two texts have in common, as the evaluation of CMRC 2018 compares answers (Cui et al. 2019).

A unit is a Han character, a Latin word or a number. The official script, `cmrc2018_evaluate.py` of ymcui/cmrc2018,
drops the punctuation of a list; here all is dropped but the signs that say what a number counts (73%).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from bot.text.fold import HAN

_UNIT = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:(?<=\d)\.\d+)*|[%‰°$€£¥]")


def exact_match(answer: str, references: Iterable[str]) -> bool:
    """Whether the answer is one of the references, punctuation and spaces aside. All are folded."""
    return "".join(_units(answer)) in {"".join(_units(reference)) for reference in references}


def longest_run_f1(answer: str, references: Iterable[str]) -> float:
    """F1 of the longest run of units that the answer shares with a reference, the best of them. All are folded."""
    return max(_f1(_units(answer), _units(reference)) for reference in references)


def _units(folded: str) -> list[str]:
    return _UNIT.findall(folded)


def _f1(answer: list[str], reference: list[str]) -> float:
    """2pr / (p + r); with p and r the run's share of either length, that is twice the run over both lengths."""
    run = SequenceMatcher(None, answer, reference, autojunk=False).find_longest_match().size
    return 2 * run / (len(answer) + len(reference)) if run else 0.0
