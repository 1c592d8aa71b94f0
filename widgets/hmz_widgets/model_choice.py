"""Which models there are and which one is chosen: asked of the backend, or shown from memory.

Lives in the Qt main thread; asking happens in workers.
"""

import time
from collections.abc import Callable
from functools import partial

from psygnal import Signal

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.catalogue_page import CataloguePage
from hmz_widgets.chosen_model import ChosenModel
from hmz_widgets.service import Client, OpenKept
from hmz_widgets.status import StatusView
from hmz_widgets.thumbnails import Thumbnails
from napari_hmz.catalogue import ImageDescription, Kept, KeptCards
from napari_hmz.catalogue.words import kept_note
from napari_hmz.errors import HmzError, NotFound
from napari_hmz.schema import ModelCard

Cards = tuple[ModelCard, ...]


class ModelChoice:
    """The chosen model, and the catalogue in which another one can be chosen.

    Emits `changed` when another model is chosen, `listed` when models were asked for, with success
    or without, and `browsing` with whether the person looks at the catalogue.

    Parameters
    ----------
    backend
        The backend that is asked.
    bridge
        Carries out what takes time.
    status
        Where it is said what goes on.
    open_kept
        Opens what is kept of the backend's models; called in a worker.
    """

    changed = Signal()
    listed = Signal()
    browsing = Signal(bool)

    def __init__(
        self, backend: Backend, bridge: Bridge, status: StatusView, open_kept: OpenKept
    ) -> None:
        self._backend, self._bridge, self._status = backend, bridge, status
        self._open_kept = open_kept
        self._thumbnails = Thumbnails(bridge)
        self.away = False
        """Whether the backend has not told its models when it was asked last."""
        self.chosen = ChosenModel(self._thumbnails)
        self.catalogue = CataloguePage(self._thumbnails)
        self.native = self.chosen.native
        self._wire_up()

    def card(self) -> ModelCard | None:
        """Return the card of the chosen model."""
        return self.chosen.card()

    def choose(self, model_id: str, version: str | None = None) -> None:
        """Choose a model, its newest version unless told; nothing happens if it is not offered."""
        self.chosen.choose(model_id, version)

    def suit(self, image: ImageDescription | None) -> None:
        """Let the catalogue say of every model whether it suits this layer."""
        self.catalogue.suit(image)

    def refresh(self) -> None:
        """Ask the backend for the models that it has now; find it first if need be."""
        self._look(fresh=True)

    def _look(self, *, fresh: bool = False) -> None:
        client = self._backend.client
        if client is None:
            self._backend.find()
            return
        self._allow_asking(allowed=False)
        self._status.busy("Asking for models …")
        self._bridge.call(
            partial(_ask, client, self._kept(), fresh=fresh),
            done=partial(self._take, client),
            failed=self._miss,
            ended=partial(self._allow_asking, allowed=True),
        )

    def close(self) -> None:
        """Fetch no pictures any more."""
        self._thumbnails.close()

    def _kept(self) -> Callable[[], KeptCards]:
        return partial(self._open_kept, self._backend.profile)

    def _take(self, client: Client, cards: Cards) -> None:
        if client is not self._backend.client:  # another backend was chosen in the meantime
            return
        self.away = False
        self._thumbnails.fetch_with(partial(_picture, client, self._kept()))
        self._status.rest("" if cards else "The backend offers no models.")
        self._list(cards)

    def _miss(self, error: HmzError) -> None:
        """Say what is wrong, and show the models as they are remembered."""
        self.away = True
        self._status.fail(error)
        self._bridge.call(
            partial(_remember, self._kept()),
            done=partial(self._take_kept, error),
            failed=partial(self._take_kept, error, None),
        )
        self.listed.emit()

    def _take_kept(self, error: HmzError, kept: Kept | None, _: object = None) -> None:
        if not self.away:
            return
        if kept is None:
            if self._backend.client is None:  # what is listed may be another backend's
                self._list(())
            return
        self._thumbnails.fetch_with(partial(_picture, None, self._kept()))
        self._list(kept.cards, f"{error.detail} {kept_note(kept.at_s, time.time())}")

    def _list(self, cards: Cards, note: str = "") -> None:
        self.chosen.show(cards)
        self.catalogue.show(cards, note)
        self.listed.emit()

    def _searching(self) -> None:
        self._allow_asking(allowed=False)
        self._status.busy("Looking for the backend …")

    def _not_found(self, error: HmzError) -> None:
        self._allow_asking(allowed=True)
        self._miss(error)

    def _allow_asking(self, *, allowed: bool) -> None:
        for button in (self.chosen.button, self.catalogue.refresh_button):
            button.setEnabled(allowed)

    def browse(self) -> None:
        """Let the person look at the catalogue."""
        self.browsing.emit(True)  # first: what is not on show cannot take the keyboard
        self.catalogue.open_at(self.card())

    def _leave(self) -> None:
        self.browsing.emit(False)
        self.chosen.face.setFocus()

    def _choose(self, card: ModelCard) -> None:
        self.choose(card.id, card.version)
        self._leave()

    def _emit_changed(self) -> None:
        self.changed.emit()

    def _wire_up(self) -> None:
        self.chosen.changed.connect(self._emit_changed)
        self.chosen.opened.connect(self.browse)
        self.catalogue.left.connect(self._leave)
        self.catalogue.chosen.connect(self._choose)
        for part in (self.chosen, self.catalogue):
            part.refresh.connect(self.refresh)
        self._backend.searching.connect(self._searching)
        self._backend.changed.connect(self._look)
        self._backend.failed.connect(self._not_found)


def _ask(client: Client, open_kept: Callable[[], KeptCards], *, fresh: bool) -> Cards:
    """Ask for the models and keep them for the time when nobody answers (in a worker)."""
    cards = tuple(client.models(fresh=fresh))
    open_kept().put(cards, time.time())
    return cards


def _remember(open_kept: Callable[[], KeptCards]) -> Kept | None:
    """Return the models as they were last seen (in a worker)."""
    return open_kept().get()


def _picture(client: Client | None, open_kept: Callable[[], KeptCards], card: ModelCard) -> bytes:
    """Return the picture of a model: the one that is kept, else the backend's (in a worker)."""
    kept = open_kept()
    picture = kept.picture(card)
    if picture is not None:
        return picture
    if client is None:
        raise NotFound("The picture was not kept.")
    picture = client.picture(card)
    kept.put_picture(card, picture)
    return picture
