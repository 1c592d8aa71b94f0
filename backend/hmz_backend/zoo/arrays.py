"""Arrays of a package: read without ever unpickling anything."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from napari_hmz.errors import PackageInvalid, PickleRefused

MAGIC = b"\x93NUMPY"


def check_array(path: Path) -> None:
    """Look at the header of a `.npy` file only.

    Raises
    ------
    PickleRefused
        If it holds Python objects, or is a pickle by itself.
    PackageInvalid
        If it is no array at all.
    """
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
        if start != MAGIC:
            raise _not_an_array(path, start)
        file.seek(0)
        try:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            _, _, dtype = read(file)
        except ValueError as error:
            raise PackageInvalid(f"{path.name} has no readable array header: {error}.") from error
    if dtype.hasobject:
        raise PickleRefused(f"{path.name} holds pickled Python objects.")


def _not_an_array(path: Path, start: bytes) -> PickleRefused | PackageInvalid:
    if start[:1] == b"\x80":  # the first byte of every pickle since protocol 2
        return PickleRefused(f"{path.name} is a pickle, not an array.")
    return PackageInvalid(f"{path.name} is not an array in numpy's .npy format.")


def read_array(path: Path) -> NDArray[Any]:
    """Return the array of a `.npy` file.

    Raises
    ------
    PickleRefused
        If it holds Python objects.
    PackageInvalid
        If it is no array, or shorter than its header says.
    """
    check_array(path)
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, OSError) as error:
        raise PackageInvalid(f"{path.name} cannot be read: {error}.") from error
    return array
