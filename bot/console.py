"""What the commands share: the two consoles, common options, JSON on standard output, a bot that is ready."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bot.settings import Settings

if TYPE_CHECKING:
    from bot.builder import Progress, Summary
    from bot.pipeline import Bot

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Corpus = Annotated[Path | None, typer.Option("--corpus", help="文章文件夹 / folder with the articles")]
IndexFolder = Annotated[Path | None, typer.Option("--index", help="索引文件夹 / folder of the index")]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]


def print_json(value: object) -> None:
    """Write a value as JSON; half characters become question marks."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace").decode() + "\n")


def ready_bot(settings: Settings, *, rebuild: bool = False) -> Bot:
    """A bot whose index is built and fresh; what was built is said on standard error.

    Where none can be made, the one that is there serves. `rebuild` takes one of another model as old.
    """
    from bot.errors import EngineDown, IndexBusy, IndexUnwritable
    from bot.pipeline import Bot
    from bot.rendering import progress_bar, render_summary

    bot = Bot(settings)
    try:
        with progress_bar(err) as progress:
            summary = rebuilt(bot, progress, mismatched=rebuild)
    except (IndexBusy, IndexUnwritable, EngineDown) as error:
        if not bot.opened:
            raise
        summary = None
        err.print(escape(f"{error} — 用现有索引 / going on with {bot.index.generation}"), style="yellow")
    if summary is not None:
        render_summary(err, summary)
    return bot


def rebuilt(bot: Bot, progress: Progress, *, mismatched: bool = True) -> Summary | None:
    """Refresh the index, and build anew one that is damaged or, if so wished, of another model; says so."""
    from bot.builder import build_index
    from bot.errors import IndexDamaged, IndexMismatch

    try:
        return bot.refresh(progress)
    except (IndexDamaged, IndexMismatch) as error:
        if isinstance(error, IndexMismatch) and not mismatched:
            raise
        err.print(escape(f"{error} — 正在重建 / rebuilding"), style="yellow")
        return build_index(bot.settings, bot.embedder, progress)
