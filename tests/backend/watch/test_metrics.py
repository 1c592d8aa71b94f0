"""`/metrics`: what is counted is what was done, and strangers find nothing there."""

import asyncio
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.identity.anonymous import Anonymous
from hmz_backend.identity.protocol import Identity
from hmz_backend.identity.shared_token import SharedToken
from hmz_backend.routes.metrics import MetricsAddress
from hmz_backend.serving import ServingError
from hmz_backend.testing.cards import CARDS, MODELS, VERSION
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend, wait_until
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import encoded_chunks
from hmz_backend.watch.watch import Watch
from napari_hmz.schema import wire

SCRAPER = "the token of Prometheus"
SHAPE, CHUNKS = (20, 50, 44), (8, 16, 16)
IMAGE = np.random.default_rng(5).integers(1, 256, SHAPE).astype("uint8")
CHUNK = wire.chunk("{volume}", "{key:path}")
OUTPUT = wire.output("{run}", "{name}", "{key:path}")


class Readings:
    """What `/metrics` shows, as Prometheus' own parser reads it."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of a name that have these labels."""
        return sum(
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def readings(http: httpx.Client) -> Readings:
    answer = http.get(wire.METRICS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return Readings(answer.text)


def test_a_run_is_counted_tile_by_tile_voxel_by_voxel_and_byte_by_byte(user: User) -> None:
    user.announce()
    run = user.finish(user.start("copy").id)
    assert run.state == "done"
    bodies = encoded_chunks(user.array, user.chunks)
    user.output(run.id, run.plan.outputs[0].name)
    found = readings(user.http)

    assert found.sum("hmz_tiles_total", model="copy", outcome="done") == run.plan.blocks
    assert found.sum("hmz_tile_engine_seconds_count", model="copy") == run.plan.blocks
    assert found.sum("hmz_tile_wait_seconds_count", urgency="batch") == run.plan.blocks
    assert found.sum("hmz_run_voxels_total", model="copy") == user.array.size
    assert found.sum("hmz_tile_voxels_total", model="copy") >= 0.9 * user.array.size
    assert found.sum("hmz_runs_ended_total", model="copy", state="done") == 1
    assert found.sum("hmz_runs") == 0
    uploaded = sum(len(bodies[key]) for key in user.sent)
    assert found.sum("hmz_http_received_bytes_total", route=CHUNK) == uploaded
    put = {"route": CHUNK, "method": "PUT", "status": "204"}
    assert found.sum("hmz_http_requests_total", **put) == len(user.sent)
    assert found.sum("hmz_staging_bytes") == uploaded
    written = found.sum("hmz_output_written_bytes_total")
    assert 0 < written <= found.sum("hmz_http_sent_bytes_total", route=OUTPUT)


def fail(_request: TileRequest) -> dict[str, Any]:
    raise ServingError("too dark", tensor="image")


def test_a_tile_that_fails_is_counted_with_the_code_of_its_error(tmp_path: Path) -> None:
    engine = FakeEngine({**MODELS, ("copy", VERSION): fail})
    with LiveBackend(tmp_path, engine, CARDS) as live, live.client() as http:
        user = User(http, IMAGE, CHUNKS)
        user.announce()
        assert user.finish(user.start("copy").id).state == "failed"
        found = readings(http)
    assert found.sum("hmz_tiles_total", model="copy", outcome="engine-failed") >= 1
    assert found.sum("hmz_tiles_total", outcome="done") == 0
    assert found.sum("hmz_tile_voxels_total", model="copy") == 0
    assert found.sum("hmz_runs_ended_total", model="copy", state="failed") == 1


def test_levels_tell_what_goes_on_at_this_moment(tmp_path: Path) -> None:
    engine = FakeEngine(MODELS, instances=1, delay_s=0.2)
    changes = {"workers": 1, "tiles_in_flight": 8}
    with LiveBackend(tmp_path, engine, CARDS, changes) as live, live.client() as http:
        user = User(http, IMAGE, CHUNKS)
        user.announce()
        run = user.start("copy")
        with user.feeding():
            wait_until(lambda: readings(http).sum("hmz_tiles_waiting", urgency="batch") > 0)
            found = readings(http)
            assert found.sum("hmz_runs", state="running") == 1
            assert found.sum("hmz_holders_waiting") == 1
            assert found.sum("hmz_engine_window_places") == 2
            assert 1 <= found.sum("hmz_engine_window_taken") <= 2
            assert found.sum("hmz_engine_up") == 1
            http.post(wire.cancel(run.id))
        found = readings(http)
        assert found.sum("hmz_runs") == found.sum("hmz_tiles_waiting") == 0
        assert found.sum("hmz_runs_ended_total", state="cancelled") == 1
        assert found.sum("hmz_staging_quota_bytes") > found.sum("hmz_staging_bytes") > 0
        assert found.sum("hmz_disk_free_bytes") > 0
        assert found.sum("hmz_build_info") == 1
        assert found.sum("process_resident_memory_bytes") > 0
        wait_until(lambda: readings(http).sum("hmz_event_loop_lag_seconds_count") > 0)


def test_an_engine_that_is_gone_shows(tmp_path: Path) -> None:
    engine = FakeEngine(MODELS)
    with LiveBackend(tmp_path, engine, CARDS) as live, live.client() as http:
        user = User(http, IMAGE, CHUNKS)
        user.announce()
        engine.available = False
        run = user.start("copy")
        with user.feeding():
            wait_until(lambda: readings(http).sum("hmz_engine_up") == 0)
            assert readings(http).sum("hmz_engine_failures_total", code="engine-unavailable") >= 1
            http.post(wire.cancel(run.id))


def test_made_up_paths_and_methods_make_no_new_series(user: User) -> None:
    for number in range(5):
        user.http.get(f"/made-up/{number}")
        user.http.get(wire.run(f"{number:032}"))
        user.http.request(["LOCK", "MKCOL", "PROPFIND", "SEARCH", "TRACE"][number], "/made-up")
    text = user.http.get(wire.METRICS).text
    routes = set(re.findall(r'hmz_http_requests_total\{.*?route="([^"]*)"', text))
    assert routes == {"none", wire.run("{run}")}
    assert set(re.findall(r'method="([^"]*)"', text)) == {"GET", "other"}


def test_no_label_names_a_person_a_run_or_an_image(user: User) -> None:
    user.announce()
    run = user.finish(user.start("copy").id)
    text = user.http.get(wire.METRICS).text
    for secret in (TOKEN, "owner", run.id, user.volume, run.provenance.source_fingerprint):
        assert secret not in text


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[LiveBackend]:
    """A backend that lets visitors look around, and Prometheus read."""
    identities: list[Identity] = [SharedToken(SecretStr(TOKEN)), Anonymous()]
    secret = tmp_path / "metrics-token"
    secret.write_text(f"{SCRAPER}\n")
    changes: dict[str, Any] = {"metrics_token_file": secret}
    with LiveBackend(tmp_path, FakeEngine(MODELS), CARDS, changes, identities) as live:
        yield live


def test_metrics_are_for_admins_and_for_whoever_has_their_token(guarded: LiveBackend) -> None:
    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(f"{guarded.url}{wire.METRICS}", headers=headers).status_code

    assert status(TOKEN) == status(SCRAPER) == 200
    assert status("") == status(f"anonymous_{'x' * 30}") == 404
    assert status("a wrong token") == 401
    with guarded.client() as http:
        found = readings(http)
        assert found.sum("hmz_callers_refused_total", code="not-signed-in") == 1
        models = http.get(wire.MODELS, headers={"Authorization": f"Bearer {SCRAPER}"})
        assert models.status_code == 401, "the token is good for nothing else"


def test_a_process_that_does_not_lead_tells_what_it_has_counted_and_no_levels() -> None:
    watch = Watch(port=9650)
    watch.levels.runs.labels("running").set(3)
    watch.levels.engine_up.set(0)
    watch.levels.forget()  # it has led, and another one does now
    watch.callers.refused("not-signed-in")
    app = FastAPI()
    app.add_middleware(MetricsAddress, watch=watch)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9650") as http:
            return await http.get(wire.METRICS)

    found = Readings(asyncio.run(ask()).text)
    assert found.sum("hmz_callers_refused_total") == 1
    assert found.sum("hmz_runs") == found.sum("hmz_leads") == 0
    assert math.isnan(found.sum("hmz_engine_up")), "an alert that compares it says nothing"
