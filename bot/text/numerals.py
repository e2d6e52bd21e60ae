"""Numbers as they are written before items, headings and parts of documents: 一百零一, XIV."""

from __future__ import annotations

_DIGITS = "零一二三四五六七八九"
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
    (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def chinese(value: int, digits: str = _DIGITS, units: tuple[str, str, str] = ("十", "百", "千")) -> str:
    """A number below 1,000,000,000,000 in Chinese: 一百零一. With the common digits 10 to 19 begin with 十."""
    if value >= 10**12:
        return str(value)
    if value >= 10**8:
        high, low = divmod(value, 10**8)
        rest = "" if not low else (digits[0] if low < 10**7 else "") + chinese(low, digits, units)
        return f"{chinese(high, digits, units)}亿{rest}"
    if value >= 10**4:
        high, low = divmod(value, 10**4)
        rest = "" if not low else (digits[0] if low < 1000 else "") + _below_10000(low, digits, units)
        return f"{_below_10000(high, digits, units)}万{rest}"
    text = _below_10000(value, digits, units) or digits[0]
    return text[1:] if digits == _DIGITS and 10 <= value < 20 else text


def _below_10000(value: int, digits: str, units: tuple[str, str, str]) -> str:
    pieces = []
    for place, unit in ((1000, units[2]), (100, units[1]), (10, units[0]), (1, "")):
        digit = value // place % 10
        if digit:
            pieces.append(f"{digits[digit]}{unit}")
        elif pieces and pieces[-1] != digits[0] and value % place:
            pieces.append(digits[0])
    return "".join(pieces)


def roman(value: int) -> str:
    """A number below 4,000 in Roman numerals; "" for others."""
    if value >= 4000:
        return ""
    text = ""
    for size, letters in _ROMAN:
        count, value = divmod(value, size)
        text += letters * count
    return text
