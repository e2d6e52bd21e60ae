"""The commands of `wenqu`, and the one place where errors become messages."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from bot import __version__
from bot.cli import journal
from bot.cli.console import AsJson, Collections, Corpus, IndexFolder, err, out, print_json, ready_bot, rebuilt
from bot.errors import SettingsError, WenquError
from bot.settings import load_settings

cli = typer.Typer(
    name="wenqu",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(journal.commands, name="journal")


def _say_version(wanted: bool) -> None:
    if wanted:
        out.print(f"wenqu {__version__}")
        raise typer.Exit


@cli.callback()
def wenqu(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="显示版本 / show the version")
    ] = False,
) -> None:
    """问渠：从资料文件夹里找到答案并标出证据 / Answers from a folder of Chinese documents, with evidence."""


@cli.command()
def ask(
    question: str,
    corpus: Corpus = None,
    index: IndexFolder = None,
    collection: Collections = None,
    as_json: AsJson = False,
) -> None:
    """提一个问题，得到答案和证据 / Ask one question and get the answer with its evidence."""
    from bot.answer.query import checked_question
    from bot.cli.passage import blocks_of
    from bot.cli.render import render_answer

    settings = load_settings(corpus=corpus, index=index)
    checked_question(question, settings.max_question)  # fail now, not after an index run
    bot = ready_bot(settings, collections=collection)
    answer = bot.ask(question)
    if as_json:
        print_json(answer.to_dict())
    else:
        render_answer(out, answer, blocks_of(bot))


@cli.command()
def chat(corpus: Corpus = None, index: IndexFolder = None, collection: Collections = None) -> None:
    """在终端里连续提问 / Ask questions in the terminal."""
    from bot.cli import chat

    settings = load_settings(corpus=corpus, index=index)
    chat.chat(ready_bot(settings, collections=collection), out, keep_history=settings.history)


@cli.command()
def serve(
    corpus: Corpus = None,
    index: IndexFolder = None,
    host: Annotated[str | None, typer.Option(help="监听地址 / address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="端口 / port")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="进程数 / processes")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="没有密钥也对外开放 / let others in without a key")
    ] = False,
) -> None:
    """启动网页和接口 / Serve the web page and the API."""
    from bot.library import let_it_be_empty
    from bot.web import server

    settings = load_settings(
        corpus=corpus, index=index, host=host, port=port, workers=workers, insecure=insecure or None
    )
    empty = let_it_be_empty(settings)

    def started(url: str) -> None:
        err.print(f"问渠 {url}  (Ctrl-C 停止 / stops)")
        if empty:
            err.print(f"还没有资料，在这里放进来 / no documents yet, put some in here: {url}/library")

    server.serve(lambda: ready_bot(settings), settings, started)


@cli.command()
def mcp(corpus: Corpus = None, index: IndexFolder = None) -> None:
    """供 MCP 客户端启动（标准输入输出） / Serve an MCP client over standard input and output."""
    from bot.web.mcp import make_server, require_sdk

    require_sdk()  # fail now, not after an index run
    make_server(ready_bot(load_settings(corpus=corpus, index=index))).run()


@cli.command("index")
def build(
    corpus: Corpus = None,
    index: IndexFolder = None,
    force: Annotated[bool, typer.Option("--force", help="没有变化也重建 / rebuild even if nothing changed")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="有文件被跳过时退出码为 3 / exit with 3 if a file is skipped")
    ] = False,
) -> None:
    """建立或更新索引 / Build or refresh the index."""
    from bot.cli.render import progress_bar, render_summary
    from bot.index.build import build_index
    from bot.pipeline import Bot

    settings = load_settings(corpus=corpus, index=index)
    bot = Bot(settings)
    with progress_bar(err) as progress:
        summary = build_index(settings, bot.embedder, progress) if force else rebuilt(bot, progress)
    if summary is None:
        out.print(f"索引已是最新 / the index is up to date: {bot.generation().name}")
    else:
        render_summary(out, summary)
    if strict and bot.info()["skipped"]:
        raise typer.Exit(3)


@cli.command()
def search(
    question: str,
    corpus: Corpus = None,
    index: IndexFolder = None,
    collection: Collections = None,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="段落数 / how many passages")] = 5,
    explain: Annotated[bool, typer.Option("--explain", help="说明名次的由来 / explain the ranking")] = False,
    as_json: AsJson = False,
) -> None:
    """只检索段落，不作答 / Find passages without answering."""
    from bot.cli.passage import blocks_of
    from bot.cli.render import render_explanation, render_hits
    from bot.types import hit_to_dict

    bot = ready_bot(load_settings(corpus=corpus, index=index), collections=collection)
    if explain:
        explanation = bot.explain(question, k)
        print_json(explanation.to_dict()) if as_json else render_explanation(out, explanation, blocks_of(bot))
        return
    hits = bot.search(question, k)
    if as_json:
        print_json([hit_to_dict(hit) for hit in hits])
    else:
        render_hits(out, hits, blocks_of(bot))


@cli.command("eval")
def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            help="含 questions.jsonl 的文件夹，或一组这样的文件夹 / folder with questions.jsonl, or a suite"
        ),
    ],
    corpus: Corpus = None,
    index: IndexFolder = None,
    as_json: AsJson = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="列出没答对的问题 / list what was not right")] = False,
    fail_under: Annotated[str, typer.Option(help="例如 / e.g. hit@1=0.9,zh.false_answer=0.1")] = "",
) -> None:
    """用带标准证据的问题评测 / Evaluate on questions with known evidence."""
    from bot import suite
    from bot.cli.evaluation import ask_folder, ask_suite, report
    from bot.evaluation import failures

    folders = suite.cases(folder)
    if folders and (corpus or index):
        raise SettingsError(
            f"--corpus 和 --index 不能用于评测组：{folder}",
            "they do not apply to a suite, each of whose folders has its own documents",
            f"去掉它们 / leave them out, or: wenqu eval {folders[0]}",
        )
    asked = ask_suite(folders) if folders else ask_folder(folder, corpus, index)
    missed = failures(report(asked, is_suite=bool(folders), as_json=as_json, wrong=wrong), fail_under)
    for line in missed:
        err.print(escape(line), style="red")
    if missed:
        raise typer.Exit(1)


@cli.command()
def calibrate(
    folder: Annotated[Path, typer.Argument(help="含 questions.jsonl 的文件夹 / folder with questions.jsonl")],
    corpus: Corpus = None,
    index: IndexFolder = None,
) -> None:
    """按你自己的资料和问题校准拒答 / Fit the refusal to your own documents and questions."""
    from bot.calibration import recalibrate
    from bot.cli.render import render_fits
    from bot.evaluation import read_questions

    questions = read_questions(folder)
    render_fits(out, recalibrate(ready_bot(load_settings(corpus=corpus, index=index)), questions))


@cli.command()
def info(
    file: Annotated[str, typer.Argument(help="一份资料，可只写文件名的一部分 / a file, or a part of its name")] = "",
    corpus: Corpus = None,
    index: IndexFolder = None,
    as_json: AsJson = False,
) -> None:
    """显示索引、模型和设置，或一份资料读成了什么 / Show the index, or a document as it was read."""
    from bot.cli import document
    from bot.cli.render import render_sections
    from bot.pipeline import Bot

    settings = load_settings(corpus=corpus, index=index)
    bot = Bot(settings)
    if file:
        seen = document.look(bot, file)
        print_json(seen.to_dict()) if as_json else document.render(out, seen)
        return
    sections = {"settings": {name: str(value) for name, value in settings.model_dump().items()}, **bot.info()}
    if as_json:
        print_json(sections)
    else:
        render_sections(out, sections)


@cli.command()
def doctor(
    channel: Annotated[str, typer.Argument(help="slack | wechat | wecom | …，不填则检查全部 / all if omitted")] = "",
    url: Annotated[str, typer.Option(help="模拟平台访问这个地址 / act as the platform towards this address")] = "",
) -> None:
    """检查各渠道的设置，或模拟平台检验服务器 / Check the channels, or test a server as a platform would."""
    from bot.cli.doctor.checks import examine
    from bot.cli.doctor.rehearsal import rehearse
    from bot.cli.render import render_findings

    settings = load_settings()
    if url:
        good = render_findings(out, f"{channel} {url}", rehearse(channel, settings, url))
    else:
        found = examine(settings, channel)
        good = all([render_findings(out, name, findings) for name, findings in found.items()])
    if not good:
        raise typer.Exit(1)


def main() -> NoReturn:
    """Run the command line; a WenquError becomes one line on standard error and exit code 2, never a traceback."""
    # Input and output are UTF-8 whatever the locale, because an ASCII locale would break Chinese.
    sys.argv[1:] = [os.fsencode(argument).decode("utf-8", "surrogateescape") for argument in sys.argv[1:]]
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors=errors)
    try:
        cli()
        sys.exit(0)
    except WenquError as error:
        with suppress(OSError):  # if even this cannot be written, the exit code has to say it
            err.print(escape(str(error)), style="red")
        sys.exit(2)
    except BrokenPipeError:  # `wenqu search ... | head` closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
