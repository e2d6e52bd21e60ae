"""MCP clients: three tools, over standard input and output (`wenqu mcp`) or at /mcp of the served application."""

# No `from __future__ import annotations` here: the SDK reads the annotations of functions that close over the bot.
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.errors import WenquError
from bot.excerpt import printable
from bot.journal import recorder
from bot.limits import admitted
from bot.markup import source_url
from bot.pipeline import Bot
from bot.settings import Settings
from bot.surfaces.source import GONE
from bot.types import Answer, Evidence, Hit

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp.server.transport_security import TransportSecuritySettings

INSTRUCTIONS = (
    "问渠从一个文件夹的中文文章里找答案,并给出证明答案的原句。中文或英文提问均可。 / "
    "Wenqu answers from a folder of Chinese articles and gives the sentence that proves the answer. "
    "Ask in Chinese or English."
)
ASK = (
    "用文章回答一个问题:给出证据原句和来源;文章里没有答案时 refused 为 true,不要自行编造。 / "
    "Answer one question from the articles, with the proving sentences and their sources. "
    "When refused is true the articles do not hold the answer: do not make one up."
)
SEARCH = (
    "检索与问题最相关的段落,不作答;适合自己阅读、比较。 / "
    "Find the passages closest to a question, without an answer, to read and compare."
)
READ_ARTICLE = (
    "读整篇文章:给出 search 或 ask 返回的段落 id 或文章 id;长文用 next_offset 接着读。 / "
    "Read a whole article by the id of a passage or of an article, as search and ask return them; "
    "go on with next_offset where it is long."
)
PAGE = 16_000  # characters of an article at a time: what a client's model can still take in


class Passage(BaseModel):
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

    passages: list[Passage]


class Source(BaseModel):
    """A passage that the answer cites as [number]; `evidence` are the sentences that prove it."""

    number: int
    id: str
    article: str
    title: str
    heading: str
    evidence: list[str]
    url: str | None


class Answered(BaseModel):
    """An answer, or the words that decline one."""

    answer: str
    refused: bool
    confidence: float
    sources: list[Source]
    curated_source: str  # of an answer that people wrote, which has no other sources


class ArticlePage(BaseModel):
    """A piece of an article of `length` characters; `next_offset` is where the next one begins."""

    id: str
    title: str
    text: str
    offset: int
    length: int
    next_offset: int | None


Question = Annotated[str, Field(description="问题,中文或英文 / the question, in Chinese or English")]
HowMany = Annotated[int, Field(ge=1, le=50, description="段落数 / how many passages")]
Identity = Annotated[str, Field(description="段落或文章的 id / the id of a passage or of an article")]
Offset = Annotated[int, Field(ge=0, description="从第几个字开始 / character to begin at")]


def require_sdk() -> None:
    """Nothing, where the MCP SDK is installed. Raises WenquError with the command that installs it."""
    try:
        import mcp.server  # noqa: F401
    except ImportError:
        raise WenquError("没有安装 mcp 包", "the mcp package is not installed", 'pip install "wenqu[mcp]"') from None


def make_server(bot: Bot) -> "MCPServer[Any]":
    """The server with its tools, for any transport."""
    require_sdk()
    from mcp.server import MCPServer
    from mcp_types import ToolAnnotations

    url = bot.settings.public_url
    kept = recorder(bot.settings, "mcp")
    server: MCPServer[Any] = MCPServer("wenqu", title="问渠 Wenqu", instructions=INSTRUCTIONS, log_level="WARNING")
    reads = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)

    @server.tool(title="检索 Search", description=SEARCH, annotations=reads)
    def search(question: Question, k: HowMany = 5) -> Found:
        with _said():
            return Found(passages=[_passage(hit, url) for hit in bot.search(question, k)])

    @server.tool(title="提问 Ask", description=ASK, annotations=reads)
    def ask(question: Question) -> Answered:
        with _said():
            return _answered(kept(bot.ask(question)), url)

    @server.tool(title="读文章 Read article", description=READ_ARTICLE, annotations=reads)
    def read_article(id: Identity, offset: Offset = 0) -> ArticlePage:
        with _said():
            return _page(bot, id, offset)

    return server


@contextmanager
def _said() -> Iterator[None]:
    """What a user can act on becomes the error of the tool; anything else is a bug, whose text stays here."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        yield
    except WenquError as error:
        raise ToolError(str(error)) from error


def _passage(hit: Hit, url: str) -> Passage:
    found = hit.passage
    return Passage(
        id=found.id,
        article=found.article_id,
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
                article=found.article_id,
                title=printable(found.title),
                heading=printable(found.heading),
                evidence=[printable(found.text[span.start : span.end]) for span in evidence.spans],
                url=source_url(evidence, url) if url else None,
            )
        )
    return Answered(
        answer=printable(answer.text),
        refused=answer.refused,
        confidence=round(answer.confidence, 4),
        sources=sources,
        curated_source=printable(answer.curated_source),
    )


def _page(bot: Bot, identity: str, offset: int) -> ArticlePage:
    found = bot.source(identity)
    article = found[1] if found else bot.index.store.article(identity)
    if article is None:
        raise WenquError(*GONE.split(" / ", 1))
    end = offset + PAGE
    return ArticlePage(
        id=article.id,
        title=printable(article.title),
        text=printable(article.text[offset:end]),
        offset=offset,
        length=len(article.text),
        next_offset=end if end < len(article.text) else None,
    )


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """The route /mcp where WENQU_MCP is set. Raises WenquError when the SDK is missing."""
    if not settings.mcp:
        return None
    server = make_server(bot)
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


def _unchecked() -> "TransportSecuritySettings":
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
