"""Formulas of web pages as one line of text: the TeX that the page keeps beside them, else MathML written out."""

from __future__ import annotations

import re

from bot.corpus.readers.web.elements import Element

_DISPLAY_STYLE = re.compile(r"\{\\(?:displaystyle|textstyle)\s+(.*)\}", re.DOTALL)
# How the children of an element are joined; each is put in parentheses if it has more than one sign.
_JOINED = {"mfrac": "/", "msup": "^", "msub": "_", "mover": "^", "munder": "_"}


def formula(math: Element) -> str:
    """The text of a <math> element, one line."""
    for element in math.elements():
        if element.tag == "annotation" and "tex" in element.get("encoding").lower():
            return tex(element.text)
    return tex(math.get("alttext")) or " ".join(_written(math).split())


def tex(text: str) -> str:
    """TeX without the wrapper that Wikipedia puts around it."""
    bare = " ".join(text.split())
    wrapped = _DISPLAY_STYLE.fullmatch(bare)
    return wrapped[1].strip() if wrapped else bare


def _written(element: Element) -> str:
    """MathML as text. Inner elements are written first, so that no depth of nesting matters."""
    done: dict[Element, str] = {}
    for one in reversed(list(element.elements())):
        parts = [child.strip() if isinstance(child, str) else done.pop(child) for child in one.children]
        parts = [part for part in parts if part]
        if one.tag in ("annotation", "annotation-xml"):
            done[one] = ""
        elif one.tag == "msqrt":
            done[one] = f"√({''.join(parts)})"
        elif one.tag in ("msubsup", "munderover") and len(parts) == 3:
            done[one] = f"{parts[0]}_{_grouped(parts[1])}^{_grouped(parts[2])}"
        elif one.tag in _JOINED and len(parts) == 2:
            done[one] = _JOINED[one.tag].join(map(_grouped, parts))
        elif one.tag == "mtr":
            done[one] = ", ".join(parts) + "; "
        else:
            done[one] = "".join(parts)
    return done[element]


def _grouped(part: str) -> str:
    return part if len(part) == 1 or part.isalnum() else f"({part})"
