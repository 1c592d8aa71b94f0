"""Memory that this process and a Triton on the same machine both see, for tiles to lie in.

A region is a file in `/dev/shm` that both sides have mapped; its name is taken away as soon as they
have, so that nothing is left behind however either ends. A region is used for one tile at a time,
and again for later ones. One whose tile was given up (cancelled, late) may still be written by the
server: it is not used again, and the server is asked to let it go until it does.

Everything runs on the event loop, but for the end of a result: it may be dropped in any thread.
"""

import contextlib
import mmap
import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = Path("/dev/shm")  # noqa: S108 # where Linux keeps it; the names in it are random
PREFIX = "hmz-tile-"
UNIT_BYTES = 2**20
"""Regions are whole numbers of these, so that tiles of nearly the same size share them."""
ALIGNED_BYTES = 64
"""Where an array may begin in a region."""


class Registry(Protocol):
    """The server's list of regions."""

    async def attach(self, name: str, size_bytes: int) -> bool:
        """Have the server map a region; False if it cannot."""

    async def detach(self, name: str) -> bool:
        """Have the server let a region go; False while it still uses it."""

    async def names(self) -> Sequence[str]:
        """Return the regions that the server has."""


@dataclass(frozen=True, eq=False)
class SharedRegion:
    """A piece of memory that the server has mapped as well.

    Parameters
    ----------
    name
        As the server knows it.
    memory
        The same memory here.
    """

    name: str
    memory: mmap.mmap

    @property
    def size_bytes(self) -> int:
        """How much fits in."""
        return len(self.memory)

    def put(self, array: "NDArray[Any]", offset: int) -> None:
        """Copy an array to a place in the region."""
        place = np.frombuffer(self.memory, array.dtype, array.size, offset)
        place.reshape(array.shape)[...] = array


@dataclass(eq=False)
class SharedTiles:
    """The regions that are shared with one server; as many as tiles were in the air at once.

    Parameters
    ----------
    registry
        The server's list of them.
    folder
        Where shared memory has names.
    """

    registry: Registry
    folder: Path = FOLDER
    is_possible: bool = True
    _free: list[SharedRegion] = field(default_factory=list)
    _given_up: list[SharedRegion] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _swept: bool = False

    async def take(self, size_bytes: int) -> SharedRegion | None:
        """Return a region of at least this size; None if none can be had: send the tile instead."""
        if not self.is_possible:
            return None
        await self._let_go()
        fitting = [region for region in self._free if region.size_bytes >= size_bytes]
        if fitting:
            best = min(fitting, key=lambda region: region.size_bytes)
            self._free.remove(best)
            return best
        small, self._free = self._free, []
        self._given_up += small  # tiles have grown: these would lie about for ever
        return await self._make(-(-size_bytes // UNIT_BYTES) * UNIT_BYTES)

    def give_up(self, region: SharedRegion) -> None:
        """Never use a region again: the server may still be at work in it."""
        if region.name in self._known:
            self._given_up.append(region)

    def give_back(self, region: SharedRegion) -> None:
        """Use a region again: the server has answered; called from any thread."""
        if region.name in self._known:
            self._free.append(region)

    def results(self, region: SharedRegion) -> "NDArray[np.uint8]":
        """Return the region's bytes, read-only; it is used again once they are dropped."""
        whole = np.frombuffer(memoryview(region.memory).toreadonly(), np.uint8)
        weakref.finalize(whole, self.give_back, region).atexit = False
        return whole

    def forget(self) -> None:
        """Drop everything: the server has ended, and with it what it had mapped."""
        self._free.clear()
        self._given_up.clear()
        self._known.clear()

    async def close(self) -> None:
        """Have the server let all regions go that it does not use."""
        self._given_up += self._free
        self._free = []
        await self._let_go()
        self.forget()

    async def _let_go(self) -> None:
        waiting, self._given_up = self._given_up, []
        for number, region in enumerate(waiting):
            try:
                done = await self.registry.detach(region.name)
            except BaseException:  # cancelled as well: the rest is not lost
                self._given_up += waiting[number:]
                raise
            if done:
                self._known.discard(region.name)
            else:
                self._given_up.append(region)

    async def _make(self, size_bytes: int) -> SharedRegion | None:
        await self._sweep()
        name = f"{PREFIX}{os.getpid()}-{token_hex(8)}"
        path = self.folder / name
        try:
            region = SharedRegion(name, _mapped(path, size_bytes))
        except OSError:  # no room, or no such folder: the tile is sent
            return None
        self._known.add(name)
        try:
            self.is_possible = await self.registry.attach(name, size_bytes)
        except BaseException:  # cancelled as well: nobody knows how far it came
            self.give_up(region)
            raise
        finally:
            path.unlink(missing_ok=True)
        return region if self.is_possible else None

    async def _sweep(self) -> None:
        """Have the server let go what processes that have died since have shared with it."""
        if self._swept:
            return
        self._swept = True
        for name in await self.registry.names():
            owner = name.removeprefix(PREFIX).partition("-")[0]
            if name.startswith(PREFIX) and owner.isdecimal() and not _lives(int(owner)):
                await self.registry.detach(name)


def places(sizes: Sequence[int]) -> list[int]:
    """Return where arrays of these sizes in bytes begin, one after the other, and the end."""
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + -(-size // ALIGNED_BYTES) * ALIGNED_BYTES)
    return offsets


def _mapped(path: Path, size_bytes: int) -> mmap.mmap:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Taken now: writing to memory that turns out not to be there would end the process.
        os.posix_fallocate(handle, 0, size_bytes)
        return mmap.mmap(handle, size_bytes)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(handle)


def _lives(pid: int) -> bool:
    with contextlib.suppress(PermissionError):  # it lives, as somebody else's
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
