"""Small pictures of models: fetched and decoded in workers, a few at a time, once they are seen.

Lives in the Qt main thread, except `_load`, which runs in a worker.
"""

from collections.abc import Callable, Sequence
from functools import partial

from psygnal import Signal
from qtpy.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt, QTimer
from qtpy.QtGui import QImage, QImageReader, QPixmap

from hmz_widgets.bridge import Bridge
from napari_hmz.errors import BackendUnreachable, HmzError
from napari_hmz.schema import ModelCard

SIDE_PX = 96
"""Twice what is shown, for screens of high resolution."""
BATCH = 8
GATHER_MS = 30
"""How long to wait for others that come into view at the same moment."""
FORMATS = frozenset({"png", "jpeg", "jpg", "gif", "webp", "bmp"})
"""Formats that are pictures only: no scripts, no references to other files."""
LARGEST_SIDE_PX = 8192

Fetch = Callable[[ModelCard], bytes]
"""Returns a model's picture, or raises; called in a worker."""


class Thumbnails:
    """The pictures of models as far as they are there; emits `arrived` when there are more.

    Parameters
    ----------
    bridge
        Carries out what takes time.
    """

    arrived = Signal()

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._fetch: Fetch | None = None
        self._known: dict[str, QPixmap | None] = {}
        self._wanted: dict[str, ModelCard] = {}
        self._loading = False
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(GATHER_MS)
        self._timer.timeout.connect(self._load_some)

    def fetch_with(self, fetch: Fetch) -> None:
        """Fetch pictures in this way from now on; those that could not be had are tried again."""
        self._fetch = fetch
        self._known = {key: picture for key, picture in self._known.items() if picture is not None}
        self._wanted.clear()

    def picture(self, card: ModelCard) -> QPixmap | None:
        """Return a model's picture; None while it is not there, and then it will be fetched."""
        key = f"{card.id} {card.version} {card.digest}"
        if card.thumbnail and key not in self._known:
            self._wanted[key] = card
            if not self._loading and not self._timer.isActive():
                self._timer.start()
        return self._known.get(key)

    def close(self) -> None:
        """Fetch nothing any more."""
        self._timer.stop()
        self._fetch = None

    def _load_some(self) -> None:
        if self._fetch is None or self._loading or not self._wanted:
            return
        keys = list(self._wanted)[-BATCH:]  # what came into view last is in view
        cards = [self._wanted.pop(key) for key in keys]
        self._loading = True
        self._bridge.call(
            partial(_load, self._fetch, cards),
            done=partial(self._take, keys),
            failed=partial(self._take_none, keys),
            ended=self._loaded,
        )

    def _take(self, keys: Sequence[str], images: Sequence[QImage | None]) -> None:
        for key, image in zip(keys, images, strict=True):
            self._known[key] = None if image is None else QPixmap.fromImage(image)
        self.arrived.emit()

    def _take_none(self, keys: Sequence[str], _error: HmzError) -> None:
        self._known.update(dict.fromkeys(keys))

    def _loaded(self) -> None:
        self._loading = False
        self._load_some()


def _load(fetch: Fetch, cards: Sequence[ModelCard]) -> list[QImage | None]:
    """Fetch and decode pictures (in a worker); None for each that cannot be had."""
    images: list[QImage | None] = []
    for card in cards:
        try:
            images.append(decoded(fetch(card)))
        except BackendUnreachable:  # the others would wait as long, for nothing
            break
        except HmzError:  # this one is not there: no reason to show none of the others
            images.append(None)
    return images + [None] * (len(cards) - len(images))


def decoded(content: bytes) -> QImage | None:
    """Return a picture cut to a square of `SIDE_PX`; None if it is not one that may be shown."""
    buffer = QBuffer()
    buffer.setData(QByteArray(content))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    size = reader.size()
    if bytes(reader.format().data()).decode("ascii", "replace") not in FORMATS:
        return None
    if not size.isValid() or max(size.width(), size.height()) > LARGEST_SIDE_PX:
        return None
    image = reader.read()
    return None if image.isNull() else _square(image)


def _square(image: QImage) -> QImage:
    filled = image.scaled(
        QSize(SIDE_PX, SIDE_PX),
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    left, top = (filled.width() - SIDE_PX) // 2, (filled.height() - SIDE_PX) // 2
    return filled.copy(left, top, SIDE_PX, SIDE_PX)
