"""What the server counts, for Prometheus."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from waterbutler.core import StorageInfo
from waterbutler.server import tally

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class _StorageMetrics:
    """What is counted of each kind of storage."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "waterbutler_storage_calls",
            "Calls to storages by provider, operation and outcome",
            ("provider", "operation", "outcome"),
            registry=registry,
        )
        self.seconds = Histogram(
            "waterbutler_storage_call_seconds",
            "Duration of calls to storages",
            ("provider", "operation"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.bytes = Counter(
            "waterbutler_storage_bytes",
            "Bytes read from and written to storages",
            ("provider", "direction"),
            registry=registry,
        )


class Metrics:
    """The series of one process; with several processes their sum is shown.

    Several processes share their numbers through files (`waterbutler.server.tally`); the
    supervisor says where before it starts them.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "waterbutler_requests",
            "Requests by dialect, method, action and status",
            ("dialect", "method", "action", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "waterbutler_request_seconds",
            "Duration of requests until their last byte",
            ("dialect", "method", "action"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.limited = Counter(
            "waterbutler_limited_requests",
            "Requests that a limit refused, or that could not be counted, by limit and outcome",
            ("limit", "outcome"),
            registry=registry,
        )
        self.active = Gauge(
            "waterbutler_requests_active",
            "Requests that are being served",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.received = Counter(
            "waterbutler_received_bytes", "Bytes of request bodies", registry=registry
        )
        self.sent = Counter("waterbutler_sent_bytes", "Bytes of answers", registry=registry)
        self._storages = _StorageMetrics(registry)
        self._request_series: dict[tuple[str, ...], tuple[Counter, Histogram]] = {}
        self._call_series: dict[tuple[str, ...], tuple[Counter, Histogram]] = {}
        self._byte_series: dict[tuple[str, ...], Counter] = {}

    def request(self, dialect: str, method: str, action: str, status: int, seconds: float) -> None:
        """A request is over. Looking series up by their labels is slow, so they are kept."""
        key = (dialect, method, action, str(status))
        series = self._request_series.get(key)
        if series is None:
            requests = self.requests.labels(*key)
            durations = self.seconds.labels(dialect, method, action)
            series = self._request_series[key] = (requests, durations)
        series[0].inc()
        series[1].observe(seconds)

    def operation(self, storage: StorageInfo, operation: str, seconds: float, outcome: str) -> None:
        """See `waterbutler.layers.Observer`."""
        key = (storage.name, operation, outcome)
        series = self._call_series.get(key)
        if series is None:
            calls = self._storages.calls.labels(*key)
            durations = self._storages.seconds.labels(storage.name, operation)
            series = self._call_series[key] = (calls, durations)
        series[0].inc()
        series[1].observe(seconds)

    def transferred(self, storage: StorageInfo, direction: str, count: int) -> None:
        """See `waterbutler.layers.Observer`."""
        key = (storage.name, direction)
        series = self._byte_series.get(key)
        if series is None:
            series = self._byte_series[key] = self._storages.bytes.labels(*key)
        series.inc(count)

    def render(self) -> bytes:
        """Everything in the text format of Prometheus."""
        folder = os.environ.get(tally.FOLDER)
        return generate_latest(self.registry) if folder is None else tally.rendered(Path(folder))
