"""A layer in the words of the core: what is known of it without reading a voxel.

Touches layers, and so runs in the Qt main thread.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hmz_widgets.layers import finest
from napari_hmz.catalogue import ImageDescription
from napari_hmz.schema import Axes

KINDS = {"Image": "image", "Labels": "labels", "Points": "points", "Shapes": "boxes"}
"""napari's kinds of layers, and what models call them."""


def described_among(layer: Any, layers: Iterable[Any]) -> ImageDescription:  # noqa: ANN401 # napari is untyped here
    """Describe a layer, with how many of the others could be channels beside it."""
    own = described(layer)
    others = [described(other) for other in layers if other != layer]
    alike = [o for o in others if (o.kind, o.shape, o.dtype) == (own.kind, own.shape, own.dtype)]
    return replace(own, beside=len(alike))


def described(layer: Any) -> ImageDescription:  # noqa: ANN401 # napari is untyped here
    """Describe a layer."""
    array = finest(layer) if hasattr(layer, "multiscale") else layer.data
    rgb = bool(getattr(layer, "rgb", False))
    return ImageDescription(
        kind=kind_of(layer),
        shape=tuple(int(extent) for extent in getattr(array, "shape", ())),
        labels=(*map(str, layer.axis_labels), *(["channel"] if rgb else [])),
        dtype=str(getattr(array, "dtype", "")),
        rgb=rgb,
        voxel_size=tuple(float(size) for size in layer.scale),
        units=tuple(str(unit) for unit in layer.units),
    )


def kind_of(layer: Any) -> str:  # noqa: ANN401 # napari is untyped here
    """Return what models call a layer of this kind; a plugin's own kind is one of napari's."""
    names = [kind.__name__ for kind in type(layer).__mro__]
    return next((KINDS[name] for name in names if name in KINDS), names[0].lower())


def as_picked(image: ImageDescription, axes: Axes, channels: int) -> tuple[ImageDescription, Axes]:
    """Return an image as the model gets it, once so many channels are picked; 0: as they come."""
    if channels == 0 or (channels == 1 and "c" not in axes):
        return image, axes
    if "c" not in axes:
        return replace(image, shape=(*image.shape, channels)), (*axes, "c")
    place = axes.index("c")
    before, after = image.shape[:place], image.shape[place + 1 :]
    if channels == 1:
        return replace(image, shape=before + after), axes[:place] + axes[place + 1 :]
    return replace(image, shape=(*before, channels, *after)), axes
