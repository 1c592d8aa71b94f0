"""The figures that processing steps ask for: fixed from the volume, or taken from the tile.

With the volume's statistics every tile is scaled alike, so that results do not depend on how the
volume was cut. Without them the tile is a sample of its own, as in the reference.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from .errors import TileRejected
from .reference import LabelledArray, Measure, MeasureValue, Tensor

Channel = Mapping[str, Any]
"""Statistics of one channel: minimum, maximum, mean, std, levels (0 to 100), quantiles, otsu."""
BISECTIONS = 60
"""Halvings of the intensity range: more than a float64 can resolve."""


def fixed(
    measure: Measure, channels: Sequence[Channel], axes: Sequence[str], extent: int
) -> MeasureValue:
    """Return the value of a mean, std, var or quantile measure from a volume's statistics.

    Parameters
    ----------
    measure
        A sample or dataset measure of `bioimageio.core`.
    channels
        Statistics of the channels that the model sees, in its order.
    axes
        Axis ids of the measured tensor.
    extent
        How many channels the measured tensor has.

    Raises
    ------
    TileRejected
        If the statistics are of another number of channels.
    """
    from bioimageio.core import Tensor as NamedArray

    if len(channels) != extent:
        message = f"statistics of {len(channels)} channels came with {extent} channels"
        raise TileRejected(message, tensor=str(measure.member_id))
    reduced = None if measure.axes is None else [str(axis) for axis in measure.axes]
    if "channel" not in axes or reduced is None or "channel" in reduced:
        return _figure(measure, channels)
    values = [_figure(measure, [channel]) for channel in channels]
    return NamedArray(np.array(values, dtype=np.float64), dims=("channel",))


def _figure(measure: Measure, channels: Sequence[Channel]) -> float:
    if measure.name == "mean":
        return _mean(channels)
    if measure.name == "var":
        return _variance(channels)
    if measure.name == "std":
        return float(np.sqrt(_variance(channels)))
    return quantile(channels, float(measure.q))


def _mean(channels: Sequence[Channel]) -> float:
    return sum(float(channel["mean"]) for channel in channels) / len(channels)


def _variance(channels: Sequence[Channel]) -> float:
    squares = [float(channel["std"]) ** 2 + float(channel["mean"]) ** 2 for channel in channels]
    return max(0.0, sum(squares) / len(channels) - _mean(channels) ** 2)


def quantile(channels: Sequence[Channel], q: float) -> float:
    """Return the intensity below which a share `q` lies of all voxels of the channels together."""
    curves = [_curve(channel) for channel in channels]
    if len(curves) == 1:
        levels, values = curves[0]
        return float(np.interp(q, levels, values))
    low = min(float(values[0]) for _, values in curves)
    high = max(float(values[-1]) for _, values in curves)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        share = np.mean([np.interp(middle, values, levels) for levels, values in curves])
        low, high = (middle, high) if share < q else (low, middle)
    return high


def _curve(channel: Channel) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    levels = [0.0, *(float(level) / 100 for level in channel["levels"]), 1.0]
    values = [
        float(channel["minimum"]),
        *map(float, channel["quantiles"]),
        float(channel["maximum"]),
    ]
    return np.array(levels), np.maximum.accumulate(np.array(values))


def measured(
    measures: Collection[Measure], members: Mapping[Any, Tensor]
) -> dict[Measure, MeasureValue]:
    """Take the measures of the tensors at hand, as the reference does for a single sample.

    Sums are kept in float64, and scalars given as Python floats: numpy 1 and 2 promote others
    differently.
    """
    needed = {measure.member_id for measure in measures}
    exact = {n: tensor.data.astype("float64") for n, tensor in members.items() if n in needed}
    return {
        measure: _taken(measure, exact[measure.member_id])
        for measure in measures
        if measure.member_id in exact
    }


def _taken(measure: Measure, array: LabelledArray) -> MeasureValue:
    from bioimageio.core import Tensor as NamedArray

    if measure.name == "quantile":
        method = getattr(measure, "method", "linear")
        value = array.quantile(measure.q, dim=measure.axes, method=method)
    else:
        value = getattr(array, measure.name)(dim=measure.axes)  # mean, std or var
    return NamedArray.from_xarray(value) if value.dims else float(value)
