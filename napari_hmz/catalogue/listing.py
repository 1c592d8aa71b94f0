"""The catalogue: the newest version of every model, searched as a person types."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from napari_hmz.catalogue.facets import Facets, facets_of
from napari_hmz.catalogue.fit import ImageDescription, misfit, size_misfit
from napari_hmz.catalogue.modality import modalities
from napari_hmz.schema import ModelCard


@dataclass(frozen=True, slots=True)
class Query:
    """What a person looks for; what is empty or None does not matter."""

    words: str = ""
    """All of them must stand somewhere in name, texts, tags, task, authors or modality."""
    task: str | None = None
    dimensions: int | None = None
    modality: str | None = None
    measured: bool = False
    """Only models whose quality was measured."""
    fitting: bool = False
    """Only models that the layer can feed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model as the catalogue lists it."""

    card: ModelCard
    misfit: str = ""
    """Why the layer does not suit it; empty: it does, or there is no layer."""


@dataclass(frozen=True, slots=True)
class _Indexed:
    """A card with what is looked for in it, made once."""

    card: ModelCard
    text: str
    name: str
    modalities: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """The models of one backend, to be searched.

    Parameters
    ----------
    cards
        All of them; of the versions of one model the first is the newest.
    """

    cards: tuple[ModelCard, ...] = ()
    _indexed: tuple[_Indexed, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        newest = sorted(_newest(self.cards), key=lambda card: (card.name.lower(), card.id))
        object.__setattr__(self, "_indexed", tuple(map(_index, newest)))

    def facets(self) -> Facets:
        """Return what is worth asking for."""
        return facets_of(indexed.card for indexed in self._indexed)

    def versions(self, model: str) -> tuple[ModelCard, ...]:
        """Return the cards of all versions of a model, the newest first."""
        return tuple(card for card in self.cards if card.id == model)

    def find(self, query: Query, image: ImageDescription | None = None) -> tuple[Entry, ...]:
        """Return what a query finds: what suits the image first, by name; hits in names lead.

        Parameters
        ----------
        query
            What is looked for.
        image
            The layer that is to be run on; without one, everything suits.
        """
        words = query.words.lower().split()
        found = [item for item in self._indexed if _matches(item, query, words)]
        entries = [(item, Entry(item.card, _why_not(item.card, image))) for item in found]
        entries.sort(key=lambda pair: (bool(pair[1].misfit), _distance(pair[0], words)))
        return tuple(entry for _, entry in entries if not (query.fitting and entry.misfit))


def _newest(cards: Iterable[ModelCard]) -> Iterable[ModelCard]:
    found: dict[str, ModelCard] = {}
    for card in cards:
        found.setdefault(card.id, card)
    return found.values()


def _index(card: ModelCard) -> _Indexed:
    kinds = modalities(card.tags)
    authors = (f"{author.name} {author.affiliation}" for author in card.authors)
    texts = (
        card.id, card.name, card.summary, card.task, card.task.replace("-", " "),
        f"{card.dimensions}d {card.dimensions}-d", card.training_data, *card.tags, *kinds, *authors,
    )  # fmt: skip # a list of words
    return _Indexed(card, "\n".join(texts).lower(), card.name.lower(), kinds)


def _matches(item: _Indexed, query: Query, words: list[str]) -> bool:
    card = item.card
    return (
        query.task in (None, card.task)
        and query.dimensions in (None, card.dimensions)
        and (query.modality is None or query.modality in item.modalities)
        and (bool(card.quality) or not query.measured)
        and all(word in item.text for word in words)
    )


def _distance(item: _Indexed, words: list[str]) -> int:
    """Return how far from its name the words of a query are found."""
    if item.name.startswith(" ".join(words)):
        return 0
    return 1 if all(word in item.name for word in words) else 2


def _why_not(card: ModelCard, image: ImageDescription | None) -> str:
    if image is None:
        return ""
    whys = [misfit(spec, image) or size_misfit(spec, image) for spec in card.inputs]
    return "" if "" in whys else whys[0]  # the others may be fed by other layers
