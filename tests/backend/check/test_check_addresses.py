"""`hmz-backend check` looks at every address that the settings name beside issuers."""

import socket
from collections.abc import Callable

import pytest

from hmz_backend.check import metrics_address, trace_collector
from hmz_backend.check.chosen import chosen_checks
from hmz_backend.check.peer_address import PeerAddress
from hmz_backend.check.public_address import PublicAddress, status_of_upload
from hmz_backend.settings import Settings
from hmz_backend.testing.live_backend import LiveBackend
from napari_hmz.schema import wire
from napari_hmz.testing.backend_process import free_port
from napari_hmz.version import __version__

from .conftest import Imitation, Place, expect, findings

Imitate = Callable[[], Imitation]
HEALTH = {wire.HEALTH: {"engine": "embedded"}}


def port_of(server: Imitation) -> int:
    return int(server.url.rpartition(":")[2])


def test_addresses_that_are_right_have_no_finding(place: Place, imitate: Imitate) -> None:
    server = imitate()
    server.documents, server.posts = HEALTH, 200
    place.change("port = 0", f"port = {port_of(server)}")
    place.add(f'metrics_address = "127.0.0.1:0"\ntraces_url = "{server.url}/"\n')
    place.add(f'peer_url = "{server.url}"\n')
    assert findings(place) == []
    subjects = {check.subject for check in chosen_checks(place.config)[0]}
    assert {"metrics address", "traces", f"address for peers {server.url}"} <= subjects


@pytest.mark.parametrize(
    ("address", "subject", "words", "level"),
    [
        ("192.0.2.1:9650", "metrics address", "cannot listen on 192.0.2.1", "wrong"),
        ("no.such.host.invalid:0", "metrics address", "cannot listen on no.such", "wrong"),
        ("127.0.0.1:99650", "settings", "a port is 65535 at most", "wrong"),
        ("9650", "settings", "metrics_address", "wrong"),
        ("0.0.0.0:0", "metrics address", "all networks of this machine", "warning"),
        ("[::]:0", "metrics address", "all networks of this machine", "warning"),
    ],
)
def test_a_wrong_address_for_metrics_is_named(
    place: Place, address: str, subject: str, words: str, level: str
) -> None:
    place.add(f'metrics_address = "{address}"\n')
    expect(place, subject, words, level)


def test_metrics_that_the_world_may_read_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_address, "is_public", lambda host: host == "127.0.0.1")
    place.add('metrics_address = "127.0.0.1:0"\n')
    expect(place, "metrics address", "127.0.0.1 is a public address", "warning")


def test_a_port_for_metrics_that_another_program_has_is_named(
    place: Place, imitate: Imitate
) -> None:
    server = imitate()
    server.documents = {wire.METRICS: "node_load1 0.5"}
    place.add(f'metrics_address = "127.0.0.1:{port_of(server)}"\n')
    expect(place, "metrics address", "Another program listens")
    server.documents = {wire.METRICS: "hmz_requests_total 1"}
    assert findings(place) == []


def test_metrics_at_the_port_of_the_backend_itself_are_named(place: Place) -> None:
    port = free_port()
    place.change("port = 0", f"port = {port}")
    place.add(f'metrics_address = "127.0.0.1:{port}"\n')
    expect(place, "settings together", "the backend's own port")


@pytest.mark.parametrize(
    ("status", "words", "level"),
    [(404, "answered with 404", "wrong"), (401, "asks who sends traces", "warning")],
)
def test_an_address_that_takes_no_traces_is_named(
    *, place: Place, imitate: Imitate, status: int, words: str, level: str
) -> None:
    server = imitate()
    server.posts = status
    place.add(f'traces_url = "{server.url}"\n')
    expect(place, "traces", words, level)


def test_a_collector_that_does_not_answer_is_named(place: Place) -> None:
    place.add(f'traces_url = "http://127.0.0.1:{free_port()}"\n')
    expect(place, "traces", "Nobody takes traces")


def test_traces_without_opentelemetry_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_collector, "_lacking", lambda: "opentelemetry.sdk")
    place.add('traces_url = "http://127.0.0.1:4318"\n')
    expect(place, "traces", "opentelemetry.sdk is not installed")


def test_an_address_for_peers_that_leads_elsewhere_is_named(place: Place, imitate: Imitate) -> None:
    server, here = imitate(), imitate()
    place.change("port = 0", f"port = {port_of(here)}")
    place.add(f'peer_url = "{server.url}"\n')
    here.documents = HEALTH
    expect(place, "address for peers", "Something else is there")
    server.documents, here.documents = HEALTH, {}
    expect(place, "address for peers", "it is another")


def test_an_address_for_peers_at_which_nobody_answers_is_named(
    place: Place, imitate: Imitate
) -> None:
    here = imitate()
    place.change("port = 0", f"port = {port_of(here)}")
    with socket.socket() as nobody:  # bound, so that nobody else takes it; does not listen
        nobody.bind(("127.0.0.1", 0))
        place.add(f'peer_url = "http://127.0.0.1:{nobody.getsockname()[1]}"\n')
        expect(place, "address for peers", "does not run here", "warning")
        here.documents = HEALTH
        expect(place, "address for peers", "The backend runs at")


def test_a_backend_is_known_as_itself(backend: LiveBackend) -> None:
    port = int(backend.url.rpartition(":")[2])
    found = PeerAddress(Settings(port=port, peer_url=backend.url)).look()
    assert [each.level for each in found] == ["ok"]


def test_a_port_that_another_program_has_is_named(place: Place, imitate: Imitate) -> None:
    server = imitate()
    place.change("port = 0", f"port = {server.url.rpartition(':')[2]}")
    expect(place, "address", "Another program listens")
    server.documents = {wire.HEALTH: {"engine": "embedded"}}
    assert findings(place) == []


def test_a_proxy_that_does_not_lead_here_or_holds_chunks_back_is_named(
    place: Place, imitate: Imitate
) -> None:
    server = imitate()
    place.add(f'public_url = "{server.url}/hmz/"\n')
    expect(place, "public address", "Something else is there")
    server.documents = {f"/hmz{wire.HEALTH}": {"engine": "embedded", "version": __version__}}
    assert findings(place) == []
    server.uploads = 413
    expect(place, "public address", "refuses bodies of 10000000 bytes")
    server.documents = {f"/hmz{wire.HEALTH}": {"engine": "embedded", "version": "0.0.1"}}
    expect(place, "public address", "of version 0.0.1", "warning")


def test_a_backend_lets_the_check_of_its_public_address_pass(backend: LiveBackend) -> None:
    check = PublicAddress(Settings(public_url=backend.url))
    assert [found.level for found in check.look()] == ["ok"]
    assert status_of_upload(backend.url, 10**8) == 401  # told without a byte of the body


def test_a_public_address_that_does_not_answer_is_named(place: Place) -> None:
    place.add(f'public_url = "http://127.0.0.1:{free_port()}"\n')
    expect(place, "public address", "cannot be reached")


def test_a_hub_that_is_none_is_named(place: Place, imitate: Imitate) -> None:
    server = imitate()
    with place.config.open("a") as file:
        file.write(f'\n[jupyterhub]\nurl = "{server.url}/hub/api"\nscope = "access:services"\n')
    expect(place, "hub", "no JupyterHub")
    server.documents = {"/hub/api/": {"version": "5.2"}}
    expect(place, "hub", "no JupyterHub")  # it would let anyone in


def test_an_http_address_that_is_no_triton_is_named(place: Place, imitate: Imitate) -> None:
    server = imitate()
    grpc = server.url.removeprefix("http://")
    urls = f'triton_urls = ["{grpc}"]\ntriton_http_urls = ["{server.url}"]\n'
    place.add(f'engine = "triton"\n{urls}')
    expect(place, f"triton {server.url}", "is no Triton")
    expect(place, f"triton {grpc}", "Nobody answers gRPC")
