"""Requests: how many, how long, how many bytes, by the template of their route."""

from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Histogram

from hmz_backend.watch.instruments import Instruments

BOUNDS_S: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
NO_ROUTE: Final = "none"
"""What all paths that lead nowhere are counted as: anybody can make up any number of them."""


@dataclass(frozen=True, slots=True)
class _Series:
    """What is counted of one kind of answer."""

    requests: Counter
    seconds: Histogram
    received: Counter
    sent: Counter


class RequestMetrics:
    """Counts requests.

    Parameters
    ----------
    made
        Makes the instruments.
    """

    def __init__(self, made: Instruments) -> None:
        self._requests = made.counter(
            "http_requests_total",
            "Requests that were answered; route: its template, `none`, or `hmz-passed-on` where "
            "the process that looks after runs has answered, and counts the request, too.",
            "route",
            "method",
            "status",
        )
        self._seconds = made.seconds(
            "http_request_seconds",
            "From the first byte of a request to the last of its answer; of long polls and event "
            "streams, the time that they were open.",
            "route",
            "method",
            bounds=BOUNDS_S,
        )
        self._received = made.counter(
            "http_received_bytes_total",
            "Bytes of bodies received; at the chunks of volumes: what clients upload.",
            "route",
        )
        self._sent = made.counter(
            "http_sent_bytes_total",
            "Bytes of bodies sent; at the keys of outputs: what clients fetch.",
            "route",
        )
        self._series: dict[tuple[str, str, int], _Series] = {}

    def answered(
        self, route: str, method: str, status: int, seconds: float, *, received: int, sent: int
    ) -> None:
        """Count one request; `received` and `sent` are the bytes of the bodies."""
        key = (route, method if method in METHODS else "other", status)
        series = self._series.get(key)
        if series is None:  # looked up once: chunks come by the thousand
            series = self._series[key] = self._begun(*key)
        series.requests.inc()
        series.seconds.observe(seconds)
        if received:
            series.received.inc(received)
        if sent:
            series.sent.inc(sent)

    def _begun(self, route: str, method: str, status: int) -> _Series:
        return _Series(
            self._requests.labels(route, method, status),
            self._seconds.labels(route, method),
            self._received.labels(route),
            self._sent.labels(route),
        )
