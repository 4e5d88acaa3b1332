"""Prometheus metrics, right also where a service runs as several processes.

Counts and durations by route and status only; no label may hold an identifier, a party's data, or (in the broker)
anything that depends on a match and can be fetched by a party.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

# prometheus_client decides when it is imported whether values are shared between processes. So it is imported when
# the first metric is made, inside `shared_between_processes`.
if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# Two threads that want one metric for the first time at once would both make it, and the second would be refused.
_making = threading.Lock()


@contextmanager
def shared_between_processes(directory: Path) -> Iterator[None]:
    """Meanwhile all processes forked from this one count together, in files in `directory`. Enter before any metric."""
    os.environ[_DIRECTORY_VARIABLE] = str(directory)
    try:
        yield
    finally:
        del os.environ[_DIRECTORY_VARIABLE]


@cache
def _counter(name: str, documentation: str, labels: tuple[str, ...]) -> "Counter":
    from prometheus_client import Counter

    return Counter(name, documentation, labels)


@cache
def _histogram(name: str, documentation: str, labels: tuple[str, ...]) -> "Histogram":
    from prometheus_client import Histogram

    return Histogram(name, documentation, labels, buckets=_SECONDS)


@cache
def _gauge(name: str, documentation: str, labels: tuple[str, ...]) -> "Gauge":
    from prometheus_client import Gauge

    return Gauge(name, documentation, labels, multiprocess_mode="livesum")


def counter(name: str, documentation: str, labels: Sequence[str] = ()) -> "Counter":
    """Return the counter of this name, the same one each time."""
    with _making:
        return _counter(name, documentation, tuple(labels))


def histogram(name: str, documentation: str, labels: Sequence[str] = ()) -> "Histogram":
    """Return the histogram of seconds of this name, the same one each time."""
    with _making:
        return _histogram(name, documentation, tuple(labels))


def gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> "Gauge":
    """Return the gauge of this name, the same one each time; processes' values are added up."""
    with _making:
        return _gauge(name, documentation, tuple(labels))


def count_request(service: str, method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request; `route` is the template, never the path."""
    counter("crosslight_requests", "Requests answered", ("service", "method", "route", "status")).labels(
        service, method, route, str(status)
    ).inc()
    histogram("crosslight_request_seconds", "Time to answer", ("service", "route")).labels(service, route).observe(
        seconds
    )


def render_metrics() -> tuple[bytes, str]:
    """Return all metrics of all processes in Prometheus' text format, and its content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = REGISTRY
    if _DIRECTORY_VARIABLE in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_process(process_id: int) -> None:
    """Drop a dead process's gauges; its counts stay."""
    if _DIRECTORY_VARIABLE in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(process_id)  # type: ignore[no-untyped-call]
