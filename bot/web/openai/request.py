"""What OpenAI-compatible clients send: the whole conversation, of which the user's last message is the question."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from bot.answer.followup import resolved
from bot.channels.message import PREFACE
from bot.types import Turn
from bot.web.openai.open_webui import user_question

MODEL = "wenqu"
MAX_MESSAGES = 64
_MAX_HISTORY = 10  # turns


class Part(BaseModel):
    """A part of a message; only text is read."""

    type: str = ""
    text: str | None = None


class Message(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    def plain(self) -> str:
        """Its text, the parts joined by lines."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text" and part.text)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool | None = False


class Conversation(BaseModel):
    """The request: what steers a language model, such as the temperature or `n`, is taken and has no effect."""

    model: str = MODEL
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool | None = False
    stream_options: StreamOptions | None = None

    def question(self) -> str:
        """The user's last message; empty where there is none."""
        return self._spoken()[-1].question

    def history(self) -> list[Turn]:
        """The turns before it, their questions made to stand alone: clients send them as they were typed."""
        return resolved(turn for turn in self._spoken()[:-1][-_MAX_HISTORY:] if turn.question)

    def _spoken(self) -> list[Turn]:
        """Each message of the user with what was answered; one empty turn where there is none."""
        turns: list[Turn] = []
        for message in self.messages:
            said = message.plain().strip()
            if message.role == "user":
                turns.append(Turn(user_question(said), ""))
            elif message.role == "assistant" and turns:
                turns[-1] = Turn(turns[-1].question, PREFACE.sub("", said))
        return turns or [Turn("", "")]
