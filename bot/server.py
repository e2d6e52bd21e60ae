"""`wenqu serve`: where it listens, how it logs, and how it stops without losing an answer."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.context import SpawnProcess
from types import FrameType

import uvicorn
from fastapi import FastAPI

from bot.app import create_app
from bot.errors import SettingsError
from bot.guard import is_loopback
from bot.pipeline import Bot
from bot.settings import Settings
from bot.telemetry import set_up_logging
from bot.watch import Watch

log = logging.getLogger("wenqu")
# A stopping server leaves a model this long to finish what it writes; then the passages are the answer. A stream that
# nobody reads is cut after ten seconds.
_GRACE_SECONDS, _CUT_SECONDS = 5.0, 10
_FIRST = "问渠那得清如许?"
_BACKLOG = 2048  # connections that wait to be accepted
_LOOK_SECONDS = 0.5  # how often it is looked whether a worker died


def check_address(settings: Settings) -> None:
    """Nothing, where the server may listen there. Raises SettingsError beyond this machine without a key."""
    if not is_loopback(settings.host) and not settings.api_key.get_secret_value() and not settings.insecure:
        raise SettingsError(
            f"在 {settings.host} 上,没有密钥谁都可以提问",
            f"on {settings.host} anybody could ask, for there is no key",
            "WENQU_API_KEY=..., or wenqu serve --insecure",
        )


def serve(ready: Callable[[], Bot], settings: Settings, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `ready` makes a bot whose index is built, `started` is told the address.

    Raises SettingsError when the address cannot be had.
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
            _run(bot, settings, listeners[0])
        else:
            bot = None  # each worker has its own over the same files
            _supervise(settings, listeners)


def _run(bot: Bot, settings: Settings, listener: socket.socket) -> None:
    bot.found(_FIRST)  # loads what the first question of a user would wait for: dictionaries, weights
    app = create_app(bot, settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_CUT_SECONDS,
    )
    with _watching(bot) if settings.watch else contextlib.nullcontext():
        _Server(config, app, bot).run(sockets=[listener])


@contextlib.contextmanager
def _watching(bot: Bot) -> Iterator[None]:
    watch = Watch(bot)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


def _supervise(settings: Settings, listeners: list[socket.socket]) -> None:
    """Run the workers, each over a socket of its own; one that dies is replaced, and what waited is answered then."""
    stopping = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stopping.set())
    context = multiprocessing.get_context("spawn")  # the libraries below have threads, which a fork would lose

    def started(listener: socket.socket) -> SpawnProcess:
        worker = context.Process(target=_work, args=(settings, listener))
        worker.start()
        return worker

    workers = [started(listener) for listener in listeners]
    while not stopping.wait(_LOOK_SECONDS):
        for number, worker in enumerate(workers):
            if not worker.is_alive():
                log.error("a worker ended with %s and is replaced", worker.exitcode)
                workers[number] = started(listeners[number])
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()


def _work(settings: Settings, listener: socket.socket) -> None:
    set_up_logging(settings.log)
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    _run(Bot(settings), settings, listener)


def _end_with_the_supervisor() -> None:
    """A supervisor that was killed told nobody: its workers would keep the port."""
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)


class _Server(uvicorn.Server):
    """A server that says that it stops before it does, and whose end by a signal is no failure."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, bot: Bot) -> None:
        super().__init__(config)
        self._app, self._bot = app, bot

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
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
