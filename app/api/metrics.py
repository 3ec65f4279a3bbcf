"""Counters for Prometheus, without a person in them: methods, routes' templates, statuses, loops.

Each application has a registry of its own, so that two in one process (as in tests) do not add up.
"""

import time
from collections.abc import Callable, Iterator
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.wiring import House

_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """What one application has counted. `house` gives the house as it is when somebody asks."""

    def __init__(self, house: Callable[[], House]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "jiujin_http_requests", "Requests answered", ("method", "route", "status"), registry=self._registry
        )
        self.durations = Histogram(
            "jiujin_http_request_duration_seconds",
            "Time to answer",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(_HouseCollector(house))

    def exposition(self) -> bytes:
        """All values in Prometheus's text format."""
        return generate_latest(self._registry)


class _HouseCollector(Collector):
    """Values that are read rather than counted: the index and the loops."""

    def __init__(self, house: Callable[[], House]) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        house = self._house()
        matchmaker = house.matchmaker
        yield GaugeMetricFamily("jiujin_index_ready", "1 when the index is built", value=int(matchmaker is not None))
        yield GaugeMetricFamily(
            "jiujin_index_version", "Grows with each change taken in", value=matchmaker.version if matchmaker else 0
        )
        runs = CounterMetricFamily("jiujin_loop_runs", "Runs of a background loop", labels=("loop",))
        failures = CounterMetricFamily("jiujin_loop_failures", "Runs that failed", labels=("loop",))
        last = GaugeMetricFamily("jiujin_loop_last_success_timestamp_seconds", "Last good run", labels=("loop",))
        for name, pulse in sorted(house.pulses.snapshot().items()):
            runs.add_metric((name,), pulse.runs)
            failures.add_metric((name,), pulse.failures)
            if pulse.succeeded_at is not None:
                last.add_metric((name,), pulse.succeeded_at.timestamp())
        yield from (runs, failures, last)


async def metrics_of(request: Request) -> Metrics:
    """What this application has counted."""
    metrics: Metrics = request.app.state.metrics
    return metrics


CurrentMetrics = Annotated[Metrics, Depends(metrics_of)]


class RequestCounter:
    """ASGI middleware that counts requests by their route's template; a path without a route counts as `unmatched`."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            # Methods are the client's own words: only known ones become a label.
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.durations.labels(route).observe(time.perf_counter() - begun)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
