"""What is kept of a tile's labels until its neighbours have been compared with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.rowruns import RowRuns, cut, decode
from napari_hmz.schema import AxisName, Region


@dataclass(frozen=True, slots=True)
class TileLabels:
    """The labels of one tile, numbered within the tile, as runs.

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
    """What the runs cover, in the coordinates of the volume."""
    runs: RowRuns
    count: int
    first: NDArray[np.int64]
    """One for each of the ids 1 to count."""

    def within(self, region: Region) -> NDArray[np.generic]:
        """Return the labels (uint32) of a region that lies in what is covered."""
        box = [
            slice(region[axis][0] - self.covered[axis][0], region[axis][1] - self.covered[axis][0])
            for axis in self.axes
        ]
        return decode(cut(self.runs, box))


def save(file: Path | BinaryIO, tile: TileLabels) -> None:
    """Write a tile's labels as `.npz`: arrays only, no pickle."""
    np.savez(
        file,
        axes=np.array(tile.axes, dtype="U1"),
        covered=np.array([tile.covered[axis] for axis in tile.axes], np.int64),
        shape=np.array(tile.runs.shape, np.int64),
        offsets=tile.runs.offsets,
        stops=_narrow(tile.runs.stops),
        values=_narrow(tile.runs.values),
        first=tile.first,
    )


def load(file: Path | BinaryIO) -> TileLabels:
    """Read what `save` has written; pickles are refused."""
    with np.load(file, allow_pickle=False) as held:
        axes: tuple[AxisName, ...] = tuple(held["axes"].tolist())
        spans = held["covered"].tolist()
        first = held["first"]
        return TileLabels(
            axes=axes,
            covered={axis: (low, high) for axis, (low, high) in zip(axes, spans, strict=True)},
            runs=RowRuns(
                shape=tuple(held["shape"].tolist()),
                offsets=held["offsets"],
                stops=held["stops"].astype(np.int64),
                values=held["values"].astype(np.int64),
            ),
            count=len(first),
            first=first,
        )


def _narrow(numbers: NDArray[np.int64]) -> NDArray[np.generic]:
    """Return the same numbers in the smallest dtype that holds them: most files are small."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))
