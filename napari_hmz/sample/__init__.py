"""A small real image that ships with the package: for the demo, the docs and the tests."""

from pathlib import Path


def nuclei() -> Path:
    """Return the path of an OME-Zarr image of nuclei, (z, y, x) = (60, 256, 256), uint16.

    A confocal volume with voxels of 0.29 x 0.26 x 0.26 micrometres, of about 20 nuclei; see
    `README.md` beside it for its origin and licence.
    """
    return Path(__file__).parent / "nuclei.ome.zarr"
