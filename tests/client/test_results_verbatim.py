import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from napari_hmz import errors
from napari_hmz.results import OutputWriter
from napari_hmz.results.levels import regions_of
from napari_hmz.schema import AxisName, OutputArray, OutputKind, Region, sizes_of
from napari_hmz.schema.output_document import output_document
from napari_hmz.sources import open_source
from napari_hmz.testing.fake_run import fake_run

AXES: tuple[AxisName, ...] = ("z", "y", "x")
VALUES = np.random.default_rng(0).integers(0, 99, (8, 300, 260)).astype("f4")
VALUES[:4, :128, :128] = 0


def output(
    kind: OutputKind, axes: tuple[AxisName, ...] = AXES, dtype: str = "float32"
) -> OutputArray:
    sizes = {"z": 8, "y": 300, "x": 260}
    chunks = {"z": 4, "y": 128, "x": 128}
    return OutputArray.model_validate(
        {"name": "o", "kind": kind, "axes": axes, "shape": sizes, "chunks": chunks, "dtype": dtype}
    )


def backend_array(folder: Path, array: OutputArray) -> Mapping[str, object]:
    """Write an array as the backend does, and return its document."""
    made = zarr.create_array(
        LocalStore(folder),
        shape=[array.shape[a] for a in array.axes],
        chunks=tuple(array.chunks[a] for a in array.axes),
        dtype=array.dtype,
        compressors=[output_document(array)["codecs"][1]],
    )
    made[:] = values_of(array)
    document: Mapping[str, object] = json.loads((folder / "zarr.json").read_bytes())
    return document


def values_of(array: OutputArray) -> NDArray[np.generic]:
    return VALUES.transpose([AXES.index(axis) for axis in array.axes]).astype(array.dtype)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("image", "float32"), ("probabilities", "uint8"), ("instance-labels", "uint32")],
)
def test_chunks_of_the_backend_lie_here_as_they_came(
    tmp_path: Path, kind: OutputKind, dtype: str
) -> None:
    array = output(kind, dtype=dtype)
    theirs = backend_array(tmp_path / "backend", array)
    made = fake_run(array)
    writer = OutputWriter.prepare(tmp_path / "o.zarr", made)
    assert writer.stores_like("o", theirs)
    assert writer.stores_like("o", output_document(array))
    bodies = {}
    for region in regions_of(array.shape, array.chunks):
        key = "/".join(["c", *(str(region[a][0] // array.chunks[a]) for a in AXES)])
        file = tmp_path / "backend" / key
        body = bodies[key] = file.read_bytes() if file.exists() else b""
        digest = hashlib.sha256(body).hexdigest() if body else ""
        writer.put_chunk("o", region, body, digest=digest)
        assert not body or writer.holds("o", region, digest)
    writer.finish(made)
    assert b"" in bodies.values()
    np.testing.assert_array_equal(writer.array("o")[:], values_of(array))
    folder = tmp_path / "o.zarr" / ("labels/o" if kind == "instance-labels" else "o") / "0"
    assert {k: (folder / k).read_bytes() for k, body in bodies.items() if body} == {
        key: body for key, body in bodies.items() if body
    }


def test_axes_in_another_order_are_not_taken_as_they_come(tmp_path: Path) -> None:
    array = output("image", ("x", "y", "z"))
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(array))
    assert not writer.stores_like("o", output_document(array))


@pytest.mark.parametrize("change", ["codecs", "chunk_grid", "data_type"])
def test_chunks_stored_in_another_way_are_not_taken_as_they_come(
    tmp_path: Path, change: str
) -> None:
    array = output("image")
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(array))
    other = output_document(output("image", dtype="float32"))
    other[change] = {"codecs": [], "chunk_grid": {}, "data_type": "float64"}[change]
    assert not writer.stores_like("o", other)


@pytest.mark.parametrize(
    "region",
    [
        {"z": (0, 4), "y": (0, 128), "x": (1, 128)},
        {"z": (0, 4), "y": (0, 100), "x": (0, 128)},
        {"z": (0, 4), "y": (256, 384), "x": (0, 128)},
        {"z": (0, 4)},
    ],
)
def test_only_whole_chunks_are_put(tmp_path: Path, region: Region) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(output("image")))
    with pytest.raises(errors.RegionInvalid):
        writer.put_chunk("o", region, b"x", digest="")


def test_labels_beside_an_image_with_channels_are_taken_as_they_come(tmp_path: Path) -> None:
    array = output("instance-labels", dtype="uint32")
    source = open_source(np.zeros((2, 8, 300, 260), "u2"), axes=("c", "z", "y", "x"))
    made = fake_run(array, region={"c": (0, 2), **{a: (0, n) for a, n in array.shape.items()}})
    writer = OutputWriter.prepare(tmp_path / "o.zarr", made, image=source)
    theirs = backend_array(tmp_path / "backend", array)
    assert writer.stores_like("o", theirs)
    region: Region = {"z": (4, 8), "y": (256, 300), "x": (128, 256)}
    body = (tmp_path / "backend/c/1/2/1").read_bytes()
    writer.put_chunk("o", region, body, digest="d")
    assert writer.array("o").shape == (1, *(sizes_of(AXES, VALUES.shape)[a] for a in AXES))
    np.testing.assert_array_equal(
        writer.array("o")[0, 4:8, 256:300, 128:256], values_of(array)[4:8, 256:300, 128:256]
    )
