"""A turn: what asks for a place, for whom, and what it weighs."""

from dataclasses import dataclass

from napari_hmz.schema import Urgency

Holder = tuple[str, str]
"""Issuer and subject of a principal."""
ANONYMOUS = "anonymous"
"""The issuer of those whom nobody has signed in."""


def holder_of(issuer: str, subject: str) -> Holder:
    """Return who holds what is a principal's: all who are not signed in are one holder.

    They make up their names themselves, and could be as many as they like.
    """
    return (issuer, "" if issuer == ANONYMOUS else subject)


@dataclass(frozen=True, slots=True)
class Share:
    """Whose part of the capacity something is taken from.

    Parameters
    ----------
    holder
        The principal.
    weight
        How much of the capacity the holder gets, beside the others' weights.
    urgency
        Whether somebody watches: that goes first, up to a cap.
    """

    holder: Holder = ("", "")
    weight: float = 1.0
    urgency: Urgency = "batch"


NOBODY = Share()
"""Who has everything alone."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One tile's claim to a place.

    Parameters
    ----------
    share
        Whose part it is taken from.
    order
        Among the turns of one share; lower goes first, then who came first.
    voxels
        What it takes of the capacity.
    """

    share: Share = NOBODY
    order: tuple[int, ...] = (0,)
    voxels: int = 1


ALONE = Turn()
"""A turn where nothing is shared."""
