"""What is wrong with a request, found before any pixel travels."""

from collections.abc import Mapping

import numpy as np

from hmz_backend.planning.chunks import largest_chunk_set
from hmz_backend.planning.estimate import chunk_bytes
from napari_hmz.errors import (
    DtypeUnsuitable,
    ParameterInvalid,
    QuotaExceeded,
    RegionInvalid,
    VolumeEmpty,
    VoxelSizeMismatch,
)
from napari_hmz.physical import doubts, far_sizes_um, sizes_um
from napari_hmz.schema import (
    SPATIAL_AXES,
    AxisName,
    InputSpec,
    Interval,
    ModelCard,
    ParameterValue,
    Plan,
    Region,
    VolumeRequest,
    resolve_parameters,
)


def check_extents(volume: VolumeRequest) -> None:
    """Raise `VolumeEmpty` if an axis of `volume` has no voxels."""
    empty = [axis for axis in volume.axes if volume.shape[axis] < 1]
    if empty:
        raise VolumeEmpty(f"The image has no voxels along {', '.join(empty)}.")


def checked_region(volume: VolumeRequest, asked: Mapping[AxisName, Interval]) -> Region:
    """Return the whole region asked for: axes that are not named are taken whole.

    Raises
    ------
    RegionInvalid
        If it names an axis that the image lacks, or leaves the image.
    VolumeEmpty
        If it has no voxels.
    """
    unknown = [axis for axis in asked if axis not in volume.axes]
    if unknown:
        raise RegionInvalid(
            f"The region names {', '.join(unknown)}; the image has {', '.join(volume.axes)}."
        )
    region: Region = {}
    for axis in volume.axes:
        start, stop = asked.get(axis, (0, volume.shape[axis]))
        if start < 0 or stop > volume.shape[axis]:
            raise RegionInvalid(
                f"The region is {start}:{stop} along {axis}; "
                f"the image reaches from 0 to {volume.shape[axis]}."
            )
        if stop <= start:
            raise VolumeEmpty(f"The region has no voxels along {axis} ({start}:{stop}).")
        region[axis] = (start, stop)
    return region


def tile_dtype(volume_dtype: str, spec: InputSpec) -> np.dtype[np.generic]:
    """Return the data type in which tiles are sent: the image's own, or a wider one of the model.

    Raises
    ------
    DtypeUnsuitable
        If the model takes none that holds the image's values without loss.
    """
    try:
        own = np.dtype(volume_dtype).newbyteorder("=")
    except TypeError as error:
        raise DtypeUnsuitable(f"The image's data type {volume_dtype!r} is not known.") from error
    taken = [np.dtype(name) for name in spec.dtypes]
    if own in taken:
        return own
    wider = [dtype for dtype in taken if own.kind in "biuf" and np.can_cast(own, dtype, "safe")]
    if not wider:
        raise DtypeUnsuitable(
            f"The image is {own.name}; the model takes {', '.join(spec.dtypes)} without loss."
        )
    return min(wider, key=lambda dtype: (dtype.itemsize, dtype.kind != own.kind))


def checked_parameters(
    card: ModelCard, given: Mapping[str, ParameterValue]
) -> dict[str, ParameterValue]:
    """Return every parameter of `card`, given or default, or raise `ParameterInvalid`."""
    values, problems = resolve_parameters(card.parameters, given)
    if problems:
        raise ParameterInvalid(
            "; ".join(f"{problem.name}: {problem.message}" for problem in problems) + "."
        )
    return values


def check_slots(plan: Plan, volume: VolumeRequest, slots: int) -> None:
    """Refuse a run on a streamed volume of which no more than `slots` chunks are held at a time.

    Raises
    ------
    QuotaExceeded
        If a single tile reads more.
    """
    most = largest_chunk_set(plan, volume)
    if most > slots:
        size = chunk_bytes(volume)
        raise QuotaExceeded(
            f"A tile reads {most} chunks of the image ({most * size / 2**20:.0f} MiB); the staging "
            f"area has room for {slots} ({slots * size / 2**20:.0f} MiB).",
            remedy="Take a smaller block, store the image in smaller chunks, try again when other "
            "runs have ended, or ask the backend's admin for more (`stream_bytes`).",
        )


def check_voxel_size(spec: InputSpec, volume: VolumeRequest, *, ignore: bool) -> str:
    """Compare the image's voxel size with the model's, where both are lengths.

    Returns
    -------
    A warning, if `ignore` is set and they are far apart; else an empty string.

    Raises
    ------
    VoxelSizeMismatch
        If they differ by more than the model's tolerance and `ignore` is not set.
    """
    found_um = sizes_um(volume.voxel_size, volume.units, spec.voxel_size_um)
    far = far_sizes_um(spec, found_um)
    if not far:
        return ""
    told = [f"{axis}: {own:g} µm, made for {wanted:g} µm" for axis, (own, wanted) in far.items()]
    message = f"The voxel size is far from the model's ({'; '.join(told)})."
    if not ignore:
        raise VoxelSizeMismatch(message)
    return message


def length_warnings(
    card: ModelCard, volume: VolumeRequest, given: Mapping[str, ParameterValue]
) -> list[str]:
    """Return what is doubtful in the lengths that are given in voxels, for this voxel size."""
    axes = [axis for axis in card.inputs[0].axes if axis in SPATIAL_AXES]
    sizes = sizes_um(volume.voxel_size, volume.units, axes)
    return list(doubts(card.parameters, checked_parameters(card, given), sizes))
