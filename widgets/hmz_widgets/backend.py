"""The backend that the dock works with: found in a worker, shared by the pages.

Lives in the Qt main thread.
"""

import threading
from collections.abc import Callable
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
        self._found: list[Client] = []
        self._closed = threading.Event()
        self.profile: str | None = None
        """The profile that was chosen; None: what the settings say."""
        self.client: Client | None = None
        """None until the backend is found."""

    def choose(self, profile: str | None) -> None:
        """Work with the backend of another profile.

        The client of the one before stays open until the end: a run may still send its image.
        """
        self.client, self.profile = None, profile
        self.find()

    def find(self, *, start: bool = False) -> None:
        """Look for the backend; that of this machine is only started where `start` says so."""
        self._searches += 1
        number = self._searches
        self.searching.emit()
        self._bridge.call(
            partial(
                _connected,
                partial(self._connect, self.profile, start=start),
                self._found,
                self._closed,
            ),
            done=partial(self._take, number),
            failed=partial(self._fail, number),
        )

    def renew(self) -> None:
        """Start the backend of this machine again, which has ended: nothing waits for it any more.

        Its address is another one then, so that what was asked of it would wait in vain.
        """
        if self.client is not None:
            self._found.remove(self.client)
            _dismiss(self.client)
            self.client = None
        self.find(start=True)

    def close(self) -> None:
        """Close the connections; runs go on at the backend."""
        self.client = None
        self._closed.set()
        for client in self._found:
            _dismiss(client)

    def _take(self, number: int, client: Client) -> None:
        if number != self._searches:  # another one was chosen in the meantime
            return
        self.client = client
        self.changed.emit()

    def _fail(self, number: int, error: HmzError) -> None:
        if number == self._searches:
            self.failed.emit(error)


def _connected(
    connect: Callable[[], Client], found: list[Client], closed: threading.Event
) -> Client:
    """Connect, and close the connections at once if the dock was closed meanwhile (in a worker)."""
    client = connect()
    found.append(client)
    if closed.is_set():
        _quietly_close(client)
    return client


def _dismiss(client: Client) -> None:
    # Closing connections may wait for the network.
    threading.Thread(target=_quietly_close, args=(client,), daemon=True).start()


def _quietly_close(client: Client) -> None:
    try:
        client.close()
    except HmzError:  # nobody is left to tell
        return
