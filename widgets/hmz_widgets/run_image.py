"""The layer that a run is sent the rest of its image from, where nobody else can send it.

A run whose image lived in the memory of a napari that was closed waits for the rest of it. Whoever
opens the image again names its layer here; whether it is the same is checked before it is used.

Lives in the Qt main thread.
"""

from typing import Any

from qtpy.QtWidgets import QFormLayout, QWidget

from hmz_widgets.layer_choice import LayerChoice
from hmz_widgets.layers import Picture, picture
from hmz_widgets.run_picture import can_be_image, has_name_of
from hmz_widgets.stack_choice import StackChoice
from napari_hmz.run_list import lacks_image
from napari_hmz.schema import Run

TITLE = "Send its image from"
NONE = "not from here"


class RunImage:
    """Offers the layers that can be the image of the chosen run, while the run lacks it.

    Where the image may have been put together of several layers, each of its channels is asked for.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    """

    def __init__(self, viewer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        self._run: Run | None = None
        self._layers = viewer.layers
        self.choice = LayerChoice(viewer, self._fits, title=TITLE, none=NONE)
        self.choice.native.setToolTip(
            "The run still needs parts of its image: if that was open in a napari that was closed,"
            " open it again, and choose its layer"
        )
        self.stack = StackChoice(NONE)
        self.native = QWidget()
        self._form = QFormLayout(self.native)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow(TITLE, self.choice.native)
        self._form.addRow(self.stack.native)
        self.choice.listed.connect(self._show)
        self.choice.changed.connect(self._show)
        self._show()

    def suit(self, run: Run | None) -> None:
        """Offer what there is for a run; None, or one that has its image: nothing."""
        wanted = run if run is not None and lacks_image(run) else None
        is_another = getattr(wanted, "id", None) != getattr(self._run, "id", None)
        self._run = wanted
        if is_another:
            self.choice.list_layers()
            self._propose()
            self._show()

    def picture(self) -> Picture | None:
        """Return the picture of the chosen layer; None if none is."""
        layer = self.choice.layer()
        if layer is None or self._run is None:
            return self.stack.picture()
        return picture(layer, tuple(self._run.plan.region))

    def source(self) -> Any:  # noqa: ANN401 # an array, levels, or channels
        """Return what the client is to read, for workers; None if no layer is chosen."""
        layer = self.choice.layer()
        if layer is None or self._run is None:
            return self.stack.parts() or None
        return list(layer.data) if layer.multiscale else layer.data

    def close(self) -> None:
        """Follow the viewer no longer."""
        self.choice.close()

    def _fits(self, layer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
        return self._run is not None and can_be_image(layer, self._run)

    def _propose(self) -> None:
        for layer in self._layers:
            if self._run is not None and has_name_of(layer, self._run):
                self.choice.choose(layer)

    def _show(self) -> None:
        is_whole = self.choice.layer() is not None
        has_layers = self._run is not None and self.choice.native.count() > 1
        run = None if is_whole else self._run
        self.stack.offer(run, self._layers, propose=not has_layers)
        for widget in (self.choice.native, self._form.labelForField(self.choice.native)):
            widget.setVisible(has_layers)
        self.stack.native.setVisible(self.stack.is_open)
        self.native.setVisible(has_layers or self.stack.is_open)
