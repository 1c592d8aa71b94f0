"""Whether a layer can feed an input of a model, and if not, why: one sentence, nothing else.

The same rules as the backend's, seen before anything is sent. It still has the last word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_hmz.form import proposed_axes
from napari_hmz.physical import far_sizes_um, sizes_um
from napari_hmz.schema import SPATIAL_AXES, Axes, InputSpec


@dataclass(frozen=True, slots=True)
class ImageDescription:
    """What is known of a layer without reading a voxel of it.

    Parameters
    ----------
    kind
        As of `InputSpec.kind`: `image`, `labels`, `points`, `boxes`, `scribbles`.
    shape, labels
        Extents of its array and what its axes are called; an RGB image's last one is the colours.
    dtype
        numpy's name of its data type.
    rgb
        Whether the last axis holds colours.
    voxel_size, units
        Distance between voxel centres for each axis of `shape`, and its unit.
    beside
        How many other layers of its kind, extents and data type there are: each may be a channel.
    """

    shape: tuple[int, ...]
    labels: tuple[str, ...]
    dtype: str
    kind: str = "image"
    rgb: bool = False
    voxel_size: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    beside: int = 0


def likely_axes(spec: InputSpec, image: ImageDescription) -> Axes | None:
    """Return the axes that the image has most likely; None if it has too many or too few."""
    offers = proposed_axes(image.shape, image.labels, spec, image.units)
    fitting = (axes for axes in offers if (axes[-1] == "c") == image.rgb)
    return next(fitting, None)


def misfit(spec: InputSpec, image: ImageDescription, axes: Axes | None = None) -> str:
    """Return why a layer cannot feed an input, or an empty string.

    Parameters
    ----------
    spec
        The input.
    image
        The layer.
    axes
        Those that a person has chosen; None: the most likely ones.
    """
    if image.kind != spec.kind:
        return f"This model takes {_thing(spec.kind)}, and the layer holds {_thing(image.kind)}."
    axes = axes or likely_axes(spec, image)
    if axes is None:
        return f"The layer has {len(image.shape)} dimensions; 2 to 5 can be used."
    return (
        misfit_of_axes(spec, axes)
        or _misfit_of_colours(spec, image)
        or _misfit_of_channels(spec, image, axes)
        or _misfit_of_dtype(spec, image)
    )


def misfit_of_axes(spec: InputSpec, axes: Axes) -> str:
    """Return which axes of the model an image lacks, as a sentence, or an empty string."""
    if "t" in spec.axes:
        return "This model takes a time axis, which cannot be fed yet."
    lacking = [axis for axis in spec.axes if axis in SPATIAL_AXES and axis not in axes]
    if not lacking:
        return ""
    named = f"axis {lacking[0]}" if len(lacking) == 1 else f"axes {', '.join(lacking)}"
    return f"This model needs the {named}, which the image does not have."


def size_misfit(spec: InputSpec, image: ImageDescription, axes: Axes | None = None) -> str:
    """Return how the voxel size is too far from the model's, as a sentence, or an empty string.

    Such an image can be run all the same, rescaled or as it is.
    """
    axes = axes or likely_axes(spec, image)
    if axes is None:
        return ""
    voxel_size = dict(zip(axes, image.voxel_size, strict=False))  # colours have no size
    found_um = sizes_um(voxel_size, dict(zip(axes, image.units, strict=False)), axes)
    far = far_sizes_um(spec, found_um)
    if not far:
        return ""
    told = [f"{axis} {own:.3g} µm, not {wanted:.3g} µm" for axis, (own, wanted) in far.items()]
    return f"The layer's voxels are not of the size that this model is for: {', '.join(told)}."


def _misfit_of_colours(spec: InputSpec, image: ImageDescription) -> str:
    if not image.rgb or len(spec.channels) == image.shape[-1]:
        return ""
    return "This model does not take colour images: split the layer first (Split RGB)."


def _misfit_of_channels(spec: InputSpec, image: ImageDescription, axes: Axes) -> str:
    wanted = len(spec.channels) if "c" in spec.axes else 1
    there = image.shape[axes.index("c")] if "c" in axes else 1
    if wanted <= max(1, there + image.beside):
        return ""
    has = "a single one" if there == 1 else f"{there}"
    return f"This model takes {wanted} channels ({', '.join(spec.channels)}); the layer has {has}."


def _misfit_of_dtype(spec: InputSpec, image: ImageDescription) -> str:
    if not spec.dtypes or image.kind != "image" or _widens(image.dtype, spec.dtypes):
        return ""
    return (
        f"The layer's values are {image.dtype}, which do not fit into "
        f"{' or '.join(spec.dtypes)} without loss: convert the layer first."
    )


def _widens(dtype: str, accepted: Sequence[str]) -> bool:
    try:
        return any(np.can_cast(np.dtype(dtype), np.dtype(name), "safe") for name in accepted)
    except TypeError:  # a data type that numpy does not know: the backend will say so
        return True


def _thing(kind: str) -> str:
    return "an image" if kind == "image" else kind
