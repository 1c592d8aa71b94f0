"""The page of the dock where a model is run: choose it and an image, fill in the form, run, watch.

Everything in this module runs in the Qt main thread, except what says that it runs in a worker.
Asking for models, opening the image and following the run happen in workers (`bridge`).
"""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFrame,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.description import described_among
from hmz_widgets.drop import open_zarr
from hmz_widgets.form import FormView
from hmz_widgets.form_memory import FormMemory
from hmz_widgets.model_choice import ModelChoice
from hmz_widgets.options import OptionsView
from hmz_widgets.order import Order
from hmz_widgets.other_slots import OtherSlots
from hmz_widgets.plain_text import plain_tooltip
from hmz_widgets.region_choice import sizes
from hmz_widgets.run_desk import RunDesk
from hmz_widgets.service import OpenKept, OpenPicture, open_remembered
from hmz_widgets.sight import view_of
from hmz_widgets.slots import ImageSlot
from hmz_widgets.status import StatusView, plain_label
from napari_hmz.errors import HmzError, RegionInvalid, VoxelSizeMismatch
from napari_hmz.form import form_of
from napari_hmz.schema import ParameterValue, Region

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
        self.status = StatusView()
        self.models = ModelChoice(backend, bridge, self.status, open_kept)
        self.image = ImageSlot(viewer)
        self.others = OtherSlots(viewer)
        self.form: FormView | None = None
        self._memory = FormMemory(backend, bridge, open_remembered)
        self.options = OptionsView()
        self.desk = RunDesk(
            viewer,
            backend,
            bridge,
            self.status,
            open_picture,
            order=self._order,
            in_view=self._in_view,
        )
        self._lay_out()
        self._wire_up()

    @property
    def running(self) -> bool:
        """Whether a run that was started here goes on."""
        return self.desk.running

    def open(self, places: Sequence[str]) -> None:
        """Open zarr as layers, and choose the first that suits the model."""
        self._browse(browsing=False)
        try:
            layers = [layer for place in places for layer in open_zarr(self._viewer, place)]
        except HmzError as error:
            self.status.fail(error)
            return
        self.status.rest()
        for layer in reversed(layers):
            self.image.choose(layer)

    def refresh(self) -> None:
        """Ask the backend for its models; find it first if need be."""
        self.models.refresh()

    def close(self) -> None:
        """Let go of the viewer; the run goes on at the backend."""
        self.image.close()
        self.others.close()
        self.models.close()
        self.desk.close()
        self._memory.close()

    def _order(self) -> Order | None:
        """Return what is chosen; None while something stands in its way."""
        card, image = self.models.card(), self.image.picture()
        layer, axes = self.image.layer(), self.image.axes()
        if card is None or image is None or axes is None or self.hindrance():
            return None
        region = self.desk.regions.region(layer, axes)
        if region is None:
            self.status.fail(RegionInvalid("Nothing of the image lies in the chosen region."))
            return None
        seen = view_of(self._viewer, layer, axes)
        return Order(
            card,
            image,
            self.form.values() if self.form is not None else {},
            self.options.values(),
            self.image.at_level(region),
            self.desk.output.output(),
            self.image.channels(),
            focus=self.image.at_level(seen.focus(sizes(layer, axes))),
            others=self.others.pictures(),
        )

    def _in_view(self) -> Region:
        layer, axes = self.image.layer(), self.image.axes()
        if layer is None or axes is None:
            return {}
        seen = view_of(self._viewer, layer, axes).preview(sizes(layer, axes))
        return self.image.at_level(seen)

    def _refused(self, error: HmzError) -> None:
        if isinstance(error, VoxelSizeMismatch):
            self.options.offer_any_voxel_size(offered=True)

    def _browse(self, browsing: bool) -> None:
        """Show the catalogue instead of the chosen model, or not any more."""
        if browsing:  # layers may have come and gone beside the chosen one
            self._say_what_fits()
        self.native.setCurrentIndex(int(browsing))

    def _say_what_fits(self) -> None:
        layer = self.image.layer()
        among = None if layer is None else described_among(layer, self._viewer.layers)
        self.models.suit(among)

    def _model_chosen(self) -> None:
        card = self.models.card()
        if self.form is not None:
            self._form_place.removeWidget(self.form.native)
            self.form.native.hide()
            self.form.native.deleteLater()
        self.form = FormView(form_of(card)) if card is not None else None
        if self.form is not None:
            self._form_place.addWidget(self.form.native)
            self.form.changed.connect(self._parameters_changed)
            self._fit()
        self._memory.follow(card, self.form)
        self.image.propose_for(card)
        self.others.propose_for(card, self.image.layer())
        self._image_chosen()

    def _image_chosen(self) -> None:
        self.others.lie_on(self.image.picture())
        self.options.propose_for(self.models.card(), self.image.axes())
        self.options.offer_any_voxel_size(offered=bool(self.image.size_misfit()))
        self.desk.regions.propose_for(self.image.layer(), self.image.axes())
        self._say_what_fits()
        self._refresh_buttons()

    def _parameters_changed(self) -> None:
        self._refresh_buttons()
        self.desk.parameters_changed()

    def _set_value(self, name: str, value: ParameterValue) -> None:
        if self.form is not None:
            self.form.take({name: value})

    def hindrance(self) -> str:
        """Return why nothing can be run now, or nothing."""
        if self.models.away:
            return "The backend cannot be reached; ask again with Refresh."
        if self._backend.client is None:
            return ""
        why = self.image.obstacle() or self.others.obstacle()
        if not why and self.form is not None and self.form.faults():
            why = "Correct the marked fields."
        return why or self.desk.hindrance()

    def _refresh_buttons(self) -> None:
        why = self.hindrance()
        can_run = self._backend.client is not None and not why
        self.desk.refresh(can_run=can_run, why=plain_tooltip(why))
        # What is wrong with the backend stands in the status, with what to do about it.
        self._why.setText("" if self.running or self.models.away else why)
        self._why.setVisible(bool(self._why.text()))

    def _lay_out(self) -> None:
        content = self._content = QWidget()
        layout = QVBoxLayout(content)
        layout.addWidget(self.models.native)
        layout.addWidget(self.image.native)
        layout.addWidget(self.others.native)
        self._form_place = QVBoxLayout()
        layout.addLayout(self._form_place)
        layout.addWidget(self.options.native)
        self._why = plain_label()
        layout.addWidget(self._why)
        layout.addWidget(self.desk.native)
        layout.addWidget(self.status.native)
        layout.addWidget(self.desk.confirmation)
        layout.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setAccessibleName("The model and what it is to do")
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(content)
        # What is shown for the first time gets its style, and with it its width, only then.
        self._scroll.verticalScrollBar().rangeChanged.connect(self._fit)
        self.native = QStackedWidget()
        self.native.addWidget(self._scroll)
        self.native.addWidget(self.models.catalogue.native)
        self._fit()

    def _fit(self, *_range: int) -> None:
        """Let the page be no narrower than what it holds: nothing scrolls sideways."""
        self._content.layout().activate()
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        needed = self._content.minimumSizeHint().width() + bar
        self._scroll.setMinimumWidth(max(NARROWEST, needed))
        if not self.desk.confirmation.isHidden():
            self._foretold()  # the page has grown since: the question stays in sight

    def _foretold(self) -> None:
        self._end_due.start(0)

    def _show_end(self) -> None:
        """Scroll to what a run would take, and to the question whether it shall start."""
        asked = self.desk.confirmation
        self._scroll.ensureWidgetVisible(self.status.native if asked.isHidden() else asked)

    def _wire_up(self) -> None:
        self._end_due = QTimer(self.native)
        self._end_due.setSingleShot(True)  # what is new gets its place before that is due
        self._end_due.timeout.connect(self._show_end)
        self.desk.foretold.connect(self._foretold)
        self.models.changed.connect(self._model_chosen)
        self.models.listed.connect(self._refresh_buttons)
        self.models.browsing.connect(self._browse)
        self.image.changed.connect(self._image_chosen)
        self.others.changed.connect(self._parameters_changed)
        self.desk.changed.connect(self._refresh_buttons)
        self.desk.refused.connect(self._refused)
        self.image.suggested.connect(self._set_value)
        self._refresh_buttons()
