"""Which volumes each person holds: what one person's staged chunks take is bounded together."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from hmz_backend.shares.turn import NOBODY, Holder


@dataclass
class Holdings:
    """Knows whose each volume is.

    Parameters
    ----------
    most_bytes
        What the chunks of one person may take; 0: no limit beside that of all.
    """

    most_bytes: int = 0
    _holders: dict[str, Holder] = field(default_factory=dict)
    _volumes: "defaultdict[Holder, set[str]]" = field(default_factory=lambda: defaultdict(set))

    def add(self, volume: str, holder: Holder) -> None:
        """Note whose a volume is."""
        self._holders[volume] = holder
        self._volumes[holder].add(volume)

    def holder(self, volume: str) -> Holder:
        """Return whose a volume is."""
        return self._holders.get(volume, NOBODY.holder)

    def beside(self, volume: str) -> Set[str]:
        """Return the volumes of the same person, this one among them."""
        holder = self._holders.get(volume)
        return {volume} if holder is None else self._volumes[holder]

    def left_bytes(self, volume: str, taken: Mapping[str, int]) -> float:
        """Return what is left for a volume of its person's part, if their volumes take so much."""
        if not self.most_bytes:
            return float("inf")
        return self.most_bytes - sum(taken.get(name, 0) for name in self.beside(volume))
