"""How much of the capacity a principal gets beside the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hmz_backend.identity.protocol import Principal
from hmz_backend.shares.turn import Share, holder_of
from napari_hmz.schema import Urgency


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of virtual organisations.

    Parameters
    ----------
    by_group
        The weight of each member of a group, by its canonical name; everybody else has 1.
    anonymous
        The weight of all together whom nobody has signed in.
    """

    by_group: Mapping[str, float] = field(default_factory=dict)
    anonymous: float = 0.25

    def share(self, owner: Principal, urgency: Urgency = "batch") -> Share:
        """Return the share of a principal: the largest weight of their groups counts."""
        found = [self.by_group[group] for group in owner.groups if group in self.by_group]
        weight = max(found, default=1.0) if owner.roles else self.anonymous
        return Share(holder_of(owner.issuer, owner.subject), weight, urgency)
