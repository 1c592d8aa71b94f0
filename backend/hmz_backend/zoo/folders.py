"""Where the packages of a zoo lie, for an engine that asks at every tile.

The zoo looks at every file of every package. Here that is done once for each package asked for, and
again when its description has changed or gone: until then one look at one file is enough. Called
from the event loop.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hmz_backend.serving.description import DESCRIPTION_FILE
from hmz_backend.zoo.catalogue import Zoo

Key = tuple[str, str]
"""Id and version of a package."""


@dataclass(frozen=True)
class PackageFolders(Mapping[Key, Path]):
    """The folders of all packages, as the zoo has them at that moment."""

    zoo: Zoo
    _seen: dict[Key, tuple[Path, int]] = field(default_factory=dict)

    def __getitem__(self, key: Key) -> Path:
        """Return a package's folder."""
        folder, changed_ns = self._seen.get(key, (None, 0))
        if folder is None or _changed_ns(folder) != changed_ns:
            self._seen.pop(key, None)
            folder = self._found(key)
            self._seen[key] = folder, _changed_ns(folder)
        return folder

    def __iter__(self) -> Iterator[Key]:
        """Yield every id and version."""
        return (package.key for package in self.zoo.packages())

    def __len__(self) -> int:
        """Return how many packages there are."""
        return len(self.zoo.packages())

    def _found(self, key: Key) -> Path:
        for package in self.zoo.packages():
            if package.key == key:
                return package.folder
        raise KeyError(key)


def _changed_ns(folder: Path) -> int:
    """Return when the description was written; 0 if there is none."""
    try:
        return (folder / DESCRIPTION_FILE).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
