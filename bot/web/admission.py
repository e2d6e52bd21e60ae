"""How much is answered at a time: questions under way, questions that wait, and how many a client may ask."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import HTTPException, Request
from limits import parse_many
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from bot.settings import Settings
from bot.web.guard import is_loopback

BUSY = "正忙，请稍后再试 / too many questions at once: try again in a moment"
TOO_OFTEN = "问得太快，请稍后再试 / too many questions from one address: try again later → WENQU_RATE_LIMIT"
# How many questions wait for a free place, and for how long: who waits longer has left.
_QUEUE = 64
_PATIENCE_SECONDS = 2.0


class Admission:
    """Lets so many questions through at a time, and counts those of a client. Of this process only."""

    def __init__(self, settings: Settings) -> None:
        """Read the limits. A client on this machine may ask as often as it likes."""
        self._free = asyncio.Semaphore(settings.max_concurrent)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._rates = parse_many(settings.rate_limit) if settings.rate_limit else []
        self._waiting = 0

    @asynccontextmanager
    async def admitted(self, address: str) -> AsyncIterator[None]:
        """While a question of a client is answered. Raises HTTPException 429 or 503 with Retry-After."""
        await self._count(_client(address))
        async with self.placed():
            yield

    @asynccontextmanager
    async def placed(self) -> AsyncIterator[None]:
        """While what is no question is answered: it takes a place, and is not counted. Raises HTTPException 503."""
        if self._free.locked() and self._waiting >= _QUEUE:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    async def _count(self, client: str) -> None:
        for rate in self._rates if client else ():
            if not await self._limiter.hit(rate, client):
                reset = (await self._limiter.get_window_stats(rate, client)).reset_time
                wait = str(max(1, round(reset - time.time())))
                known = {"RateLimit-Limit": str(rate.amount), "RateLimit-Remaining": "0", "RateLimit-Reset": wait}
                raise HTTPException(429, TOO_OFTEN, {"Retry-After": wait, **known})


async def admitted(request: Request) -> AsyncIterator[None]:
    """The dependency of every route that answers: its body is read by then, so that a slow client holds no place."""
    admission = _admission(request)
    async with admission.admitted(request.client.host if request.client else "") if admission else nullcontext():
        yield


async def placed(request: Request) -> AsyncIterator[None]:
    """The dependency of routes that read the index without a question of the client: no page load uses up its rate."""
    admission = _admission(request)
    async with admission.placed() if admission else nullcontext():
        yield


def _admission(request: Request) -> Admission | None:
    """None while the application has not started, as in a test of one route."""
    return getattr(request.state, "admission", None)


def _client(address: str) -> str:
    """What a client is counted by: its address, in IPv6 its network; "" for one that is not counted."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return ""  # a Unix socket has none
    if is_loopback(address):
        return ""
    return str(ipaddress.ip_network(f"{known}/64", strict=False)) if known.version == 6 else str(known)


def _busy() -> HTTPException:
    return HTTPException(503, BUSY, {"Retry-After": "1"})
