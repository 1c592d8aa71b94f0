"""What napari opens of our own stores: images, labels and probabilities as they looked in the run.

Small ones are read into memory, where labels can be edited; large ones stay in the store, which is
opened for reading only, with all their levels.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hmz_widgets.appearance import described, looks
from hmz_widgets.ome_zarr_reader import is_ome_zarr, read_image
from hmz_widgets.row_looks import boxes_arguments, points_arguments, rectangles, row_features
from napari_hmz.places import places
from napari_hmz.results.stored import StoredImage, is_ours, stored_results
from napari_hmz.results.stored_tables import StoredTable, stored_tables
from napari_hmz.schema import Axes, OutputArray, OutputTable
from napari_hmz.schema.output_document import LABEL_KINDS

LayerData = tuple[Any, dict[str, Any], str]
IN_MEMORY_BYTES = 256 * 2**20
"""A larger array stays in its store."""


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Return what opens a store of ours, or another OME-Zarr; None at once for anything else."""
    if isinstance(path, list):
        return None
    if is_ours(Path(path)):
        return read_results
    return read_image if is_ome_zarr(path) else None


def read_results(path: str | list[str]) -> list[LayerData]:
    """Return the layers of a store of ours.

    Raises
    ------
    SourceUnreadable
        If it is damaged.
    """
    whole = Path(path if isinstance(path, str) else path[0])
    stem = whole.name.removesuffix(".zarr").removesuffix(".ome")
    layers = [layer for image in stored_results(whole) for layer in stored_layers(image, stem)]
    return [*layers, *(row_layer(table, stem) for table in stored_tables(whole))]


def stored_layers(image: StoredImage, stem: str) -> list[LayerData]:
    """Return the layers of one image or output; their names begin with `stem`."""
    levels, output = _opened(image), image.array
    if _is_same_for_all_channels(output):
        output = output.model_copy(update={"axes": tuple(a for a in output.axes if a != "c")})
    metadata: dict[str, Any] = {"hmz_output": described(output)}
    if image.provenance is not None:
        metadata["hmz"] = dict(image.provenance)
    found: list[LayerData] = []
    for look in looks(output, ()):
        parts = [look.part(level, output) for level in levels]
        arguments = (
            _place(look.axes(output), output) | look.arguments | {"metadata": dict(metadata)}
        )
        arguments["name"] = " ".join(filter(None, (stem, output.name, look.word)))
        arguments["multiscale"] = len(parts) > 1
        if len(image.windows) > (look.channel or 0):
            arguments["contrast_limits"] = image.windows[look.channel or 0]
        found.append((parts if len(parts) > 1 else parts[0], arguments, look.layer_type))
    return found


def row_layer(stored: StoredTable, stem: str) -> LayerData:
    """Return the layer of a table; rows that are neither points nor boxes are shown as points."""
    table, rows = stored.table, stored.rows
    features = row_features(table, rows)
    arguments: dict[str, Any] = {
        "name": f"{stem} {table.name}",
        "metadata": {"hmz_output": {"name": table.name, "kind": table.kind}},
    }
    arguments |= _place(table.axes, table)
    if stored.provenance is not None:
        arguments["metadata"]["hmz"] = dict(stored.provenance)
    if table.kind != "boxes":
        return (
            places(table, rows),
            arguments | points_arguments() | {"features": features},
            "points",
        )
    corners, origins = rectangles(table, rows)
    chosen = {name: values[origins] for name, values in features.items()}
    return list(corners), arguments | boxes_arguments() | {"features": chosen}, "shapes"


def stored_levels(path: Path) -> dict[str, list[Any]]:
    """Return the levels of each output of a store, the finest first (in a worker).

    Raises
    ------
    SourceUnreadable
        If the store is none of ours, or damaged.
    """
    return {image.array.name: _opened(image) for image in stored_results(path)}


def _is_same_for_all_channels(output: OutputArray) -> bool:
    return output.kind in LABEL_KINDS and output.shape.get("c") == 1


def _opened(image: StoredImage) -> list[Any]:
    """Return the levels of an image: the finest in memory, or all of them as they lie.

    Labels that are the same for all channels come without that axis.
    """
    import dask.array as da
    import zarr
    from zarr.storage import LocalStore

    arrays = [
        zarr.open_array(LocalStore(level, read_only=True), mode="r") for level in image.levels
    ]
    small = arrays[0].nbytes <= IN_MEMORY_BYTES
    levels = [np.asarray(arrays[0][...])] if small else [da.from_zarr(array) for array in arrays]
    if not _is_same_for_all_channels(image.array):
        return levels
    at = image.array.axes.index("c")
    return [level[(slice(None),) * at + (0,)] for level in levels]


def _place(axes: Axes, output: OutputArray | OutputTable) -> dict[str, Any]:
    return {
        "scale": [output.voxel_size.get(axis, 1.0) for axis in axes],
        "translate": [output.translation.get(axis, 0.0) for axis in axes],
        "units": [output.units.get(axis, "pixel") for axis in axes],
        "axis_labels": list(axes),
    }
