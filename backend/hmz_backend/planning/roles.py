"""What each axis of a volume is to a model: tiled, iterated, or taken as channels."""

from dataclasses import dataclass

from napari_hmz.errors import AxesMismatch
from napari_hmz.schema import AXIS_ORDER, SPATIAL_AXES, AxisName, InputSpec, Interval, VolumeRequest


@dataclass(frozen=True, slots=True)
class AxisRoles:
    """The role of every axis of a volume.

    ```
    volume  t c z y x, model y x          volume  c z y x, model c z y x with 2 channels
            │ │ │ └─┴─ tiled                      │ └─┴─┴─ tiled
            └─┴─┴───── iterated                   └─────── taken as channels
    ```
    """

    tiled: tuple[AxisName, ...]
    iterated: tuple[AxisName, ...]
    channels: tuple[int, ...]
    """The volume's channel for each channel of the model; empty: `c` is iterated or absent."""


def ordered(axes: object) -> tuple[AxisName, ...]:
    """Return the axes found in a collection, in the order t c z y x."""
    names = set(axes) if isinstance(axes, (tuple, list, dict, set, frozenset)) else set()
    return tuple(axis for axis in AXIS_ORDER if axis in names)


def axis_roles(
    spec: InputSpec,
    volume: VolumeRequest,
    channels: tuple[int, ...] = (),
    taken: Interval | None = None,
) -> AxisRoles:
    """Say what each axis of `volume` is to a model's input.

    Parameters
    ----------
    spec
        The model's input.
    volume
        The image.
    channels
        The channels asked for, if any.
    taken
        The interval of axis `c` asked for; none: all of it.

    Raises
    ------
    AxesMismatch
        If a spatial axis of the model is missing, or the channels do not fit.
    """
    tiled = tuple(axis for axis in ordered(spec.axes) if axis in SPATIAL_AXES)
    missing = [axis for axis in tiled if axis not in volume.axes]
    if missing or not tiled:
        raise AxesMismatch(
            f"The model works on the axes {', '.join(tiled)}; "
            f"the image has {', '.join(volume.axes)}."
        )
    if "t" in spec.axes:
        raise AxesMismatch("The model takes a time axis, which this version cannot feed.")
    chosen = _chosen_channels(spec, volume, channels, taken)
    iterated = tuple(
        axis for axis in ordered(volume.axes) if axis not in tiled and not (axis == "c" and chosen)
    )
    return AxisRoles(tiled=tiled, iterated=iterated, channels=chosen)


def wanted_channels(spec: InputSpec) -> int:
    """Return how many channels a model's input has."""
    return max(1, len(spec.channels)) if "c" in spec.axes else 1


def _chosen_channels(
    spec: InputSpec, volume: VolumeRequest, given: tuple[int, ...], taken: Interval | None
) -> tuple[int, ...]:
    wanted = wanted_channels(spec)
    there = volume.shape.get("c")
    if there is None:
        if wanted > 1 or given not in ((), (0,)):
            raise AxesMismatch(f"The model takes {_count(wanted)}; the image has no channel axis.")
        return ()
    if given:
        return _checked(given, wanted, there)
    found = tuple(range(*(taken or (0, there))))
    if len(found) == wanted:
        return found
    if wanted == 1:
        return ()
    raise AxesMismatch(
        f"The model takes {_count(wanted)} ({', '.join(spec.channels)}); "
        f"the image has {len(found)}."
    )


def _checked(given: tuple[int, ...], wanted: int, there: int) -> tuple[int, ...]:
    if len(given) != wanted:
        raise AxesMismatch(f"The model takes {_count(wanted)}, not the {len(given)} given.")
    if any(not 0 <= channel < there for channel in given):
        raise AxesMismatch(f"Channels {list(given)} are asked for; the image has 0 to {there - 1}.")
    return given


def _count(number: int) -> str:
    return "1 channel" if number == 1 else f"{number} channels"
