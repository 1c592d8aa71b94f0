"""How often one holder may ask: a rate in the long run, and some at once.

The generic cell rate algorithm (ITU-T I.371, annex A), as a leaky bucket that keeps one moment per
holder, the theoretical time of arrival:

```
wait = max(0, due - allowance - now)        due: when the last request would have come at the rate
due  = max(due, now) + 1 / per_s
```
"""

from dataclasses import dataclass, field

from hmz_backend.shares.turn import Holder

ALLOWANCE_S = 2.0  # what comes at once after a pause: a viewer asks for a hundred chunks together
KEPT = 1000  # holders that are remembered before those who are quiet are forgotten


@dataclass
class Rate:
    """Counts requests.

    Parameters
    ----------
    per_s
        How many one holder may make in the long run; 0: no limit.
    allowance_s
        For how much time of that they may come at once.
    """

    per_s: float
    allowance_s: float = ALLOWANCE_S
    _due_s: dict[Holder, float] = field(default_factory=dict)

    def wait_s(self, holder: Holder, now_s: float) -> float:
        """Return how long a request that comes now has to wait."""
        return max(0.0, self._due_s.get(holder, 0.0) - self.allowance_s - now_s)

    def count(self, holder: Holder, now_s: float) -> None:
        """Count a request that came now."""
        if not self.per_s:
            return
        self._due_s[holder] = max(self._due_s.get(holder, 0.0), now_s) + 1 / self.per_s
        if len(self._due_s) > KEPT:
            self._due_s = {name: due for name, due in self._due_s.items() if due > now_s}
