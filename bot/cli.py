"""The commands of `wenqu`, and the one place where errors become lines."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from bot import journal_cli
from bot.console import AsJson, Corpus, IndexFolder, err, out, print_json, ready_bot, rebuilt
from bot.errors import WenquError
from bot.settings import load_settings

cli = typer.Typer(
    name="wenqu",
    help="问渠: 从文章文件夹里找到答案并标出证据 / answers from a folder of Chinese articles, evidence marked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(journal_cli.commands, name="journal")


@cli.command()
def ask(question: str, corpus: Corpus = None, index: IndexFolder = None, as_json: AsJson = False) -> None:
    """提一个问题,得到答案和证据 / One question, one answer with its evidence."""
    from bot.bridge import checked_question
    from bot.rendering import render_answer

    settings = load_settings(corpus=corpus, index=index)
    checked_question(question, settings.max_question)  # said at once, not after an index run
    answer = ready_bot(settings).ask(question)
    if as_json:
        print_json(answer.to_dict())
    else:
        render_answer(out, answer)


@cli.command()
def chat(corpus: Corpus = None, index: IndexFolder = None) -> None:
    """在终端里一问一答 / Ask and answer in the terminal."""
    from bot.surfaces import terminal

    settings = load_settings(corpus=corpus, index=index)
    terminal.chat(ready_bot(settings), out, keep_history=settings.history)


@cli.command()
def serve(
    corpus: Corpus = None,
    index: IndexFolder = None,
    host: Annotated[str | None, typer.Option(help="监听地址 / address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="端口 / port")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="进程数 / processes")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="没有密钥也对外开放 / open to others without a key")
    ] = False,
) -> None:
    """启动网页和接口 / Serve the page and the API."""
    from bot import server

    settings = load_settings(
        corpus=corpus, index=index, host=host, port=port, workers=workers, insecure=insecure or None
    )
    said = "问渠 {}  (Ctrl-C 停止 / stops)"
    server.serve(lambda: ready_bot(settings), settings, lambda url: err.print(said.format(url)))


@cli.command()
def mcp(corpus: Corpus = None, index: IndexFolder = None) -> None:
    """供 MCP 客户端启动 (标准输入输出) / Serve an MCP client over standard input and output."""
    from bot.surfaces.mcp import make_server, require_sdk

    require_sdk()  # said at once, not after an index run
    make_server(ready_bot(load_settings(corpus=corpus, index=index))).run()


@cli.command("index")
def build(
    corpus: Corpus = None,
    index: IndexFolder = None,
    force: Annotated[bool, typer.Option("--force", help="没有变化也重建 / rebuild even if nothing changed")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="有文件被跳过时退出码为 3 / exit 3 when a file is skipped")
    ] = False,
) -> None:
    """建立或更新索引 / Build or refresh the index."""
    from bot.builder import build_index
    from bot.pipeline import Bot
    from bot.rendering import progress_bar, render_summary

    settings = load_settings(corpus=corpus, index=index)
    bot = Bot(settings)
    with progress_bar(err) as progress:
        summary = build_index(settings, bot.embedder, progress) if force else rebuilt(bot, progress)
    if summary is None:
        out.print(f"索引已是最新 / the index is up to date: {bot.index.generation}")
    else:
        render_summary(out, summary)
    if strict and bot.index.store.skipped():
        raise typer.Exit(3)


@cli.command()
def search(
    question: str,
    corpus: Corpus = None,
    index: IndexFolder = None,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="段落数 / how many passages")] = 5,
    explain: Annotated[bool, typer.Option("--explain", help="说明名次的由来 / say why each ranks as it does")] = False,
    as_json: AsJson = False,
) -> None:
    """只检索段落,不作答 / The passages found, without an answer."""
    from bot.rendering import render_explanation, render_hits
    from bot.types import hit_to_dict

    bot = ready_bot(load_settings(corpus=corpus, index=index))
    if explain:
        explanation = bot.explain(question, k)
        print_json(explanation.to_dict()) if as_json else render_explanation(out, explanation)
        return
    hits = bot.search(question, k)
    if as_json:
        print_json([hit_to_dict(hit) for hit in hits])
    else:
        render_hits(out, hits)


@cli.command("eval")
def evaluate(
    folder: Annotated[Path, typer.Argument(help="含 questions.jsonl 的文件夹 / folder with questions.jsonl")],
    corpus: Corpus = None,
    index: IndexFolder = None,
    as_json: AsJson = False,
    fail_under: Annotated[str, typer.Option(help="例如 / e.g. hit@1=0.9,zh.false_answer=0.1")] = "",
) -> None:
    """用带标准证据的问题评测 / Measure on questions with known evidence."""
    from bot import evaluation
    from bot.rendering import progress_bar, render_figures

    settings = load_settings(corpus=corpus or folder / "corpus", index=index)
    if index is None:  # never the user's own index; the same folder finds its index again
        settings = load_settings(corpus=settings.corpus, index=settings.index / "eval" / folder.resolve().name)
    questions = evaluation.read_questions(folder)
    bot = ready_bot(settings, rebuild=index is None)
    with progress_bar(err) as progress:
        result = evaluation.evaluate(bot, questions, lambda done: progress(done, len(questions)))
    if as_json:
        print_json(result)
    else:
        render_figures(out, result)
    missed = evaluation.failures(result, fail_under)
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
    """按你自己的文章和问题校准拒答 / Fit the refusal to your own articles and questions."""
    from bot.calibration import recalibrate
    from bot.evaluation import read_questions
    from bot.rendering import render_fits

    questions = read_questions(folder)
    render_fits(out, recalibrate(ready_bot(load_settings(corpus=corpus, index=index)), questions))


@cli.command()
def info(corpus: Corpus = None, index: IndexFolder = None, as_json: AsJson = False) -> None:
    """索引、模型和设置 / The index, the model and the settings."""
    from bot.pipeline import Bot
    from bot.rendering import render_sections

    settings = load_settings(corpus=corpus, index=index)
    opened = Bot(settings).index
    sections = {"settings": {name: str(value) for name, value in settings.model_dump().items()}, **opened.report()}
    if as_json:
        print_json(sections)
    else:
        render_sections(out, sections)


@cli.command()
def doctor(
    channel: Annotated[str, typer.Argument(help="slack | wechat | wecom | …, 不填则全部 / all without one")] = "",
    url: Annotated[str, typer.Option(help="扮演平台去访问 / play the platform against this address")] = "",
) -> None:
    """检查各渠道的设置,或扮演平台检验服务器 / Check the channels' settings, or play a platform."""
    from bot.doctor.checks import examine
    from bot.doctor.rehearsal import rehearse
    from bot.rendering import render_findings

    settings = load_settings()
    if url:
        good = render_findings(out, f"{channel} {url}", rehearse(channel, settings, url))
    else:
        found = examine(settings, channel)
        good = all([render_findings(out, name, findings) for name, findings in found.items()])
    if not good:
        raise typer.Exit(1)


def main() -> NoReturn:
    """Run the command line: an error of ours is one line on standard error and exit code 2, never a traceback."""
    # An ASCII locale must not break Chinese: what comes in and goes out is UTF-8, whatever the locale says.
    sys.argv[1:] = [os.fsencode(argument).decode("utf-8", "surrogateescape") for argument in sys.argv[1:]]
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors=errors)
    try:
        cli()
        sys.exit(0)
    except WenquError as error:
        with suppress(OSError):  # where even this cannot be written, the exit code says it
            err.print(escape(str(error)), style="red")
        sys.exit(2)
    except BrokenPipeError:  # `wenqu search ... | head` closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
