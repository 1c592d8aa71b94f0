"""Which chunks of an output are final: a file beside them, one line each.

A line is added once its chunk is written. A line that a crash has cut is not read, and its chunk is
fetched again. Neither chunks nor lines wait for the disk; so after a loss of power a line may be
there and its chunk torn: what another process has noted holds only if the file agrees. Called from
the threads that write chunks.
"""

import threading
from pathlib import Path

from napari_hmz.results.disk import writing

_FIELDS = 2


class Journal:
    """The final chunks of one run's outputs, by name and digest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._held = _read(path)
        self._own: set[str] = set()

    def holds(self, chunk: str, digest: str) -> bool:
        """Tell whether this chunk has been written with this content."""
        return bool(digest) and self._held.get(chunk) == digest

    def note(self, chunk: str, digest: str) -> None:
        """Remember that this chunk has been written with this content.

        Raises
        ------
        DiskFull
            If there is no space for the line.
        """
        with self._guard:
            with writing(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(f"{digest} {chunk}\n")
            self._held[chunk] = digest
            self._own.add(chunk)

    def is_own(self, chunk: str) -> bool:
        """Tell whether this process has written the chunk."""
        return chunk in self._own

    def forget(self, chunk: str) -> bool:
        """Remember that this chunk is about to change; return whether it had been noted."""
        if chunk not in self._held:
            return False
        self.note(chunk, "-")
        return True

    def remove(self) -> None:
        """Remove the file: the run has ended and all is written."""
        with self._guard:
            self._path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    held: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        parts = line.rstrip("\n").split(" ", 1)
        if line.endswith("\n") and len(parts) == _FIELDS:
            held[parts[1]] = parts[0]
    return held
