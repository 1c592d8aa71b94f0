"""Exporting a labels layer: the menu that offers where to, and the work behind it.

Menus and layers are touched in the Qt main thread only; `_written` runs in a worker.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton

from hmz_widgets.bridge import Bridge
from hmz_widgets.labelled import LabelPicture, label_picture, offset_in
from hmz_widgets.layers import finest
from hmz_widgets.status import StatusView
from napari_hmz.errors import HmzError
from napari_hmz.results.label_export import (
    LabelImage,
    Written,
    add_labels,
    group_name,
    write_labels,
)
from napari_hmz.schema import ClassSpec, OutputArray, sizes_of

_SUFFIX = ".ome.zarr"


class LabelExport:
    """A button with a menu: beside an image of the viewer, or as a new store.

    Parameters
    ----------
    viewer
        Whose images are offered.
    layer
        Returns the labels layer to be exported, or None.
    bridge, status
        Carry out and show.
    """

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # napari is untyped here
        layer: Callable[[], Any],
        bridge: Bridge,
        status: StatusView,
    ) -> None:
        self._viewer, self._layer = viewer, layer
        self._bridge, self._status = bridge, status
        self.native = QPushButton("Export labels")
        self.native.setToolTip("Write the labels as OME-Zarr, with all levels")
        self.menu = QMenu(self.native)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.offer)
        self.native.setMenu(self.menu)

    def offer(self) -> None:
        """Fill the menu with the images that the labels lie in, and with a new store."""
        self.menu.clear()
        layer = self._layer()
        for image in self._images(layer):
            path = Path(image.source.path)
            action = self.menu.addAction(f"Beside the image in {_plain(path.name)}")
            action.setToolTip(f"{path}: labels/{group_name(str(layer.name))}")
            action.triggered.connect(partial(self._export_beside, layer, image))
        action = self.menu.addAction("As a new OME-Zarr …")
        action.triggered.connect(self._ask)

    def export_to(self, layer: Any, path: Path) -> None:  # noqa: ANN401 # napari's layer
        """Write a layer as a new store."""
        picture = label_picture(layer)
        if picture is not None:
            labels = label_image(picture)
            self._start(partial(write_labels, path, labels), f"Saved {path}{_lost(picture)}")

    def export_beside(self, layer: Any, image: Any) -> None:  # noqa: ANN401 # napari's layers
        """Write a layer beside the image that another layer shows."""
        picture, offset = label_picture(layer), offset_in(image, layer)
        if picture is None or offset is None:
            return
        labels, path = label_image(picture), Path(image.source.path)
        write = partial(
            add_labels,
            path,
            labels,
            sizes_of(picture.axes, offset),
            image_shape=sizes_of(picture.axes, finest(image).shape),
        )
        self._start(write, f"Saved as labels/{labels.array.name} in {path}")

    def _export_beside(self, layer: Any, image: Any, _checked: bool = False) -> None:  # noqa: ANN401 # napari's layers
        self.export_beside(layer, image)

    def _ask(self) -> None:
        layer = self._layer()
        if layer is None:
            return
        name = f"{group_name(str(layer.name))}{_SUFFIX}"
        chosen, _ = QFileDialog.getSaveFileName(self.native, "Export labels", name, "OME-Zarr (*)")
        if chosen:
            path = Path(chosen)
            named = path if path.name.endswith(".zarr") else path.with_name(path.name + _SUFFIX)
            self.export_to(layer, named)

    def _start(self, write: Callable[[], Iterator[Written]], words: str) -> None:
        self._status.busy("Exporting …")
        self.native.setEnabled(False)
        self._bridge.listen(
            partial(_written, write, words),
            take=self._take,
            ended=partial(self.native.setEnabled, True),
        )

    def _take(self, step: "Written | HmzError | str") -> None:
        if isinstance(step, Written):
            self._status.count(step.parts, step.parts_total, "Exporting …")
        elif isinstance(step, HmzError):
            self._status.fail(step)
        else:
            self._status.rest(step)

    def _images(self, layer: Any) -> list[Any]:  # noqa: ANN401 # napari's layers
        """Return the image layers from a zarr of this machine in which the labels lie."""
        from napari.layers import Image

        if layer is None:
            return []
        found = [
            image
            for image in self._viewer.layers
            if isinstance(image, Image) and _is_local_zarr(image.source.path)
        ]
        return [
            image for image in found if layer is not None and offset_in(image, layer) is not None
        ]


def label_image(picture: LabelPicture) -> LabelImage:
    """Return a picture as the core exports it."""
    said = picture.metadata.get("hmz_output")
    said = said if isinstance(said, dict) else {}
    kind = "semantic-labels" if said.get("kind") == "semantic-labels" else "instance-labels"
    linear, shift = picture.space.matrix[:-1, :-1], picture.space.matrix[:-1, -1]
    dtype = np.dtype(picture.data.dtype)
    array = OutputArray(
        name=group_name(picture.name),
        kind=kind,
        axes=picture.axes,
        shape=picture.shape,
        chunks=picture.shape,
        dtype="uint8" if dtype.kind == "b" else dtype.name,
        voxel_size=dict(zip(picture.axes, np.linalg.norm(linear, axis=0).tolist(), strict=True)),
        units=dict(picture.space.units),
        translation=dict(zip(picture.axes, shift.tolist(), strict=True)),
        classes=_classes(said.get("classes")),
    )
    made = picture.metadata.get("hmz")
    return LabelImage(array, picture.read, made if isinstance(made, dict) else None)


def _written(
    write: Callable[[], Iterator[Written]], words: str
) -> "Iterator[Written | HmzError | str]":
    """Write (in a worker); the last step says how it ended."""
    try:
        yield from write()
        yield words
    except HmzError as error:
        yield error


def _classes(said: object) -> tuple[ClassSpec, ...]:
    """Return the classes that a layer's metadata name; anybody may have written those."""
    if not isinstance(said, list):
        return ()
    try:
        return tuple(ClassSpec.model_validate(one) for one in said)
    except ValidationError:
        return ()


def _lost(picture: LabelPicture) -> str:
    """Return what a store of OME-Zarr 0.5 cannot say of where the labels lie."""
    linear = picture.space.matrix[:-1, :-1]
    turned = bool(np.any(linear - np.diag(np.abs(np.diag(linear)))))
    return "; rotation and shear are not stored" if turned else ""


def _is_local_zarr(path: object) -> bool:
    text = str(path or "")
    return "://" not in text and text.rstrip("/").endswith(".zarr")


def _plain(text: str) -> str:
    """Return a name as a menu shows it: an ampersand would mark a key."""
    return text.replace("&", "&&")
