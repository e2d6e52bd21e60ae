"""What the doctor says about one thing that it checked."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, OFF, ODD, BAD = "good", "off", "odd", "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the doctor checked: GOOD, OFF (not set up), ODD (works, but looks suspicious) or BAD."""

    state: str
    text: str
