"""Forms remember what was last set in them: read and written in workers.

Lives in the Qt main thread.
"""

from collections.abc import Callable, Mapping
from functools import partial

from qtpy.QtCore import QTimer

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.form import FormView
from hmz_widgets.service import OpenRemembered
from napari_hmz.form import RememberedValues
from napari_hmz.schema import ModelCard, ParameterValue

PAUSE_MS = 500
"""What is set is written once the person pauses."""

Values = Mapping[str, ParameterValue]


class FormMemory:
    """Fills the form on show with what was last set in it, and keeps what is set.

    Parameters
    ----------
    backend
        Whose models they are; each profile has a memory of its own.
    bridge
        Carries out what takes time.
    open_remembered
        Opens what is remembered of the backend; called in a worker.
    """

    def __init__(self, backend: Backend, bridge: Bridge, open_remembered: OpenRemembered) -> None:
        self._backend, self._bridge, self._open = backend, bridge, open_remembered
        self._profile: str | None = None
        self._remembered: RememberedValues | None = None
        self._card: ModelCard | None = None
        self._view: FormView | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._keep)

    def follow(self, card: ModelCard | None, view: FormView | None) -> None:
        """Fill this form, and keep what is set in it, from now on."""
        self._keep_now()
        self._card, self._view = card, view
        if card is None or view is None or not view.form.fields:
            return
        view.changed.connect(self._wait)
        if self._profile != self._backend.profile:
            self._profile, self._remembered = self._backend.profile, None
        open_it = partial(self._open, self._profile)
        look = partial(_values, self._remembered, open_it, card)
        self._bridge.call(look, done=partial(self._fill, view), failed=_ignore)

    def close(self) -> None:
        """Write nothing any more."""
        self._timer.stop()
        self._card = self._view = None

    def _fill(self, view: FormView, found: tuple[RememberedValues, Values]) -> None:
        """Show what was last set, unless the person was quicker."""
        self._remembered, values = found
        start = view.form.start()
        if view is self._view and view.values() == start and values != start:
            view.take(values)

    def _wait(self) -> None:
        self._timer.start()

    def _keep_now(self) -> None:
        if self._timer.isActive():
            self._timer.stop()
            self._keep()

    def _keep(self) -> None:
        if self._card is None or self._view is None or self._remembered is None:
            return
        keep = partial(self._remembered.put, self._card, self._view.values())
        self._bridge.call(keep, done=_ignore, failed=_ignore)


def _values(
    remembered: RememberedValues | None, open_it: Callable[[], RememberedValues], card: ModelCard
) -> tuple[RememberedValues, Values]:
    """Read what was last set (in a worker)."""
    found = open_it() if remembered is None else remembered
    return found, found.values(card)


def _ignore(_: object) -> None:
    """Forms work without a memory."""
