"""One streamed volume in the staging area: its grid, its decoder, and which chunks are there."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stores.atomic import is_leftover, write_whole
from hmz_backend.stores.grid import ChunkGrid, Index
from napari_hmz.decoding import ChunkDecoder
from napari_hmz.errors import NotFound
from napari_hmz.schema import Region, VolumeRequest

MISSING, HELD, ABSENT = 0, 1, 2


@dataclass
class StagedVolume:
    """What is known of one volume's chunks.

    Parameters
    ----------
    folder
        The volume's folder.
    grid, decoder
        Its chunks: where they lie, and how they are read.
    marks
        MISSING, HELD or ABSENT for each chunk, in the shape of the grid, uint8.
    bytes_held
        What the held chunks take on disk.
    """

    folder: Path
    grid: ChunkGrid
    decoder: ChunkDecoder
    marks: NDArray[np.uint8]
    bytes_held: int = 0

    @classmethod
    def scan(cls, folder: Path, request: VolumeRequest) -> Self:
        """Look which chunks are there."""
        grid = ChunkGrid.of(request)
        marks = np.zeros(grid.counts, np.uint8)
        staged = cls(folder, grid, ChunkDecoder.of(request), marks)
        staged._find_absent()
        staged._find_held()
        return staged

    def path(self, key: str) -> Path:
        """Return where a chunk is stored; the key must be one of the grid's."""
        return self.folder / "array" / key

    def mark(self, index: Index, mark: int, more_bytes: int) -> None:
        """Note what has become of a chunk."""
        self.marks[index] = mark
        self.bytes_held += more_bytes

    def is_missing(self, index: Index) -> bool:
        """Return whether a chunk has neither been sent nor said to be fill value."""
        return bool(self.marks[index] == MISSING)

    def count(self, region: Region) -> tuple[int, int]:
        """Return how many chunks `region` needs, and how many of them are there."""
        window = self.marks[tuple(slice(r.start, r.stop) for r in self.grid.ranges(region))]
        return window.size, int(np.count_nonzero(window))

    def save_absent(self) -> None:
        """Write which chunks are fill value."""
        indices = np.argwhere(self.marks == ABSENT).tolist()
        keys = [self.grid.key(tuple(index)) for index in indices]
        write_whole(self.folder / "absent.json", json.dumps(keys).encode())

    def _find_absent(self) -> None:
        try:
            keys = json.loads((self.folder / "absent.json").read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            return  # never written, or torn by a loss of power: the client says it again
        for key in keys:
            self.marks[self.grid.index(key)] = ABSENT

    def _find_held(self) -> None:
        root = self.folder / "array"
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                if is_leftover(name):
                    path.unlink(missing_ok=True)
                    continue
                try:
                    index = self.grid.index(path.relative_to(root).as_posix())
                except NotFound:
                    continue  # the array's document
                self.mark(index, HELD, path.stat().st_size)
