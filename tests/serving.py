"""A real server on loopback, for clients that are not ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from bot.app import create_app
from bot.pipeline import Bot
from bot.settings import Settings


@contextmanager
def serving(bot: Bot, settings: Settings) -> Iterator[str]:
    """The address of the application while it is served."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(bot, settings), port=0, log_level="warning", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()
