"""A zarr that is dropped on the dock becomes layers, by napari's own way of opening things.

Lives in the Qt main thread, as all that napari opens.
"""

from collections.abc import Callable, Sequence
from typing import Any

from napari.errors import MultipleReaderError
from qtpy.QtCore import QEvent, QMimeData, QObject
from qtpy.QtWidgets import QWidget

from hmz_widgets.preferences import PLUGIN
from hmz_widgets.reader import get_reader
from napari_hmz.errors import HmzError, SourceUnreadable
from napari_hmz.sources.zarr_places import zarr_places

_DRAGGED = frozenset({QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop})
_BUILT_IN = "napari"
REMEDY = "Check the place; File > Open may know another reader (napari-ome-zarr is one)."


class ZarrDrop(QObject):  # type: ignore[misc] # Qt has no types that mypy can follow
    """Lets zarr be dropped on a widget: from a file manager, or an address as text.

    Anything else is left to the widgets below, and so to napari.

    Parameters
    ----------
    target
        The widget; it owns this object.
    take
        Gets the paths and addresses.
    """

    def __init__(self, target: QWidget, take: Callable[[Sequence[str]], None]) -> None:
        super().__init__(target)
        self._take = take
        target.setAcceptDrops(True)
        target.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 # Qt's name
        """Take what is a zarr; other events go on."""
        if event.type() not in _DRAGGED:
            return False
        places = places_in(event.mimeData())
        if not places:
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self._take(places)
        return True


def places_in(data: QMimeData) -> tuple[str, ...]:
    """Return the zarr places in what is dragged."""
    if data.hasUrls():
        return zarr_places(bytes(url.toEncoded().data()).decode() for url in data.urls())
    return zarr_places([data.text()]) if data.hasText() else ()


def open_zarr(viewer: Any, place: str) -> list[Any]:  # noqa: ANN401 # napari is untyped here
    """Open a zarr with the person's reader for it, else with the one that tells most of it.

    Returns
    -------
    The new layers.

    Raises
    ------
    HmzError
        If no reader can.
    """
    try:
        try:
            return list(viewer.open(place, plugin=None))
        except MultipleReaderError as several:
            reader = best_reader(place, several.available_plugins)
            return list(viewer.open(place, plugin=reader))
    except Exception as error:  # readers are other people's plugins, and raise what they like
        cause = error.__cause__ or error
        if isinstance(cause, HmzError):
            raise cause from error
        raise SourceUnreadable(f"{place} cannot be opened: {cause}", remedy=REMEDY) from error


def best_reader(place: str, offered: Sequence[str]) -> str:
    """Return which of napari's readers to use: ours where it can, the built-in one last."""
    if PLUGIN in offered and get_reader(place) is not None:
        return PLUGIN
    others = [name for name in offered if name not in (PLUGIN, _BUILT_IN)]
    return others[0] if others else _BUILT_IN
