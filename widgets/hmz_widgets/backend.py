"""The backend that the dock works with: found in a worker, shared by the pages.

Lives in the Qt main thread.
"""

import threading
from functools import partial

from psygnal import Signal

from hmz_widgets.bridge import Bridge
from hmz_widgets.service import Client, Connect
from napari_hmz.errors import HmzError


class Backend:
    """Holds the client of the backend, once there is one.

    Emits `searching` when it begins to look, then `changed` when there is another client, or
    `failed` with the error.

    Parameters
    ----------
    bridge
        Carries out what takes time.
    connect
        Finds the backend; called in a worker.
    """

    searching = Signal()
    changed = Signal()
    failed = Signal(object)

    def __init__(self, bridge: Bridge, connect: Connect) -> None:
        self._bridge, self._connect = bridge, connect
        self._searches = 0
        self._left: list[Client] = []
        self.profile: str | None = None
        """The profile that was chosen; None: what the settings say."""
        self.client: Client | None = None
        """None until the backend is found."""

    def choose(self, profile: str | None) -> None:
        """Work with the backend of another profile.

        The client of the one before stays open until the end: a run may still send its image.
        """
        if self.client is not None:
            self._left.append(self.client)
        self.client, self.profile = None, profile
        self.find()

    def find(self, *, start: bool = False) -> None:
        """Look for the backend; that of this machine is only started where `start` says so."""
        self._searches += 1
        number = self._searches
        self.searching.emit()
        self._bridge.call(
            partial(self._connect, self.profile, start=start),
            done=partial(self._take, number),
            failed=partial(self._fail, number),
        )

    def close(self) -> None:
        """Close the connections; runs go on at the backend."""
        now, self.client = self.client, None
        for client in [*self._left, *([] if now is None else [now])]:
            _dismiss(client)
        self._left.clear()

    def _take(self, number: int, client: Client) -> None:
        if number != self._searches:  # another one was chosen in the meantime
            _dismiss(client)
            return
        self.client = client
        self.changed.emit()

    def _fail(self, number: int, error: HmzError) -> None:
        if number == self._searches:
            self.failed.emit(error)


def _dismiss(client: Client) -> None:
    # Closing connections may wait for the network.
    threading.Thread(target=_quietly_close, args=(client,), daemon=True).start()


def _quietly_close(client: Client) -> None:
    try:
        client.close()
    except HmzError:  # nobody is left to tell
        return
