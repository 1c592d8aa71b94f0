import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.dispatch.dispatcher import Dispatcher, Patience
from hmz_backend.dispatch.window import Window
from hmz_backend.engines.protocol import TileRequest
from hmz_backend.shares.turn import Turn
from hmz_backend.testing.fake_engine import FakeEngine
from napari_hmz.errors import EngineFailed, EngineUnavailable

TURN = Turn()
QUICK = Patience(first_s=0.001, longest_s=0.002, total_s=5.0)


def same(request: TileRequest) -> Mapping[str, NDArray[Any]]:
    return {"out": request.inputs["image"]}


def tile(number: int = 0) -> TileRequest:
    return TileRequest("m", "1", {"image": np.full(3, number)}, {})


async def tasks_of(window: Window, orders: list[tuple[int, ...]]) -> list[int]:
    order: list[int] = []

    async def enter(number: int) -> None:
        async with window.place(Turn(order=orders[number])):
            order.append(number)
            await asyncio.sleep(0.001)

    await asyncio.gather(*(enter(number) for number in range(len(orders))))
    return order


def test_who_waits_is_let_in_by_order_then_by_arrival() -> None:
    order = asyncio.run(tasks_of(Window(1), [(1,), (1,), (0,), (1,), (0,)]))
    assert order == [0, 2, 4, 1, 3]


def test_no_more_than_the_window_are_inside_even_after_cancelling() -> None:
    async def check() -> None:
        window, most = Window(2), 0
        rng = np.random.default_rng(3)

        async def enter() -> None:
            nonlocal most
            async with window.place(TURN):
                most = max(most, window.inside)
                await asyncio.sleep(0.001)

        tasks = [asyncio.create_task(enter()) for _ in range(60)]
        while any(not task.done() for task in tasks):
            tasks[rng.integers(60)].cancel()
            await asyncio.sleep(0.0005)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most == 2
        assert window.inside == 0
        assert window.waiting == 0

    asyncio.run(check())


def test_the_engine_gets_twice_as_many_tiles_as_it_has_instances() -> None:
    async def check() -> None:
        under_way, most = 0, 0

        class Counting(FakeEngine):
            async def infer(
                self, request: TileRequest, *, timeout_s: float
            ) -> Mapping[str, NDArray[Any]]:
                nonlocal under_way, most
                under_way += 1
                most = max(most, under_way)
                try:
                    return await super().infer(request, timeout_s=timeout_s)
                finally:
                    under_way -= 1

        engine = Counting({("m", "1"): same}, instances=3, delay_s=0.002)
        dispatcher = Dispatcher(engine)
        await asyncio.gather(*(dispatcher.infer(tile(), TURN) for _ in range(40)))
        assert most == 6

    asyncio.run(check())


def test_an_engine_that_comes_back_loses_nothing_and_its_absence_is_seen() -> None:
    async def check() -> None:
        engine = FakeEngine({("m", "1"): same})
        dispatcher = Dispatcher(engine, patience=QUICK)
        engine.available = False
        waiting = asyncio.create_task(dispatcher.infer(tile(7), TURN))
        await asyncio.sleep(0.02)
        assert "gone" in dispatcher.trouble("m", "1")
        assert dispatcher.troubles
        engine.available = True
        assert (await waiting).outputs["out"][0] == 7
        assert dispatcher.trouble("m", "1") == ""

    asyncio.run(check())


def test_patience_ends() -> None:
    async def check() -> None:
        dispatcher = Dispatcher(FakeEngine({}), patience=Patience(0.001, 0.001, 0.01))
        with pytest.raises(EngineUnavailable):
            await dispatcher.infer(tile(), TURN)

    asyncio.run(check())


def test_a_failing_model_is_not_asked_again() -> None:
    async def check() -> None:
        class Failing(FakeEngine):
            async def infer(
                self, request: TileRequest, *, timeout_s: float
            ) -> Mapping[str, NDArray[Any]]:
                self.requests.append(request)
                raise EngineFailed("bad tile")

        engine = Failing({("m", "1"): same})
        with pytest.raises(EngineFailed):
            await Dispatcher(engine, patience=QUICK).infer(tile(), TURN)
        assert len(engine.requests) == 1

    asyncio.run(check())


def test_models_of_one_pool_share_its_places_and_a_broken_one_leaves_them_to_the_others() -> None:
    async def check() -> None:
        class OneBroken(FakeEngine):
            async def infer(
                self, request: TileRequest, *, timeout_s: float
            ) -> Mapping[str, NDArray[Any]]:
                if request.model == "broken":
                    raise EngineUnavailable("It does not come up.")
                return await super().infer(request, timeout_s=timeout_s)

        engine = OneBroken({("m", "1"): same, ("broken", "1"): same}, instances=1)
        dispatcher = Dispatcher(engine, patience=QUICK)
        broken = TileRequest("broken", "1", {}, {})
        waiting = [asyncio.create_task(dispatcher.infer(broken, TURN)) for _ in range(9)]
        await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            for number in range(5):
                assert (await dispatcher.infer(tile(number), TURN)).outputs["out"][0] == number
        assert len(set(map(id, dispatcher._instances.values()))) == 1
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(check())
