"""Where an image lies in space, by the names of its axes: what results take over from it.

Pure numpy; napari's layers are read and made in `layers`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hmz.schema import Axes, AxisName, Sizes


@dataclass(frozen=True, eq=False)
class Geometry:
    """Scale, position and orientation of an image, as napari composes them.

    A voxel at `i` lies at `affine(rotate @ shear @ (scale * i) + translate)`.

    Parameters
    ----------
    axes
        What the rows and columns of everything else belong to.
    scale, translate
        One figure per axis.
    rotate, shear
        One row and one column per axis.
    affine
        One row and one column per axis, and one more for the shift.
    units, axis_labels
        One per axis, as the layer states them.
    """

    axes: Axes
    scale: NDArray[Any]
    translate: NDArray[Any]
    rotate: NDArray[Any]
    shear: NDArray[Any]
    affine: NDArray[Any]
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]

    def of_output(self, axes: Axes, start: Sizes) -> "Geometry":
        """Return the geometry of an output with these axes, whose first voxel is `start` here.

        Axes that this image lacks get a scale of 1 and no orientation.
        """
        first = np.array([start.get(axis, 0) for axis in self.axes], dtype=float)
        shift = self.rotate @ self.shear @ (self.scale * first)
        return Geometry(
            axes=axes,
            scale=self._figures(axes, self.scale, 1.0),
            translate=self._figures(axes, self.translate + shift, 0.0),
            rotate=self._matrix(axes, self.rotate),
            shear=self._matrix(axes, self.shear),
            affine=self._affine(axes),
            units=tuple(self._word(axis, self.units, "pixel") for axis in axes),
            axis_labels=tuple(self._word(axis, self.axis_labels, axis) for axis in axes),
        )

    def of_level(self, factors: Sequence[float]) -> "Geometry":
        """Return the geometry of a coarser level, whose voxels are so many times as long.

        The centre of its first voxel lies in the middle of those that it stands for.
        """
        times = np.asarray(factors, dtype=float)
        shift = self.rotate @ self.shear @ (self.scale * (times - 1) / 2)
        return replace(self, scale=self.scale * times, translate=self.translate + shift)

    def layer_arguments(self) -> dict[str, Any]:
        """Return the arguments that place a new napari layer so."""
        return {
            "scale": self.scale,
            "translate": self.translate,
            "rotate": self.rotate,
            "shear": self.shear,
            "affine": self.affine,
            "units": self.units,
            "axis_labels": self.axis_labels,
        }

    def _place(self, axis: AxisName) -> int | None:
        return self.axes.index(axis) if axis in self.axes else None

    def _figures(self, axes: Axes, figures: NDArray[Any], missing: float) -> NDArray[Any]:
        places = [self._place(axis) for axis in axes]
        return np.array([missing if place is None else figures[place] for place in places])

    def _matrix(self, axes: Axes, matrix: NDArray[Any]) -> NDArray[Any]:
        """Return the rows and columns of `matrix` that belong to `axes`; else those of identity."""
        chosen = np.eye(len(axes))
        for row, one in enumerate(axes):
            for column, other in enumerate(axes):
                here, there = self._place(one), self._place(other)
                if here is not None and there is not None:
                    chosen[row, column] = matrix[here, there]
        return chosen

    def _affine(self, axes: Axes) -> NDArray[Any]:
        chosen = np.eye(len(axes) + 1)
        chosen[:-1, :-1] = self._matrix(axes, self.affine)
        chosen[:-1, -1] = self._figures(axes, self.affine[:-1, -1], 0.0)
        return chosen

    def _word(self, axis: AxisName, words: tuple[str, ...], missing: str) -> str:
        place = self._place(axis)
        return missing if place is None else words[place]
