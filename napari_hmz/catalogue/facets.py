"""What models can be sorted out by: task, dimensions, modality, and whether they were measured."""

from collections.abc import Iterable
from dataclasses import dataclass

from napari_hmz.catalogue.modality import MODALITIES, modalities
from napari_hmz.schema import ModelCard


@dataclass(frozen=True, slots=True)
class Facets:
    """The values that each facet takes among some models, in the order that they are offered."""

    tasks: tuple[str, ...] = ()
    dimensions: tuple[int, ...] = ()
    modalities: tuple[str, ...] = ()


def facets_of(cards: Iterable[ModelCard]) -> Facets:
    """Return what is worth asking for among these cards."""
    listed = list(cards)
    named = {modality for card in listed for modality in modalities(card.tags)}
    return Facets(
        tasks=tuple(sorted({card.task for card in listed})),
        dimensions=tuple(sorted({card.dimensions for card in listed})),
        modalities=tuple(modality for modality in MODALITIES if modality in named),
    )
