"""Slack: mentions, direct messages and a slash command, over signed HTTP requests or over Socket Mode."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request, Response

from bot.channels.desk import FAILED, Desk, Inbound, Reply, is_current
from bot.channels.message import PLAIN, SLACK, escape_slack, pages, render
from bot.errors import JournalError
from bot.pipeline import Bot
from bot.settings import Settings
from bot.text.fold import fold, language
from bot.text.printable import one_line, printable

if TYPE_CHECKING:  # slack_bolt takes most of a second to import: a question in the terminal must not wait for it
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.response import BoltResponse

API = "https://slack.com/api/"
FEEDBACK = "wenqu_feedback"
# Slack allows 12,000 characters. A click on a button sends the message back with six to eight bytes to a Chinese
# character, and must stay under the size of a request that the server takes.
_PAGE_BYTES = 6000
_FALLBACK = 800  # Slack wants at most 4,000 characters; an escaped one takes up to five
_RESPONSE_URL_USES = 5
_STATUS_SECONDS = 2.0
_EVENT_SUBTYPES = (None, "file_share", "thread_broadcast")
_MENTIONS = re.compile(r"^(?:\s*<@[UW]\w+(?:\|[^>]*)?>[\s,:，：]*)+")
_REFERENCE = re.compile(r"<([@#!]|(?=[a-z]+:))([^<>|]*)(?:\|([^<>]*))?>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
STATUS = "正在检索…"
GOOD, BAD = "有用 / Helpful", "没用 / Not helpful"
LOOKING = "收到，正在查… / Looking it up…"
HELP = "在命令后面写上问题，例如 / Write a question after the command, as in: /wenqu 哪些城市的人工智能综合排名靠前?"
THANKS = "谢谢！ / Thanks!"
PROMPTS_TITLE = "可以这样问 / You could ask"
PROMPTS = [
    {"title": "怎么用?", "message": "你好"},
    {"title": "人工智能排名前五的城市", "message": "人工智能综合排名前5名的城市有哪些?"},
    {"title": "Which cities lead in AI?", "message": "Which cities lead in artificial intelligence?"},
]
log = logging.getLogger("wenqu")
# The SDK's own lines below a warning hold bodies, signatures and addresses that anybody may post to.
quiet = logging.getLogger("wenqu.slack")
quiet.setLevel(logging.WARNING)


def router(bot: Bot, settings: Settings) -> APIRouter | None:
    """POST /slack/events with a signing secret, Socket Mode with an app token; None without either."""
    secret = settings.slack_signing_secret.get_secret_value()
    if not settings.slack_bot_token.get_secret_value() or not (secret or settings.slack_app_token.get_secret_value()):
        return None
    channel = SlackChannel(bot, settings)
    bolt = application(channel)
    routes = APIRouter(lifespan=channel.lifespan(bolt, settings.slack_app_token.get_secret_value()))
    if secret:
        endpoint = Endpoint(bolt, secret)
        for path in ("/slack/events", "/slack/events/"):
            routes.add_api_route(path, endpoint.receive, methods=["POST"], include_in_schema=False)
    return routes


# What comes in: requests, envelopes, events.


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where Slack sends its requests: what it signed goes on to the listeners."""

    bolt: AsyncApp
    secret: str

    async def receive(self, request: Request) -> Response:
        """What the listeners answer. Raises HTTPException 401 for what Slack did not sign, 400 for no envelope."""
        stamps = request.headers.getlist("x-slack-request-timestamp")
        signatures = request.headers.getlist("x-slack-signature")
        body = await request.body()
        signed = len(stamps) == len(signatures) == 1
        if not signed or not verified(self.secret, stamps[0], signatures[0], body, time.time()):
            raise HTTPException(401, "签名不对 / not signed by Slack")
        return await dispatch(self.bolt, request, body)


def verified(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether Slack signed the body within five minutes of `now`, seconds since the epoch."""
    if not is_current(timestamp, now):
        return False
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={digest}".encode(), signature.encode())


async def dispatch(bolt: AsyncApp, request: Request, body: bytes) -> Response:
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


# What goes out: the messages of a reply, and the calls that send them.


def message(inbound: Inbound, reply: Reply, public_url: str) -> list[dict[str, Any]]:
    """The messages of a reply, as arguments of chat.postMessage: text for a notification, blocks for the eye."""
    if reply.answer is None:
        return [{"text": escaped(reply.text)}]
    notice = escaped("\n".join(filter(None, (one_line(reply.answer.short), reply.text))))
    shown = render(reply.answer, SLACK, public_url)
    if inbound.reply_to.startswith("http"):  # the others in the channel have not seen what the command asked
        shown = f"> {escape_slack(one_line(inbound.text))}\n\n{shown}"
    found: list[dict[str, Any]] = []
    for page in pages(shown, _PAGE_BYTES):
        found.append({"text": notice, "blocks": [{"type": "markdown", "text": page}]})
    buttons = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK,
        "positive_button": {"text": {"type": "plain_text", "text": GOOD}, "value": f"1:{reply.id}"},
        "negative_button": {"text": {"type": "plain_text", "text": BAD}, "value": f"-1:{reply.id}"},
    }
    found[-1]["blocks"].append({"type": "context_actions", "elements": [buttons]})
    return found


def escaped(text: str) -> str:
    """Text for Slack's own markup, at most 4,000 characters."""
    shown = printable(text)[:_FALLBACK]
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class SlackChannel:
    """The bot in Slack: takes messages at a desk, answers through the Web API."""

    def __init__(self, bot: Bot, settings: Settings) -> None:
        """Open the desk. Raises JournalError."""
        from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, async_default_handlers
        from slack_sdk.web.async_client import AsyncWebClient

        self.desk = Desk(bot)
        self._public_url = settings.public_url
        self._retries = [*async_default_handlers(), AsyncRateLimitErrorRetryHandler(max_retry_count=2)]
        self.client = AsyncWebClient(
            settings.slack_bot_token.get_secret_value(), API, logger=quiet, retry_handlers=self._retries
        )

    async def handle(self, inbound: Inbound) -> None:
        """Answer a message to its end."""
        if inbound.reply_to.startswith("http"):
            reply = await self.desk.answer(inbound)
            kind = {"response_type": "in_channel" if reply.answer else "ephemeral"}
            for content in message(inbound, reply, self._public_url)[:_RESPONSE_URL_USES]:
                await self.respond(inbound.reply_to, kind | content)
            return
        status = self._status(inbound) if inbound.conversation.startswith("D") else asyncio.sleep(0)
        reply, _ = await asyncio.gather(self.desk.answer(inbound), status)
        for content in message(inbound, reply, self._public_url):
            await self._post(inbound, content, reply)

    async def _post(self, inbound: Inbound, content: dict[str, Any], reply: Reply) -> None:
        from slack_sdk.errors import SlackApiError

        where: dict[str, Any] = {"channel": inbound.conversation, "thread_ts": inbound.reply_to, "unfurl_links": False}
        try:
            await self.client.chat_postMessage(**where, **content)
        except SlackApiError as error:
            if reply.answer is None or "blocks" not in str(error.response.get("error")):
                raise
            # A workspace that does not know these blocks still gets the answer with its sources, as text.
            await self.client.chat_postMessage(**where, text=escaped(render(reply.answer, PLAIN, self._public_url)))

    async def _status(self, inbound: Inbound) -> None:
        call = self.client.assistant_threads_setStatus(
            channel_id=inbound.conversation, thread_ts=inbound.reply_to, status=STATUS
        )
        await harmless(asyncio.wait_for(call, _STATUS_SECONDS))

    async def respond(self, url: str, content: dict[str, Any]) -> None:
        """Post to a response_url. Raises SlackRequestError when Slack declines."""
        from slack_sdk.errors import SlackRequestError
        from slack_sdk.webhook.async_client import AsyncWebhookClient

        client = AsyncWebhookClient(url, logger=quiet, retry_handlers=self._retries)
        response = await client.send_dict(content)
        if response.status_code != 200:
            raise SlackRequestError(f"response_url: {response.status_code} {response.body[:80]}")

    def lifespan(self, bolt: AsyncApp, app_token: str) -> Any:
        """What runs beside the server: the desk, a look at the token, and Socket Mode where an app token is set."""

        @asynccontextmanager
        async def running(app: Any) -> AsyncIterator[None]:
            from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler

            async with self.desk.open("slack", self.handle):
                # Neither is waited for: the page must start even where Slack cannot be reached.
                tasks = [asyncio.create_task(self._check_token())]
                socket: Any = None
                if app_token:
                    socket = AsyncSocketModeHandler(bolt, app_token, logger=quiet, web_client=self.client)
                    tasks.append(asyncio.create_task(socket.connect_async()))
                try:
                    yield
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                    if socket:
                        await socket.close_async()

        return running

    async def _check_token(self) -> None:
        try:
            await self.client.auth_test()
        except Exception as error:
            log.warning("Slack: WENQU_SLACK_BOT_TOKEN could not be checked: %s", reason(error))


async def harmless(call: Awaitable[Any]) -> None:
    """Wait for a call whose failure costs no answer; the log names it."""
    try:
        await call
    except Exception as error:
        log.info("Slack: %s", reason(error))


def reason(error: Exception) -> str:
    """Slack's name for what went wrong, or the kind of error; never what was sent."""
    response = getattr(error, "response", None)
    return str(response.get("error")) if response is not None else type(error).__name__


# The listeners.


class Listeners:
    """What is done about each kind of envelope. Each is acknowledged before any answer; Bolt names the arguments."""

    def __init__(self, channel: SlackChannel) -> None:
        self._channel = channel

    async def take(self, body: dict[str, Any], next_: Callable[[], Awaitable[None]]) -> None:
        """Claim a message before it is acknowledged: one that cannot be claimed is delivered again."""
        inbound = question(body)
        if inbound:
            also = f"slack:{inbound.tenant}:{body.get('event_id')}"
            await self._channel.desk.take(inbound, self._channel.handle, also)
        await next_()

    async def suggest(self, event: dict[str, Any]) -> None:
        """Questions to begin with, where a conversation opens."""
        place = event.get("assistant_thread") or {"channel_id": event.get("channel")}
        if event.get("tab", "messages") == "messages" and place.get("channel_id"):
            call = self._channel.client.assistant_threads_setSuggestedPrompts(
                channel_id=place["channel_id"], thread_ts=place.get("thread_ts"), title=PROMPTS_TITLE, prompts=PROMPTS
            )
            await harmless(call)

    async def command(self, ack: Any, command: dict[str, str]) -> None:
        """Take the question of a slash command."""
        text = plain(command.get("text", ""))
        team, place, user, once = (command.get(f"{name}_id", "") for name in ("team", "channel", "user", "trigger"))
        said = LOOKING if text else HELP
        if text and once and command.get("response_url"):
            inbound = Inbound("slack", team, place, user, once, text, command["response_url"])
            try:
                await self._channel.desk.take(inbound, self._channel.handle)
            except JournalError as error:  # a command is never delivered again
                quiet.error("Slack: %s", error)
                said = FAILED[language(fold(text))]
        await ack(said)

    async def clicked(self, ack: Any, body: dict[str, Any]) -> None:
        """Keep what a user thinks of an answer, and say thanks."""
        await ack()
        action = body["actions"][0]
        verdict, _, answer = str(action.get("value")).partition(":")
        if action.get("action_id") != FEEDBACK or verdict not in ("1", "-1"):
            return
        await self._channel.desk.feedback(answer, f"slack:{body['user']['id']}", int(verdict))
        thread = (body.get("message") or {}).get("thread_ts")
        content = {"response_type": "ephemeral", "replace_original": False, "text": THANKS, "thread_ts": thread}
        if body.get("response_url"):
            await harmless(self._channel.respond(body["response_url"], content))


async def acknowledged(body: dict[str, Any]) -> None:
    """Nothing is left to be done about the envelope."""


async def failed(error: Exception) -> BoltResponse | None:
    """503 for what could not be claimed, so that Slack delivers it again; None leaves the rest to Bolt."""
    from slack_bolt.response import BoltResponse

    if not isinstance(error, JournalError):
        quiet.error("Slack: an unexpected error", exc_info=error)
        return None
    quiet.error("Slack: %s", error)
    return BoltResponse(status=503, body="")


def application(channel: SlackChannel) -> AsyncApp:
    """The Bolt application, with a listener for every kind of envelope."""
    from slack_bolt.async_app import AsyncApp
    from slack_bolt.authorization import AuthorizeResult

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:  # Bolt takes no method here
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=channel.client.token)

    does = Listeners(channel)
    # Requests are verified before Bolt sees them; it would log the body of one that is not signed.
    bolt = AsyncApp(logger=quiet, name="wenqu", authorize=authorize, request_verification_enabled=False)
    for kind in ("app_mention", "message"):
        bolt.event(kind, middleware=[does.take])(acknowledged)
    for kind in ("app_home_opened", "assistant_thread_started"):
        bolt.event(kind)(does.suggest)
    bolt.event(re.compile(""))(acknowledged)  # Slack delivers again whatever is answered with a 404
    bolt.command(re.compile(""))(does.command)
    bolt.action(re.compile(""))(does.clicked)
    bolt.error(failed)
    return bolt
