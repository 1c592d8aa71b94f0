"""Which axes an image may have: proposed from its labels and the model, corrected by a person."""

from collections.abc import Sequence

from napari_hmz.lengths import in_micrometres
from napari_hmz.schema import SPATIAL_AXES, Axes, AxisName, InputSpec

NAMES: dict[str, AxisName] = {
    "t": "t",
    "time": "t",
    "frame": "t",
    "c": "c",
    "ch": "c",
    "channel": "c",
    "z": "z",
    "depth": "z",
    "plane": "z",
    "y": "y",
    "row": "y",
    "x": "x",
    "col": "x",
    "column": "x",
}
"""What people call axes; plural and case do not matter."""

PLAUSIBLE: dict[int, tuple[Axes, ...]] = {
    2: (("y", "x"),),
    3: (("z", "y", "x"), ("t", "y", "x"), ("c", "y", "x"), ("y", "x", "c")),
    4: (
        ("t", "z", "y", "x"),
        ("c", "z", "y", "x"),
        ("t", "c", "y", "x"),
        ("z", "c", "y", "x"),
        ("z", "y", "x", "c"),
    ),
    5: (("t", "c", "z", "y", "x"), ("t", "z", "c", "y", "x"), ("t", "z", "y", "x", "c")),
}
"""The orders in use, by number of axes, the most usual first."""


TIMES = frozenset({"second", "millisecond", "microsecond", "nanosecond", "minute", "hour", "day"})
"""Units that only time has."""


def proposed_axes(
    shape: Sequence[int], labels: Sequence[str], spec: InputSpec, units: Sequence[str] = ()
) -> tuple[Axes, ...]:
    """Return the axes that an image may have, the most likely first; none if it has too many.

    Parameters
    ----------
    shape
        The image's extents.
    labels
        What its axes are called, as far as that is known.
    spec
        The input that it shall feed: an axis as long as the model has channels may be theirs, and
        an axis that the model needs is likely there.
    units
        Of its axes, as far as they are known: a length is no time.
    """
    candidates = PLAUSIBLE.get(len(shape), ())
    named = named_axes(labels)
    if named is not None:
        return (named, *(axes for axes in candidates if axes != named))

    def doubt(axes: Axes) -> tuple[int, int, int, int]:
        return (
            _unlike_labels(axes, labels),
            _unlike_units(axes, units),
            sum(axis in SPATIAL_AXES and axis not in axes for axis in spec.axes),
            _doubt(axes, shape, spec),
        )

    return tuple(sorted(candidates, key=doubt))


def with_axis(axes: Axes, place: int, axis: AxisName) -> Axes:
    """Return the axes with one of them renamed; the one that had the name gets the old one."""
    renamed = list(axes)
    if axis in renamed:
        renamed[renamed.index(axis)] = axes[place]
    renamed[place] = axis
    return tuple(renamed)


def named_axes(labels: Sequence[str]) -> Axes | None:
    """Return the axes if every label is one that we know and none stands twice."""
    found = [NAMES.get(label.strip().lower().removesuffix("s")) for label in labels]
    known = tuple(axis for axis in found if axis is not None)
    whole = len(known) == len(found) == len(set(known))
    return known if whole and {"y", "x"} <= set(known) else None


def _unlike_labels(axes: Axes, labels: Sequence[str]) -> int:
    """Return how many labels that we know say something else."""
    found = (NAMES.get(label.strip().lower().removesuffix("s")) for label in labels)
    pairs = zip(axes, found, strict=False)
    return sum(name is not None and name != axis for axis, name in pairs)


def _unlike_units(axes: Axes, units: Sequence[str]) -> int:
    """Return how many axes have a unit that they cannot have."""
    return sum(
        (in_micrometres(1.0, unit) is not None and axis not in SPATIAL_AXES)
        or (unit in TIMES and axis != "t")
        for axis, unit in zip(axes, units, strict=False)
    )


def _doubt(axes: Axes, shape: Sequence[int], spec: InputSpec) -> int:
    """Return 0 for an order whose channel axis is just as long as the model's, else 1 or 2."""
    if "c" not in axes:
        return 1
    fits = len(spec.channels) > 1 and shape[axes.index("c")] == len(spec.channels)
    return 0 if fits else 2
