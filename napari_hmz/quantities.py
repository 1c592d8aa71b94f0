"""Numbers as people read them."""

from collections.abc import Mapping

from napari_hmz.schema import AxisName

_MINUTE_S = 60
_SHORT_S = 0.1
_EXACT_S = 10  # from here on, a tenth of a second says nothing
_MANY_H = 48


def size_text(size_bytes: float) -> str:
    """Return bytes with a binary prefix."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size_bytes) < 1024:  # noqa: PLR2004 # what a binary prefix stands for
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"


def count_text(count: float) -> str:
    """Return a count with a decimal prefix."""
    for unit in ("", " k", " M", " G"):
        if abs(count) < 1000:  # noqa: PLR2004 # what a decimal prefix stands for
            return f"{count:.0f}" if not unit else f"{count:.1f}{unit}"
        count /= 1000
    return f"{count:.1f} T"


def time_text(seconds: float | None) -> str:
    """Return a duration in the largest unit that says enough."""
    if seconds is None:
        return "unknown"
    if seconds < _SHORT_S:
        return f"under {_SHORT_S} s"
    if round(seconds) < _MINUTE_S:
        return f"{seconds:.1f} s" if seconds < _EXACT_S else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    hours, minutes = divmod(minutes, 60)
    if hours >= _MANY_H:
        return f"{hours // 24} days {hours % 24} h"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def sizes_text(sizes: Mapping[AxisName, int]) -> str:
    """Return extents with their axes."""
    return ", ".join(f"{axis} {extent}" for axis, extent in sizes.items())
