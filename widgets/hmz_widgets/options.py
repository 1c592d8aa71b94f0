"""How to run, beside the model's own parameters: offered only where it makes a difference.

Lives in the Qt main thread.
"""

from dataclasses import dataclass

from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_hmz.schema import Axes, ModelCard


@dataclass(frozen=True, slots=True)
class Options:
    """What the client is asked for beside model, image and parameters."""

    join_planes: bool = False
    ignore_voxel_size: bool = False


class OptionsView:
    """Switches that appear when they matter."""

    def __init__(self) -> None:
        self.native = QWidget()
        self.join_planes = QCheckBox("Join objects across planes")
        self.join_planes.setToolTip("Give what overlaps in neighbouring planes the same label")
        self.any_voxel_size = QCheckBox("Run whatever the voxel size is")
        self.any_voxel_size.setToolTip("The result may be poor: the model has learned other sizes")
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        for switch in (self.join_planes, self.any_voxel_size):
            layout.addWidget(switch)
            switch.hide()

    def values(self) -> Options:
        """Return what is switched on; a switch that is not offered is off."""
        return Options(
            join_planes=_on(self.join_planes), ignore_voxel_size=_on(self.any_voxel_size)
        )

    def propose_for(self, card: ModelCard | None, axes: Axes | None) -> None:
        """Offer what makes sense for a model on an image with these axes."""
        flat = card is not None and "z" not in card.inputs[0].axes
        objects = card is not None and any(o.kind == "instance-labels" for o in card.outputs)
        self.join_planes.setVisible(flat and objects and "z" in (axes or ()))

    def offer_any_voxel_size(self, *, offered: bool) -> None:
        """Offer to run in spite of the voxel size, or not any more."""
        self.any_voxel_size.setVisible(offered)
        if not offered:
            self.any_voxel_size.setChecked(False)


def _on(switch: QCheckBox) -> bool:
    return bool(switch.isVisibleTo(switch.parentWidget()) and switch.isChecked())
