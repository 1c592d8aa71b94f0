import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from hmz_backend.cli.users import users as commands
from hmz_backend.database.access import Database
from hmz_backend.database.writer import Operation
from hmz_backend.identity import person_records
from hmz_backend.identity.people import NOTE_S, People
from hmz_backend.identity.protocol import Principal
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.named_people import ISSUER, NamedPeople, shows
from hmz_backend.testing.paper_issuer import Hands
from hmz_backend.testing.user import User
from napari_hmz.errors import NotFound, RequestError, Suspended
from napari_hmz.schema import wire

GROUPS = frozenset({"urn:geant:helmholtz.de:group:Imaging#login.example.de"})
ANN = Principal(ISSUER, "ann", GROUPS, name="Ann", credential="issuer")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


def test_who_was_here_is_known(database: Database) -> None:
    hands = Hands()
    people = People(database, hands.steady_s)

    async def check() -> None:
        await people.note(ANN)
        (found,) = await database.read(person_records.everyone)
        assert (found.issuer, found.subject, found.name) == (ISSUER, "ann", "Ann")
        assert found.groups == tuple(GROUPS)
        assert found.first_seen == found.last_seen
        assert found.suspended_at is None
        moved = Principal(ISSUER, "ann", name="Ann", credential="issuer")
        await people.note(moved)  # other groups are noted at once
        (found,) = await database.read(person_records.everyone)
        assert found.groups == ()
        token = Principal(ISSUER, "ann", GROUPS, credential="token")
        hands.passed_s += NOTE_S + 1
        await people.note(token)  # which says nothing new of the groups
        (found,) = await database.read(person_records.everyone)
        assert (found.groups, found.name) == ((), "Ann")

    asyncio.run(check())


def test_it_is_noted_now_and_then_only_and_nobody_without_a_name(database: Database) -> None:
    hands = Hands()
    people = People(database, hands.steady_s)
    written = 0
    inner = database.writer.write

    async def counted(*operations: Operation, last: Operation | None = None) -> None:
        nonlocal written
        written += 1
        await inner(*operations, last=last)

    async def check() -> None:
        database.writer.write = counted  # type: ignore[method-assign] # counts
        for _ in range(100):
            await people.note(ANN)
            await people.note(Principal("anonymous", "x", credential="anonymous"))
        assert written == 1
        hands.passed_s += NOTE_S + 1
        await people.note(ANN)
        assert written == 2

    asyncio.run(check())


def test_a_person_is_suspended_and_restored(database: Database) -> None:
    people = People(database)

    async def check() -> None:
        await people.note(ANN)
        people.check(ANN)
        await database.write(lambda c: person_records.suspend(c, (ISSUER, "ann")))
        await database.write(lambda c: person_records.suspend(c, (ISSUER, "never here")))
        await people.look()
        with pytest.raises(Suspended):
            people.check(ANN)
        people.check(Principal("https://other.example", "ann"))  # another person of that name
        with pytest.raises(Suspended):
            people.check(Principal(ISSUER, "never here"))

        def restore(connection: Connection) -> None:
            assert person_records.restore(connection, (ISSUER, "ann"))

        await database.write(restore)
        await people.look()
        people.check(ANN)

    asyncio.run(check())


def test_what_takes_long_ends_when_the_person_is_suspended(database: Database) -> None:
    people = People(database)

    async def check() -> None:
        waiting = asyncio.create_task(people.unless_suspended(ANN, asyncio.sleep(600)))
        other = Principal(ISSUER, "bob")
        bobs = asyncio.create_task(people.unless_suspended(other, asyncio.sleep(0.05, "done")))
        await asyncio.sleep(0)
        await database.write(lambda c: person_records.suspend(c, (ISSUER, "ann")))
        await people.look()
        with pytest.raises(Suspended):
            await waiting
        assert await bobs == "done"

    asyncio.run(check())


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveBackend]:
    engine = FakeEngine(MODELS, delay_s=0.2)
    with LiveBackend(tmp_path / "data", engine, CARDS, identities=(NamedPeople(),)) as live:
        yield live


def users(live: LiveBackend, *words: str) -> str:
    """Do what an admin does, with nothing in common with the backend but its database."""
    config = live.folder / "backend.toml"
    config.write_text(f'data_dir = "{live.folder}"')
    done = CliRunner().invoke(commands, [*words, "--config", str(config)])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_suspending_works_at_once_for_requests_tokens_and_open_streams(live: LiveBackend) -> None:
    image = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
    with httpx.Client(base_url=live.url, headers=shows("ann"), timeout=60) as http:
        user = User(http, image, (8, 16, 16))
        user.announce()
        run = user.start("components")  # waits for an image that does not come
        token = http.post(wire.TOKENS, json={"name": "script"}).json()["token"]
        ended: dict[str, float] = {}

        def follow() -> None:
            with httpx.stream(
                "GET", live.url + wire.events(run.id), headers=shows(token), timeout=60
            ) as stream:
                list(stream.iter_lines())
            ended["stream"] = time.monotonic()

        follower = threading.Thread(target=follow)
        follower.start()
        assert http.get(wire.RUNS).status_code == 200
        assert "ann" in users(live, "suspend", "ann")
        wait_until(lambda: http.get(wire.RUNS).status_code == 403)
        answer = http.get(wire.RUNS, headers=shows(token))
        assert (answer.status_code, answer.json()["code"]) == (403, "suspended")
        assert http.get(wire.RUNS, headers=shows("bob")).status_code == 200
        follower.join(10)  # long before the next sign of life on the stream
        assert ended
        listed = users(live, "list")
        assert "ann" in listed
        assert "bob" in listed
        users(live, "restore", "ann", "--issuer", ISSUER)
        wait_until(lambda: http.get(wire.RUNS).status_code == 200)


def test_the_admin_is_told_what_cannot_be(live: LiveBackend) -> None:
    with pytest.raises(NotFound, match="Nobody called nobody"):
        users(live, "suspend", "nobody")
    users(live, "suspend", "later", "--issuer", f"{ISSUER}/")
    with httpx.Client(base_url=live.url, headers=shows("later")) as http:
        wait_until(lambda: http.get(wire.RUNS).status_code == 403)
    users(live, "suspend", "later", "--issuer", "https://other.example")
    with pytest.raises(RequestError, match="Several issuers"):
        users(live, "restore", "later")
    users(live, "restore", "later", "--issuer", ISSUER)
    with pytest.raises(RequestError, match="is not suspended"):
        users(live, "restore", "later", "--issuer", ISSUER)


def test_runs_of_who_is_suspended_stop_and_go_on_for_nobody(
    tmp_path: Path, engine: FakeEngine
) -> None:
    people = [NamedPeople()]
    image = np.random.default_rng(5).integers(0, 256, (8, 32, 32)).astype("uint8")
    with (
        LiveBackend(tmp_path, engine, CARDS, identities=people) as live,
        live.client(**shows("ann")) as http,
        live.client(**shows("bob")) as other,
    ):
        ann, bob = User(http, image, (8, 16, 16)), User(other, image, (8, 16, 16))
        ann.announce()
        bob.announce()
        run, others = ann.start("copy").id, bob.start("copy").id
        share = {"subject": "bob", "allows": "continue"}
        assert http.post(wire.shares(wire.run(run)), json=share).status_code == 201
        wait_until(lambda: {ann.get(run).state, bob.get(others).state} == {"running"})
        database = live.app.state.services.identity.people.database
        with database.engine.begin() as connection:
            person_records.suspend(connection, (ISSUER, "ann"))
        wait_until(lambda: bob.get(run).state == "cancelled")
        assert bob.get(others).state == "running"
        bob.post(wire.resume(run), None)
        wait_until(lambda: bob.get(run).state == "failed")
        error = bob.get(run).error
        assert error is not None
        assert error.code == "suspended"
        with database.engine.begin() as connection:
            person_records.restore(connection, (ISSUER, "ann"))
        wait_until(lambda: http.get(wire.MODELS).status_code == 200)
        ann.post(wire.resume(run), None)
        assert ann.finish(run).state == "done"
