"""What a run works on and where it goes, and the buttons that preview, plan, start and stop it.

Lives in the Qt main thread, except what is handed to the bridge.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.icon import give_icon
from hmz_widgets.order import Order, begin, foresee
from hmz_widgets.output_choice import OutputChoice
from hmz_widgets.preview import Preview
from hmz_widgets.region_choice import RegionChoice
from hmz_widgets.run_view import RunView
from hmz_widgets.service import OpenPicture
from hmz_widgets.status import StatusView
from napari_hmz.errors import HmzError, RegionInvalid
from napari_hmz.forecast import Forecast
from napari_hmz.live import perform
from napari_hmz.schema import Region
from napari_hmz.weight import burdens


class RunDesk:
    """Starts runs and follows one at a time.

    Emits `changed` when what can be pressed changes, `refused` with what a run ended with, and
    `foretold` when it is shown what a run would take.

    Parameters
    ----------
    viewer, backend, bridge, status, open_picture
        As of `ModelPage`.
    order
        Returns what is chosen, for the region and output that are given; None while something
        stands in its way.
    in_view
        Returns what a preview works on; empty if nothing of the image is in view.
    """

    changed = Signal()
    refused = Signal(object)
    foretold = Signal()

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # napari is untyped here
        backend: Backend,
        bridge: Bridge,
        status: StatusView,
        open_picture: OpenPicture,
        *,
        order: Callable[[], Order | None],
        in_view: Callable[[], Region],
    ) -> None:
        self._viewer, self._backend, self._bridge = viewer, backend, bridge
        self._status, self._open = status, open_picture
        self._order, self._in_view = order, in_view
        self._run: RunView | None = None
        self._is_planning = False
        self._asked: Order | None = None
        self.regions = RegionChoice(viewer)
        self.output = OutputChoice()
        self._preview = Preview(
            viewer, bridge, status, open_picture, again=self._follow, ended=self._preview_over
        )
        self._lay_out()
        self._wire_up()

    @property
    def running(self) -> bool:
        """Whether a run that was started here goes on."""
        return self._run is not None

    def preview(self) -> None:
        """Run what is in view, and show it."""
        order, client = self._order(), self._backend.client
        if order is None or client is None or self.running:
            return
        region = self._in_view()
        if not region:
            self._status.fail(_out_of_sight("Nothing of the image is in view."))
            return
        self._forget_plan()
        self._preview.start(client, order.preview(region))
        self.changed.emit()

    def run(self) -> None:
        """Start a run of what is chosen; one that is heavy is shown first."""
        order, client = self._order(), self._backend.client
        if order is None or client is None or self.running:
            return
        self._forget_plan()
        self._preview.cancel()
        self._plan(order, partial(self._weigh, order), "Planning …")

    def plan(self) -> None:
        """Say what a run of what is chosen would take; nothing is sent."""
        order = self._order()
        if order is not None and self._backend.client is not None:
            self._forget_plan()
            self._plan(order, self._foretell, "Planning …")

    def lose(self, error: HmzError | None) -> None:
        """Say that the backend does not answer any more; None: it does again."""
        if self._run is not None:
            self._run.lose(error)

    def start(self) -> None:
        """Start the run that was shown."""
        order = self._asked
        self._forget_plan()
        if order is not None:
            self._start(order)

    def dismiss(self) -> None:
        """Leave the run that was shown."""
        self._forget_plan()
        self._status.rest()
        self.changed.emit()

    def cancel(self) -> None:
        """Stop what goes on; what is done stays."""
        went = self._run.cancel() if self._run is not None else self._preview.cancel()
        if went:
            self._status.say("Cancelling …")
            self.cancel_button.setEnabled(False)

    def parameters_changed(self) -> None:
        """Have the preview follow, if there is one and the person wants it."""
        has_preview = self._preview.is_shown or self._preview.is_going
        if has_preview and self.live.isChecked() and not self.running and not self._is_planning:
            self._preview.follow()

    def refresh(self, *, can_run: bool, why: str) -> None:
        """Let be pressed what can be done."""
        free = can_run and not self.running and not self._is_planning
        for button in (self.run_button, self.plan_button, self.preview_button):
            button.setEnabled(free)
        self.run_button.setToolTip(why or "Run the model on the image")
        self.cancel_button.setEnabled(self.running or self._preview.is_going)
        self.live.setVisible(self._preview.is_shown or self._preview.is_going)

    def hindrance(self) -> str:
        """Return what is missing here, or nothing."""
        return self.regions.hindrance() or self.output.hindrance()

    def close(self) -> None:
        """Let go of the viewer; runs go on at the backend."""
        self._preview.close()
        if self._run is not None:
            self._run.close()

    def _plan(self, order: Order, done: Callable[[Forecast], None], words: str) -> None:
        client = self._backend.client
        if client is None:
            return
        self._is_planning = True
        self._status.busy(words)
        self._bridge.call(
            partial(foresee, client, self._open, order),
            done=done,
            failed=self._fail,
            ended=self._planned,
        )
        self.changed.emit()

    def _planned(self) -> None:
        self._is_planning = False
        self.changed.emit()

    def _foretell(self, found: Forecast, *burdens: str) -> None:
        self._status.foretell(found, *burdens)
        self.foretold.emit()

    def _weigh(self, order: Order, found: Forecast) -> None:
        heavy = burdens(found)
        if not heavy:
            self._start(order)
            return
        self._asked = order
        self._confirm.show()
        self._foretell(found, *heavy)

    def _start(self, order: Order) -> None:
        client = self._backend.client
        if client is None or self.running:
            return
        self._preview.clear()
        self._run = RunView(self._viewer, order.image, self._bridge, self._status)
        work = partial(begin, client, self._open, order)
        self._bridge.listen(partial(perform, work), take=self._run.take, ended=self._over)
        self._status.busy("Preparing the image …")
        self.changed.emit()

    def _over(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.close()
            if run.error is not None:
                self.refused.emit(run.error)
        self.changed.emit()

    def _fail(self, error: HmzError) -> None:
        self._status.fail(error)
        self.refused.emit(error)

    def _follow(self) -> None:
        if not self._is_planning:
            self.preview()

    def _preview_over(self) -> None:
        self.changed.emit()

    def _forget_plan(self) -> None:
        self._asked = None
        self._confirm.hide()

    def _lay_out(self) -> None:
        self.preview_button = QPushButton("Preview")
        self.preview_button.setToolTip("Run the model on what is in view only")
        self.run_button = QPushButton("Run")
        self.plan_button = QPushButton("Plan")
        self.plan_button.setToolTip("Say what a run would send, need and take; nothing is sent")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop what goes on; what is done stays")
        for name, button in (
            ("preview", self.preview_button),
            ("run", self.run_button),
            ("plan", self.plan_button),
            ("cancel", self.cancel_button),
        ):
            give_icon(button, name)
        self.live = QCheckBox("Preview again when a parameter changes")
        self.live.setChecked(True)
        buttons = QGridLayout()
        buttons.addWidget(self.preview_button, 0, 0)
        buttons.addWidget(self.run_button, 0, 1)
        buttons.addWidget(self.plan_button, 1, 0)
        buttons.addWidget(self.cancel_button, 1, 1)
        self.native = QWidget()
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.regions.native)
        layout.addWidget(self.output.native)
        layout.addLayout(buttons)
        layout.addWidget(self.live)
        self.live.hide()

    @property
    def confirmation(self) -> QWidget:
        """The question whether to start what was shown: it belongs below the plan."""
        return self._confirm

    def _wire_up(self) -> None:
        self._confirm = QWidget()
        self.start_button, self.dismiss_button = QPushButton("Start"), QPushButton("Not now")
        row = QHBoxLayout(self._confirm)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.start_button)
        row.addWidget(self.dismiss_button)
        self._confirm.hide()
        self.preview_button.clicked.connect(self.preview)
        self.run_button.clicked.connect(self.run)
        self.plan_button.clicked.connect(self.plan)
        self.cancel_button.clicked.connect(self.cancel)
        self.start_button.clicked.connect(self.start)
        self.dismiss_button.clicked.connect(self.dismiss)
        self.output.stored.toggled.connect(self._changed)
        self.output.path.textChanged.connect(self._changed)
        self.regions.part.currentIndexChanged.connect(self._changed)

    def _changed(self, _value: object = None) -> None:
        self._forget_plan()
        self.changed.emit()


def _out_of_sight(detail: str) -> HmzError:
    return RegionInvalid(detail, remedy="Move the image into view, and try again.")
