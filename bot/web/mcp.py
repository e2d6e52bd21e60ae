"""MCP clients: three tools, over standard input and output (`wenqu mcp`) or at /mcp of the served application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot import __version__
from bot.channels.message import source_url
from bot.errors import WenquError
from bot.journal import Journal
from bot.pipeline import Bot
from bot.text.printable import printable
from bot.types import Answer, Evidence, Hit
from bot.web.admission import admitted
from bot.web.source import GONE

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp.server.transport_security import TransportSecuritySettings

INSTRUCTIONS = (
    "问渠从一个文件夹的中文文章里找答案，并给出证明答案的原句。中文或英文提问均可。 / "
    "Wenqu answers from a folder of Chinese articles and gives the sentence that proves the answer. "
    "Ask in Chinese or English."
)
ASK = (
    "用文章回答一个问题：给出证据原句和来源，short 是句中单独就能作答的词；"
    "文章里没有答案时 refused 为 true，不要自行编造。 / "
    "Answer one question from the articles, with the proving sentences and their sources; "
    "short has the words that answer by themselves. "
    "When refused is true the articles do not hold the answer: do not make one up."
)
SEARCH = (
    "检索与问题最相关的段落，不作答；适合自己阅读、比较。 / "
    "Find the passages closest to a question, without an answer, to read and compare."
)
READ_ARTICLE = (
    "读整篇文章：给出 search 或 ask 返回的段落 id 或文章 id；长文用 next_offset 接着读。 / "
    "Read a whole article by the id of a passage or of an article, as search and ask return them; "
    "go on with next_offset where it is long."
)
PAGE = 16_000  # characters of an article at a time: what a client's model can still take in


class FoundPassage(BaseModel):
    """A passage that was found."""

    id: str
    article: str
    title: str
    heading: str
    text: str
    score: float
    url: str | None


class Found(BaseModel):
    """The passages, best first."""

    passages: list[FoundPassage]


class Source(BaseModel):
    """A passage that the answer cites as [number]; `evidence` are the sentences that prove it."""

    number: int
    id: str
    article: str
    title: str
    heading: str
    evidence: list[str]
    url: str | None
    page: int = 0


class Nearest(BaseModel):
    """A passage near to a question that the articles do not answer."""

    id: str
    article: str
    title: str
    heading: str


class Answered(BaseModel):
    """An answer, or the words that decline one."""

    short: str  # the words of the first sentence that answer by themselves, or ""
    answer: str
    refused: bool
    confidence: float
    sources: list[Source]
    nearest: list[Nearest]  # to a refused question, three at most; they do not answer it
    curated_source: str  # of an answer that people wrote, which has no other sources


class ArticlePage(BaseModel):
    """A piece of an article of `length` characters; `next_offset` is where the next one begins."""

    id: str
    title: str
    text: str
    offset: int
    length: int
    next_offset: int | None


Question = Annotated[str, Field(description="问题，中文或英文 / the question, in Chinese or English")]
HowMany = Annotated[int, Field(ge=1, le=50, description="段落数 / how many passages")]
Identity = Annotated[str, Field(description="段落或文章的 id / the id of a passage or of an article")]
Collections = Annotated[
    list[str] | None, Field(description="只问这些文件夹，不写就是全部 / only these folders, all without it")
]
Offset = Annotated[int, Field(ge=0, description="从第几个字开始 / character to begin at")]


def require_sdk() -> None:
    """Check that the MCP SDK is installed. Raises WenquError with the command that installs it."""
    try:
        import mcp.server  # noqa: F401
    except ImportError:
        raise WenquError("没有安装 mcp 包", "the mcp package is not installed", 'pip install "wenqu[mcp]"') from None


def make_server(bot: Bot, journal: Journal | None = None) -> MCPServer[Any]:
    """The server with its tools, for any transport; without a journal it opens the one of the bot's settings."""
    require_sdk()
    from mcp.server import MCPServer
    from mcp_types import ToolAnnotations

    server: MCPServer[Any] = MCPServer(
        "wenqu", title="问渠 Wenqu", version=__version__, instructions=INSTRUCTIONS, log_level="WARNING"
    )
    reads = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    tools = _Tools(bot, journal or Journal.from_settings(bot.settings))
    for tool, title, description in (
        (tools.search, "检索 Search", SEARCH),
        (tools.ask, "提问 Ask", ASK),
        (tools.read_article, "读文章 Read article", READ_ARTICLE),
    ):
        server.add_tool(tool, title=title, description=description, annotations=reads)
    return server


class _Tools:
    """What a client may call, over one bot."""

    def __init__(self, bot: Bot, journal: Journal) -> None:
        self._bot, self._journal = bot, journal
        self._url = bot.settings.public_url

    def search(self, question: Question, k: HowMany = 5, collections: Collections = None) -> Found:
        with _said():
            return Found(passages=[_passage(hit, self._url) for hit in self._asked(collections).search(question, k)])

    def ask(self, question: Question, collections: Collections = None) -> Answered:
        with _said():
            return _answered(self._journal.keep(self._asked(collections).ask(question), "mcp"), self._url)

    def _asked(self, collections: list[str] | None) -> Bot:
        return self._bot.within(collections) if collections else self._bot

    def read_article(self, id: Identity, offset: Offset = 0) -> ArticlePage:
        with _said():
            return _page(self._bot, id, offset)


@contextmanager
def _said() -> Iterator[None]:
    """What a user can act on becomes the error of the tool; anything else is a bug, whose text stays here."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        yield
    except WenquError as error:
        raise ToolError(str(error)) from error


def _passage(hit: Hit, url: str) -> FoundPassage:
    found = hit.passage
    return FoundPassage(
        id=found.id,
        article=found.document,
        title=printable(found.title),
        heading=printable(found.heading),
        text=printable(found.text),
        score=round(hit.score, 4),
        url=source_url(Evidence(hit, (), 0), url) if url else None,
    )


def _answered(answer: Answer, url: str) -> Answered:
    sources = []
    for evidence in answer.evidence:
        found = evidence.hit.passage
        sources.append(
            Source(
                number=evidence.number,
                id=found.id,
                article=found.document,
                title=printable(found.title),
                heading=printable(found.heading),
                evidence=[printable(found.text[span.start : span.end]) for span in evidence.spans],
                url=source_url(evidence, url) if url else None,
                page=evidence.page,
            )
        )
    nearest = [
        Nearest(id=one.id, article=one.document, title=printable(one.title), heading=printable(one.heading))
        for one in (hit.passage for hit in answer.nearest)
    ]
    return Answered(
        short=printable(answer.short),
        answer=printable(answer.text),
        refused=answer.refused,
        confidence=round(answer.confidence, 4),
        sources=sources,
        nearest=nearest,
        curated_source=printable(answer.curated_source),
    )


def _page(bot: Bot, identity: str, offset: int) -> ArticlePage:
    found = bot.source(identity)
    article = found[1] if found else bot.document(identity)
    if article is None:
        raise WenquError(*GONE)
    end = offset + PAGE
    return ArticlePage(
        id=article.id,
        title=printable(article.title),
        text=printable(article.text[offset:end]),
        offset=offset,
        length=len(article.text),
        next_offset=end if end < len(article.text) else None,
    )


def router(bot: Bot, journal: Journal) -> APIRouter:
    """The route /mcp. Raises WenquError when the SDK is missing."""
    server = make_server(bot, journal)
    # It makes the session manager; its own routes would redirect /mcp/, which many clients do not follow with a body.
    # Host, Origin and key are looked at for the whole application.
    server.streamable_http_app(stateless_http=True, transport_security=_unchecked())

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with server.session_manager.run():
            yield

    routes = APIRouter(lifespan=lifespan)
    endpoint = _Limited(server.session_manager.handle_request)
    methods = ["GET", "POST", "DELETE"]
    routes.routes.extend(Route(path, endpoint, methods=methods) for path in ("/mcp", "/mcp/"))
    return routes


def _unchecked() -> TransportSecuritySettings:
    from mcp.server.transport_security import TransportSecuritySettings

    return TransportSecuritySettings(enable_dns_rebinding_protection=False)


async def _read(scope: Scope, receive: Receive) -> Receive:
    """What gives the whole body, read here: a client that leaves in the middle would be an error 500 to the SDK."""
    unread = [await Request(scope, receive).body()]

    async def again() -> Message:
        return {"type": "http.request", "body": unread.pop()} if unread else await receive()

    return again


class _Limited:
    """An endpoint that lets through as many requests as any route that answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with asynccontextmanager(admitted)(Request(scope)):
            await self.app(scope, await _read(scope, receive), send)
