"""The Model Zoo dock: choose a model and an image, fill in the form, run, watch the result grow.

Everything in this module runs in the Qt main thread, except what says that it runs in a worker.
Finding the backend, asking for models, opening the image and following the run happen in workers
(`bridge`).
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from hmz_widgets.bridge import Bridge
from hmz_widgets.chooser import ImageChooser, ModelChooser, obstacle
from hmz_widgets.form import FormView
from hmz_widgets.layers import Picture, picture
from hmz_widgets.options import Options, OptionsView
from hmz_widgets.run_view import RunView
from hmz_widgets.service import Client, Connect, OpenPicture, connect, open_picture
from hmz_widgets.status import StatusView, plain_label
from napari_hmz.errors import HmzError, VoxelSizeMismatch
from napari_hmz.forecast import Forecast
from napari_hmz.form import form_of
from napari_hmz.live import WatchedRun, perform
from napari_hmz.schema import ModelCard, ParameterValue

NARROWEST = 280
"""Narrower, a dock of napari's own is hard to read, too."""


class ModelZoo(QWidget):  # type: ignore[misc] # Qt has no types that mypy can follow
    """The dock widget.

    Parameters
    ----------
    napari_viewer
        The viewer whose layers are offered, and to which results are added.
    connect
        Finds the backend; called in a worker.
    open_picture
        Opens a layer's array as a source; called in a worker.
    """

    def __init__(
        self,
        napari_viewer: Any,  # noqa: ANN401 # a viewer or napari's proxy of it
        *,
        connect: Connect = connect,
        open_picture: OpenPicture = open_picture,
    ) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._connect, self._open = connect, open_picture
        self._client: Client | None = None
        self._bridge = Bridge()
        self._run: RunView | None = None
        self.models = ModelChooser()
        self.image = ImageChooser(napari_viewer)
        self.form: FormView | None = None
        self.options = OptionsView()
        self.status = StatusView()
        self._lay_out()
        self._wire_up()
        self.refresh()

    def refresh(self) -> None:
        """Ask the backend for its models; find it first if need be."""
        self.models.button.setEnabled(False)
        self.status.busy("Asking for models …" if self._client else "Looking for the backend …")
        self._bridge.call(
            partial(_fetch, self._client, self._connect),
            done=self._take_models,
            failed=self.status.fail,
            ended=partial(self.models.button.setEnabled, True),
        )

    def run(self) -> None:
        """Start a run of what is chosen; nothing happens while something stands in its way."""
        order = self._order()
        if order is None or self._client is None:
            return
        self._run = RunView(self._viewer, order.image, self._bridge, self.status)
        begin = partial(_begin, self._client, self._open, order)
        self._bridge.listen(partial(perform, begin), take=self._run.take, ended=self._over)
        self.status.busy("Preparing the image …")
        self._refresh_buttons()

    def plan(self) -> None:
        """Say what a run of what is chosen would take; nothing is sent."""
        order = self._order()
        if order is None or self._client is None:
            return
        self.status.busy("Planning …")
        self._bridge.call(
            partial(_foresee, self._client, self._open, order),
            done=self.status.foretell,
            failed=self.status.fail,
        )

    def cancel(self) -> None:
        """Ask the backend to stop the run; what is done stays."""
        if self._run is not None and self._run.cancel():
            self.status.say("Cancelling …")
            self.cancel_button.setEnabled(False)

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

    def _take_models(self, found: tuple[Client, Sequence[ModelCard]]) -> None:
        self._client, cards = found
        self.models.show(cards)
        self.status.rest("" if cards else "The backend offers no models.")
        self._refresh_buttons()

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
        if self._client is None:
            return ""
        why = obstacle(self.models.card(), self.image.layer(), self.image.axes())
        if not why and self.form is not None and self.form.faults():
            why = "Correct the marked fields."
        return why

    def _refresh_buttons(self) -> None:
        why = self._hindrance()
        self.run_button.setEnabled(self._client is not None and self._run is None and not why)
        self.run_button.setToolTip(why or "Run the model on the image")
        self.plan_button.setEnabled(self.run_button.isEnabled())
        self.cancel_button.setEnabled(self._run is not None)
        self._why.setText(why if self._run is None else "")
        self._why.setVisible(bool(self._why.text()))

    def _lay_out(self) -> None:
        content = QWidget()
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
        self._content = content
        self._scroll = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._fit()

    def _fit(self) -> None:
        """Let the dock be no narrower than what it holds: nothing scrolls sideways."""
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
        self.models.refresh.connect(self.refresh)
        self.image.changed.connect(self._image_chosen)
        self.run_button.clicked.connect(self.run)
        self.plan_button.clicked.connect(self.plan)
        self.cancel_button.clicked.connect(self.cancel)
        self.destroyed.connect(partial(_close, self.__dict__))
        self._refresh_buttons()


def _fetch(client: Client | None, connect: Connect) -> tuple[Client, Sequence[ModelCard]]:
    """Find the backend if need be, and ask it for its models (in a worker)."""
    found = connect() if client is None else client
    return found, found.models()


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


def _close(parts: dict[str, Any]) -> None:
    """Let go of viewer and backend once the widget is gone; the run goes on at the backend.

    It gets the widget's parts, since the widget itself must not be touched any more.
    """
    parts["_bridge"].close()
    parts["image"].close()
    if parts["_run"] is not None:
        parts["_run"].close()
    client = parts["_client"]
    if client is not None:  # closing connections may wait for the network
        threading.Thread(target=_quietly_close, args=(client,), daemon=True).start()


def _quietly_close(client: Client) -> None:
    try:
        client.close()
    except HmzError:  # nobody is left to tell
        return
