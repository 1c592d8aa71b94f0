"""One resolution of an output made from the finer one, chunk by chunk.

```
finer chunks   ┌──┬──┐
               │  │  │      a coarse chunk covers whole finer ones, so that
               ├──┼──┤  ->  none of them is read twice
               │  │  │
               └──┴──┘
```

Threads: different chunks may be filled at once; a thread holds one coarse chunk and one finer one.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.results.levels import mean, nearest, regions_of
from napari_hmz.results.local_chunks import LocalChunks
from napari_hmz.schema import AxisName, Region, Sizes, slices

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

Place = tuple[int, ...]
"""The number of a chunk along each stored axis."""


@dataclass(frozen=True, slots=True)
class Coarsening:
    """How one level is made.

    Parameters
    ----------
    fine, coarse
        The finer level, and this one: new, so that what is nothing but fill value stays unwritten.
    axes
        As stored, of both.
    step
        By how much each axis is coarser.
    is_labels
        Labels take the nearest voxel's value, images the mean.
    """

    fine: "zarr.Array[Any]"
    coarse: "zarr.Array[Any]"
    axes: tuple[AxisName, ...]
    step: Mapping[AxisName, int]
    is_labels: bool
    _local: LocalChunks | None = field(init=False)
    _made_local: LocalChunks | None = field(init=False)

    def __post_init__(self) -> None:
        """Find out how the levels are best read and written."""
        object.__setattr__(self, "_local", LocalChunks.of(self.fine))
        object.__setattr__(self, "_made_local", LocalChunks.of(self.coarse))

    def places(self) -> Iterator[Place]:
        """Yield every chunk of this level, in raster order."""
        return itertools.product(*map(range, self.grid))

    @property
    def grid(self) -> Place:
        """How many chunks this level has along each axis."""
        pairs = zip(self.coarse.shape, self.coarse.chunks, strict=True)
        return tuple(math.ceil(extent / chunk) for extent, chunk in pairs)

    def above(self, finer: Place) -> list[Place]:
        """Return the chunks of this level that a finer chunk is a part of: one, if they nest."""
        spans = []
        for axis, number in enumerate(finer):
            chunk, extent = self.fine.chunks[axis], self.fine.shape[axis]
            width = self.coarse.chunks[axis] * self.step[self.axes[axis]]
            last = min((number + 1) * chunk, extent) - 1
            spans.append(range(number * chunk // width, last // width + 1))
        return list(itertools.product(*spans))

    def above_all(self, finer: Iterable[Place]) -> set[Place]:
        """Return the chunks of this level that some finer ones are a part of."""
        return {above for each in finer for above in self.above(each)}

    def parts(self, place: Place) -> int:
        """Return how many finer chunks a chunk of this level is made from."""
        return len(self.below(place))

    def below(self, place: Place) -> list[Place]:
        """Return the finer chunks that a chunk of this level is made from."""
        part = slices(self._wide(self._region(place)), self.axes)
        numbers = (
            range(each.start // size, math.ceil(each.stop / size))
            for each, size in zip(part, self.fine.chunks, strict=True)
        )
        return list(itertools.product(*numbers))

    def fill(self, place: Place) -> None:
        """Make one chunk of this level; finer chunks that are not stored are not read."""
        region = self._region(place)
        if not self._may_hold(place):
            return
        whole = np.empty([stop - start for start, stop in region.values()], self.coarse.dtype)
        for part in regions_of(dict(zip(self.axes, whole.shape, strict=True)), self._piece()):
            moved = {
                axis: (low + region[axis][0], high + region[axis][0])
                for axis, (low, high) in part.items()
            }
            whole[slices(part, self.axes)] = self._made(moved)
        if self._made_local is None or not self._made_local.write(place, whole):
            self.coarse[slices(region, self.axes)] = whole

    def clear(self, place: Place) -> None:
        """Make one chunk of this level fill value again."""
        self.coarse[slices(self._region(place), self.axes)] = self.coarse.fill_value

    def _made(self, region: Region) -> "NDArray[Any]":
        values = self._read(self._wide(region))
        steps = [self.step[axis] for axis in self.axes]
        return nearest(values, steps) if self.is_labels else mean(values, steps)

    def _read(self, region: Region) -> "NDArray[Any]":
        """Return a region of the finer level, which often is one chunk of it."""
        sizes = zip(region.values(), self.fine.chunks, self.fine.shape, strict=True)
        is_chunk = all(
            start % chunk == 0 and stop == min(start + chunk, extent)
            for (start, stop), chunk, extent in sizes
        )
        if self._local is None or not is_chunk:
            return np.asarray(self.fine[slices(region, self.axes)])
        starts = (start for start, _ in region.values())
        return self._local.read(
            tuple(start // chunk for start, chunk in zip(starts, self.fine.chunks, strict=True))
        )

    def _region(self, place: Place) -> Region:
        pairs = zip(self.axes, place, self.coarse.chunks, self.coarse.shape, strict=True)
        return {
            axis: (number * chunk, min((number + 1) * chunk, extent))
            for axis, number, chunk, extent in pairs
        }

    def _wide(self, region: Region) -> Region:
        """Return what a region of this level covers of the finer one."""
        finer = dict(zip(self.axes, self.fine.shape, strict=True))
        return {
            axis: (start * self.step[axis], min(stop * self.step[axis], finer[axis]))
            for axis, (start, stop) in region.items()
        }

    def _piece(self) -> Sizes:
        """Return the extents of what a finer chunk becomes; whole axes where that is no number."""
        sizes = zip(self.axes, self.fine.chunks, self.coarse.shape, strict=True)
        return {
            axis: chunk // self.step[axis] if chunk % self.step[axis] == 0 else extent
            for axis, chunk, extent in sizes
        }

    def _may_hold(self, place: Place) -> bool:
        """Return whether a finer chunk is stored; also if that cannot be looked at."""
        local = self._local
        return local is None or any(local.path(each).exists() for each in self.below(place))
