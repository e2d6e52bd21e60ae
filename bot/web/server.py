"""`wenqu serve`: where it listens, how it logs, and how it stops without losing an answer."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead

from bot.errors import SettingsError, WenquError
from bot.pipeline import Bot
from bot.settings import Settings
from bot.web.app import create_app
from bot.web.guard import is_loopback
from bot.web.telemetry import set_up_logging
from bot.web.watch import Watch
from bot.web.workers import SERVES, Place, supervise

log = logging.getLogger("wenqu")
# A stopping server leaves a model this long to finish what it writes; then the passages are the answer. A stream that
# nobody reads is cut after ten seconds.
_GRACE_SECONDS, _CUT_SECONDS = 5.0, 10
_FIRST = "问渠那得清如许?"
_BACKLOG = 2048  # connections that wait to be accepted


def check_address(settings: Settings) -> None:
    """Check that the server may listen there. Raises SettingsError for an address beyond this machine without a key."""
    if not is_loopback(settings.host) and not settings.api_key.get_secret_value() and not settings.insecure:
        raise SettingsError(
            f"在 {settings.host} 上，没有密钥谁都可以提问",
            f"on {settings.host} anybody could ask, for there is no key",
            "WENQU_API_KEY=..., or wenqu serve --insecure",
        )


def serve(ready: Callable[[], Bot], settings: Settings, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `ready` makes a bot whose index is built, `started` is told the address.

    Raises SettingsError when the address cannot be had, and WenquError when the workers do not start.
    """
    check_address(settings)
    set_up_logging(settings.log)
    _allow_many_connections()
    bot: Bot | None = ready()
    with contextlib.ExitStack() as open_sockets:
        listeners = [open_sockets.enter_context(one) for one in _listening(settings)]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        started(f"http://{host}:{listeners[0].getsockname()[1]}")
        if settings.workers == 1 and bot:
            _run(bot, listeners[0])
        else:
            bot = None  # each worker has its own over the same files
            _supervise(settings, listeners)


def _run(
    bot: Bot, listener: socket.socket, figures: Path | None = None, serves: Callable[[], None] = lambda: None
) -> None:
    """Serve over a socket until a signal; `serves` is called when the first question could be answered."""
    with contextlib.closing(bot.stream(_FIRST)) as events:
        next(events)  # loads what the first question of a user would wait for: dictionaries, weights
    app = create_app(bot, figures)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_CUT_SECONDS,
    )
    with _watching(bot) if bot.settings.watch else contextlib.nullcontext():
        _Server(config, app, bot, serves).run(sockets=[listener])


@contextlib.contextmanager
def _watching(bot: Bot) -> Iterator[None]:
    watch = Watch(bot)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


def _supervise(settings: Settings, listeners: list[socket.socket]) -> None:
    """Run the workers, each over a socket of its own; what waits while one is replaced is answered then."""
    context = multiprocessing.get_context("spawn")  # the libraries below have threads, which a fork would lose

    def started(listener: socket.socket, figures: str) -> tuple[SpawnProcess, Connection]:
        heard, says = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(settings, listener, Path(figures), says))
        worker.start()
        says.close()
        return worker, heard

    with tempfile.TemporaryDirectory(prefix="wenqu-figures-") as figures:
        # Of the processes that are started, where prometheus_client looks for it while it is imported; not of this one.
        os.putenv("PROMETHEUS_MULTIPROC_DIR", figures)
        ended = partial(mark_process_dead, path=figures)
        supervise([Place(partial(started, listener, figures), ended) for listener in listeners])


def _work(settings: Settings, listener: socket.socket, figures: Path, says: Connection) -> None:
    """A worker, which tells the supervisor that it serves, or why it cannot."""
    set_up_logging(settings.log)
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    try:
        _run(Bot(settings), listener, figures, lambda: says.send(SERVES))
    except WenquError as error:
        says.send(str(error))
        sys.exit(2)


def _end_with_the_supervisor() -> None:
    """A supervisor that was killed told nobody: its workers would keep the port."""
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)


class _Server(uvicorn.Server):
    """A server that says that it stops before it does, and whose end by a signal is no failure."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, bot: Bot, serves: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._bot, self._serves = app, bot, serves

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._serves()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop: nothing new, and what is under way gets its time. A second Ctrl-C waits for nothing."""
        self._app.state.stopping = True
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        elif not self.should_exit:
            grace = threading.Timer(_GRACE_SECONDS, self._bot.stop)
            grace.daemon = True
            grace.start()
        self.should_exit = True


def _listening(settings: Settings) -> list[socket.socket]:
    """A socket for each worker, all at the one address. Raises SettingsError.

    Linux deals connections out to them evenly. From one shared socket an idle worker takes whatever comes while the
    other still wakes: of 40 connections at once 40 and 0, and clients that keep theirs then load one core.
    """
    host, port = settings.host, settings.port
    create = partial(socket.create_server, family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG)
    try:
        listeners = [create((host, port))]  # fails where another server listens
        if settings.workers > 1 and sys.platform == "linux":
            port = listeners[0].getsockname()[1]
            listeners[0].close()
            listeners = [create((host, port), reuse_port=True) for _ in range(settings.workers)]
    except OSError as error:
        raise SettingsError(
            f"无法监听 {host}:{port}: {error.strerror}", "the address cannot be listened on", "WENQU_PORT, WENQU_HOST"
        ) from error
    for listener in listeners:
        # asyncio does so only for sockets that were made as TCP, which these were not: each further answer on a
        # connection waited 40 ms for the client to acknowledge its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return (listeners * settings.workers)[: settings.workers]  # elsewhere one socket is shared by all


def _allow_many_connections() -> None:
    """Raise the limit of open files to what the system allows: clients that say nothing hold a connection each."""
    with contextlib.suppress(ValueError, OSError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
