"""Drawing a few boxes of a labels layer anew, instead of all that it shows.

A layer's `refresh` maps and uploads everything on show: some 20 ms for a plane of 2048², a second
for 512³. napari draws what has been painted by a public event, `labels_update`, that carries one
box in the values of the texture. It is sent from here for boxes that have new values; where that
would not give the same picture, `patchable` says so, and the layer has to be refreshed.

Lives in the Qt main thread.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap
from numpy.typing import NDArray

Box = tuple[slice, ...]
SMALL_BYTES = 2
"""Values of at most so many bytes are in the texture as they are."""
MOST_COLOURS = 2**16


def patchable(layer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
    """Return whether boxes of a layer can be drawn by themselves as a refresh would draw them."""
    if getattr(layer.events, "labels_update", None) is None:
        return False
    if not layer.loaded or layer.multiscale or layer.contour or layer.show_selected_label:
        return False
    colours, dtype = layer.colormap, np.dtype(layer.data.dtype)
    if dtype.kind != "u":
        return False
    if dtype.itemsize <= SMALL_BYTES:
        return True
    return isinstance(colours, CyclicLabelColormap) and len(colours.colors) <= MOST_COLOURS


def patch(layer: Any, boxes: Iterable[Box], hidden: Mapping[int, int]) -> None:  # noqa: ANN401 # napari
    """Draw boxes of a layer's array anew, where they cut what is on show.

    Parameters
    ----------
    hidden
        The dimensions of the array that are not displayed, with the index that is shown of each;
        the others are displayed in their order.
    """
    for box in boxes:
        place = tuple(hidden.get(axis, part) for axis, part in enumerate(box))
        values = np.asarray(layer.data[place])
        offset = [part.start for axis, part in enumerate(box) if axis not in hidden]
        layer.events.labels_update(data=_in_texture(values, layer.colormap), offset=offset)


def _in_texture(values: NDArray[Any], colours: Any) -> NDArray[Any]:  # noqa: ANN401 # napari
    """Return values as napari has them in the texture: wide ones become numbers of colours.

    Colour 0 is the background's; all others take turns.
    """
    if values.dtype.itemsize <= SMALL_BYTES:
        return values
    numbers = len(colours.colors) - 1
    narrow = np.uint8 if numbers < 2**8 else np.uint16
    turned = ((values - 1) % numbers + 1).astype(narrow)
    turned[values == colours.background_value] = 0
    return turned
