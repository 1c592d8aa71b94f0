"""The files of a package: inside of it, there, unchanged, and free of pickles."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from hmz_backend.zoo.arrays import check_array
from hmz_backend.zoo.digest import file_digest
from hmz_backend.zoo.document import NamedFile
from napari_hmz.errors import (
    PackageDigestWrong,
    PackageFileMissing,
    PackageInvalid,
    PickleRefused,
)

PICKLES = (".pkl", ".pickle", ".joblib", ".npz")
"""Formats that hold pickles, or may: none is needed to describe or serve a model."""


def is_address(source: str) -> bool:
    """Say whether a source is an address somewhere else, not a file of the package."""
    return "://" in source


def locate(folder: Path, source: str) -> Path:
    """Return the path of a file of a package, whether or not it is there.

    Raises
    ------
    PackageInvalid
        If `source` is absolute, an address, or leads out of the package.
    """
    windows = PureWindowsPath(source)
    outside = (
        not source
        or is_address(source)
        or "\0" in source
        or PurePosixPath(source).is_absolute()
        or windows.is_absolute()
        or bool(windows.drive)
        or ".." in windows.parts  # its parts split at both kinds of slashes
    )
    path = folder / source
    if outside or not path.resolve().is_relative_to(folder.resolve()):
        raise PackageInvalid(
            f"{folder.name} names the file '{source}', which does not lie in the package.",
            remedy="Put the file into the package and name it by its relative path.",
        )
    return path


def check_file(folder: Path, file: NamedFile) -> None:
    """Check one file that the description names.

    Raises
    ------
    PackageInvalid
        If it lies outside of the package.
    PackageFileMissing, PackageDigestWrong, PickleRefused
        If it is not there, not the one that was meant, or a pickle.
    """
    if file.may_be_elsewhere and is_address(file.source):
        return
    path = locate(folder, file.source)
    if not path.is_file():
        raise PackageFileMissing(
            f"{folder.name} lacks {file.source}, which {file.place} names.",
            remedy="Add the file, or correct its name in rdf.yaml.",
        )
    if file.sha256 and file_digest(path) != file.sha256.lower():
        raise PackageDigestWrong(
            f"{file.source} of {folder.name} is not the file that {file.place} means.",
            remedy="Restore the file, or correct its sha256 in rdf.yaml if the change was meant.",
        )
    if file.is_array:
        check_array(path)


def refuse_pickles(paths: Iterable[Path]) -> None:
    """Look through all files of a package, named by its description or not.

    Raises
    ------
    PickleRefused
        If one of them is a pickle by its name, or an array of Python objects.
    PackageInvalid
        If a `.npy` file is no array.
    """
    for path in paths:
        if path.suffix.lower() in PICKLES:
            raise PickleRefused(f"{path.name} may hold pickled Python objects.")
        if path.suffix.lower() == ".npy":
            check_array(path)
