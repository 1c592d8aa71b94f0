"""The fill value of an array's document: a number, or one of zarr's words for one."""

import re
import sys
from typing import Final

_WORDS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_BITS: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")
_LARGEST: Final = {"float16": 65504.0, "float32": 3.4028234663852886e38}


def fill_fault(value: object, dtype: str) -> str | None:
    """Say why a fill value is none of this data type; none if it is one."""
    if value is None or (isinstance(value, bool) and dtype == "bool"):
        return None
    fits = _is_word(value, dtype) if isinstance(value, str) else _is_number(value, dtype)
    return None if fits else f"the fill value is no {dtype}"


def _is_word(value: str, dtype: str) -> bool:
    if not dtype.startswith("float"):
        return False
    bits = int(dtype.removeprefix("float"))
    is_bits = _BITS.fullmatch(value) is not None and int(value, 16) < 2**bits
    return value in _WORDS or is_bits


def _is_number(value: object, dtype: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if dtype.startswith("float"):
        most = _LARGEST.get(dtype, sys.float_info.max)
        return -most <= value <= most or isinstance(value, float)  # infinities and NaN are floats
    if dtype == "bool":
        return value in (0, 1)
    bits = int(dtype.lstrip("uint"))
    lowest = -(2 ** (bits - 1)) if dtype.startswith("int") else 0
    return lowest <= value < lowest + 2**bits and value == int(value)
