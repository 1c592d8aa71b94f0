"""Intensity statistics of a volume: taken once, recorded, and handed to every tile."""

from typing import Literal

from pydantic import Field

from napari_hmz.schema.base import Message


class ChannelStatistics(Message):
    """What is known of the intensities of one channel; non-finite voxels are left out."""

    minimum: float
    maximum: float
    mean: float
    std: float
    levels: tuple[float, ...] = ()
    """Percentile levels, 0 to 100, ascending."""
    quantiles: tuple[float, ...] = ()
    """The intensity at each of `levels`."""
    otsu: float | None = None
    """Otsu's threshold of the histogram; none for a constant channel."""


class VolumeStatistics(Message):
    """Statistics of one volume, channel by channel, with how they were taken."""

    method: Literal["exact", "sample"]
    """From every voxel, or from a seeded sample of chunks."""
    seed: int = 0
    sampled_voxels: int = Field(ge=0)
    channels: tuple[ChannelStatistics, ...]
    """One entry for each index of axis `c`; a single one where there is no such axis."""
