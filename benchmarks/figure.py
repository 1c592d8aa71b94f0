"""A figure and its bar: what a benchmark prints."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure beside the bar that the design sets.

    Parameters
    ----------
    what
        What was measured, in words.
    value
        The figure: a ratio or a count, never bare seconds.
    bar
        Where the bar lies.
    side
        Whether the figure should lie `above` or `below` the bar (or on it).
    note
        How the figure came about: the parts of a ratio, sizes, settings.
    """

    what: str
    value: float
    bar: float
    side: Literal["above", "below"]
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bar is kept."""
        return self.value >= self.bar if self.side == "above" else self.value <= self.bar

    def __str__(self) -> str:
        """Return one line for a terminal."""
        sign = "≥" if self.side == "above" else "≤"
        mark = "holds" if self.holds else "MISSED"
        return (
            f"{self.what}: {self.value:.3g} (bar {sign} {self.bar:g}, {mark}) {self.note}".strip()
        )
