"""Which images lie in a folder, told by what their names end in; nothing is opened."""

import re
from collections.abc import Iterable
from pathlib import Path

from napari_hmz.errors import SourceUnreadable
from napari_hmz.sources.things import HDF5_SUFFIXES, TIFF_SUFFIXES, ZIP_SUFFIXES
from napari_hmz.sources.zarr_images import is_zarr_folder

SUFFIXES = (*ZIP_SUFFIXES, *TIFF_SUFFIXES, *HDF5_SUFFIXES, ".npy", ".zarr")
_SUFFIX = re.compile(rf"(\.ome)?({'|'.join(map(re.escape, SUFFIXES))})$", re.IGNORECASE)


def images_in(places: Iterable[Path]) -> tuple[Path, ...]:
    """Return all images that are meant: files and zarr folders, and those in other folders.

    Folders within folders are not searched, and hidden files are passed over. The order is that
    of `places`, and of the names in a folder; what is meant twice is there once.

    Raises
    ------
    SourceUnreadable
        If a folder cannot be listed, or holds no image. A file that is missing is not looked for:
        whoever opens it is told.
    """
    found: dict[Path, None] = {}
    for place in places:
        is_folder = place.is_dir() and not is_zarr_folder(place)
        found |= dict.fromkeys(_listed(place) if is_folder else (place,))
    return tuple(found)


def stem(image: Path) -> str:
    """Return the name of an image without what tells its format: `a` of `a.ome.tif`."""
    return _SUFFIX.sub("", image.name) or image.name


def _listed(folder: Path) -> list[Path]:
    try:
        images = sorted(entry for entry in folder.iterdir() if _is_image(entry))
    except OSError as error:
        raise SourceUnreadable(
            f"The folder {folder} cannot be listed: {error.strerror}.",
            remedy="Check that you may read it.",
        ) from error
    if not images:
        raise SourceUnreadable(
            f"There is no image in the folder {folder}.",
            remedy=f"Names of images end in {', '.join(sorted(SUFFIXES))}, or are zarr folders."
            " Folders within the folder are not searched.",
        )
    return images


def _is_image(entry: Path) -> bool:
    if entry.name.startswith("."):
        return False
    return is_zarr_folder(entry) if entry.is_dir() else bool(_SUFFIX.search(entry.name))
