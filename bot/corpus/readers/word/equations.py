"""Formulas of Office files (OMML) as one line of text in reading order: R=(m₁/m₀)×100%."""

from __future__ import annotations

import re
from typing import Any

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_PLAIN = re.compile(r"[+\-−]?\d+")
_OPEN_SCRIPT = re.compile(r"[\^_]\w+$")
_ONE = re.compile(r"[^\W_]+(?:[.,]\d+)?[′″%‰°]?|[^\W_][₀-₉⁰-⁹]*")
_GROUPED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\|[^|]*\|")


def linear(element: Any) -> str:
    """The text of a formula or of a part of one.

    Fractions become a/b or (a+b)/c, powers and indices x² x^(n+1) x₁ x_i, roots √(x), sums ∑_(i=1)^(n) x, matrices
    [a, b; c, d].
    """
    text = ""
    for child in element:
        part = _text(child)
        # x^k a is not x^ka
        text += f" {part}" if _OPEN_SCRIPT.search(text) and part[:1].isalnum() else part
    return text


def field_formula(code: str) -> str:
    """What a field EQ shows, the form of formulas before OMML: a circled number, a fraction, a root; else ""."""
    if not code.lstrip().upper().startswith("EQ "):
        return ""
    if circled := re.search(r"\\o(?:\\[a-z]+)*\s*\(\s*[○◯〇□]\s*[,，;]\s*([^()]+?)\s*\)", code):
        number = int(circled[1]) if re.fullmatch(r"\d{1,2}", circled[1]) else 0
        return chr(0x2460 + number - 1) if 1 <= number <= 20 else f"({circled[1]})"
    if fraction := re.search(r"\\f\s*\(([^(),]*)[,;]([^(),]*)\)", code, re.IGNORECASE):
        return f"{_grouped(fraction[1].strip())}/{_grouped(fraction[2].strip())}"
    if root := re.search(r"\\r\s*\((?:[^(),]*[,;])?([^(),]*)\)", code, re.IGNORECASE):
        return f"√{_grouped(root[1].strip())}"
    return ""


def raised(text: str) -> str:
    """A number as superscript."""
    return text.translate(_RAISED)


def lowered(text: str) -> str:
    """A number as subscript."""
    return text.translate(_LOWERED)


def is_script(text: str) -> bool:
    """Whether a text can be written in small digits."""
    return bool(_PLAIN.fullmatch(text))


def _text(element: Any) -> str:
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    if tag in (_M + "t", _W + "t"):
        return element.text or ""
    if tag == _W + "tab":
        return " "
    if not tag.startswith((_M, _W)) or tag in (_W + "del", _W + "moveFrom", _W + "rPr"):
        return ""
    name = tag.rpartition("}")[2]
    if name.endswith("Pr"):
        return ""
    write = _WRITERS.get(name)
    return write(element) if write and tag.startswith(_M) else linear(element)


def _part(element: Any, name: str) -> str:
    child = element.find(_M + name)
    return linear(child) if child is not None else ""


def _property(element: Any, name: str, default: str) -> str:
    """A property of an element: the default if it is not set, as the format has it."""
    for child in element:
        if isinstance(child.tag, str) and child.tag.endswith("Pr"):
            found = child.find(_M + name)
            if found is not None:
                value: str = found.get(_M + "val", "")
                return value
    return default


def _grouped(text: str) -> str:
    """The text in parentheses, unless it is one thing."""
    return text if _ONE.fullmatch(text) or _GROUPED.fullmatch(text) else f"({text})"


def _power(text: str) -> str:
    if not text:
        return ""
    return raised(text) if is_script(text) else f"^{_grouped(text)}"


def _index(text: str) -> str:
    if not text:
        return ""
    return lowered(text) if is_script(text) else f"_{_grouped(text)}"


def _fraction(element: Any) -> str:
    above, below = _part(element, "num"), _part(element, "den")
    if _property(element, "type", "bar") == "noBar":
        return f"{above}; {below}"
    return f"{_grouped(above)}/{_grouped(below)}"


def _scripts(element: Any) -> str:
    base = _part(element, "e")
    whole = base if len(base) < 2 or _ONE.fullmatch(base) or _GROUPED.fullmatch(base) else f"({base})"
    return f"{whole}{_index(_part(element, 'sub'))}{_power(_part(element, 'sup'))}"


def _before(element: Any) -> str:
    return f"{_index(_part(element, 'sub'))}{_power(_part(element, 'sup'))}{_part(element, 'e')}"


def _root(element: Any) -> str:
    degree = _part(element, "deg")
    sign = {"": "√", "2": "√", "3": "∛", "4": "∜"}.get(degree.strip()) or f"{_power(degree)}√"
    return f"{sign}{_grouped(_part(element, 'e'))}"


def _sum(element: Any) -> str:
    sign = _property(element, "chr", "∫")
    return f"{sign}{_index(_part(element, 'sub'))}{_power(_part(element, 'sup'))} {_part(element, 'e')}"


def _fenced(element: Any) -> str:
    left, right = _property(element, "begChr", "("), _property(element, "endChr", ")")
    between = _property(element, "sepChr", "|")
    return left + between.join(linear(one) for one in element.iterchildren(_M + "e")) + right


def _matrix(element: Any) -> str:
    rows = [", ".join(linear(one) for one in row.iterchildren(_M + "e")) for row in element.iterchildren(_M + "mr")]
    return f"[{'; '.join(rows)}]"


def _lines(element: Any) -> str:
    return "; ".join(linear(one) for one in element.iterchildren(_M + "e"))


def _function(element: Any) -> str:
    name, value = _part(element, "fName"), _part(element, "e")
    return f"{name}{value}" if value.startswith(("(", "[")) else f"{name} {value}"


def _below(element: Any) -> str:
    return f"{_part(element, 'e')}{_index(_part(element, 'lim'))}"


def _above(element: Any) -> str:
    return f"{_part(element, 'e')}{_power(_part(element, 'lim'))}"


def _accent(element: Any) -> str:
    return f"{_part(element, 'e')}{_property(element, 'chr', chr(0x302))}"


_WRITERS = {
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": _before,
    "rad": _root,
    "nary": _sum,
    "d": _fenced,
    "m": _matrix,
    "eqArr": _lines,
    "func": _function,
    "limLow": _below,
    "limUpp": _above,
    "acc": _accent,
}
