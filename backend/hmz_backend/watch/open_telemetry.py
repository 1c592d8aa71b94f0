"""Traces for OpenTelemetry, sent as OTLP over HTTP; imported only where the settings ask for it.

How many traces are kept, and what else is said of the service, is OpenTelemetry's own to be told:
`OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hmz_backend.watch.traces import Span, Word, passing_on
from napari_hmz.errors import HmzError
from napari_hmz.version import __version__

SERVICE: Final = "hmz-backend"


class OpenTelemetry:
    """Hands spans to an exporter, many at a time, from a thread; a `Traces`.

    Parameters
    ----------
    exporter
        Sends them.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        known = {"service.name": SERVICE, "service.version": __version__}
        self._provider = TracerProvider(resource=Resource.create(known))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("hmz_backend")
        self._words = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, **words: Word) -> Iterator[Span]:
        """Return a part of the span that goes on; an error that leaves it is noted."""
        with self._begun(name, SpanKind.INTERNAL) as span:
            span.tell(**words)
            yield span

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[Span]:
        """Return the span of a request; it is a part of the client's, if the headers name one."""
        parent = self._words.extract(headers, Context())
        with self._begun("request", SpanKind.SERVER, parent) as span:
            yield span

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()

    @contextmanager
    def _begun(self, name: str, kind: SpanKind, parent: Context | None = None) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, parent, kind, record_exception=False, set_status_on_exception=False
        ) as begun:
            span, carried = _Span(begun), dict[str, str]()
            self._words.inject(carried)
            with passing_on(carried):
                try:
                    yield span
                except BaseException as error:  # what its text says may be secret: its kind will do
                    span.failed(error)
                    raise


class _Span:
    """A span of OpenTelemetry; a `Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def is_kept(self) -> bool:
        """Whether its trace is among those that are sampled."""
        return self._span.is_recording()

    def tell(self, **words: Word) -> None:
        """Add what has become known; `http__route` is told as `http.route`."""
        for name, word in words.items():
            self._span.set_attribute(name.replace("__", "."), word)

    def name(self, name: str) -> None:
        """Call it something else."""
        self._span.update_name(name)

    def failed(self, error: BaseException) -> None:
        """Note the kind of an error."""
        kind = error.code if isinstance(error, HmzError) else type(error).__name__
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)


def otlp(url: str) -> OpenTelemetry:
    """Return traces that are sent to a collector at an address without a path."""
    return OpenTelemetry(OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces"))
