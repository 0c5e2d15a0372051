"""Metrics in Prometheus's format: latencies by route, queues, batches and rows."""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64)

NO_ROUTE = "(none)"
"""The route of requests that were refused, or for which there is none."""

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})
"""Clients can send any others, each of which would be kept."""


class Metrics:
    """The metrics of one server."""

    def __init__(self, batches: Callable[[], Mapping[tuple[str, int], int]]) -> None:
        """`batches` returns how often a method of an encoder was called with how many inputs."""
        self._registry = CollectorRegistry()
        self.seconds = Histogram(
            "clipsearch_http_request_seconds",
            "Seconds from a request until its response begins.",
            ("method", "route", "status"),
            buckets=SECONDS,
            registry=self._registry,
        )
        self.in_progress = self._gauge("http_requests_in_progress", "Requests being answered.")
        self.images = self._gauge("images", "Images in the collection.")
        self.jobs = self._gauge("ingest_jobs_running", "Ingest jobs that run.")
        self._waiting = Gauge(
            "clipsearch_queue_calls",
            "Calls that run or wait, by queue.",
            ("queue",),
            registry=self._registry,
        )
        self._registry.register(_EncoderBatches(batches))
        ProcessCollector(registry=self._registry)

    def watch_queue(self, name: str, length: Callable[[], int]) -> None:
        """Report the length of a queue from now on."""
        self._waiting.labels(name).set_function(length)

    def as_text(self) -> bytes:
        """Return all metrics, of CONTENT_TYPE."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, description: str) -> Gauge:
        return Gauge(f"clipsearch_{name}", description, registry=self._registry)


class MetricsMiddleware:
    """Observes each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap an app."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def observe_and_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._observe(scope, status, time.perf_counter() - started)
            await send(message)

        with self._metrics.in_progress.track_inprogress():
            await self._app(scope, receive, observe_and_send)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        self._metrics.seconds.labels(method, route, status).observe(seconds)


class _EncoderBatches(Collector):
    """Histograms of what an encoder is called with, from counts that others keep."""

    def __init__(self, batches: Callable[[], Mapping[tuple[str, int], int]]) -> None:
        self._batches = batches

    def collect(self) -> Iterator[Metric]:
        counts = self._batches()
        family = HistogramMetricFamily(
            "clipsearch_encoder_batch_inputs",
            "Inputs of each call of a model.",
            labels=("kind",),
        )
        for kind in ("texts", "images"):
            sizes = {size: count for (name, size), count in counts.items() if name == kind}
            bounds = (*SIZES, float("inf"))
            within = [
                sum(count for size, count in sizes.items() if low < size <= high)
                for low, high in zip((0, *SIZES), bounds, strict=True)
            ]
            labels = [str(float(bound)) if bound in SIZES else "+Inf" for bound in bounds]
            total = sum(size * count for size, count in sizes.items())
            family.add_metric(
                (kind,), list(zip(labels, accumulate(within), strict=True)), sum_value=total
            )
        yield family
