"""A source over an array in memory, without chunks or encoding."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hmz.schema import ArrayDocument, Axes, Region, VolumeRequest, sizes_of, slices


@dataclass(frozen=True, eq=False)
class FakeSource:
    """An array that is one chunk; any thread may read it.

    Parameters
    ----------
    array
        The values, in `axes`.
    """

    array: NDArray[Any]
    axes: Axes
    name: str = "fake"

    @property
    def request(self) -> VolumeRequest:
        """What would be announced of the array."""
        shape = sizes_of(self.axes, self.array.shape)
        return VolumeRequest(
            name=self.name,
            axes=self.axes,
            shape=shape,
            chunks=shape,
            dtype=str(self.array.dtype),
            array=ArrayDocument(zarr_format=3, document={}),
            fingerprint="0" * 16,
        )

    def chunk(self, key: str) -> bytes | None:  # noqa: ARG002 # there is only one
        """Return the only chunk, not encoded."""
        return self.array.tobytes()

    def read(self, region: Region) -> NDArray[Any]:
        """Return a region of the array."""
        return np.asarray(self.array[slices(region, self.axes)])

    def close(self) -> None:
        """Do nothing."""
