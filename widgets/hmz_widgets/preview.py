"""The preview: a run of what is in view, whose layers the next preview replaces.

Lives in the Qt main thread.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from qtpy.QtCore import QTimer

from hmz_widgets.bridge import Bridge
from hmz_widgets.order import Order, begin
from hmz_widgets.run_view import RunView
from hmz_widgets.service import Client, OpenPicture
from hmz_widgets.status import StatusView
from napari_hmz.live import Filled, Listed, Update, perform

PAUSE_MS = 400
"""How long parameters must rest before the preview follows them."""


class Preview:
    """Runs what is in view, and again when it is asked for again.

    Parameters
    ----------
    viewer, bridge, status, open_picture
        As of `RunView`.
    again
        Is called when parameters have rested for a while after a change.
    ended
        Is called when a preview is over.
    """

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # napari is untyped here
        bridge: Bridge,
        status: StatusView,
        open_picture: OpenPicture,
        *,
        again: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._viewer, self._bridge, self._status = viewer, bridge, status
        self._open, self._ended = open_picture, ended
        self._shown: RunView | None = None
        self._going: RunView | None = None
        self._next: tuple[Client, Order] | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(again)

    @property
    def is_going(self) -> bool:
        """Whether a preview is being computed."""
        return self._going is not None

    @property
    def is_shown(self) -> bool:
        """Whether there is a preview to look at."""
        return self._shown is not None

    def follow(self) -> None:
        """Ask for the preview again as soon as the parameters rest."""
        self._timer.start(PAUSE_MS)

    def start(self, client: Client, order: Order) -> None:
        """Compute a preview; one that is being computed gives way."""
        self._timer.stop()
        if self._going is not None:
            self._next = (client, order)
            self._going.cancel()
            return
        image = replace(order.image, name=f"Preview: {order.image.name}")
        self._going = RunView(self._viewer, image, self._bridge, self._status, passing=True)
        self._status.busy("Computing a preview …")
        work = partial(begin, client, self._open, order)
        self._bridge.listen(partial(perform, work), take=self._take, ended=self._over)

    def cancel(self) -> bool:
        """Stop what is being computed; False if there is nothing to stop."""
        self._timer.stop()
        self._next = None
        return self._going is not None and self._going.cancel()

    def clear(self) -> None:
        """Stop, and take the preview out of the viewer."""
        self.cancel()
        if self._shown is not None:
            self._shown.remove()
        self._shown = None

    def close(self) -> None:
        """Stop redrawing; the layers stay."""
        self._timer.stop()
        for view in (self._shown, self._going):
            if view is not None:
                view.close()
        self._shown = self._going = self._next = None

    def _take(self, update: Update) -> None:
        if self._going is None:
            return
        if isinstance(update, Filled | Listed) and self._shown is not None:
            self._shown.remove()  # not before there is something to see instead
            self._shown = None
        self._going.take(update)

    def _over(self) -> None:
        view, self._going = self._going, None
        if view is None:
            return
        view.close()
        if self._shown is not None and view.has_layers:
            self._shown.remove()
        if view.has_layers:
            self._shown = view
        following, self._next = self._next, None
        if following is not None:
            self.start(*following)
        self._ended()
