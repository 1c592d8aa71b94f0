"""One run in the viewer: its updates become layers that grow, progress, and the last word.

Lives in the Qt main thread; the bridge brings the updates there.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from hmz_widgets.activity import Activity
from hmz_widgets.bridge import Bridge
from hmz_widgets.collector import Truce
from hmz_widgets.gaze import Gaze
from hmz_widgets.layers import OutputLayer, Picture
from hmz_widgets.object_dock import open_table
from hmz_widgets.reader import stored_levels
from hmz_widgets.row_layer import RowLayer
from hmz_widgets.status import StatusView, result_line
from napari_hmz.errors import HmzError, RunFailed, from_problem
from napari_hmz.live import Advanced, Begun, Broken, Ended, Filled, Listed, Update, WatchedRun
from napari_hmz.schema import Region
from napari_hmz.standing import Standing


class RunView:
    """A run whose outputs grow in the viewer.

    Parameters
    ----------
    viewer
        Gets the layers.
    image
        What the run works on.
    bridge, status
        Carry out and show.
    passing
        Whether the layers make way for others soon: then nothing is offered to do with them, and
        napari's activity dock does not show the run.
    """

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # napari is untyped here
        image: Picture,
        bridge: Bridge,
        status: StatusView,
        *,
        passing: bool = False,
    ) -> None:
        self._viewer, self._image = viewer, image
        self._passing = passing
        self._bridge, self._status = bridge, status
        self._activity = None if passing else Activity(image.name, self.cancel)
        self._truce: Truce | None = None
        self.error: HmzError | None = None
        self._handle: WatchedRun | None = None
        self._unwanted = False
        self._outputs: dict[str, OutputLayer] = {}
        self._tables: dict[str, RowLayer] = {}
        self._gaze: Gaze | None = None
        self._warnings: tuple[str, ...] = ()
        self._lack = ""
        self._lost: HmzError | None = None

    @property
    def has_layers(self) -> bool:
        """Whether the run has begun and has outputs that are shown."""
        return bool(self._outputs or self._tables)

    def take(self, update: Update) -> None:
        """Show what has happened."""
        if isinstance(update, Filled):
            self._outputs[update.output].mark(update.region)
        elif isinstance(update, Listed):
            self._tables[update.output].mark()
            self._seen(shows=True)  # rows are few, and shown at their own pace
        elif isinstance(update, Advanced):
            self._advance(update.standing)
        elif isinstance(update, Begun):
            self._begin(update)
        elif isinstance(update, Ended):
            self._end(update)
        else:
            self._break(update)

    def cancel(self) -> bool:
        """Ask the backend to stop, as soon as it has accepted the run; False if asked before."""
        if self._unwanted:
            return False
        self._unwanted = True
        self._cancel_now()
        return True

    def lose(self, error: HmzError | None) -> None:
        """Say that the backend does not answer any more; None: it does again."""
        self._lost = error
        self._note()

    def close(self) -> None:
        """Stop redrawing; the layers stay."""
        for output in self._shown():
            output.close()
        if self._gaze is not None:
            self._gaze.close()
            self._gaze = None
        if self._activity is not None:
            self._activity.close()
        if self._truce is not None:
            self._truce.end()

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        self.close()
        for output in self._shown():
            output.remove()

    def _begin(self, begun: Begun) -> None:
        self._handle = begun.handle
        self._truce = Truce()
        self._outputs = {
            name: OutputLayer(self._viewer, canvas, self._image, begun.run)
            for name, canvas in begun.canvases.items()
        }
        for output in self._outputs.values():
            output.drawn.connect(self._seen)
        self._tables = {
            name: RowLayer(self._viewer, sheet, self._image, begun.run)
            for name, sheet in begun.sheets.items()
        }
        self._warnings = begun.run.plan.warnings
        self._status.note(self._warnings)
        self._advance(begun.standing)
        self._cancel_now()
        first = next(iter(self._outputs.values()), None)
        if first is not None:
            self._gaze = Gaze(self._viewer, first.looked_at, self._focus)

    def _advance(self, standing: Standing) -> None:
        self._status.advance(standing)
        if standing.doing == "queue" and standing.position > 1:
            self._seen(shows=True)  # others go first, and the link is free meanwhile
        if standing.lack != self._lack:
            self._lack = standing.lack
            self._note()
        if self._activity is not None:
            self._activity.advance(standing)

    def _note(self) -> None:
        lost = "" if self._lost is None else f"{self._lost.detail}\n{self._lost.remedy}"
        self._status.note([*self._warnings, *(text for text in (self._lack, lost) if text)])

    def _shown(self) -> "list[OutputLayer | RowLayer]":
        return [*self._outputs.values(), *self._tables.values()]

    def _focus(self, region: Region) -> None:
        """Have what is looked at done first; it is a wish, and nothing is lost if it fails."""
        if self._handle is not None:
            focus = partial(self._handle.focus, region)
            self._bridge.call(focus, done=_ignore, failed=_ignore)

    def _seen(self, shows: bool) -> None:
        """Let more of the image be sent: it was held back until something is on show."""
        if self._handle is not None:
            self._handle.seen(shows=shows)

    def _cancel_now(self) -> None:
        if self._unwanted and self._handle is not None:
            self._bridge.call(self._handle.cancel, done=_ignore, failed=self._status.fail)

    def _end(self, ended: Ended) -> None:
        run = ended.run
        for output in self._shown():
            output.finish()
        if run.state == "failed":
            self.error = from_problem(run.error) if run.error else RunFailed()
            self._status.fail(self.error)
        else:
            self._status.rest(result_line(run))
            self._offer_table()
        if ended.stored_at and any(output.is_in_file for output in self._outputs.values()):
            levels = partial(stored_levels, ended.stored_at)
            self._bridge.call(levels, done=self._show_stored, failed=self._status.fail)

    def _offer_table(self) -> None:
        if self._objects() is not None and not self._passing:
            tip = "Measure every object of the result, and list them"
            self._status.offer("Object table", tip, self._open_table)

    def _open_table(self) -> None:
        layer = self._objects()
        if layer is None:  # taken out of the viewer meanwhile
            self._status.withdraw()
        else:
            open_table(self._viewer, layer)

    def _objects(self) -> Any:  # noqa: ANN401 # napari's layer
        """Return the layer whose objects can be listed; None if there is none."""
        found = (output.objects() for output in self._outputs.values())
        return next((layer for layer in found if layer is not None), None)

    def _show_stored(self, levels: Mapping[str, list[Any]]) -> None:
        """Show what is larger than memory from its store: by level, and only what is seen."""
        for name, output in self._outputs.items():
            if output.is_in_file and name in levels:
                output.show_stored(levels[name])

    def _break(self, broken: Broken) -> None:
        for output in self._shown():
            output.finish()
        self.error = self._lost or broken.error
        self._status.fail(self.error)


def _ignore(_result: object) -> None:
    return
