"""An answer as a message: the short answer, the sentence that it is from, each source with its evidence marked.

Plain text with 【】 for WeChat, Markdown for the others. Text of articles is data: it never becomes markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from bot.answer.excerpt import curated_label, pieces, source_name
from bot.text.fold import fold, language
from bot.text.printable import one_line, printable
from bot.text.sentences import sentences
from bot.types import Answer, Evidence, Hit, Passage

SOURCES = {"zh": "来源", "en": "Sources"}
NEAREST = {"zh": "最接近的段落", "en": "The nearest passages"}
UNDERSTOOD = {"zh": "（理解为:{}）", "en": "(understood as: {})"}
WITHOUT_MODEL = {
    "zh": "大模型暂时不可用，以下是检索到的原文段落。",
    "en": "The model is not available; these are the passages that were found.",
}
# What stands above the text in Markdown: a model that is missing, how a follow-up was understood, the short answer.
PREFACE = re.compile(
    rf"\A(?:(?:{'|'.join(map(re.escape, WITHOUT_MODEL.values()))})\n+)?"
    r"(?:[(（](?:理解为|understood as):.*\n+)?(?:\*\*.*\*\*\n+)?"
)
# Characters shown before and after the evidence: a phone shows an answer with its first source on one screen.
_AROUND = 50
# Emphasis, code, tables, tags and entities; what would make [text] a link or an image; what begins a list, a quote, a
# heading.
_SIGNS = re.compile(r"[\\`*_~<|]|(?<=\])[(\[:]|&(?=#?\w+;)|^[#>+=-]", re.MULTILINE)
_NUMBERED = re.compile(r"^(\d+)(?=[.)](?:\s|$))", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)  # four blanks would make code of a line
_ANCHOR = re.compile(r"<(?=\s*/?\s*a\b)", re.IGNORECASE)
_EDGES = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Markup:
    """How a channel writes: its escaping, the mark around evidence, a bold line, a linked name, what begins a quote."""

    escape: Callable[[str], str]
    mark: Callable[[str], str]
    strong: Callable[[str], str]
    link: Callable[[str, str], str]
    quote: str


def escape_markdown(text: str) -> str:
    """Markdown that shows the text as it is. Brackets stay: Open WebUI reads an escaped one as a formula."""
    return _NUMBERED.sub(r"\1\\", _SIGNS.sub(r"\\\g<0>", _INDENT.sub("", text)))


def escape_slack(text: str) -> str:
    """Markdown for Slack, whose own signs are & < and >: no text of an article can call a channel or a person."""
    escaped = escape_markdown(text.replace("<", "\0"))
    return escaped.replace("&", "&amp;").replace("\0", "&lt;").replace(">", "&gt;")


def escape_plain(text: str) -> str:
    """Plain text as WeChat and WeCom show it: their one tag, a link, is shown and not followed."""
    return _ANCHOR.sub("＜", text)


def bold(text: str) -> str:
    """The text in bold, without the marks at its ends: ** between a mark and a letter would not be read as bold."""
    before, inner, after = _EDGES.fullmatch(text).groups()  # type: ignore[union-attr]  # matches any text
    return f"{before}**{inner}**{after}" if inner else text


PLAIN = Markup(escape_plain, "【{}】".format, "【{}】".format, "{} {}".format, "")
MARKDOWN = Markup(escape_markdown, bold, "**{}**".format, "[{}]({})".format, "> ")
SLACK = Markup(escape_slack, bold, "**{}**".format, "[{}]({})".format, "> ")


def render(answer: Answer, markup: Markup, public_url: str = "") -> str:
    """The message: how a follow-up was understood, the short answer, the text, its sources.

    A public address makes links of the sources.
    """
    words = language(fold(answer.query))
    text = markup.escape(printable(answer.text))
    if answer.short:
        text = f"{markup.strong(markup.escape(one_line(answer.short)))}\n\n{text}"
    if answer.standalone:
        text = f"{UNDERSTOOD[words].format(markup.escape(one_line(answer.standalone)))}\n\n{text}"
    if answer.refused or answer.mode == "meta":
        near = [_named(hit, markup, public_url, words) for hit in answer.nearest]
        return "\n".join([f"{text}\n\n{NEAREST[words]}:", *near]) if near else text
    if answer.mode == "passages_only":
        text = f"{WITHOUT_MODEL[words]}\n\n{text}"
    if answer.curated_source:
        name = markup.escape(printable(answer.curated_source))
        name = markup.link(name, answer.curated_url) if answer.curated_url else name
        return f"{text}\n\n{curated_label(answer)}{name}"
    label = SOURCES[words]
    return "\n\n".join(
        [text, f"{label}:", *(source(evidence, markup, public_url, words) for evidence in answer.evidence)]
    )


def _named(hit: Hit, markup: Markup, public_url: str, words: str) -> str:
    """A passage that does not answer, by its name."""
    name = markup.escape(source_name(hit, hit.passage.page, words))
    return f"· {markup.link(name, passage_url(hit.passage, public_url)) if public_url else name}"


def source(evidence: Evidence, markup: Markup, public_url: str, words: str) -> str:
    """One source: number, name and page, and below it the text around its evidence."""
    name = markup.escape(source_name(evidence.hit, evidence.page, words))
    if public_url:
        name = markup.link(name, source_url(evidence, public_url))
    shown = "".join(
        markup.mark(markup.escape(text)) if marked else markup.escape(text)
        for text, marked in pieces(evidence, _AROUND)
    )
    # An empty quoted line keeps paragraphs apart, which Markdown would join.
    between = f"\n{markup.quote}\n" if markup.quote else "\n"
    return f"[{evidence.number}] {name}\n" + between.join(f"{markup.quote}{line}" for line in re.split(r"\n+", shown))


def source_url(evidence: Evidence, public_url: str) -> str:
    """The address of the page that shows the article with the evidence marked."""
    spans = ",".join(f"{span.start}-{span.end}" for span in evidence.spans)
    return f"{passage_url(evidence.hit.passage, public_url)}?mark={spans}#cited"


def passage_url(passage: Passage, public_url: str) -> str:
    """The address of the page that shows the article of a passage."""
    return f"{public_url.rstrip('/')}/source/{quote(passage.id, safe='')}"


def pages(text: str, limit: int, reserve: int = 0) -> list[str]:
    """The text in pieces of at most `limit` bytes of UTF-8, cut at a line, else a sentence, else a character.

    `reserve` bytes are kept free in every piece but the last.
    """
    found = []
    while len(text.encode()) > limit:
        head = text.encode()[: limit - reserve].decode(errors="ignore")
        end = _last_border(head)
        found.append(head[:end].rstrip())
        text = text[end:].lstrip()
    return [*found, text]


def _last_border(head: str) -> int:
    """Where to cut: after the last line of at least half the text, else after its last sentence, else at its end."""
    line = head.rfind("\n")
    if line > len(head) // 2:
        return line
    ends = [end for _, end in sentences(head)][:-1]
    return ends[-1] if ends and ends[-1] > len(head) // 3 else len(head)
