"""SHA-256 of files, and of a whole model package."""

import hashlib
from pathlib import Path

from napari_hmz.errors import PackageInvalid

CHUNK_BYTES = 1 << 20
LEFT_OUT = ("__pycache__",)
"""Folders that Python makes and no package means."""


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text, reading it piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def package_files(folder: Path) -> list[Path]:
    """Return the files of a package in order of their names; hidden ones are left out.

    Raises
    ------
    PackageInvalid
        If one of them is a link that leads out of the package.
    """
    root = folder.resolve()
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part in LEFT_OUT for part in parts):
            continue
        if not path.resolve().is_relative_to(root):
            raise PackageInvalid(f"{'/'.join(parts)} of {folder.name} leads out of the package.")
        if path.is_file():
            found.append(path)
    return found


def package_digest(folder: Path) -> str:
    """Return the SHA-256 over the names and contents of all files of a package.

    Raises
    ------
    PackageInvalid
        If a file is a link that leads out of the package.
    """
    digest = hashlib.sha256()
    for path in package_files(folder):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()
