"""Anybody's OME-Zarr opens in its place, with its levels; what is none is refused in words."""

import logging
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from hmz_widgets.ome_zarr_reader import is_ome_zarr, read_image
from hmz_widgets.reader import get_reader
from napari_hmz.errors import SourceUnreadable

VALUES = np.arange(2 * 4 * 8 * 8, dtype=np.uint16).reshape(2, 4, 8, 8)
AXES = [
    {"name": "c", "type": "channel"},
    *({"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"),
]


def image(path: Path, version: str, **more: object) -> Path:
    """Write an image of two channels and two levels, in format 0.4 or 0.5."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level, values in enumerate((VALUES, VALUES[..., ::2, ::2])):
        group.create_array(str(level), data=values, chunks=(1, 4, 8 >> level, 8 >> level))
        scale = [1.0, 2.0, 0.5 * 2**level, 0.5 * 2**level]
        transforms = [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": [0.0, 0.0, 10.0, 0.0]},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    multiscale = {"axes": AXES, "datasets": datasets, "version": version}
    ome: dict[str, Any] = {"multiscales": [multiscale], **more}
    group.attrs.update(ome if version == "0.4" else {"ome": {"version": version, **ome}})
    return path


def opened(place: object) -> list[Any]:
    viewer = ViewerModel()
    for data, arguments, kind in read_image(str(place)):
        getattr(viewer, f"add_{kind}")(data, **arguments)
    return list(viewer.layers)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_each_channel_is_a_layer_in_its_place(tmp_path: Path, version: str) -> None:
    channels = [{"label": "nuclei"}, {"label": "actin"}]
    path = image(tmp_path / "cells.ome.zarr", version, omero={"channels": channels})
    assert get_reader(str(path)) is read_image
    layers = opened(path)
    assert [layer.name for layer in layers] == ["cells nuclei", "cells actin"]
    for number, layer in enumerate(layers):
        assert layer.multiscale
        np.testing.assert_array_equal(layer.data[0], VALUES[number])
        assert layer.axis_labels == ("z", "y", "x")
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        np.testing.assert_allclose(layer.scale, [2.0, 0.5, 0.5])
        np.testing.assert_allclose(layer.translate, [0.0, 10.0, 0.0])


def test_labels_stay_labels(tmp_path: Path) -> None:
    path = image(tmp_path / "l.zarr", "0.5", **{"image-label": {"version": "0.5"}})
    (layer,) = opened(path)
    assert type(layer).__name__ == "Labels"


def test_the_first_image_of_a_collection_is_taken(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "many.zarr", mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    image(tmp_path / "many.zarr" / "0", "0.4")
    assert is_ome_zarr(str(tmp_path / "many.zarr"))
    assert len(opened(tmp_path / "many.zarr")) == 2


def test_what_is_no_image_is_left_to_others_or_refused(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "bare.zarr", data=VALUES)
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    for name in ("bare", "group", "gone"):
        assert not is_ome_zarr(str(tmp_path / f"{name}.zarr"))
        with pytest.raises(SourceUnreadable):
            read_image(str(tmp_path / f"{name}.zarr"))
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {"wells": [{"path": "A/1"}]}
    with pytest.raises(SourceUnreadable, match="A/1"):
        read_image(str(tmp_path / "plate.zarr"))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    image(tmp_path / "far.ome.zarr", "0.5")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_address_is_opened_as_a_folder_is(web: str) -> None:
    logging.getLogger("fsspec").setLevel(logging.WARNING)
    assert get_reader(f"{web}/far.ome.zarr") is read_image
    assert [layer.name for layer in opened(f"{web}/far.ome.zarr")] == ["far 0", "far 1"]
    with pytest.raises(SourceUnreadable):
        read_image(f"{web}/none.zarr")
