import itertools
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models
import pytest
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_hmz.results import PROVENANCE_KEY, OutputWriter
from napari_hmz.results.levels import regions_of
from napari_hmz.schema import (
    AxisName,
    ClassSpec,
    OutputArray,
    Provenance,
    Region,
    sizes_of,
)
from napari_hmz.sources import open_source
from napari_hmz.statistics import volume_statistics
from napari_hmz.testing.fake_run import fake_run

SHAPE = (10, 300, 280)
REGION: Region = {"z": (2, 10), "y": (0, 300), "x": (20, 280)}
LABELS = np.zeros((8, 300, 260), np.uint32)
LABELS[1:5, 40:140, 30:200] = 1
LABELS[4:8, 150:290, 3:100] = 70_000


def labels(**changes: object) -> OutputArray:
    said: dict[str, object] = {
        "name": "cells",
        "kind": "instance-labels",
        "axes": ("z", "y", "x"),
        "shape": sizes_of(("z", "y", "x"), LABELS.shape),
        "chunks": {"z": 4, "y": 128, "x": 128},
        "dtype": "uint32",
        "voxel_size": {"z": 2.0, "y": 0.5, "x": 0.5},
        "units": {"z": "micrometer", "y": "micrometer", "x": "micrometer"},
        "translation": {"z": 14.0, "y": 0.0, "x": 10.0},
    }
    return OutputArray.model_validate(said | changes)


def smooth() -> OutputArray:
    return labels(name="smooth", kind="image", dtype="float32")


def fill(writer: OutputWriter, output: OutputArray, values: NDArray[Any]) -> None:
    for region in reversed(list(regions_of(output.shape, output.chunks))):
        index = tuple(slice(*region[axis]) for axis in output.axes)
        writer.write_chunk(output.name, region, values[index], digest="d")


def check_valid(path: Path) -> None:
    """Ask both validators about the store and every image in it."""
    root = zarr.open_group(path, mode="r")
    groups = [path, *(path / name for name, _ in root.groups() if name != "labels")]
    if "labels" in root:
        inner = zarr.open_group(path / "labels", mode="r")
        groups += [path / "labels" / name for name, _ in inner.groups()]
    for group in groups:
        yaozarrs.validate_zarr_store(str(group))
        ome_zarr_models.open_ome_zarr(zarr.open_group(group, mode="r"))
    for first, second in itertools.pairwise(groups):
        assert levels(first) == levels(second)


def levels(group: Path) -> int:
    ome: Any = zarr.open_group(group, mode="r").attrs["ome"]
    return len(ome["multiscales"][0]["datasets"])


def image() -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 999, SHAPE).astype("u2")


def test_labels_and_images_make_a_valid_store(tmp_path: Path) -> None:
    made = fake_run(labels(), smooth(), region=REGION)
    writer = OutputWriter.prepare(tmp_path / "o.zarr", made)
    check_valid(tmp_path / "o.zarr")
    fill(writer, labels(), LABELS)
    fill(writer, smooth(), LABELS.astype("f4"))
    check_valid(tmp_path / "o.zarr")
    writer.finish(made)
    check_valid(tmp_path / "o.zarr")
    assert levels(tmp_path / "o.zarr/labels/cells") > 1
    for address in ("o.zarr", "o.zarr/labels/cells", "o.zarr/smooth"):
        source = open_source(tmp_path / address)
        np.testing.assert_array_equal(source.read({}), LABELS)
        assert source.request.voxel_size == labels().voxel_size
        assert source.request.units == labels().units
        assert {"y": 0.0} | source.request.translation == labels().translation


def test_nothing_but_zarr_is_left_in_the_store(tmp_path: Path) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    fill(writer, labels(), LABELS)
    writer.finish(fake_run(labels(), region=REGION))
    strangers = [
        file.name
        for file in (tmp_path / "o.zarr").rglob("*")
        if file.is_file() and file.name != "zarr.json" and "c" not in file.parts
    ]
    assert strangers == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["o.zarr"]


def test_the_region_of_the_image_is_copied_in(tmp_path: Path) -> None:
    source = open_source(
        image(),
        voxel_size={"z": 2.0, "y": 0.5, "x": 0.5},
        units=labels().units,
    )
    statistics = volume_statistics(source.read, source.request)
    made = fake_run(labels(), region=REGION, statistics=statistics)
    writer = OutputWriter.prepare(tmp_path / "o.zarr", made, image=source)
    check_valid(tmp_path / "o.zarr")
    fill(writer, labels(), LABELS)
    writer.finish(made)
    check_valid(tmp_path / "o.zarr")
    copied, beside = (
        open_source(tmp_path / "o.zarr"),
        open_source(tmp_path / "o.zarr/labels/cells"),
    )
    np.testing.assert_array_equal(copied.read({}), image()[2:, :, 20:])
    assert copied.request.voxel_size == beside.request.voxel_size
    assert copied.request.units == beside.request.units
    for level in range(levels(tmp_path / "o.zarr")):
        one = open_source(tmp_path / "o.zarr", level=level).request
        other = open_source(tmp_path / "o.zarr/labels/cells", level=level).request
        assert one.shape == other.shape
        assert one.voxel_size == other.voxel_size


def test_the_copy_is_shown_with_its_own_contrast(tmp_path: Path) -> None:
    source = open_source(np.stack([image(), image() * 2]), axes="czyx")
    statistics = volume_statistics(source.read, source.request)
    made = fake_run(labels(), region=REGION | {"c": (0, 2)}, channels=(1,), statistics=statistics)
    OutputWriter.prepare(tmp_path / "o.zarr", made, image=source).finish(made)
    check_valid(tmp_path / "o.zarr")
    ome: Any = zarr.open_group(tmp_path / "o.zarr", mode="r").attrs["ome"]
    (channel,) = ome["omero"]["channels"]
    assert channel["window"]["max"] == 2 * 998
    assert 0 < channel["window"]["start"] < channel["window"]["end"] < 2 * 998


def test_a_translation_of_the_source_is_added_to_that_of_the_region(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "i.zarr")
    group.create_array("0", data=image())
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": axis, "type": "space"} for axis in "zyx"],
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [2, 0.5, 0.5]},
                            {"type": "translation", "translation": [10, 0, 0]},
                        ],
                    }
                ],
            }
        ],
    }
    source = open_source(tmp_path / "i.zarr")
    writer = OutputWriter.prepare(
        tmp_path / "o.zarr", fake_run(labels(), region=REGION), image=source
    )
    writer.finish(fake_run(labels(), region=REGION))
    assert open_source(tmp_path / "o.zarr").request.translation == {"z": 14, "y": 0, "x": 10}


def test_one_channel_of_the_image_is_copied_where_the_model_saw_one(tmp_path: Path) -> None:
    source = open_source(np.stack([image(), image() + 1]), axes="czyx")
    made = fake_run(labels(), region=REGION | {"c": (0, 2)}, channels=(1,))
    writer = OutputWriter.prepare(tmp_path / "o.zarr", made, image=source)
    writer.finish(made)
    check_valid(tmp_path / "o.zarr")
    np.testing.assert_array_equal(
        open_source(tmp_path / "o.zarr").read({}), (image() + 1)[2:, :, 20:]
    )


def test_labels_beside_several_channels_have_that_axis_too(tmp_path: Path) -> None:
    source = open_source(np.stack([image(), image() + 1]), axes="czyx")
    made = fake_run(labels(), region=REGION | {"c": (0, 2)}, channels=(1, 0))
    writer = OutputWriter.prepare(tmp_path / "o.zarr", made, image=source)
    fill(writer, labels(), LABELS)
    writer.finish(made)
    check_valid(tmp_path / "o.zarr")
    assert open_source(tmp_path / "o.zarr").read({}).shape == (2, *LABELS.shape)
    beside = open_source(tmp_path / "o.zarr/labels/cells")
    assert beside.request.axes == ("c", "z", "y", "x")
    np.testing.assert_array_equal(beside.read({})[0], LABELS)
    first = open_source(tmp_path / "o.zarr").read({"c": (0, 1)})
    np.testing.assert_array_equal(first[0], (image() + 1)[2:, :, 20:])


def test_axes_are_stored_in_the_order_of_ome_zarr(tmp_path: Path) -> None:
    axes: tuple[AxisName, ...] = ("y", "x", "c")
    output = labels(
        name="p",
        kind="probabilities",
        axes=axes,
        shape={"y": 20, "x": 30, "c": 2},
        chunks={"y": 8, "x": 8, "c": 1},
        dtype="float32",
        translation={},
        voxel_size={},
        units={},
    )
    values = np.random.default_rng(0).random((20, 30, 2)).astype("f4")
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(output, region=REGION))
    fill(writer, output, values)
    writer.finish(fake_run(output, region=REGION))
    check_valid(tmp_path / "o.zarr")
    np.testing.assert_array_equal(
        open_source(tmp_path / "o.zarr").read({}), values.transpose(2, 0, 1)
    )


@settings(deadline=None, max_examples=15)
@given(st.data())
def test_chunks_come_in_any_order_and_more_than_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    output = labels(chunks={"z": 3, "y": 100, "x": 90})
    regions = list(regions_of(output.shape, output.chunks))
    writer = OutputWriter.prepare(
        tmp_path_factory.mktemp("o") / "o.zarr", fake_run(output, region=REGION)
    )
    for number in data.draw(st.permutations(range(len(regions)))):
        index = tuple(slice(*regions[number][axis]) for axis in output.axes)
        if data.draw(st.booleans()):
            writer.write_chunk("cells", regions[number], np.full_like(LABELS[index], 5))
        writer.write_chunk("cells", regions[number], LABELS[index])
    np.testing.assert_array_equal(writer.array("cells")[...], LABELS)


def test_provenance_stands_in_the_store_and_in_each_output(tmp_path: Path) -> None:
    made = fake_run(labels(), region=REGION)
    writer = OutputWriter.prepare(tmp_path / "o.zarr", made)
    root = zarr.open_group(tmp_path / "o.zarr", mode="r")
    first: Any = root.attrs[PROVENANCE_KEY]
    assert first["complete"] is False
    writer.finish(made)
    root = zarr.open_group(tmp_path / "o.zarr", mode="r")
    own: Any = root.attrs[PROVENANCE_KEY]
    assert own["complete"] is True
    assert own["outputs"] == {"cells": "labels/cells"}
    assert Provenance.model_validate(own["provenance"]) == made.provenance
    inner: Any = root["labels/cells"].attrs[PROVENANCE_KEY]
    assert inner["output"] == "cells"
    assert inner["results"][0]["objects"] == 2


def test_classes_have_names_and_colours_with_integer_values(tmp_path: Path) -> None:
    output = labels(kind="semantic-labels", dtype="uint8")
    classes = (
        ClassSpec(value=1, name="nucleus", color="#ff8000"),
        ClassSpec(value=2, name="other", color="blue"),
    )
    OutputWriter.prepare(
        tmp_path / "o.zarr", fake_run(output, region=REGION), classes={"cells": classes}
    )
    check_valid(tmp_path / "o.zarr")
    text = (tmp_path / "o.zarr/labels/cells/zarr.json").read_text()
    assert "1.0" not in text.split("image-label")[1].split("}")[0]
    ome: Any = zarr.open_group(tmp_path / "o.zarr/labels/cells", mode="r").attrs["ome"]
    colours = ome["image-label"]["colors"]
    assert colours[0] == {"label-value": 1, "rgba": [255, 128, 0, 255]}
    assert [each["label-value"] for each in colours] == [1, 2]
    assert [each["name"] for each in ome["image-label"]["properties"]] == ["nucleus", "other"]


def test_a_coarse_voxel_lies_at_the_middle_of_those_it_stands_for(tmp_path: Path) -> None:
    made = fake_run(labels(), region=REGION)
    OutputWriter.prepare(tmp_path / "o.zarr", made).finish(made)
    coarse = open_source(tmp_path / "o.zarr/labels/cells", level=1).request
    assert coarse.voxel_size == {"z": 2.0, "y": 1.0, "x": 1.0}
    assert coarse.translation == {"z": 14.0, "y": 0.25, "x": 10.25}
