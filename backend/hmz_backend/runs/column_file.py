"""A growing row of numbers in a file: memory is the system's, to keep or to drop."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stores.atomic import append_whole


@dataclass
class FileColumn:
    """A `Column` in a file; what an earlier life has left there is replaced.

    Numbers are appended by writing, so that a full disk is an error and no crash; what is there is
    changed through a map of the file.

    Parameters
    ----------
    path
        The file.
    """

    path: Path
    _mapped: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _count: int = 0

    def __post_init__(self) -> None:
        """Begin with an empty file: a new one, as a stalled process may have mapped the old one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.write_bytes(b"")

    def extend(self, numbers: NDArray[np.int64]) -> None:
        """Put numbers behind those that are there.

        Raises
        ------
        DiskFull
            If there is no space.
        """
        append_whole(self.path, np.ascontiguousarray(numbers, np.int64).tobytes())
        self._count += len(numbers)

    @property
    def array(self) -> NDArray[np.int64]:
        """All numbers, to be read and changed in place."""
        if len(self._mapped) != self._count:
            self._mapped = np.memmap(self.path, np.int64, "r+", shape=(self._count,))
        return self._mapped
