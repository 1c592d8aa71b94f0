"""The cards and thumbnails of a backend as they were last seen: what is shown while it is away.

One folder per backend. Nothing in it is needed: what is damaged or missing is as if never kept.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from napari_hmz.schema import ModelCard
from napari_hmz.schema.base import Message
from napari_hmz.whole_file import safe_name, write_whole

LARGEST_PICTURE = 4 * 2**20
"""Bytes; a larger picture is shown but not kept."""


class Kept(Message):
    """The cards of one backend at one time."""

    at_s: float
    """When they were asked for, in seconds since 1970."""
    cards: tuple[ModelCard, ...]


class KeptCards:
    """The cards and thumbnails of one backend, in one folder.

    Threads: may be used from several at once; the last to write wins, whole.

    Parameters
    ----------
    folder
        Made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, cards: Iterable[ModelCard], at_s: float) -> None:
        """Keep these cards, and forget pictures of others; a full disk is no reason to fail."""
        kept = Kept(at_s=at_s, cards=tuple(cards))
        with suppress(OSError):
            write_whole(self._folder / "cards.json", kept.model_dump_json().encode())
            named = {self._picture_file(card) for card in kept.cards}
            for file in self._folder.glob("*.picture"):
                if file not in named:
                    file.unlink(missing_ok=True)

    def get(self) -> Kept | None:
        """Return the cards that were kept last; None if there are none."""
        try:
            return Kept.model_validate_json((self._folder / "cards.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def put_picture(self, card: ModelCard, picture: bytes) -> None:
        """Keep the thumbnail of a card."""
        if len(picture) <= LARGEST_PICTURE:
            with suppress(OSError):
                write_whole(self._picture_file(card), picture)

    def picture(self, card: ModelCard) -> bytes | None:
        """Return the thumbnail of a card; None if it was not kept."""
        try:
            return self._picture_file(card).read_bytes()
        except OSError:
            return None

    def _picture_file(self, card: ModelCard) -> Path:
        # The digest covers the picture, too; both are a stranger's words and no file names.
        return self._folder / f"{safe_name(f'{card.digest} {card.thumbnail}')}.picture"


def kept_cards(state_dir: Path, backend: str) -> KeptCards:
    """Return what is kept of a backend.

    Parameters
    ----------
    state_dir
        As `ClientSettings.state_dir`.
    backend
        Its address; of this machine's own, whose address changes, `local` and its engine.
    """
    return KeptCards(state_dir / "catalogue" / safe_name(backend))
