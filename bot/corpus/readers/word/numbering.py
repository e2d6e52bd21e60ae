"""Word's automatic numbers: which number or bullet stands in front of a paragraph (第二条, 1.2, （三）, •).

The rules are those of ECMA-376, part 1, section 17.9.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bot.text.numerals import chinese, roman

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LEVELS = 9
BULLET = "•"

_LEGAL_SIMPLIFIED, _LEGAL_TRADITIONAL = "零壹贰叁肆伍陆柒捌玖", "零壹貳參肆伍陸柒捌玖"
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True, slots=True)
class _Level:
    """How a level of a list is numbered; `restart` is None for after any higher level, 0 for never."""

    start: int = 0
    format: str = "decimal"
    text: str = ""
    restart: int | None = None
    is_legal: bool = False
    style: str = ""


@dataclass(slots=True)
class _List:
    """A list definition with its counters; None: no paragraph of the level was counted since it was reset."""

    levels: dict[int, _Level]
    counters: list[int | None] = field(default_factory=lambda: [None] * _LEVELS)


@dataclass(frozen=True, slots=True)
class _Instance:
    """A use of a list definition: its own levels, and the values at which it starts counting anew."""

    definition: _List
    levels: dict[int, _Level]
    starts: dict[int, int]


class Numbering:
    """The lists of a document. Paragraphs have to be asked about in reading order, because asking counts."""

    def __init__(self, root: Any, style_lists: dict[str, str] | None = None) -> None:
        """`root` is that of the part numbering.xml, or None; `style_lists` has the list id of each list style."""
        self._instances: dict[str, _Instance] = {}
        self._started: set[tuple[str, int]] = set()
        if root is None:
            return
        definitions = {one.get(_W + "abstractNumId"): one for one in root.iterchildren(_W + "abstractNum")}
        numbers = {one.get(_W + "numId"): one for one in root.iterchildren(_W + "num")}
        lists: dict[str, _List] = {}
        for number_id, number in numbers.items():
            abstract = _linked(number, numbers, definitions, style_lists or {})
            if abstract is None:
                continue
            key = abstract.get(_W + "abstractNumId")
            if key not in lists:
                lists[key] = _List({_depth(one): _level(one) for one in abstract.iterchildren(_W + "lvl")})
            levels, starts = {}, {}
            for override in number.iterchildren(_W + "lvlOverride"):
                depth = _depth(override)
                if (start := _value(override, "startOverride")) is not None:
                    starts[depth] = _integer(start, 1)
                if (level := override.find(_W + "lvl")) is not None:
                    levels[depth] = _level(level)
            self._instances[number_id] = _Instance(lists[key], levels, starts)

    def level_of(self, number_id: str, style: str) -> int | None:
        """The level of a list that belongs to a paragraph style; None if none does."""
        instance = self._instances.get(number_id)
        for depth, level in {**instance.definition.levels, **instance.levels}.items() if instance and style else ():
            if level.style == style:
                return depth
        return None

    def next(self, number_id: str, depth: int) -> str:
        """The number of the next paragraph of a list at a level from 0; "" if it has none."""
        instance = self._instances.get(number_id)
        if instance is None or not 0 <= depth < _LEVELS:
            return ""
        levels = {**instance.definition.levels, **instance.levels}
        level = levels.get(depth, _Level())
        counters = instance.definition.counters
        if depth in instance.starts and (number_id, depth) not in self._started:
            counters[depth] = instance.starts[depth]
        else:
            before = counters[depth]
            counters[depth] = level.start if before is None else before + 1
        self._started.add((number_id, depth))
        for deeper in range(depth + 1, _LEVELS):
            restart = levels[deeper].restart if deeper in levels else None
            if restart is None or depth < restart:
                counters[deeper] = None
        if level.format == "bullet":
            return BULLET if level.text else ""

        def shown(match: re.Match[str]) -> str:
            place = int(match[1]) - 1
            one = levels.get(place, _Level())
            value = counters[place]
            # A level above that no paragraph had yet shows its first number, as in 1.1 without a 1.
            return spelled(one.start if value is None else value, "decimal" if level.is_legal else one.format)

        return re.sub(r"%([1-9])", shown, level.text).strip()


def spelled(value: int, style: str) -> str:
    """A number as a format of Word (ST_NumberFormat) writes it; in digits if it cannot be written so."""
    if style == "none":
        return ""
    write = _FORMATS.get(style)
    return (write(value) if write and value > 0 else "") or str(value)


def _letters(value: int) -> str:
    """A to Z, then AA, BB, CC, as Word counts."""
    repeats, place = divmod(value - 1, 26)
    return chr(ord("A") + place) * (repeats + 1) if repeats < 10 else ""


def _one_of(letters: str, value: int) -> str:
    return letters[value - 1] if value <= len(letters) else ""


def _circled(value: int) -> str:
    for first, start, count in ((1, 0x2460, 20), (21, 0x3251, 15), (36, 0x32B1, 15)):
        if first <= value < first + count:
            return chr(start + value - first)
    return f"({value})"


def _digit_by_digit(value: int) -> str:
    return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(value))


def _full_width(value: int) -> str:
    return "".join(chr(0xFF10 + int(digit)) for digit in str(value))


def _legal(value: int) -> str:
    return chinese(value, _LEGAL_SIMPLIFIED, ("拾", "佰", "仟"))


def _legal_traditional(value: int) -> str:
    return chinese(value, _LEGAL_TRADITIONAL, ("拾", "佰", "仟")).replace("万", "萬")


_FORMATS: dict[str, Callable[[int], str]] = {
    "decimalZero": lambda value: f"{value:02}",
    "upperRoman": roman,
    "lowerRoman": lambda value: roman(value).lower(),
    "upperLetter": _letters,
    "lowerLetter": lambda value: _letters(value).lower(),
    "ordinal": lambda value: f"{value}{'th' if value % 100 in (11, 12, 13) else _ORDINALS.get(value % 10, 'th')}",
    # Word writes 百一 for 101 in the Japanese format; documents in Chinese that use it are read as 一百零一.
    **dict.fromkeys(
        ("chineseCounting", "chineseCountingThousand", "japaneseCounting", "taiwaneseCounting",
         "taiwaneseCountingThousand", "koreanCounting"), chinese,
    ),
    **dict.fromkeys(("ideographDigital", "japaneseDigitalTenThousand", "taiwaneseDigital"), _digit_by_digit),
    "chineseLegalSimplified": _legal,
    "ideographLegalTraditional": _legal_traditional,
    "japaneseLegal": _legal_traditional,
    "ideographTraditional": lambda value: _one_of(_STEMS, value),
    "ideographZodiac": lambda value: _one_of(_BRANCHES, value),
    "ideographZodiacTraditional": lambda value: _STEMS[(value - 1) % 10] + _BRANCHES[(value - 1) % 12],
    "ideographEnclosedCircle": lambda value: chr(0x3280 + value - 1) if value <= 10 else f"({value})",
    "decimalEnclosedCircle": _circled,
    "decimalEnclosedCircleChinese": _circled,
    "decimalEnclosedParen": lambda value: chr(0x2474 + value - 1) if value <= 20 else f"({value})",
    "decimalEnclosedFullstop": lambda value: chr(0x2488 + value - 1) if value <= 20 else f"{value}.",
    "decimalFullWidth": _full_width,
    "decimalFullWidth2": _full_width,
    "numberInDash": lambda value: f"- {value} -",
}  # fmt: skip


def _linked(number: Any, numbers: dict[str, Any], definitions: dict[str, Any], style_lists: dict[str, str]) -> Any:
    """The definition of a list that has levels: behind a list style it is another list's."""
    for _ in range(4):  # list styles can name each other in a circle
        abstract = definitions.get(_value(number, "abstractNumId") or "") if number is not None else None
        if abstract is None:
            return None
        style = _value(abstract, "numStyleLink")
        if style is None or abstract.find(_W + "lvl") is not None:
            return abstract
        number = numbers.get(style_lists.get(style, ""))
    return None


def _level(element: Any) -> _Level:
    # A format that newer versions know stands beside the one for older versions, which comes last.
    formats = [one.get(_W + "val", "decimal") for one in element.iter(_W + "numFmt")]
    restart = _value(element, "lvlRestart")
    legal = element.find(_W + "isLgl")
    return _Level(
        _integer(_value(element, "start"), 0),
        formats[-1] if formats else "decimal",
        _value(element, "lvlText") or "",
        _integer(restart, 0) if restart is not None else None,
        legal is not None and legal.get(_W + "val", "true") not in ("0", "false", "off"),
        _value(element, "pStyle") or "",
    )


def _depth(element: Any) -> int:
    return _integer(element.get(_W + "ilvl"), 0)


def _value(element: Any, name: str) -> str | None:
    found = element.find(_W + name)
    return found.get(_W + "val") if found is not None else None


def _integer(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"\d{1,9}", text) else default
