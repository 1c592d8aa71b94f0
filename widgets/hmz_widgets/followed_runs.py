"""The runs that were taken up in this viewer: their layers, and the progress of the chosen one.

Lives in the Qt main thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from hmz_widgets.bridge import Bridge
from hmz_widgets.layers import Picture
from hmz_widgets.run_picture import picture_of
from hmz_widgets.run_view import RunView
from hmz_widgets.status import StatusView
from napari_hmz.live import WatchedRun, perform
from napari_hmz.schema import Run


@dataclass(eq=False)
class _Followed:
    view: RunView
    status: StatusView
    is_going: bool = True


class FollowedRuns:
    """Follows any number of runs at a time; each has a status of its own, one of which is shown.

    Parameters
    ----------
    viewer
        Gets the layers.
    bridge
        Carries out what takes time.
    """

    def __init__(self, viewer: Any, bridge: Bridge) -> None:  # noqa: ANN401 # napari is untyped here
        self._viewer, self._bridge = viewer, bridge
        self._runs: dict[str, _Followed] = {}
        self._chosen = ""
        self.native = QWidget()
        self._layout = QVBoxLayout(self.native)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def follow(
        self, run: Run, take_up: Callable[[], WatchedRun], image: Picture | None = None
    ) -> None:
        """Show what there is of a run, and follow it until its end.

        Parameters
        ----------
        take_up
            Attaches to the run; called in a worker.
        image
            What the run works on; None: what looks like it in the viewer.
        """
        self._forget(run.id)
        status = StatusView()
        image = image or picture_of(run, self._viewer.layers)
        followed = _Followed(RunView(self._viewer, image, self._bridge, status), status)
        self._runs[run.id] = followed
        self._layout.addWidget(status.native)
        status.busy("Taking up the run …")
        self.choose(self._chosen)
        self._bridge.listen(
            partial(perform, take_up), take=followed.view.take, ended=partial(_over, followed)
        )

    def choose(self, run_id: str) -> None:
        """Show the status of this run, if it is followed."""
        self._chosen = run_id
        for own, followed in self._runs.items():
            followed.status.native.setVisible(own == run_id)

    def is_following(self, run_id: str) -> bool:
        """Return whether a run is followed and has not ended."""
        return run_id in self._runs and self._runs[run_id].is_going

    def status(self, run_id: str) -> StatusView | None:
        """Return the status of a run; none if it was not taken up here."""
        return self._runs[run_id].status if run_id in self._runs else None

    def close(self) -> None:
        """Stop redrawing; layers stay, and the runs go on at the backend."""
        for followed in self._runs.values():
            followed.view.close()

    def _forget(self, run_id: str) -> None:
        former = self._runs.pop(run_id, None)
        if former is not None:
            former.view.remove()  # the same run fills others now
            self._layout.removeWidget(former.status.native)
            former.status.native.hide()
            former.status.native.deleteLater()


def _over(followed: _Followed) -> None:
    followed.is_going = False
    followed.view.close()
