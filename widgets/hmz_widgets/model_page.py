"""The page of the dock where a model is run: choose it and an image, fill in the form, run, watch.

Everything in this module runs in the Qt main thread, except what says that it runs in a worker.
Asking for models, opening the image and following the run happen in workers (`bridge`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.chooser import ImageChooser, obstacle
from hmz_widgets.description import described
from hmz_widgets.form import FormView
from hmz_widgets.layers import Picture, picture
from hmz_widgets.model_choice import ModelChoice
from hmz_widgets.options import Options, OptionsView
from hmz_widgets.plain_text import plain_tooltip
from hmz_widgets.run_view import RunView
from hmz_widgets.service import Client, OpenKept, OpenPicture
from hmz_widgets.status import StatusView, plain_label
from napari_hmz.errors import VoxelSizeMismatch
from napari_hmz.forecast import Forecast
from napari_hmz.form import form_of
from napari_hmz.live import WatchedRun, perform
from napari_hmz.schema import ModelCard, ParameterValue

NARROWEST = 280
"""Narrower, a dock of napari's own is hard to read, too."""


class ModelPage:
    """From the choice of a model to the labels that grow.

    Parameters
    ----------
    viewer
        The viewer whose layers are offered, and to which results are added.
    backend
        The backend that is asked; the page follows it.
    bridge
        Carries out what takes time.
    open_picture
        Opens a layer's array as a source; called in a worker.
    open_kept
        Opens what is kept of the backend's models; called in a worker.
    """

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # a viewer or napari's proxy of it
        backend: Backend,
        bridge: Bridge,
        open_picture: OpenPicture,
        open_kept: OpenKept,
    ) -> None:
        self._viewer, self._backend, self._bridge = viewer, backend, bridge
        self._open = open_picture
        self._run: RunView | None = None
        self.status = StatusView()
        self.models = ModelChoice(backend, bridge, self.status, open_kept)
        self.image = ImageChooser(viewer)
        self.form: FormView | None = None
        self.options = OptionsView()
        self._lay_out()
        self._wire_up()

    @property
    def running(self) -> bool:
        """Whether a run that was started here goes on."""
        return self._run is not None

    def refresh(self) -> None:
        """Ask the backend for its models; find it first if need be."""
        self.models.refresh()

    def run(self) -> None:
        """Start a run of what is chosen; nothing happens while something stands in its way."""
        order, client = self._order(), self._backend.client
        if order is None or client is None:
            return
        self._run = RunView(self._viewer, order.image, self._bridge, self.status)
        begin = partial(_begin, client, self._open, order)
        self._bridge.listen(partial(perform, begin), take=self._run.take, ended=self._over)
        self.status.busy("Preparing the image …")
        self._refresh_buttons()

    def plan(self) -> None:
        """Say what a run of what is chosen would take; nothing is sent."""
        order, client = self._order(), self._backend.client
        if order is None or client is None:
            return
        self.status.busy("Planning …")
        self._bridge.call(
            partial(_foresee, client, self._open, order),
            done=self.status.foretell,
            failed=self.status.fail,
        )

    def cancel(self) -> None:
        """Ask the backend to stop the run; what is done stays."""
        if self._run is not None and self._run.cancel():
            self.status.say("Cancelling …")
            self.cancel_button.setEnabled(False)

    def close(self) -> None:
        """Let go of the viewer; the run goes on at the backend."""
        self.image.close()
        self.models.close()
        if self._run is not None:
            self._run.close()

    def _order(self) -> "_Order | None":
        """Return what is chosen; None while something stands in its way."""
        card, layer, axes = self.models.card(), self.image.layer(), self.image.axes()
        if card is None or axes is None or not self._ready():
            return None
        values = self.form.values() if self.form is not None else {}
        return _Order(card, picture(layer, axes), values, self.options.values())

    def _over(self) -> None:
        if self._run is not None:
            self._run.close()
            if isinstance(self._run.error, VoxelSizeMismatch):
                self.options.offer_any_voxel_size(offered=True)
        self._run = None
        self._refresh_buttons()

    def _browse(self, browsing: bool) -> None:
        """Show the catalogue instead of the chosen model, or not any more."""
        if browsing:
            self._say_what_fits()
        self.native.setCurrentIndex(int(browsing))

    def _say_what_fits(self) -> None:
        layer = self.image.layer()
        self.models.suit(None if layer is None else described(layer))

    def _model_chosen(self) -> None:
        card = self.models.card()
        if self.form is not None:
            self._form_place.removeWidget(self.form.native)
            self.form.native.hide()
            self.form.native.deleteLater()
        self.form = FormView(form_of(card)) if card is not None else None
        if self.form is not None:
            self._form_place.addWidget(self.form.native)
            self.form.changed.connect(self._refresh_buttons)
            self._fit()
        self.image.propose_for(card)
        self._image_chosen()

    def _image_chosen(self) -> None:
        self.options.propose_for(self.models.card(), self.image.axes())
        self.options.offer_any_voxel_size(offered=False)
        self._refresh_buttons()

    def _ready(self) -> bool:
        return self._run is None and not self._hindrance()

    def _hindrance(self) -> str:
        """Return why nothing can be run now, or nothing."""
        if self.models.away:
            return "The backend cannot be reached; ask again with ⟳."
        if self._backend.client is None:
            return ""
        why = obstacle(self.models.card(), self.image.layer(), self.image.axes())
        if not why and self.form is not None and self.form.faults():
            why = "Correct the marked fields."
        return why

    def _refresh_buttons(self) -> None:
        why = self._hindrance()
        self.run_button.setEnabled(
            self._backend.client is not None and self._run is None and not why
        )
        self.run_button.setToolTip(plain_tooltip(why) or "Run the model on the image")
        self.plan_button.setEnabled(self.run_button.isEnabled())
        self.cancel_button.setEnabled(self._run is not None)
        self._why.setText(why if self._run is None else "")
        self._why.setVisible(bool(self._why.text()))

    def _lay_out(self) -> None:
        content = self._content = QWidget()
        layout = QVBoxLayout(content)
        layout.addWidget(self.models.native)
        layout.addWidget(self.image.native)
        self._form_place = QVBoxLayout()
        layout.addLayout(self._form_place)
        layout.addWidget(self.options.native)
        self._why = plain_label()
        layout.addWidget(self._why)
        layout.addLayout(self._buttons())
        layout.addWidget(self.status.native)
        layout.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(content)
        self.native = QStackedWidget()
        self.native.addWidget(self._scroll)
        self.native.addWidget(self.models.catalogue.native)
        self._fit()

    def _fit(self) -> None:
        """Let the page be no narrower than what it holds: nothing scrolls sideways."""
        self._content.layout().activate()
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        needed = self._content.minimumSizeHint().width() + bar
        self._scroll.setMinimumWidth(max(NARROWEST, needed))

    def _buttons(self) -> QHBoxLayout:
        self.run_button = QPushButton("Run")
        self.plan_button = QPushButton("Plan")
        self.plan_button.setToolTip("Say what a run would send, need and take; nothing is sent")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop the run; what is done stays")
        row = QHBoxLayout()
        row.addWidget(self.run_button, 2)
        row.addWidget(self.plan_button, 1)
        row.addWidget(self.cancel_button, 1)
        return row

    def _wire_up(self) -> None:
        self.models.changed.connect(self._model_chosen)
        self.models.listed.connect(self._refresh_buttons)
        self.models.browsing.connect(self._browse)
        self.image.changed.connect(self._image_chosen)
        self.run_button.clicked.connect(self.run)
        self.plan_button.clicked.connect(self.plan)
        self.cancel_button.clicked.connect(self.cancel)
        self._refresh_buttons()


@dataclass(frozen=True, eq=False)
class _Order:
    """What the person has asked for."""

    card: ModelCard
    image: Picture
    parameters: Mapping[str, ParameterValue]
    options: Options

    @property
    def wishes(self) -> "_Wishes":
        """What is asked of the client, beside model and image."""
        return {
            "version": self.card.version,
            "parameters": self.parameters,
            "join_planes": self.options.join_planes,
            "ignore_voxel_size": self.options.ignore_voxel_size,
        }


class _Wishes(TypedDict):
    version: str
    parameters: Mapping[str, ParameterValue]
    join_planes: bool
    ignore_voxel_size: bool


def _begin(client: Client, open_picture: OpenPicture, order: _Order) -> WatchedRun:
    """Open the image and start the run (in a worker).

    The source stays open: the client may send its chunks for a later run of the same image.
    """
    source = open_picture(order.image, order.card.inputs[0].dtypes)
    return client.run(order.card.id, source, **order.wishes)


def _foresee(client: Client, open_picture: OpenPicture, order: _Order) -> Forecast:
    """Ask what the run would take (in a worker)."""
    source = open_picture(order.image, order.card.inputs[0].dtypes)
    try:
        return client.plan(order.card.id, source, **order.wishes)
    finally:
        source.close()
