"""Which axes an image may have: proposed from its labels and the model, corrected by a person."""

from collections.abc import Sequence

from napari_hmz.schema import Axes, AxisName, InputSpec

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


def proposed_axes(shape: Sequence[int], labels: Sequence[str], spec: InputSpec) -> tuple[Axes, ...]:
    """Return the axes that an image may have, the most likely first; none if it has too many.

    Parameters
    ----------
    shape
        The image's extents.
    labels
        What its axes are called, as far as that is known.
    spec
        The input that it shall feed: an axis as long as the model has channels may be theirs.
    """
    candidates = PLAUSIBLE.get(len(shape), ())
    named = named_axes(labels)
    if named is not None:
        return (named, *(axes for axes in candidates if axes != named))
    return tuple(sorted(candidates, key=lambda axes: _doubt(axes, shape, spec)))


def named_axes(labels: Sequence[str]) -> Axes | None:
    """Return the axes if every label is one that we know and none stands twice."""
    found = [NAMES.get(label.strip().lower().removesuffix("s")) for label in labels]
    known = tuple(axis for axis in found if axis is not None)
    whole = len(known) == len(found) == len(set(known))
    return known if whole and {"y", "x"} <= set(known) else None


def _doubt(axes: Axes, shape: Sequence[int], spec: InputSpec) -> int:
    """Return 0 for an order whose channel axis is just as long as the model's, else 1 or 2."""
    if "c" not in axes:
        return 1
    fits = len(spec.channels) > 1 and shape[axes.index("c")] == len(spec.channels)
    return 0 if fits else 2
