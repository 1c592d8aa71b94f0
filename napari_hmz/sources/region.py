"""Regions by axis name as boxes of an announced image."""

from collections.abc import Mapping

from napari_hmz.errors import RegionInvalid
from napari_hmz.schema import AxisName, Interval, VolumeRequest
from napari_hmz.sources.pixels import Box


def box_in(region: Mapping[AxisName, Interval], request: VolumeRequest) -> Box:
    """Return `region` as slices in the announced axes; axes not named are taken whole.

    Raises
    ------
    RegionInvalid
        If it names an axis that the image lacks, or reaches outside.
    """
    strangers = set(region) - set(request.axes)
    if strangers:
        raise RegionInvalid(f"The image has no axis {', '.join(sorted(strangers))}.")
    parts = []
    for axis in request.axes:
        start, stop = region.get(axis, (0, request.shape[axis]))
        if not 0 <= start <= stop <= request.shape[axis]:
            raise RegionInvalid(
                f"{start}:{stop} lies outside of axis {axis}, 0:{request.shape[axis]}."
            )
        parts.append(slice(start, stop))
    return tuple(parts)
