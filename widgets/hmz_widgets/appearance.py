"""How outputs look in napari: which layers one output becomes, by its kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from napari.utils.colormaps import Colormap, DirectLabelColormap

from napari_hmz.results.metadata import class_rgba
from napari_hmz.schema import Axes, ClassSpec, OutputArray
from napari_hmz.schema.output_document import LABEL_KINDS

MOST_CHANNELS = 16
"""With more of them (embeddings), an output stays one layer, with an axis for its channels."""
UNDECLARED = (0.5, 0.5, 0.5, 1.0)
"""Colour of values that the model has not declared: they are seen."""


@dataclass(frozen=True, eq=False)
class Look:
    """One layer of an output.

    Parameters
    ----------
    channel
        Which channel it shows; None: the output as it is.
    word
        What tells it from the output's other layers; empty if it is the only one.
    arguments
        What napari wants to know of a new layer, beside its place.
    """

    layer_type: Literal["image", "labels"]
    channel: int | None
    word: str
    arguments: dict[str, Any]

    def axes(self, output: OutputArray) -> Axes:
        """Return the axes of the layer."""
        return tuple(axis for axis in output.axes if axis != "c" or self.channel is None)

    def part(self, data: Any, output: OutputArray) -> Any:  # noqa: ANN401 # any kind of array
        """Return what the layer shows of the output's array: no copy."""
        if self.channel is None:
            return data
        return data[(slice(None),) * output.axes.index("c") + (self.channel,)]


def looks(output: OutputArray, image_axes: Axes) -> list[Look]:
    """Return the layers that an output becomes.

    A few channels that the image does not have, as the probabilities of classes, are layers of
    their own: an axis for them would be a slider.
    """
    if output.kind in LABEL_KINDS:
        return [Look("labels", None, "", _labels(output))]
    split = "c" in output.axes and "c" not in image_axes
    if not split or output.shape["c"] > MOST_CHANNELS:
        return [Look("image", None, "", _image(output))]
    words = [*output.channels, *map(str, range(len(output.channels), output.shape["c"]))]
    return [
        Look("image", channel, word, _image(output) | _coloured(output, word))
        for channel, word in enumerate(words[: output.shape["c"]])
    ]


def described(output: OutputArray) -> dict[str, Any]:
    """Return what a layer's metadata say of the output that it shows."""
    classes = [one.model_dump(mode="json") for one in output.classes]
    return {"name": output.name, "kind": output.kind, "classes": classes}


def _labels(output: OutputArray) -> dict[str, Any]:
    """Return how labels look: classes have colours and names, instances are told apart."""
    if output.kind == "instance-labels" or not output.classes:
        return {}
    return {"colormap": _class_colours(output.classes), "features": _class_names(output.classes)}


def _class_colours(classes: Sequence[ClassSpec]) -> DirectLabelColormap:
    colours: dict[int | None, Any] = {None: UNDECLARED}
    colours |= {one.value: [part / 255 for part in class_rgba(one)] for one in classes}
    return DirectLabelColormap(color_dict=colours | {0: (0.0, 0.0, 0.0, 0.0)})


def _class_names(classes: Sequence[ClassSpec]) -> dict[str, list[Any]]:
    """Return the features of a layer of classes: napari shows the name under the cursor."""
    named = {one.value: one.name for one in classes}
    return {"index": list(named), "class": list(named.values())}


def _image(output: OutputArray) -> dict[str, Any]:
    arguments: dict[str, Any] = {"blending": "additive"}
    if output.kind == "probabilities":
        arguments["contrast_limits"] = (0.0, 1.0)
    return arguments


def _coloured(output: OutputArray, word: str) -> dict[str, Any]:
    """Return the colour of the class that a channel stands for, if it is one."""
    found = [one for one in output.classes if one.name == word]
    if not found:
        return {}
    bright = [part / 255 for part in class_rgba(found[0])]
    return {"colormap": Colormap([[0.0, 0.0, 0.0, 1.0], bright], name=f"class {word}")}
