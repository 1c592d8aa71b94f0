"""What is kept of a tile's labels until its neighbours have been compared with it.

As a file: the runs of the labels, in the narrowest data types, packed with zstd.

```
bytes 0-3   CRC-32 of all that follows          header: int64, see `_header`
bytes 4-    zstd( header, first, lengths, values )
```
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numcodecs import zstd
from numpy.typing import NDArray

from hmz_backend.stitching.flatruns import FlatRuns, decode_part
from napari_hmz.schema import AxisName, Interval, Region, extents

ZSTD_LEVEL = 1
_CRC_BYTES = 4


class TornFile(ValueError):
    """A file is not as it was written."""


@dataclass(frozen=True)
class TileLabels:
    """The labels of one tile, numbered within the tile; zero where no neighbour sees them too.

    ```
    ┌───────────────┐   ids 1 … count: objects with a voxel in the core, in raster order
    │  7     ┌──────┤   ids above count: objects that are seen in the halo only
    │     ┌──│─┐ 1  │
    │     └──│─┘    │   first: where the first core voxel of each object lies in the whole
    └────────┴──────┘   output, as a raster index
    ```
    """

    axes: tuple[AxisName, ...]
    """The tiled axes, in the output's order."""
    covered: Region
    """What the labels cover, in the coordinates of the volume."""
    runs: FlatRuns
    """The labels, unsigned."""
    first: NDArray[np.int64]
    """One for each of the ids 1 to count."""

    @property
    def count(self) -> int:
        """How many objects have a voxel in the core."""
        return len(self.first)

    @property
    def nbytes(self) -> int:
        """What the tile takes in memory."""
        return self.runs.nbytes + self.first.nbytes

    def within(self, region: Region) -> NDArray[Any]:
        """Return the labels of a region that lies in what is covered: unsigned integers.

        Nothing but the region is unpacked: tiles that wait for neighbours stay as small as they
        are as runs.
        """
        shape = [extents(self.covered)[axis] for axis in self.axes]
        return decode_part(self.runs, shape, _box(self.axes, self.covered, region))


def alone(covered: Region, beside: Mapping[AxisName, Sequence[Interval]]) -> Region:
    """Return the part of a tile that none of its neighbours covers; it may be empty.

    ```
    lower      ├────────────┤
    covered           ├──────────────────┤
    upper                          ├────────────┤
    alone                   ├──────┤
    ```

    Parameters
    ----------
    covered
        What the tile covers.
    beside
        What the next tiles along an axis cover of that axis.
    """
    inner: Region = {}
    for axis, (start, stop) in covered.items():
        low, high = start, stop
        for first, last in beside.get(axis, ()):
            if first < start or last < stop:
                low = max(low, last)
            else:
                high = min(high, first)
        inner[axis] = (low, max(low, high))
    return inner


def hollow(
    labels: NDArray[Any], axes: Sequence[AxisName], covered: Region, inner: Region
) -> NDArray[Any]:
    """Return a copy of labels with zeros in `inner`: what stays is what neighbours see too."""
    kept = np.array(labels)
    if 0 not in extents(inner).values():
        kept[_box(axes, covered, inner)] = 0
    return kept


def to_bytes(tile: TileLabels) -> bytes:
    """Return a tile's labels as they are kept in a file."""
    lengths, values = narrow(tile.runs.lengths), narrow(tile.runs.values)
    header = _header(tile, lengths, values)
    gaps = np.diff(tile.first, prepend=0)  # ascending: small numbers pack well
    plain = b"".join(part.tobytes() for part in (header, gaps, lengths, values))
    body = bytes(zstd.compress(plain, ZSTD_LEVEL))
    return zlib.crc32(body).to_bytes(_CRC_BYTES, "little") + body


def from_bytes(body: bytes) -> TileLabels:
    """Read what `to_bytes` has made.

    Raises
    ------
    TornFile
        If it is not whole.
    """
    check(body)
    plain = zstd.decompress(body[_CRC_BYTES:])
    length, axes, covered, header = _read_header(plain)
    count, runs, length_bytes, value_bytes = header
    place = length * 8
    first = np.cumsum(np.frombuffer(plain, "<i8", count, place))
    place += count * 8
    lengths = np.frombuffer(plain, f"<u{length_bytes}", runs, place)
    values = np.frombuffer(plain, f"<u{value_bytes}", runs, place + lengths.nbytes)
    ends = np.cumsum(lengths, dtype=np.int64)
    return TileLabels(axes, covered, FlatRuns(ends, np.array(values)), first)  # lets go of `plain`


def check(body: bytes) -> None:
    """Refuse a body that is not whole, without unpacking it.

    Raises
    ------
    TornFile
        If it is not.
    """
    found = int.from_bytes(body[:_CRC_BYTES], "little")
    if len(body) <= _CRC_BYTES or zlib.crc32(body[_CRC_BYTES:]) != found:
        raise TornFile("the labels of a tile are not as they were written")


def narrow(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return the same numbers in the smallest unsigned dtype that holds them."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def _header(tile: TileLabels, lengths: NDArray[Any], values: NDArray[Any]) -> NDArray[np.int64]:
    """Return: number of axes, their letters, start and stop of each, then the four sizes."""
    letters = [ord(axis) for axis in tile.axes]
    spans = [end for axis in tile.axes for end in tile.covered[axis]]
    sizes = [tile.count, len(values), lengths.itemsize, values.itemsize]
    return np.array([len(letters), *letters, *spans, *sizes], "<i8")


def _read_header(plain: bytes) -> tuple[int, tuple[AxisName, ...], Region, list[int]]:
    number = int(np.frombuffer(plain, "<i8", 1)[0])
    length = 1 + 3 * number + 4
    found = np.frombuffer(plain, "<i8", length).tolist()
    axes: tuple[Any, ...] = tuple(map(chr, found[1 : 1 + number]))
    spans = found[1 + number : 1 + 3 * number]
    covered = {axis: (spans[2 * n], spans[2 * n + 1]) for n, axis in enumerate(axes)}
    return length, axes, covered, found[-4:]


def _box(
    axes: Sequence[AxisName],
    covered: Mapping[AxisName, tuple[int, int]],
    region: Mapping[AxisName, tuple[int, int]],
) -> tuple[slice, ...]:
    return tuple(
        slice(region[axis][0] - covered[axis][0], region[axis][1] - covered[axis][0])
        for axis in axes
    )
