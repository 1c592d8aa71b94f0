"""What a store of ours holds: read from its JSON documents, without opening an array.

`stored_results` is asked of any zarr that a person drops on a viewer, and says at once when a store
is none of ours.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_hmz.errors import SourceUnreadable
from napari_hmz.results.writer import PROVENANCE_KEY
from napari_hmz.schema import ClassSpec, OutputArray, sizes_of
from napari_hmz.sources.ome_zarr import is_image, level_of, ome_attributes


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image or output of a store.

    Parameters
    ----------
    levels
        Where its arrays lie, the finest first.
    array
        The finest level, as it is stored.
    windows
        Per channel, between which values it is to be shown; empty if that is not known.
    provenance
        Of the run that made it; none for the image, and where it is not known.
    """

    levels: tuple[Path, ...]
    array: OutputArray
    windows: tuple[tuple[float, float], ...] = ()
    provenance: Mapping[str, Any] | None = None


def is_ours(path: Path) -> bool:
    """Tell whether the zarr at a path is a store that we have written."""
    own = _attributes(path).get(PROVENANCE_KEY)
    return isinstance(own, Mapping) and isinstance(own.get("outputs"), Mapping)


def own_attributes(path: Path) -> Mapping[str, Any]:
    """Return what we have written into the root of a store; nothing if it is none of ours."""
    return _attributes(path)[PROVENANCE_KEY] if is_ours(path) else {}


def stored_results(path: Path) -> tuple[StoredImage, ...]:
    """Return the image, if it was copied in, and the outputs of a store of ours.

    Raises
    ------
    SourceUnreadable
        If it is none of ours, or damaged.
    """
    if not is_ours(path):
        raise SourceUnreadable(f"{path} was not written by napari-hmz.")
    attributes = _attributes(path)
    own = attributes[PROVENANCE_KEY]
    found = []
    try:
        ome = ome_attributes(attributes)
        if is_image(ome) and level_of(ome, 0).path == "0":
            found.append(_image(path, ome))
        for place in own["outputs"].values():
            folder = path.joinpath(*str(place).split("/"))
            if not folder.resolve().is_relative_to(path.resolve()):
                raise SourceUnreadable(f"{path} names an output outside of itself.")
            found.append(_output(folder, own.get("provenance")))
    except (KeyError, TypeError, ValueError, ValidationError, OSError) as error:
        raise SourceUnreadable(f"{path} is damaged: {error!r}.") from error
    return tuple(found)


def _image(folder: Path, ome: Mapping[str, Any]) -> StoredImage:
    array = _array(folder, ome, {"kind": "image"})
    return StoredImage(_levels(folder, ome), array, _windows(ome))


def _output(folder: Path, provenance: Mapping[str, Any] | None) -> StoredImage:
    attributes = _attributes(folder)
    own = attributes.get(PROVENANCE_KEY)
    own = own if isinstance(own, Mapping) else {}
    ome = ome_attributes(attributes)
    usual = "instance-labels" if "image-label" in ome else "image"
    said = {"kind": own.get("kind", usual), "name": own.get("output", folder.name)}
    said["channels"] = tuple(own.get("channels", ()))
    said["classes"] = tuple(ClassSpec.model_validate(one) for one in own.get("classes", ()))
    return StoredImage(_levels(folder, ome), _array(folder, ome, said), (), provenance)


def _array(folder: Path, ome: Mapping[str, Any], said: Mapping[str, Any]) -> OutputArray:
    level = level_of(ome, 0)
    place = level.geometry
    document = json.loads((folder / level.path / "zarr.json").read_bytes())
    chunks = document["chunk_grid"]["configuration"]["chunk_shape"]
    known: dict[str, Any] = {
        "name": place.name or folder.name,
        "axes": place.axes,
        "shape": sizes_of(place.axes, document["shape"]),
        "chunks": sizes_of(place.axes, chunks),
        "dtype": document["data_type"],
        "voxel_size": place.voxel_size,
        "units": place.units,
        "translation": place.translation,
        "channels": place.channel_names,
    }
    return OutputArray.model_validate(known | dict(said))


def _levels(folder: Path, ome: Mapping[str, Any]) -> tuple[Path, ...]:
    datasets = ome["multiscales"][0]["datasets"]
    return tuple(folder / level_of(ome, number).path for number in range(len(datasets)))


def _windows(ome: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    omero = ome.get("omero")
    channels = omero.get("channels", ()) if isinstance(omero, Mapping) else ()
    windows = [channel["window"] for channel in channels]
    return tuple((float(window["start"]), float(window["end"])) for window in windows)


def _attributes(folder: Path) -> Mapping[str, Any]:
    """Return the attributes of a zarr v3 group; none if there is none that can be read."""
    try:
        document = json.loads((folder / "zarr.json").read_bytes())
    except (OSError, ValueError):
        return {}
    found = document.get("attributes") if isinstance(document, Mapping) else None
    return found if isinstance(found, Mapping) else {}
