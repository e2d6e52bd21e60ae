"""Answers in Slack: how a reply reads there, and the calls that send it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bot.channels.desk import Desk, Inbound, Reply
from bot.excerpt import printable
from bot.markup import PLAIN, SLACK, escape_slack, pages, render
from bot.pipeline import Bot
from bot.settings import Settings

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp

API = "https://slack.com/api/"
STATUS = "正在检索…"
GOOD, BAD = "有用 / Helpful", "没用 / Not helpful"
FEEDBACK = "wenqu_feedback"
# Slack allows 12,000 characters. A click on a button sends the message back with six to eight bytes to a Chinese
# character, and must stay under the size of a request that the server takes.
_PAGE_BYTES = 6000
_FALLBACK = 800  # Slack wants at most 4,000 characters; an escaped one takes up to five
_RESPONSE_URL_USES = 5
_STATUS_SECONDS = 2.0
log = logging.getLogger("wenqu")
# The SDK's own lines below a warning hold bodies, signatures and addresses that anybody may post to.
quiet = logging.getLogger("wenqu.slack")
quiet.setLevel(logging.WARNING)


def message(inbound: Inbound, reply: Reply, public_url: str) -> list[dict[str, Any]]:
    """The messages of a reply, as arguments of chat.postMessage: text for a notification, blocks for the eye."""
    if reply.answer is None:
        return [{"text": escaped(reply.text)}]
    shown = render(reply.answer, SLACK, public_url)
    if inbound.reply_to.startswith("http"):  # the others in the channel have not seen what the command asked
        shown = f"> {escape_slack(' '.join(printable(inbound.text).split()))}\n\n{shown}"
    found: list[dict[str, Any]] = []
    for page in pages(shown, _PAGE_BYTES):
        found.append({"text": escaped(reply.text), "blocks": [{"type": "markdown", "text": page}]})
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


class Channel:
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
                # Neither is waited for: the page must start where Slack cannot be reached.
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
    """Wait for what is nice to have; without it the answer comes all the same."""
    try:
        await call
    except Exception as error:
        log.info("Slack: %s", reason(error))


def reason(error: Exception) -> str:
    """Slack's name for what went wrong, or the kind of error; never what was sent."""
    response = getattr(error, "response", None)
    return str(response.get("error")) if response is not None else type(error).__name__
