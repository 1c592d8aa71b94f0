"""Which layers are the channels of the image of a run, where several layers were its image.

Lives in the Qt main thread.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from qtpy.QtWidgets import QFormLayout, QWidget

from hmz_widgets.combo import ValueCombo
from hmz_widgets.layers import Picture, picture
from hmz_widgets.run_picture import channel_place, channels_of_image, has_name_of
from napari_hmz.schema import Axes, Run
from napari_hmz.sources import ChannelPart


@dataclass(frozen=True)
class _Pick:
    """A layer, or one of its channels."""

    layer: Any
    channel: int | None

    @property
    def data(self) -> Any:  # noqa: ANN401 # an array, or levels
        """What holds it."""
        return list(self.layer.data) if self.layer.multiscale else self.layer.data

    @property
    def words(self) -> str:
        """What it is called."""
        name = str(self.layer.name)
        return name if self.channel is None else f"{name}, channel {self.channel + 1}"


class StackChoice:
    """A combo box for each channel of the image of a run.

    Parameters
    ----------
    none
        What stands for "no layer".
    """

    def __init__(self, none: str) -> None:
        self._none = none
        self._run: Run | None = None
        self._picks: list[_Pick] = []
        self._combos: list[ValueCombo[_Pick | None]] = []
        self.native = QWidget()
        self._rows = QFormLayout(self.native)
        self._rows.setContentsMargins(0, 0, 0, 0)

    def offer(self, run: Run | None, layers: Iterable[Any], *, propose: bool) -> None:
        """Offer what can be channels of the image of a run; what was chosen for it stays so.

        Parameters
        ----------
        propose
            Whether what looks like the channels is chosen at first.
        """
        picks = [] if run is None else list(_offered(run, layers))
        is_another = getattr(run, "id", None) != getattr(self._run, "id", None)
        former = [] if is_another else [combo.value() for combo in self._combos]
        self._run, self._picks = run, picks
        count = 0 if run is None else _channels(run)
        self._list(count if len(picks) >= count else 0)
        chosen = former or (self._proposed(run, count) if propose else [])
        for combo, pick in zip(self._combos, chosen, strict=False):
            combo.show(pick)

    @property
    def is_open(self) -> bool:
        """Whether there is something to choose."""
        return bool(self._combos)

    def parts(self) -> tuple[ChannelPart, ...]:
        """Return what the client is to read; empty unless each channel has been chosen."""
        return tuple(ChannelPart(one.data, one.channel) for one in self._chosen())

    def picture(self) -> Picture | None:
        """Return the picture of the layer that is the first channel; None as long as one lacks."""
        chosen = self._chosen()
        if self._run is None or not chosen:
            return None
        axes: Axes = tuple(axis for axis in self._run.plan.region if axis != "c")
        place = channel_place(chosen[0].layer, self._run) if chosen[0].channel is not None else None
        own = axes if place is None else (*axes[:place], "c", *axes[place:])
        return picture(chosen[0].layer, own)

    def _chosen(self) -> list[_Pick]:
        chosen = [combo.value() for combo in self._combos]
        found = [pick for pick in chosen if pick is not None]
        return found if len(found) == len(chosen) else []

    def _proposed(self, run: Run | None, count: int) -> list[_Pick]:
        """Return the layers in their order, if the first has the name that the image had."""
        named = [pick for pick in self._picks if run is not None and has_name_of(pick.layer, run)]
        others = [pick for pick in self._picks if pick not in named[:1]]
        return [*named[:1], *others][:count] if named else []

    def _list(self, count: int) -> None:
        while self._rows.rowCount():
            self._rows.removeRow(0)
        self._combos = []
        for number in range(1, count + 1):
            title = f"Channel {number} from"
            combo: ValueCombo[_Pick | None] = ValueCombo(
                title, "The image of this run was put together of layers: which was this channel?"
            )
            combo.offer(
                [None, *self._picks], [self._none, *(pick.words for pick in self._picks)], None
            )
            self._combos.append(combo)
            self._rows.addRow(title, combo.native)


def _channels(run: Run) -> int:
    """Return of how many layers the image of a run may have been put together; 0: of none."""
    first, end = run.plan.region.get("c", (0, 0))
    return end if first == 0 and end > 1 and not run.request.channels else 0


def _offered(run: Run, layers: Iterable[Any]) -> Iterable[_Pick]:
    if not _channels(run):
        return
    for layer in layers:
        for channel in channels_of_image(layer, run):
            yield _Pick(layer, channel)
