"""Data types of images: which can be read at all, and which widen without loss."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_hmz.errors import DtypeUnsuitable
from napari_hmz.schema.codecs import DTYPES


def check_readable(dtype: "np.dtype[Any]") -> None:
    """Refuse what is not a plain number.

    Raises
    ------
    DtypeUnsuitable
        For objects, records, text, dates, complex and unusual floating-point types.
    """
    if dtype.newbyteorder("=").name not in DTYPES or dtype.hasobject or dtype.names:
        raise DtypeUnsuitable(f"An image of data type {dtype} cannot be sent.")


def widened(dtype: "np.dtype[Any]", accepted: Sequence[str] | None) -> "np.dtype[Any]":
    """Return `dtype`, or the smallest of `accepted` that holds each of its values.

    Raises
    ------
    DtypeUnsuitable
        If none does.
    """
    native = dtype.newbyteorder("=")
    check_readable(native)
    if not accepted or native.name in accepted:
        return native
    able = [np.dtype(name) for name in accepted if np.can_cast(native, np.dtype(name), "safe")]
    if not able:
        raise DtypeUnsuitable(
            f"{native.name} does not fit into {' or '.join(accepted)} without loss."
        )
    return min(able, key=lambda candidate: (candidate.itemsize, candidate.kind != native.kind))
