"""An OME-Zarr image on this machine's disk that labels can be put beside."""

import itertools
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import zarr
from zarr.storage import LocalStore

from napari_hmz.errors import AxesMismatch, RegionInvalid, SourceUnreadable
from napari_hmz.results.levels import step_between
from napari_hmz.schema import Axes, AxisName, OutputArray, Sizes, sizes_of
from napari_hmz.sources.ome_zarr import is_image, level_of, ome_attributes
from napari_hmz.sources.pixels import reading

_VERSIONS: Mapping[Literal[2, 3], str] = {2: "0.4", 3: "0.5"}
"""The version of OME-Zarr that we write, by that of zarr."""
_ELSEWHERE = "Export the labels as a new OME-Zarr instead."


@dataclass(frozen=True, eq=False)
class ImageStore:
    """The image, as far as labels must agree with it.

    Parameters
    ----------
    axes
        As stored.
    shapes
        Of its levels, with an extent of 1 along `c`: labels are the same for all channels.
    steps
        How much coarser each level is than the one before.
    multiscale
        What the image says of its levels.
    """

    path: Path
    zarr_format: Literal[2, 3]
    axes: Axes
    shapes: tuple[Sizes, ...]
    steps: tuple[Sizes, ...]
    multiscale: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> "ImageStore":
        """Read what the group at `path` says of its image.

        Raises
        ------
        SourceUnreadable
            If there is no OME-Zarr image of version 0.4 or 0.5 at `path`, or its levels are not
            whole numbers coarser.
        """
        with reading(f"{path} cannot be opened as OME-Zarr"):
            root = zarr.open_group(LocalStore(path), mode="r", use_consolidated=False)
            ome = ome_attributes(dict(root.attrs))
            _check(path, ome, root.metadata.zarr_format)
            axes = level_of(ome, 0).geometry.axes
            multiscale = ome["multiscales"][0]
            paths = [str(dataset["path"]) for dataset in multiscale["datasets"]]
            extents = [sizes_of(axes, root[each].shape) for each in paths]  # type: ignore[union-attr] # arrays
        shapes = tuple({**sizes, "c": 1} if "c" in sizes else sizes for sizes in extents)
        steps = tuple(_step(fine, coarse) for fine, coarse in itertools.pairwise(shapes))
        return cls(path, root.metadata.zarr_format, axes, shapes, steps, multiscale)

    def check_is(self, shape: Sizes | None) -> None:
        """Refuse another image than the one with these extents; None: any.

        Raises
        ------
        AxesMismatch
            If its finest level has others.
        """
        own = {axis: extent for axis, extent in self.shapes[0].items() if axis != "c"}
        if shape is not None and shape != own:
            raise AxesMismatch(
                f"The image at {self.path} has the extents {own}, not {shape}.", remedy=_ELSEWHERE
            )

    def check_holds(self, labels: OutputArray, start: Mapping[AxisName, int]) -> None:
        """Refuse labels that do not lie in the image.

        Raises
        ------
        AxesMismatch
            If they have other axes.
        RegionInvalid
            If they reach beyond it.
        """
        own = set(self.axes) - {"c"}
        if set(labels.axes) != own:
            raise AxesMismatch(
                f"The labels have the axes {list(labels.axes)}, the image {sorted(own)}.",
                remedy=_ELSEWHERE,
            )
        for axis in labels.axes:
            first = start.get(axis, 0)
            if first < 0 or first + labels.shape[axis] > self.shapes[0][axis]:
                raise RegionInvalid(
                    f"The labels reach beyond the image along {axis}.", remedy=_ELSEWHERE
                )

    def described(self, name: str) -> dict[str, Any]:
        """Return the multiscale description of labels: each level lies where the image's does."""
        datasets = [
            {**dataset, "path": str(number)}
            for number, dataset in enumerate(self.multiscale["datasets"])
        ]
        kept = ("axes", "version", "coordinateTransformations")
        same = {word: self.multiscale[word] for word in kept if word in self.multiscale}
        return {"name": name, **same, "datasets": datasets, "type": "nearest"}

    def as_stored(self, ome: Mapping[str, Any]) -> dict[str, Any]:
        """Return attributes in the version of the image: bare before 0.5."""
        if self.zarr_format != 2:  # noqa: PLR2004 # the version of zarr
            return {"ome": dict(ome)}
        bare = {word: value for word, value in ome.items() if word != "version"}
        if "image-label" in bare:
            bare["image-label"] = {"version": _VERSIONS[2], **bare["image-label"]}
        return bare

    def take_in(self, folder: Path, name: str) -> None:
        """Move the finished labels beside the image, and name them among its labels."""
        root = zarr.open_group(LocalStore(self.path), mode="r+", use_consolidated=False)
        labels = root.require_group("labels")
        folder.rename(self.path / "labels" / name)
        known = ome_attributes(dict(labels.attrs)).get("labels")
        names = [*(known if isinstance(known, list) else ()), name]
        version = {"version": _VERSIONS[self.zarr_format]}
        labels.update_attributes(self.as_stored({**version, "labels": names}))
        if _is_consolidated(self.path):
            with warnings.catch_warnings():  # zarr says that not all of its kin can read this
                warnings.simplefilter("ignore")
                zarr.consolidate_metadata(LocalStore(self.path))


def _check(path: Path, ome: Mapping[str, Any], zarr_format: Literal[2, 3]) -> None:
    if not is_image(ome):
        raise SourceUnreadable(f"{path} is no OME-Zarr image.", remedy=_ELSEWHERE)
    version = str(ome.get("version") or ome["multiscales"][0].get("version") or "0.4")
    if version != _VERSIONS[zarr_format]:
        raise SourceUnreadable(
            f"{path} is OME-Zarr {version}, and labels are written beside 0.4 and 0.5.",
            remedy=_ELSEWHERE,
        )


def _step(fine: Sizes, coarse: Sizes) -> Sizes:
    found: Sizes = {}
    for axis, extent in fine.items():
        step = step_between(extent, coarse[axis]) if coarse[axis] <= extent else None
        if step is None:
            raise SourceUnreadable(
                f"A level of the image is not a whole number coarser along {axis}.",
                remedy=_ELSEWHERE,
            )
        found[axis] = step
    return found


def _is_consolidated(path: Path) -> bool:
    if (path / ".zmetadata").is_file():
        return True
    try:
        document = json.loads((path / "zarr.json").read_bytes())
    except (OSError, ValueError):
        return False
    return bool(document.get("consolidated_metadata"))
