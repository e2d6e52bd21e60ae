"""Messengers: Slack, WeChat 公众号, WeCom applications and bots.

A new channel is a file here with a function `router`, and a line in CHANNELS. The function makes what the channel adds
to the served application; None while its settings are not there.
"""

from __future__ import annotations

import importlib

from fastapi import APIRouter

from bot.pipeline import Bot
from bot.settings import Settings

# Module -> the path whose requests the platform signs, as it has no key to send; empty for a bot that calls out.
CHANNELS = {
    "slack": "/slack/events",
    "wechat": "/wechat",
    "wecom": "/wecom",
    "wecom_bot": "",
}


def channel_router(name: str, bot: Bot, settings: Settings) -> APIRouter | None:
    """What a channel adds to the served application; None while its settings are not there. Raises SettingsError."""
    router: APIRouter | None = importlib.import_module(f"{__name__}.{name}").router(bot, settings)
    return router
