"""Lengths in voxels are held against what they measure: is a nucleus of that size possible."""

import math
from collections.abc import Iterable, Iterator, Mapping

from napari_hmz.lengths import in_micrometres
from napari_hmz.schema import AxisName, InputSpec, ParameterSpec, ParameterValue, PhysicalLength

_ROUNDING = 1e-6
UNEVEN = 2.0
"""A voxel longer than this times its width is no cube any more."""


def sizes_um(
    voxel_size: Mapping[AxisName, float], units: Mapping[AxisName, str], axes: Iterable[AxisName]
) -> dict[AxisName, float]:
    """Return the voxel's extent along each of `axes` in micrometres, where it is a known length."""
    found: dict[AxisName, float] = {}
    for axis in axes:
        size, unit = voxel_size.get(axis), units.get(axis)
        length = None if size is None or unit is None else in_micrometres(size, unit)
        if length is not None and length > 0:
            found[axis] = length
    return found


def far_sizes_um(
    spec: InputSpec, sizes: Mapping[AxisName, float]
) -> dict[AxisName, tuple[float, float]]:
    """Return where a voxel is farther from the model's size than it bears: found, expected.

    Parameters
    ----------
    spec
        The input of the model.
    sizes
        The voxel's extents in micrometres, as `sizes_um` returns them.
    """
    most = spec.voxel_size_tolerance * (1 + _ROUNDING)
    return {
        axis: (sizes[axis], expected)
        for axis, expected in spec.voxel_size_um.items()
        if axis in sizes and expected > 0 and _factor(sizes[axis], expected) > most
    }


def _factor(found: float, expected: float) -> float:
    return max(found / expected, expected / found) if math.isfinite(found) else math.inf


def in_plane_um(sizes: Mapping[AxisName, float]) -> float | None:
    """Return the width of a pixel as it is seen on the screen; None if it is not known."""
    known = [sizes[axis] for axis in ("y", "x") if axis in sizes]
    return math.prod(known) ** (1 / len(known)) if known else None


def likely(spec: ParameterSpec, pixel_um: float) -> float | None:
    """Return the value that suits the typical thing, within the parameter's range.

    It has two digits: nobody knows a nucleus better.
    """
    if spec.physical is None:
        return None
    value = spec.physical.typical_um / pixel_um
    value = round(value, 1 - math.floor(math.log10(value)))
    low = -math.inf if spec.minimum is None else spec.minimum
    high = math.inf if spec.maximum is None else spec.maximum
    return min(max(value, low), high)


def doubts(
    specs: Mapping[str, ParameterSpec],
    values: Mapping[str, ParameterValue],
    sizes: Mapping[AxisName, float],
) -> Iterator[str]:
    """Yield what looks like a slip in the lengths that were given for an image.

    Parameters
    ----------
    specs, values
        A model's parameters, and what each is set to.
    sizes
        The voxel's extents in micrometres, as `sizes_um` returns them.
    """
    pixel_um = in_plane_um(sizes)
    for name, spec in specs.items():
        value = values.get(name)
        if spec.physical is None or pixel_um is None or not isinstance(value, int | float):
            continue
        yield from _improbable(name, spec, spec.physical, value, pixel_um)
        yield from _uneven(name, spec, sizes)


def _improbable(
    name: str, spec: ParameterSpec, thing: PhysicalLength, value: float, pixel_um: float
) -> Iterator[str]:
    length_um = value * pixel_um
    if not thing.smallest_um <= length_um <= thing.largest_um:
        yield (
            f"A {name} of {value:g} {spec.unit or 'voxels'} is {length_um:.3g} µm in this image; "
            f"{thing.of or 'what it measures'} have {thing.smallest_um:g} to "
            f"{thing.largest_um:g} µm. Try {likely(spec, pixel_um):g}, or correct the voxel size."
        )


def _uneven(name: str, spec: ParameterSpec, sizes: Mapping[AxisName, float]) -> Iterator[str]:
    longest, shortest = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
    ratio = sizes[longest] / sizes[shortest]
    if ratio > UNEVEN:
        yield (
            f"A voxel is {ratio:.2g} times as long along {longest} as along {shortest}, and a "
            f"{name} of so many {spec.unit or 'voxels'} cannot be right along both: resample the "
            "image first."
        )
