"""One output of a run as a multiscale group: its finest level is filled in any order."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.errors import RegionInvalid
from napari_hmz.results.coarsening import Coarsening, Place
from napari_hmz.results.disk import write_whole, writing
from napari_hmz.results.levels import level_chunks, level_factors, level_shape
from napari_hmz.results.metadata import multiscale, ordered
from napari_hmz.schema import AXIS_ORDER, AxisName, Interval, OutputArray, Region, Sizes, slices
from napari_hmz.schema.output_document import LABEL_KINDS, output_compressor

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

_ZARR_2 = 2
_SAID = ("data_type", "chunk_key_encoding", "fill_value")
"""What two arrays must say alike, beside chunk extents and codecs, to store a chunk alike."""


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A multiscale array in a group: `0` is the finest level.

    Parameters
    ----------
    axes
        As stored: in OME-Zarr's order, with axes of extent 1 where the image beside it has more.
    array
        What the run says of the output; `array.axes` may be in another order and be fewer.
    """

    group: "zarr.Group"
    path: str
    """Of the group, below the root; empty for the root itself."""
    array: OutputArray
    axes: tuple[AxisName, ...]

    @property
    def is_labels(self) -> bool:
        """Whether its values are labels."""
        return self.array.kind in LABEL_KINDS

    @property
    def shape(self) -> Sizes:
        """Extents of the finest level, as stored."""
        return {axis: self.array.shape.get(axis, 1) for axis in self.axes}

    @property
    def grid(self) -> Place:
        """How many chunks the finest level has along each stored axis."""
        return tuple(-(-extent // self.array.chunks.get(a, 1)) for a, extent in self.shape.items())

    @property
    def factors(self) -> list[Sizes]:
        """How coarse each level is."""
        return level_factors(self.shape, self.array.voxel_size)

    def finest(self) -> "zarr.Array[Any]":
        """Return the array of the finest level, made if it is not there yet."""
        if "0" in self.group:
            found = self.group["0"]
            return found  # type: ignore[return-value] # we have made it, as an array
        chunks = {axis: self.array.chunks.get(axis, 1) for axis in self.axes}
        return self._create("0", self.shape, chunks)

    def stores_like(self, document: Mapping[str, Any], finest: "zarr.Array[Any]") -> bool:
        """Tell whether the array of `document`, in the output's own axes, stores chunks alike.

        Its chunks may then be put into the finest level as they are.
        """
        if self.array.axes != tuple(axis for axis in self.axes if axis in self.array.axes):
            return False
        own: Mapping[str, Any] = finest.metadata.to_dict()
        chunks = dict(zip(self.axes, finest.chunks, strict=True))
        theirs = document.get("chunk_grid", {}).get("configuration", {}).get("chunk_shape")
        return (
            theirs == [chunks[axis] for axis in self.array.axes]
            and list(document.get("codecs", ())) == list(own["codecs"])
            and all(document.get(name) == own.get(name) for name in _SAID)
        )

    def put(self, folder: Path, region: Region, body: bytes) -> None:
        """Put a chunk of the output, encoded already, into the finest level.

        Parameters
        ----------
        folder
            Of the finest level.
        body
            Empty: the chunk is nothing but fill value, and not stored.

        Raises
        ------
        RegionInvalid
            If the region is not that of one chunk.
        DiskFull
            If there is no space for it.
        """
        path = self._chunk_file(folder, region)
        if path is None:
            raise RegionInvalid(f"{region} is not a chunk of the output {self.array.name!r}.")
        with writing(f"{self.path or 'The image'}"):
            write_whole(path, body)

    def stores(self, folder: Path, region: Region, digest: str) -> bool:
        """Tell whether the file of a chunk has this SHA-256: it was put, and is whole."""
        path = self._chunk_file(folder, region)
        try:
            return path is not None and hashlib.sha256(path.read_bytes()).hexdigest() == digest
        except OSError:
            return False

    def place(self, region: Mapping[AxisName, Interval]) -> Place | None:
        """Return the number of a chunk along each stored axis; none if the region is not that."""
        chunks = {axis: self.array.chunks.get(axis, 1) for axis in self.axes}
        starts = {axis: region[axis][0] if axis in region else 0 for axis in self.axes}
        ends = {a: min(starts[a] + chunks[a], self.shape[a]) for a in self.axes}
        if any(starts[a] % chunks[a] or region.get(a, (0, 1))[1] != ends[a] for a in self.axes):
            return None
        return tuple(starts[axis] // chunks[axis] for axis in self.axes)

    def places(self, region: Mapping[AxisName, Interval]) -> Iterator[Place]:
        """Yield the numbers of all chunks that a region touches, where it lies in the output."""
        spans = []
        for axis, extent in self.shape.items():
            start, stop = region.get(axis, (0, extent))
            chunk = self.array.chunks.get(axis, 1)
            spans.append(range(max(start, 0) // chunk, -(-min(stop, extent) // chunk)))
        return itertools.product(*spans)

    def _chunk_file(self, folder: Path, region: Region) -> Path | None:
        place = self.place(region)
        return None if place is None else folder.joinpath("c", *map(str, place))

    def write(
        self, region: Mapping[AxisName, Interval], values: "NDArray[Any]", into: "zarr.Array[Any]"
    ) -> None:
        """Write `values`, in the output's own axes, at `region` of the finest level.

        Raises
        ------
        RegionInvalid
            If the region does not lie in the output, or the values are not of its extents.
        DiskFull
            If there is no space for them.
        """
        own = self.array.axes
        whole = {axis: region.get(axis, (0, self.array.shape[axis])) for axis in own}
        self._check(region, whole, values)
        stored = values.transpose([own.index(axis) for axis in self.axes if axis in own])
        stored = np.expand_dims(
            stored, [at for at, axis in enumerate(self.axes) if axis not in own]
        )
        placed = {axis: whole.get(axis, (0, 1)) for axis in self.axes}
        with writing(f"{self.path or 'The image'}"):
            into[slices(placed, self.axes)] = stored

    def read(
        self, region: Mapping[AxisName, Interval], finest: "zarr.Array[Any]"
    ) -> "NDArray[Any]":
        """Return a region of the finest level, in the output's own axes."""
        own = self.array.axes
        there = {axis: region.get(axis, (0, extent)) for axis, extent in self.shape.items()}
        stored = np.asarray(finest[slices(there, self.axes)])
        kept = [axis for axis in self.axes if axis in own]
        values = stored.reshape([there[axis][1] - there[axis][0] for axis in kept])
        return values.transpose([kept.index(axis) for axis in own])

    def levels(self) -> list[Coarsening]:
        """Return how each coarser level is made from the finer one; the arrays are new."""
        made, fine, last = [], self.finest(), self.factors[0]
        for number, factors in enumerate(self.factors[1:], start=1):
            step = {axis: factors[axis] // last[axis] for axis in self.axes}
            made.append(self.coarsening(fine, number, level_shape(self.shape, factors), step))
            fine, last = made[-1].coarse, factors
        return made

    def coarsening(
        self, fine: "zarr.Array[Any]", number: int, shape: Sizes, step: Sizes
    ) -> Coarsening:
        """Return how one level is made from the finer one; its array is new.

        Parameters
        ----------
        shape, step
            Of the new level, and how many finer voxels each of its voxels stands for.
        """
        chunks = level_chunks(shape, dict(zip(self.axes, fine.chunks, strict=True)))
        coarse = self._create(str(number), shape, chunks)
        return Coarsening(fine, coarse, self.axes, step, self.is_labels)

    def described(self, *, levels: int, prefix: str = "") -> dict[str, Any]:
        """Return the multiscale description of the first `levels` levels."""
        return multiscale(
            self.array.name,
            self.axes,
            self.factors[:levels],
            voxel_size=self.array.voxel_size,
            units=self.array.units,
            translation=self.array.translation,
            is_labels=self.is_labels,
            prefix=prefix,
        )

    def _check(
        self,
        region: Mapping[AxisName, Interval],
        whole: Mapping[AxisName, Interval],
        values: "NDArray[Any]",
    ) -> None:
        strangers = set(region) - set(self.array.axes)
        extents = tuple(stop - start for start, stop in whole.values())
        fits = all(
            0 <= start <= stop <= self.array.shape[axis] for axis, (start, stop) in whole.items()
        )
        if strangers or not fits or values.shape != extents:
            raise RegionInvalid(
                f"Values of shape {values.shape} do not belong at {dict(region)} of the output "
                f"{self.array.name!r}."
            )

    def _create(
        self, name: str, shape: Mapping[AxisName, int], chunks: Mapping[AxisName, int]
    ) -> "zarr.Array[Any]":
        stored: dict[str, Any] = {
            "compressors": [output_compressor(self.array)],
            "dimension_names": list(self.axes),
        }
        if self.group.metadata.zarr_format == _ZARR_2:  # an image that somebody else has written
            stored = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        return self.group.create_array(
            name,
            shape=_along(self.axes, shape),
            chunks=_along(self.axes, chunks),
            dtype=self.array.dtype,
            overwrite=True,
            **stored,
        )


def stored_axes(array: OutputArray, image_axes: Sequence[AxisName]) -> tuple[AxisName, ...]:
    """Return the axes in which an output is stored beside an image with `image_axes`.

    Labels must have every axis of their image, with extent 1 where they are the same along it.
    """
    extra = image_axes if array.kind in LABEL_KINDS else ()
    return ordered((*array.axes, *extra))


def made_axes(group: "zarr.Group") -> tuple[AxisName, ...] | None:
    """Return the axes in which an earlier process has stored the output of this group."""
    if "0" not in group:
        return None
    names = getattr(group["0"].metadata, "dimension_names", None) or ()
    return tuple(axis for axis in AXIS_ORDER if axis in names)


def _along(axes: Sequence[AxisName], sizes: Mapping[AxisName, int]) -> tuple[int, ...]:
    return tuple(sizes[axis] for axis in axes)
