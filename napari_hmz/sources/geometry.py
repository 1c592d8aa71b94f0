"""What a format says of an image beside its pixels: axes, voxel size, position, channels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from napari_hmz.errors import AxesMismatch
from napari_hmz.schema import AXIS_ORDER, AxisName

RGB_CHANNELS = (3, 4)
"""A last axis of this extent, in 8 bits, is taken for colour."""

_SYNONYMS: dict[str, AxisName] = {
    "t": "t", "time": "t", "frame": "t", "frames": "t", "timepoint": "t",
    "c": "c", "ch": "c", "channel": "c", "channels": "c", "s": "c", "rgb": "c", "band": "c",
    "z": "z", "depth": "z", "plane": "z", "slice": "z", "slices": "z",
    "y": "y", "row": "y", "rows": "y", "height": "y",
    "x": "x", "col": "x", "cols": "x", "column": "x", "columns": "x", "width": "x",
}  # fmt: skip # one line per axis

_UNITS = {
    "um": "micrometer", "µm": "micrometer", "μm": "micrometer", "\\u00b5m": "micrometer",
    "micron": "micrometer", "microns": "micrometer", "micrometre": "micrometer",
    "nm": "nanometer", "nanometre": "nanometer", "mm": "millimeter", "millimetre": "millimeter",
    "cm": "centimeter", "m": "meter", "metre": "meter", "pm": "picometer", "å": "angstrom",
    "a": "angstrom", "ang": "angstrom", "in": "inch",
    "s": "second", "sec": "second", "ms": "millisecond", "min": "minute", "h": "hour",
}  # fmt: skip # one line per quantity

_NO_UNITS = frozenset({"", "pixel", "pixels", "px", "reference frame", "none", "arbitrary"})


@dataclass(frozen=True, slots=True)
class Geometry:
    """Axes, outermost first, and what is known along each of them; units as in OME-Zarr."""

    axes: tuple[AxisName, ...]
    voxel_size: dict[AxisName, float] = field(default_factory=dict)
    units: dict[AxisName, str] = field(default_factory=dict)
    translation: dict[AxisName, float] = field(default_factory=dict)
    channel_names: tuple[str, ...] = ()
    name: str = ""

    def without(self, dropped: AxisName) -> "Geometry":
        """Return what remains once `dropped` is fixed to one index."""
        return replace(
            self,
            axes=tuple(axis for axis in self.axes if axis != dropped),
            voxel_size={axis: size for axis, size in self.voxel_size.items() if axis != dropped},
            units={axis: unit for axis, unit in self.units.items() if axis != dropped},
            translation={axis: at for axis, at in self.translation.items() if axis != dropped},
            channel_names=() if dropped == "c" else self.channel_names,
        )

    def renamed(self, axes: tuple[AxisName, ...]) -> "Geometry":
        """Return the same with other names for the axes, position by position."""
        new = dict(zip(self.axes, axes, strict=True))
        return replace(
            self,
            axes=axes,
            voxel_size={new[axis]: size for axis, size in self.voxel_size.items()},
            units={new[axis]: unit for axis, unit in self.units.items()},
            translation={new[axis]: at for axis, at in self.translation.items()},
        )


def axis_named(name: str) -> AxisName | None:
    """Return the axis that a format means by `name`, for example `Channel` or `Z`."""
    return _SYNONYMS.get(name.strip().lower())


def unit_named(name: str) -> str | None:
    """Return the OME-Zarr name of a unit; none for pixels and the like."""
    plain = name.strip()
    if plain.lower() in _NO_UNITS:
        return None
    return _UNITS.get(plain.lower(), plain.lower())


def axes_named(names: Sequence[str]) -> tuple[AxisName, ...] | None:
    """Return the axes of a format's names; none unless each is known and stands once."""
    axes = [axis_named(name) for name in names]
    known = tuple(axis for axis in axes if axis is not None)
    return known if len(known) == len(axes) and len(set(known)) == len(known) else None


def axes_given(text: str | Sequence[str], dimensions: int) -> tuple[AxisName, ...]:
    """Return the axes that a caller names, as `"zyx"` or `("z", "y", "x")`.

    Raises
    ------
    AxesMismatch
        If there are not as many as the image has, one is unknown or stands twice.
    """
    axes = axes_named(list(text))
    if axes is None:
        raise AxesMismatch(
            f"The axes {list(text)} are not distinct letters of {''.join(AXIS_ORDER)}."
        )
    if len(axes) != dimensions:
        raise AxesMismatch(f"The image has {dimensions} axes, but {list(text)} names {len(axes)}.")
    return axes


def axes_for(
    shape: Sequence[int],
    *,
    given: Sequence[str] | None,
    named: tuple[AxisName, ...] | None,
    is_bytes: bool,
) -> tuple[AxisName, ...]:
    """Return the axes that the caller gives, else those that the format names, else a guess.

    Raises
    ------
    AxesMismatch
        If they do not fit the shape, or cannot be guessed.
    """
    if given is not None:
        return axes_given(given, len(shape))
    if named is not None and len(named) == len(shape):
        return named
    return axes_guessed(shape, is_bytes=is_bytes)


def axes_guessed(shape: Sequence[int], *, is_bytes: bool) -> tuple[AxisName, ...]:
    """Return likely axes of an image that names none: planes, colour planes, or a z stack.

    Raises
    ------
    AxesMismatch
        If the number of axes leaves more than one reading.
    """
    if len(shape) == 2:  # noqa: PLR2004 # a plane
        return ("y", "x")
    if len(shape) == 3:  # noqa: PLR2004 # colour, or a stack of planes
        coloured = is_bytes and shape[-1] in RGB_CHANNELS
        return ("y", "x", "c") if coloured else ("z", "y", "x")
    raise AxesMismatch(
        f"Nothing names the axes of this image, of shape {tuple(shape)}.",
        remedy="Name them, outermost first, for example --axes tzyx.",
    )


def positive(sizes: Mapping[AxisName, float]) -> dict[AxisName, float]:
    """Return the sizes that can be a distance: finite and above zero."""
    return {axis: float(size) for axis, size in sizes.items() if math.isfinite(size) and size > 0}
