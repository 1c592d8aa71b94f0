"""The models that runs can ask for: cards by name and version, their pictures, and their speeds.

Looking may mean reading the disk, so it happens in threads.
"""

from collections.abc import Sequence
from concurrent.futures import Executor as Threads
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hmz_backend.access.models import ModelRules
from hmz_backend.database.access import Database
from hmz_backend.identity.protocol import Principal
from hmz_backend.planning.estimate import work_share
from hmz_backend.runs import records
from hmz_backend.runs.threads import in_thread
from hmz_backend.zoo.choice import choose
from napari_hmz.errors import NotFound
from napari_hmz.schema import ModelCard, resolve_parameters


class Package(Protocol):
    """What is used of a model package."""

    @property
    def card(self) -> ModelCard:
        """What users are told."""

    @property
    def folder(self) -> Path:
        """Where its files are."""


class Packages(Protocol):
    """All model packages: the zoo, seen from here."""

    def packages(self) -> Sequence[Package]:
        """Return all of them, newest version first within a model."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Answers questions about models: for a caller, there are only those that they may see.

    One that they may not see is looked for among the others, and not found, as any that is none.

    Parameters
    ----------
    packages
        All of them.
    threads
        Where looking happens.
    database
        Where measured speeds are found.
    rules
        Who may see which.
    """

    packages: Packages
    threads: Threads
    database: Database
    rules: ModelRules

    async def warm(self) -> None:
        """Read all packages, so that nobody has to wait for it."""
        await in_thread(self.threads, self.packages.packages)

    async def search(
        self, caller: Principal, task: str | None = None, words: str | None = None
    ) -> list[ModelCard]:
        """Return the cards of one task, or all, that have all words in name, summary or tags."""
        found = await self._visible(caller)
        wanted = (words or "").lower().split()
        cards = [package.card for package in found]
        return [
            card
            for card in cards
            if task in (None, card.task) and all(word in _text(card) for word in wanted)
        ]

    async def card(self, caller: Principal, model: str, version: str | None = None) -> ModelCard:
        """Return one card, without a version the newest, or raise `NotFound`."""
        return choose(await self._visible(caller), model, version).card

    async def fixed_card(self, model: str, version: str) -> ModelCard:
        """Return the card for a run that was allowed when it was created, or raise `NotFound`."""
        found = await in_thread(self.threads, self.packages.packages)
        return choose(found, model, version).card

    async def with_speeds(self, cards: Sequence[ModelCard]) -> list[ModelCard]:
        """Return the cards with what is known of the models' speeds here: what users are told."""
        known = await self.database.read(records.all_seconds_per_voxel)
        return [_with_speed(card, known.get((card.id, card.version))) for card in cards]

    async def picture(self, caller: Principal, model: str, version: str, name: str) -> bytes:
        """Return the thumbnail that a card names, or raise `NotFound`."""
        package = choose(await self._visible(caller), model, version)
        path = package.folder / package.card.thumbnail
        if not name or name != package.card.thumbnail or not path.is_file():
            raise NotFound("The model has no such picture.")
        return await in_thread(self.threads, path.read_bytes)

    async def _visible(self, caller: Principal) -> list[Package]:
        found = await in_thread(self.threads, self.packages.packages)
        return [package for package in found if self.rules.admits(caller, package.card)]


def _with_speed(card: ModelCard, seconds_per_voxel: float | None) -> ModelCard:
    if not seconds_per_voxel:
        return card
    defaults, _ = resolve_parameters(card.parameters, {})
    rate = 1 / (seconds_per_voxel * work_share(card.tile, defaults))
    return card.model_copy(update={"voxels_per_s_here": rate})


def _text(card: ModelCard) -> str:
    return " ".join((card.id, card.name, card.summary, *card.tags)).lower()
