"""Which channel of which image feeds each channel of a model: offered, proposed, carried out."""

from collections.abc import Sequence
from dataclasses import dataclass

from napari_hmz.schema import Axes, InputSpec, sizes_of


@dataclass(frozen=True, slots=True)
class Feeder:
    """An image that may feed a model, or one of its channels.

    Parameters
    ----------
    name
        What a person calls it.
    shape, axes
        Its extents and what they are.
    dtype
        numpy's name of its data type.
    """

    name: str
    shape: tuple[int, ...]
    axes: Axes
    dtype: str

    @property
    def channels(self) -> int | None:
        """How many channels it has; None without such an axis."""
        return self.shape[self.axes.index("c")] if "c" in self.axes else None

    def stands_beside(self, other: "Feeder") -> bool:
        """Return whether the two could be channels of one image: all but `c` is the same."""
        return self._place() == other._place() and self.dtype == other.dtype

    def _place(self) -> tuple[tuple[str, int], ...]:
        sizes = sizes_of(self.axes, self.shape)
        return tuple((axis, size) for axis, size in sizes.items() if axis != "c")


@dataclass(frozen=True, slots=True)
class Pick:
    """One channel: of which image, counted as they were offered, and which of it.

    Parameters
    ----------
    channel
        None: the image has no such axis, and is the channel.
    """

    image: int
    channel: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Feed:
    """How picks are carried out.

    Parameters
    ----------
    channels
        The channels of the first image to take, as a run's option; empty: as they come.
    stack
        The channels to stack into one image; empty: the first image as it is.
    """

    channels: tuple[int, ...] = ()
    stack: tuple[Pick, ...] = ()


def wanted_channels(spec: InputSpec) -> tuple[str, ...]:
    """Return the names of the channels that a model wants to be told apart."""
    return spec.channels if "c" in spec.axes and len(spec.channels) > 1 else ()


def offered(images: Sequence[Feeder]) -> tuple[Pick, ...]:
    """Return the channels that can be picked: those of the first image, and of what matches it."""
    found: list[Pick] = []
    for number, image in enumerate(images):
        if number and not image.stands_beside(images[0]):
            continue
        if image.channels is None:
            found.append(Pick(number, None, image.name))
        else:
            found += [
                Pick(number, at, f"{image.name}, channel {at + 1}") for at in range(image.channels)
            ]
    return tuple(found)


def proposed(spec: InputSpec, offers: Sequence[Pick]) -> tuple[Pick, ...]:
    """Return a pick for each channel of the model: by name, else in order, none of them twice.

    Empty if there is too little to pick from.
    """
    wanted = wanted_channels(spec)
    if len(offers) < len(wanted):
        return ()
    named = [_named(name, offers) for name in wanted]
    left = [offer for offer in offers if offer not in named]
    picks: list[Pick] = []
    for found in named:
        picks.append(found if found is not None and found not in picks else left.pop(0))
    return tuple(picks)


def feed(images: Sequence[Feeder], picks: Sequence[Pick]) -> Feed:
    """Return how picks reach the model: as channels of the first image, or stacked."""
    if any(pick.image != 0 or pick.channel is None for pick in picks):
        return Feed(stack=tuple(picks))
    channels = tuple(pick.channel for pick in picks if pick.channel is not None)
    as_they_come = channels == tuple(range(images[0].channels or 0)) if images else True
    return Feed(channels=() if as_they_come else channels)


def _named(name: str, offers: Sequence[Pick]) -> Pick | None:
    """Return the only image whose name has the channel's name in it."""
    found = [
        offer
        for offer in offers
        if offer.channel is None and name.strip().lower() in offer.words.lower()
    ]
    return found[0] if len(found) == 1 and name.strip() else None
