"""OpenAI-compatible clients under /v1."""

from bot.web.openai.routes import application

__all__ = ["application"]
