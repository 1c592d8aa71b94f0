"""Several server processes on one PostgreSQL and one data folder are one backend."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import create_engine, text

from hmz_backend.check.peer_address import PeerAddress
from hmz_backend.database.lease import look
from hmz_backend.settings import Settings
from hmz_backend.testing.cards import CARDS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend, wait_until
from hmz_backend.testing.lone_backend import LoneBackend
from hmz_backend.testing.nginx import Nginx
from hmz_backend.testing.postgres import fresh_database
from hmz_backend.testing.round_robin import RoundRobin
from hmz_backend.testing.user import User
from napari_hmz.client import connect
from napari_hmz.run import Run
from napari_hmz.schema import OutputResult

IMAGE = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
CHUNKS = (8, 16, 16)
STOPPED_S = 35.0
"""What the manual promises."""
Pair = tuple[LoneBackend, LoneBackend]


@pytest.fixture
def database(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def start(tmp_path: Path, database: str) -> Iterator[Callable[[str], LoneBackend]]:
    """Start a process by a name; all have one database and one folder."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(LoneBackend(tmp_path / "data", 0.4, database, name))


@pytest.fixture
def pair(start: Callable[[str], LoneBackend], database: str) -> Pair:
    """Two processes that start at the same time; the first one leads."""
    with ThreadPoolExecutor() as threads:
        one, other = threads.map(start, ["one", "other"])
    engine = create_engine(database)
    with engine.connect() as connection:
        standing = look(connection)
    engine.dispose()
    assert standing is not None
    return (one, other) if standing.address == one.url else (other, one)


@pytest.fixture
def results(tmp_path: Path, engine: FakeEngine) -> tuple[OutputResult, ...]:
    """What a lone backend makes of the image."""
    with LiveBackend(tmp_path / "lone", engine, CARDS) as live, live.client() as http:
        user = User(http, IMAGE, CHUNKS)
        user.announce()
        return user.finish(user.start("components").id).results


@pytest.fixture
def proxy(pair: Pair) -> Iterator[RoundRobin]:
    with RoundRobin([each.url for each in pair]) as proxy:
        yield proxy


@pytest.fixture
def run(proxy: RoundRobin, results: tuple[OutputResult, ...], tmp_path: Path) -> Iterator[Run]:
    """A run of a real client that has just begun (what it will give is known before)."""
    settings: dict[str, Any] = {"state_dir": tmp_path / "state", "profile": None}
    with connect(proxy.url, TOKEN, **settings) as client:
        run = client.run("components", IMAGE, output=tmp_path / "out.ome.zarr")
        wait_until(lambda: run.info().progress.blocks_done > 0)
        yield run


def health(backend: LoneBackend) -> httpx.Response:
    with backend.client() as http:
        return http.get("/v1/health")


def test_check_knows_which_process_an_address_leads_to(pair: Pair) -> None:
    def level(at: LoneBackend, peer_url: str) -> str:
        port = int(at.url.rpartition(":")[2])
        (found,) = PeerAddress(Settings(port=port, peer_url=peer_url)).look()
        return found.level

    leader, other = pair
    assert level(leader, leader.url) == level(other, other.url) == "ok"
    assert level(leader, other.url) == level(other, leader.url) == "wrong"


def test_a_run_whose_requests_go_to_both_through_nginx_is_that_of_one_backend(
    pair: Pair, results: tuple[OutputResult, ...], tmp_path: Path
) -> None:
    with Nginx(tmp_path / "nginx", [each.url for each in pair]) as nginx:
        headers = dict(pair[0].client().headers)
        with httpx.Client(base_url=nginx.url, headers=headers, verify=nginx.context()) as http:
            user = User(http, IMAGE, CHUNKS)
            user.announce()
            run = user.start("components", key="k")
            events = user.events(run.id)
            assert next(events).kind == "state"  # nothing waits for more: no chunk has been sent
            with user.feeding():
                list(events)
            found = user.get(run.id)
            assert found.state == "done"
            assert found.results == results
            assert user.start("components", key="k").id == run.id
        assert nginx.status_of_a_body_of(300 * 2**20) == 413


def test_a_leader_that_was_stalled_is_replaced_and_one_that_is_killed_too(
    *, pair: Pair, run: Run, proxy: RoundRobin, results: tuple[OutputResult, ...], tmp_path: Path
) -> None:
    pair[0].signal(signal.SIGSTOP)
    proxy.urls = [pair[1].url]
    wait_until((tmp_path / "data" / "runs.2").exists)
    with pair[1].client() as http:
        user = User(http, IMAGE, CHUNKS)
        done = user.get(run.id).progress.blocks_done
        wait_until(lambda: user.get(run.id).progress.blocks_done > done)
        pair[0].signal(signal.SIGCONT)  # it still believes that it leads
        wait_until(lambda: user.get(run.id).progress.blocks_done > done + 2)
        assert user.get(run.id).state == "running"
    assert health(pair[0]).is_success  # it passes on by now
    proxy.urls = [pair[0].url]
    pair[1].kill()
    assert run.wait(60).state == "done"
    assert run.info().results == results


def test_a_run_outlives_the_connections_to_the_database(
    run: Run, results: tuple[OutputResult, ...], database: str
) -> None:
    engine = create_engine(database, isolation_level="AUTOCOMMIT")  # sees who is there now
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        end_s = time.monotonic() + 1.5
        while time.monotonic() < end_s:  # so that it hits transactions, not only idle connections
            connection.execute(cut)
    engine.dispose()
    assert run.wait(60).state == "done"
    assert run.info().results == results


@pytest.fixture
def spares(pair: Pair, start: Callable[[str], LoneBackend]) -> Pair:
    """Two more processes, which are what the first two become by being restarted."""
    with ThreadPoolExecutor() as threads:
        third, fourth = threads.map(start, ["third", "fourth"])
    return third, fourth


def test_both_are_restarted_in_turn_during_a_run_and_nobody_notices(
    *,
    pair: Pair,
    spares: Pair,
    run: Run,
    proxy: RoundRobin,
    results: tuple[OutputResult, ...],
) -> None:
    assert run.info().state == "running"
    assert pair[0].stop() < STOPPED_S
    proxy.urls = [spares[0].url, pair[1].url]
    assert pair[1].stop() < STOPPED_S
    proxy.urls = [each.url for each in spares]
    assert run.wait(60).state == "done"
    assert run.info().results == results
