"""The sample data that napari offers under File > Open Sample: real nuclei, shipped with us."""

from typing import Any

from napari_hmz import sample
from napari_hmz.schema import full_region
from napari_hmz.sources import open_source

LayerData = tuple[Any, dict[str, Any], str]


def nuclei() -> list[LayerData]:
    """Return the confocal volume of nuclei as one image layer, (z, y, x), uint16, micrometres."""
    source = open_source(sample.nuclei())
    request = source.request
    arguments = {
        "name": "nuclei",
        "scale": [request.voxel_size.get(axis, 1.0) for axis in request.axes],
        "translate": [request.translation.get(axis, 0.0) for axis in request.axes],
        "units": [request.units.get(axis, "pixel") for axis in request.axes],
        "axis_labels": list(request.axes),
    }
    data = source.read(full_region(request.shape))
    source.close()
    return [(data, arguments, "image")]
