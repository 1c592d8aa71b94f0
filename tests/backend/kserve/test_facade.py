"""Places for bodies: one person never has them all, however slowly theirs come."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hmz_backend.audit.summary import Summary
from hmz_backend.database.access import Database
from hmz_backend.dispatch.dispatcher import Dispatcher
from hmz_backend.dispatch.weights import Weights
from hmz_backend.identity.protocol import Principal
from hmz_backend.kserve.accounting import Accounting
from hmz_backend.kserve.facade import BODIES_EACH, MOST_WAITING_EACH, Body, Facade
from hmz_backend.kserve.request import Inference
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.paper_triton import PaperTriton
from hmz_backend.usage.tally import Tally
from napari_hmz.errors import LimitReached

GREEDY, OTHER = Principal("i", "greedy"), Principal("i", "other")
ASKED = Inference(b"{}", {}, 4, 4)
GIBIBYTE = 2**30


async def slow() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()  # it never comes
    yield b""


async def quick() -> AsyncIterator[bytes]:
    yield b"1234"


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Facade]:
    database = Database.open(f"sqlite:///{tmp_path / 'test.sqlite'}")
    accounting = Accounting(Tally(database), Summary(database))
    yield Facade(PaperTriton(), Dispatcher(FakeEngine(MODELS)), Weights(), GIBIBYTE, accounting)
    database.close()


async def ask(facade: Facade, who: Principal, pieces: AsyncIterator[bytes]) -> int:
    async with facade.infer(CARDS[0], who, ASKED, Body(4, pieces)) as reply:
        return reply.status


def test_who_sends_slowly_leaves_places_for_others(asked: Facade) -> None:
    async def check() -> None:
        greedy = [asyncio.create_task(ask(asked, GREEDY, slow())) for _ in range(40)]
        await asyncio.sleep(0)
        while asked._bodies.inside < BODIES_EACH:  # noqa: ASYNC110 # nothing tells
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            found = [await ask(asked, OTHER, quick()) for _ in range(20)]
        assert found == [200] * 20
        assert asked._bodies.inside == BODIES_EACH
        for task in greedy:
            task.cancel()
        await asyncio.gather(*greedy, return_exceptions=True)
        assert asked._bodies.inside == 0
        assert not asked._asking

    asyncio.run(check())


def test_one_person_has_so_many_requests_under_way_and_others_are_not_refused(
    asked: Facade,
) -> None:
    async def check() -> None:
        most = MOST_WAITING_EACH + BODIES_EACH
        greedy = [asyncio.create_task(ask(asked, GREEDY, slow())) for _ in range(most)]
        while asked._asking[(GREEDY.issuer, GREEDY.subject)] < most:  # noqa: ASYNC110 # as above
            await asyncio.sleep(0)
        with pytest.raises(LimitReached):
            await ask(asked, GREEDY, quick())
        assert await ask(asked, OTHER, quick()) == 200
        for task in greedy:
            task.cancel()
        await asyncio.gather(*greedy, return_exceptions=True)

    asyncio.run(check())
