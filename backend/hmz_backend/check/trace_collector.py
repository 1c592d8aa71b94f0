"""The collector of traces: OpenTelemetry is installed here, and takes them there."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.web import OK, NoAnswer, asked

PATH: Final = "/v1/traces"
PROTOBUF: Final = {"Content-Type": "application/x-protobuf"}
SIGNED_IN: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class TraceCollector:
    """Looks at `traces_url`; an empty message is sent there, which has no trace in it."""

    url: str
    subject: str = "traces"

    def look(self) -> Sequence[Finding]:
        """Return whether traces would arrive."""
        if lacking := _lacking():
            words = f"Of OpenTelemetry, {lacking} is not installed: the backend does not start."
            return [wrong(words, "pip install 'napari-hmz[traces]', or leave traces_url out.")]
        try:
            answer = asked("POST", self.url.rstrip("/") + PATH, headers=PROTOBUF)
        except NoAnswer as error:
            words = f"Nobody takes traces at {self.url}: {error}."
            return [wrong(words, "Start the collector, or correct traces_url (OTLP over HTTP).")]
        if answer.status in SIGNED_IN:
            words = f"{self.url} asks who sends traces."
            return [warning(words, "Say so in OTEL_EXPORTER_OTLP_HEADERS where the backend runs.")]
        if answer.status != OK:
            words = f"What answers at {self.url} takes no traces: {PATH} is answered with"
            return [wrong(f"{words} {answer.status}.", "Name its port for OTLP over HTTP (4318).")]
        return [ok(f"{self.url} takes traces.")]


def _lacking() -> str:
    """Return what is not installed, if anything."""
    try:
        import_module("hmz_backend.watch.open_telemetry")
    except ImportError as error:
        return error.name or "a part"
    return ""
