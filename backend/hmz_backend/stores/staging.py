"""The staging area: chunks as clients sent them, checked, within a quota.

```
root/{volume}/array/zarr.json | .zarray   as announced
root/{volume}/array/{key}                 a chunk, exactly as it came
root/{volume}/absent.json                 keys that are fill value
```

Files are the truth: what is held is found out by looking, once per volume and start of the backend;
from then on one byte per chunk is kept in memory. Threads: methods may be called from many at once.
"""

import itertools
import json
import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hmz_backend.stores.atomic import is_leftover, write_whole
from hmz_backend.stores.staged import ABSENT, HELD, MISSING, StagedVolume
from napari_hmz.errors import NotFound, QuotaExceeded
from napari_hmz.schema import VolumeRequest


@dataclass
class StagingArea:
    """Holds the chunks of all streamed volumes.

    Parameters
    ----------
    root
        Folder of the volumes.
    quota_bytes
        What all chunks together may take; the encoded size counts.
    """

    root: Path
    quota_bytes: int
    _open: dict[str, StagedVolume] = field(default_factory=dict)
    _bytes: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bytes_held(self) -> int:
        """What all staged chunks take on disk."""
        with self._lock:
            if self._bytes is None:
                self._bytes = _bytes_below(self.root)
            return self._bytes

    def announce(self, volume: str, request: VolumeRequest) -> None:
        """Make the folder of a new volume.

        Raises
        ------
        QuotaExceeded
            If the quota is used up already, before anything is sent.
        """
        if self.bytes_held >= self.quota_bytes:
            raise QuotaExceeded(f"The staging area holds its {self.quota_bytes} bytes already.")
        name = ".zarray" if request.array.zarr_format == 2 else "zarr.json"  # noqa: PLR2004 # zarr v2
        write_whole(
            self._folder(volume) / "array" / name, json.dumps(request.array.document).encode()
        )

    def open(self, volume: str, request: VolumeRequest) -> StagedVolume:
        """Return what is known of a volume, looking at its folder the first time."""
        with self._lock:
            staged = self._open.get(volume)
            if staged is None:
                staged = self._open[volume] = StagedVolume.scan(self._folder(volume), request)
            return staged

    def put(self, staged: StagedVolume, key: str, body: bytes) -> None:
        """Store a chunk whose content has been checked; storing it again replaces it.

        Raises
        ------
        NotFound
            If the volume has no such chunk.
        QuotaExceeded, DiskFull
            If there is no room; nothing is stored.
        """
        index = staged.grid.index(key)
        if self.bytes_held + len(body) > self.quota_bytes:
            raise QuotaExceeded(f"The staging area may hold {self.quota_bytes} bytes.")
        path = staged.path(key)
        before = path.stat().st_size if staged.marks[index] == HELD else 0
        write_whole(path, body)
        with self._lock:
            staged.mark(index, HELD, len(body) - before)
            self._bytes = (self._bytes or 0) + len(body) - before

    def absent(self, staged: StagedVolume, keys: Sequence[str]) -> None:
        """Note chunks that are fill value; one that is held stays held."""
        indices = [staged.grid.index(key) for key in keys]
        with self._lock:
            for index in indices:
                if staged.marks[index] != HELD:
                    staged.mark(index, ABSENT, 0)
            staged.save_absent()

    def discard(self, staged: StagedVolume, key: str) -> None:
        """Forget a chunk that turned out to be damaged; it is wanted again."""
        index = staged.grid.index(key)
        path = staged.path(key)
        size = path.stat().st_size if path.exists() else 0
        path.unlink(missing_ok=True)
        with self._lock:
            staged.mark(index, MISSING, -size)
            self._bytes = (self._bytes or size) - size

    def remove(self, volume: str) -> None:
        """Delete a volume with all its chunks."""
        with self._lock:
            self._open.pop(volume, None)
            shutil.rmtree(self._folder(volume), ignore_errors=True)
            self._bytes = None

    def _folder(self, volume: str) -> Path:
        if not volume.isalnum():
            raise NotFound("There is no such volume.")
        return self.root / volume


def _bytes_below(root: Path) -> int:
    """Return what the chunks below `root` take, removing what unfinished writes left."""
    total = 0
    for folder, _, names in itertools.chain(os.walk(root)):
        for name in names:
            path = Path(folder, name)
            if is_leftover(name):
                path.unlink(missing_ok=True)
            elif name not in (".zarray", "zarr.json", "absent.json"):
                total += path.stat().st_size
    return total
