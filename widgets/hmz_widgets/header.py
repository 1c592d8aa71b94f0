"""The first line of the dock: which backend, how it stands, who the person is there, and a log.

Lives in the Qt main thread.
"""

from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.icon import give_icon
from hmz_widgets.log_view import LogView
from hmz_widgets.service import OF_SETTINGS, KnownBackends
from hmz_widgets.sign_in_view import SignInView
from hmz_widgets.status import plain_label
from napari_hmz.door import Door
from napari_hmz.errors import (
    BackendUnreachable,
    HmzError,
    LocalBackendFailed,
    LocalBackendStopped,
)
from napari_hmz.profiles import LOCAL

WORDS = {LOCAL: "This machine", OF_SETTINGS: "From the settings"}
NARROW_PX = 90
"""A dock may be narrow: then the name of the backend is cut."""
_START_AGAIN = "If it has ended, press Start, and attach to the run under Runs: nothing is lost."
_WAIT = "It is asked again and again; the run may go on there, and is shown once it answers."


class Header:
    """The choice of a backend, its state, and how to start the one of this machine.

    Parameters
    ----------
    backend
        The backend that is followed and chosen.
    bridge
        Carries out what takes time.
    door
        Where people sign in and out.
    known
        The backends to choose from.
    """

    def __init__(self, backend: Backend, bridge: Bridge, door: Door, known: KnownBackends) -> None:
        self._backend, self._bridge = backend, bridge
        self._profiles, self._log = known.profiles, known.log
        self.native = QWidget()
        self.sign_in = SignInView(backend, bridge, door, self.native)
        self.choice = QComboBox()
        self.choice.setAccessibleName("Backend")
        self.choice.setMinimumWidth(NARROW_PX)
        self.choice.setToolTip("Which backend runs the models; profiles stand in client.toml")
        self.choice.addItems([WORDS.get(profile, profile) for profile in self._profiles])
        self.choice.setCurrentIndex(self._profiles.index(known.first))
        self._state = plain_label()
        self.start_button = QPushButton("Start")
        give_icon(self.start_button, "start")
        self.start_button.setToolTip("Start the backend of this machine; it runs on by itself")
        self.log_button = QToolButton()
        self.log_button.setAccessibleName("Log")
        give_icon(self.log_button, "log")
        self.log_button.setToolTip("Show what the backend of this machine has written")
        self._is_lost = False
        self._lay_out()
        self._wire_up()

    @property
    def state(self) -> str:
        """How the backend stands, in words."""
        return str(self._state.text())

    def _lay_out(self) -> None:
        column = QVBoxLayout(self.native)
        column.setContentsMargins(9, 6, 9, 0)
        row = QHBoxLayout()
        column.addLayout(row)
        column.addWidget(self.sign_in.message)
        row.addWidget(self.choice)
        row.addWidget(self._state, 1)
        row.addWidget(self.sign_in.who)
        row.addWidget(self.sign_in.button)
        row.addWidget(self.start_button)
        row.addWidget(self.log_button)
        self.start_button.hide()
        self.log_button.setVisible(self._local())

    def _wire_up(self) -> None:
        self.choice.currentIndexChanged.connect(self._chosen)
        self.start_button.clicked.connect(self.start)
        self.log_button.clicked.connect(self.show_log)
        self._backend.searching.connect(self._searching)
        self._backend.changed.connect(self._found)
        self._backend.failed.connect(self._not_found)

    def _local(self) -> bool:
        return bool(self._profiles[self.choice.currentIndex()] == LOCAL)

    def _chosen(self) -> None:
        profile = self._profiles[self.choice.currentIndex()]
        self._backend.choose(None if profile == OF_SETTINGS else profile)

    def start(self) -> None:
        """Work with the backend of this machine, and start it."""
        if self._is_lost and self._local():
            self._backend.renew()
        else:
            if not self._local():
                self.choice.setCurrentIndex(self._profiles.index(LOCAL))
            self._backend.find(start=True)
        self._state.setText("Starting …")

    def lose(self, error: HmzError) -> HmzError:
        """Say that the backend does not answer any more; return the error with what helps here."""
        self._is_lost = True
        self._state.setText("No answer")
        self.start_button.setVisible(self._local())
        remedy = _START_AGAIN if self._local() else _WAIT
        return BackendUnreachable(error.detail, remedy=remedy, request_id=error.request_id)

    def find_again(self) -> None:
        """Say that it answers again."""
        self.start_button.hide()
        self._found()

    def show_log(self) -> None:
        """Show the log of this machine's backend in a window of its own."""
        LogView(self._log, self._bridge, self.native).show()

    def _searching(self) -> None:
        self._is_lost = False
        self._state.setText("Connecting …")
        self.start_button.hide()
        self.log_button.setVisible(self._local())

    def _found(self) -> None:
        self._is_lost = False
        self._state.setText("Running" if self._local() else "Connected")

    def _not_found(self, error: HmzError) -> None:
        stopped = isinstance(error, LocalBackendStopped)
        self._state.setText("Not started" if stopped else "Not connected")
        self.start_button.setVisible(isinstance(error, (LocalBackendStopped, LocalBackendFailed)))
