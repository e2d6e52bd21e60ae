"""What a server tells its operator: a log line for each request and answer, and metrics. Never what was asked.

Requests are events of the middleware here, answers those of the journal; both are records of one logger, from which the
JSON log and the metrics are made.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.journal import EVENTS
from bot.text.printable import printable
from bot.types import Generation

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# An answer takes 2 to 20 ms, with a model's words up to a minute.
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60)
disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the series, to say when each began
_request_id: ContextVar[str] = ContextVar("request_id", default="")


class Metrics(logging.Handler):
    """Counts the events. The labels are names of ours, so that no client makes the series grow."""

    def __init__(self, folder: Path | None = None) -> None:
        """Series of one application; with a folder, in which each worker has its files, those of all workers."""
        super().__init__()
        own: dict[str, Any] = {"registry": CollectorRegistry()}
        if folder is None:
            self._registry = own["registry"]
            ProcessCollector(**own)
        else:
            self._registry = CollectorRegistry()
            self._registry.register(_WorkerProcesses(folder))
            MultiProcessCollector(self._registry, str(folder))  # type: ignore[no-untyped-call]
        self._requests = Counter("wenqu_requests", "Requests, by route and status.", ["route", "status"], **own)
        self._seconds = Histogram("wenqu_request_seconds", "Seconds of a request.", ["route"], buckets=_BUCKETS, **own)
        self._answers = Counter("wenqu_answers", "Answers.", ["surface", "mode", "refused"], **own)
        self._stages = Histogram("wenqu_stage_seconds", "Seconds of a stage.", ["stage"], buckets=_BUCKETS, **own)
        self._degraded = Counter("wenqu_degraded", "Answers that lacked a part.", ["part"], **own)
        own["multiprocess_mode"] = "livesum"
        self.under_way = Gauge("wenqu_requests_under_way", "Requests under way.", **own)
        own["multiprocess_mode"] = "livemostrecent"  # each worker sets them when it is asked
        self._passages = Gauge("wenqu_index_passages", "Passages of the live generation.", **own)
        self._generation = Gauge("wenqu_index_generation", "Number of the live generation.", **own)

    def emit(self, record: logging.LogRecord) -> None:
        """Count one event."""
        fields = getattr(record, "fields", {})
        if record.getMessage() == "request":
            self._requests.labels(fields["route"], fields["status"]).inc()
            self._seconds.labels(fields["route"]).observe(fields["ms"] / 1000)
        elif record.getMessage() == "answer":
            self._answers.labels(fields["surface"], fields["mode"], str(fields["refused"]).lower()).inc()
            for stage, milliseconds in fields["stages"].items():
                self._stages.labels(stage).observe(milliseconds / 1000)
            for part in fields["degraded"]:
                self._degraded.labels(part).inc()

    def exposition(self, generation: Generation) -> bytes:
        """The series in the text format of Prometheus, with what the live generation holds."""
        self._passages.set(generation.passages)
        self._generation.set(int(generation.name.partition("-")[2]))
        return generate_latest(self._registry)


class _WorkerProcesses(Collector):
    """The process metrics of all workers: memory, time and open files added up; of limits and starts the least."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """The metrics that one process has, each with one value."""
        values: dict[str, list[Metric]] = {}
        for file in self._folder.glob("gauge_livesum_*.db"):  # a worker has one until it is marked as dead
            for metric in ProcessCollector(pid=partial(str, file.stem.rpartition("_")[2]), registry=None).collect():
                values.setdefault(metric.name, []).append(metric)
        for name, metrics in values.items():
            added = min if name in ("process_max_fds", "process_start_time_seconds") else sum
            samples = [metric.samples[0] for metric in metrics]
            metrics[0].samples = [samples[0]._replace(value=added(sample.value for sample in samples))]
            yield metrics[0]


class Requests:
    """Middleware: each request gets an id, which the client is told, and becomes an event when it is answered."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap an application."""
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the request; one that ends without a response is a 499: its client left."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity, status, begun = secrets.token_hex(8), 499, time.perf_counter()

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = identity
            await send(message)

        _request_id.set(identity)
        self._metrics.under_way.inc()
        try:
            await self.app(scope, receive, with_id)
        except Exception:
            status = 500
            raise
        finally:
            self._metrics.under_way.dec()
            milliseconds = round((time.perf_counter() - begun) * 1000, 1)
            EVENTS.info("request", extra={"fields": {"route": _route(scope), "status": status, "ms": milliseconds}})


def _route(scope: Scope) -> str:
    """The route as it is declared; what stands in an address is the client's."""
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        return str(scope.get("root_path", "")) + str(path)
    return str(scope.get("root_path", "")) or "none"


class JsonFormatter(logging.Formatter):
    """A record as one line of ASCII JSON: no text in it can break the line or draw on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "request": _request_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A record as people read it, without what could pass for another line or draw on their terminal."""

    def __init__(self) -> None:
        """The time, the level, the message."""
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is logging's
        """The first line."""
        record.message = " ".join(printable(record.message).splitlines())
        return super().formatMessage(record)


def set_up_logging(form: str) -> None:
    """Log to standard error: `text` what went wrong, `json` each request and answer too."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], force=True)  # before any package sets up its own
    EVENTS.propagate = form == "json"
