"""napari opens our own stores as they looked in the run, and leaves others alone."""

import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from npe2 import PluginManager, PluginManifest

import napari_hmz
from hmz_widgets import reader
from hmz_widgets.reader import get_reader, read_results
from napari_hmz.errors import SourceUnreadable
from napari_hmz.results import PROVENANCE_KEY, OutputWriter
from napari_hmz.schema import AXIS_ORDER, OutputArray, Region, full_region, sizes_of
from napari_hmz.sources import open_source
from napari_hmz.statistics import volume_statistics
from napari_hmz.testing.fake_run import fake_run

REGION: Region = {"z": (0, 4), "y": (0, 300), "x": (10, 280)}
SHAPE = (4, 300, 270)
Untyped = Any
"""What napari gives: it has no types that mypy can follow."""


def output(name: str, kind: str, axes: str = "zyx", **more: object) -> OutputArray:
    letters = tuple(axis for axis in AXIS_ORDER if axis in axes)
    sizes = sizes_of(letters, SHAPE if "c" not in axes else (2, *SHAPE))
    said: dict[str, object] = {
        "name": name,
        "kind": kind,
        "axes": letters,
        "shape": sizes,
        "chunks": sizes | {"z": 2, "y": 128, "x": 128},
        "dtype": "float32",
        "voxel_size": {"z": 2.0, "y": 0.5, "x": 0.5},
        "units": {"z": "micrometer", "y": "micrometer", "x": "micrometer"},
        "translation": {"z": 0.0, "y": 0.0, "x": 5.0},
    }
    return OutputArray.model_validate(said | more)


CLASSES = ({"value": 1, "name": "nucleus", "color": "#ff8000"},)
CELLS = output("cells", "instance-labels", dtype="uint32")
KINDS = output("kinds", "semantic-labels", dtype="uint8", classes=CLASSES)
LIKELY = output("likely", "probabilities", "czyx", channels=("nucleus", "other"), classes=CLASSES)


def written(path: Path, *outputs: OutputArray, channels: int = 0, value: float = 1) -> Path:
    """Write a run with these outputs, and its image if it has channels."""
    source, region = None, REGION
    if channels:
        random = np.random.default_rng(0)
        source = open_source(
            random.integers(0, 99, (channels, 4, 300, 280)).astype("u2"),
            axes="czyx",
            name="stack",
        )
        region = REGION | {"c": (0, channels)}
    statistics = None if source is None else volume_statistics(source.read, source.request)
    run = fake_run(*outputs, region=region, statistics=statistics)
    writer = OutputWriter.prepare(path, run, image=source)
    for each in outputs:
        shape = tuple(each.shape[axis] for axis in each.axes)
        values = np.full(shape, value, each.dtype)
        writer.write_chunk(each.name, full_region(each.shape), values)
    writer.finish(run)
    return path


def opened(path: Path) -> Untyped:
    viewer = ViewerModel()
    for data, arguments, kind in read_results(str(path)):
        getattr(viewer, f"add_{kind}")(data, **arguments)
    return viewer.layers


def test_outputs_look_as_in_the_run(tmp_path: Path) -> None:
    path = written(tmp_path / "o.ome.zarr", CELLS, KINDS, LIKELY)
    layers = opened(path)
    assert [layer.name for layer in layers] == [
        "o cells",
        "o kinds",
        "o likely nucleus",
        "o likely other",
    ]
    for layer in layers:
        assert layer.data.shape == SHAPE
        np.testing.assert_allclose(layer.data_to_world((1, 2, 4)), (2, 1, 7))
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        assert layer.axis_labels == ("z", "y", "x")
        assert layer.metadata["hmz"]["model"] == "m"
    np.testing.assert_allclose(layers[1].get_color(1), [1, 0.5, 0, 1], atol=0.01)
    assert layers[1].features["class"].tolist() == ["nucleus"]
    assert layers[2].contrast_limits == [0, 1]
    assert layers[0].editable


def test_the_image_is_opened_by_channel_with_its_contrast(tmp_path: Path) -> None:
    layers = opened(written(tmp_path / "o.zarr", CELLS, channels=2))
    assert [layer.name for layer in layers] == ["o stack 0", "o stack 1", "o cells"]
    assert layers[2].data.shape == SHAPE
    low, high = layers[0].contrast_limits
    assert 0 <= low < high <= 99
    assert low > 0 or high < 99


def test_what_is_large_stays_in_the_store_with_all_levels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "IN_MEMORY_BYTES", 1000)
    path = written(tmp_path / "o.zarr", CELLS, LIKELY, channels=2)
    layers = opened(path)
    for layer in layers:
        assert layer.multiscale
        assert isinstance(layer.data[0], da.Array)
        assert layer.data[0].shape == SHAPE
        assert layer.data[1].shape[1:] == (150, 135)
    assert not layers["o cells"].editable


def test_other_stores_are_left_to_others(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "a.zarr", attributes={"ome": {"version": "0.5"}})
    zarr.create_group(tmp_path / "b.zarr", zarr_format=2)
    (tmp_path / "c.zarr").mkdir()
    (tmp_path / "c.zarr" / "zarr.json").write_text("[not json")
    (tmp_path / "d.zarr").write_text("a file")
    for name in "abcde":
        assert get_reader(str(tmp_path / f"{name}.zarr")) is None
    ours = str(written(tmp_path / "o.zarr", CELLS))
    assert get_reader(ours) is not None
    assert get_reader([ours, ours]) is None


def test_a_damaged_store_and_one_that_leads_out_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "o.zarr", CELLS)
    (path / "labels/cells/zarr.json").write_text("{}")
    with pytest.raises(SourceUnreadable, match="damaged"):
        read_results(str(path))
    document = json.loads((path / "zarr.json").read_text())
    document["attributes"][PROVENANCE_KEY]["outputs"] = {"x": "../../etc"}
    (path / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(SourceUnreadable, match="outside"):
        read_results(str(path))


def test_napari_finds_the_reader(tmp_path: Path, npe2pm: PluginManager) -> None:
    manifest = PluginManifest.from_file(Path(napari_hmz.__file__).parent / "napari.yaml")
    npe2pm.register(manifest)
    path = written(tmp_path / "o.ome.zarr", CELLS)
    viewer = ViewerModel()
    viewer.open(path, plugin="napari-hmz")
    assert viewer.layers[0].data.shape == SHAPE
    assert viewer.layers[0].source.path == str(path)
