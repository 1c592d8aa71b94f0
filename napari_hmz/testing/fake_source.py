"""A source over an array in memory: chunks are stored bytes, as plain as zarr allows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hmz.errors import RegionInvalid, SourceUnreadable
from napari_hmz.schema import (
    ArrayDocument,
    Axes,
    AxisName,
    Interval,
    Sizes,
    VolumeRequest,
    sizes_of,
    slices,
)
from napari_hmz.sources import Origin


@dataclass(frozen=True, eq=False)
class FakeSource:
    """An array that is announced without compression; any thread may read it.

    Parameters
    ----------
    array
        The values, in `axes`.
    chunks
        Chunk extents; empty: the whole array is one chunk.
    fingerprint
        To be told from other fakes.
    """

    array: NDArray[Any]
    axes: Axes
    name: str = "fake"
    chunks: Sizes = field(default_factory=dict)
    fingerprint: str = "0" * 16

    @property
    def request(self) -> VolumeRequest:
        """The announcement of the array."""
        shape = sizes_of(self.axes, self.array.shape)
        chunks = shape | self.chunks
        document = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.array.shape),
            "data_type": self.array.dtype.name,
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": [chunks[axis] for axis in self.axes]},
            },
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0,
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "attributes": {},
        }
        return VolumeRequest(
            name=self.name,
            axes=self.axes,
            shape=shape,
            chunks=chunks,
            dtype=self.array.dtype.name,
            array=ArrayDocument(zarr_format=3, document=document),
            fingerprint=self.fingerprint,
        )

    @property
    def origin(self) -> Origin | None:
        """None: it lives in this process only."""
        return None

    def chunk(self, key: str) -> bytes | None:
        """Return a chunk's bytes, its edges filled with zeros; none if all are zeros."""
        request = self.request
        try:
            index = [int(number) for number in key.removeprefix("c/").split("/")]
            starts = zip(self.axes, index, strict=True)
            corner = {axis: at * request.chunks[axis] for axis, at in starts}
        except ValueError as error:
            raise SourceUnreadable(f"no chunk {key!r}") from error
        if any(not 0 <= at < request.shape[axis] for axis, at in corner.items()):
            raise SourceUnreadable(f"no chunk {key!r}")
        part = self.array[
            tuple(slice(at, at + request.chunks[axis]) for axis, at in corner.items())
        ]
        whole = np.zeros([request.chunks[axis] for axis in self.axes], self.array.dtype)
        whole[tuple(slice(0, extent) for extent in part.shape)] = part
        return whole.astype(whole.dtype.newbyteorder("<")).tobytes() if whole.any() else None

    def place(self, key: str) -> str:
        """Return the name: nothing is stored."""
        return f"{self.name}/{key}"

    def read(self, region: Mapping[AxisName, Interval]) -> NDArray[Any]:
        """Return a region of the array."""
        shape = self.request.shape
        if not set(region) <= set(self.axes):
            raise RegionInvalid(f"{region} names an axis that is not there")
        whole = {axis: region.get(axis, (0, shape[axis])) for axis in self.axes}
        if any(not 0 <= start <= stop <= shape[axis] for axis, (start, stop) in whole.items()):
            raise RegionInvalid(f"{region} lies outside")
        return np.asarray(self.array[slices(whole, self.axes)])

    def close(self) -> None:
        """Do nothing."""
