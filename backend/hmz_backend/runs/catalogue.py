"""The models that runs can ask for: cards by name and version, their pictures, and their speeds.

Called from the event loop, which answers from what the lookout saw last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hmz_backend.access.models import ModelRules
from hmz_backend.identity.protocol import Principal
from hmz_backend.planning.estimate import work_share
from hmz_backend.runs.lookout import Lookout, Package
from hmz_backend.runs.threads import in_thread
from hmz_backend.zoo.choice import choose
from napari_hmz.errors import NotFound
from napari_hmz.schema import ModelCard, resolve_parameters


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Answers questions about models: for a caller, there are only those that they may see.

    One that they may not see is looked for among the others, and not found, as any that is none.

    Parameters
    ----------
    lookout
        Knows all of them.
    rules
        Who may see which.
    """

    lookout: Lookout
    rules: ModelRules

    async def search(
        self,
        caller: Principal,
        task: str | None = None,
        words: str | None = None,
        *,
        fresh: bool = False,
    ) -> list[ModelCard]:
        """Return the cards of one task, or all, that have all words in name, summary or tags.

        With `fresh`, those that are there now, and not a moment ago.
        """
        sight = await (self.lookout.look() if fresh else self.lookout.last())
        wanted = (words or "").lower().split()
        cards = [package.card for package in self._visible(caller, sight.packages)]
        return [
            card
            for card in cards
            if task in (None, card.task) and all(word in _text(card) for word in wanted)
        ]

    async def card(self, caller: Principal, model: str, version: str | None = None) -> ModelCard:
        """Return one card, without a version the newest, or raise `NotFound`."""
        return (await self._package(caller, model, version)).card

    async def card_now(
        self, caller: Principal, model: str, version: str | None = None
    ) -> ModelCard:
        """Return one card as it is at this moment; raises as `card` does."""
        sight = await self.lookout.look()
        return choose(self._visible(caller, sight.packages), model, version).card

    async def fixed_card(self, model: str, version: str) -> ModelCard:
        """Return the card for a run that was allowed when it was created, or raise `NotFound`."""
        sight = await self.lookout.look()
        return choose(sight.packages, model, version).card

    async def with_speeds(self, cards: Sequence[ModelCard]) -> list[ModelCard]:
        """Return the cards with what is known of the models' speeds here: what users are told."""
        known = (await self.lookout.last()).seconds_per_voxel
        return [_with_speed(card, known.get((card.id, card.version))) for card in cards]

    async def picture(self, caller: Principal, model: str, version: str, name: str) -> bytes:
        """Return the thumbnail that a card names, or raise `NotFound`."""
        package = await self._package(caller, model, version)
        path = package.folder / package.card.thumbnail
        if not name or name != package.card.thumbnail or not path.is_file():
            raise NotFound("The model has no such picture.")
        return await in_thread(self.lookout.threads, path.read_bytes)

    async def _package(self, caller: Principal, model: str, version: str | None) -> Package:
        """Return a package; one that is not known yet may have come this moment."""
        sight = await self.lookout.last()
        try:
            return choose(self._visible(caller, sight.packages), model, version)
        except NotFound:
            sight = await self.lookout.look()
            return choose(self._visible(caller, sight.packages), model, version)

    def _visible(self, caller: Principal, packages: Sequence[Package]) -> list[Package]:
        return [package for package in packages if self.rules.admits(caller, package.card)]


def _with_speed(card: ModelCard, seconds_per_voxel: float | None) -> ModelCard:
    if not seconds_per_voxel:
        return card
    defaults, _ = resolve_parameters(card.parameters, {})
    rate = 1 / (seconds_per_voxel * work_share(card.tile, defaults))
    return card.model_copy(update={"voxels_per_s_here": rate})


def _text(card: ModelCard) -> str:
    return " ".join((card.id, card.name, card.summary, *card.tags)).lower()
