"""Which chunks of an output are final: a file beside them, one line each.

A line is added once its chunk is written. A line that a crash has cut is not read, and its chunk is
fetched again. Neither chunks nor lines wait for the disk; so after a loss of power a line may be
there and its chunk torn: what another process has noted holds only if the file agrees. In memory a
chunk takes nine bytes, for an output may have millions. Called from the threads that write chunks.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xxhash

from napari_hmz.results.coarsening import Place
from napari_hmz.results.disk import writing

_CHANGES = "-"  # in place of a digest: the chunk is about to be written anew


class Journal:
    """The final chunks of one output of a run, by place and digest.

    Parameters
    ----------
    path
        The file.
    grid
        How many chunks the output has along each stored axis.
    """

    def __init__(self, path: Path, grid: Place) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._marks = np.zeros(grid, np.uint64)
        self._own = np.zeros(grid, bool)
        for place, digest in _lines(path, len(grid)):
            if all(number < count for number, count in zip(place, grid, strict=True)):
                self._marks[place] = _mark(digest)

    def holds(self, place: Place, digest: str) -> bool:
        """Tell whether this chunk has been written with this content."""
        return bool(digest) and int(self._marks[place]) == _mark(digest)

    def note(self, place: Place, digest: str) -> None:
        """Remember that this chunk has been written with this content.

        Raises
        ------
        DiskFull
            If there is no space for the line.
        """
        line = f"{digest} {'/'.join(map(str, place))}\n"
        with self._guard:
            with writing(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(line)
            self._marks[place], self._own[place] = _mark(digest), True

    def is_own(self, place: Place) -> bool:
        """Tell whether this process has written the chunk."""
        return bool(self._own[place])

    def forget(self, place: Place) -> bool:
        """Remember that this chunk is about to change; return whether it had been noted."""
        if not self._marks[place]:
            return False
        self.note(place, _CHANGES)
        return True

    def remove(self) -> None:
        """Remove the file: the run has ended and all is written."""
        with self._guard:
            self._path.unlink(missing_ok=True)


def _mark(digest: str) -> int:
    """Return eight bytes that stand for a digest; never 0, which stands for none."""
    return xxhash.xxh3_64_intdigest(digest.encode()) or 1


def _lines(path: Path, axes: int) -> Iterator[tuple[Place, str]]:
    """Yield the place and digest of every whole line."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            digest, _, name = line.rstrip("\n").partition(" ")
            numbers = name.split("/")
            if line.endswith("\n") and len(numbers) == axes and all(map(str.isdecimal, numbers)):
                yield tuple(map(int, numbers)), digest
