"""What a loss of power leaves: files that were not synced are torn, gone, or there by luck."""

import itertools
import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import text

from hmz_backend.database.connection import open_database
from hmz_backend.testing.faults.rig import GRID
from hmz_backend.testing.faults.synced import EVERYTHING

FULL = 2
"""SQLite's own number for commits that return only once they are on the disk."""


def drop_unsynced(folder: Path, syncs: Path, chance: random.Random) -> list[Path]:
    """Do to the files below `folder` what a loss of power may; return what it took or tore.

    Parameters
    ----------
    folder
        A backend's data folder; nothing must run on it.
    syncs
        The log of `synced.py`.
    chance
        Decides the fate of each file that was not synced.
    """
    log = _read(syncs)
    files = [path for path in sorted(_files(folder)) if ".sqlite" not in path.name]
    at_risk = [path for path in files if not _is_safe(path, log)]
    _roll_back_database(folder)
    return [path for path in at_risk if _strike(path, log, chance)]


def lost_blocks(hurt: Sequence[Path], *, blended: bool) -> set[int]:
    """Return the blocks that must be computed again since these files of their run are hurt.

    A blended chunk is made of the tiles of all blocks around it.
    """
    found: set[int] = set()
    for path in hurt:
        place = _place(path)
        if place is not None:
            reach = (-1, 0, 1) if blended else (0,)
            found.update(_around(place, reach))
    return found


def _place(path: Path) -> tuple[int, ...] | None:
    """Return which block of the grid a file of a run belongs to: `c/0/1/2`, `7.npz`, `7.npy`."""
    if path.suffix == ".part":  # was never renamed to what it is for
        return None
    if path.parts[-4:-3] == ("c",):
        return tuple(map(int, path.parts[-3:]))
    if path.stem.isdigit() and "work" in path.parts:
        return tuple(int(n) for n in np.unravel_index(int(path.stem), GRID))
    return None


def _around(place: Sequence[int], reach: Sequence[int]) -> Iterator[int]:
    for step in itertools.product(reach, repeat=len(GRID)):
        there = [at + by for at, by in zip(place, step, strict=True)]
        if all(0 <= at < extent for at, extent in zip(there, GRID, strict=True)):
            yield int(np.ravel_multi_index(there, GRID))


@dataclass(frozen=True, slots=True)
class Synced:
    """When something was synced last (ns since 1970), and how large it was then."""

    at_ns: int = 0
    size: int = 0


def _read(syncs: Path) -> Mapping[int, Synced]:
    """Return what is known of each inode."""
    lines = syncs.read_text().splitlines() if syncs.exists() else []
    return {
        inode: Synced(at_ns, size)
        for inode, at_ns, size in (map(int, line.split()) for line in lines)
    }


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent, name)


def _is_safe(path: Path, log: Mapping[int, Synced]) -> bool:
    """Return whether both the content and the name are on the disk.

    A file that was not touched since it was synced has its name there as well; one that was then
    renamed needs its folder synced (ext4, XFS).
    """
    status, never = path.stat(), Synced()
    own, all_ = log.get(status.st_ino, never), log.get(EVERYTHING, never)
    named_ns = log.get(path.parent.stat().st_ino, never).at_ns
    renamed = bool(own.at_ns) and own.size == status.st_size and named_ns >= status.st_ctime_ns
    return renamed or status.st_ctime_ns <= max(own.at_ns, all_.at_ns)


def _strike(path: Path, log: Mapping[int, Synced], chance: random.Random) -> bool:
    """Take, tear or blank a file; of one that has grown since it was synced, that much stays."""
    status = path.stat()
    synced = log.get(status.st_ino, Synced()).size
    kept = synced if synced < status.st_size else 0
    fate = chance.random()
    if fate < 0.2:  # the system had written it by itself
        return False
    if fate < 0.5 and not kept:
        path.unlink()
        return True
    os.truncate(path, chance.randrange(kept, status.st_size + 1))
    if fate > 0.75:  # its length is there, and pages that never came
        os.truncate(path, status.st_size)
    return True


def _roll_back_database(folder: Path) -> None:
    """Take back commits that SQLite has not synced: all since the last checkpoint, if so set."""
    for path in folder.glob("*.sqlite-shm"):
        path.unlink()
    if _synchronous() < FULL:
        for path in folder.glob("*.sqlite-wal"):
            path.unlink()


def _synchronous() -> int:
    """Return how the backend has SQLite sync."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/empty.sqlite")
        with engine.connect() as connection:
            level = int(connection.execute(text("PRAGMA synchronous")).scalar_one())
        engine.dispose()
    return level
