"""Regions shared with a server: used again when it is done with them, and never before."""

import asyncio
import gc
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from hmz_backend.engines.shared_tiles import PREFIX, UNIT_BYTES, SharedTiles, places


@dataclass
class Server:
    """A registry that remembers, and can be told to use regions still, or to map none."""

    attached: dict[str, int] = field(default_factory=dict)
    in_use: set[str] = field(default_factory=set)
    refuses: bool = False

    async def attach(self, name: str, size_bytes: int) -> bool:
        if not self.refuses:
            self.attached[name] = size_bytes
        return not self.refuses

    async def detach(self, name: str) -> bool:
        if name not in self.in_use:
            self.attached.pop(name, None)
        return name not in self.in_use

    async def names(self) -> Sequence[str]:
        return list(self.attached)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def tiles(server: Server, tmp_path: Path) -> SharedTiles:
    return SharedTiles(server, tmp_path)


def test_a_region_is_used_again_and_leaves_no_name(
    server: Server, tiles: SharedTiles, tmp_path: Path
) -> None:
    async def play() -> None:
        first = await tiles.take(100)
        second = await tiles.take(100)
        assert first is not None
        assert second is not first
        assert first.size_bytes == UNIT_BYTES
        tiles.give_back(first)
        assert await tiles.take(UNIT_BYTES) is first

    asyncio.run(play())
    assert len(server.attached) == 2
    assert not list(tmp_path.iterdir())


def test_a_result_keeps_its_region_until_the_last_view_is_dropped(tiles: SharedTiles) -> None:
    async def play() -> None:
        region = await tiles.take(100)
        assert region is not None
        region.put(np.arange(12, dtype=np.uint16).reshape(3, 4), 64)
        view = tiles.results(region)[64:88].view(np.uint16).reshape(3, 4)[1:]
        assert view.tolist() == [[4, 5, 6, 7], [8, 9, 10, 11]]
        assert not view.flags.writeable
        assert await tiles.take(100) is not region
        del view
        gc.collect()
        assert await tiles.take(100) is region

    asyncio.run(play())


def test_a_region_given_up_is_let_go_once_the_server_is_done(
    server: Server, tiles: SharedTiles
) -> None:
    async def play() -> None:
        region = await tiles.take(100)
        assert region is not None
        server.in_use.add(region.name)
        tiles.give_up(region)
        other = await tiles.take(100)
        assert other is not None
        assert other is not region
        assert region.name in server.attached
        server.in_use.clear()
        tiles.give_back(other)
        assert await tiles.take(100) is other
        assert list(server.attached) == [other.name]

    asyncio.run(play())


def test_larger_tiles_take_the_place_of_smaller_ones(server: Server, tiles: SharedTiles) -> None:
    async def play() -> None:
        small = await tiles.take(1)
        assert small is not None
        tiles.give_back(small)
        large = await tiles.take(UNIT_BYTES + 1)
        assert large is not None
        assert large.size_bytes == 2 * UNIT_BYTES
        tiles.give_back(large)
        assert await tiles.take(1) is large
        assert list(server.attached) == [large.name]

    asyncio.run(play())


def test_nothing_of_an_ended_server_is_used_again(tiles: SharedTiles) -> None:
    async def play() -> None:
        region = await tiles.take(1)
        assert region is not None
        tiles.forget()
        tiles.give_back(region)  # a result that was read all the while
        assert await tiles.take(1) is not region

    asyncio.run(play())


def test_where_nothing_can_be_shared_tiles_are_sent(server: Server, tmp_path: Path) -> None:
    async def play() -> None:
        assert await SharedTiles(server, tmp_path / "none").take(1) is None
        server.refuses = True
        tiles = SharedTiles(server, tmp_path)
        assert await tiles.take(1) is None
        assert not tiles.is_possible

    asyncio.run(play())
    assert not list(tmp_path.iterdir())


def test_closing_lets_all_go_but_what_is_read(server: Server, tiles: SharedTiles) -> None:
    async def play() -> None:
        region = await tiles.take(1)
        assert region is not None
        tiles.give_back(region)
        await tiles.close()

    asyncio.run(play())
    assert not server.attached


def test_regions_of_dead_processes_are_let_go(server: Server, tiles: SharedTiles) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    living = f"{PREFIX}{os.getppid()}-b"
    server.attached = {f"{PREFIX}{ended.pid}-a": 1, living: 1, "somebody-else": 1}
    asyncio.run(tiles.take(1))
    assert [name for name in server.attached if not name.startswith(f"{PREFIX}{os.getpid()}-")] == [
        living,
        "somebody-else",
    ]


def test_a_region_whose_making_was_cancelled_is_let_go(server: Server, tiles: SharedTiles) -> None:
    async def play() -> None:
        attach = server.attach

        async def slow(name: str, size_bytes: int) -> bool:
            await attach(name, size_bytes)
            await asyncio.sleep(60)
            return True

        server.attach = slow  # type: ignore[method-assign] # the server takes its time once
        task = asyncio.create_task(tiles.take(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(server.attached) == 1
        server.attach = attach  # type: ignore[method-assign] # and is itself again
        region = await tiles.take(1)
        assert region is not None
        assert list(server.attached) == [region.name]

    asyncio.run(play())


def test_arrays_lie_one_after_the_other() -> None:
    assert places([1, 64, 65]) == [0, 64, 128, 256]
    assert places([]) == [0]
