"""A line of writing that was recognised."""

from __future__ import annotations

from dataclasses import dataclass
from unicodedata import east_asian_width


@dataclass(frozen=True, slots=True)
class OcrLine:
    """A line of writing: its text, the sides of its box in pixels from the top left corner, and a score from 0 to 1.

    Those of a page of a PDF are in points.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    score: float

    @property
    def height(self) -> float:
        """Of the box."""
        return self.bottom - self.top

    @property
    def size(self) -> float:
        """Of its letters, from how wide they run: the box of a short text is up to 1.4 times too high."""
        wide = sum(1 if east_asian_width(letter) in "WF" else 0.5 for letter in self.text)
        return min(self.height, (self.right - self.left) / wide)
