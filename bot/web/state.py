"""What a handler takes from its application: the bot that answers and the journal that keeps what was asked.

    def ask(body: AskBody, bot: TheBot, journal: TheJournal) -> ...

A mounted application shares the state of the one around it, so a handler there takes the same two.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from bot.journal import Journal
from bot.pipeline import Bot


# Asynchronous although they wait for nothing: FastAPI would run a plain function in a thread, and wait for a free one.
async def _bot(request: Request) -> Bot:
    bot: Bot = request.app.state.bot
    return bot


async def _journal(request: Request) -> Journal:
    journal: Journal = request.app.state.journal
    return journal


TheBot = Annotated[Bot, Depends(_bot)]
TheJournal = Annotated[Journal, Depends(_journal)]
