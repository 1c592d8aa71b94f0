"""Behind a real JupyterHub and its proxy: as its service, and as the server of one person."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.check.hub import HubCheck
from hmz_backend.check.public_address import PublicAddress
from hmz_backend.issuers import HubSettings
from hmz_backend.settings import Settings
from hmz_backend.testing.hub import Hub
from hmz_backend.testing.live_backend import wait_until
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import announcement
from napari_hmz.auth.bearer import Bearer
from napari_hmz.http import Http
from napari_hmz.schema import slices, wire
from napari_hmz.server_events import ServerEvent
from napari_hmz.statistics import volume_statistics

CHUNKS = (16, 16, 16)
HUB = Path(__file__).parents[1] / "hub"
Array = NDArray[Any]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(HUB, tmp_path_factory.mktemp("hub")) as hub:
        yield hub


def test_a_run_with_a_token_of_the_hub_ends_though_the_proxy_cuts_what_is_silent(
    *,
    hub: Hub,
    state: Path,
    blobs: Callable[..., Array],
    zarr_of: Callable[..., Path],
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    monkeypatch.setenv("HMZ_TOKEN", hub.user_token("alice"))
    hmz = Path(sys.executable).with_name("hmz")
    command: list[str | Path] = [
        hmz,
        "run",
        "components",
        zarr_of(image),
        output,
        "--set",
        "threshold=36000",
    ]
    command += ["--url", f"{hub.url}/services/hmz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + hub.said()
    np.testing.assert_array_equal(written(output), labels_of(image))


def test_check_finds_the_hub_and_the_way_through_its_proxy_right(hub: Hub) -> None:
    told = HubSettings(url=f"{hub.hub_url}/hub/api", scope="access:services!service=hmz")
    public = Settings(public_url=f"{hub.url}/services/hmz")
    for check in (HubCheck(told), PublicAddress(public)):
        assert [found.level for found in check.look()] == ["ok"], check.look()
    (found,) = HubCheck(told.model_copy(update={"url": f"{hub.hub_url}/hub"})).look()
    assert (found.level, "/hub/api" in found.remedy) == ("wrong", True)


def uncut(url: str, token: str) -> httpx.Response:
    """Ask until the proxy lets the answer through: it cuts what a busy machine is late with."""
    end_s = time.monotonic() + 60
    while True:
        try:
            return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        except httpx.RemoteProtocolError:
            assert time.monotonic() < end_s


def test_who_is_known_to_the_hub_and_may_not_use_the_service_is_refused(hub: Hub) -> None:
    url = f"{hub.url}/services/hmz{wire.RUNS}"
    for token, status in [
        (hub.user_token("bob"), 200),
        (hub.user_token("bob", "read:users:name!user=bob"), 401),
        ("nobody's", 401),
    ]:
        answer = uncut(url, token)
        assert answer.status_code == status, answer.text


def test_an_event_stream_that_the_proxy_has_cut_goes_on(
    hub: Hub, blobs: Callable[..., Array]
) -> None:
    image, token = blobs(), hub.user_token("alice")
    request = announcement(image, CHUNKS)
    statistics = volume_statistics(lambda region: image[slices(region, request.axes)], request)
    url, headers = f"{hub.url}/services/hmz", {"Authorization": f"Bearer {token}"}
    with (
        httpx.Client(base_url=url, headers=headers) as http,
        Http(url, credential=Bearer(token)) as link,
    ):
        user = User(http, image, CHUNKS, {"statistics": statistics})
        user.announce()
        run = user.start("components", parameters={"threshold": 36_000})
        events = link.events(wire.events(run.id))
        assert json.loads(next(events).data)["state"] == "queued"
        wait_until(lambda: f"{wire.events(run.id)} 200" in hub.said())  # silent: no chunk has come
        with user.feeding():
            told = [json.loads(event.data) for event in _until_done(events)]
    assert told[-1]["state"] == "done"
    assert [event["number"] for event in told] == list(range(2, len(told) + 2))


def _until_done(events: Iterator[ServerEvent]) -> Iterator[ServerEvent]:
    for event in events:
        yield event
        if '"done"' in event.data:
            return


def test_a_person_s_own_server_answers_its_person_alone(hub: Hub) -> None:
    address = hub.start_server("alice")
    for name, status in [("alice", 200), ("bob", 401)]:
        answer = uncut(f"{address}{wire.MODELS}", hub.user_token(name))
        assert answer.status_code == status, answer.text
    hub.stop_server("alice")
