"""The instruments of one backend, in a registry of their own, with what the reference page says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

Kind = Literal["counter", "gauge", "histogram"]
PREFIX = "hmz_"


@dataclass(frozen=True, slots=True)
class Described:
    """What the reference page says of a metric."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    words: str


@dataclass
class Instruments:
    """Makes instruments, and shows what they read.

    Labels have few values: routes, models, outcomes; never a person, a run or an address.
    """

    described: list[Described] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        """Begin with what the operating system says of this process (on Linux)."""
        ProcessCollector(registry=self.registry)

    def counter(self, name: str, words: str, *labels: str) -> Counter:
        """Return a counter; its name ends with `_total`."""
        name = self._describe(name, "counter", labels, words)
        return Counter(name, words, labels, registry=self.registry)

    def gauge(self, name: str, words: str, *labels: str) -> Gauge:
        """Return a level that goes up and down."""
        return Gauge(
            self._describe(name, "gauge", labels, words), words, labels, registry=self.registry
        )

    def seconds(self, name: str, words: str, *labels: str, bounds: Sequence[float]) -> Histogram:
        """Return a histogram of durations; its name ends with `_seconds`."""
        name = self._describe(name, "histogram", labels, words)
        return Histogram(name, words, labels, registry=self.registry, buckets=bounds)

    def text(self) -> bytes:
        """Return all readings in Prometheus' text format."""
        return generate_latest(self.registry)

    def _describe(self, name: str, kind: Kind, labels: tuple[str, ...], words: str) -> str:
        full = PREFIX + name
        self.described.append(Described(full, kind, labels, words))
        return full
