"""Markdown: made into a page by its own rules, and that page read as any other, so that HTML in it is read as well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.readers.child import in_child
from bot.corpus.readers.web.elements import page_of
from bot.corpus.readers.web.markup import Walk
from bot.text.encoding import decode

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

# Larger files are parsed in a process with limits, because a table of 0.9 MB can take 500 MB of memory.
_LARGE = 256 * 1024
_DEEPEST = 100  # blocks within blocks, a list and its item counting as two; the stack of Python ends at about 200
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"[\w\u3400-\u9fff.-]+[ \t]*[:：]")
_ANCHOR = re.compile(r"\s*\{#[^{}]*\}\s*$")
_TASK = re.compile(r"\[([ xX])\][ \t]+")
_FOOTNOTE = re.compile(r"\[\^([^\]\s]+)\]")
_CALLOUT = re.compile(r"^\[!([A-Za-z]+)\]")
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_TAG = re.compile(r"</?([A-Za-z][\w:.-]*)")
_HAN = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
# A name in angle brackets that is none of these, such as <主机> or <your_name>, is text to a reader.
_TAGS_NAMES = (
    "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd "
    "del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hgroup hr i img "
    "input ins kbd label li main mark math menu nav ol p picture pre q rp rt ruby s samp section small "
    "source span strike strong sub summary sup svg table tbody td tfoot th thead time tr tt u ul var "
    "video audio wbr"
)
_TAGS = frozenset(_TAGS_NAMES.split())
# Tags that hide all that follows if they are not closed; only whole blocks of them are taken for HTML.
_WITH_END = frozenset(["script", "style", "iframe", "button", "form", "noscript"])
_FORMULA = re.compile(r"(?<!\\)\$\$(.+?)\$\$|\$(?![\s$])((?:\\.|[^$\\\n])+?)(?<![\s\\])\$(?!\d)", re.DOTALL)
_LONG_LINE = (
    60  # columns, of which a Han character takes two: a break after so many is where the editor wrapped the text
)
_ENDS_LINE = tuple("。！？：；!?:;.…")
_MAX_UNDERLINED = 60  # letters of a heading that is marked by a line below it


def read(data: bytes) -> Parsed:
    """Headings, paragraphs, numbered items, rows, code and formulas; each link is followed by its address."""
    return in_child(__name__, data) if len(data) > _LARGE else parse(data)


def parse(data: bytes) -> Parsed:
    """The same as `read`, in this process."""
    decoded = decode(data)
    fields, text = _front_matter(decoded.text)
    page = page_of(_html(text))
    title = _title(fields)
    headline = next((one.text for one in page.elements() if one.tag == "h1" and one.text), "")
    writer = BlockWriter()
    if title and not headline:
        writer.heading(title, 1)
    writer.paragraph(fields)
    Walk(writer, all_links=True).run(page)
    return writer.parsed(title or headline, warning=f"{decoded.damaged} U+FFFD" if decoded.damaged else "")


def _front_matter(text: str) -> tuple[str, str]:
    """The lines of `key: value` between two lines of dashes at the top, "" if there are none; and the rest."""
    found = _FRONT_MATTER.match(text)
    if found and _FIELD.match(found[1].lstrip()):
        return found[1], text[found.end() :]
    return "", text


def _title(fields: str) -> str:
    found = re.search(r"^title[ \t]*:[ \t]*(.+)$", fields, re.MULTILINE | re.IGNORECASE)
    return found[1].strip().strip("\"'") if found else ""


def _html(text: str) -> str:
    """The page that a Markdown text describes."""
    from markdown_it import MarkdownIt

    # What is nested deeper than the limit is lost without a word; the parser's own, 20, is a list of ten levels.
    options = {"inline_definitions": True, "maxNesting": _DEEPEST}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.block.ruler.before("fence", "formula", _formula_block, {"alt": ["paragraph", "blockquote", "list"]})
    parser.block.ruler.before("reference", "footnote", _footnote)
    parser.inline.ruler.before("escape", "formula", _formula_inline)
    tokens = parser.parse(text)
    _settle(tokens)
    return str(parser.renderer.render(tokens, parser.options, {}))


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Lines from one that begins with $$ to one that ends with it, with no empty line between."""
    first = _line(state, start)
    if not first.startswith("$$") or state.is_code_block(start):
        return False
    last = start
    while last < end and not (_line(state, last).endswith("$$") and (last > start or len(first) > 4)):
        last = end if state.isEmpty(last) else last + 1
    if last >= end:
        return False
    if not silent:
        content = state.getLines(start, last + 1, state.blkIndent, False).strip()
        state.push("formula", "", 0).content = content.removeprefix("$$").removesuffix("$$")
        state.line = last + 1
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].strip()


def _footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The text of a footnote, which without this rule is taken for the address of a link if it has no spaces."""
    line = _line(state, start)
    if silent or not _FOOTNOTE.match(line) or "]:" not in line or state.is_code_block(start):
        return False
    last = start + 1
    while last < end and not state.isEmpty(last) and not _FOOTNOTE.match(_line(state, last)):
        last += 1
    state.push("paragraph_open", "p", 1)
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(start, last, state.blkIndent, False).strip()
    inline.children = []
    state.push("paragraph_close", "p", -1)
    state.line = last
    return True


def _formula_inline(state: StateInline, silent: bool) -> bool:
    """A formula between $ or $$, in which nothing is Markdown."""
    found = _FORMULA.match(state.src, state.pos) if state.src[state.pos] == "$" else None
    if not found:
        return False
    if not silent:
        token = state.push("formula", "", 0)
        token.content = found[1] or found[0]
        token.meta = {"inline": not found[1]}
    state.pos = found.end()
    return True


def _settle(tokens: Sequence[Token]) -> None:
    """Change what the page is to say otherwise than Markdown's own rules do; nothing of the text is to be lost."""
    addresses = {
        token.attrGet("href") for block in tokens for token in block.children or () if token.type == "link_open"
    }
    for number, token in enumerate(tokens):
        if token.type == "inline" and token.children:
            before = tokens[number - 1]
            if before.type == "heading_open":
                _settle_heading(before, token, tokens[number + 1])
            elif number > 1 and tokens[number - 2].type == "list_item_open":
                first = token.children[0]
                first.content = _TASK.sub(lambda task: "☐ " if task[1] == " " else "☑ ", first.content, count=1)
            _settle_inline(token.children)
        elif token.type == "ordered_list_open":
            token.attrSet("data-after-number", token.markup)
        elif token.type == "definition":
            used = token.meta["url"] in addresses
            token.type = "html_block"
            token.content = "" if used else f"<p>{escape(_definition(token.meta))}</p>\n"
        elif token.type == "formula":
            token.type = "html_block"
            token.content = f'<math display="block" alttext="{escape(token.content)}"></math>\n'
        elif token.type == "html_block":
            token.content = _known_tags(token.content)


def _definition(meta: dict[str, Any]) -> str:
    """The named address of a link that nothing links to, as it stands in the file."""
    return f"{meta['label']}: {meta['url']} {meta['title']}".strip()


def _settle_heading(opening: Token, inline: Token, closing: Token) -> None:
    """Heading marks below a text of sentences make a paragraph: somebody wanted a line there."""
    underlined = opening.markup in ("-", "=")
    if underlined and (len(inline.content) > _MAX_UNDERLINED or inline.content.rstrip().endswith(_ENDS_LINE)):
        opening.tag = closing.tag = "p"
    last = (inline.children or [])[-1]
    last.content = _ANCHOR.sub("", last.content) if last.type == "text" else last.content


def _settle_inline(tokens: Sequence[Token]) -> None:
    width = 0
    before = ""
    for number, token in enumerate(tokens):
        if token.type == "softbreak":
            after = next((one.content for one in tokens[number + 1 :] if one.content), "")
            if width >= _LONG_LINE and after and not before.rstrip().endswith(_ENDS_LINE):
                token.type, token.content = "text", "" if _HAN.match(before[-1:]) and _HAN.match(after) else " "
            else:
                token.type = "hardbreak"
            width = 0
        elif token.type == "formula":
            token.type = "html_inline"
            text = escape(token.content)
            token.content = text if token.meta["inline"] else f'<math display="block" alttext="{text}"></math>'
        elif token.type == "html_inline":
            token.content = _known_tags(token.content)
        elif token.type == "text":
            token.content = _FOOTNOTE.sub(r"[\1]", _CALLOUT.sub(r"\1", token.content))
        if token.content:
            width += sum(2 if "\u2e80" <= letter <= "\uffef" else 1 for letter in token.content)
            before = token.content


def _known_tags(html: str) -> str:
    """HTML in which only the tags of pages are tags, and a comment is an element that is not shown."""
    html = _COMMENT.sub(lambda comment: f"<span hidden>{escape(comment[1])}</span>", html)

    def settled(tag: re.Match[str]) -> str:
        name = tag[1].lower()
        is_known = name in _TAGS or (name in _WITH_END and f"</{name}" in html.lower())
        return tag[0] if is_known else f"&lt;{tag[0][1:]}"

    return re.sub(r"<(?=[!?])", "&lt;", _TAG.sub(settled, html))
