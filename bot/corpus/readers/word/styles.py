"""What the styles of a Word document say about its paragraphs: heading, title, list, size, bold, centred, hidden."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

Role = Literal["", "title", "contents", "caption", "code"]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"(?:heading|标题|標題)\s*([1-9])(?:\s*_\d+)*", re.IGNORECASE)
_ROLES: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"(?:title|标题|標題|文档标题|文件标题|大标题)(?:_\d+)*", re.IGNORECASE), "title"),
    (
        re.compile(
            r"(?:toc|目录|目錄)\s*(?:\d|heading|标题)?\s*\d*(?:_\d+)*|table of figures|图表目录|圖表目錄", re.IGNORECASE
        ),
        "contents",
    ),
    (re.compile(r"caption|题注|題注|图题|表题|图名|表名|图注|表注|图标题|表标题", re.IGNORECASE), "caption"),
    (
        re.compile(
            r"html preformatted|html 预设格式|html code|(?:source |program )?code(?: ?block)?"
            r"|源代码|代码\S{0,2}|程序代码|macro",
            re.IGNORECASE,
        ),
        "code",
    ),
)
_NO = ("0", "false", "off", "none")
_DEFAULT_SIZE = 10.0  # points, where a document says nothing


@dataclass(frozen=True, slots=True)
class Style:
    """A style with all that it inherits; None is what it says nothing about.

    `level` is that of a heading, from 1; `list_id` and `depth` are those of its automatic numbers; `size` is in points.
    """

    role: Role = ""
    level: int | None = None
    list_id: str | None = None
    depth: int | None = None
    size: float | None = None
    bold: bool | None = None
    centred: bool | None = None
    hidden: bool | None = None


class Styles:
    """The styles of a document by their ids."""

    def __init__(self, root: Any) -> None:
        """`root` is that of the part styles.xml, or None."""
        self._elements: dict[str, Any] = {}
        self._found: dict[str, Style] = {}
        self._default = ""
        self.size = _DEFAULT_SIZE
        self.lists: dict[str, str] = {}  # of list styles
        if root is None:
            return
        for element in root.iterchildren(_W + "style"):
            identity = element.get(_W + "styleId", "")
            self._elements[identity] = element
            if element.get(_W + "type") == "paragraph" and element.get(_W + "default") in ("1", "true", "on"):
                self._default = identity
            if element.get(_W + "type") == "numbering":
                self.lists[identity] = value_of(element.find(f"{_W}pPr/{_W}numPr"), "numId") or ""
        defaults = look(root.find(f"{_W}docDefaults/{_W}rPrDefault/{_W}rPr"))
        self.size = defaults.size or _DEFAULT_SIZE

    def style(self, identity: str | None) -> Style:
        """A style; that of paragraphs without one if there is no such style."""
        if identity not in self._elements:
            identity = self._default
        if identity not in self._found:
            self._found[identity] = self._resolved(identity)
        return self._found[identity]

    def run(self, identity: str | None) -> Style:
        """A style of letters; an empty one if there is no such style."""
        return self.style(identity) if identity in self._elements else Style()

    def _resolved(self, identity: str) -> Style:
        """What the style says, or else the style that it is based on."""
        style = Style()
        seen: set[str] = set()
        while identity in self._elements and identity not in seen:  # styles can be based on each other in a circle
            seen.add(identity)
            element = self._elements[identity]
            style = _inherit(style, _own(element))
            identity = value_of(element, "basedOn") or ""
        return style


def _inherit(style: Style, base: Style) -> Style:
    """The style with what only its base says. A heading is no title, even if it is based on one."""
    changes: dict[str, Any] = {
        name: getattr(base, name)
        for name in ("list_id", "depth", "size", "bold", "centred", "hidden")
        if getattr(style, name) is None
    }
    if not style.role and style.level is None:
        changes.update(role=base.role, level=base.level)
    return replace(style, **changes)


def _own(element: Any) -> Style:
    """What an element of the part styles.xml says itself."""
    name = (value_of(element, "name") or "").strip()
    heading = _HEADING.fullmatch(name)
    role: Role = next((role for pattern, role in _ROLES if pattern.fullmatch(name)), "")
    properties = element.find(_W + "pPr")
    number = properties.find(_W + "numPr") if properties is not None else None
    letters = look(element.find(_W + "rPr"))
    return replace(
        letters,
        role=role,
        level=int(heading[1]) if heading else (outline(properties) if not role else None),
        list_id=value_of(number, "numId"),
        depth=integer(value_of(number, "ilvl")),
        centred=centred(properties),
    )


def look(properties: Any) -> Style:
    """What properties of letters (rPr) say: size, bold, hidden."""
    if properties is None:
        return Style()
    size = value_of(properties, "sz") or value_of(properties, "szCs") or ""
    return Style(
        size=int(size) / 2 if re.fullmatch(r"\d{1,4}", size) else None,
        bold=switch(properties, "b"),
        hidden=switch(properties, "vanish"),
    )


def outline(properties: Any) -> int | None:
    """The heading level in properties of a paragraph, from 1; the file counts from 0, and 9 means text (here 0)."""
    value = integer(value_of(properties, "outlineLvl"))
    return None if value is None else (value + 1 if value < 9 else 0)


def centred(properties: Any) -> bool | None:
    """Whether properties of a paragraph centre it; None if they do not say."""
    value = value_of(properties, "jc")
    return None if value is None else value == "center"


def switch(properties: Any, name: str) -> bool | None:
    """A property that is on or off; None if it is not there."""
    found = properties.find(_W + name)
    return None if found is None else found.get(_W + "val", "true") not in _NO


def value_of(element: Any, name: str) -> str | None:
    """The value of a child; None if the element or the child or its value is not there."""
    found = element.find(_W + name) if element is not None else None
    return found.get(_W + "val") if found is not None else None


def integer(text: str | None) -> int | None:
    """The number that a text is; None if it is none."""
    return int(text) if text and re.fullmatch(r"\d{1,9}", text) else None
