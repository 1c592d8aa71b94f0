"""The page of the dock that lists all runs of the person on the backend, and takes them up.

Lives in the Qt main thread. The backend is asked in workers, and only while the page is on show.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QAbstractItemView, QTableView, QVBoxLayout, QWidget

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.followed_runs import FollowedRuns
from hmz_widgets.run_actions import RunActions
from hmz_widgets.run_image import RunImage
from hmz_widgets.run_picture import layers_of
from hmz_widgets.run_removal import RunRemoval
from hmz_widgets.runs_table import RunsTable
from hmz_widgets.status import StatusView, error_text, plain_label
from hmz_widgets.text_view import TextView
from napari_hmz.errors import HmzError, from_problem
from napari_hmz.record import RunRecord
from napari_hmz.run_list import RunRow, row_of
from napari_hmz.schema import Run
from napari_hmz.script import as_python, as_shell

PERIOD_MS = 3000
"""How often the backend is asked while somebody looks."""
ROW_PX = 22
COLUMNS_PX = (64, 66, 74, 74, 52)
"""At first: what tells runs apart is seen in a dock of the usual width."""


class RunsPage:
    """The list of runs, and what can be done with the chosen one.

    Parameters
    ----------
    viewer
        Gets the layers of runs that are taken up.
    backend
        The backend that is asked; the page follows it.
    bridge
        Carries out what takes time.
    """

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # a viewer or napari's proxy of it
        backend: Backend,
        bridge: Bridge,
    ) -> None:
        self._viewer, self._backend, self._bridge = viewer, backend, bridge
        self._runs: dict[str, Run] = {}
        self._is_asking = self._list_is_old = False
        self.native = _Page()
        self.table = RunsTable()
        self.view = QTableView()
        self.actions = RunActions()
        self.removal = RunRemoval()
        self.followed = FollowedRuns(viewer, bridge)
        self.image = RunImage(viewer)
        self.status = StatusView()
        self._timer = QTimer(self.native)
        self._detail = plain_label()
        self._lay_out()
        self._wire_up()

    @property
    def detail(self) -> str:
        """What is said of the chosen run."""
        return str(self._detail.text())

    def chosen(self) -> RunRow | None:
        """Return the row that is chosen; None if none is."""
        return self.table.row(self.view.currentIndex().row())

    def choose(self, run_id: str) -> None:
        """Choose a run, if it is listed."""
        place = self.table.place_of(run_id)
        if place is not None:
            self.view.setCurrentIndex(self.table.index(place, 0))

    def refresh(self) -> None:
        """Ask for the runs, unless that goes on already."""
        client = self._backend.client
        if client is None or self._is_asking:
            return
        self._is_asking = True
        self._bridge.call(
            client.runs,
            done=partial(self._take, client),
            failed=partial(self._fail_list, client),
            ended=self._asked,
        )

    def close(self) -> None:
        """Let go of the viewer; runs go on at the backend."""
        self._timer.stop()
        self.followed.close()
        self.image.close()

    def _take(self, client: object, runs: Sequence[Run]) -> None:
        if client is not self._backend.client:  # another one was chosen in the meantime
            return
        if self._list_is_old:
            self._list_is_old = False
            self.status.note(())
        now = datetime.now(UTC)
        self._runs = {run.id: run for run in runs}
        self._show([row_of(run, now) for run in runs])

    def _show(self, rows: Sequence[RunRow]) -> None:
        former, bar = self.chosen(), self.view.verticalScrollBar()
        place = bar.value()
        if self.table.show(rows):
            if former is not None:
                self.choose(former.run)
            bar.setValue(place)
        self.status.say("" if rows else "There is no run on this backend.")
        self._suit()

    def _fail_list(self, client: object, error: HmzError) -> None:
        if client is self._backend.client:
            self._list_is_old = True
            self.status.fail(error)

    def _asked(self) -> None:
        self._is_asking = False

    def _do(self, word: str) -> None:
        """Do with the chosen run what was asked for."""
        row = self.chosen()
        run = self._runs.get(row.run) if row is not None else None
        if row is None or run is None:
            return
        self.status.note(())  # older trouble
        deeds: dict[str, Callable[[], None]] = {
            "open": partial(self._open, row, run),
            "retry": partial(self._follow, run, resume=True),
            "cancel": partial(self._cancel, run),
            "remove": partial(self.removal.ask, row),
            "provenance": partial(self._tell_provenance, run),
            "python": partial(self._copy, run, as_python),
            "shell": partial(self._copy, run, as_shell),
        }
        deeds[word]()

    def _activate(self) -> None:
        if self.actions.open.isEnabled():
            self._do("open")

    def _open(self, row: RunRow, run: Run) -> None:
        present = layers_of(run.id, self._viewer.layers)
        if present:
            self._viewer.layers.selection = set(present)
            self.status.say("Its layers are in the viewer; they are selected now.")
        elif not self.followed.is_following(row.run):
            self._follow(run, resume=False)

    def _follow(self, run: Run, *, resume: bool) -> None:
        client = self._backend.client
        if client is not None:
            attach = partial(client.attach, run.id, resume=resume, source=self.image.source())
            self.followed.follow(run, attach, self.image.picture())
            self._suit()

    def _cancel(self, run: Run) -> None:
        client = self._backend.client
        if client is not None:
            self.status.say("Cancelling …")
            self._call(partial(client.cancel, run.id))

    def _remove(self, run_id: str) -> None:
        client = self._backend.client
        if client is not None:
            self.status.say("Removing …")
            self._call(partial(client.remove, run_id))

    def _call(self, work: Callable[[], object]) -> None:
        """Ask the backend for something, and list the runs anew."""
        self._bridge.call(work, done=self._done, failed=self.status.fail, ended=self.refresh)

    def _done(self, _result: object) -> None:
        self.status.rest()

    def _copy(self, run: Run, write: Callable[[Run, RunRecord | None], str]) -> None:
        """Put the run as a script into the clipboard; where its image lies is read from a file."""
        client = self._backend.client
        if client is not None:
            self._bridge.call(
                lambda: write(run, client.record(run.id)),
                done=self._copied,
                failed=self.status.fail,
            )

    def _copied(self, script: str) -> None:
        QGuiApplication.clipboard().setText(script)
        self.status.say("Copied.")

    def _tell_provenance(self, run: Run) -> None:
        document = run.model_dump_json(include={"provenance", "results"}, indent=2)
        TextView(f"Provenance of run {run.id}", document, self.native).show()

    def _chosen_another(self, *_: object) -> None:
        row = self.chosen()
        if row is None or row.run != self.removal.run:  # the list may only have become longer
            self.removal.drop()
        self._suit()

    def _suit(self) -> None:
        row = self.chosen()
        run = self._runs.get(row.run) if row is not None else None
        self.actions.suit(row)
        is_followed = row is not None and self.followed.is_following(row.run)
        self.image.suit(None if is_followed else run)
        self.followed.choose(row.run if row is not None else "")
        words = [] if row is None else [row.origin]
        if row is not None and not is_followed:  # else its status tells more
            words.append(row.detail)
        if run is not None and run.state == "failed" and run.error is not None:
            words.append(error_text(from_problem(run.error)))
        self._detail.setText("\n".join(words))
        self._detail.setVisible(bool(words))

    def _begin_anew(self) -> None:
        """Forget the runs of another backend."""
        self._runs = {}
        self.removal.drop()
        self.status.note(())
        self._show([])
        self.status.rest()

    def _shown(self) -> None:
        self._timer.start(PERIOD_MS)
        self.refresh()

    def _found(self) -> None:
        if self.native.isVisible():
            self.refresh()

    def _lay_out(self) -> None:
        self.view.setModel(self.table)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setTabKeyNavigation(False)  # Tab leaves the table
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.view.horizontalHeader().setStretchLastSection(True)
        for column, width_px in enumerate(COLUMNS_PX):
            self.view.setColumnWidth(column, width_px)
        self.view.setAccessibleName("Runs")
        self.view.addActions(self.actions.all())
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        layout = QVBoxLayout(self.native)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._detail)
        for part in (self.image, self.actions, self.removal):
            layout.addWidget(part.native)
        layout.addWidget(self.followed.native)
        layout.addWidget(self.status.native)

    def _wire_up(self) -> None:
        self._timer.timeout.connect(self.refresh)
        self.native.shown.connect(self._shown)
        self.native.hidden.connect(self._timer.stop)
        self.view.selectionModel().currentRowChanged.connect(self._chosen_another)
        self.view.activated.connect(self._activate)
        self.actions.wanted.connect(self._do)
        self.removal.agreed.connect(self._remove)
        self._backend.searching.connect(self._begin_anew)
        self._backend.changed.connect(self._found)


class _Page(QWidget):  # type: ignore[misc] # Qt has no types that mypy can follow
    """Tells when it comes on show and when it goes."""

    shown = Signal()
    hidden = Signal()

    def showEvent(self, event: Any) -> None:  # noqa: ANN401, N802 # Qt's name
        super().showEvent(event)
        self.shown.emit()

    def hideEvent(self, event: Any) -> None:  # noqa: ANN401, N802 # Qt's name
        super().hideEvent(event)
        self.hidden.emit()
