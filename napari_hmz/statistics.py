"""Intensity statistics of a volume: one function for the client and for the backend.

Small volumes are measured voxel by voxel, large ones from a sample of chunks that depends on the
announcement and the seed only, so that both sides would find the same.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_hmz.errors import NonFiniteData
from napari_hmz.schema import ChannelStatistics, Region, VolumeRequest, VolumeStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Read = Callable[[Region], NDArray[Any]]

BUDGET_VOXELS: Final = 2**24
"""Volumes up to this many voxels are measured exactly; larger ones by about as many."""

LEVELS: Final = (
    0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0,
    50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0, 97.0, 98.0, 99.0, 99.5, 99.7, 99.8, 99.9,
    99.95, 99.99, 100.0,
)  # fmt: skip # ascending percentile levels
_BINS: Final = 256
_COUNTED_BYTES: Final = 2
"""Integers up to this size are counted value by value, in bounded memory."""


def volume_statistics(
    read: "Read",
    request: VolumeRequest,
    *,
    seed: int = 0,
    budget_voxels: int = BUDGET_VOXELS,
    require_finite: bool = False,
) -> VolumeStatistics:
    """Measure the intensities of a volume, channel by channel.

    Parameters
    ----------
    read
        Returns the voxels of a region that names every axis, in the order of `request.axes`.
    seed
        Of the sample of chunks, where there are more than `budget_voxels` voxels.
    require_finite
        Refuse NaN and infinity instead of leaving them out.

    Returns
    -------
    statistics
        One entry per index of axis `c`. Quantiles are those of `numpy.percentile`, Otsu's
        threshold that of scikit-image.

    Raises
    ------
    NonFiniteData
        If a channel has no finite voxel at all, or any that is not, where that is asked.
    """
    channels = range(request.shape.get("c", 1))
    total = math.prod(request.shape.values())
    is_exact = total <= budget_voxels
    regions = [] if is_exact else _sample(request, seed, budget_voxels)
    measured, sampled = [], 0
    for channel in channels:
        parts = _exact(request, channel) if is_exact else _of_channel(request, regions, channel)
        values = _Values(np.dtype(request.dtype), require_finite=require_finite)
        for region in parts:
            values.add(read(region))
        sampled += values.count
        measured.append(values.measure(channel))
    return VolumeStatistics(
        method="exact" if is_exact else "sample",
        seed=seed,
        sampled_voxels=sampled,
        channels=tuple(measured),
    )


class _Values:
    """The finite values of one channel: counted, or kept where they cannot be counted."""

    def __init__(self, dtype: "np.dtype[Any]", *, require_finite: bool) -> None:
        self.count = 0
        self._dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype
        self._require_finite = require_finite
        self._is_counted = dtype.kind in "bui" and dtype.itemsize <= _COUNTED_BYTES
        self._lowest = int(np.iinfo(self._dtype).min) if self._is_counted else 0
        size = 2 ** (8 * self._dtype.itemsize) if self._is_counted else 0
        self._counts = np.zeros(size, np.int64)
        self._kept: list[NDArray[Any]] = []

    def add(self, array: "NDArray[Any]") -> None:
        values = array.ravel()
        if self._dtype.kind == "f":
            is_finite = np.isfinite(values)
            if not is_finite.all():
                if self._require_finite:
                    number = int(values.size - is_finite.sum())
                    raise NonFiniteData(f"{number} voxels of one region are NaN or infinite.")
                values = values[is_finite]
        self.count += values.size
        if self._is_counted:
            offsets = values.astype(np.int64) - self._lowest
            self._counts += np.bincount(offsets, minlength=len(self._counts))
        else:
            self._kept.append(np.array(values))

    def measure(self, channel: int) -> ChannelStatistics:
        if not self.count:
            raise NonFiniteData(f"Channel {channel} has no finite voxel.")
        return self._from_counts() if self._is_counted else self._from_values()

    def _from_counts(self) -> ChannelStatistics:
        present = np.flatnonzero(self._counts)
        values, counts = present + self._lowest, self._counts[present]
        mean = float(np.average(values, weights=counts))
        variance = float(np.average((values - mean) ** 2, weights=counts))
        span = np.arange(present[0], present[-1] + 1)
        return ChannelStatistics(
            minimum=float(values[0]),
            maximum=float(values[-1]),
            mean=mean,
            std=math.sqrt(variance),
            levels=LEVELS,
            quantiles=tuple(_quantile(values, counts, level) for level in LEVELS),
            otsu=otsu(self._counts[span], span + self._lowest),
        )

    def _from_values(self) -> ChannelStatistics:
        values = np.concatenate(self._kept)
        low, high = float(values.min()), float(values.max())
        counts, edges = np.histogram(values, bins=_BINS) if high > low else ([0], [low, low])
        centres = (np.asarray(edges)[1:] + np.asarray(edges)[:-1]) / 2
        return ChannelStatistics(
            minimum=low,
            maximum=high,
            mean=float(values.mean(dtype=np.float64)),
            std=float(values.std(dtype=np.float64)),
            levels=LEVELS,
            quantiles=tuple(float(value) for value in np.percentile(values, LEVELS)),
            otsu=otsu(np.asarray(counts), centres),
        )


def otsu(counts: "NDArray[Any]", centres: "NDArray[Any]") -> float | None:
    """Return the threshold that parts a histogram best, by the variance between both sides.

    None for a histogram of a single value. Voxels above the threshold are foreground.
    """
    if len(centres) < 2:  # noqa: PLR2004 # one value has nothing to part
        return None
    weights = counts.astype(np.float64)
    moments = weights * centres
    below, above = np.cumsum(weights)[:-1], np.cumsum(weights[::-1])[::-1][1:]
    mean_below = np.cumsum(moments)[:-1] / np.maximum(below, 1)
    mean_above = np.cumsum(moments[::-1])[::-1][1:] / np.maximum(above, 1)
    between = below * above * (mean_below - mean_above) ** 2
    return float(centres[int(np.argmax(between))])


def _quantile(values: "NDArray[Any]", counts: "NDArray[Any]", level: float) -> float:
    """Return a percentile of counted values, interpolated between ranks as numpy does."""
    ends = np.cumsum(counts)
    rank = level / 100 * (int(ends[-1]) - 1)
    below, above = math.floor(rank), math.ceil(rank)
    low = float(values[np.searchsorted(ends, below, side="right")])
    high = float(values[np.searchsorted(ends, above, side="right")])
    return low + (high - low) * (rank - below)


def _grid(request: VolumeRequest) -> list[int]:
    return [
        1 if axis == "c" else math.ceil(request.shape[axis] / request.chunks[axis])
        for axis in request.axes
    ]


def _region(request: VolumeRequest, index: Sequence[int]) -> Region:
    """Return the chunk at `index`; axis `c` is set by channel afterwards."""
    region: Region = {}
    for axis, at in zip(request.axes, index, strict=True):
        extent = request.chunks[axis]
        region[axis] = (at * extent, min((at + 1) * extent, request.shape[axis]))
    return region


def _of_channel(
    request: VolumeRequest, regions: Sequence[Region], channel: int
) -> Iterator[Region]:
    for region in regions:
        yield region | {"c": (channel, channel + 1)} if "c" in request.axes else region


def _exact(request: VolumeRequest, channel: int) -> Iterator[Region]:
    indices = itertools.product(*(range(number) for number in _grid(request)))
    return _of_channel(request, [_region(request, index) for index in indices], channel)


def _sample(request: VolumeRequest, seed: int, budget_voxels: int) -> list[Region]:
    """Return seeded chunks, in order, whose voxels of all channels come near the budget."""
    grid = _grid(request)
    channels = request.shape.get("c", 1)
    voxels = math.prod(extent for axis, extent in request.chunks.items() if axis != "c") * channels
    number = min(math.prod(grid), max(1, budget_voxels // voxels))
    chosen = np.random.default_rng(seed).choice(math.prod(grid), size=number, replace=False)
    return [_region(request, np.unravel_index(int(at), grid)) for at in np.sort(chosen)]  # type: ignore[arg-type] # numpy integers count as integers
