"""All model packages of one backend, looked up by id and version.

Called from the event loop and from worker threads: a lock guards the look at the disk, and what is
handed out is frozen.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from hmz_backend.serving.description import DESCRIPTION_FILE
from hmz_backend.zoo.choice import choose
from hmz_backend.zoo.package import Package, load_package
from napari_hmz.errors import PackageError, PackageInvalid
from napari_hmz.schema import ModelCard

Signature = tuple[tuple[str, int, int], ...]
"""Path, time of change and size of every file of a package."""


class Zoo:
    """The packages below some folders; changes on disk are seen at the next look.

    A package that cannot be trusted is left out and stands in `faults`; it never hides the others.

    Parameters
    ----------
    folders
        Each is a package, or holds packages (directly, or one folder deeper: one per version).
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._lock = threading.Lock()
        self._loaded: dict[Path, tuple[Signature, Package | PackageError]] = {}

    def packages(self) -> list[Package]:
        """Return all packages, by id, the newest version of each first."""
        found, _ = self._look()
        return sorted(found.values(), key=_order)

    def faults(self) -> Mapping[Path, PackageError]:
        """Return what is wrong with each package that was left out."""
        return self._look()[1]

    def cards(self) -> list[ModelCard]:
        """Return the cards of all packages, by id, the newest version of each first."""
        return [package.card for package in self.packages()]

    def package(self, model: str, version: str | None = None) -> Package:
        """Return one package; without `version` its newest one.

        Raises
        ------
        NotFound
            If there is none of this name and version.
        """
        return choose(self.packages(), model, version)

    def _look(self) -> tuple[dict[tuple[str, str], Package], dict[Path, PackageError]]:
        with self._lock:
            self._refresh()
            loaded = [(folder, thing) for folder, (_, thing) in sorted(self._loaded.items())]
        packages: dict[tuple[str, str], Package] = {}
        faults: dict[Path, PackageError] = {}
        for folder, thing in loaded:
            if isinstance(thing, PackageError):
                faults[folder] = thing
            elif thing.key in packages:
                faults[folder] = _twice(thing, packages[thing.key])
            else:
                packages[thing.key] = thing
        return packages, faults

    def _refresh(self) -> None:
        there = {folder: _signature(folder) for root in self._folders for folder in _found(root)}
        for folder in set(self._loaded) - set(there):
            del self._loaded[folder]
        for folder, signature in there.items():
            if folder not in self._loaded or self._loaded[folder][0] != signature:
                self._loaded[folder] = (signature, _load(folder))


def _load(folder: Path) -> Package | PackageError:
    try:
        return load_package(folder)
    except PackageError as error:
        return error


def _found(root: Path) -> list[Path]:
    if (root / DESCRIPTION_FILE).is_file():
        return [root.resolve()]
    patterns = (f"*/{DESCRIPTION_FILE}", f"*/*/{DESCRIPTION_FILE}")
    paths = [path.parent for pattern in patterns for path in root.glob(pattern)]
    return [
        path.resolve()
        for path in paths
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]


def _signature(folder: Path) -> Signature:
    """Return what tells that a file has changed; one question to the disk for each.

    After each, a thread may have to wait for Python's lock while others compute.
    """
    entries = list[tuple[str, int, int]]()
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            file = os.path.join(path, name)  # noqa: PTH118 # what this is quick for
            with contextlib.suppress(FileNotFoundError):  # it went meanwhile, or is a dead link
                stat = os.stat(file)  # noqa: PTH116 # as above
                entries.append((file, stat.st_mtime_ns, stat.st_size))
    return tuple(sorted(entries))


def _order(package: Package) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    return (package.card.id, _newest_first(package.card.version))


def _newest_first(version: str) -> tuple[tuple[int, int, str], ...]:
    parts = version.replace("-", ".").split(".")
    # Numbers in falling order; words (pre-releases) after them.
    return tuple((0, -int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def _twice(package: Package, other: Package) -> PackageInvalid:
    return PackageInvalid(
        f"{package.folder} is {package.card.id} {package.card.version}, as is {other.folder}.",
        remedy="Remove one of them, or give it another version.",
    )
