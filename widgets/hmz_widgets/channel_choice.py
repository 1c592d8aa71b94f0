"""Which channel of which layer feeds each channel of a model.

Lives in the Qt main thread; what is offered and proposed is decided in `napari_hmz.form.channels`.
"""

from collections.abc import Sequence

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from hmz_widgets.combo import ValueCombo
from napari_hmz.form import Feed, Feeder, Pick, feed, offered, proposed, wanted_channels
from napari_hmz.schema import InputSpec


class ChannelChoice:
    """A combo box for each channel that the model tells apart.

    A model of a single channel is offered one of the image's, or all of them one after another.
    Emits `changed` when a person has chosen another one.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._images: tuple[Feeder, ...] = ()
        self._names: tuple[str, ...] = ()
        self._combos: list[ValueCombo[Pick | None]] = []
        self.native = QWidget()
        self._rows = QFormLayout(self.native)
        self._rows.setContentsMargins(0, 0, 0, 0)

    def offer(self, spec: InputSpec | None, images: Sequence[Feeder]) -> None:
        """Offer what can feed an input; the first image is the chosen one."""
        names = wanted_channels(spec) if spec is not None else ()
        if (tuple(images), names) == (self._images, self._names):
            return
        before = self.picks() if names == self._names else ()
        self._images, self._names = tuple(images), names
        while self._rows.rowCount():
            self._rows.removeRow(0)
        self._combos = []
        if spec is not None and images:
            self._list(spec, before)
        self.native.setVisible(bool(self._combos))

    def picks(self) -> tuple[Pick, ...]:
        """Return what is chosen; empty if nothing can be, or all channels are."""
        chosen = [combo.value() for combo in self._combos]
        return tuple(pick for pick in chosen if pick is not None)

    def feed(self) -> Feed:
        """Return how the choice is carried out."""
        return feed(self._images, self.picks())

    def obstacle(self) -> str:
        """Return why the choice cannot feed the model, or nothing."""
        if len(self.picks()) >= len(self._names):
            return ""
        return (
            f"This model takes {len(self._names)} channels ({', '.join(self._names)}): open them as"
            " layers of the same extents and data type, or as one image with channels."
        )

    def _list(self, spec: InputSpec, before: Sequence[Pick]) -> None:
        offers = offered(self._images)
        if not self._names:
            mine = [pick for pick in offers if pick.image == 0 and pick.channel is not None]
            if len(mine) > 1:
                self._add("Channel", [None, *mine], before[0] if before else None)
            return
        picks = before if before and set(before) <= set(offers) else proposed(spec, offers)
        for name, pick in zip(self._names, picks, strict=False):
            self._add(name, list(offers), pick)

    def _add(self, name: str, offers: list[Pick | None], chosen: Pick | None) -> None:
        combo: ValueCombo[Pick | None] = ValueCombo(
            f"Channel {name}", "Which channel, or which layer, feeds the model here"
        )
        words = ["All, one after another" if pick is None else pick.words for pick in offers]
        combo.offer(offers, words, chosen)
        combo.changed.connect(self._chosen)
        self._combos.append(combo)
        self._rows.addRow(_label(name), combo.native)

    def _chosen(self) -> None:
        self.changed.emit()


def _label(name: str) -> QLabel:
    """Return a card's word as a label: it comes from strangers."""
    label = QLabel(name.replace("_", " ").capitalize())
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
