"""What the commands share: the two consoles, common options, JSON on standard output, and a bot with a fresh index."""

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
    from bot.index.build import Progress, Summary
    from bot.pipeline import Bot

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Corpus = Annotated[Path | None, typer.Option("--corpus", help="资料文件夹 / folder of documents")]
IndexFolder = Annotated[Path | None, typer.Option("--index", help="索引文件夹 / index folder")]
Collections = Annotated[
    list[str] | None,
    typer.Option(
        "--collection", help="只问这个文件夹，可以写几次 / ask this folder of the corpus only; may be repeated"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]


def print_json(value: object) -> None:
    """Write a value as JSON to standard output; lone surrogates become question marks."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace").decode() + "\n")


def ready_bot(settings: Settings, *, rebuild: bool = False, collections: list[str] | None = None) -> Bot:
    """A bot whose index is up to date; what was built is reported on standard error.

    If the index cannot be built, an existing one is used. With `rebuild`, an index of another model is built again;
    with `collections`, only those are asked.
    """
    from bot.cli.render import progress_bar, render_summary
    from bot.errors import EngineDown, IndexBusy, IndexUnwritable
    from bot.pipeline import Bot

    bot = Bot(settings)
    try:
        with progress_bar(err) as progress:
            summary = rebuilt(bot, progress, mismatched=rebuild)
    except (IndexBusy, IndexUnwritable, EngineDown) as error:
        if not bot.live.is_open:
            raise
        summary = None
        err.print(escape(f"{error} · 继续使用现有索引 / continuing with {bot.generation().name}"), style="yellow")
    if summary is not None:
        render_summary(err, summary)
    return bot.within(collections) if collections else bot


def rebuilt(bot: Bot, progress: Progress, *, mismatched: bool = True) -> Summary | None:
    """Refresh the index; one that is damaged or, with `mismatched`, of another model is built again, with a message.

    None if there was nothing to do. Raises as Bot.refresh does.
    """
    from bot.errors import IndexDamaged, IndexMismatch
    from bot.index.build import build_index

    try:
        return bot.refresh(progress)
    except (IndexDamaged, IndexMismatch) as error:
        if isinstance(error, IndexMismatch) and not mismatched:
            raise
        err.print(escape(f"{error} · 正在重建 / rebuilding"), style="yellow")
        return build_index(bot.settings, bot.embedder, progress)
