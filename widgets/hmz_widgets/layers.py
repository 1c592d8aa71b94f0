"""Between napari's layers and the core: an image layer is pictured, an output becomes a layer.

`picture` and `OutputLayer` touch layers and so run in the Qt main thread only. A picture holds
nothing of napari: worker threads read its data, never the layer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from napari.layers import Labels

from hmz_widgets.appearance import Look, described, looks
from hmz_widgets.geometry import Geometry
from hmz_widgets.redrawing import Redrawing
from hmz_widgets.sight import view_of
from napari_hmz.form import levels_of
from napari_hmz.live import Canvas
from napari_hmz.schema import Axes, AxisName, Region, Run, full_region
from napari_hmz.schema.output_document import LABEL_KINDS

_FIXED_CONTRAST = LABEL_KINDS | {"probabilities"}


@dataclass(frozen=True, eq=False)
class Picture:
    """What a run needs to know of an image layer, as it was when the person pressed Run.

    Parameters
    ----------
    data
        The array behind the layer (numpy, dask, zarr); one level of a pyramid.
    geometry
        Where it lies in the viewer, and so where results lie.
    calibration
        Extents of a voxel in micrometres as a person has given them, instead of the layer's.
    channel
        Take only this channel of it.
    stack
        Images that are the channels, instead of `data`; each a picture of its own.
    channel_names
        What the channels of the stack are called.
    """

    name: str
    data: Any
    axes: Axes
    geometry: Geometry
    calibration: Mapping[AxisName, float] = field(default_factory=dict)
    channel: int | None = None
    stack: tuple["Picture", ...] = ()
    channel_names: tuple[str, ...] = ()

    @property
    def voxel_size(self) -> dict[AxisName, float]:
        """Distance between voxel centres, in `units`."""
        own = dict(zip(self.axes, map(float, self.geometry.scale), strict=True))
        return own | self._given

    @property
    def units(self) -> dict[AxisName, str]:
        """Units of the axes that have one; a pixel is none."""
        pairs = zip(self.axes, self.geometry.units, strict=True)
        own = {axis: unit for axis, unit in pairs if unit not in ("pixel", "dimensionless", "")}
        return own | dict.fromkeys(self._given, "micrometer")

    @property
    def _given(self) -> dict[AxisName, float]:
        return {axis: size for axis, size in self.calibration.items() if axis in self.axes}


class Layers(Protocol):
    """What an output needs of a viewer: a place to stand, and what is on show."""

    layers: Any
    dims: Any

    def add_labels(self, data: object, **arguments: object) -> Any:  # noqa: ANN401 # napari's layer
        """Add a labels layer."""

    def add_image(self, data: object, **arguments: object) -> Any:  # noqa: ANN401 # napari's layer
        """Add an image layer."""


def finest(layer: Any) -> Any:  # noqa: ANN401 # napari is untyped here
    """Return the array behind a layer: the finest level of a pyramid."""
    return layer.data[0] if layer.multiscale else layer.data


def shapes(layer: Any) -> tuple[tuple[int, ...], ...]:  # noqa: ANN401 # napari is untyped here
    """Return the shape of every level of a layer, the finest first."""
    levels = layer.data if getattr(layer, "multiscale", False) else [layer.data]
    return tuple(tuple(int(extent) for extent in level.shape) for level in levels)


def picture(
    layer: Any,  # noqa: ANN401 # napari is untyped here
    axes: Axes,
    *,
    level: int = 0,
    calibration: Mapping[AxisName, float] | None = None,
) -> Picture:
    """Picture an image layer whose array has these axes.

    The channel axis of an RGB layer is in its array, but not among the layer's own dimensions.

    Parameters
    ----------
    level
        Of a pyramid; 0 is the finest.
    calibration
        Extents of a voxel in micrometres, where the layer is wrong or does not say.
    """
    own: Axes = axes[: layer.ndim]
    geometry = Geometry(
        axes=own,
        scale=np.asarray(layer.scale, dtype=float),
        translate=np.asarray(layer.translate, dtype=float),
        rotate=np.asarray(layer.rotate, dtype=float),
        shear=_shear_matrix(np.asarray(layer.shear, dtype=float), len(own)),
        affine=np.asarray(layer.affine.affine_matrix, dtype=float),
        units=tuple(str(unit) for unit in layer.units),
        axis_labels=tuple(str(label) for label in layer.axis_labels),
    )
    if level:
        factors = levels_of(shapes(layer))[level].factors
        geometry = geometry.of_level(factors[: layer.ndim])
    if len(axes) > len(own):
        geometry = geometry.of_output(axes, {})
    data = layer.data[level] if layer.multiscale else layer.data
    return Picture(str(layer.name), data, axes, geometry, calibration or {})


def _shear_matrix(shear: Any, ndim: int) -> Any:  # noqa: ANN401 # numpy in, numpy out
    """Return napari's shear as a matrix: it gives the upper triangle as a vector."""
    if shear.ndim == 2:  # noqa: PLR2004 # a matrix already
        return shear
    matrix = np.eye(ndim)
    matrix[np.triu_indices(ndim, 1)] = shear
    return matrix


def ready_labels() -> None:
    """Have napari load what its first labels layer needs: else that comes when results are there.

    Its colours are counted by compiled code, which takes a fourth of a second to load.
    """
    Labels(np.zeros((1, 1), np.uint32))


class OutputLayer:
    """New layers that show a canvas, redrawn while it fills and not too often.

    Most outputs are one layer; probabilities are one for each class. It survives that the person
    removes a layer: then there is nothing to redraw. It holds the layers, so a second layer of the
    same name is never mistaken for one of them.
    """

    def __init__(self, viewer: Layers, canvas: Canvas, image: Picture, run: Run) -> None:
        self._viewer, self._canvas = viewer, canvas
        self._image, self._run = image, run
        self._start = {axis: ends[0] for axis, ends in run.plan.region.items()}
        self._looks = looks(canvas.output, image.axes)
        self._axes = self._looks[0].axes(canvas.output)
        self._layers = [
            self._add(look, look.part(canvas.array, canvas.output)) for look in self._looks
        ]
        self._redrawing = Redrawing(viewer, self._axes, self._present, self._span)
        self.drawn = self._redrawing.drawn

    def mark(self, region: Region) -> None:
        """Note that a region has new values; the layer is redrawn soon."""
        self._redrawing.mark(region)

    def looked_at(self) -> Region:
        """Return the part of the volume that is looked at; empty if it is all of it."""
        layer, shape = self._layers[0], self._canvas.output.shape
        seen = view_of(self._viewer, layer, self._axes).focus(shape)
        return {
            axis: (first + self._start.get(axis, 0), end + self._start.get(axis, 0))
            for axis, (first, end) in seen.items()
        }

    def objects(self) -> Any:  # noqa: ANN401 # napari's layer
        """Return the layer in which each label is an object; None if there is none, or no more."""
        counted = self._canvas.output.kind == "instance-labels"
        return next(iter(self._present()), None) if counted else None

    def remove(self) -> None:
        """Take the layers out of the viewer, unless the person has painted in them."""
        self.close()
        if self._redrawing.is_painted_in:
            return
        for layer in self._present():
            self._viewer.layers.remove(layer)

    def finish(self) -> None:
        """Redraw a last time, whatever is on show."""
        self.close()
        for layer in self._present():
            self._span(layer)
            layer.refresh()

    def close(self) -> None:
        """Stop redrawing; the layer stays."""
        self._redrawing.stop()

    @property
    def is_in_file(self) -> bool:
        """Whether the layers show a temporary file, since memory could not hold the output."""
        return self._canvas.is_in_file

    def show_stored(self, levels: Sequence[Any]) -> None:
        """Show the levels of a store instead of the temporary file.

        Layers that the person has painted in stay as they are.
        """
        if self._redrawing.is_painted_in:
            return
        for place, old in enumerate(self._layers):
            if old in self._present():
                look = self._looks[place]
                parts = [look.part(level, self._canvas.output) for level in levels]
                self._layers[place] = self._replaced(old, look, parts)

    def _add(self, look: Look, data: Any) -> Any:  # noqa: ANN401 # an array, or levels; a layer
        output = self._canvas.output
        name = f"{self._image.name} {output.name} ({self._run.plan.model})"
        add: Callable[..., Any] = self._viewer.add_labels
        if look.layer_type == "image":
            add = self._viewer.add_image
        layer = add(
            data,
            name=f"{name}: {look.word}" if look.word else name,
            metadata={
                "hmz": self._run.provenance.model_dump(mode="json"),
                "hmz_output": described(output),
            },
            multiscale=isinstance(data, list),
            **self._image.geometry.of_output(self._axes, self._start).layer_arguments(),
            **look.arguments,
        )
        if look.layer_type == "labels":
            layer.events.paint.connect(self._painted)
        return layer

    def _replaced(self, old: Any, look: Look, parts: list[Any]) -> Any:  # noqa: ANN401 # layers
        """Put a layer of a store into the place of an old one, and return it."""
        layers = self._viewer.layers
        new = self._add(look, parts if len(parts) > 1 else parts[0])
        new.visible, new.opacity = old.visible, old.opacity
        self._span(new)
        layers.move(layers.index(new), layers.index(old))
        name = old.name
        layers.remove(old)
        new.name = name
        return new

    def _painted(self, _event: object = None) -> None:
        self._redrawing.painted(full_region(self._canvas.output.shape))

    def _present(self) -> list[Any]:
        """Return those of the layers that are still in the viewer."""
        return [own for own in self._layers if any(own == layer for layer in self._viewer.layers)]

    def _span(self, layer: Any) -> None:  # noqa: ANN401 # napari's layer
        """Let the contrast of an image follow the values that have arrived."""
        canvas = self._canvas
        if canvas.output.kind not in _FIXED_CONTRAST and canvas.low < canvas.high:
            layer.contrast_limits = (canvas.low, canvas.high)
