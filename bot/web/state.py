"""What a handler takes from its application: the bot that answers, its documents, the journal of what was asked.

    def ask(body: AskBody, bot: TheBot, journal: TheJournal) -> ...

A mounted application shares the state of the one around it, so a handler there takes the same two.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from bot.journal import Journal
from bot.library import Library
from bot.pipeline import Bot


# Asynchronous although they wait for nothing: FastAPI would run a plain function in a thread, and wait for a free one.
async def _bot(request: Request) -> Bot:
    bot: Bot = request.app.state.bot
    return bot


async def _library(request: Request) -> Library:
    library: Library = request.app.state.library
    return library


async def _journal(request: Request) -> Journal:
    journal: Journal = request.app.state.journal
    return journal


TheBot = Annotated[Bot, Depends(_bot)]
TheLibrary = Annotated[Library, Depends(_library)]
TheJournal = Annotated[Journal, Depends(_journal)]
