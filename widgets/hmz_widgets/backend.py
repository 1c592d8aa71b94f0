"""The backend that the dock works with: found in a worker, shared by the pages.

Lives in the Qt main thread.
"""

import threading

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
        self.client: Client | None = None
        """None until the backend is found."""

    def find(self) -> None:
        """Look for the backend."""
        self.searching.emit()
        self._bridge.call(self._connect, done=self._take, failed=self._fail)

    def close(self) -> None:
        """Close the connections; runs go on at the backend."""
        client, self.client = self.client, None
        if client is not None:  # closing connections may wait for the network
            threading.Thread(target=_quietly_close, args=(client,), daemon=True).start()

    def _take(self, client: Client) -> None:
        self.client = client
        self.changed.emit()

    def _fail(self, error: HmzError) -> None:
        self.failed.emit(error)


def _quietly_close(client: Client) -> None:
    try:
        client.close()
    except HmzError:  # nobody is left to tell
        return
