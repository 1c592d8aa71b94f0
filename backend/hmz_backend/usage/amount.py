"""How much of the backend somebody has had, and on whose account."""

from dataclasses import dataclass
from typing import Self

from hmz_backend.identity.protocol import Principal

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Amount:
    """What was used; whole numbers, so that sums are exact in any order.

    Parameters
    ----------
    tiles
        How many were computed, or known without computing.
    voxels
        What they cover, without halos.
    engine_us
        Microseconds of one instance of the engine.
    bytes_up, bytes_down
        Pixels that were sent to the backend and fetched from it, as they travel.
    """

    tiles: int = 0
    voxels: int = 0
    engine_us: int = 0
    bytes_up: int = 0
    bytes_down: int = 0

    @property
    def engine_s(self) -> float:
        """Seconds of one instance of the engine."""
        return self.engine_us / MICROSECONDS

    def __add__(self, other: "Amount") -> "Amount":
        """Return both together."""
        return Amount(
            self.tiles + other.tiles,
            self.voxels + other.voxels,
            self.engine_us + other.engine_us,
            self.bytes_up + other.bytes_up,
            self.bytes_down + other.bytes_down,
        )


@dataclass(frozen=True, slots=True)
class Account:
    """Whose use it is, and of what.

    Parameters
    ----------
    issuer, subject
        The person.
    groups
        Those that the person had then, canonical.
    model, version
        Both empty for what belongs to no model: an image is sent once for all of them.
    """

    issuer: str
    subject: str
    groups: frozenset[str]
    model: str = ""
    version: str = ""

    @classmethod
    def of(cls, person: Principal, model: str = "", version: str = "") -> Self:
        """Return the account of a caller."""
        return cls(person.issuer, person.subject, person.groups, model, version)
