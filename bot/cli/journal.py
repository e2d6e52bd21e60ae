"""The commands of `wenqu journal`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bot.cli.console import AsJson, IndexFolder, err, out, print_json
from bot.settings import load_settings

if TYPE_CHECKING:
    from bot.journal import Journal, RecordedAnswer

RECENT = 20
EMPTY = "没有记录 / nothing is recorded"
OFF = "WENQU_JOURNAL 已关闭，不记录问题 / WENQU_JOURNAL is off: no questions are kept"
NO_TEXT = "(未记录 / not kept)"
commands = typer.Typer(help="问过什么、哪些没答上、反馈如何 / What was asked, unanswered, liked.", no_args_is_help=True)

Days = Annotated[int | None, typer.Option("--days", min=1, help="只看最近几天 / of the last days only")]


@commands.command()
def recent(index: IndexFolder = None, as_json: AsJson = False) -> None:
    """最近的 20 个问题 / The last 20 questions."""
    journal = _journal(index)
    _show(journal.recent(RECENT) if journal else [], as_json=as_json)


@commands.command()
def disliked(index: IndexFolder = None, as_json: AsJson = False) -> None:
    """被点踩的回答 / The answers that somebody disliked."""
    journal = _journal(index)
    _show(journal.disliked() if journal else [], as_json=as_json)


@commands.command()
def unanswered(
    index: IndexFolder = None,
    days: Days = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="写成评测文件夹 / write them as an evaluation folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """没答上的问题,问得最多的在前 / The refused questions, most asked first."""
    from bot.text.printable import printable

    journal = _journal(index)
    found = journal.unanswered(days) if journal else []
    if export is not None:
        from bot.evaluation import write_unanswered

        count = write_unanswered(export, ((asked.question, asked.language) for asked in found))
        err.print(Text(f"{export}: {count} 个问题 / questions"))
    if as_json:
        print_json([asked.to_dict() for asked in found])
    elif export is None:
        for asked in found:
            out.print(Text(f"{asked.count:4} × {_day(asked.last)}  {printable(asked.question)}"))
        if not found:
            out.print(EMPTY)


@commands.command()
def clear(
    days: Annotated[int, typer.Option("--days", min=0, help="早于几天的,0 为全部 / older than, 0 for all")],
    index: IndexFolder = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再确认 / do not ask")] = False,
) -> None:
    """删除旧的记录 / Delete what is older than some days."""
    if not yes:
        typer.confirm(f"删除早于 {days} 天的记录？ / delete what is older than {days} days?", abort=True)
    journal = _journal(index)
    out.print(f"删除了 / deleted: {journal.clear(days) if journal else 0}")


def _journal(index: Path | None) -> Journal | None:
    """The journal of an index folder; None where nothing was ever recorded, so that looking makes no file."""
    from bot.journal import FILE, Journal

    settings = load_settings(index=index)
    if not settings.journal:
        err.print(OFF, style="yellow")
    return Journal.from_settings(settings) if (settings.index / FILE).is_file() else None


def _show(found: Sequence[RecordedAnswer], *, as_json: bool) -> None:
    from bot.text.printable import one_line, printable

    if as_json:
        print_json([asked.to_dict() for asked in found])
        return
    for asked in found:
        verdict = "拒答 / refused" if asked.refused else "回答 / answered"
        thumbs = (f"  👍{asked.liked}" if asked.liked else "") + (f"  👎{asked.disliked}" if asked.disliked else "")
        question = one_line(asked.question) or NO_TEXT
        out.print(Text(f"{_day(asked.at)}  {asked.platform:9}  {asked.confidence:.2f} {verdict}{thumbs}  {question}"))
        for comment in filter(None, printable(asked.comments).splitlines()):
            out.print(Text(f"    {comment}", style="dim"))
    if not found:
        out.print(EMPTY)


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
