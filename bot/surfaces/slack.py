"""Slack: mentions, direct messages and a slash command, over signed HTTP requests or over Socket Mode."""

# No `from __future__ import annotations` here: FastAPI must see the annotations of functions that close over the bot.
import hashlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request, Response

from bot.channels.desk import FAILED, Inbound, is_current
from bot.errors import JournalError
from bot.pipeline import Bot
from bot.settings import Settings
from bot.surfaces.slack_replies import FEEDBACK, Channel, harmless, quiet
from bot.text import fold, language

if TYPE_CHECKING:  # slack_bolt takes most of a second to import: a question in the terminal must not wait for it
    from slack_bolt.async_app import AsyncApp

SIGNED = ("/slack/events",)  # the platform signs each request, and has no key
LOOKING = "收到,正在查… / Looking it up…"
HELP = "在命令后面写上问题,例如 / Write a question after the command, as in: /wenqu 哪些城市的人工智能综合排名靠前?"
THANKS = "谢谢! / Thanks!"
PROMPTS_TITLE = "可以这样问 / You could ask"
PROMPTS = [
    {"title": "怎么用?", "message": "你好"},
    {"title": "人工智能排名前五的城市", "message": "人工智能综合排名前5名的城市有哪些?"},
    {"title": "Which cities lead in AI?", "message": "Which cities lead in artificial intelligence?"},
]
_EVENT_SUBTYPES = (None, "file_share", "thread_broadcast")
_MENTIONS = re.compile(r"^(?:\s*<@[UW]\w+(?:\|[^>]*)?>[\s,:，：]*)+")
_REFERENCE = re.compile(r"<([@#!]|(?=[a-z]+:))([^<>|]*)(?:\|([^<>]*))?>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """POST /slack/events with a signing secret, Socket Mode with an app token; None without either."""
    secret = settings.slack_signing_secret.get_secret_value()
    if not settings.slack_bot_token.get_secret_value() or not (secret or settings.slack_app_token.get_secret_value()):
        return None
    channel = Channel(bot, settings)
    bolt = listeners(channel)
    routes = APIRouter(lifespan=channel.lifespan(bolt, settings.slack_app_token.get_secret_value()))
    if not secret:
        return routes

    @routes.post("/slack/events", include_in_schema=False)
    @routes.post("/slack/events/", include_in_schema=False)
    async def events(request: Request) -> Response:
        timestamps, signatures = (
            request.headers.getlist(f"x-slack-{name}") for name in ("request-timestamp", "signature")
        )
        body = await request.body()
        signed = len(timestamps) == len(signatures) == 1
        if not signed or not verified(secret, timestamps[0], signatures[0], body, time.time()):
            raise HTTPException(401, "签名不对 / not signed by Slack")
        return await dispatch(bolt, request, body)

    return routes


def verified(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether Slack signed the body within five minutes of `now`, seconds since the epoch."""
    if not is_current(timestamp, now):
        return False
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={digest}".encode(), signature.encode())


async def dispatch(bolt: "AsyncApp", request: Request, body: bytes) -> Response:
    """What the listeners answer. Raises HTTPException 400 for what is no envelope of Slack's."""
    from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response

    try:
        envelope = to_async_bolt_request(request, body)
        content: Any = envelope.body
        sound = isinstance(content, dict) and isinstance(content.get("event", {}), dict)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):  # what the SDK raises on other shapes
        sound = False
    if not sound:
        raise HTTPException(400, "请求格式不对 / not an envelope of Slack's")
    return to_starlette_response(await bolt.async_dispatch(envelope))


def plain(text: str) -> str:
    """What a user wrote: without the mentions that it begins with, references as they are shown, entities decoded."""

    def shown(reference: re.Match[str]) -> str:
        kind, target, label = reference.groups()
        if label is not None:
            return f"{kind}{label}".lstrip("!")
        return "" if kind else target

    text = _REFERENCE.sub(shown, _MENTIONS.sub("", text))
    for entity, character in _ENTITIES:  # &amp; last, so that &amp;lt; stays &lt;
        text = text.replace(entity, character)
    return text.strip()


def question(body: dict[str, Any]) -> Inbound | None:
    """The message of an event that asks something; None for those of bots, for edits and deletions."""
    event = body["event"]
    team, place, user, ts = body.get("team_id"), event.get("channel"), event.get("user"), event.get("ts")
    text, thread = event.get("text") or "", event.get("thread_ts") or ts
    if not all(part and isinstance(part, str) for part in (team, place, user, ts, thread, text or " ")):
        return None
    own = [known.get("user_id") for known in body.get("authorizations") or ()]
    if event.get("bot_id") or user in own or event.get("subtype") not in _EVENT_SUBTYPES:
        return None
    if event["type"] == "message" and event.get("channel_type") != "im":
        return None
    return Inbound("slack", str(team), str(place), str(user), f"{place}:{ts}", plain(text), str(thread))


def listeners(channel: Channel) -> "AsyncApp":
    """The Bolt application: what is done about each kind of envelope. Each is acknowledged before any answer."""
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.authorization import AuthorizeResult

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=channel.client.token)

    # Requests are verified before Bolt sees them; it would log the body of one that is not signed.
    bolt = AsyncApp(logger=quiet, name="wenqu", authorize=authorize, request_verification_enabled=False)

    async def taken(body: dict[str, Any], next_: Callable[[], Awaitable[None]]) -> None:
        """Claim a message before it is acknowledged: one that cannot be claimed is delivered again."""
        inbound = question(body)
        if inbound:
            channel.desk.take(inbound, channel.handle, f"slack:{inbound.tenant}:{body.get('event_id')}")
        await next_()

    @bolt.event("app_mention", middleware=[taken])
    @bolt.event("message", middleware=[taken])
    async def asked() -> None:
        return

    @bolt.event("app_home_opened")
    @bolt.event("assistant_thread_started")
    async def opened(event: dict[str, Any]) -> None:
        place = event.get("assistant_thread") or {"channel_id": event.get("channel")}
        if event.get("tab", "messages") == "messages" and place.get("channel_id"):
            await harmless(
                channel.client.assistant_threads_setSuggestedPrompts(
                    channel_id=place["channel_id"],
                    thread_ts=place.get("thread_ts"),
                    title=PROMPTS_TITLE,
                    prompts=PROMPTS,
                )
            )

    # Slack delivers again whatever is answered with a 404.
    @bolt.event(re.compile(""))
    async def anything(body: dict[str, Any]) -> None:
        return

    _add_errors(bolt)
    _add_clicks(bolt, channel)
    return bolt


def _add_errors(bolt: "AsyncApp") -> None:
    from slack_bolt.response import BoltResponse

    @bolt.error
    async def failed(error: Exception) -> BoltResponse | None:
        if not isinstance(error, JournalError):
            quiet.error("Slack: an unexpected error", exc_info=error)
            return None
        quiet.error("Slack: %s", error)
        return BoltResponse(status=503, body="")  # what cannot be claimed is to be delivered again


def _add_clicks(bolt: "AsyncApp", channel: Channel) -> None:
    @bolt.command(re.compile(""))
    async def command(ack: Any, command: dict[str, str]) -> None:
        text = plain(command.get("text", ""))
        team, place, user, once = (command.get(f"{name}_id", "") for name in ("team", "channel", "user", "trigger"))
        said = LOOKING if text else HELP
        if text and once and command.get("response_url"):
            inbound = Inbound("slack", team, place, user, once, text, command["response_url"])
            try:
                channel.desk.take(inbound, channel.handle)
            except JournalError as error:  # a command is never delivered again
                quiet.error("Slack: %s", error)
                said = FAILED[language(fold(text))]
        await ack(said)

    @bolt.action(re.compile(""))
    async def clicked(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        action = body["actions"][0]
        verdict, _, answer = str(action.get("value")).partition(":")
        if action.get("action_id") != FEEDBACK or verdict not in ("1", "-1"):
            return
        channel.desk.journal.record_feedback(answer, f"slack:{body['user']['id']}", int(verdict))
        thread = (body.get("message") or {}).get("thread_ts")
        content = {"response_type": "ephemeral", "replace_original": False, "text": THANKS, "thread_ts": thread}
        if body.get("response_url"):
            await harmless(channel.respond(body["response_url"], content))
