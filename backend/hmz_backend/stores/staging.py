"""The staging area: chunks as clients sent them, checked, within a quota.

```
root/{volume}/array/zarr.json | .zarray   as announced
root/{volume}/array/{key}                 a chunk, exactly as it came
root/{volume}/absent.bin                  which chunks are fill value
root/{volume}/arrived.bin                 what each chunk was when it came
root/{volume}/used                        its time is that of the last use
```

Files are the truth: what is held is found out by looking, once per volume and start of the backend;
from then on one byte per chunk is kept in memory. Threads: methods may be called from many at once.
"""

import json
import os
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from hmz_backend.stores.arrival_log import ARRIVAL_FILE, body_digest, digest_of
from hmz_backend.stores.atomic import write_whole
from hmz_backend.stores.grid import Index
from hmz_backend.stores.staged import ABSENT_FILE, HELD, MISSING, StagedVolume, files_below
from napari_hmz.errors import DiskFull, NotFound, QuotaExceeded
from napari_hmz.schema import VolumeRequest

_NO_CHUNKS = frozenset({".zarray", "zarr.json", ABSENT_FILE, ARRIVAL_FILE, "used"})


@dataclass
class StagingArea:
    """Holds the chunks of all streamed volumes.

    Parameters
    ----------
    root
        Folder of the volumes.
    quota_bytes
        What all chunks together may take; the encoded size counts.
    disk_reserve_bytes
        What is left free on the disk.
    """

    root: Path
    quota_bytes: int
    disk_reserve_bytes: int = 0
    _bytes: dict[str, int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bytes_held(self) -> int:
        """What all staged chunks take on disk."""
        return sum(self.volumes().values())

    def volumes(self) -> dict[str, int]:
        """Return what the chunks of each volume take on disk."""
        with self._lock:
            return dict(self._known())

    def disk_room_bytes(self) -> int:
        """Return what may still be written to the disk."""
        place = self.root if self.root.exists() else self.root.parent
        return shutil.disk_usage(place).free - self.disk_reserve_bytes

    def announce(self, volume: str, request: VolumeRequest) -> None:
        """Make the folder of a volume, if it is not there."""
        name = ".zarray" if request.array.zarr_format == 2 else "zarr.json"  # noqa: PLR2004 # zarr v2
        document = self._folder(volume) / "array" / name
        if not document.exists():
            write_whole(document, json.dumps(request.array.document).encode())

    def scan(self, volume: str, request: VolumeRequest) -> StagedVolume:
        """Look at a volume's folder; whoever asks keeps what is found, and asks only once."""
        self.announce(volume, request)
        staged = StagedVolume.scan(self._folder(volume), request)
        with self._lock:
            self._known()[volume] = staged.bytes_held
        return staged

    def put(self, staged: StagedVolume, key: str, body: bytes, sha256: bytes | None = None) -> None:
        """Store a chunk whose content has been checked; one that is held already stays as it is.

        Parameters
        ----------
        sha256
            Of the body, if somebody has computed it already.

        Raises
        ------
        NotFound
            If the volume has no such chunk.
        QuotaExceeded, DiskFull
            If there is no room; nothing is stored.
        """
        index = staged.grid.index(key)
        if staged.marks[index] == HELD:
            return
        self._check_room(len(body))
        digest = body_digest(body) if sha256 is None else digest_of(sha256)
        write_whole(staged.path(key), body)
        with self._lock:
            staged.note(index, digest)
            twice = staged.marks[index] == HELD  # two clients sent it at the same time
            self._mark(staged, index, HELD, 0 if twice else len(body))

    def absent(self, staged: StagedVolume, indices: Sequence[Index]) -> None:
        """Note chunks that are fill value; one that is held stays held."""
        with self._lock:
            staged.add_absent(indices)

    def drop(self, staged: StagedVolume, indices: Iterable[Index]) -> None:
        """Delete chunks; they are missing from now on."""
        for index in indices:
            path = staged.path(staged.grid.key(index))
            with self._lock:  # not for longer: there may be many
                held = staged.marks[index] == HELD
                size = path.stat().st_size if held and path.exists() else 0
                path.unlink(missing_ok=True)
                self._mark(staged, index, MISSING, -size)

    def remove(self, volume: str) -> None:
        """Delete a volume with all its chunks."""
        folder = self._folder(volume)
        gone = folder.with_name(f"{volume}.{token_hex(4)}.gone")
        with self._lock:
            self._known().pop(volume, None)
            if folder.exists():
                folder.rename(gone)  # at once: nobody finds half of it
        shutil.rmtree(gone, ignore_errors=True)

    def touch(self, volume: str) -> None:
        """Note that a volume is used now."""
        (self._folder(volume) / "used").touch()

    def used_at_s(self, volume: str) -> float:
        """Return when a volume was last used, in seconds since 1970."""
        try:
            return (self._folder(volume) / "used").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def _check_room(self, more_bytes: int) -> None:
        with self._lock:
            if sum(self._known().values()) + more_bytes > self.quota_bytes:
                raise QuotaExceeded(f"The staging area may hold {self.quota_bytes} bytes.")
        if self.disk_room_bytes() < more_bytes:
            raise DiskFull("The disk of the backend's staging area is full.")

    def _mark(self, staged: StagedVolume, index: Index, mark: int, more_bytes: int) -> None:
        staged.mark(index, mark, more_bytes)
        if staged.folder.name in self._known():  # not removed meanwhile
            self._known()[staged.folder.name] = staged.bytes_held

    def _known(self) -> dict[str, int]:
        """Return what each volume takes, looking the first time."""
        if self._bytes is None:
            self._bytes = {}
            for folder in os.scandir(self.root) if self.root.exists() else ():
                if folder.name.isalnum():
                    files = files_below(Path(folder.path))
                    sizes = (e.stat().st_size for key, e in files if e.name not in _NO_CHUNKS)
                    self._bytes[folder.name] = sum(sizes)
                else:
                    shutil.rmtree(folder.path, ignore_errors=True)  # was being deleted
        return self._bytes

    def _folder(self, volume: str) -> Path:
        if not volume.isalnum():
            raise NotFound("There is no such volume.")
        return self.root / volume
