"""The commands of `wenqu`; those of more than a few lines have their own file."""

from bot.cli.commands import cli, main

__all__ = ["cli", "main"]
