"""The table of objects: measured part by part, it is what measuring the whole would give."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import regionprops_table

from napari_hmz.errors import AxesMismatch, DtypeUnsuitable, OutputUnwritable
from napari_hmz.objects import Measured, ObjectTable, Reader, Space, measure_objects, measuring
from napari_hmz.schema import AXIS_ORDER, Axes, Region, Sizes, sizes_of

ZYX: Axes = ("z", "y", "x")
UM = dict.fromkeys(ZYX, "micrometer")


def reader(array: NDArray[Any]) -> Reader:
    return lambda region: array[tuple(slice(*ends) for ends in region.values())]


def plain(axes: Axes) -> Space:
    return Space.plain(axes, {}, {}, {})


def measured(
    labels: NDArray[Any],
    axes: Axes = ZYX,
    *,
    space: Space | None = None,
    image: Reader | None = None,
    chunks: Sizes | None = None,
) -> ObjectTable:
    shape = sizes_of(axes, labels.shape)
    place = space or plain(axes)
    return measure_objects(reader(labels), shape, place, image=image, chunks=chunks)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_parts_give_what_the_whole_gives(data: st.DataObject) -> None:
    axes: Axes = AXIS_ORDER[-data.draw(st.sampled_from([2, 3])) :]
    shape = tuple(data.draw(st.integers(1, 40)) for _ in axes)
    kind = data.draw(st.sampled_from(["u1", "u2", "u4", "i4", "i8", "u8"]))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    spread = data.draw(st.sampled_from([1, 7, 60_000, 2**40]))  # dense labels, and far apart
    top = int(np.iinfo(kind).max)
    labels = (
        random.integers(0, data.draw(st.integers(1, 9)), shape) * min(spread, top // 9)
    ).astype(kind)
    image = random.normal(100, 30, shape).astype(data.draw(st.sampled_from(["f4", "u1", "f8"])))
    chunks: Sizes = {axis: data.draw(st.integers(1, 300)) for axis in axes}
    table = measured(labels, axes, image=reader(image), chunks=chunks)
    names = ["label", "area", "bbox", "centroid", "mean_intensity", "min_intensity"]
    dense, compact = np.unique(labels, return_inverse=True)  # the reference wants small labels
    if dense[0] != 0:
        dense, compact = np.insert(dense, 0, 0), compact + 1
    whole = regionprops_table(compact.reshape(shape), image, properties=[*names, "max_intensity"])
    np.testing.assert_array_equal(table.labels, dense[1:])
    for key, theirs in [
        ("voxels", "area"),
        ("intensity_mean", "mean_intensity"),
        ("intensity_min", "min_intensity"),
        ("intensity_max", "max_intensity"),
        *((f"centroid_{axis}", f"centroid-{at}") for at, axis in enumerate(axes)),
        *((f"{axis}_start", f"bbox-{at}") for at, axis in enumerate(axes)),
        *((f"{axis}_stop", f"bbox-{at + len(axes)}") for at, axis in enumerate(axes)),
    ]:
        np.testing.assert_allclose(table.column(key).values, whole[theirs], rtol=1e-6)


def test_sizes_and_places_are_those_of_the_world() -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1:3, 2:4, 0:5] = 7
    space = Space.plain(
        ZYX,
        {"z": 2000.0, "y": 0.5, "x": 0.5},
        {"z": 100.0, "x": -1.0},
        {"z": "nanometer", "y": "micrometer", "x": "micrometer"},
    )
    table = measured(labels, space=space)
    assert table.column("volume_um3").values.tolist() == [20 * 2.0 * 0.5 * 0.5]
    assert table.column("centroid_z_nm").values.tolist() == [100 + 1.5 * 2000]
    assert table.column("centroid_x_um").values.tolist() == [-1 + 2 * 0.5]
    assert [column.title for column in table.columns][1:3] == ["volume (µm³)", "centroid z (nm)"]


def test_a_flat_object_has_an_area() -> None:
    space = Space.plain(("y", "x"), {"y": 0.5, "x": 0.5}, {}, {"y": "um", "x": "um"})
    table = measured(np.ones((4, 4), np.uint8), ("y", "x"), space=space)
    assert table.column("area_um2").values.tolist() == [4.0]


def test_a_turned_voxel_is_as_large_as_before() -> None:
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[0.0, -3.0], [2.0, 0.0]]
    matrix[0, 2] = 0.4  # sheared, too
    table = measured(np.ones((1, 1, 1), np.uint8), space=Space(ZYX, matrix, UM))
    np.testing.assert_allclose(table.column("volume_um3").values, [6.0])


def test_without_units_there_is_no_size_but_in_voxels() -> None:
    keys = [column.key for column in measured(np.ones((2, 2, 2), np.uint8)).columns]
    assert keys[:2] == ["voxels", "centroid_z"]


def test_time_is_no_part_of_a_size() -> None:
    axes: Axes = ("t", "y", "x")
    space = Space.plain(axes, {"t": 30.0}, {}, {"t": "second", "y": "um", "x": "um"})
    table = measured(np.ones((3, 2, 2), np.uint8), axes, space=space)
    assert table.column("area_um2").values.tolist() == [12.0]
    assert table.column("centroid_t_s").values.tolist() == [30.0]


def test_only_a_part_is_read_at_a_time_and_the_image_where_objects_are() -> None:
    shape: Sizes = {"z": 64, "y": 1024, "x": 1024}
    largest, looked_at = [0], [0]

    def labels(region: Region) -> NDArray[Any]:
        extents = [stop - start for start, stop in region.values()]
        largest[0] = max(largest[0], int(np.prod(extents)))
        return np.full(extents, int(region["z"][0] == 0), np.uint8)

    def image(region: Region) -> NDArray[Any]:
        looked_at[0] += 1
        return labels(region)

    steps = list(
        measuring(labels, shape, plain(ZYX), image=image, chunks={"z": 8, "y": 64, "x": 64})
    )
    assert largest[0] <= 16 * 256 * 256
    assert steps[-2] == Measured(64, 64)
    assert looked_at[0] == 16  # of 64 parts


def test_many_objects_have_a_row_each() -> None:
    labels = np.arange(1, 60_001, dtype=np.uint32).reshape(1, 200, 300)
    table = measured(labels, chunks={"z": 1, "y": 50, "x": 50})
    assert len(table) == 60_000
    assert table.row_of(60_000) == 59_999
    assert table.row_of(60_001) is None
    assert table.column("y_start").values[299:302].tolist() == [0, 1, 1]


def test_nothing_makes_an_empty_table() -> None:
    table = measured(np.zeros((2, 3, 4), np.uint16))
    assert len(table) == 0
    assert table.row_of(1) is None


def test_fractions_are_no_labels() -> None:
    with pytest.raises(DtypeUnsuitable):
        measured(np.ones((2, 2, 2)))


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(AxesMismatch):
        measured(np.ones((2, 2, 2), int), image=reader(np.ones((1, 2, 2))))


def test_a_csv_holds_every_figure(tmp_path: Path) -> None:
    labels = np.zeros((2, 3, 4), np.uint16)
    labels[0, 0], labels[1] = 3, 1
    space = Space.plain(ZYX, {"z": 0.1}, {}, UM)
    table = measured(labels, space=space, image=reader(labels / 3))
    table.write_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["1", "3"]
    for column in table.columns:
        assert [float(row[column.key]) for row in rows] == column.values.tolist()
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


def test_a_csv_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable):
        measured(np.ones((1, 1, 1), int)).write_csv(tmp_path / "file" / "t.csv")
