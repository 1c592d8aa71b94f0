"""One streamed volume in the staging area: its grid, its decoder, and which chunks are there."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stores.arrival_log import ARRIVAL_FILE, ArrivalLog, body_digest
from hmz_backend.stores.atomic import append_whole, is_leftover
from hmz_backend.stores.grid import ChunkGrid, Index
from napari_hmz.decoding import ChunkDecoder
from napari_hmz.errors import ChunkCorrupt, DigestMismatch, NotFound
from napari_hmz.schema import Region, VolumeRequest
from napari_hmz.schema.digest import digest_fits

MISSING, HELD, ABSENT = 0, 1, 2
ABSENT_FILE = "absent.bin"
_PLACE = np.dtype("<u8")  # a chunk's place in raster order, counted from 1


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
    arrivals
        What the chunks were when they came.
    bytes_held
        What the held chunks take on disk.
    held, absent
        How many chunks have that mark.
    """

    folder: Path
    grid: ChunkGrid
    decoder: ChunkDecoder
    marks: NDArray[np.uint8]
    arrivals: ArrivalLog
    bytes_held: int = 0
    held: int = 0
    absent: int = 0

    @classmethod
    def scan(cls, folder: Path, request: VolumeRequest) -> Self:
        """Look which chunks are there."""
        grid = ChunkGrid.of(request)
        marks = np.zeros(grid.counts, np.uint8)
        arrivals = ArrivalLog.read(folder / ARRIVAL_FILE, grid.total)
        staged = cls(folder, grid, ChunkDecoder.of(request), marks, arrivals)
        staged._find_absent()
        staged._find_held()
        return staged

    @property
    def bound_bytes(self) -> int:
        """What the volume can come to take: what it holds, and every missing chunk."""
        return self.bytes_held + (self.grid.total - self.held - self.absent) * self.chunk_bytes

    @property
    def chunk_bytes(self) -> int:
        """The most that a chunk takes: what does not compress comes out a little longer."""
        size = self.decoder.size
        return size + size // 200 + 64

    def path(self, key: str) -> Path:
        """Return where a chunk is stored; the key must be one of the grid's."""
        return self.folder / "array" / key

    def read(self, index: Index) -> NDArray[Any]:
        """Return a chunk, decoded.

        Raises
        ------
        FileNotFoundError, ChunkCorrupt, ChunkTooLarge
            If it is not what came.
        """
        place = self._place(index)
        told = int(
            self.arrivals.unproven[place]
        )  # before the file: that may be sent anew meanwhile
        body = self.path(self.grid.key(index)).read_bytes()
        if told:
            if body_digest(body) != told:
                raise ChunkCorrupt("The chunk is not what came.")
            self.arrivals.unproven[place] = 0
        return self.decoder.decode(body)

    def note(self, index: Index, digest: int) -> None:
        """Note, on disk, what a chunk is that has been stored; raises as `ArrivalLog.note`."""
        self.arrivals.note(self._place(index), digest)

    def decoded(self, body: bytes, digest: str | None) -> NDArray[Any]:
        """Return the voxels of a chunk that has come, with the digest that came with it if any.

        Raises
        ------
        DigestMismatch, ChunkCorrupt, ChunkTooLarge
            If it is not what was sent, or no chunk of this volume.
        """
        if not digest_fits(digest, body):
            raise DigestMismatch("The body does not have the digest that came with it.")
        return self.decoder.decode(body)

    def mark(self, index: Index, mark: int, more_bytes: int) -> None:
        """Note what has become of a chunk."""
        before = int(self.marks[index])
        self.held += (mark == HELD) - (before == HELD)
        self.absent += (mark == ABSENT) - (before == ABSENT)
        self.marks[index] = mark
        self.bytes_held += more_bytes

    def is_missing(self, index: Index) -> bool:
        """Return whether a chunk has neither been sent nor said to be fill value."""
        return bool(self.marks[index] == MISSING)

    def count(self, region: Region) -> tuple[int, int]:
        """Return how many chunks `region` needs, and how many of them are there."""
        window = self.marks[tuple(slice(r.start, r.stop) for r in self.grid.ranges(region))]
        return window.size, int(np.count_nonzero(window))

    def is_absent(self, region: Region) -> bool:
        """Return whether all chunks that `region` needs have been said to be fill value."""
        window = self.marks[tuple(slice(r.start, r.stop) for r in self.grid.ranges(region))]
        return bool((window == ABSENT).all())

    def add_absent(self, indices: Sequence[Index]) -> None:
        """Note, here and on disk, chunks that are fill value; one that is held stays held.

        The file only grows, so that each word costs what it says and no more.
        """
        new = [index for index in dict.fromkeys(indices) if self.marks[index] == MISSING]
        if not new:
            return
        places = np.ravel_multi_index(tuple(np.array(new).T), self.grid.counts) + 1
        append_whole(self.folder / ABSENT_FILE, places.astype(_PLACE).tobytes())
        for index in new:
            self.mark(index, ABSENT, 0)

    def _find_absent(self) -> None:
        path = self.folder / ABSENT_FILE
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            return
        if len(body) % _PLACE.itemsize:  # cut short by a full disk or a loss of power
            body = body[: -(len(body) % _PLACE.itemsize)]
            os.truncate(path, len(body))
        places = np.frombuffer(body, _PLACE).astype(np.int64)
        good = places[(places > 0) & (places <= self.grid.total)]  # a torn page reads as zeros
        self.marks.reshape(-1)[good - 1] = ABSENT
        self.absent = int(np.count_nonzero(self.marks))

    def _find_held(self) -> None:
        for key, entry in files_below(self.folder / "array"):
            try:
                index = self.grid.index(key)
            except NotFound:
                continue  # the array's document
            if self.arrivals.is_noted(self._place(index)):
                self.mark(index, HELD, entry.stat().st_size)
            else:  # its record was lost with the power: nobody can tell whether it is whole
                Path(entry.path).unlink()

    def _place(self, index: Index) -> int:
        return int(np.ravel_multi_index(index, self.grid.counts))


def files_below(folder: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Yield every file below a folder by its key, deleting what unfinished writes left."""
    waiting = [(str(folder), "")]
    while waiting:
        path, prefix = waiting.pop()
        try:
            entries = os.scandir(path)
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{prefix}{entry.name}/"))
                elif is_leftover(entry.name):
                    Path(entry.path).unlink(missing_ok=True)
                else:
                    yield prefix + entry.name, entry
