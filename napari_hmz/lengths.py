"""Units of length, as OME-Zarr names them, in micrometres."""

from collections.abc import Mapping
from types import MappingProxyType

UM_PER_UNIT: Mapping[str, float] = MappingProxyType(
    {
        "angstrom": 1e-4,
        "picometer": 1e-6,
        "nanometer": 1e-3,
        "micrometer": 1.0,
        "millimeter": 1e3,
        "centimeter": 1e4,
        "decimeter": 1e5,
        "meter": 1e6,
        "kilometer": 1e9,
        "inch": 25400.0,
        "foot": 304800.0,
        "yard": 914400.0,
        "mile": 1609344000.0,
        "pm": 1e-6,
        "nm": 1e-3,
        "um": 1.0,
        "µm": 1.0,  # the micro sign
        "μm": 1.0,  # the Greek letter: both are written in files
        "micron": 1.0,
        "mm": 1e3,
        "cm": 1e4,
        "m": 1e6,
    }
)


def in_micrometres(length: float, unit: str) -> float | None:
    """Return a length in micrometres, or None if `unit` is not one of length (or not known)."""
    factor = UM_PER_UNIT.get(unit.strip()) or UM_PER_UNIT.get(unit.strip().lower())
    return None if factor is None else length * factor
