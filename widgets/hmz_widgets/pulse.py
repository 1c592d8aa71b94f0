"""Whether the backend still answers while a run goes.

What a run asks is asked again and again, in silence, for as long as the settings allow: somebody
who looks at it should hear much sooner that nobody answers.

Lives in the Qt main thread; asking is a worker's business.
"""

from collections.abc import Callable
from functools import partial

from psygnal import Signal
from qtpy.QtCore import QTimer

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from napari_hmz.errors import BackendUnreachable, HmzError

PERIOD_MS = 5_000


class Pulse:
    """Asks the backend now and then, as long as that is needed.

    Emits `lost` with the error once the backend does not answer, and `found` once it does again.

    Parameters
    ----------
    backend
        The backend that is asked; the pulse follows it.
    bridge
        Carries out what takes time.
    is_needed
        Whether something goes on that would wait for the backend.
    """

    lost = Signal(object)
    found = Signal()

    def __init__(self, backend: Backend, bridge: Bridge, is_needed: Callable[[], bool]) -> None:
        self._backend, self._bridge, self._is_needed = backend, bridge, is_needed
        self._is_asking = self._is_lost = False
        backend.searching.connect(self._begin_anew)
        self._timer = QTimer()
        self._timer.setInterval(PERIOD_MS)
        self._timer.timeout.connect(self._ask)
        self._timer.start()

    def close(self) -> None:
        """Ask no more."""
        self._timer.stop()

    def _ask(self) -> None:
        client = self._backend.client
        if client is None or self._is_asking or not (self._is_lost or self._is_needed()):
            return
        self._is_asking = True
        self._bridge.call(
            client.check,
            done=partial(self._answered, client),
            failed=partial(self._failed, client),
            ended=self._asked,
        )

    def _answered(self, client: object, _health: object) -> None:
        if client is self._backend.client and self._is_lost:
            self._is_lost = False
            self.found.emit()

    def _failed(self, client: object, error: HmzError) -> None:
        is_silent = isinstance(error, BackendUnreachable)  # whatever else it says is an answer
        if is_silent and client is self._backend.client and not self._is_lost:
            self._is_lost = True
            self.lost.emit(error)

    def _asked(self) -> None:
        self._is_asking = False

    def _begin_anew(self) -> None:
        self._is_lost = False
