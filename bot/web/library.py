"""The documents over HTTP: what there is, what became of each file, putting files in and taking them out."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from bot.corpus.loss import letters, reason_in_words
from bot.corpus.scan import MAX_FILE_BYTES
from bot.errors import StoreError, WenquError
from bot.index.build import Summary
from bot.library import Entry, Library, Progress, State
from bot.settings import Settings
from bot.text.dates import day_number, last_day_number
from bot.text.fold import fold
from bot.types import passage_to_dict
from bot.web.admission import placed
from bot.web.api import STATIC
from bot.web.article import ArticleFields, PassageFields, article_fields
from bot.web.guard import is_loopback, policy
from bot.web.original import GONE_LINE, OpenedFile
from bot.web.state import TheBot, TheLibrary

# Files of one request: a browser sends each by itself, a program may send a folder.
MAX_UPLOAD_BYTES = 10 * MAX_FILE_BYTES
DOCUMENTS = "/api/documents"
NO_DOCUMENT = "没有这份资料，或它还没有编入索引 / no such document, or it is not indexed yet"
MAY_NOT = "只有本机或持有密钥的人可以改动资料 / only from this machine, or with a key → WENQU_API_KEY"
# The page shows an original beside what was read of it.
_WITH_FRAMES = f"{policy()}; frame-src 'self'"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")  # a proxy asks, and we do not know for whom
_ISO = r"^(\d{4}(-\d{2}(-\d{2})?)?)?$"
_MOST_LISTED = 1000
Sort = Literal["title", "id", "collection", "kind", "bytes", "pages", "passages", "state", "kept", "changed", "date"]


def may_change(request: Request, settings: Settings) -> bool:
    """Whether a client may change documents: with a key whoever has it, without one who sits at this machine."""
    if settings.api_key.get_secret_value():
        return True  # the guard asked for it
    client = request.client.host if request.client else ""
    here = is_loopback(settings.host) and is_loopback(client) and not settings.public_url
    return here and not any(name in request.headers for name in _FORWARDED)


async def changes(request: Request, bot: TheBot) -> None:
    """The dependency of every route that changes documents. Raises HTTPException 403."""
    if not may_change(request, bot.settings):
        raise HTTPException(403, MAY_NOT)


router = APIRouter(tags=["documents"])
READS, CHANGES = [Depends(placed)], [Depends(changes), Depends(placed)]


class EntryFields(BaseModel):
    """A file of the corpus: the document that it became, or why it is none yet."""

    id: str = Field(description="在资料文件夹里的路径 / its path in the corpus")
    title: str
    collection: str = Field(description="所在的第一层文件夹 / its first folder, empty at the top")
    kind: str = Field(description="后缀，不带点 / its suffix without the dot")
    state: State
    bytes: int
    changed: datetime | None = Field(description="文件改动的时间 / when the file was changed, UTC")
    passages: int
    pages: int = Field(description="页数，0 为不分页 / 0 without pages")
    kept: float = Field(description="进入索引的文字占比 / the share of its letters that is searched, 0 to 1")
    warning: str = Field(description="读取时的问题 / what is wrong with it")
    code: str = Field(description="跳过的原因代码 / why it is skipped: E-ENC, E-SIZE …")
    reason: str
    cure: str
    date: str = Field(
        description="资料的日期 / when the document is from: 2023-07-28, 2023-07, 2023; empty before it is read"
    )


class EntryList(BaseModel):
    """The files that were asked for, and what there is in all."""

    documents: list[EntryFields]
    total: int = Field(description="符合条件的份数 / how many fit")
    states: dict[State, int] = Field(description="各状态的份数 / how many of each state, of all")
    collections: dict[str, int] = Field(description="各文件夹的份数 / how many of each collection, of all")
    indexing: bool = Field(description="是否正在编索引 / whether an index run is under way")
    may_change: bool = Field(description="你可否改动它们 / whether you may change them")


class Wanted(BaseModel):
    """Which files, in which order."""

    q: str = Field("", max_length=200, description="题目或路径里的字 / letters of the title or the path")
    collection: str | None = Field(None, description="只要这个文件夹的，空为顶层 / only of this one, empty: the top")
    state: State | None = None
    since: str = Field("", pattern=_ISO, description="这天起的 / of documents since then")
    until: str = Field("", pattern=_ISO, description="到这天为止的 / of documents until then")
    sort: Sort = "id"
    descending: bool = False
    offset: int = Field(0, ge=0)
    limit: int = Field(100, ge=1, le=_MOST_LISTED)

    def fits(self, entry: Entry) -> bool:
        """Whether a file is wanted."""
        return (
            self.collection in (None, entry.collection)
            and self.state in (None, entry.state)
            and (not self.since or day_number(entry.date) >= day_number(self.since))
            and (not self.until or 0 < day_number(entry.date) <= last_day_number(self.until))
            and (not self.q or fold(self.q) in fold(f"{entry.title}\n{entry.id}"))
        )

    @property
    def order(self) -> Callable[[Entry], Any]:
        """What files are sorted by; those without a value are last in a rising order."""

        def key(entry: Entry) -> tuple[bool, Any]:
            value = getattr(entry, self.sort)
            return value is None, unicodedata.normalize("NFC", value) if isinstance(value, str) else value or 0

        return key


class Stored(BaseModel):
    """What became of a file that was sent: its id, or why it was not taken."""

    name: str
    id: str = ""
    code: str = ""
    reason: str = ""


class Uploaded(BaseModel):
    """What became of each file, in the order in which they were sent."""

    files: list[Stored]


class TakenOut(BaseModel):
    """The name by which a file comes back, for a week."""

    undo: str = Field(max_length=100, pattern="^[0-9a-f]+$")


class PutBack(BaseModel):
    """A file that is back."""

    id: str


class LeftOutFields(BaseModel):
    """What was left out of the passages for one reason."""

    reason: str
    letters: int
    texts: list[str] = Field(description="至多二十处 / at most twenty of them")


class DocumentFields(BaseModel):
    """A document as it was read: its blocks, its passages, what was left out."""

    article: ArticleFields
    passages: list[PassageFields]
    left_out: list[LeftOutFields]


class CollectionFields(BaseModel):
    """A folder of the corpus."""

    name: str = Field(description="顶层为空 / empty at the top")
    documents: int


@router.get("/library", include_in_schema=False)
def page() -> FileResponse:
    """The page of the documents, which asks the routes below."""
    return FileResponse(STATIC / "library" / "index.html", headers={"Content-Security-Policy": _WITH_FRAMES})


@router.get(DOCUMENTS, dependencies=READS, summary="The files of the corpus, and what became of each")
def listed(wanted: Annotated[Wanted, Query()], library: TheLibrary, bot: TheBot, request: Request) -> EntryList:
    """Those that fit, a page of them."""
    entries = library.entries()
    fitting = [entry for entry in entries if wanted.fits(entry)]
    fitting.sort(key=wanted.order, reverse=wanted.descending)
    return EntryList(
        documents=[EntryFields(**asdict(one)) for one in fitting[wanted.offset : wanted.offset + wanted.limit]],
        total=len(fitting),
        states=Counter(entry.state for entry in entries),
        collections=dict(sorted(Counter(entry.collection for entry in entries).items())),
        indexing=library.is_indexing,
        may_change=may_change(request, bot.settings),
    )


@router.post(
    DOCUMENTS,
    dependencies=CHANGES,
    max_body_size=MAX_UPLOAD_BYTES,
    summary="Put files into the corpus; a name may have folders, and a file of the same name is replaced",
)
def upload(
    files: list[UploadFile],
    library: TheLibrary,
    collection: Annotated[str, Form(max_length=200, description="文件夹 / the folder to put them into")] = "",
) -> Uploaded:
    """Each is there whole or not at all; the others are stored whatever becomes of one."""
    return Uploaded(files=[_stored(library, collection, file) for file in files])


def _stored(library: Library, collection: str, file: UploadFile) -> Stored:
    name = file.filename or ""
    try:
        return Stored(name=name, id=library.put_in(name, collection, file.file))
    except StoreError as error:
        return Stored(name=name, code=error.code, reason=str(error))


@router.post(f"{DOCUMENTS}/restore", dependencies=CHANGES, summary="Bring a file back that was taken out")
def restore(body: TakenOut, library: TheLibrary) -> PutBack:
    """404 when it is not kept any more, 409 when its name is taken."""
    return PutBack(id=library.put_back(body.undo))


@router.delete(f"{DOCUMENTS}/{{identity:path}}", dependencies=CHANGES, summary="Take a file out of the corpus")
def take_out(identity: str, library: TheLibrary) -> TakenOut:
    """It is kept for a week; 404 where there is none."""
    return TakenOut(undo=library.take_out(identity))


@router.get(
    f"{DOCUMENTS}/{{identity:path}}/file",
    dependencies=[Depends(placed, scope="function")],
    response_class=Response,
    summary="The original file of a document; 404 when it has changed since it was read",
)
def original(identity: str, bot: TheBot) -> Response:
    """The file: a PDF or a picture to be shown, any other to be kept."""
    found = bot.file(identity)
    if found is None:
        raise HTTPException(404, GONE_LINE)
    path, file = found
    return OpenedFile(file, PurePosixPath(path).name, frame_ancestors="'self'")


@router.get(
    f"{DOCUMENTS}/{{identity:path}}",
    dependencies=READS,
    response_model_exclude_defaults=True,
    summary="A document as it was read, block by block",
)
def document(
    identity: str,
    bot: TheBot,
    at: Annotated[int, Query(ge=0, description="看文中哪里 / the offset that is looked at")] = 0,
) -> DocumentFields:
    """The text, the blocks around an offset, the passages, what was left out; 404 where there is no such document."""
    found = bot.document(identity)
    if found is None:
        raise HTTPException(404, NO_DOCUMENT)
    texts: dict[str, list[str]] = {}
    for one in found.left_out:
        texts.setdefault(one.reason, []).append(one.text)
    return DocumentFields(
        article=article_fields(found, at, at, bot.pictures(found.id)),
        passages=[PassageFields.model_validate(passage_to_dict(one)) for one in bot.passages(found.id)],
        left_out=[
            LeftOutFields(reason=reason_in_words(reason, " / "), letters=sum(map(letters, some)), texts=some[:20])
            for reason, some in texts.items()
        ],
    )


@router.get("/api/collections", dependencies=READS, summary="The folders of the corpus that may be asked")
def collections(bot: TheBot) -> list[CollectionFields]:
    """By name, with how many indexed documents each has."""
    return [CollectionFields(name=name, documents=count) for name, count in bot.collections().items()]


@router.post(
    "/api/index",
    dependencies=CHANGES,
    response_class=EventSourceResponse,
    summary="Index what has changed, as events: progress, done or error",
)
def index(library: TheLibrary) -> Iterator[ServerSentEvent]:
    """The run goes on when the client leaves."""
    for event in library.indexed():
        if isinstance(event, Progress):
            yield ServerSentEvent(event="progress", data=asdict(event))
        elif isinstance(event, WenquError):
            yield ServerSentEvent(event="error", data={"code": type(event).__name__, "message": str(event)})
        else:
            yield ServerSentEvent(event="done", data=_done(event))


def _done(summary: Summary | None) -> dict[str, Any]:
    """What a run did; nothing if nothing had changed."""
    if summary is None:
        return {"changed": False}
    return {
        "changed": True,
        "generation": summary.generation,
        "documents": summary.articles,
        "passages": summary.passages,
        "skipped": len(summary.skipped),
        "seconds": round(summary.seconds, 2),
    }
