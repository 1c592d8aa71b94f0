"""Regions of a volume, read from its chunks through the cache.

Threads: `read` runs in worker threads, many at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stores.cache import ChunkCache
from hmz_backend.stores.grid import Index
from hmz_backend.stores.staged import ABSENT, HELD, StagedVolume
from napari_hmz.errors import ChunkCorrupt, ChunkTooLarge
from napari_hmz.schema import Region, extents


class StagedChunkBroken(Exception):
    """A chunk that was good when it came is not any more (a torn file): it must be sent again.

    Parameters
    ----------
    key
        Which.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"The staged chunk {key} is damaged.")
        self.key = key


@dataclass(frozen=True, slots=True)
class VolumeReader:
    """Reads one staged volume.

    Parameters
    ----------
    name
        The volume's id: its chunks are cached under it.
    staged
        Where its chunks are.
    cache
        Shared by all readers.
    """

    name: str
    staged: StagedVolume
    cache: ChunkCache

    def read(self, region: Region) -> NDArray[Any]:
        """Return `region`, which lies inside the volume, in its axes and native dtype.

        Raises
        ------
        StagedChunkBroken
            If a chunk is missing, or its file is damaged.
        """
        grid, decoder = self.staged.grid, self.staged.decoder
        sizes, start = extents(region), [region[axis][0] for axis in grid.axes]
        shape = [sizes[axis] for axis in grid.axes]
        out = np.empty(shape, decoder.dtype.newbyteorder("="))
        for index in grid.touching(region):
            offset = [o - s for o, s in zip(grid.origin(index), start, strict=True)]
            into, taken = _overlap(offset, grid.chunks, shape)
            out[into] = self._chunk(index)[taken]
        return out

    def _chunk(self, index: Index) -> NDArray[Any]:
        mark, key = self.staged.marks[index], self.staged.grid.key(index)
        if mark == ABSENT:
            return np.broadcast_to(self.staged.decoder.fill, self.staged.grid.chunks)
        if mark != HELD:  # another tile has found it damaged since this one was begun
            raise StagedChunkBroken(key)
        return self.cache.get((self.name, key), lambda: self._decode(index, key))

    def _decode(self, index: Index, key: str) -> NDArray[Any]:
        try:
            return self.staged.read(index)
        except (FileNotFoundError, ChunkCorrupt, ChunkTooLarge) as error:
            raise StagedChunkBroken(key) from error


def _overlap(
    offset: list[int], chunk: tuple[int, ...], shape: list[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return where a chunk at `offset` goes in the output, and which part of it."""
    pairs = [(max(o, 0), min(o + c, s)) for o, c, s in zip(offset, chunk, shape, strict=True)]
    into = tuple(slice(low, high) for low, high in pairs)
    taken = tuple(slice(low - o, high - o) for (low, high), o in zip(pairs, offset, strict=True))
    return into, taken
