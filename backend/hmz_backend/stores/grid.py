"""The chunks of one zarr array: which there are, what they are called, where they lie."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from napari_hmz.errors import NotFound
from napari_hmz.schema import Axes, Region, VolumeRequest

Index = tuple[int, ...]
_V2 = 2


@dataclass(frozen=True)
class ChunkGrid:
    """A regular grid of chunks, with its keys.

    Parameters
    ----------
    axes
        Axes of the array, outermost first.
    shape, chunks
        Extents of the array and of one chunk, in that order.
    prefix, separator
        How a key is written: `prefix` and the index along each axis, `separator` between.
    """

    axes: Axes
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    prefix: str
    separator: str

    @classmethod
    def of(cls, request: VolumeRequest) -> Self:
        """Return the grid of an announced volume."""
        document = request.array.document
        prefix, separator = "", str(document.get("dimension_separator", "."))
        if request.array.zarr_format != _V2:
            encoding = document["chunk_key_encoding"]
            default = encoding["name"] == "default"
            separator = (encoding.get("configuration") or {}).get(
                "separator", "/" if default else "."
            )
            prefix = f"c{separator}" if default else ""
        return cls(
            axes=request.axes,
            shape=tuple(request.shape[axis] for axis in request.axes),
            chunks=tuple(request.chunks[axis] for axis in request.axes),
            prefix=prefix,
            separator=separator,
        )

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """How many chunks there are along each axis."""
        pairs = zip(self.shape, self.chunks, strict=True)
        return tuple(math.ceil(extent / chunk) for extent, chunk in pairs)

    @property
    def total(self) -> int:
        """How many chunks there are."""
        return math.prod(self.counts)

    def key(self, index: Index) -> str:
        """Return the zarr key of a chunk."""
        return self.prefix + self.separator.join(map(str, index))

    def index(self, key: str) -> Index:
        """Return which chunk a key names.

        Raises
        ------
        NotFound
            If the array has no such chunk.
        """
        parts = key.removeprefix(self.prefix).split(self.separator)
        fits = key.startswith(self.prefix) and all(
            part.isascii() and part.isdigit() and str(int(part)) == part for part in parts
        )
        index = tuple(map(int, parts)) if fits else ()
        counts = self.counts
        if len(index) != len(counts) or any(
            i >= count for i, count in zip(index, counts, strict=True)
        ):
            raise NotFound(f"The volume has no chunk {key[:80]!r}.")
        return index

    def ranges(self, region: Region) -> tuple[range, ...]:
        """Return, per axis, the chunks that the part of `region` inside the array touches."""
        return tuple(
            range(max(start, 0) // chunk, math.ceil(min(stop, extent) / chunk))
            for (start, stop), extent, chunk in zip(
                (region[axis] for axis in self.axes), self.shape, self.chunks, strict=True
            )
        )

    def touching(self, region: Region) -> Iterator[Index]:
        """Yield every chunk that `region` needs, outermost axis slowest."""
        yield from itertools.product(*self.ranges(region))

    def origin(self, index: Index) -> tuple[int, ...]:
        """Return the first voxel of a chunk."""
        return tuple(i * chunk for i, chunk in zip(index, self.chunks, strict=True))
