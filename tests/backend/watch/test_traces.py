"""Traces: request, run, blocks and tiles are parts of each other, and of the client's span."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hmz_backend.cli.chosen_traces import choose_traces
from hmz_backend.engines.protocol import TileRequest
from hmz_backend.settings import load_settings
from hmz_backend.testing.cards import CARDS, MODELS, VERSION
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend
from hmz_backend.testing.user import User
from hmz_backend.watch.open_telemetry import OpenTelemetry
from hmz_backend.watch.traces import NoTraces, passed_on
from hmz_backend.watch.watch import Watch
from napari_hmz.errors import SettingsInvalid
from napari_hmz.schema import wire

IMAGE = np.random.default_rng(5).integers(1, 256, (20, 50, 44)).astype("uint8")
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CLIENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


class Spans:
    """What was traced, by name."""

    def __init__(self, spans: tuple[ReadableSpan, ...]) -> None:
        self.all = spans

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def parent(self, span: ReadableSpan) -> ReadableSpan:
        assert span.parent is not None
        number = span.parent.span_id
        return next(each for each in self.all if each.context and each.context.span_id == number)


def traced(tmp_path: Path, engine: FakeEngine) -> tuple[Spans, str]:
    """Run a model with a client that traces; return the spans, and the run."""
    exporter = InMemorySpanExporter()
    watch = Watch(traces=OpenTelemetry(exporter))
    with LiveBackend(tmp_path, engine, CARDS, watch=watch) as live:
        with live.client(**CLIENT) as http:
            user = User(http, IMAGE, (8, 16, 16))
            user.announce()
            run = user.start("copy").id
        with live.client() as http:  # others bring the chunks
            User(http, IMAGE, (8, 16, 16), volume=user.volume).finish(run)
    watch.traces.close()
    return Spans(exporter.get_finished_spans()), run


def test_spans_of_a_run_hang_together_and_hang_on_the_clients(tmp_path: Path) -> None:
    seen: list[str] = []

    def look(request: TileRequest) -> dict[str, Any]:
        seen.append(passed_on()["traceparent"])
        return {"out": request.inputs["image"]}

    spans, run = traced(tmp_path, FakeEngine({**MODELS, ("copy", VERSION): look}))
    (asked,) = spans.named(f"POST {wire.RUNS}")
    assert asked.parent is not None
    assert f"{asked.parent.trace_id:032x}-{asked.parent.span_id:016x}" == f"{TRACE}-{PARENT}"
    assert asked.attributes is not None
    assert asked.attributes["http.response.status_code"] == 201
    assert len(str(asked.attributes["hmz.person"])) == 12, "a pseudonym"

    (driven,) = spans.named("run")
    assert spans.parent(driven) is asked
    assert driven.attributes == {"hmz.run": run, "hmz.model": "copy", "hmz.version": VERSION}
    engines = spans.named("engine")
    assert len(engines) == len(spans.named("block")) > 1
    for engine in engines:
        tile = spans.parent(engine)
        block = spans.parent(tile)
        assert (tile.name, block.name) == ("tile", "block")
        assert spans.parent(block) is driven
    numbers = {f"00-{TRACE}-{each.context.span_id:016x}-01" for each in engines if each.context}
    assert set(seen) == numbers, "the engine is told which span its work is a part of"


def test_what_fails_says_of_what_kind_and_never_in_words(tmp_path: Path) -> None:
    def fail(_request: TileRequest) -> dict[str, Any]:
        raise RuntimeError(f"Bearer {TOKEN}")

    spans, _ = traced(tmp_path, FakeEngine({**MODELS, ("copy", VERSION): fail}))
    failed = spans.named("engine")[0]
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "RuntimeError"
    told = json.dumps([json.loads(span.to_json()) for span in spans.all])
    for secret in (TOKEN, "Bearer", "owner"):
        assert secret not in told


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """Take traces as an OpenTelemetry collector does."""
    taken: list[ExportTraceServiceRequest] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_collector_gets_them_over_http(tmp_path: Path) -> None:
    with collector() as (url, taken):
        watch = Watch(traces=choose_traces(load_settings(traces_url=url)))
        with LiveBackend(tmp_path, FakeEngine(MODELS), CARDS, watch=watch) as live:
            httpx.get(live.url + wire.HEALTH, headers=CLIENT)
        watch.traces.close()
    spans = [
        (resource, span)
        for message in taken
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    (found,) = [each for each in spans if each[1].name == f"GET {wire.HEALTH}"]
    assert found[1].trace_id.hex() == TRACE
    assert ("service.name", "hmz-backend") in {
        (each.key, each.value.string_value) for each in found[0].resource.attributes
    }


def test_nothing_is_traced_and_nothing_imported_unless_asked_for() -> None:
    assert isinstance(choose_traces(load_settings()), NoTraces)
    code = (
        "import sys, hmz_backend.cli.serve; "
        "print([name for name in ('opentelemetry.sdk', 'opentelemetry.exporter') "
        "if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_where_opentelemetry_is_not_installed_the_admin_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "hmz_backend.watch.open_telemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsInvalid, match="opentelemetry") as raised:
        choose_traces(load_settings(traces_url="http://127.0.0.1:4318"))
    assert "napari-hmz[traces]" in raised.value.remedy
