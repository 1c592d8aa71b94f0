"""Where a number can stand: bounds, step, decimals, and its place on a slider."""

import math
from dataclasses import dataclass
from decimal import Decimal

from napari_hmz.schema import ParameterSpec

MOST_DECIMALS = 12
"""A double holds no more that a person could want to set."""
OPEN_END = 1e9
"""The end of a spin box where the card sets none."""
LARGEST = 1e15
"""Beyond it a double no longer holds every whole number: such figures are typed as text."""


@dataclass(frozen=True, slots=True)
class NumberLine:
    """The numbers that a field can take, and how finely they are shown.

    Parameters
    ----------
    low, high
        The ends of a spin box; where the card sets none, far enough to hold the default.
    bounded
        Whether the card sets both ends, so that a slider makes sense.
    logarithmic
        Whether equal ways on the slider are equal factors.
    step
        What one press of an arrow changes.
    snap
        The grid that values lie on, from `low`; none if any value will do.
    decimals
        Digits after the point that are shown and kept.
    """

    low: float
    high: float
    bounded: bool
    logarithmic: bool
    step: float
    snap: float | None
    decimals: int

    def clamp(self, value: float) -> float:
        """Return the nearest number on the line; `low` for one that is not finite."""
        return min(max(value, self.low), self.high) if math.isfinite(value) else self.low

    def place(self, value: float) -> float:
        """Return where `value` stands on a slider, from 0 to 1."""
        value = self.clamp(value)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value_at(self, place: float) -> float:
        """Return the value at a place from 0 to 1, on the grid and with the decimals shown."""
        if self.logarithmic:
            value = self.low * (self.high / self.low) ** place
        else:
            value = self.low + place * (self.high - self.low)
        if self.snap:
            value = self.low + round((value - self.low) / self.snap) * self.snap
        return self.clamp(round(value, self.decimals))


def number_line(spec: ParameterSpec, default: float | None = None) -> NumberLine:
    """Return the number line of a numeric parameter; never fails, whatever the card says."""
    low, high = _ends(spec, default)
    bounded = _bounded(spec)
    logarithmic = spec.scale == "log" and bounded and low >= 10.0**-MOST_DECIMALS
    whole = spec.type == "integer"
    finest = _finest(spec, default, low=low, high=high, logarithmic=logarithmic)
    decimals = 0 if whole else _decimals(finest, _grid(spec), spec.minimum, spec.maximum, default)
    grid = _grid(spec)
    step = grid or (1.0 if whole else max(10.0**-decimals, 10 * finest))
    snap = grid or (1.0 if whole else None)
    return NumberLine(low, high, bounded, logarithmic, step, snap, decimals)


def _bounded(spec: ParameterSpec) -> bool:
    low, high = _stated(spec)
    return low is not None and high is not None and low < high


def _stated(spec: ParameterSpec) -> tuple[float | None, float | None]:
    """Return the ends that the card sets and a spin box can hold; whole ones for whole numbers."""
    low = next(iter(_usable(spec.minimum)), None)
    high = next(iter(_usable(spec.maximum)), None)
    if spec.type == "integer":
        low = None if low is None else float(math.ceil(low))
        high = None if high is None else float(math.floor(high))
    return low, high


def _ends(spec: ParameterSpec, default: float | None) -> tuple[float, float]:
    """Return the ends of a spin box: the card's, else far out; far enough for the default."""
    named = _usable(default, spec.minimum, spec.maximum)
    far = max([OPEN_END, *(1000 * abs(x) for x in named)])
    stated = _stated(spec)
    low = -far if stated[0] is None else stated[0]
    high = far if stated[1] is None else stated[1]
    return (low, high) if low < high else (-far, far)


def _finest(
    spec: ParameterSpec, default: float | None, *, low: float, high: float, logarithmic: bool
) -> float:
    """Return the smallest change that matters: a power of ten."""
    if grid := _grid(spec):
        size = grid
    elif logarithmic:
        size = low / 10
    elif _bounded(spec):
        size = (high - low) / 1000
    else:
        size = abs(next(iter(_usable(default)), 0.0)) / 100 or 0.01
    exponent = math.floor(math.log10(max(size, 10.0**-MOST_DECIMALS)) + 1e-9)
    return float(10.0**exponent)


def _grid(spec: ParameterSpec) -> float | None:
    """Return the card's step if it can be shown."""
    step = spec.step
    return step if step and 10.0**-MOST_DECIMALS <= step <= LARGEST else None


def _decimals(finest: float, *numbers: float | None) -> int:
    """Return how many digits after the point show `finest` and each of the numbers exactly."""
    wanted = [-math.floor(math.log10(finest) + 1e-9)]
    wanted += [-int(Decimal(repr(x)).normalize().as_tuple().exponent) for x in _usable(*numbers)]
    return min(max(0, *wanted), MOST_DECIMALS)


def _usable(*numbers: float | None) -> list[float]:
    """Return the numbers that a spin box can hold; not-a-number and infinity are not among them."""
    return [float(x) for x in numbers if x is not None and abs(x) <= LARGEST]
