"""The `wenqu chat` loop in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.text import Text

from bot.answer.followup import MAX_TURNS
from bot.cli.passage import blocks_of
from bot.cli.render import render_answer, render_hits
from bot.errors import WenquError
from bot.journal import Journal
from bot.pipeline import Bot
from bot.text.printable import printable
from bot.types import Answer

HELP = """直接输入问题，中英文均可；可以追问「那青岛呢？」 / Type a question; you can go on with "what about Qingdao?"
  /search 词  只看检索到的段落 / find passages without answering
  /sources   上一个回答的全部来源 / all sources of the last answer, in full
  /clear     清屏，并忘掉此前的对话 / clear the screen and forget the conversation
  /help      显示帮助 / show this help
  /quit      退出，也可以按 Ctrl-D / quit; Ctrl-D works too"""


def chat(bot: Bot, console: Console, *, keep_history: bool) -> None:
    """Answer questions until /quit or Ctrl-D. Without a terminal, each line of standard input is one question."""
    said: list[Answer] = []
    kept = partial(Journal.from_settings(bot.settings).keep, platform="terminal")
    if not sys.stdin.isatty():
        for line in sys.stdin:
            if line.strip():
                _turn(bot, kept, console, line.strip(), said)
        return
    read = _reader(keep_history)
    console.print(Text("问渠 Wenqu · /help 帮助，/quit 退出", style="dim"))
    while True:
        try:
            line = read().strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if line in ("/quit", "/exit", "/q"):
            return
        if line:
            _turn(bot, kept, console, line, said)


def _reader(keep_history: bool) -> Callable[[], str]:
    """A prompt that edits wide characters correctly, which readline of the standard library does not."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    history: History = InMemoryHistory()
    if keep_history:
        file = Path(platformdirs.user_state_dir("wenqu")) / "history"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            history = FileHistory(str(file))
        except OSError:
            pass  # without a writable home folder there is no history, but the chat works
    commands = WordCompleter(["/help", "/search ", "/sources", "/clear", "/quit"], sentence=True)
    session: PromptSession[str] = PromptSession("问> ", history=history, completer=commands)
    return session.prompt


def _turn(bot: Bot, kept: Callable[[Answer], Answer], console: Console, line: str, said: list[Answer]) -> None:
    """Handle one line. `said` are the recent answers of the session, which the next question may refer to."""
    command, _, rest = line.partition(" ")
    try:
        if command == "/help":
            console.print(Text(HELP))
        elif command == "/clear":
            console.clear()
            said.clear()
        elif command == "/sources":
            _sources(console, said, bot)
        elif command == "/search":
            render_hits(console, bot.search(rest, bot.settings.sources + 2), blocks_of(bot))
        elif command.startswith("/") and len(command) > 1:
            console.print(Text(f"没有命令 {printable(command)}，请输入 /help / unknown command: type /help"))
        else:
            said.append(kept(bot.ask(line, [answer.turn for answer in said])))
            del said[:-MAX_TURNS]
            render_answer(console, said[-1], blocks_of(bot))
    except WenquError as error:
        console.print(Text(printable(str(error)), style="yellow"))
    except KeyboardInterrupt:
        console.print(Text("已停止 / stopped", style="dim"))
    console.print()


def _sources(console: Console, said: list[Answer], bot: Bot) -> None:
    if not said or not (said[-1].evidence or said[-1].curated_source):
        console.print("还没有来源，请先提一个问题 / no sources yet: ask a question first")
        return
    render_answer(console, said[-1], blocks_of(bot), whole=True)
