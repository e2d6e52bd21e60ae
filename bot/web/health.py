"""What an operator asks: whether the process runs, whether it can answer, and its figures.

None of it waits for questions that are being answered: what has to be looked up is looked up in threads of its own.
"""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, HTTPException, Request, Response

from bot.web.guard import ALIVE, is_loopback
from bot.web.state import TheBot
from bot.web.telemetry import CONTENT_TYPE, Metrics

THREADS = 2  # a probe of the operator and one of the proxy
FOR_THIS_MACHINE = "只限本机，或设置 WENQU_API_KEY / from this machine only, or set WENQU_API_KEY"
router = APIRouter(tags=["health"])


@router.get(ALIVE, summary="The process runs")
async def livez() -> dict[str, str]:
    """Nothing is looked at."""
    return {"status": "ok"}


@router.get("/readyz", summary="An index is loaded and verified; 503 while it is not, or stopping")
async def readyz(request: Request, response: Response, bot: TheBot) -> dict[str, str]:
    """The generation that answers."""
    if request.app.state.stopping:
        response.status_code = 503
        return {"status": "stopping"}
    threads: CapacityLimiter = request.app.state.health_threads
    return {"status": "ok", "generation": (await to_thread.run_sync(bot.generation, limiter=threads)).name}


@router.get("/metrics", summary="Figures for Prometheus; without a key, to this machine only")
async def figures(request: Request, bot: TheBot) -> Response:
    """The figures of all workers, in the text format of Prometheus."""
    if not bot.settings.api_key.get_secret_value() and not (request.client and is_loopback(request.client.host)):
        raise HTTPException(403, FOR_THIS_MACHINE)
    metrics: Metrics = request.app.state.metrics
    threads: CapacityLimiter = request.app.state.health_threads
    text = await to_thread.run_sync(lambda: metrics.exposition(bot.generation()), limiter=threads)
    return Response(text, media_type=CONTENT_TYPE)
