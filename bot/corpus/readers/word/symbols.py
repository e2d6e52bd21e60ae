"""Letters that Word takes from fonts of pictures, as the Unicode characters that look like them."""

from __future__ import annotations

_WINGDINGS = {
    0x4A: "☺", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x70: "□", 0x71: "□", 0x72: "□", 0x75: "◆", 0x76: "◆", 0x77: "◆",
    0xA1: "○", 0xA7: "▪", 0xA8: "□", 0xAB: "★", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE8: "➔",
    0xF0: "⇨", 0xFB: "☒", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
    **{0x80 + digit: chr(0x2460 + digit - 1) if digit else "⓪" for digit in range(11)},
    **{0x8B + digit: chr(0x2776 + digit - 1) if digit else "⓿" for digit in range(11)},
}  # fmt: skip
_WINGDINGS_2 = {0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA2: "■", 0xA3: "□"}
# The upper half of Adobe's Symbol encoding, and its Greek letters.
_SYMBOL = {
    **{0x41 + place: letter for place, letter in enumerate("ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ")},
    **{0x61 + place: letter for place, letter in enumerate("αβχδεφγηιϕκλμνοπθρστυϖωξψζ")},
    **{0xA2: "′", 0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→", 0xAF: "↓", 0xB0: "°", 0xB1: "±"},
    **{0xB2: "″", 0xB3: "≥", 0xB4: "×", 0xB5: "∝", 0xB6: "∂", 0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBA: "≡", 0xBB: "≈"},
    **{0xBC: "…", 0xC5: "⊕", 0xC6: "∅", 0xC7: "∩", 0xC8: "∪", 0xCC: "⊂", 0xCE: "∈", 0xCF: "∉", 0xD0: "∠", 0xD1: "∇"},
    **{0xD5: "∏", 0xD6: "√", 0xD7: "·", 0xDE: "⇒", 0xE5: "∑", 0xF2: "∫", 0xA9: "♥", 0xA8: "♦", 0x22: "∀", 0x24: "∃"},
    **{0x2D: "−", 0x5E: "⊥", 0x7E: "∼"},
}


def symbol(font: str, code: int) -> str:
    """The character with this code in a font of symbols; "" if it is not known, the character itself in another font.

    Word writes codes of symbols as 0xF000 + code.
    """
    name = font.casefold()
    low = code & 0xFF if 0xF000 <= code <= 0xF0FF else code
    if name in ("wingdings 2", "wingdings 3"):
        return _WINGDINGS_2.get(low, "")
    if name == "wingdings":
        return _WINGDINGS.get(low, "")
    if name == "symbol":
        return _SYMBOL.get(low, chr(low) if 0x20 <= low < 0x7F else "")
    if 0xE000 <= code <= 0xF8FF:  # without the font's name it is mostly a box to tick
        return _WINGDINGS.get(low, "")
    return chr(code) if 0x20 <= code < 0xD800 or 0xDFFF < code <= 0x10FFFF else ""
