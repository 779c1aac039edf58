"""What this process counts while it works: requests, transactions, jobs, its own memory and CPU.

Built once, in bootstrap; the rooms that do the work are given its methods. Every label has few values: names of routes and
kinds of jobs, never an address, a name or an id.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_STORE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10)
_JOB_BUCKETS = (0.01, 0.05, 0.25, 1, 5, 30, 120, 600)


class Instruments:
    """The counters and histograms of one process. Thread-safe."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "aerodrome_http_requests",
            "Requests answered, by the name of the route.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "aerodrome_http_request_seconds",
            "Time until a request was answered to the end.",
            ("route",),
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._store_seconds = Histogram(
            "aerodrome_store_transaction_seconds",
            "Time that a transaction on the platform's database took, waiting included.",
            ("kind",),
            buckets=_STORE_BUCKETS,
            registry=registry,
        )
        self._job_runs = Counter(
            "aerodrome_job_runs", "Looks of this process's worker.", ("kind", "outcome"), registry=registry
        )
        self._job_seconds = Histogram(
            "aerodrome_job_seconds", "Time that a look took.", ("kind",), buckets=_JOB_BUCKETS, registry=registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def transaction(self, kind: str, seconds: float) -> None:
        """Count a transaction (`reading` or `writing`) on the platform's database."""
        self._store_seconds.labels(kind).observe(seconds)

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        """Count a run of the worker: done, failed, crashed or lost."""
        self._job_runs.labels(kind, outcome).inc()
        self._job_seconds.labels(kind).observe(seconds)

    def render(self) -> bytes:
        """Write all of it."""
        return generate_latest(self._registry)
