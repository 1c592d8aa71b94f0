"""The lookout: nobody waits for a look at the disk, and what is new is seen all the same."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from hmz_backend.access.models import ModelRules
from hmz_backend.database.access import Database
from hmz_backend.identity.protocol import Principal
from hmz_backend.runs import lookout as lookout_module
from hmz_backend.runs.catalogue import Catalogue
from hmz_backend.runs.lookout import Lookout, Package
from hmz_backend.testing.cards import CARDS
from hmz_backend.testing.live_backend import FakePackages, LiveBackend, wait_until
from hmz_backend.testing.user import User
from napari_hmz.errors import NotFound
from napari_hmz.schema import ModelCard, wire

OLD, NEW = CARDS[0], CARDS[0].model_copy(update={"id": "new"})
OWNER = Principal("local", "owner")
SOON_S = 0.01


class Disk:
    """Packages that come and go; it counts the looks, and may fail or let one wait."""

    def __init__(self, *cards: ModelCard) -> None:
        self.cards = list(cards)
        self.looks = 0
        self.is_ill = False
        self.lets_look = threading.Event()
        self.lets_look.set()

    def packages(self) -> list[Package]:
        self.looks += 1
        if self.is_ill:
            raise OSError("stale file handle")
        self.lets_look.wait()
        return list(FakePackages(self.cards).packages())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'db'}")
    yield opened
    opened.close()


@pytest.fixture
def disk() -> Disk:
    return Disk(OLD)


@pytest.fixture
def lookout(disk: Disk, database: Database) -> Iterator[Lookout]:
    with ThreadPoolExecutor(1) as threads:
        yield Lookout(disk, threads, database)


@pytest.fixture
def catalogue(lookout: Lookout) -> Catalogue:
    return Catalogue(lookout, ModelRules())


async def until(check: Callable[[], bool]) -> None:
    while not check():  # noqa: ASYNC110 # nothing tells: it is what a chore does by itself
        await asyncio.sleep(SOON_S)


async def seen(lookout: Lookout) -> list[str]:
    return [package.card.id for package in (await lookout.last()).packages]


def known(lookout: Lookout) -> list[str]:
    assert lookout._last is not None
    return [package.card.id for package in lookout._last.packages]


def on_duty(lookout: Lookout, story: Callable[[], Awaitable[None]]) -> None:
    """Let the story go on while the lookout is kept."""

    async def both() -> None:
        duty = asyncio.create_task(lookout.run())
        try:
            await asyncio.wait_for(story(), 10)
        finally:
            duty.cancel()
            with suppress(asyncio.CancelledError):
                await duty

    asyncio.run(both())


def test_the_first_one_to_ask_waits_for_a_look_and_the_next_do_not(
    lookout: Lookout, disk: Disk
) -> None:
    async def story() -> None:
        assert await seen(lookout) == [OLD.id]
        disk.cards.append(NEW)
        assert await seen(lookout) == [OLD.id]

    asyncio.run(story())
    assert disk.looks == 1


def test_what_is_new_is_seen_without_anybody_asking(
    lookout: Lookout, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout_module, "PAUSE_S", SOON_S)

    async def story() -> None:
        assert await seen(lookout) == [OLD.id]
        disk.cards.append(NEW)
        await until(lambda: known(lookout) == [OLD.id, NEW.id])

    on_duty(lookout, story)


def test_nobody_waits_for_a_look_that_takes_long(
    lookout: Lookout, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout_module, "PAUSE_S", SOON_S)

    async def story() -> None:
        await seen(lookout)
        disk.lets_look.clear()
        before = disk.looks
        await until(lambda: disk.looks > before)
        assert await seen(lookout) == [OLD.id]
        disk.lets_look.set()

    on_duty(lookout, story)


def test_a_look_that_fails_is_told_and_the_next_may_go_through(
    lookout: Lookout,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(lookout_module, "PAUSE_S", SOON_S)
    monkeypatch.setattr(lookout_module, "LONGEST_PAUSE_S", SOON_S)

    async def story() -> None:
        await seen(lookout)
        disk.is_ill = True
        await until(lambda: "could not be looked at" in caplog.text)
        assert await seen(lookout) == [OLD.id]
        disk.is_ill = False
        disk.cards.append(NEW)
        await until(lambda: NEW.id in known(lookout))

    on_duty(lookout, story)


def test_a_disk_on_which_a_look_takes_long_is_left_in_peace() -> None:
    assert lookout_module.rest_s(0.001) == lookout_module.PAUSE_S
    assert lookout_module.rest_s(0.5) == 10.0
    assert lookout_module.rest_s(60.0) == lookout_module.LONGEST_PAUSE_S, "it read a new package"


def test_a_model_that_is_not_known_is_looked_for(
    catalogue: Catalogue, lookout: Lookout, disk: Disk
) -> None:
    async def story() -> None:
        await seen(lookout)
        disk.cards.append(NEW)
        assert await catalogue.card(OWNER, NEW.id) == NEW
        looks = disk.looks
        assert await catalogue.card(OWNER, OLD.id) == OLD
        assert disk.looks == looks
        with pytest.raises(NotFound):
            await catalogue.card(OWNER, "none of this name")

    asyncio.run(story())


def test_a_run_takes_the_model_as_it_is_now(
    catalogue: Catalogue, lookout: Lookout, disk: Disk
) -> None:
    changed = OLD.model_copy(update={"summary": "another one"})

    async def story() -> None:
        await seen(lookout)
        disk.cards[:] = [changed]
        assert await catalogue.card_now(OWNER, OLD.id) == changed
        disk.cards[:] = [OLD]
        assert await catalogue.fixed_card(OLD.id, OLD.version) == OLD

    asyncio.run(story())


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the lookout of a backend look once, and then whenever it is asked to."""
    monkeypatch.setattr(lookout_module, "PAUSE_S", 3600.0)


@pytest.mark.usefixtures("once")  # before the backend starts
def test_who_wants_to_know_what_is_there_now_is_told(
    backend: LiveBackend, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookout = backend.app.state.services.catalogue.lookout
    wait_until(lambda: lookout._last is not None)
    monkeypatch.setattr(lookout, "packages", FakePackages([NEW]))
    assert NEW.id not in {card["id"] for card in user.http.get(wire.MODELS).json()}
    fresh = user.http.get(wire.MODELS, headers={"Cache-Control": wire.NO_CACHE})
    assert {card["id"] for card in fresh.json()} == {NEW.id}
